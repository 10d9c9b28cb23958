"""The audit log: who saw and did what. Entries form a chain, so that one that is changed, removed or slipped in later
shows.

An entry commits with the act that it tells of, or not at all.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from store.database import Database
from store.web_tables import AuditEntry, AuditHead

_BEFORE_THE_FIRST = "0" * 64
_ONLY_ROW = 1
_ROWS = 1000


@dataclass(frozen=True, slots=True)
class Chain:
    """What checking the whole log found."""

    entries: int
    head: str
    """Digest of the last entry. Written down outside the database, it lets anybody see later that nothing before it was
    changed, and that the end was not cut off."""
    broken_at: int | None = None
    """Number of the first entry that is not as it was written, or that lacks; None where the chain is whole."""
    head_stands: bool = True
    """Whether the head that was asked for stands in the log."""


def append(connection: Connection, *, at: datetime, person: str | None, act: str, about: str = "") -> None:
    """Adds an entry within the caller's transaction (`Database.write`). Waits for another transaction that is adding
    one. `person` is an address, None for somebody unknown; `about` holds identifiers, never words of a message."""
    this = col(AuditHead.id) == _ONLY_ROW
    following = update(AuditHead).where(this).values(number=col(AuditHead.number) + 1)
    if connection.execute(following).rowcount == 0:
        _begin(connection)
        connection.execute(following)
    number, before = connection.execute(select(col(AuditHead.number), col(AuditHead.digest)).where(this)).one()
    entry = AuditEntry(number=number, at=at.astimezone(UTC), person=person, act=act, about=about, digest="")
    digest = digest_of(entry, before)
    connection.execute(insert(AuditEntry).values(**entry.model_dump(exclude={"digest"}), digest=digest))
    connection.execute(update(AuditHead).where(this).values(digest=digest))


def entries(database: Database, *, person: str | None = None, since: datetime | None = None) -> Iterator[AuditEntry]:
    """The log, oldest first; only what `person` did, only from `since` on, where these are given."""
    wanted = select(AuditEntry).order_by(col(AuditEntry.number))
    if person is not None:
        wanted = wanted.where(col(AuditEntry.person) == person)
    if since is not None:
        wanted = wanted.where(col(AuditEntry.at) >= since)
    with database.read() as connection, Session(bind=connection) as session:
        for entry in session.execute(wanted.execution_options(yield_per=_ROWS)).scalars():
            session.expunge(entry)
            yield entry


def check(database: Database, head: str | None = None) -> Chain:
    """Goes through the whole log. With `head`, also says whether the entry of that digest stands in it unchanged."""
    with database.read() as connection:
        # Rows, not objects: there may be hundreds of thousands, and somebody waits for the page.
        columns = [col(getattr(AuditEntry, name)) for name in AuditEntry.model_fields]
        rows = connection.execute(select(*columns).order_by(col(AuditEntry.number)).execution_options(yield_per=_ROWS))
        last = connection.execute(select(col(AuditHead.number), col(AuditHead.digest))).one_or_none()
        before, count, stands = _BEFORE_THE_FIRST, 0, head is None or head == _BEFORE_THE_FIRST
        for entry in rows:
            count += 1
            if entry.number != count or entry.digest != digest_of(entry, before):
                return Chain(count, before, broken_at=count, head_stands=stands)
            before = entry.digest
            stands = stands or before == head
    if (count, before) != (tuple(last) if last is not None else (0, _BEFORE_THE_FIRST)):
        return Chain(count, before, broken_at=count + 1, head_stands=stands)
    return Chain(count, before, head_stands=stands)


def digest_of(entry: AuditEntry | Row[Any], before: str) -> str:
    """SHA-256 of an entry behind the entry with the digest `before`."""
    content = (before, entry.number, entry.at.astimezone(UTC).isoformat(), entry.person, entry.act, entry.about)
    return hashlib.sha256(json.dumps(content, ensure_ascii=True).encode("ascii")).hexdigest()


def _begin(connection: Connection) -> None:
    try:
        with connection.begin_nested():
            connection.execute(insert(AuditHead).values(id=_ONLY_ROW, number=0, digest=_BEFORE_THE_FIRST))
    except IntegrityError:
        return  # another transaction has begun it
