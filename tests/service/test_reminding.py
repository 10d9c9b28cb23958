"""A family whose hard message waits is not forgotten: the teacher is reminded, then the coach is told. Each once, in
school hours, and not after an answer."""

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage

import pytest

from autoresponder.cases import CaseWord
from config.settings import Stage
from connectors.errors import SendUncertain
from connectors.labels import Label
from service.reminding import remind
from store.case_tables import CaseEventKind
from store.cases import Cases
from store.tables import DeliveryKind, DeliveryState
from tests.service.cases_of_maple import (
    COACH,
    cases,
    conflict,
    half_sent,
    label,
    maple_with_coach,
    teacher_writes,
    told,
)
from tests.service.desks_of_maple import text_of
from tests.service.maple import ANA, RIVERA, Maple


@pytest.fixture
def maple() -> Maple:
    return maple_with_coach()


def two_days(maple: Maple) -> None:
    """The norm is over: it is Thursday, ten past ten."""
    maple.clock.forward(hours=48, minutes=10)
    maple.rounds(2, minutes=5)


def only(mails: list[EmailMessage]) -> EmailMessage:
    (mail,) = mails
    return mail


def test_the_teacher_is_reminded_at_the_end_of_the_norm_and_once(maple: Maple) -> None:
    conflict(maple)
    maple.clock.forward(hours=47)
    maple.rounds(2, minutes=5)
    assert not told(maple, RIVERA)
    maple.clock.forward(hours=1)
    maple.rounds(30, minutes=5)
    mail = only(told(maple, RIVERA))
    assert mail["Subject"] == "A family is waiting for your answer"
    assert "Hello Ms. Rivera" in text_of(mail)
    assert ANA in text_of(mail)
    assert mail["Auto-Submitted"] == "auto-generated"
    assert not half_sent(maple)


def test_then_the_coach_is_told_of_the_teacher_and_of_no_family(maple: Maple) -> None:
    maple.write("conflict grades", body="My son Leo got an unfair grade.")
    maple.round()
    two_days(maple)
    assert not told(maple, COACH)
    assert "Sam Lee" in text_of(told(maple, RIVERA)[0]), "the teacher knows beforehand"
    maple.clock.forward(hours=24)
    maple.rounds(30, minutes=10)
    mail = only(told(maple, COACH))
    assert mail["Subject"] == "Ms. Rivera may be glad of your help"
    assert "Ms. Rivera was reminded on Thursday, March 5" in text_of(mail)
    assert not [word for word in (ANA, "Leo", "grade") if word in mail.as_string()]
    maple.rounds(40, hours=6)
    assert len(told(maple, COACH)) == len(told(maple, RIVERA)) == 1


def test_without_a_coach_the_teacher_alone_is_told() -> None:
    maple = maple_with_coach(coach=False)
    conflict(maple)
    maple.rounds(60, hours=6)
    assert len(told(maple, RIVERA)) == 1
    assert "coach" not in text_of(told(maple, RIVERA)[0])


@pytest.mark.parametrize("how", ["mail", "label", "page", "correction"])
def test_nobody_is_reminded_of_what_the_teacher_has_seen_to(maple: Maple, how: str) -> None:
    first = conflict(maple)
    maple.clock.forward(hours=20)
    if how == "mail":
        teacher_writes(maple)
    elif how == "label":
        label(maple, first, Label.CONFLICT, Label.PLAN_AGREED)
    elif how == "page":
        Cases(maple.database).say(1, CaseWord.AGREED, RIVERA, maple.clock())
    else:
        label(maple, first, Label.ROUTINE)
    maple.rounds(60, hours=6)
    assert not told(maple, RIVERA) + told(maple, COACH)


def test_a_reminder_on_its_way_is_stopped_by_an_answer(maple: Maple) -> None:
    conflict(maple)
    maple.clock.forward(hours=48, minutes=10)
    maple.system.fail("save_draft", SendUncertain("the server is away"))
    maple.round()
    maple.system.heal()
    assert maple.states(DeliveryKind.REMIND) == [DeliveryState.WAITING]
    teacher_writes(maple)
    maple.rounds(6, minutes=20)
    assert maple.states(DeliveryKind.REMIND) == [DeliveryState.CANCELLED]
    assert not told(maple, RIVERA)


def test_a_reminder_that_school_closed_over_leaves_the_next_morning(maple: Maple) -> None:
    conflict(maple)
    maple.clock.forward(hours=53, minutes=20)  # Thursday, 15:20
    maple.system.fail("save_draft", SendUncertain("the server is away"))
    maple.round()
    maple.system.heal()
    maple.clock.forward(minutes=20)
    maple.rounds(16, minutes=60)
    assert not told(maple, RIVERA)
    maple.clock.now = datetime(2026, 3, 6, 14, 1, tzinfo=UTC)  # Friday, 8:01
    maple.rounds(2, minutes=16)
    assert len(told(maple, RIVERA)) == 1
    assert not half_sent(maple)


def test_nobody_is_reminded_at_night_or_at_the_weekend(maple: Maple) -> None:
    maple.clock.now = datetime(2026, 3, 5, 1, 0, tzinfo=UTC)  # Wednesday, 19:00: the norm ends on Monday at 8:00
    conflict(maple)
    maple.rounds(110, hours=1)
    left_at = [
        at for at, (_, raw) in zip(maple.system.departed_at, maple.system.departed, strict=True) if b": notice" in raw
    ]
    assert left_at == [datetime(2026, 3, 9, 14, 0, tzinfo=UTC)] or left_at[0] >= datetime(2026, 3, 9, 13, 0, tzinfo=UTC)
    assert len(told(maple, RIVERA)) == 1


