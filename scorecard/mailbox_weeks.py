"""The service's own counts of a mailbox's weeks: what came in, what was answered and routed, whether the norm was kept.

Counted is family mail that arrived since a mailbox was connected; mail of robots, lists and staff carries no tag and
counts nowhere. A week begins on Monday, in the school's time zone; what was written on a day counts in the terms and
for the team of that day.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeAlias

from sqlalchemy import ColumnElement, Connection, and_, or_, select, tuple_
from sqlmodel import col

from autoresponder.guards.content import reaction
from autoresponder.hours import reply_by
from config import SchoolCalendar
from config.calendar import NoSchoolDay
from connectors.labels import Tag
from connectors.mailbox import Direction
from scorecard.carried import carried_weeks
from scorecard.happenings import day_begins
from scorecard.office_time import office_minutes
from scorecard.places import Places
from scorecard.report import SchoolTerm
from scorecard.roster_slice import Query
from scorecard.terms import containing
from store.chunks import chunks, in_few_lengths
from store.marks import monday_of
from store.scorecard_tables import Grouping, Measure
from store.tables import (
    Correction,
    Delivery,
    DeliveryKind,
    DeliveryState,
    EventKind,
    Item,
    ItemEvent,
    MessageRecord,
)

CLAIMED_SOON_MINUTES = 30
WeekKey: TypeAlias = tuple[str, date]
"""A mailbox and a Monday."""
TallyKey: TypeAlias = tuple[str, Grouping, str, Measure]
"""A term's identifier, a group, and what is counted."""
_AT_ONCE = 32
"""So many weeks are asked for in one query."""
_AT_ONCE_THREADS = 400
_SAID = (EventKind.TAKEN, EventKind.DONE, EventKind.NOT_URGENT, EventKind.RETURNED)
"""What somebody at the office says about an item that they have looked at."""
_MESSAGE = MessageRecord
_IS_FAMILY_MAIL = (
    col(_MESSAGE.direction) == Direction.RECEIVED,
    col(_MESSAGE.tag).is_not(None),
    col(_MESSAGE.backfill).is_(False),
)


@dataclass(slots=True)
class CountedWeek:
    """The counts of a mailbox's week."""

    numbers: Counter[TallyKey] = field(default_factory=Counter)
    due_at: datetime | None = None
    """When the first norm that still runs ends."""
    passed_at: datetime | None = None
    """When the last norm that was missed ended."""


