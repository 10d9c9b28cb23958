"""How large the database is, by table, and how large the formula of docs/discussions/soak.md says that it is."""

import re
from collections import Counter
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


EMPTY, BESIDE_IT = 760_000, 70
"""Bytes of a database with nothing in it but a small school's roster, and of what grows a little with each message."""
A_MESSAGE, A_DELIVERY, A_LETTER, A_MORNING, A_WEEKLY = 930, 930, 700, 510, 5_600
"""Bytes of a row and its entries in indexes: a message on record; one thing done about it; what is remembered of a mail
that a teacher wrote (whom it went to, and whether it is good news); a morning mail; a principal's mail of the week."""
BOUND = 0.15
"""So far may measure and formula be apart."""


def messages(happened: Counter[str]) -> int:
    """What is on record of `happened`: all that came, all that teachers wrote, all that the service sent; an answer to
    a morning mail lies in the inbox and in Sent."""
    came = sum(n for what, n in happened.items() if what.startswith("mail: "))
    left = sum(happened[f"left: {marker}"] for marker in ("reply", "route", "notice", "tell"))
    return came + left + happened["mail: to oneself"]


def deliveries(happened: Counter[str]) -> int:
    """A label for each family's message, a draft for each conflict, and what left about them."""
    labelled = sum(happened[f"labelled {tag}"] for tag in ("urgent", "conflict", "routine"))
    left = sum(happened[f"left: {what}"] for what in ("reply", "route", "tell", "reminder of a case"))
    return labelled + happened["labelled conflict"] + left


def computed(happened: Counter[str], weeks: int) -> int:
    """Bytes of an SQLite database in which this is on record."""
    return (
        EMPTY
        + (A_MESSAGE + BESIDE_IT) * messages(happened)
        + A_DELIVERY * deliveries(happened)
        + A_LETTER * happened["mail: teachers' own"]
        + A_MORNING * (happened["left: notice"] - happened["left: reminder of a case"])
        + A_WEEKLY * weeks
    )
