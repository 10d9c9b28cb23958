"""The scorecard's figures"""

import sqlalchemy as sa
from alembic import op

from autoresponder.family import person

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.create_index("ix_message_sender", "message", ["sender", "received_at"])
    op.create_table(
        "scorecard_family",
        sa.Column("term", sa.String(), nullable=False),
        sa.Column("grouping", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("family", sa.String(), nullable=False),
        sa.Column("enrolled", sa.Boolean(), nullable=False),
        sa.Column("positive_on", sa.Date(), nullable=True),
        sa.Column("written_on", sa.Date(), nullable=True),
        sa.Column("answered_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("term", "grouping", "key", "family"),
    )
    with op.batch_alter_table("scorecard_family", schema=None) as batch_op:
        batch_op.create_index("ix_scorecard_family_family", ["family"], unique=False)
    op.create_table(
        "scorecard_mark",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "scorecard_state",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("looked_at", sa.DateTime(), nullable=True),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("settings", sa.String(), nullable=False),
        sa.Column("rests_on", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "scorecard_tally",
        sa.Column("term", sa.String(), nullable=False),
        sa.Column("grouping", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("monday", sa.Date(), nullable=False),
        sa.Column("measure", sa.String(length=16), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("term", "grouping", "key", "monday", "measure"),
    )
    op.create_table(
        "scorecard_told",
        sa.Column("term", sa.String(), nullable=False),
        sa.Column("grouping", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("monday", sa.Date(), nullable=False),
        sa.Column("measure", sa.String(), nullable=False),
        sa.Column("value", sa.Float(), nullable=False),
        sa.Column("told_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("term", "grouping", "key", "monday", "measure"),
    )
    op.create_table(
        "scorecard_week",
        sa.Column("mailbox", sa.String(), nullable=False),
        sa.Column("monday", sa.Date(), nullable=False),
        sa.Column("numbers", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(), nullable=True),
        sa.Column("passed_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("mailbox", "monday"),
    )
    with op.batch_alter_table("scorecard_week", schema=None) as batch_op:
        batch_op.create_index("ix_scorecard_week_due", ["due_at"], unique=False)
        batch_op.create_index("ix_scorecard_week_passed", ["passed_at"], unique=False)
    op.create_table(
        "address_spelling",
        sa.Column("spelling", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("spelling"),
    )
    with op.batch_alter_table("address_spelling", schema=None) as batch_op:
        batch_op.create_index("ix_address_spelling_address", ["address"], unique=False)
    _spell_out()
    op.create_table(
        "team_record",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mailbox", sa.String(), nullable=False),
        sa.Column("team", sa.String(), nullable=False),
        sa.Column("since", sa.Date(), nullable=True),
        sa.Column("until", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("team_record", schema=None) as batch_op:
        batch_op.create_index("ix_team_record_mailbox", ["mailbox"], unique=False)
    op.create_table(
        "scorecard_case",
        sa.Column("term", sa.String(), nullable=False),
        sa.Column("grouping", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("opened_on", sa.Date(), nullable=False),
        sa.Column("agreed_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["case_id"],
            ["conflict_case.id"],
        ),
        sa.PrimaryKeyConstraint("term", "grouping", "key", "case_id"),
    )
    with op.batch_alter_table("scorecard_case", schema=None) as batch_op:
        batch_op.create_index("ix_scorecard_case_case", ["case_id"], unique=False)
    op.create_table(
        "scorecard_incident",
        sa.Column("term", sa.String(), nullable=False),
        sa.Column("grouping", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("incident_id", sa.Integer(), nullable=False),
        sa.Column("student", sa.String(), nullable=False),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("baseline_day", sa.Date(), nullable=True),
        sa.Column("again_on", sa.Date(), nullable=True),
        sa.ForeignKeyConstraint(
            ["incident_id"],
            ["incident.id"],
        ),
        sa.PrimaryKeyConstraint("term", "grouping", "key", "incident_id"),
    )
    with op.batch_alter_table("scorecard_incident", schema=None) as batch_op:
        batch_op.create_index("ix_scorecard_incident_student", ["student"], unique=False)


def downgrade() -> None:
    """Back."""
    op.drop_index("ix_message_sender", "message")
    op.drop_table("address_spelling")
    op.drop_table("scorecard_incident")
    op.drop_table("scorecard_case")
    op.drop_table("team_record")
    op.drop_table("scorecard_week")
    op.drop_table("scorecard_told")
    op.drop_table("scorecard_tally")
    op.drop_table("scorecard_state")
    op.drop_table("scorecard_mark")
    op.drop_table("scorecard_family")


def _spell_out() -> None:
    """Addresses of mail that is on record already."""
    message = sa.table("message", sa.column("sender", sa.String()))
    spelling = sa.table("address_spelling", sa.column("spelling", sa.String()), sa.column("address", sa.String()))
    plus = sa.select(message.c.sender).where(message.c.sender.like("%+%")).distinct()
    spellings = [(each, person(each)) for each in op.get_bind().execute(plus).scalars()]
    rows = [{"spelling": each, "address": address} for each, address in spellings if each != address]
    if rows:
        op.bulk_insert(spelling, rows)