@dataclass(frozen=True, slots=True)
class Weeks:
    """Counts weeks. What is asked for together is read together."""

    connection: Connection
    calendar: SchoolCalendar
    terms: Sequence[SchoolTerm]
    teams: Places
    norm_hours: int
    now: datetime

    def count(self, weeks: Collection[WeekKey], mailboxes: Collection[str] = ()) -> Mapping[WeekKey, CountedWeek]:
        """The counts of each of `weeks`, and of every week of `mailboxes`, as far as there is anything to count."""
        single = [key for key in sorted(weeks) if key[0] not in mailboxes]
        found: dict[WeekKey, CountedWeek] = defaultdict(CountedWeek)
        threads: set[tuple[str, str]] = set()
        for within in self._conditions(single, mailboxes, MessageRecord):
            threads |= self._mail(found, within)
            self._done(found, within)
        self._norms(found, threads)
        for within in self._conditions(single, mailboxes, Item):
            self._items(found, within)
        for key, numbers in carried_weeks(self.connection, weeks, mailboxes).items():
            found[key].numbers.update(numbers)
        wanted = set(weeks)
        return {key: each for key, each in found.items() if key in wanted or key[0] in mailboxes}

    def _conditions(
        self, weeks: Sequence[WeekKey], mailboxes: Collection[str], of: Any
    ) -> Iterator[ColumnElement[bool]]:
        """What is asked for, so much at once and in few forms: `of` says whether messages or items."""
        for some in chunks(weeks, _AT_ONCE):
            yield or_(*(_week(mailbox, monday, self.calendar, of) for mailbox, monday in in_few_lengths(some)))
        for names in chunks(sorted(mailboxes), _AT_ONCE):
            yield col(of.mailbox).in_(names)

    def _mail(self, found: dict[WeekKey, CountedWeek], within: ColumnElement[bool]) -> set[tuple[str, str]]:
        """Family mail by its tag. Returns the conversations that it is of, by mailbox."""
        of = _MESSAGE
        mail: Query = select(
            col(of.mailbox), col(of.received_at), col(of.tag), col(of.unsure), col(of.thread), col(of.guard)
        ).where(within, *_IS_FAMILY_MAIL)
        threads: set[tuple[str, str]] = set()
        for row in self.connection.execute(mail):
            self._add(found, row.mailbox, row.received_at, Measure(row.tag.value))
            if row.unsure:
                self._add(found, row.mailbox, row.received_at, Measure.UNSURE)
            if row.guard != reaction.__name__:
                threads.add((row.mailbox, row.thread))
        return threads

    def _done(self, found: dict[WeekKey, CountedWeek], within: ColumnElement[bool]) -> None:
        """What became of mail: answered, routed, corrected."""
        of = _MESSAGE
        done: Query = (
            select(col(of.mailbox), col(of.received_at), col(Delivery.kind))
            .join(Delivery, col(Delivery.message_id) == col(of.id))
            .where(
                within,
                col(Delivery.state) == DeliveryState.DONE,
                col(Delivery.kind).in_((DeliveryKind.REPLY, DeliveryKind.ROUTE)),
            )
        )
        for row in self.connection.execute(done):
            measure = Measure.ANSWERED if row.kind is DeliveryKind.REPLY else Measure.ROUTED
            self._add(found, row.mailbox, row.received_at, measure)
        corrected: Query = (
            select(col(of.id), col(of.mailbox), col(of.received_at))
            .join(Correction, col(Correction.message_id) == col(of.id))
            .where(within)
            .distinct()
        )
        for row in self.connection.execute(corrected):
            self._add(found, row.mailbox, row.received_at, Measure.CORRECTED)

    def _norms(self, found: dict[WeekKey, CountedWeek], threads: set[tuple[str, str]]) -> None:
        """Conversations by when they were opened, and whether the teacher answered in time. Later messages of a family
        in one are thanks and follow-ups; an emoji opens none."""
        opened: dict[tuple[str, str], datetime] = {}
        wrote: dict[tuple[str, str], list[datetime]] = defaultdict(list)
        of = _MESSAGE
        columns = (
            col(of.mailbox), col(of.thread), col(of.direction), col(of.received_at), col(of.tag), col(of.guard),
            col(of.backfill), col(of.own),
        )  # fmt: skip
        for part in chunks(sorted(threads), _AT_ONCE_THREADS):
            query = select(*columns).where(tuple_(col(of.mailbox), col(of.thread)).in_(part))
            for row in self.connection.execute(query):
                key = (row.mailbox, row.thread)
                if row.direction is Direction.SENT:
                    if not row.own:
                        wrote[key].append(row.received_at)
                elif row.tag is not None and not row.backfill and row.guard != reaction.__name__:
                    opened[key] = min(opened.get(key, row.received_at), row.received_at)
        for key, at in opened.items():
            self._norm(found, key[0], at, min((each for each in wrote.get(key, ()) if each >= at), default=None))

    def _norm(
        self, found: dict[WeekKey, CountedWeek], mailbox: str, at: datetime, answered_at: datetime | None
    ) -> None:
        try:
            deadline = reply_by(at, self.norm_hours, self.calendar).astimezone(UTC)
        except NoSchoolDay:  # nothing was promised for a day that does not come
            deadline = None
        if answered_at is not None and (deadline is None or answered_at <= deadline):
            self._add(found, mailbox, at, Measure.NORM_KEPT)
            return
        week = self._add(found, mailbox, at, Measure.NORM_OPEN if deadline is None else self._unanswered(deadline))
        if deadline is None:
            return
        if self.now > deadline:
            week.passed_at = max(week.passed_at or deadline, deadline)
        else:
            week.due_at = min(week.due_at or deadline, deadline)

    def _unanswered(self, deadline: datetime) -> Measure:
        return Measure.NORM_MISSED if self.now > deadline else Measure.NORM_OPEN

    def _items(self, found: dict[WeekKey, CountedWeek], within: ColumnElement[bool]) -> None:
        """Urgent items that somebody at the office took, or closed at once."""
        said = (
            select(col(Item.id), col(Item.mailbox), col(Item.opened_at), col(ItemEvent.at))
            .join(ItemEvent, col(ItemEvent.item_id) == col(Item.id))
            .where(within, col(Item.tag) == Tag.URGENT, col(ItemEvent.kind).in_(_SAID))
            .order_by(col(ItemEvent.id).desc())
        )
        first = {row.id: row for row in self.connection.execute(said)}
        for row in first.values():
            minutes = office_minutes(row.opened_at, row.at, self.calendar)
            self._add(found, row.mailbox, row.opened_at, Measure.CLAIMED)
            self._add(found, row.mailbox, row.opened_at, Measure.CLAIM_MINUTES, minutes)
            if minutes <= CLAIMED_SOON_MINUTES:
                self._add(found, row.mailbox, row.opened_at, Measure.CLAIMED_SOON)

    def _add(
        self, found: dict[WeekKey, CountedWeek], mailbox: str, at: datetime, measure: Measure, n: int = 1
    ) -> CountedWeek:
        day = at.astimezone(self.calendar.zone).date()
        week = found[mailbox, monday_of(day)]
        groups = [(Grouping.ALL, ""), (Grouping.TEACHER, mailbox)]
        team = self.teams.team(mailbox, day)
        groups += [(Grouping.TEAM, team)] if team else []
        for term in containing(self.terms, day) if n else ():
            for grouping, key in groups:
                week.numbers[term.id, grouping, key, measure] += n
        return week


def _week(mailbox: str, monday: date, calendar: SchoolCalendar, of: Any) -> ColumnElement[bool]:
    """What is of a mailbox's week: messages, or items."""
    at = col(of.opened_at if of is Item else of.received_at)
    since, until = (day_begins(day, calendar.zone) for day in (monday, monday + timedelta(days=7)))
    return and_(col(of.mailbox) == mailbox, at >= since, at < until)
