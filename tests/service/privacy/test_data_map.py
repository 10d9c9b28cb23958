"""The map of what is held is the tables', table by table and column by column, and the page shows it."""

from pathlib import Path

import pytest
from sqlmodel import SQLModel

from service.privacy.data_map import DATA_MAP, Fate, Held, as_markdown
from store.database import Database

DOCS = Path(__file__).parents[3] / "docs"


def test_every_table_and_every_column_is_declared() -> None:
    with Database.in_memory().read() as connection:
        assert connection is not None  # its migrations have filled the metadata
    tables = {name: {column.name for column in table.columns} for name, table in SQLModel.metadata.tables.items()}
    assert {held.table: held.columns for held in DATA_MAP} == tables, "declare it in service/privacy/data_map.py"
    assert len({held.table for held in DATA_MAP}) == len(DATA_MAP)


@pytest.mark.parametrize("held", DATA_MAP, ids=lambda held: held.table)
def test_what_tells_of_a_family_is_erased_or_kept_for_a_reason(held: Held) -> None:
    assert set(held.family.split()).isdisjoint(held.rest.split())
    assert bool(held.reason) == (held.fate is Fate.KEPT)
    assert not (held.family and held.fate is Fate.NOTHING)
    assert not (held.exported and held.fate is not Fate.ERASED)


def test_the_page_shows_the_map() -> None:
    page = (DOCS / "privacy.md").read_text(encoding="utf-8").splitlines()
    missing = [line for line in as_markdown() if line not in page]
    assert missing == [], "docs/privacy.md: paste what `python -m service.privacy.data_map` prints"
