"""A talk that reached the family is the teacher's answer: reminders stop, and come back when it is taken back."""

from datetime import UTC, date, datetime, timedelta
from itertools import count
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update
from sqlmodel import col

from autoresponder.cases import CaseState
from autoresponder.contacts import ContactKind, ContactTone
from store.case_tables import CaseEventKind
from store.contact_record import NewContact, over_at
from store.contact_tables import ContactSource
from store.contacts import Contacts
from store.roster_tables import RosterCare
from tests.service.cases_of_maple import cases, conflict, maple_with_coach, teacher_writes, told
from tests.service.maple import ANA, BO, OKAFOR, RIVERA, TUESDAY, Maple
from tests.service.roster_of_maple import LEO, MAYA, MINA, THEO, fill_roster

ZONE = ZoneInfo("America/Chicago")
DAY = date(2026, 3, 3)
"""The day on which `maple.TUESDAY` lies at the school."""
_NUMBERS = count(1)


@pytest.fixture
def maple() -> Maple:
    maple = maple_with_coach()
    fill_roster(maple.database)
    return maple


def talk(maple: Maple, student: str = MAYA.id, *, day: date = DAY, **changes: object) -> int:
    """The teacher notes a talk now. Returns its number."""
    values = {
        "reference": f"page:{next(_NUMBERS)}",
        "mailbox": RIVERA,
        "student": student,
        "on_day": day,
        "kind": ContactKind.CALL,
        "tone": ContactTone.NEUTRAL,
        "reached": True,
        "source": ContactSource.PAGE,
        "over_at": over_at(day, maple.clock(), ZONE),
        "logged_by": RIVERA,
    }
    Contacts(maple.database).log(NewContact(**{**values, **changes}), maple.clock(), act="noted a contact")  # type: ignore[arg-type]
    return max(each.id or 0 for each in Contacts(maple.database).listing())


def waits(maple: Maple) -> bool:
    (view,) = cases(maple)
    return view.case.waiting_since is not None


def test_a_call_answers_what_waits_and_nobody_is_reminded(maple: Maple) -> None:
    conflict(maple)
    maple.clock.forward(hours=1)
    talk(maple)
    (view,) = cases(maple)
    assert (view.case.state, view.case.waiting_since) == (CaseState.OPEN, None)
    assert view.case.last_answer_at == maple.clock()
    assert [event.kind for event in view.events].count(CaseEventKind.ANSWERED) == 1
    maple.rounds(20, hours=6)
    assert told(maple, RIVERA) == []


def test_without_the_call_the_teacher_is_reminded(maple: Maple) -> None:
    conflict(maple)
    maple.rounds(20, hours=6)
    assert len(told(maple, RIVERA)) == 1


def test_taking_the_call_back_undoes_that(maple: Maple) -> None:
    conflict(maple)
    number = talk(maple)
    Contacts(maple.database).withdraw(number, RIVERA, maple.clock(), mailbox=RIVERA)
    assert waits(maple)
    maple.rounds(20, hours=6)
    assert len(told(maple, RIVERA)) == 1


def test_taking_one_of_two_calls_back_leaves_the_other_and_tells_of_no_new_answer(maple: Maple) -> None:
    conflict(maple)
    talk(maple)
    maple.clock.forward(hours=1)
    second = talk(maple, kind=ContactKind.MEETING)
    Contacts(maple.database).withdraw(second, RIVERA, maple.clock(), mailbox=RIVERA)
    (view,) = cases(maple)
    assert (view.case.waiting_since, view.case.last_answer_at) == (None, TUESDAY)
    assert [event.kind for event in view.events].count(CaseEventKind.ANSWERED) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"reached": False},
        {"kind": ContactKind.TEXT},
        {"kind": ContactKind.NOTE},
        {"student": THEO.id},
        {"student": MINA.id},
        {"mailbox": OKAFOR},
        {"day": DAY - timedelta(days=1)},
        {"over_at": None},
    ],
    ids=["not reached", "a text", "a note", "another family", "another class", "another teacher", "before", "no time"],
)
def test_what_is_no_talk_with_this_family_since_answers_nothing(maple: Maple, changes: dict[str, object]) -> None:
    conflict(maple)
    talk(maple, **changes)  # type: ignore[arg-type]
    assert waits(maple)


def test_a_talk_about_a_sibling_is_one_with_the_family(maple: Maple) -> None:
    conflict(maple)
    talk(maple, LEO.id)
    assert not waits(maple)


def test_a_talk_of_the_case_s_own_day_counts_whatever_the_hour(maple: Maple) -> None:
    """A list that comes on Friday knows the day, and no time."""
    maple.clock.forward(hours=5)
    conflict(maple)
    maple.clock.forward(days=2)
    talk(maple, day=DAY)
    assert not waits(maple)


def test_what_the_family_writes_after_it_waits_again(maple: Maple) -> None:
    first = conflict(maple)
    talk(maple)
    maple.clock.forward(hours=1)
    conflict(maple, follows=first)
    assert waits(maple)


def test_an_address_with_a_plus_tag_is_the_same_guardian(maple: Maple) -> None:
    conflict(maple, sender="ana+school@family.example")
    talk(maple)
    assert not waits(maple)


def test_a_talk_with_somebody_who_no_longer_looks_after_the_student_is_none_with_them(maple: Maple) -> None:
    conflict(maple)
    with maple.database.write() as connection:
        ended = update(RosterCare).where(col(RosterCare.student).in_((MAYA.id, LEO.id)))
        connection.execute(ended.values(until=DAY))
    talk(maple)
    assert waits(maple)


def test_mail_that_is_found_later_is_weighed_with_the_talk(maple: Maple) -> None:
    """A talk is on record before the message is: the mail was slow."""
    maple.clock.forward(hours=2)
    talk(maple)
    conflict(maple, at=TUESDAY)
    assert not waits(maple)


def test_a_letter_and_a_talk_count_together(maple: Maple) -> None:
    conflict(maple)
    maple.clock.forward(hours=1)
    teacher_writes(maple, ANA)
    maple.round()
    maple.clock.forward(hours=1)
    number = talk(maple)
    Contacts(maple.database).withdraw(number, RIVERA, maple.clock(), mailbox=RIVERA)
    (view,) = cases(maple)
    assert view.case.last_answer_at == TUESDAY + timedelta(hours=1)


def test_another_family_s_case_is_left_alone(maple: Maple) -> None:
    conflict(maple)
    conflict(maple, sender=BO)
    talk(maple, THEO.id)
    assert [view.case.waiting_since is None for view in cases(maple)] == [False, True]


def test_over_is_the_end_of_the_day_or_the_moment_it_was_told() -> None:
    noon = datetime(2026, 3, 8, 18, 0, tzinfo=UTC)
    assert over_at(date(2026, 3, 8), noon, ZONE) == noon
    # The night in which clocks go forward has 23 hours.
    assert over_at(date(2026, 3, 8), noon + timedelta(days=3), ZONE) == datetime(2026, 3, 9, 5, 0, tzinfo=UTC)
    assert over_at(date(2026, 3, 7), noon + timedelta(days=3), ZONE) == datetime(2026, 3, 8, 6, 0, tzinfo=UTC)
