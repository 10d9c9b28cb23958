"""Names of families in the audit log: the log holds a random word, and what it stands for can be erased.

An entry is never changed and never deleted, since the next one's digest covers it. So whatever may have to be erased
one day stands beside the log, and the chain stays whole without it.
"""

import re
from collections.abc import Iterable, Mapping
from secrets import token_hex

from sqlalchemy import Connection, insert, select
from sqlmodel import col

from store.chunks import chunks
from store.database import Database
from store.erasure_tables import AuditName

_TOKEN = re.compile(r"~[0-9a-f]{16}\b")


def called(connection: Connection, name: str) -> str:
    """The word that stands in the audit log for an address, or an identifier of the school's, of a family: the same for
    the same name until that is erased."""
    found = connection.execute(select(col(AuditName.token)).where(col(AuditName.name) == name).limit(1)).scalar()
    if found is not None:
        return str(found)
    token = f"~{token_hex(8)}"
    connection.execute(insert(AuditName).values(token=token, name=name))
    return token


def names_in(database: Database, texts: Iterable[str]) -> Mapping[str, str]:
    """What the words in these entries stand for, as far as that was not erased."""
    tokens = {token for text in texts for token in _TOKEN.findall(text)}
    if not tokens:
        return {}
    names: dict[str, str] = {}
    with database.read() as connection:
        for some in chunks(sorted(tokens)):
            rows = connection.execute(
                select(col(AuditName.token), col(AuditName.name)).where(col(AuditName.token).in_(some))
            )
            names |= {row.token: row.name for row in rows}
    return names


def read_out(about: str, names: Mapping[str, str]) -> str:
    """An entry's words with the names that they stand for; "(forgotten)" for those that were erased."""
    return _TOKEN.sub(lambda found: names.get(found.group(), "(forgotten)"), about)
