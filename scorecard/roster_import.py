"""Brings the roster in the database up to what a school's lists say, in one transaction; twice is as once.

Nothing is deleted: what is on no list any more ends on the day of the import. So past terms keep their figures.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, func, insert, select
from sqlmodel import col

from scorecard.family_keys import file_again
from scorecard.forgotten_people import without_forgotten
from scorecard.roster_merge import Merge, is_student
from scorecard.roster_places import bring_places
from scorecard.roster_rehearsal import Overtaken, rehearsal
from scorecard.school_lists import Listed, Rejected, SchoolLists
from store.database import Database
from store.installation import secret_of
from store.roster_tables import RosterClass, RosterImport, RosterMembership, RosterPerson, RosterSchool, RosterTerm
from store.turns import alone

FEWEST = 20
"""Of so few people all may end in one import: a school that tries it out."""
_TRIES = 3
"""So often an import is worked out beside the mail; then mail waits for it."""
MOST_ENDING = 0.3
"""A larger share of the people does not leave at once; such an export is more likely cut."""


class TooManyEnd(Exception):
    """An import would end so much that it is more likely a mistake. Nothing was changed."""

    def __init__(self, ending: int, there: int) -> None:
        """Of `there` people, `ending` would end."""
        super().__init__(
            f"{ending} of the {there} people on the roster are not in these lists: it looks as if the export was cut "
            "short. Nothing was changed. Export again, or say --allow-many if they have all left."
        )
        self.ending, self.there = ending, there


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did, or would do."""

    added: Mapping[Listed, int]
    changed: Mapping[Listed, int]
    ended: Mapping[Listed, int]
    rejected: Sequence[Rejected]

    @property
    def nothing_new(self) -> bool:
        """Whether the roster was so already."""
        return not (self.added or self.changed or self.ended)


def known_to(database: Database) -> Mapping[Listed, frozenset[str]]:
    """The identifiers that hold now: what an incomplete list may refer to."""
    tables: Mapping[Listed, Any] = {
        Listed.SCHOOLS: RosterSchool,
        Listed.TERMS: RosterTerm,
        Listed.CLASSES: RosterClass,
        Listed.PEOPLE: RosterPerson,
        Listed.MEMBERSHIPS: RosterMembership,
    }
    with database.read() as connection:
        return {
            listed: frozenset(connection.execute(select(col(table.id)).where(col(table.until).is_(None))).scalars())
            for listed, table in tables.items()
        }


def students_known_to(database: Database) -> frozenset[str]:
    """The identifiers of the students whom the roster names now."""
    with database.read() as connection:
        rows = connection.execute(
            select(col(RosterPerson.id), col(RosterPerson.kinds)).where(col(RosterPerson.until).is_(None))
        )
        return frozenset(row.id for row in rows if is_student(row.kinds))


def import_lists(
    database: Database,
    lists: SchoolLists,
    *,
    digest: str,
    now: datetime,
    today: date,
    allow_many: bool = False,
    dry_run: bool = False,
    from_settings: bool = False,
) -> Imported:
    """Carries `lists` over, or with `dry_run` says what that would do.

    `digest` names what is imported (SHA-256, hexadecimal), `now` is aware, `today` is its day in the school's time
    zone; `from_settings` says that it is the file that the settings name. Raises `TooManyEnd`.
    """
    asked = _Asked(lists, digest, now, today, allow_many, dry_run, from_settings)
    if database.file is not None:
        for _try in range(_TRIES):
            with suppress(Overtaken):
                return _rehearsed(database, asked)
    with database.write() as connection, connection.begin_nested() as savepoint:
        alone(connection)
        outcome = _merged(connection, asked, secret_of(connection))
        _put_on_record(connection, asked, outcome)
        if dry_run:
            savepoint.rollback()
    return outcome.imported


@dataclass(frozen=True, slots=True)
class _Asked:
    """What `import_lists` was given."""

    lists: SchoolLists
    digest: str
    now: datetime
    today: date
    allow_many: bool
    dry_run: bool
    from_settings: bool


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What came of it, before it is put on record."""

    imported: Imported
    key: bytes
    """The installation's secret."""
    moved: bool
    """Whether families may have other keys now."""


def _rehearsed(database: Database, asked: _Asked) -> Imported:
    """The same, and nobody waits meanwhile but for what is written in the end. Raises Overtaken, TooManyEnd."""
    with database.write() as connection:
        key = secret_of(connection)
    with rehearsal(database) as copied:
        with copied.connection.begin():
            outcome = _merged(copied.connection, asked, key)
        if not asked.dry_run:
            with copied.carried_over() as connection:
                _put_on_record(connection, asked, outcome)
    return outcome.imported


def _merged(connection: Connection, asked: _Asked, key: bytes) -> _Outcome:
    """Carries the lists over into the roster. Raises TooManyEnd."""
    lists = without_forgotten(connection, asked.lists, key)
    # From the first import on something holds "since" a day; what the first one finds had been there before.
    first = not connection.execute(select(func.count()).select_from(RosterImport)).scalar()
    merge = Merge(connection, lists, asked.today, None if first else asked.today)
    if not asked.allow_many:
        _refuse_if_many_end(*merge.people_ending())
    merge.carry_out()
    moved = bring_places(merge, first=first)
    imported = Imported(
        _counted(merge.added), _counted(merge.only_changed()), _counted(merge.ended), tuple(lists.rejected)
    )
    return _Outcome(imported, key, moved)


def _put_on_record(connection: Connection, asked: _Asked, outcome: _Outcome) -> None:
    """What belongs into the same transaction: records filed under the keys that families have now, and the import."""
    if outcome.moved:
        file_again(connection, outcome.key)
    imported = outcome.imported
    record = RosterImport(
        at=asked.now,
        digest=asked.digest,
        from_settings=asked.from_settings,
        added=sum(imported.added.values()),
        changed=sum(imported.changed.values()),
        ended=sum(imported.ended.values()),
        rejected=len(imported.rejected),
    )
    connection.execute(insert(RosterImport).values(record.model_dump(exclude={"id"})))


def _refuse_if_many_end(ending: int, there: int) -> None:
    if there > FEWEST and ending > MOST_ENDING * there:
        raise TooManyEnd(ending, there)


def _counted(of: Mapping[Listed, Collection[str]]) -> Mapping[Listed, int]:
    return {listed: len(ids) for listed, ids in of.items() if ids}
