"""Times without answers"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "answer_let_out",
        sa.Column("delivery_id", sa.Integer(), nullable=False),
        sa.Column("mailbox", sa.String(), nullable=False),
        sa.Column("person", sa.String(), nullable=False),
        sa.Column("gravity", sa.Integer(), nullable=False),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("wrote_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("delivery_id"),
    )
    with op.batch_alter_table("answer_let_out", schema=None) as batch_op:
        batch_op.create_index("ix_answer_let_out_mailbox", ["mailbox", "at"], unique=False)
    op.create_table(
        "answer_stop",
        sa.Column("mailbox", sa.String(), nullable=False),
        sa.Column("stopped_at", sa.DateTime(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("resumed_at", sa.DateTime(), nullable=True),
        sa.Column("notice", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["notice"], ["notice.id"]),
        sa.PrimaryKeyConstraint("mailbox"),
    )
    op.create_table(
        "own_answer",
        sa.Column("mailbox", sa.String(), nullable=False),
        sa.Column("asked_at", sa.DateTime(), nullable=False),
        sa.Column("told_at", sa.DateTime(), nullable=True),
        sa.Column("on", sa.Boolean(), nullable=False),
        sa.Column("begins", sa.DateTime(), nullable=True),
        sa.Column("ends", sa.DateTime(), nullable=True),
        sa.Column("to_families", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("mailbox"),
    )


def downgrade() -> None:
    """Back."""
    op.drop_table("own_answer")
    op.drop_table("answer_stop")
    op.drop_table("answer_let_out")
