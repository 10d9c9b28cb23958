"""Cases: hard conversations from the first message to the agreed plan"""

import sqlalchemy as sa
from alembic import op

revision = "0005a"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.add_column(sa.Column("family", sa.String(), nullable=True))
        batch_op.create_index("ix_message_family", ["mailbox", "family", "received_at"], unique=False)
    op.create_table(
        "conflict_case",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mailbox", sa.String(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("family", sa.String(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("hostile", sa.Boolean(), nullable=False),
        sa.Column("opened_at", sa.DateTime(), nullable=False),
        sa.Column("last_mail_at", sa.DateTime(), nullable=False),
        sa.Column("takes_until", sa.DateTime(), nullable=False),
        sa.Column("first_answer_at", sa.DateTime(), nullable=True),
        sa.Column("last_answer_at", sa.DateTime(), nullable=True),
        sa.Column("waiting_since", sa.DateTime(), nullable=True),
        sa.Column("consented_at", sa.DateTime(), nullable=True),
        sa.Column("agreed_at", sa.DateTime(), nullable=True),
        sa.Column("agreed_by", sa.String(), nullable=True),
        sa.Column("agreed_mark", sa.Integer(), nullable=True),
        sa.Column("changed_at", sa.DateTime(), nullable=False),
        sa.Column("reminded_at", sa.DateTime(), nullable=True),
        sa.Column("coach_told_at", sa.DateTime(), nullable=True),
        sa.Column("coach_offered_at", sa.DateTime(), nullable=True),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("looks_at", sa.DateTime(), nullable=True),
        sa.Column("looked_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("mailbox", "reference"),
    )
    op.create_index("ix_conflict_case_family", "conflict_case", ["mailbox", "family", "state"], unique=False)
    op.create_index("ix_conflict_case_looks", "conflict_case", ["mailbox", "state", "looks_at"], unique=False)
    op.create_index("ix_conflict_case_mark", "conflict_case", ["agreed_mark"], unique=False)
    op.create_table(
        "case_mail",
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"]),
        sa.ForeignKeyConstraint(["case_id"], ["conflict_case.id"]),
        sa.PrimaryKeyConstraint("message_id"),
    )
    op.create_index("ix_case_mail_case", "case_mail", ["case_id"], unique=False)
    op.create_table(
        "case_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("by", sa.String(), nullable=True),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["conflict_case.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_case_event_case", "case_event", ["case_id"], unique=False)
    op.create_table(
        "teacher_letter",
        sa.Column("message_id", sa.Integer(), nullable=False),
        sa.Column("family", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["message_id"], ["message.id"]),
        sa.PrimaryKeyConstraint("message_id", "family"),
    )
    op.create_index("ix_teacher_letter_family", "teacher_letter", ["family"], unique=False)


def downgrade() -> None:
    """Back."""
    for table in ("teacher_letter", "case_event", "case_mail", "conflict_case"):
        op.drop_table(table)
    with op.batch_alter_table("message", schema=None) as batch_op:
        batch_op.drop_index("ix_message_family")
        batch_op.drop_column("family")