def test_a_family_that_writes_again_after_an_answer_waits_anew(maple: Maple) -> None:
    conflict(maple)
    two_days(maple)
    maple.clock.forward(minutes=30)
    teacher_writes(maple)
    maple.round()
    maple.clock.forward(minutes=30)
    conflict(maple)
    maple.clock.forward(hours=40)
    maple.round()
    assert len(told(maple, RIVERA)) == 1
    maple.rounds(40, hours=3)
    assert len(told(maple, RIVERA)) == 2
    assert len({mail["Message-ID"] for mail in told(maple, RIVERA)}) == 2


def test_more_mail_while_it_waits_is_no_new_wait(maple: Maple) -> None:
    first = conflict(maple)
    two_days(maple)
    conflict(maple, follows=first)
    label(maple, first, Label.ROUTINE)
    maple.rounds(60, hours=6)
    assert len(told(maple, RIVERA)) == len(told(maple, COACH)) == 1


def test_a_hostile_message_offers_the_coach_to_the_teacher_and_tells_the_coach_only_where_wanted() -> None:
    for early in (False, True):
        maple = maple_with_coach(early=early)
        maple.write("conflict grades", body="You are a liar and my lawyer will call.")
        maple.rounds(3, minutes=5)
        assert len(told(maple, COACH)) == early
        if early:
            assert "in a harsh tone" in text_of(told(maple, COACH)[0])
            assert "liar" not in told(maple, COACH)[0].as_string()
        two_days(maple)
        assert "You need not do this alone: Sam Lee" in text_of(told(maple, RIVERA)[0])


def test_a_family_s_repeated_cases_offer_the_coach_too() -> None:
    maple = maple_with_coach(early=True, repeated=2)
    first = conflict(maple)
    label(maple, first, Label.CONFLICT, Label.PLAN_AGREED)
    assert not told(maple, COACH)
    conflict(maple)
    maple.rounds(2, minutes=5)
    assert "2 such conversations within 90 days" in text_of(only(told(maple, COACH)))


def test_cases_of_last_term_are_not_counted() -> None:
    maple = maple_with_coach(early=True, repeated=2, term_days=30)
    label(maple, conflict(maple), Label.CONFLICT, Label.PLAN_AGREED)
    maple.clock.forward(days=31)
    conflict(maple)
    maple.rounds(2, minutes=5)
    assert not told(maple, COACH)


def test_in_stage_observe_nobody_is_reminded(maple: Maple) -> None:
    conflict(maple)
    maple.clock.forward(hours=50)
    assembly = maple.assembly()
    box = maple.box(stage=Stage.OBSERVE)
    assert remind(box, assembly.cases(), maple.settings, assembly.calendar, maple.clock()) == 0
    assert not maple.deliveries(DeliveryKind.REMIND)


def test_of_two_workers_one_takes_the_step(maple: Maple) -> None:
    conflict(maple)
    maple.clock.forward(hours=49)
    store = Cases(maple.database)
    (first,), (second,) = store.due(RIVERA, maple.clock()), store.due(RIVERA, maple.clock())
    assert store.tell(first, CaseEventKind.REMINDED, (), maple.clock())
    assert not store.tell(second, CaseEventKind.REMINDED, (), maple.clock())


def test_a_step_is_not_taken_over_an_answer_that_came_meanwhile(maple: Maple) -> None:
    maple.write("conflict grades")
    maple.sweep()
    (view,) = Cases(maple.database).due(RIVERA, maple.clock())
    teacher_writes(maple)
    maple.sweep()
    assert not Cases(maple.database).tell(view, CaseEventKind.REMINDED, (), maple.clock())


def test_a_clock_that_was_ahead_keeps_nobody_from_being_reminded(maple: Maple) -> None:
    conflict(maple)
    maple.clock.forward(days=300)
    store = Cases(maple.database)
    (view,) = store.due(RIVERA, maple.clock())
    store.look_again(view, maple.clock() + timedelta(days=1), maple.clock())
    maple.clock.forward(days=-298)
    maple.rounds(2, minutes=5)
    assert len(told(maple, RIVERA)) == 1


def test_over_smtp_a_reminder_that_may_be_out_is_not_sent_again(maple: Maple) -> None:
    conflict(maple)
    maple.clock.forward(hours=49)
    maple.system.fail("send_draft handed over", SendUncertain("no word"))
    maple.round()
    maple.system.heal()
    maple.rounds(10, minutes=20)
    assert len(told(maple, RIVERA)) == 1
    assert maple.states(DeliveryKind.REMIND) == [DeliveryState.UNCERTAIN]


def test_not_a_conflict_in_the_page_corrects_the_messages(maple: Maple) -> None:
    first = conflict(maple)
    Cases(maple.database).say(1, CaseWord.NO_CONFLICT, RIVERA, maple.clock())
    maple.rounds(2, minutes=5)
    assert maple.labels(first) == {Label.ROUTINE}
    assert cases(maple)[0].events[-1].by == RIVERA
