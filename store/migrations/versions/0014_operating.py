"""Looks at mailboxes, running processes, alerts, and how old a program may be to work with these tables"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_OPEN_DELIVERIES = sa.text("state IN ('waiting', 'working', 'set aside', 'uncertain')")
_OPEN_ITEMS = sa.text("state = 'open'")


def upgrade() -> None:
    """Forward."""
    op.create_table(
        "look",
        sa.Column("mailbox", sa.String(), nullable=False),
        sa.Column("looked_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("mailbox"),
    )
    op.create_table(
        "running_process",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("version", sa.String(), nullable=False),
        sa.Column("began_at", sa.DateTime(), nullable=False),
        sa.Column("seen_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "alert",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("since", sa.DateTime(), nullable=False),
        sa.Column("noticed_at", sa.DateTime(), nullable=False),
        sa.Column("over_at", sa.DateTime(), nullable=True),
        sa.Column("told", sa.Integer(), nullable=True),
        sa.Column("all_clear", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["told"], ["notice.id"]),
        sa.ForeignKeyConstraint(["all_clear"], ["notice.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("kind", "subject"),
    )
    floor = op.create_table(
        "schema_floor",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("revision", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.bulk_insert(floor, [{"id": 1, "revision": revision}])
    # Few rows out of millions: what is still to be done must not take longer to count after a year.
    op.create_index(
        "ix_delivery_open",
        "delivery",
        ["state", "kind", "next_attempt_at"],
        sqlite_where=_OPEN_DELIVERIES,
        postgresql_where=_OPEN_DELIVERIES,
    )
    op.create_index("ix_item_open", "item", ["opened_at"], sqlite_where=_OPEN_ITEMS, postgresql_where=_OPEN_ITEMS)


def downgrade() -> None:
    """Back."""
    op.drop_index("ix_item_open", "item")
    op.drop_index("ix_delivery_open", "delivery")
    for table in ("schema_floor", "alert", "running_process", "look"):
        op.drop_table(table)
