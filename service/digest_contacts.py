"""What came of a teacher's answers to the morning mail, read off the record for the next one."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime

from autoresponder.digest_contacts import ContactFacts, Doubt, DoubtReason, NotedContact
from store.contact_tables import Contact, HeardReply
from store.contacts import Contacts, Told
from store.database import Database
from store.own_students import has_students, students_named


def contact_facts(database: Database, mailbox: str, since: datetime | None, now: datetime, today: date) -> ContactFacts:
    """What the morning mail of the day `today` says of contacts: of answers heard after `since` (ever, where None),
    until `now`."""
    told: Told = Contacts(database).told(mailbox, since, now)
    mentioned = {each.student for each in (*(contact for _, contact in told.noted), *told.taken_back)}
    with database.read() as connection:
        students = students_named(connection, mentioned, today) if mentioned else {}
        can_be_told = has_students(connection)
    names = {number: each.name for number, each in students.items()}
    return ContactFacts(
        noted=tuple(_noted(number, contact, names) for number, contact in told.noted),
        taken_back=tuple(_noted(0, contact, names) for contact in told.taken_back),
        doubts=tuple(doubt for reply in told.unheard for doubt in _doubts(reply)),
        can_be_told=can_be_told,
    )


def _noted(number: int, contact: Contact, names: Mapping[str, str]) -> NotedContact:
    return NotedContact(
        number=number,
        student=names.get(contact.student, ""),
        on=contact.on_day,
        kind=contact.kind,
        tone=contact.tone,
        reached=contact.reached,
    )


def _doubts(reply: HeardReply) -> Iterator[Doubt]:
    for doubt in reply.doubts.split(","):
        line, _, reason = doubt.partition(" ")
        yield Doubt(int(line), reply.on_day, DoubtReason(reason))
