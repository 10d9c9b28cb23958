"""Brings the roster in the database up to what a school's lists say, in one transaction; twice is as once.

Nothing is deleted: what is on no list any more ends on the day of the import. So past terms keep their figures.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update
from sqlmodel import SQLModel, col

from autoresponder.family import person as address_key
from scorecard.school_lists import (
    Care,
    Listed,
    Membership,
    Person,
    PersonKind,
    Rejected,
    School,
    SchoolClass,
    SchoolLists,
    Term,
)
from store.database import Database
from store.roster_tables import (
    RosterAddress,
    RosterCare,
    RosterClass,
    RosterImport,
    RosterMembership,
    RosterPerson,
    RosterSchool,
    RosterTerm,
)

_Values: TypeAlias = dict[str, Any]
FEWEST = 20
"""Of so few entries all may end in one import: a school that tries it out."""
MOST_ENDING = 0.3
"""A larger share of the students or of their guardians does not leave at once; such an export is more likely cut."""


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
    with database.read() as connection:
        return {
            listed: frozenset(connection.execute(select(col(table.id)).where(col(table.until).is_(None))).scalars())
            for listed, table in _TABLES.items()
        }


def import_lists(
    database: Database,
    lists: SchoolLists,
    *,
    digest: str,
    now: datetime,
    today: date,
    allow_many: bool = False,
    dry_run: bool = False,
) -> Imported:
    """Carries `lists` over, or with `dry_run` says what that would do.

    `digest` names what is imported (SHA-256, hexadecimal), `now` is aware, `today` is its day in the school's time
    zone. Raises `TooManyEnd`.
    """
    done = _Import(lists, today)
    with database.write() as connection, connection.begin_nested() as savepoint:
        done.carry_out(connection, allow_many=allow_many)
        imported = done.outcome()
        if not imported.nothing_new:
            record = RosterImport(
                at=now,
                digest=digest,
                added=sum(imported.added.values()),
                changed=sum(imported.changed.values()),
                ended=sum(imported.ended.values()),
                rejected=len(imported.rejected),
            )
            connection.execute(insert(RosterImport).values(record.model_dump(exclude={"id"})))
        if dry_run:
            savepoint.rollback()
    return imported


_TABLES: Mapping[Listed, Any] = {
    Listed.SCHOOLS: RosterSchool,
    Listed.TERMS: RosterTerm,
    Listed.CLASSES: RosterClass,
    Listed.PEOPLE: RosterPerson,
    Listed.MEMBERSHIPS: RosterMembership,
}


@dataclass
class _Import:
    """One import while it is carried out."""

    lists: SchoolLists
    today: date
    added: dict[Listed, set[str]] = field(default_factory=lambda: defaultdict(set))
    changed: dict[Listed, set[str]] = field(default_factory=lambda: defaultdict(set))
    ended: dict[Listed, set[str]] = field(default_factory=lambda: defaultdict(set))

    def outcome(self) -> Imported:
        """How much it did, by list."""
        added, ended = _counted(self.added), _counted(self.ended)
        changed = {each: self.changed[each] - self.added[each] - self.ended[each] for each in self.changed}
        return Imported(added, _counted(changed), ended, tuple(self.lists.rejected))

    def carry_out(self, connection: Connection, *, allow_many: bool) -> None:
        # From the first import on something holds "since" a day; what the first one finds had been there before.
        since = self.today if connection.execute(select(func.count()).select_from(RosterImport)).scalar() else None
        before = {row.id: row for row in connection.execute(select(*_columns(RosterPerson)))}
        self._merge(connection, Listed.SCHOOLS, map(_school, self.lists.schools), since)
        self._merge(connection, Listed.TERMS, map(_term, self.lists.terms), since)
        self._merge(connection, Listed.CLASSES, map(_class, self.lists.classes), since)
        people = [_person(person, before.get(person.id)) for person in self.lists.people]
        if not allow_many:
            self._refuse_if_many_end(before.values(), {each["id"] for each in people})
        self._merge(connection, Listed.PEOPLE, people, since)
        self._addresses(connection)
        self._cares(connection, since)
        self._merge(connection, Listed.MEMBERSHIPS, map(_membership, self.lists.memberships), since)

    def _refuse_if_many_end(self, before: Iterable[Row[Any]], there: set[str]) -> None:
        current = {row.id for row in before if row.until is None}
        whole = Listed.PEOPLE in self.lists.complete
        ending = current - there if whole else current & self.lists.gone.get(Listed.PEOPLE, frozenset())
        if len(current) > FEWEST and len(ending) > MOST_ENDING * len(current):
            raise TooManyEnd(len(ending), len(current))

    def _merge(self, connection: Connection, listed: Listed, entries: Iterable[_Values], since: date | None) -> None:
        """Adds what is new, changes what differs, ends what is no more."""
        table = _TABLES[listed]
        there = {row.id: row for row in connection.execute(select(*_columns(table)))}
        wanted = {entry["id"]: entry for entry in entries}
        new = [entry for id_, entry in wanted.items() if id_ not in there]
        differ = [entry for id_, entry in wanted.items() if id_ in there and _differs(there[id_], entry)]
        current = {id_ for id_, row in there.items() if row.until is None}
        gone = (
            current - wanted.keys() if listed in self.lists.complete else current & self.lists.gone.get(listed, set())
        )
        _insert(connection, table, [entry | {"since": since, "until": None} for entry in new])
        _update(connection, table, [entry | {"until": None} for entry in differ])
        _update(connection, table, [{"id": id_, "until": self.today} for id_ in gone])
        self.added[listed] |= {entry["id"] for entry in new}
        self.changed[listed] |= {entry["id"] for entry in differ}
        self.ended[listed] |= gone

    def _addresses(self, connection: Connection) -> None:
        """The addresses of everybody on the lists are those that stand there."""
        there = set(connection.execute(select(col(RosterAddress.address), col(RosterAddress.person))).tuples())
        listed = {person.id for person in self.lists.people}
        wanted = {(address_key(address), person.id) for person in self.lists.people for address in person.addresses}
        old = {pair for pair in there if pair[1] in listed} - wanted
        new = wanted - there
        _insert(connection, RosterAddress, [{"address": address, "person": person} for address, person in sorted(new)])
        if old:
            statement = delete(RosterAddress).where(
                col(RosterAddress.address) == bindparam("a"), col(RosterAddress.person) == bindparam("p")
            )
            connection.execute(statement, [{"a": address, "p": person} for address, person in sorted(old)])
        self.changed[Listed.PEOPLE] |= {person for _, person in new | old}

    def _cares(self, connection: Connection, since: date | None) -> None:
        """Who looks after the students on the lists is who stands there."""
        there = {
            Care(row.student, row.guardian): row.until for row in connection.execute(select(*_columns(RosterCare)))
        }
        students = {person.id for person in self.lists.people if PersonKind.STUDENT in person.kinds}
        wanted = set(self.lists.cares)
        new = wanted - there.keys()
        again = {care for care in wanted & there.keys() if there[care] is not None}
        gone = {care for care, until in there.items() if until is None and care.student in students} - wanted
        _insert(
            connection,
            RosterCare,
            [{"student": c.student, "guardian": c.guardian, "since": since, "until": None} for c in _sorted(new)],
        )
        ends = [(care, None) for care in _sorted(again)] + [(care, self.today) for care in _sorted(gone)]
        if ends:
            statement = (
                update(RosterCare)
                .where(col(RosterCare.student) == bindparam("s"), col(RosterCare.guardian) == bindparam("g"))
                .values(until=bindparam("u"))
            )
            connection.execute(statement, [{"s": c.student, "g": c.guardian, "u": until} for c, until in ends])
        self.changed[Listed.PEOPLE] |= {care.student for care in new | again | gone}


def _counted(of: Mapping[Listed, Collection[str]]) -> Mapping[Listed, int]:
    return {listed: len(ids) for listed, ids in of.items() if ids}


def _columns(table: type[SQLModel]) -> Sequence[Any]:
    return [col(getattr(table, name)) for name in table.model_fields]


def _sorted(cares: Iterable[Care]) -> list[Care]:
    return sorted(cares, key=lambda care: (care.student, care.guardian))


def _differs(row: Row[Any], entry: _Values) -> bool:
    return row.until is not None or any(getattr(row, name) != value for name, value in entry.items())


def _insert(connection: Connection, table: type[SQLModel], rows: Sequence[_Values]) -> None:
    if rows:
        connection.execute(insert(table), rows)


def _update(connection: Connection, table: Any, rows: Sequence[_Values]) -> None:
    if not rows:
        return
    names = [name for name in rows[0] if name != "id"]
    statement = update(table).where(col(table.id) == bindparam("the_id"))
    statement = statement.values({name: bindparam(f"new_{name}") for name in names})
    connection.execute(
        statement, [{"the_id": row["id"]} | {f"new_{name}": row[name] for name in names} for row in rows]
    )


def _school(school: School) -> _Values:
    return {"id": school.id, "name": school.name}


def _term(term: Term) -> _Values:
    return {"id": term.id, "title": term.title, "begins": term.begins, "ends": term.ends, "is_year": term.is_year}


def _class(each: SchoolClass) -> _Values:
    grades, terms = ",".join(each.grades), ",".join(each.terms)
    return {"id": each.id, "title": each.title, "school": each.school, "grades": grades, "terms": terms}


def _person(person: Person, before: Row[Any] | None) -> _Values:
    """A delta may leave out what somebody is; they stay what they were."""
    kinds = ",".join(sorted(person.kinds)) or (before.kinds if before is not None else "")
    return {
        "id": person.id,
        "kinds": kinds,
        "given_name": person.given_name,
        "family_name": person.family_name,
        "grades": ",".join(person.grades),
        "language": person.language,
    }


def _membership(membership: Membership) -> _Values:
    return {
        "id": membership.id,
        "person": membership.person,
        "school_class": membership.school_class,
        "begins": membership.begins,
        "ends": membership.ends,
    }
