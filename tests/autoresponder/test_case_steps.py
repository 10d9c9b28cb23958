"""Who is told of a case, and when: in school hours, each once, and nobody once it is answered."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresponder.cases import (
    CaseState,
    CaseStepKind,
    CaseWord,
    Standing,
    answered,
    due_at,
    follow_up,
    next_step,
    outcome,
    school_days,
    wants_coach,
)
from config import SchoolCalendar
from config.settings import CaseSettings, Coach, Holiday, MailboxSettings, Office, School, Settings

TUESDAY = datetime(2026, 3, 3, 16, 0, tzinfo=UTC)
"""Ten in the morning in Chicago."""
SCHOOL = School(name="Maple", timezone="America/Chicago", holidays=(Holiday(first="2026-03-09", last="2026-03-13"),))
CALENDAR = SchoolCalendar.of(SCHOOL)
ALONE = Settings(
    school=SCHOOL,
    office=Office(address="office@maple.example", phone="555 0100"),
    mailboxes=(MailboxSettings(address="rivera@maple.example", teacher="Ms. Rivera"),),
)
COACHED = ALONE.model_copy(update={"coach": Coach(name="Sam Lee", addresses=("coach@maple.example",), hours=24)})
EARLY = COACHED.model_copy(update={"coach": COACHED.coach.model_copy(update={"early": True})})  # type: ignore[union-attr]
WAITS = Standing(TUESDAY, None, None, None, needs_coach=False)
HOUR = timedelta(hours=1)


def test_the_teacher_is_reminded_at_the_end_of_the_norm_and_not_before() -> None:
    due = due_at(TUESDAY, ALONE, CALENDAR)
    assert due == TUESDAY + 48 * HOUR
    before = next_step(WAITS, ALONE, CALENDAR, due - HOUR)
    assert (before.kind, before.next_at) == (None, due)
    assert next_step(WAITS, ALONE, CALENDAR, due).kind is CaseStepKind.REMIND


def test_the_coach_follows_after_the_reminder_and_only_where_there_is_one() -> None:
    reminded = replace(WAITS, reminded_at=TUESDAY + 48 * HOUR)
    assert next_step(reminded, ALONE, CALENDAR, TUESDAY + 500 * HOUR).kind is None
    assert next_step(reminded, ALONE, CALENDAR, TUESDAY + 500 * HOUR).next_at is None
    early = next_step(reminded, COACHED, CALENDAR, TUESDAY + 71 * HOUR)
    assert (early.kind, early.next_at) == (None, TUESDAY + 72 * HOUR)
    assert next_step(reminded, COACHED, CALENDAR, TUESDAY + 72 * HOUR).kind is CaseStepKind.TELL_COACH
    told = replace(reminded, coach_told_at=TUESDAY + 72 * HOUR)
    assert next_step(told, COACHED, CALENDAR, TUESDAY + 500 * HOUR).next_at is None


def test_nothing_is_sent_with_the_school_closed() -> None:
    late = Standing(datetime(2026, 3, 5, 14, 30, tzinfo=UTC), None, None, None, needs_coach=False)
    evening = datetime(2026, 3, 17, 1, 0, tzinfo=UTC)
    step = next_step(late, COACHED, CALENDAR, evening)
    assert step.kind is None
    assert step.next_at == datetime(2026, 3, 17, 13, 0, tzinfo=UTC)


def test_days_without_school_do_not_count() -> None:
    friday = datetime(2026, 3, 6, 16, 0, tzinfo=UTC)
    assert due_at(friday, ALONE, CALENDAR).date().isoformat() == "2026-03-17"


def test_the_coach_hears_of_a_hostile_or_repeated_case_early_only_where_the_school_wants_it() -> None:
    hostile = replace(WAITS, needs_coach=True)
    assert next_step(hostile, EARLY, CALENDAR, TUESDAY).kind is CaseStepKind.OFFER_COACH
    assert next_step(hostile, COACHED, CALENDAR, TUESDAY).kind is None
    offered = replace(hostile, coach_offered_at=TUESDAY)
    assert next_step(offered, EARLY, CALENDAR, TUESDAY).kind is None
    assert next_step(WAITS, EARLY, CALENDAR, TUESDAY).kind is None


def test_help_is_wanted_for_a_hostile_case_and_from_the_configured_number_on() -> None:
    settings = ALONE.model_copy(update={"cases": CaseSettings(repeated=2)})
    assert wants_coach(settings, hostile=True, cases_lately=1)
    assert not wants_coach(settings, hostile=False, cases_lately=1)
    assert wants_coach(settings, hostile=False, cases_lately=2)


@given(
    waiting=st.integers(0, 2000),
    passed=st.integers(0, 2000),
    reminded=st.none() | st.integers(0, 2000),
    needs=st.booleans(),
)
def test_a_step_is_taken_in_school_hours_or_put_off_to_some_later_one(
    waiting: int, passed: int, reminded: int | None, *, needs: bool
) -> None:
    since = TUESDAY + waiting * HOUR
    now = since + passed * HOUR
    standing = Standing(since, None if reminded is None else since + reminded * HOUR, None, None, needs_coach=needs)
    step = next_step(standing, EARLY, CALENDAR, now)
    if step.kind is not None:
        assert CALENDAR.is_open(now)
    else:
        assert step.next_at is not None
        assert step.next_at > now
        assert CALENDAR.is_open(step.next_at)


@given(st.lists(st.integers(0, 50), min_size=1), st.lists(st.integers(0, 50)))
def test_who_waits_for_whom_does_not_depend_on_the_order(mails: list[int], answers: list[int]) -> None:
    written = [TUESDAY + hours * HOUR for hours in mails]
    replied = [TUESDAY + hours * HOUR for hours in answers]
    found = answered(written, replied, since=min(written))
    assert found == answered(written[::-1], replied[::-1], since=min(written))
    later = [at for at in written if not any(answer >= at for answer in replied)]
    assert found.waiting_since == min(later, default=None)


@pytest.mark.parametrize(
    ("state", "word", "becomes"),
    [
        (CaseState.OPEN, CaseWord.AGREED, CaseState.AGREED),
        (CaseState.OPEN, CaseWord.NO_CONFLICT, CaseState.NO_CONFLICT),
        (CaseState.OPEN, CaseWord.REOPENED, None),
        (CaseState.OPEN, CaseWord.NOT_YET, None),
        (CaseState.AGREED, CaseWord.REOPENED, CaseState.OPEN),
        (CaseState.AGREED, CaseWord.NO_CONFLICT, None),
        (CaseState.NO_CONFLICT, CaseWord.REOPENED, CaseState.OPEN),
        (CaseState.NO_CONFLICT, CaseWord.AGREED, None),
    ],
)
def test_a_word_changes_what_it_can_change(state: CaseState, word: CaseWord, becomes: CaseState | None) -> None:
    assert outcome(state, word) is becomes


def test_days_to_the_plan_are_school_days() -> None:
    assert school_days(TUESDAY, TUESDAY + HOUR, CALENDAR) == 0
    assert school_days(TUESDAY, TUESDAY + 24 * 14 * HOUR, CALENDAR) == 5


def test_the_follow_up_is_counted_from_the_plan_once_there_is_one() -> None:
    assert str(follow_up(TUESDAY, None, CALENDAR)) == "2026-03-06"
    assert str(follow_up(TUESDAY, TUESDAY + 72 * HOUR, CALENDAR)) == "2026-03-20"
