"""Reading the audit log: some of it, the newest first."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlmodel import Session, col

from store.database import Database
from store.web_tables import AuditEntry


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries somebody wants to see, and may."""

    person: str | None = None
    """Only what the person with this address did; empty for what nobody known did; None for everybody."""
    act: str | None = None
    since: datetime | None = None
    """Only from then on (aware)."""
    until: datetime | None = None
    """Only before then (aware)."""
    hidden: frozenset[str] = frozenset()
    """Acts that are not for them."""


def newest(database: Database, wanted: Wanted, *, before: int | None, most: int) -> list[AuditEntry]:
    """At most `most` entries, the newest first; only those with a smaller number than `before`, where it is given."""
    query = select(AuditEntry).where(*_conditions(wanted)).order_by(col(AuditEntry.number).desc()).limit(most)
    if before is not None:
        query = query.where(col(AuditEntry.number) < before)
    with database.read() as connection, Session(bind=connection) as session:
        found = list(session.execute(query).scalars())
        session.expunge_all()
    return found


def people(database: Database, hidden: frozenset[str]) -> list[str]:
    """The addresses of everybody who did something that is not `hidden`."""
    query = select(col(AuditEntry.person)).where(col(AuditEntry.act).not_in(hidden)).distinct()
    with database.read() as connection:
        return sorted(person for person in connection.execute(query).scalars() if person is not None)


def acts(database: Database, hidden: frozenset[str]) -> list[str]:
    """Everything that was ever done, but what is `hidden`."""
    query = select(col(AuditEntry.act)).where(col(AuditEntry.act).not_in(hidden)).distinct()
    with database.read() as connection:
        return sorted(connection.execute(query).scalars())


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [col(AuditEntry.act).not_in(wanted.hidden)]
    if wanted.person is not None:
        conditions.append(
            col(AuditEntry.person) == wanted.person if wanted.person else col(AuditEntry.person).is_(None)
        )
    if wanted.act is not None:
        conditions.append(col(AuditEntry.act) == wanted.act)
    if wanted.since is not None:
        conditions.append(col(AuditEntry.at) >= wanted.since)
    if wanted.until is not None:
        conditions.append(col(AuditEntry.at) < wanted.until)
    return conditions
