"""Talks with a family that answer what it wrote: a teacher who has called need not write, and is reminded of nothing.

A talk counts for whoever looks after the student on its day, whichever of their addresses they wrote from.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlmodel import col

from autoresponder.contacts import TALKS
from autoresponder.family import person
from store.case_tables import CaseMail, ConflictCase
from store.chunks import chunks
from store.contact_tables import Contact
from store.roster_tables import RosterAddress, RosterCare
from store.tables import MessageRecord


def talks_with(connection: Connection, mailbox: str, senders: Iterable[str | None]) -> Mapping[str, list[datetime]]:
    """By when talks of a mailbox's teacher that reached the family were over, by the sender's address as given."""
    spellings: dict[str, set[str]] = defaultdict(set)
    for sender in senders:
        if sender:
            spellings[person(sender)].add(sender)
    if not spellings or not (talks := _talks(connection, mailbox)):
        return {}
    found: dict[str, list[datetime]] = defaultdict(list)
    for address, student, dated in _students_of(connection, sorted(spellings)):
        for talk in talks.get(student, ()):
            if all(_holds(row, talk.on_day) for row in dated):
                for sender in spellings[address]:
                    found[sender].append(talk.over_at)
    return found


def cases_about(connection: Connection, mailbox: str, students: Iterable[str]) -> list[int]:
    """The cases of a mailbox whose family looks after one of these students, by number: the order in which all lock
    them."""
    wanted = set(students)
    query = (
        select(col(CaseMail.case_id), col(MessageRecord.sender))
        .join(MessageRecord, col(MessageRecord.id) == col(CaseMail.message_id))
        .join(ConflictCase, col(ConflictCase.id) == col(CaseMail.case_id))
        .where(col(ConflictCase.mailbox) == mailbox)
        .distinct()
    )
    of_sender: dict[str, set[int]] = defaultdict(set)
    for row in connection.execute(query):
        if row.sender:
            of_sender[person(row.sender)].add(row.case_id)
    tied = {address for address, student, _ in _students_of(connection, sorted(of_sender)) if student in wanted}
    return sorted({case_id for address in tied for case_id in of_sender[address]})


def _talks(connection: Connection, mailbox: str) -> dict[str, list[Any]]:
    query = select(col(Contact.student), col(Contact.on_day), col(Contact.over_at)).where(
        col(Contact.mailbox) == mailbox,
        col(Contact.kind).in_(TALKS),
        col(Contact.reached).is_(True),
        col(Contact.withdrawn_at).is_(None),
        col(Contact.over_at).is_not(None),
    )
    talks: dict[str, list[Any]] = defaultdict(list)
    for row in connection.execute(query):
        talks[row.student].append(row)
    return talks


def _students_of(connection: Connection, addresses: list[str]) -> list[tuple[str, str, tuple[Any, ...]]]:
    """Address, student, and the dated rows that tie the one to the other: a guardian's, or the student's own."""
    found: list[tuple[str, str, tuple[Any, ...]]] = []
    columns = (
        col(RosterAddress.address),
        col(RosterAddress.person),
        col(RosterAddress.since),
        col(RosterAddress.until),
    )
    for chunk in chunks(addresses):
        owned = connection.execute(select(*columns).where(col(RosterAddress.address).in_(chunk))).all()
        found += [(row.address, row.person, (row,)) for row in owned]
        people = sorted({row.person for row in owned})
        care = select(
            col(RosterCare.guardian), col(RosterCare.student), col(RosterCare.since), col(RosterCare.until)
        ).where(col(RosterCare.guardian).in_(people))
        by_guardian: dict[str, list[Any]] = defaultdict(list)
        for row in connection.execute(care):
            by_guardian[row.guardian].append(row)
        found += [(row.address, each.student, (row, each)) for row in owned for each in by_guardian[row.person]]
    return found


def _holds(row: Any, day: date) -> bool:
    return (row.since is None or row.since <= day) and (row.until is None or day < row.until)
