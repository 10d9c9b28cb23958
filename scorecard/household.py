"""Who and what is meant by a family: students, guardians, their addresses, and what its records are filed under.

A family is a set of guardians (decision 13). A guardian of two families belongs to neither alone: what they wrote stays
with the other family's records when one is forgotten.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, func, select
from sqlmodel import col

from autoresponder.family import family_key, person
from scorecard.happenings import spellings
from scorecard.roster_slice import rows_in
from scorecard.school_lists import PersonKind
from store.installation import secret_of
from store.roster_tables import RosterAddress, RosterCare, RosterFamily, RosterMatch, RosterPerson
from store.tables import MessageRecord

_STAFF = {str(PersonKind.TEACHER), str(PersonKind.STAFF)}


class NotOneFamily(Exception):
    """What was given names no family, or several. The text says what to give instead."""


@dataclass(frozen=True, slots=True)
class Household:
    """A family, or somebody whom the roster does not know."""

    families: frozenset[str] = frozenset()
    """`roster_family.family`: the family, and every other that its students alone ever were."""
    students: frozenset[str] = frozenset()
    guardians: frozenset[str] = frozenset()
    """Those who look after no other student, and are no staff."""
    others: frozenset[str] = frozenset()
    """Guardians who are kept: they belong to another family, too, or work at the school."""
    addresses: frozenset[str] = frozenset()
    """Of its students and guardians, as addresses are compared; none that another person has."""
    spelled: frozenset[str] = frozenset()
    """The same as they stand on mail, in small letters."""
    keys: frozenset[str] = frozenset()
    """What its records may be filed under (`autoresponder.family.family_key`)."""

    @property
    def people(self) -> frozenset[str]:
        """Everybody on the roster who belongs to it alone."""
        return self.students | self.guardians

    @property
    def names(self) -> frozenset[str]:
        """All identifiers that stand for it alone."""
        return self.families | self.people | self.addresses | self.spelled | self.keys


def household_of(connection: Connection, who: str) -> Household:
    """The family that is meant by an address, a student's or a family's identifier. Raises `NotOneFamily`."""
    key = secret_of(connection)
    if "@" in who:
        return _of_address(connection, person(who), key)
    student = connection.execute(
        select(col(RosterFamily.family))
        .where(col(RosterFamily.student) == who)
        .order_by(col(RosterFamily.until).is_not(None), col(RosterFamily.id).desc())
    ).scalars()
    family = next(iter(student), who)
    found = _of_family(connection, family, frozenset(), key)
    if not found.students:
        raise NotOneFamily(f"{who} is no address, and no identifier of a student or a family on the roster.")
    return found


def _of_address(connection: Connection, address: str, key: bytes) -> Household:
    owned = select(col(RosterAddress.person)).where(col(RosterAddress.address) == address)
    owners = set(connection.execute(owned).scalars())
    cares = select(col(RosterCare.student))
    students = {row.student for row in rows_in(connection, cares, RosterCare.guardian, owners)}
    students |= _students_among(connection, owners)
    if not students:
        kinds = _kinds(connection, owners)
        if any(_STAFF & kind for kind in kinds.values()):
            raise NotOneFamily(f"{address} is the address of somebody who works at the school.")
        return _whole(connection, Household(guardians=frozenset(owners), addresses=frozenset({address})), key)
    families = _latest(connection, students)
    current = sorted({family for family, _ in families.values()})
    holding = sorted({family for family, holds in families.values() if holds})
    meant = holding or current
    if len(meant) > 1:
        raise NotOneFamily(f"{address} belongs to {len(meant)} families: give one of them instead: {', '.join(meant)}")
    if not meant:
        raise NotOneFamily(f"{address} is on the roster with a student of no family; import the roster again.")
    return _of_family(connection, meant[0], frozenset({address}), key)


def _of_family(connection: Connection, family: str, given: frozenset[str], key: bytes) -> Household:
    once = connection.execute(select(col(RosterFamily.student)).where(col(RosterFamily.family) == family)).scalars()
    latest = _latest(connection, set(once))
    students = frozenset(student for student, (theirs, _) in latest.items() if theirs == family)
    families = _only_of(connection, students) | ({family} if students else frozenset())
    cared: dict[str, set[str]] = defaultdict(set)
    cares = select(col(RosterCare.student), col(RosterCare.guardian))
    guardians = {row.guardian for row in rows_in(connection, cares, RosterCare.student, students)}
    for row in rows_in(connection, cares, RosterCare.guardian, guardians):
        cared[row.guardian].add(row.student)
    kinds = _kinds(connection, guardians)
    alone = {each for each in guardians if cared[each] <= students and not _STAFF & kinds.get(each, set())}
    people = students | alone
    addresses = select(col(RosterAddress.address), col(RosterAddress.person))
    mine = {row.address for row in rows_in(connection, addresses, RosterAddress.person, people)}
    shared = {
        row.address
        for row in rows_in(connection, addresses, RosterAddress.address, mine | given)
        if row.person not in people
    }
    whole = Household(
        families=frozenset(families),
        students=students,
        guardians=frozenset(alone),
        others=frozenset(guardians - alone),
        addresses=frozenset((mine | given) - shared),
    )
    return _whole(connection, whole, key)


def _whole(connection: Connection, found: Household, key: bytes) -> Household:
    """With spellings and keys."""
    spelled = {spelling.lower() for spelling in spellings(connection, found.addresses)} | found.addresses
    domains = {address.rpartition("@")[2] for address in found.addresses}
    for domain in domains:  # what was on record before spellings were
        of = col(MessageRecord.sender)
        senders = select(of).where(func.lower(of).like(f"%+%@{domain}")).distinct()
        spelled |= {
            each.lower() for each in connection.execute(senders).scalars() if each and person(each) in found.addresses
        }
    keys = {family_key(None, address, key) for address in spelled}
    keys |= {family_key(family, "", key) for family in found.families}
    return Household(
        found.families, found.students, found.guardians, found.others, found.addresses, frozenset(spelled),
        frozenset(keys),
    )  # fmt: skip


def _latest(connection: Connection, students: Collection[str]) -> Mapping[str, tuple[str, bool]]:
    """The family that each student belongs to, or belonged to last, and whether they still do."""
    of = RosterFamily
    query = select(col(of.id), col(of.student), col(of.family), col(of.until))
    rows = sorted(rows_in(connection, query, of.student, students), key=lambda row: (row.until is None, row.id))
    return {row.student: (row.family, row.until is None) for row in rows}


def _only_of(connection: Connection, students: Collection[str]) -> frozenset[str]:
    """Families that none but these students ever were."""
    of = RosterFamily
    query = select(col(of.family), col(of.student))
    theirs = {row.family for row in rows_in(connection, query, of.student, students)}
    others = {row.family for row in rows_in(connection, query, of.family, theirs) if row.student not in students}
    return frozenset(theirs - others)


def _students_among(connection: Connection, people: Collection[str]) -> set[str]:
    return {each for each, kinds in _kinds(connection, people).items() if PersonKind.STUDENT in kinds}


def _kinds(connection: Connection, people: Collection[str]) -> dict[str, set[str]]:
    query = select(col(RosterPerson.id), col(RosterPerson.kinds))
    return {row.id: set(row.kinds.split(",")) for row in rows_in(connection, query, RosterPerson.id, people)}


def matches_of(connection: Connection, household: Household) -> Sequence[int]:
    """Numbers of what the school said of the household's addresses, or of others' being theirs."""
    of = RosterMatch
    query = select(col(of.id))
    found = {row.id for row in rows_in(connection, query, of.address, household.addresses)}
    found |= {row.id for row in rows_in(connection, query, of.person, household.people)}
    return sorted(found)
