"""Workers of a district: who lives, whose turn each mailbox is, what is shared, and Procrastinate's steps"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015a"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "worker",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("began_at", sa.DateTime(), nullable=False),
        sa.Column("alive_until", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "mailbox_turn",
        sa.Column("mailbox", sa.String(), nullable=False),
        sa.Column("system", sa.String(), nullable=False),
        sa.Column("pace", sa.String(16), nullable=False),
        sa.Column("due_at", sa.DateTime(), nullable=False),
        sa.Column("woken", sa.Boolean(), nullable=False),
        sa.Column("holder", sa.String(), nullable=True),
        sa.Column("last_holder", sa.String(), nullable=True),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("taken_at", sa.DateTime(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("mailbox"),
    )
    op.create_index("ix_mailbox_turn_due", "mailbox_turn", ["system", "due_at"])
    op.create_table(
        "allowance",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("paid_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "connection_share",
        sa.Column("server", sa.String(), nullable=False),
        sa.Column("worker", sa.String(), nullable=False),
        sa.Column("held", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("server", "worker"),
    )
    op.create_table(
        "push_ticket",
        sa.Column("ticket", sa.String(), nullable=False),
        sa.Column("mailbox", sa.String(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("ticket"),
    )
    op.create_index("ix_push_ticket_mailbox", "push_ticket", ["mailbox"])
    op.create_table(
        "queue_migration",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("applied_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )


def downgrade() -> None:
    """Back."""
    op.drop_table("queue_migration")
    op.drop_index("ix_push_ticket_mailbox", "push_ticket")
    op.drop_table("push_ticket")
    for table in ("connection_share", "allowance"):
        op.drop_table(table)
    op.drop_index("ix_mailbox_turn_due", "mailbox_turn")
    op.drop_table("mailbox_turn")
    op.drop_table("worker")
