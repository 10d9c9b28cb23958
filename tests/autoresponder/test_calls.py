"""Families who are upset are offered the next times at which the teacher can really be called."""

from datetime import date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresponder.calls import next_calls, next_partnership_calls
from autoresponder.plan import ReplyFacts
from autoresponder.planner import reply_facts
from autoresponder.replies import reply_note
from config.calendar import SchoolCalendar
from config.settings import CallWindow, Holiday, PartnershipCalls
from connectors.away import Absence
from connectors.labels import Tag
from tests.autoresponder.sample import SETTINGS, TUESDAY_NOON

WINDOWS = (
    CallWindow(day="tue", opens=time(13, 0), closes=time(13, 20)),
    CallWindow(day="wed", opens=time(15, 0), closes=time(15, 20)),
    CallWindow(day="mon", opens=time(8, 0), closes=time(8, 20)),
)
SHORT = (PartnershipCalls(day="tue", weeks=(1, 3), opens=time(15, 40), closes=time(16, 0)),)


def offered(now: datetime = TUESDAY_NOON, *holidays: Holiday) -> list[str]:
    school = SETTINGS.school.model_copy(update={"holidays": holidays})
    spans = next_calls(WINDOWS, now, now + timedelta(days=2), SchoolCalendar.of(school))
    return [f"{span.begins:%a %d %H:%M}–{span.ends:%H:%M}" for span in spans]


def test_the_next_two_are_offered_in_order_and_none_that_begins_too_soon() -> None:
    assert offered() == ["Wed 04 15:00–15:20", "Mon 09 08:00–08:20"]
    assert offered(TUESDAY_NOON - timedelta(hours=2)) == ["Tue 03 13:00–13:20", "Wed 04 15:00–15:20"]


def test_no_call_is_offered_on_a_day_without_school() -> None:
    holiday = Holiday(first=date(2026, 3, 4), last=date(2026, 3, 9))
    assert offered(TUESDAY_NOON, holiday) == ["Tue 10 13:00–13:20", "Wed 11 15:00–15:20"]


def test_the_wall_clock_holds_over_a_change_of_clocks() -> None:
    assert offered(TUESDAY_NOON + timedelta(days=3)) == ["Mon 09 08:00–08:20", "Tue 10 13:00–13:20"]


def test_a_teacher_without_windows_offers_none() -> None:
    assert next_calls((), TUESDAY_NOON, TUESDAY_NOON, SchoolCalendar.of(SETTINGS.school)) == ()


def short(now: datetime, *holidays: Holiday, windows: tuple[PartnershipCalls, ...] = SHORT) -> list[str]:
    calendar = SchoolCalendar.of(SETTINGS.school.model_copy(update={"holidays": holidays}))
    return [
        f"{span.begins:%a %b %d %H:%M}–{span.ends:%H:%M}"
        for span in next_partnership_calls(windows, now, calendar).spans
    ]


def test_short_calls_are_offered_on_the_first_and_third_of_a_weekday_in_the_month() -> None:
    assert short(TUESDAY_NOON) == ["Tue Mar 03 15:40–16:00", "Tue Mar 17 15:40–16:00"]
    assert short(TUESDAY_NOON + timedelta(hours=2)) == ["Tue Mar 17 15:40–16:00", "Tue Apr 07 15:40–16:00"]


def test_a_month_that_begins_on_the_day_has_its_first_then() -> None:
    september = datetime(2026, 8, 28, 12, 0, tzinfo=TUESDAY_NOON.tzinfo)
    assert short(september) == ["Tue Sep 01 15:40–16:00", "Tue Sep 15 15:40–16:00"]


def test_no_short_call_is_offered_on_a_day_without_school_and_none_is_moved() -> None:
    holiday = Holiday(first=date(2026, 3, 16), last=date(2026, 4, 7))
    assert short(TUESDAY_NOON, holiday) == ["Tue Mar 03 15:40–16:00", "Tue Apr 21 15:40–16:00"]


def test_of_several_windows_the_next_two_are_offered_for_calls_of_the_shortest_length() -> None:
    longer = PartnershipCalls(day="thu", weeks=(1, 2), opens=time(7, 30), closes=time(7, 50), minutes=10)
    assert short(TUESDAY_NOON, windows=(longer, *SHORT)) == ["Tue Mar 03 15:40–16:00", "Thu Mar 05 07:30–07:50"]
    calendar = SchoolCalendar.of(SETTINGS.school)
    assert next_partnership_calls((longer, *SHORT), TUESDAY_NOON, calendar).minutes == 5
    assert next_partnership_calls((longer,), TUESDAY_NOON, calendar).minutes == 10


def test_a_teacher_without_times_for_short_calls_offers_none() -> None:
    assert short(TUESDAY_NOON, windows=()) == []


def test_a_calendar_without_school_offers_no_short_call() -> None:
    assert short(TUESDAY_NOON, Holiday(first=date(2026, 1, 1), last=date(2027, 1, 1))) == []


def answered(tag: Tag, now: datetime = TUESDAY_NOON, **more: Any) -> ReplyFacts:
    box = SETTINGS.mailboxes[0].model_copy(update={"partnership_calls": SHORT})
    calendar = SchoolCalendar.of(SETTINGS.school, SETTINGS.office)
    return reply_facts(
        tag, ("en",), received_at=now, mailbox=box, settings=SETTINGS, calendar=calendar, now=now, **more
    )


@pytest.mark.parametrize(
    ("tag", "crisis", "offered"),
    [(Tag.ROUTINE, False, True), (Tag.CONFLICT, False, False), (Tag.URGENT, False, False), (Tag.URGENT, True, False)],
)
def test_only_a_routine_answer_offers_a_short_call(tag: Tag, crisis: bool, offered: bool) -> None:
    facts = answered(tag, crisis=crisis)
    text = reply_note(facts, mailbox=SETTINGS.mailboxes[0], settings=SETTINGS, office_has_it=False).text()
    said = "You can also call me for 5 minutes on Tuesday, March 3 from 3:40 PM" in " ".join(
        text.replace("\u00a0", " ").split()
    )
    assert (bool(facts.short_calls.spans), said) == (offered, offered)


def test_no_short_call_is_offered_while_the_teacher_is_away() -> None:
    away = Absence(TUESDAY_NOON - timedelta(days=1), TUESDAY_NOON + timedelta(days=20))
    spans = answered(Tag.ROUTINE, absences=(away,)).short_calls.spans
    assert [span.begins.date() for span in spans] == [date(2026, 4, 7), date(2026, 4, 21)]


@given(minutes=st.integers(0, 2 * 365 * 24 * 60))
def test_whatever_the_moment_two_short_calls_lie_ahead_on_the_right_days(minutes: int) -> None:
    now = TUESDAY_NOON + timedelta(minutes=minutes)
    spans = next_partnership_calls(SHORT, now, SchoolCalendar.of(SETTINGS.school)).spans
    assert len(spans) == 2
    for span in spans:
        assert span.begins > now
        assert span.begins.weekday() == 1
        assert span.begins.day <= 7 or 15 <= span.begins.day <= 21
        assert (span.begins.hour, span.begins.minute) == (15, 40)
