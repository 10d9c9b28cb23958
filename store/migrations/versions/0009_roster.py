"""The roster"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "roster_class",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("school", sa.String(), nullable=False),
        sa.Column("grades", sa.String(), nullable=False),
        sa.Column("terms", sa.Text(), nullable=False),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "roster_import",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("from_settings", sa.Boolean(), nullable=False),
        sa.Column("added", sa.Integer(), nullable=False),
        sa.Column("changed", sa.Integer(), nullable=False),
        sa.Column("ended", sa.Integer(), nullable=False),
        sa.Column("rejected", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "roster_membership",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("school_class", sa.String(), nullable=False),
        sa.Column("begins", sa.Date(), nullable=True),
        sa.Column("ends", sa.Date(), nullable=True),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
    )
    with op.batch_alter_table("roster_membership", schema=None) as batch_op:
        batch_op.create_index("ix_roster_membership_id", ["id"], unique=False)
        batch_op.create_index("ix_roster_membership_class", ["school_class"], unique=False)
        batch_op.create_index("ix_roster_membership_person", ["person"], unique=False)
    op.create_table(
        "roster_person",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kinds", sa.String(), nullable=False),
        sa.Column("given_name", sa.String(), nullable=False),
        sa.Column("family_name", sa.String(), nullable=False),
        sa.Column("schools", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=True),
        sa.Column("matched", sa.Boolean(), nullable=False),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "roster_school",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "roster_term",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("begins", sa.Date(), nullable=False),
        sa.Column("ends", sa.Date(), nullable=False),
        sa.Column("is_year", sa.Boolean(), nullable=False),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "roster_address",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("matched", sa.Boolean(), nullable=False),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["person"],
            ["roster_person.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("roster_address", schema=None) as batch_op:
        batch_op.create_index("ix_roster_address_address", ["address"], unique=False)
        batch_op.create_index("ix_roster_address_person", ["person"], unique=False)
    op.create_table(
        "roster_care",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("student", sa.String(), nullable=False),
        sa.Column("guardian", sa.String(), nullable=False),
        sa.Column("by_guardian", sa.Boolean(), nullable=False),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["guardian"],
            ["roster_person.id"],
        ),
        sa.ForeignKeyConstraint(
            ["student"],
            ["roster_person.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("roster_care", schema=None) as batch_op:
        batch_op.create_index("ix_roster_care_guardian", ["guardian"], unique=False)
        batch_op.create_index("ix_roster_care_student", ["student"], unique=False)
    op.create_table(
        "roster_family",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("student", sa.String(), nullable=False),
        sa.Column("family", sa.String(), nullable=False),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["student"],
            ["roster_person.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("roster_family", schema=None) as batch_op:
        batch_op.create_index("ix_roster_family_family", ["family"], unique=False)
        batch_op.create_index("ix_roster_family_student", ["student"], unique=False)
    op.create_table(
        "roster_grade",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("student", sa.String(), nullable=False),
        sa.Column("grade", sa.String(), nullable=False),
        sa.Column("schools", sa.String(), nullable=False),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["student"],
            ["roster_person.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("roster_grade", schema=None) as batch_op:
        batch_op.create_index("ix_roster_grade_student", ["student"], unique=False)
    op.create_table(
        "roster_match",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("matched_at", sa.DateTime(), nullable=False),
        sa.Column("unmatched_at", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["person"],
            ["roster_person.id"],
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("roster_match", schema=None) as batch_op:
        batch_op.create_index("ix_roster_match_address", ["address"], unique=False)


def downgrade() -> None:
    """Back."""
    op.drop_table("roster_match")
    op.drop_table("roster_grade")
    op.drop_table("roster_family")
    op.drop_table("roster_care")
    op.drop_table("roster_address")
    op.drop_table("roster_term")
    op.drop_table("roster_school")
    op.drop_table("roster_person")
    op.drop_table("roster_membership")
    op.drop_table("roster_import")
    op.drop_table("roster_class")
