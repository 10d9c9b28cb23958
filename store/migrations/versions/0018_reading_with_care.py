"""Mailboxes in which a process died, and the messages that it had in hand"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "careful_mailbox",
        sa.Column("mailbox", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.Column("left", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("mailbox"),
    )
    op.create_table(
        "reading_trace",
        sa.Column("mailbox", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=True),
        sa.Column("process", sa.String(), nullable=True),
        sa.Column("deaths", sa.Integer(), nullable=False),
        sa.Column("begun_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("mailbox", "message"),
    )
    op.create_index("ix_reading_trace_digest", "reading_trace", ["digest"])


def downgrade() -> None:
    """Back."""
    op.drop_index("ix_reading_trace_digest", "reading_trace")
    op.drop_table("reading_trace")
    op.drop_table("careful_mailbox")
