"""What a school's lists change in the roster: entry by entry, and who is touched by it."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, bindparam, insert, select, update
from sqlmodel import SQLModel, col

from autoresponder.family import person as address_key
from scorecard.dated_rows import DatedRows, Fact
from scorecard.school_lists import Listed, Membership, Person, PersonKind, RoleChange, SchoolLists
from store.marks import mark
from store.roster_tables import (
    RosterAddress,
    RosterCare,
    RosterClass,
    RosterFamily,
    RosterMembership,
    RosterPerson,
    RosterSchool,
    RosterTerm,
)
from store.scorecard_tables import MarkKind

_Values: TypeAlias = dict[str, Any]
_TABLES: Mapping[Listed, Any] = {
    Listed.SCHOOLS: RosterSchool,
    Listed.TERMS: RosterTerm,
    Listed.CLASSES: RosterClass,
    Listed.PEOPLE: RosterPerson,
}
_BY_LISTS = col(RosterPerson.matched).is_(False)
ADDRESSES = DatedRows(RosterAddress, "address", "person", only=col(RosterAddress.matched).is_(False))
CARES = DatedRows(
    RosterCare,
    "student",
    "guardian",
    "by_guardian",
    only=col(RosterCare.guardian).not_in(select(col(RosterPerson.id)).where(~_BY_LISTS)),
)
PLACES = DatedRows(RosterMembership, "id", "person", "school_class", number="number")


@dataclass
class Merge:
    """One import while it is carried out. What begins has held `since` a day, None for ever."""

    connection: Connection
    lists: SchoolLists
    today: date
    since: date | None
    added: dict[Listed, set[str]] = field(default_factory=lambda: defaultdict(set))
    changed: dict[Listed, set[str]] = field(default_factory=lambda: defaultdict(set))
    ended: dict[Listed, set[str]] = field(default_factory=lambda: defaultdict(set))
    people: set[str] = field(default_factory=set)
    """Whom anything changed for."""
    classes: set[str] = field(default_factory=set)
    """Of which anything changed."""

    known_by: Mapping[frozenset[str], str] = field(default_factory=dict)
    """The families that there were, by all addresses of their guardians."""

    def only_changed(self) -> Mapping[Listed, Collection[str]]:
        """What was there, is there, and differs."""
        return {each: self.changed[each] - self.added[each] - self.ended[each] for each in self.changed}

    def people_ending(self) -> tuple[int, int]:
        """How many people would end, of how many."""
        current = set(
            self.connection.execute(select(col(RosterPerson.id)).where(col(RosterPerson.until).is_(None), _BY_LISTS))
            .scalars()
            .all()
        )
        there = {person.id for person in self.lists.people}
        return len(self._gone(Listed.PEOPLE, current, there)), len(current)

    def carry_out(self) -> None:
        """Everything that the lists say themselves; what follows from it is for later."""
        self.known_by = _families_by_addresses(self.connection)
        self._entries(Listed.SCHOOLS, ({"id": each.id, "name": each.name} for each in self.lists.schools))
        self._entries(Listed.TERMS, map(_term, self.lists.terms))
        self._entries(Listed.CLASSES, map(_class, self.lists.classes))
        self.classes |= self.added[Listed.CLASSES] | self.changed[Listed.CLASSES] | self.ended[Listed.CLASSES]
        self._entries(Listed.PEOPLE, self._people(), _BY_LISTS)
        self.people |= self.added[Listed.PEOPLE] | self.changed[Listed.PEOPLE] | self.ended[Listed.PEOPLE]
        self._addresses()
        self._cares()
        self._places()

    def _gone(self, listed: Listed, current: Collection[str], there: Collection[str]) -> set[str]:
        if listed in self.lists.complete:
            return set(current) - set(there) - self.lists.unread.get(listed, frozenset())
        return set(current) & self.lists.gone.get(listed, frozenset())

    def _entries(self, listed: Listed, entries: Iterable[_Values], *only: Any) -> None:
        """Adds what is new, changes what differs, ends what is no more."""
        table = _TABLES[listed]
        there = {row.id: row for row in self.connection.execute(select(*_columns(table)).where(*only))}
        wanted = {entry["id"]: entry for entry in entries}
        new = [entry for id_, entry in wanted.items() if id_ not in there]
        differ = [entry for id_, entry in wanted.items() if id_ in there and _differs(there[id_], entry)]
        gone = self._gone(listed, {id_ for id_, row in there.items() if row.until is None}, wanted)
        constant: _Values = {"matched": False} if listed is Listed.PEOPLE else {}
        _insert(self.connection, table, [entry | constant | {"since": self.since, "until": None} for entry in new])
        _update(self.connection, table, [entry | {"until": None} for entry in differ])
        _update(self.connection, table, [{"id": id_, "until": self.today} for id_ in sorted(gone)])
        self.added[listed] |= {entry["id"] for entry in new}
        self.changed[listed] |= {entry["id"] for entry in differ}
        self.ended[listed] |= gone

    def _people(self) -> Iterable[_Values]:
        """The people as they are now. What an incomplete list leaves out of somebody, they stay."""
        before = {row.id: row for row in self.connection.execute(select(*_columns(RosterPerson)).where(_BY_LISTS))}
        changes: dict[str, list[RoleChange]] = defaultdict(list)
        for change in self.lists.role_changes:
            changes[change.person].append(change)
        for person in self.lists.people:
            yield _person(person, before.get(person.id), changes.pop(person.id, ()))
        for id_, roles in changes.items():
            row = before.get(id_)
            if row is not None and row.until is None:
                names = ("id", "kinds", "given_name", "family_name", "schools", "language")
                yield _with_roles({name: getattr(row, name) for name in names}, roles)

    def _addresses(self) -> None:
        """The addresses of everybody on the lists are those that stand there."""
        listed = {person.id for person in self.lists.people}
        wanted = {(address_key(address), person.id) for person in self.lists.people for address in person.addresses}
        others = {row[0] for row in self.connection.execute(select(col(RosterAddress.address)).distinct())}
        turned = ADDRESSES.bring(
            self.connection,
            wanted,
            today=self.today,
            since=lambda fact: self.since if fact[0] in others else None,
            may_end=lambda fact: fact[1] in listed or fact[1] in self.ended[Listed.PEOPLE],
        )
        self._touch(person for _, person in (*turned.began, *turned.ended))
        # Of what began and ends on one day no row stays that would tell whose mail it was.
        mark(self.connection, MarkKind.ADDRESS, sorted({address for address, _ in turned.ended}))

    def _cares(self) -> None:
        """Who looks after a student is who the lists say, each row for itself."""
        listed = {person.id for person in self.lists.people}
        gone = self.ended[Listed.PEOPLE]

        def may_end(fact: Fact) -> bool:
            student, guardian, by_guardian = fact
            return (guardian if by_guardian else student) in listed or student in gone or guardian in gone

        turned = CARES.bring(
            self.connection,
            {(care.student, care.guardian, care.by_guardian) for care in self.lists.cares},
            today=self.today,
            since=lambda _: self.since,
            may_end=may_end,
        )
        self._touch(student for student, _, _ in (*turned.began, *turned.ended))
        mark(self.connection, MarkKind.STUDENT, sorted({guardian for _, guardian, _ in turned.ended}))

    def _places(self) -> None:
        """Who is in which class. A place that the list dates has been there since its own day."""
        wanted = {(each.id, each.person, each.school_class): each for each in self.lists.memberships}
        dated = {fact for fact, each in wanted.items() if each.begins is not None}
        ever = set(self.connection.execute(select(col(RosterMembership.id))).scalars())
        complete, gone = Listed.MEMBERSHIPS in self.lists.complete, self.lists.gone.get(Listed.MEMBERSHIPS, frozenset())
        said = {each.id for each in self.lists.memberships}
        unread = self.lists.unread.get(Listed.MEMBERSHIPS, frozenset())
        away = self.ended[Listed.PEOPLE] | self.ended[Listed.CLASSES]

        def may_end(fact: Fact) -> bool:
            if fact[0] in unread:
                return False
            return complete or fact[0] in gone or fact[0] in said or not away.isdisjoint(fact[1:])

        turned = PLACES.bring(
            self.connection,
            wanted,
            today=self.today,
            since=lambda fact: None if fact in dated and fact[0] not in ever else self.since,
            may_end=may_end,
            beside=lambda fact: {"begins": wanted[fact].begins, "ends": wanted[fact].ends},
        )
        redated = self._redate(wanted)
        began, ended = {fact[0] for fact in turned.began}, {fact[0] for fact in turned.ended}
        self.added[Listed.MEMBERSHIPS] |= began - ended
        self.changed[Listed.MEMBERSHIPS] |= (began & ended) | {fact[0] for fact in redated}
        self.ended[Listed.MEMBERSHIPS] |= ended - began
        self.people |= {fact[1] for fact in (*turned.began, *turned.ended, *redated)}

    def _redate(self, wanted: Mapping[Fact, Membership]) -> Sequence[Fact]:
        """Writes the first and last days of the places that hold. Returns those whose days had been others."""
        of = RosterMembership
        columns = (of.id, of.person, of.school_class, of.begins, of.ends, of.number)
        rows = self.connection.execute(select(*map(col, columns)).where(col(of.until).is_(None)))
        differ = []
        for *fact, begins, ends, number in rows:
            place = wanted.get(tuple(fact))
            if place is not None and (place.begins, place.ends) != (begins, ends):
                differ.append((tuple(fact), {"n": number, "b": place.begins, "e": place.ends}))
        if differ:
            statement = update(of.__table__).where(col(of.number) == bindparam("n"))  # type: ignore[attr-defined]
            statement = statement.values(begins=bindparam("b"), ends=bindparam("e"))
            self.connection.execute(statement, [values for _, values in differ])
        return [fact for fact, _ in differ]

    def _touch(self, people: Iterable[str]) -> None:
        touched = set(people)
        self.people |= touched
        self.changed[Listed.PEOPLE] |= touched


def addresses_of(connection: Connection) -> Mapping[str, frozenset[str]]:
    """Everybody's addresses as the lists have them."""
    found: dict[str, set[str]] = defaultdict(set)
    for address, person in ADDRESSES.holding(connection):
        found[person].add(address)
    return {person: frozenset(of) for person, of in found.items()}


