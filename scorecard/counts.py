"""Counts per teacher, team and week: what came in, what was answered and routed, whether the norm was kept.

Counted is family mail that arrived since a mailbox was connected; mail of robots, lists and staff carries no tag and
counts nowhere. A week begins on Monday, in the school's time zone.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter

from sqlalchemy import Connection, select
from sqlmodel import col

from autoresponder.guards.content import reaction
from autoresponder.hours import reply_by
from config import SchoolCalendar
from config.calendar import NoSchoolDay
from config.settings import MailboxSettings, Settings
from connectors.mailbox import Direction
from store.database import Database
from store.pages import Query
from store.tables import Correction, Delivery, DeliveryKind, DeliveryState, MessageRecord


@dataclass(frozen=True, slots=True)
class Week:
    """One teacher's week in numbers."""

    teacher: str
    team: str
    grade: str
    monday: date
    urgent: int = 0
    conflict: int = 0
    routine: int = 0
    unsure: int = 0
    """Of those three, how many the teacher was asked to check."""
    answered: int = 0
    """Automatic answers that left."""
    routed: int = 0
    """Messages that the office has."""
    corrected: int = 0
    """Messages whose tag the teacher corrected."""
    norm_kept: int = 0
    """Conversations whose first message the teacher answered within the norm."""
    norm_missed: int = 0
    """Conversations whose first message had no answer from the teacher when the norm ended."""
    norm_open: int = 0
    """Conversations that wait, with the norm still running."""


@dataclass(frozen=True, slots=True)
class _Opened:
    """The first family message of a conversation."""

    mailbox: str
    thread: str
    received_at: datetime


def weekly_counts(database: Database, settings: Settings, calendar: SchoolCalendar, now: datetime) -> list[Week]:
    """Counts per teacher and week, sorted by team, teacher and week. `now` decides which norms are still running."""
    boxes = {box.address: box for box in settings.mailboxes}
    tallies: dict[tuple[str, date], Counter[str]] = defaultdict(Counter)
    zone = settings.school.zone

    def tally(mailbox: str, at: datetime) -> Counter[str]:
        day = at.astimezone(zone).date()
        return tallies[mailbox, day - timedelta(days=day.weekday())]

    with database.read() as connection:
        for row in connection.execute(_family_mail()):
            numbers = tally(row.mailbox, row.received_at)
            numbers[row.tag.value] += 1
            numbers["unsure"] += row.unsure
        for row in connection.execute(_completed()):
            numbers = tally(row.mailbox, row.received_at)
            numbers["answered" if row.kind is DeliveryKind.REPLY else "routed"] += 1
        for row in connection.execute(_corrected()):
            tally(row.mailbox, row.received_at)["corrected"] += 1
        answers = _teachers_answers(connection)
        hours = settings.norm.reply_within_hours[1]
        for opened in _conversations(connection):
            try:
                deadline = reply_by(opened.received_at, hours, calendar)
            except NoSchoolDay:  # nothing was promised for a day that does not come
                deadline = datetime.max.replace(tzinfo=UTC)
            outcome = _norm(opened, answers, deadline, now)
            tally(opened.mailbox, opened.received_at)[outcome] += 1
    weeks = [_week(boxes, mailbox, monday, numbers) for (mailbox, monday), numbers in tallies.items()]
    return sorted(weeks, key=attrgetter("team", "teacher", "monday"))


def _week(boxes: Mapping[str, MailboxSettings], mailbox: str, monday: date, numbers: Mapping[str, int]) -> Week:
    """A mailbox that is no longer configured keeps its counts, under its address."""
    box = boxes.get(mailbox)
    teacher, team, grade = (box.teacher, box.team, box.grade) if box else (mailbox, "", "")
    return Week(teacher=teacher, team=team, grade=grade, monday=monday, **numbers)


_MESSAGE = MessageRecord
_IS_FAMILY_MAIL = (
    col(_MESSAGE.direction) == Direction.RECEIVED,
    col(_MESSAGE.tag).is_not(None),
    col(_MESSAGE.backfill).is_(False),
)


def _family_mail() -> Query:
    columns = (col(_MESSAGE.mailbox), col(_MESSAGE.received_at), col(_MESSAGE.tag), col(_MESSAGE.unsure))
    return select(*columns).where(*_IS_FAMILY_MAIL)


def _completed() -> Query:
    return (
        select(col(_MESSAGE.mailbox), col(_MESSAGE.received_at), col(Delivery.kind))
        .join(Delivery, col(Delivery.message_id) == col(_MESSAGE.id))
        .where(
            col(Delivery.state) == DeliveryState.DONE,
            col(Delivery.kind).in_((DeliveryKind.REPLY, DeliveryKind.ROUTE)),
        )
    )


def _corrected() -> Query:
    return select(col(_MESSAGE.mailbox), col(_MESSAGE.received_at)).where(
        col(_MESSAGE.id).in_(select(col(Correction.message_id)))
    )


def _teachers_answers(connection: Connection) -> Mapping[tuple[str, str], list[datetime]]:
    """When the teacher wrote, by mailbox and thread, in order."""
    query = (
        select(col(_MESSAGE.mailbox), col(_MESSAGE.thread), col(_MESSAGE.received_at))
        .where(col(_MESSAGE.direction) == Direction.SENT, col(_MESSAGE.own).is_(False))
        .order_by(col(_MESSAGE.received_at))
    )
    answers: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for row in connection.execute(query):
        answers[row.mailbox, row.thread].append(row.received_at)
    return answers


def _conversations(connection: Connection) -> Iterator[_Opened]:
    """The first message of each conversation that a family opened: later ones in it are thanks and follow-ups. An emoji
    opens none."""
    query = (
        select(col(_MESSAGE.mailbox), col(_MESSAGE.thread), col(_MESSAGE.received_at))
        .where(*_IS_FAMILY_MAIL, col(_MESSAGE.guard).is_distinct_from(reaction.__name__))
        .order_by(col(_MESSAGE.received_at), col(_MESSAGE.id))
    )
    seen: set[tuple[str, str]] = set()
    for row in connection.execute(query):
        if (row.mailbox, row.thread) not in seen:
            seen.add((row.mailbox, row.thread))
            yield _Opened(row.mailbox, row.thread, row.received_at)


def _norm(opened: _Opened, answers: Mapping[tuple[str, str], list[datetime]], deadline: datetime, now: datetime) -> str:
    wrote = answers.get((opened.mailbox, opened.thread), ())
    answered_at = next((at for at in wrote if at >= opened.received_at), None)
    if answered_at is not None and answered_at <= deadline:
        return "norm_kept"
    return "norm_missed" if now > deadline else "norm_open"
