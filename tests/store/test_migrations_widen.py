"""Migrations only add: programs of the version before go on beside the new tables (docs/howto/upgrade.md)."""

import ast
from pathlib import Path

import pytest

MIGRATIONS = Path(__file__).parents[2] / "store" / "migrations" / "versions"
_SINCE = "0014"
"""From here on versions run side by side."""
_NARROWS = {"drop_column", "drop_table", "drop_constraint", "rename_table", "alter_column", "create_unique_constraint"}


def migrations() -> list[Path]:
    """Those that an old program may live beside."""
    return sorted(path for path in MIGRATIONS.glob("*.py") if path.name[:4] >= _SINCE)


def narrowing(source: str) -> list[str]:
    """What in a migration's way forward takes something away that an old program may use."""
    forward = next(
        node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef) and node.name == "upgrade"
    )
    found = []
    for node in ast.walk(forward):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in _NARROWS:
                found.append(node.func.attr)
            if (
                node.func.attr == "add_column"
                and "server_default" not in ast.dump(node)
                and "nullable=False" in (ast.unparse(node))
            ):
                found.append("add_column that must be filled")
    return found


@pytest.mark.parametrize("migration", migrations(), ids=lambda path: path.stem)
def test_a_migration_takes_nothing_away_unless_it_says_who_can_no_longer_work(migration: Path) -> None:
    source = migration.read_text("utf-8")
    assert narrowing(source) == [] or "schema_floor" in source


@pytest.mark.parametrize(
    "line",
    [
        'op.drop_column("message", "tag")',
        'op.drop_table("message")',
        'op.alter_column("message", "tag", new_column_name="label")',
        'op.add_column("message", sa.Column("mood", sa.String(), nullable=False))',
    ],
)
def test_what_narrows_is_found(line: str) -> None:
    assert narrowing(f"def upgrade():\n    {line}\n") != []
