"""What was forgotten, by keyed digests; receipts; names that stand beside the audit log"""

import sqlalchemy as sa
from alembic import op

revision = "0015a"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "tombstone",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_table(
        "past_answer",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mailbox", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("tag", sa.String(16), nullable=False),
        sa.Column("crisis", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_past_answer_person", "past_answer", ["mailbox", "person"])
    op.create_index("ix_past_answer_at", "past_answer", ["at"])
    op.create_table(
        "carried_week",
        sa.Column("mailbox", sa.String(), nullable=False),
        sa.Column("monday", sa.Date(), nullable=False),
        sa.Column("numbers", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("mailbox", "monday"),
    )
    op.create_table(
        "erasure",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("act", sa.String(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("scrubbed_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("reference"),
    )
    op.create_table(
        "audit_name",
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("token"),
    )
    op.create_index("ix_audit_name_name", "audit_name", ["name"])
    op.create_table(
        "retention",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mail_before", sa.DateTime(), nullable=True),
        sa.Column("lists_before", sa.Date(), nullable=True),
        sa.Column("looked_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )


def downgrade() -> None:
    """Back."""
    op.drop_index("ix_audit_name_name", "audit_name")
    op.drop_index("ix_past_answer_at", "past_answer")
    op.drop_index("ix_past_answer_person", "past_answer")
    for table in ("retention", "audit_name", "erasure", "carried_week", "past_answer", "tombstone"):
        op.drop_table(table)
