"""Messages of one content are found in all mailboxes by an index

Until now each message of a family, and each correction, looked through the contents of every mailbox of the district.
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward."""
    op.drop_index("ix_message_fingerprint", "message")
    op.create_index("ix_message_content", "message", ["fingerprint", "mailbox"])


def downgrade() -> None:
    """Back."""
    op.drop_index("ix_message_content", "message")
    op.create_index("ix_message_fingerprint", "message", ["mailbox", "fingerprint"])
