"""Reads from the database what happened between families and the school: mail, and contacts that are not mail."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select
from sqlmodel import col

from autoresponder.family import person
from config.wallclock import instant
from connectors.mailbox import Direction
from scorecard.places import Places
from scorecard.roster_slice import rows_in
from scorecard.standings import MOST_RECIPIENTS, Happened
from store.contact_tables import Contact, ContactTone, Judgement, LetterRecipient
from store.scorecard_tables import AddressSpelling
from store.tables import MessageRecord


def happened(
    connection: Connection,
    students: Collection[str],
    places: Places,
    term_days: tuple[date, date],
    mailboxes: Mapping[str, str],
    zone: ZoneInfo,
) -> dict[str, list[Happened]]:
    """All that happened from the first to the last of `term_days` with families, by student. `places` holds who looks
    after them; `mailboxes` is what `roster_slice.mailbox_names` says."""
    found: dict[str, list[Happened]] = defaultdict(list)
    since, until = day_begins(term_days[0], zone), day_begins(term_days[1] + timedelta(days=1), zone)
    for events in (
        _family_mail(connection, places.cares, since, until, zone),
        _letters(connection, places.cares, since, until, zone),
    ):
        for address, event in events:
            for student in places.students_of(address, event.day):
                found[student].append(event)
    for student, event in _contacts(connection, students, term_days, mailboxes):
        found[student].append(event)
    return found


def day_begins(day: date, zone: ZoneInfo) -> datetime:
    """When a day begins in the school's time zone."""
    return instant(datetime.combine(day, time.min), zone)


def spellings(connection: Connection, addresses: Collection[str]) -> dict[str, str]:
    """The addresses by every way in which their owners have written them."""
    query = select(col(AddressSpelling.spelling), col(AddressSpelling.address))
    spelled = {row.spelling: row.address for row in rows_in(connection, query, AddressSpelling.address, addresses)}
    return spelled | {address: address for address in addresses}


def _family_mail(
    connection: Connection, addresses: Collection[str], since: datetime, until: datetime, zone: ZoneInfo
) -> Iterator[tuple[str, Happened]]:
    """What families wrote. What a robot wrote under their address has no tag."""
    message = MessageRecord
    written = select(col(message.id), col(message.mailbox), col(message.sender), col(message.received_at)).where(
        col(message.direction) == Direction.RECEIVED,
        col(message.tag).is_not(None),
        col(message.received_at) >= since,
        col(message.received_at) < until,
    )
    spelled = spellings(connection, addresses)
    for row in rows_in(connection, written, message.sender, spelled):
        day = row.received_at.astimezone(zone).date()
        yield spelled[row.sender], Happened(day, row.mailbox, from_family=True, record=f"message {row.id}")


def _letters(
    connection: Connection, addresses: Collection[str], since: datetime, until: datetime, zone: ZoneInfo
) -> Iterator[tuple[str, Happened]]:
    """What teachers wrote themselves."""
    message, letter = MessageRecord, LetterRecipient
    query = (
        select(
            col(message.id), col(message.mailbox), col(message.received_at), col(letter.address),
            col(Judgement.positive),
        )
        .join(letter, col(letter.message_id) == col(message.id))
        .outerjoin(Judgement, col(Judgement.message_id) == col(message.id))
        .where(
            col(message.direction) == Direction.SENT,
            col(message.own).is_(False),
            col(message.received_at) >= since,
            col(message.received_at) < until,
        )
    )  # fmt: skip
    rows = list(rows_in(connection, query, letter.address, addresses))
    many = _circulars(connection, {row.id for row in rows if row.positive})
    for row in rows:
        positive = bool(row.positive) and row.id not in many
        day = row.received_at.astimezone(zone).date()
        record = f"message {row.id}"
        yield row.address, Happened(day, row.mailbox, to_family=True, positive=positive, record=record)


def _circulars(connection: Connection, message_ids: Collection[int]) -> set[int]:
    letter = LetterRecipient
    query = select(col(letter.message_id)).group_by(col(letter.message_id)).having(func.count() > MOST_RECIPIENTS)
    return {row.message_id for row in rows_in(connection, query, letter.message_id, message_ids)}


def _contacts(
    connection: Connection, students: Collection[str], term_days: tuple[date, date], mailboxes: Mapping[str, str]
) -> Iterator[tuple[str, Happened]]:
    query = select(
        col(Contact.id), col(Contact.student), col(Contact.mailbox), col(Contact.on_day), col(Contact.tone),
        col(Contact.reached),
    ).where(
        col(Contact.withdrawn_at).is_(None),
        col(Contact.on_day) >= term_days[0],
        col(Contact.on_day) <= term_days[1],
    )  # fmt: skip
    for row in rows_in(connection, query, Contact.student, students):
        positive = row.tone is ContactTone.GOOD_NEWS
        mailbox = mailboxes.get(person(row.mailbox), row.mailbox)
        yield (
            row.student,
            Happened(
                row.on_day,
                mailbox,
                to_family=True,
                positive=positive,
                from_family=row.reached,
                record=f"contact {row.id}",
            ),
        )
