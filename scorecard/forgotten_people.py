"""Whom the school forgot, the next list does not bring back by itself."""

from dataclasses import replace

from sqlalchemy import Connection

from autoresponder.family import person as address_key
from scorecard.school_lists import Listed, Person, PersonKind, Rejected, SchoolLists
from store.tombstones import What, buried

_WHY = "left out, since the school had them forgotten; `alliance forget --let-return` lists them again"
_FAMILY = frozenset({PersonKind.STUDENT, PersonKind.GUARDIAN})


def without_forgotten(connection: Connection, lists: SchoolLists, key: bytes) -> SchoolLists:
    """The lists without students and guardians who were forgotten, and without their addresses; each left out is among
    the rejected. Somebody who works at the school is never left out. `key` is the installation's secret."""
    names = [(What.PERSON, each.id) for each in lists.people]
    names += [(What.ADDRESS, address_key(address)) for each in lists.people for address in each.addresses]
    gone = buried(connection, names, key)
    if not gone:
        return lists
    people: list[Person] = []
    out: set[str] = set()
    for each in lists.people:
        if not each.kinds or each.kinds - _FAMILY:
            people.append(each)
            continue
        left = tuple(address for address in each.addresses if (What.ADDRESS, address_key(address)) not in gone)
        if (What.PERSON, each.id) in gone or (each.addresses and not left):
            out.add(each.id)
        else:
            people.append(replace(each, addresses=left))
    if not out and people == list(lists.people):
        return lists
    rejected = [*lists.rejected, Rejected("(forgotten)", len(out), "", f"{_counted(len(out))} {_WHY}")]
    return replace(
        lists,
        people=people,
        cares=[each for each in lists.cares if each.student not in out and each.guardian not in out],
        memberships=[each for each in lists.memberships if each.person not in out],
        role_changes=[each for each in lists.role_changes if each.person not in out],
        unread={**lists.unread, Listed.PEOPLE: lists.unread.get(Listed.PEOPLE, frozenset()) - out},
        rejected=rejected,
    )


def _counted(people: int) -> str:
    return "an address" if not people else "1 person" if people == 1 else f"{people} people"