def _families_by_addresses(connection: Connection) -> Mapping[frozenset[str], str]:
    addresses = addresses_of(connection)
    homes: dict[str, set[str]] = defaultdict(set)
    for student, guardian, _ in CARES.holding(connection):
        homes[student] |= addresses.get(guardian, frozenset())
    rows = connection.execute(
        select(col(RosterFamily.student), col(RosterFamily.family)).where(col(RosterFamily.until).is_(None))
    )
    return {frozenset(homes[row.student]): row.family for row in rows if row.student in homes}


def _columns(table: type[SQLModel]) -> Sequence[Any]:
    return [col(getattr(table, name)) for name in table.model_fields]


def _differs(row: Row[Any], entry: _Values) -> bool:
    return row.until is not None or any(getattr(row, name) != value for name, value in entry.items())


def _insert(connection: Connection, table: type[SQLModel], rows: Sequence[_Values]) -> None:
    if rows:
        connection.execute(insert(table), rows)


def _update(connection: Connection, table: Any, rows: Sequence[_Values]) -> None:
    if not rows:
        return
    names = [name for name in rows[0] if name != "id"]
    statement = update(table.__table__).where(col(table.id) == bindparam("the_id"))
    statement = statement.values({name: bindparam(f"new_{name}") for name in names})
    connection.execute(
        statement, [{"the_id": row["id"]} | {f"new_{name}": row[name] for name in names} for row in rows]
    )


