"""The version after this one: the same, with one more migration, of the kinds that an upgrade without a pause allows.

Made of this checkout, so that an upgrade can be tried wherever the tests run, also where history is not at hand: the
older of the two versions is this one.
"""

import shutil
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

_OURS = Path(__file__).parents[2] / "store" / "migrations"
_MIGRATION = '''"""What a next version may bring: something more in tables that there are, a table, an index."""

import sqlalchemy as sa
from alembic import op

revision = "of_the_next_version"
down_revision = "{head}"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("message", sa.Column("next_text", sa.String(), nullable=True))
    op.add_column("delivery", sa.Column("next_count", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("mailbox", sa.Column("next_flag", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table("next_table", sa.Column("id", sa.Integer(), primary_key=True), sa.Column("word", sa.String()))
    op.create_index("next_index", "delivery", ["kind", "next_count"])


def downgrade():
    raise NotImplementedError("back by the backup that was made before")
'''


def migrations(folder: Path) -> Path:
    """Writes the newer version's migrations to `folder`, and returns it."""
    shutil.copytree(_OURS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    config = Config()
    config.set_main_option("script_location", str(folder))
    head = ScriptDirectory.from_config(config).get_current_head()
    (folder / "versions" / "9999_of_the_next_version.py").write_text(_MIGRATION.format(head=head))
    return folder
