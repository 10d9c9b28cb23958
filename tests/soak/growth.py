"""How large the database is, by table, and how large the formula of docs/discussions/soak.md says that it is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import text

from store.database import Database

_SQLITE_BYTES = """
select m.tbl_name, sum(s.pgsize) from dbstat s join sqlite_master m on m.name = s.name group by m.tbl_name
"""
_POSTGRES_BYTES = """
select relname, pg_total_relation_size(oid) from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace
"""


@dataclass(frozen=True)
class Table:
    """One table with its indexes."""

    rows: int
    size: int
    """Bytes."""


def tables(database: Database) -> dict[str, Table]:
    """Every table's rows and bytes, indexes included."""
    sqlite = database.url.get_backend_name() == "sqlite"
    with database.read() as connection:
        sizes = {
            name: int(size) for name, size in connection.execute(text(_SQLITE_BYTES if sqlite else _POSTGRES_BYTES))
        }
        return {
            name: Table(connection.execute(text(f'select count(*) from "{name}"')).scalar_one(), size)
            for name, size in sizes.items()
            if re.fullmatch("[a-z_]+", name) and not name.startswith("sqlite_")
        }


def total(found: Mapping[str, Table]) -> int:
    """Bytes of all tables."""
    return sum(each.size for each in found.values())
