"""Drafts of good news, families that help at home"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "glow_draft",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mailbox", sa.String(), nullable=False),
        sa.Column("term", sa.String(), nullable=False),
        sa.Column("family", sa.String(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("asked_by", sa.String(), nullable=True),
        sa.Column("asked_at", sa.DateTime(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("saving", sa.Boolean(), nullable=False),
        sa.Column("rfc_message_id", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(), nullable=False),
        sa.Column("lease_until", sa.DateTime(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("finished_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("mailbox", "term", "family"),
    )
    with op.batch_alter_table("glow_draft", schema=None) as batch_op:
        batch_op.create_index("ix_glow_draft_day", ["mailbox", "day"], unique=False)
        batch_op.create_index("ix_glow_draft_due", ["mailbox", "state", "next_attempt_at"], unique=False)
    op.create_table(
        "glow_wish",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mailbox", sa.String(), nullable=False),
        sa.Column("morning", sa.Date(), nullable=False),
        sa.Column("asked_at", sa.DateTime(), nullable=False),
        sa.Column("done_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("mailbox", "morning"),
    )
    with op.batch_alter_table("glow_wish", schema=None) as batch_op:
        batch_op.create_index("ix_glow_wish_open", ["mailbox", "done_at"], unique=False)
    op.create_table(
        "home_helper",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mailbox", sa.String(), nullable=False),
        sa.Column("family", sa.String(), nullable=False),
        sa.Column("since", sa.Date(), nullable=False),
        sa.Column("said_by", sa.String(), nullable=True),
        sa.Column("withdrawn_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("mailbox", "family"),
    )


def downgrade() -> None:
    """Back."""
    op.drop_table("home_helper")
    op.drop_table("glow_wish")
    op.drop_table("glow_draft")
