"""Mornings that had something to tell that is not out, found at once"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_UNSENT = sa.text("sent_at IS NULL AND notice_id IS NOT NULL")


def upgrade() -> None:
    """Forward."""
    op.create_index("ix_digest_unsent", "digest", ["mailbox"], sqlite_where=_UNSENT, postgresql_where=_UNSENT)


def downgrade() -> None:
    """Back."""
    op.drop_index("ix_digest_unsent", "digest")
