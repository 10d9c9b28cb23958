"""What follows from a correction"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005a"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Forward. From corrections of before nothing follows any more."""
    with op.batch_alter_table("correction", schema=None) as batch_op:
        batch_op.add_column(sa.Column("followed_at", sa.DateTime(), nullable=True))
        batch_op.create_index("ix_correction_unfollowed", ["mailbox", "followed_at"], unique=False)
    op.execute(sa.text("UPDATE correction SET followed_at = at"))


def downgrade() -> None:
    """Back."""
    with op.batch_alter_table("correction", schema=None) as batch_op:
        batch_op.drop_index("ix_correction_unfollowed")
        batch_op.drop_column("followed_at")
