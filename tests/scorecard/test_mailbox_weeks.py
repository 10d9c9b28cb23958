"""Counts are what happened, by teacher and week, and the norm is judged by conversation."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count

import pytest

from config import SchoolCalendar
from config.settings import MailboxSettings, Office, School, Settings
from connectors.labels import Tag
from connectors.mailbox import Direction
from scorecard.keeping import bring_up_to_date
from scorecard.mailbox_weeks import Weeks
from scorecard.places import Places
from scorecard.report import Counts, SchoolTerm
from store.database import Database
from store.pages import Entry, Page, Pages, Relabelled
from store.scorecard_tables import Grouping, Measure
from store.tables import Correction, Delivery, DeliveryKind, DeliveryState, MessageRecord
from tests.scorecard import kept_rows

RIVERA = "rivera@maple.example"
MONDAY = datetime(2026, 3, 2, 16, 0, tzinfo=UTC)  # 10:00 in Chicago
SETTINGS = Settings(
    school=School(name="Maple Street School", timezone="America/Chicago"),
    office=Office(address="office@maple.example", phone="555 0100"),
    mailboxes=(MailboxSettings(address=RIVERA, teacher="Ms. Rivera", team="Comets", grade="5", connector="maildir"),),
)
CALENDAR = SchoolCalendar.of(SETTINGS.school)


@dataclass(frozen=True)
class Week:
    """A group's week in numbers."""

    monday: date
    counts: Counts

    def __getattr__(self, name: str) -> int:
        return int(getattr(self.counts, name))


class Book:
    """A record that tests write into."""

    def __init__(self) -> None:
        self.database = Database.in_memory()
        self.pages = Pages(self.database)
        self.pages.connect(RIVERA, MONDAY)
        self._numbers = count(1)
        self._cursor: str | None = None

    def message(
        self, at: datetime, thread: str, *, sent: bool = False, done: tuple[DeliveryKind, ...] = (), **more: object
    ) -> int:
        """Records one message and returns its number."""
        number = next(self._numbers)
        given: dict[str, object] = {
            "mailbox": RIVERA,
            "provider_id": str(number),
            "direction": Direction.SENT if sent else Direction.RECEIVED,
            "fingerprint": str(number),
            "thread": thread,
            "received_at": at,
            "recorded_at": at,
            "tag": None if sent else Tag.ROUTINE,
        }
        deliveries = tuple(
            Delivery(
                mailbox=RIVERA,
                message_id=0,
                kind=kind,
                state=DeliveryState.DONE,
                dedupe_key=f"{kind}{number}",
                next_attempt_at=at,
                created_at=at,
            )
            for kind in done
        )
        self.commit(entries=[Entry(MessageRecord(**(given | more)), deliveries)])
        return number

    def commit(self, **changes: object) -> None:
        """Commits a page."""
        following = f"cursor {next(self._numbers)}"
        self.pages.commit(Page(RIVERA, self._cursor, following, **changes))  # type: ignore[arg-type]
        self._cursor = following

    def weeks(
        self,
        now: datetime,
        calendar: SchoolCalendar = CALENDAR,
        group: tuple[Grouping, str] = (Grouping.TEACHER, RIVERA),
    ) -> list[Week]:
        """The counts as of `now`."""
        bring_up_to_date(self.database, SETTINGS, calendar, now)
        numbers: dict[date, dict[str, int]] = {}
        with self.database.read() as connection:
            for (_term, *of, monday, measure), n in kept_rows.weekly(connection).items():
                if tuple(of) == group:
                    numbers.setdefault(monday, {})[measure.value] = n
        return [Week(monday, Counts(**numbers[monday])) for monday in sorted(numbers)]


@pytest.fixture
def book() -> Book:
    return Book()


def test_tags_answers_and_routes_are_counted_in_the_week_the_message_came(book: Book) -> None:
    book.message(MONDAY, "a", tag=Tag.URGENT, done=(DeliveryKind.REPLY, DeliveryKind.ROUTE))
    book.message(MONDAY, "b", tag=Tag.CONFLICT, unsure=True, done=(DeliveryKind.REPLY,))
    book.message(MONDAY + timedelta(days=7), "c")
    first, second = book.weeks(MONDAY + timedelta(days=7))
    assert first.monday == date(2026, 3, 2)
    assert (first.urgent, first.conflict, first.routine, first.unsure) == (1, 1, 0, 1)
    assert (first.answered, first.routed) == (2, 1)
    assert (second.monday, second.routine) == (date(2026, 3, 9), 1)
    for group in ((Grouping.TEAM, "Comets"), (Grouping.ALL, "")):
        assert book.weeks(MONDAY + timedelta(days=7), group=group) == [first, second]


def test_a_week_begins_on_monday_midnight_of_the_school_not_of_utc(book: Book) -> None:
    book.message(datetime(2026, 3, 9, 4, 59, tzinfo=UTC), "sunday evening in Chicago")
    book.message(datetime(2026, 3, 9, 5, 1, tzinfo=UTC), "monday in Chicago, on summer time")
    assert [week.monday for week in book.weeks(MONDAY)] == [date(2026, 3, 2), date(2026, 3, 9)]


def test_robots_old_mail_and_the_teachers_own_count_nowhere(book: Book) -> None:
    book.message(MONDAY, "robot", tag=None)
    book.message(MONDAY, "old", backfill=True)
    book.message(MONDAY, "own", sent=True)
    assert book.weeks(MONDAY) == []


