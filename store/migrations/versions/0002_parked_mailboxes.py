"""Parked mailboxes"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "notice",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("rfc_message_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(), nullable=False),
        sa.Column("lease_until", sa.DateTime(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("handovers", sa.Integer(), nullable=False),
        sa.Column("told_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("rfc_message_id"),
    )
    op.create_table(
        "parking",
        sa.Column("mailbox", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("sending", sa.Boolean(), nullable=False),
        sa.Column("lifted_at", sa.DateTime(), nullable=True),
        sa.Column("outage_notice", sa.Integer(), nullable=True),
        sa.Column("lifting_notice", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["outage_notice"], ["notice.id"]),
        sa.ForeignKeyConstraint(["lifting_notice"], ["notice.id"]),
        sa.PrimaryKeyConstraint("mailbox"),
    )


def downgrade() -> None:
    """Back."""
    op.drop_table("parking")
    op.drop_table("notice")