def _term(term: Any) -> _Values:
    return {"id": term.id, "title": term.title, "begins": term.begins, "ends": term.ends, "is_year": term.is_year}


def _class(each: Any) -> _Values:
    grades, terms = ",".join(each.grades), ",".join(each.terms)
    return {"id": each.id, "title": each.title, "school": each.school, "grades": grades, "terms": terms}


def _person(person: Person, before: Row[Any] | None, roles: Sequence[RoleChange]) -> _Values:
    kinds, schools = ",".join(sorted(person.kinds)), ",".join(sorted(person.schools))
    values = {
        "id": person.id,
        "kinds": kinds or (before.kinds if before is not None else ""),
        "given_name": person.given_name,
        "family_name": person.family_name,
        "schools": schools or (before.schools if before is not None and not kinds else ""),
        "language": person.language,
    }
    return _with_roles(values, roles)


def _with_roles(values: _Values, roles: Sequence[RoleChange]) -> _Values:
    """What somebody is after roles were added and taken away one by one. Who stays at another school stays what they
    were."""
    kinds = {kind for kind in values["kinds"].split(",") if kind}
    schools = {school for school in values["schools"].split(",") if school}
    for role in roles:
        if role.gone:
            schools -= {role.school}
            kinds -= set() if schools else {str(role.kind)}
    for role in roles:
        if not role.gone:
            kinds.add(str(role.kind))
            schools |= {role.school} - {""}
    return values | {"kinds": ",".join(sorted(kinds)), "schools": ",".join(sorted(schools))}


def is_student(kinds: str) -> bool:
    """Whether the kinds of a `RosterPerson` name a student."""
    return PersonKind.STUDENT in kinds.split(",")