@pytest.mark.parametrize(
    ("answered_after", "now_after", "expected"),
    [
        (timedelta(days=2), timedelta(days=5), (1, 0, 0)),
        (timedelta(days=2, seconds=1), timedelta(days=5), (0, 1, 0)),
        (None, timedelta(days=2), (0, 0, 1)),
        (None, timedelta(days=2, seconds=1), (0, 1, 0)),
    ],
)
def test_the_norm_is_kept_to_the_second(
    book: Book, answered_after: timedelta | None, now_after: timedelta, expected: tuple[int, int, int]
) -> None:
    book.message(MONDAY, "a")
    if answered_after is not None:
        book.message(MONDAY + answered_after, "a", sent=True)
    (week,) = book.weeks(MONDAY + now_after)
    assert (week.norm_kept, week.norm_missed, week.norm_open) == expected


def test_thanks_after_the_teachers_answer_are_not_a_broken_norm(book: Book) -> None:
    book.message(MONDAY, "a")
    book.message(MONDAY + timedelta(hours=1), "a", sent=True)
    book.message(MONDAY + timedelta(hours=2), "a")
    (week,) = book.weeks(MONDAY + timedelta(days=30))
    assert (week.routine, week.norm_kept, week.norm_missed) == (2, 1, 0)


def test_our_own_automatic_answer_does_not_keep_the_norm(book: Book) -> None:
    book.message(MONDAY, "a")
    book.message(MONDAY + timedelta(minutes=1), "a", sent=True, own=True)
    (week,) = book.weeks(MONDAY + timedelta(days=30))
    assert (week.norm_kept, week.norm_missed) == (0, 1)


def test_a_corrected_message_counts_under_its_new_tag_and_once_as_corrected(book: Book) -> None:
    book.message(MONDAY, "a", tag=Tag.URGENT)
    for before, after in ((Tag.URGENT, Tag.ROUTINE), (Tag.ROUTINE, Tag.CONFLICT)):
        correction = Correction(mailbox=RIVERA, message_id=1, from_tag=before, to_tag=after, at=MONDAY)
        book.commit(relabelled=[Relabelled(1, frozenset(), frozenset(), correction)], at=MONDAY)
    (week,) = book.weeks(MONDAY)
    assert (week.urgent, week.conflict, week.routine, week.corrected) == (0, 1, 0, 1)


def test_a_calendar_without_school_days_breaks_no_norm_and_no_count(book: Book) -> None:
    book.message(MONDAY, "a")
    closed = replace(CALENDAR, breaks=((date(2020, 1, 1), date(2040, 1, 1)),))
    (week,) = book.weeks(MONDAY + timedelta(days=400), closed)
    assert (week.routine, week.norm_missed, week.norm_open) == (1, 0, 1)


def test_an_emoji_is_family_mail_and_opens_no_conversation() -> None:
    book = Book()
    book.message(MONDAY, "a", guard="reaction")
    book.message(MONDAY + timedelta(days=1), "b", guard="answered_lately")
    (week,) = book.weeks(MONDAY + timedelta(days=20))
    assert (week.routine, week.norm_missed) == (2, 1)


def test_a_norm_that_runs_out_is_missed_without_anything_else_happening(book: Book) -> None:
    book.message(MONDAY, "a")
    (week,) = book.weeks(MONDAY + timedelta(days=1))
    assert (week.norm_open, week.norm_missed) == (1, 0)
    (week,) = book.weeks(MONDAY + timedelta(days=2, seconds=1))
    assert (week.norm_open, week.norm_missed) == (0, 1)
    (week,) = book.weeks(MONDAY + timedelta(hours=1))
    assert (week.norm_open, week.norm_missed) == (1, 0), "the clock was set back"


def test_an_earlier_message_that_comes_late_opens_its_conversation_anew(book: Book) -> None:
    book.message(MONDAY + timedelta(days=7), "a")
    book.message(MONDAY + timedelta(days=7, hours=1), "a", sent=True)
    (week,) = book.weeks(MONDAY + timedelta(days=8))
    assert week.norm_kept == 1
    book.message(MONDAY, "a")
    first, second = book.weeks(MONDAY + timedelta(days=8))
    assert (first.norm_missed, second.norm_kept, second.routine) == (1, 0, 1)


def test_however_many_weeks_are_counted_together_the_database_meets_few_statements(book: Book) -> None:
    first = MONDAY.date()
    mondays = [first + timedelta(days=7 * number) for number in range(40)]
    for number in range(len(mondays)):
        book.message(MONDAY + timedelta(days=7 * number), f"{number}")
    year = SchoolTerm("year", "Year", first, mondays[-1] + timedelta(days=6), first + timedelta(days=27))
    routine = ("year", Grouping.TEACHER, RIVERA, Measure.ROUTINE)
    meant: dict[object, object] = {}
    with book.database.read() as connection:
        connection.execution_options(compiled_cache=meant)
        weeks = Weeks(connection, CALENDAR, [year], Places(), 48, MONDAY + timedelta(days=400))
        for some in range(1, len(mondays) + 1):
            found = weeks.count({(RIVERA, monday) for monday in mondays[:some]})
            counted = {monday: each.numbers[routine] for (_, monday), each in found.items()}
            assert counted == dict.fromkeys(mondays[:some], 1)
        for some in range(1, 40):
            weeks.count(set(), [f"{number}@maple.example" for number in range(some)])
    assert 0 < len(meant) < 40, "a statement for each number of weeks is compiled and kept by itself"
