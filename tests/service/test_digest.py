"""The morning mail: on school mornings, once, before the first bell, and only where there is something to tell."""

import shutil
import sqlite3
import threading
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
import structlog

from autoresponder.guards import GUARDS
from autoresponder.planner import STANDINGS
from config import SchoolCalendar
from config.settings import CallWindow, Digest, Holiday, Norm, Role, Settings, Staff, Stage, Web
from connectors.errors import AuthenticationFailed, ConnectFailed, MailboxError, SendFailed, SendUncertain, Throttled
from connectors.labels import Label
from scorecard.roster import Roster
from service.digest import MorningMail, before_school, gets_digest
from service.digest_facts import days_back
from service.runner import Runner
from store.agenda import Agendas
from store.database import Database
from tests.service.cases_of_maple import conflict, label, teacher_writes
from tests.service.desks_of_maple import LEE, answers, got, maple_with_desks, text_of
from tests.service.maple import ANA, BO, OFFICE, OKAFOR, RIVERA, Maple

SEVEN = datetime(2026, 3, 4, 13, 0, tzinfo=UTC)
"""Seven o'clock in Chicago, on the school day after `maple.TUESDAY`."""
DAY = timedelta(days=1)
MONDAY = datetime(2026, 3, 9, 12, 0, tzinfo=UTC)
"""Seven o'clock after the night in which clocks went forward."""
PATIENCE = 30.0


class Crash(BaseException):
    """The process is gone."""


def look(maple: Maple, address: str = RIVERA, *, die_at: str = "") -> None:
    """A fresh process looks after a mailbox's morning mail; dies at a step if told so."""

    def step(name: str, _notice: int) -> None:
        if name == die_at:
            raise Crash

    MorningMail(maple.assembly(), on_step=step).look_after(maple.box(address), maple.mailbox(address))


def next_at(maple: Maple) -> datetime | None:
    """When the morning mail's sender has something to do next, as the service asks it."""
    assembly, box = maple.assembly(), maple.box()
    return MorningMail(assembly).next_at(box, Agendas(assembly.database).of(box.address, maple.clock()))


def mails(maple: Maple, address: str = RIVERA) -> list[EmailMessage]:
    """The morning mails that really left for a teacher."""
    return [mail for mail in got(maple, address) if str(mail["Subject"]).startswith("Good morning")]


def change(maple: Maple, **sections: Mapping[str, object]) -> Maple:
    """The same school with other settings, by section; `box` for the mailboxes'."""
    settings = maple.settings
    boxes = tuple(box.model_copy(update=dict(sections.pop("box", {}))) for box in settings.mailboxes)
    changed = {name: getattr(settings, name).model_copy(update=dict(keys)) for name, keys in sections.items()}
    maple.settings = settings.model_copy(update={**changed, "mailboxes": boxes})
    return maple


def told_at(maple: Maple, now: datetime, address: str = RIVERA) -> str:
    """What a teacher is told at a time, after the mailboxes were read; empty where nothing."""
    maple.round()
    maple.clock.now = now
    maple.round()
    before = len(mails(maple, address))
    look(maple, address)
    return "\n".join(text_of(mail) for mail in mails(maple, address)[before:])


@pytest.fixture
def maple() -> Maple:
    """The school, with its mailboxes connected."""
    maple = Maple()
    maple.round()
    return maple


@pytest.fixture
def waiting(maple: Maple) -> Maple:
    """The school at seven in the morning, after a family wrote the day before."""
    maple.write()
    maple.round()
    maple.clock.now = SEVEN
    return maple


class TestWhoWaits:
    def test_a_family_that_wrote_and_has_not_heard_from_the_teacher(self, maple: Maple) -> None:
        maple.write()
        assert "ana@family.example: by Thursday, March 5 (21 of 48 school hours)" in told_at(maple, SEVEN)
        assert mails(maple)[0]["Subject"] == "Good morning: 1 waiting"

    def test_the_automatic_answer_is_no_answer_of_the_teachers(self, maple: Maple) -> None:
        maple.write()
        assert "ana@family.example" in told_at(maple, SEVEN)
        assert len(maple.answers()) == 1

    def test_a_child_is_named_as_the_roster_has_it(self, tmp_path: Path) -> None:
        roster = tmp_path / "roster.csv"
        roster.write_text("student,guardian_email\nMateo Diaz,ana@family.example\n")
        maple = Maple(roster=Roster.load(roster))
        maple.round()
        maple.write()
        assert "Mateo Diaz (ana@family.example): by" in told_at(maple, SEVEN)

    def test_a_sender_who_may_be_somebody_else_is_not_tied_to_a_child(self, tmp_path: Path) -> None:
        roster = tmp_path / "roster.csv"
        roster.write_text("student,guardian_email\nMateo Diaz,ana@family.example\n")
        maple = Maple(roster=Roster.load(roster))
        maple.round()
        maple.write(Authentication_Results="mx.maple.example; dmarc=fail")
        told = told_at(maple, SEVEN)
        assert "ana@family.example (sender not verified)" in told
        assert "Mateo" not in told

    def test_the_oldest_stands_first_and_a_familys_messages_are_one_line(self, maple: Maple) -> None:
        maple.write(sender=BO)
        maple.clock.forward(hours=1)
        maple.write()
        maple.clock.forward(hours=1)
        maple.write(sender=BO)
        told = told_at(maple, SEVEN)
        assert told.index(BO) < told.index(ANA)
        assert told.count(BO) == 1
        assert "2 messages" in told.partition(ANA)[0]
        assert mails(maple)[0]["Subject"] == "Good morning: 2 waiting"

    def test_a_promise_that_is_over_is_said_and_stays_in_the_mail(self, maple: Maple) -> None:
        maple.write()
        assert "hoped for by Thursday, March 5 (69 of 48 school hours)" in told_at(maple, SEVEN + 2 * DAY)

    def test_holidays_stop_the_count(self, maple: Maple) -> None:
        closed = Holiday(first=date(2026, 3, 4), last=date(2026, 3, 8))
        change(maple, school={"holidays": (closed,)})
        maple.write()
        assert "by Tuesday, March 10 (21 of 48 school hours)" in told_at(maple, MONDAY)

    @pytest.mark.parametrize(
        "headers",
        [
            {"subject": "thanks", "body": "Thank you so much!"},
            {"sender": OKAFOR},
            {"sender": "principal@maple.example"},
            {"Auto_Submitted": "auto-generated"},
            {"List_Id": "<pta.family.example>"},
            {"subject": "urgent robot", "Precedence": "bulk"},
            {"subject": "urgent colleague", "sender": "lee@hr.maple.example"},
        ],
        ids=lambda headers: " ".join(headers.values()),
    )
    def test_thanks_colleagues_lists_and_robots_wait_for_nobody(self, maple: Maple, headers: dict[str, str]) -> None:
        maple.write(**headers)  # type: ignore[arg-type]
        assert told_at(maple, SEVEN) == ""
        assert len(maple.records()) == 1

    def test_every_guard_says_whether_somebody_waits(self) -> None:
        assert set(STANDINGS) <= set(GUARDS)

    def test_whom_the_teacher_answered_in_the_thread_waits_no_more(self, maple: Maple) -> None:
        message = maple.write()
        maple.round()
        maple.teacher_answers(message)
        assert told_at(maple, SEVEN) == ""

    def test_whoever_writes_again_after_the_answer_waits_from_then_on(self, maple: Maple) -> None:
        message = maple.write()
        maple.round()
        maple.teacher_answers(message)
        maple.clock.forward(hours=2)
        maple.write(body="And on Friday?", In_Reply_To=f"<{message}>", References=f"<{message}>")
        assert "(19 of 48 school hours)" in told_at(maple, SEVEN)

    def test_what_the_teacher_deleted_waits_no_more(self, maple: Maple) -> None:
        message = maple.write()
        maple.round()
        maple.delete(message)
        assert told_at(maple, SEVEN) == ""

    def test_taking_the_label_off_says_that_the_teacher_is_done_with_it(self, maple: Maple) -> None:
        message = maple.write()
        maple.round()
        maple.relabel(message)
        assert told_at(maple, SEVEN) == ""

    def test_another_label_says_no_such_thing(self, maple: Maple) -> None:
        message = maple.write()
        maple.round()
        maple.relabel(message)
        maple.round()
        maple.relabel(message, Label.ROUTINE)
        assert ANA in told_at(maple, SEVEN)

    def test_old_mail_drops_out_after_the_configured_school_days(self, maple: Maple) -> None:
        change(maple, digest={"school_days": 2})
        maple.write()
        assert ANA in told_at(maple, SEVEN + DAY)
        assert told_at(maple, SEVEN + 2 * DAY) == ""

    def test_mail_from_before_the_mailbox_was_connected_is_not_named(self) -> None:
        maple = Maple()
        maple.write()
        assert told_at(maple, SEVEN) == ""

    def test_a_subject_stands_there_only_where_the_school_keeps_them(self) -> None:
        for keeps in (True, False):
            maple = Maple(settings={"keep_subjects": keeps})
            maple.round()
            maple.write("routine Field trip")
            assert ("“routine Field trip”" in told_at(maple, SEVEN)) is keeps

    def test_no_word_of_a_message_stands_in_it(self, maple: Maple) -> None:
        maple.write("routine The divorce", body="We are getting a divorce.")
        told_at(maple, SEVEN)
        assert b"divorce" not in mails(maple)[0].as_bytes()


class TestCalls:
    def test_a_conflict_is_for_a_call_and_not_counted_as_waiting_too(self, maple: Maple) -> None:
        maple.write("conflict about the grade")
        maple.write("routine question")
        told = told_at(maple, SEVEN)
        assert "Better called than written to: ana@family.example: by" in told
        assert "Waiting" not in told
        assert mails(maple)[0]["Subject"] == "Good morning: 1 to call"

    def test_the_teachers_call_times_of_the_day_stand_beside_it(self, maple: Maple) -> None:
        windows = tuple(CallWindow(day=day, opens=time(12, 10), closes=time(12, 40)) for day in ("wed", "thu"))
        change(maple, box={"call_windows": windows})
        maple.write("conflict about the grade")
        assert "Your call times today: 12:10 PM to 12:40 PM" in told_at(maple, SEVEN)

    def test_one_who_wrote_about_something_else_too_is_one_line_with_all_of_it(self, maple: Maple) -> None:
        maple.write("routine question")
        maple.clock.forward(hours=1)
        conflict(maple)
        told = told_at(maple, SEVEN)
        assert "(21 of 48 school hours); 2 messages" in told
        assert told.count(ANA) == 1

    def test_two_who_write_into_one_thread_are_two_families(self, maple: Maple) -> None:
        first = conflict(maple)
        conflict(maple, BO, follows=first)
        teacher_writes(maple, ANA, follows=first)
        told = told_at(maple, SEVEN)
        assert BO in told
        assert ANA not in told

    def test_whom_the_teacher_answered_is_called_no_more(self, maple: Maple) -> None:
        conflict(maple)
        teacher_writes(maple)
        assert told_at(maple, SEVEN) == ""

    def test_a_case_that_waits_longer_than_mail_is_counted_is_left_to_its_reminders(self, maple: Maple) -> None:
        change(maple, digest={"school_days": 2})
        conflict(maple)
        assert ANA in told_at(maple, SEVEN + DAY)
        assert told_at(maple, SEVEN + 2 * DAY) == ""


class TestPlans:
    def test_an_answered_case_is_followed_up_on_the_day_that_the_draft_names(self, maple: Maple) -> None:
        conflict(maple)
        teacher_writes(maple)
        assert told_at(maple, SEVEN + DAY) == ""
        assert "To follow up today: ana@family.example" in told_at(maple, SEVEN + 2 * DAY)
        assert mails(maple)[-1]["Subject"] == "Good morning: 1 to follow up"
        assert told_at(maple, MONDAY) == ""

    def test_nothing_was_promised_to_a_family_that_the_teacher_has_not_written_to(self, maple: Maple) -> None:
        conflict(maple)
        assert "To follow up" not in told_at(maple, SEVEN + 2 * DAY)

    def test_an_agreed_plan_is_followed_up_from_the_day_it_was_agreed_on_and_nobody_is_called(
        self, maple: Maple
    ) -> None:
        message = conflict(maple)
        maple.clock.now = SEVEN + timedelta(hours=8)
        label(maple, message, Label.CONFLICT, Label.PLAN_AGREED)
        assert told_at(maple, SEVEN + DAY) == ""
        assert told_at(maple, SEVEN + 2 * DAY) == ""
        assert "To follow up today: ana@family.example" in told_at(maple, MONDAY + 4 * DAY)

    def test_what_comes_after_the_plan_waits_as_all_mail_does(self, maple: Maple) -> None:
        message = conflict(maple)
        label(maple, message, Label.CONFLICT, Label.PLAN_AGREED)
        maple.clock.forward(hours=1)
        maple.write(body="When do we meet?", In_Reply_To=f"<{message}>", References=f"<{message}>")
        assert "Waiting for your answer: ana@family.example" in told_at(maple, SEVEN)

    def test_a_likely_agreement_is_put_to_the_teacher_until_they_say(self, maple: Maple) -> None:
        first = conflict(maple)
        maple.clock.forward(hours=1)
        answer = teacher_writes(maple, follows=first)
        maple.round()
        maple.clock.forward(hours=1)
        yes = "That sounds good to me, let's do it that way. Thank you!"
        maple.write("Re: grades", body=yes, In_Reply_To=f"<{answer}>", References=f"<{first}> <{answer}>")
        told = told_at(maple, SEVEN)
        assert "A plan may be agreed with: ana@family.example" in told
        assert "Only you know whether a plan was agreed." in told
        label(maple, first, Label.CONFLICT, Label.PLAN_AGREED)
        assert "A plan may be agreed" not in told_at(maple, SEVEN + DAY)


class TestThePromise:
    def test_the_day_is_the_one_that_the_family_was_told(self, maple: Maple) -> None:
        maple.write()
        maple.round()
        promised = text_of(maple.answers()[0])
        assert "Thursday, March 5" in promised
        change(maple, norm={"reply_within_hours": (24, 24)})  # the school changes its norm afterwards
        assert "by Thursday, March 5 (21 of 24 school hours)" in told_at(maple, SEVEN)

    def test_where_nobody_promised_anything_it_is_the_norms(self, maple: Maple) -> None:
        change(maple, box={"stage": Stage.TAG})
        maple.write()
        assert "by Thursday, March 5" in told_at(maple, SEVEN)
        assert maple.answers() == []

    def test_the_norm_stands_still_while_the_teacher_is_away(self, maple: Maple) -> None:
        change(maple, box={"stage": Stage.TAG, "away": ("2026-03-04/2026-03-05",)})
        maple.write()
        assert "by Monday, March 9 (21 of 48 school hours)" in told_at(maple, SEVEN + 2 * DAY)

    def test_a_fresh_mail_to_the_family_is_an_answer_too(self, maple: Maple) -> None:
        maple.write()
        maple.round()
        teacher_writes(maple, ANA)
        assert told_at(maple, SEVEN) == ""

    def test_a_mail_to_another_family_is_none(self, maple: Maple) -> None:
        maple.write()
        maple.round()
        teacher_writes(maple, BO)
        assert ANA in told_at(maple, SEVEN)


class TestPausedAnswers:
    def test_a_mailbox_that_stopped_answering_says_so_in_one_line(self) -> None:
        maple = Maple(norm=Norm(answers_per_hour=5))
        maple.round()
        for number in range(12):
            maple.write(sender=f"f{number}@family.example")
        told = told_at(maple, SEVEN)
        assert "Automatic answers from your mailbox are paused since Tuesday, March 3, 10:00 AM" in told
        assert str(mails(maple)[0]["Subject"]).endswith("12 waiting, automatic answers paused")

    def test_a_mailbox_that_never_answers_has_nothing_to_pause(self) -> None:
        maple = Maple(norm=Norm(answers_per_hour=5))
        maple.round()
        for number in range(12):
            maple.write(sender=f"f{number}@family.example")
        maple.round()
        change(maple, box={"stage": Stage.TAG})
        assert "paused" not in told_at(maple, SEVEN)


class TestTheOffice:
    def school(self) -> Maple:
        maple = maple_with_desks()
        maple.settings = maple.settings.model_copy(
            update={"staff": (Staff(address=LEE, name="Sam Lee", role=Role.OFFICE),)}
        )
        maple.round()
        return maple

    def test_what_nobody_has_taken_is_named_as_that(self) -> None:
        maple = self.school()
        maple.write("urgent pickup")
        told = told_at(maple, SEVEN)
        assert "urgent, and nobody at the office has taken it yet" in told
        assert "The office has seen to" not in told

    def test_what_somebody_has_taken_is_said_with_name_and_time_and_waits_no_more(self) -> None:
        maple = self.school()
        maple.write("urgent pickup")
        maple.round()
        maple.clock.forward(minutes=20)
        answers(maple, "Taken", LEE, to=got(maple, OFFICE)[-1])
        told = told_at(maple, SEVEN)
        assert (
            "The office has seen to: ana@family.example: Sam Lee is seeing to it, since Tuesday, March 3, 10:20 AM"
            in told
        )
        assert mails(maple)[0]["Subject"] == "Good morning: 1 seen to by the office"

    def test_what_is_settled_is_said_once(self) -> None:
        maple = self.school()
        maple.write("urgent pickup")
        maple.round()
        answers(maple, "Done", OFFICE)
        assert "the office settled it, Tuesday, March 3" in told_at(maple, SEVEN)
        assert told_at(maple, SEVEN + DAY) == ""

    def test_what_was_settled_on_the_weekend_is_said_on_monday(self) -> None:
        maple = self.school()
        told_at(maple, SEVEN + 2 * DAY)
        maple.clock.now = SEVEN + 4 * DAY
        maple.write("urgent pickup")
        maple.round()
        answers(maple, "Done", OFFICE)
        assert "the office settled it, Sunday, March 8" in told_at(maple, MONDAY)

    def test_what_was_not_urgent_is_said_and_waits_for_the_teacher(self) -> None:
        maple = self.school()
        maple.write("urgent pickup")
        maple.round()
        answers(maple, "Not urgent", OFFICE)
        told = told_at(maple, SEVEN)
        assert "the office found it not urgent" in told
        assert "Waiting for your answer: ana@family.example" in told

    def test_what_the_office_gives_back_waits_for_the_teacher(self) -> None:
        maple = self.school()
        maple.write("urgent pickup")
        maple.round()
        answers(maple, "Back to the teacher", OFFICE)
        told = told_at(maple, SEVEN)
        assert "the office leaves the answer to you" in told
        assert "The office has seen to" not in told

    def test_a_desk_is_named_by_its_name(self) -> None:
        maple = self.school()
        maple.write("urgent health")
        maple.round()
        answers(maple, "Taken", "nurse@maple.example")
        assert "nurse is seeing to it" in told_at(maple, SEVEN)


class TestWhen:
    @pytest.mark.parametrize(
        ("minutes", "sent"), [(-1, False), (0, True), (59, True), (60, False), (300, False), (-360, False)]
    )
    def test_from_its_time_up_to_the_first_bell_and_not_after(self, waiting: Maple, minutes: int, sent: bool) -> None:
        waiting.clock.forward(minutes=minutes)
        look(waiting)
        assert len(mails(waiting)) == sent

    def test_the_school_may_set_another_time(self, waiting: Maple) -> None:
        change(waiting, digest={"at": time(6, 15)})
        waiting.clock.now = SEVEN - timedelta(minutes=46)
        look(waiting)
        assert mails(waiting) == []
        waiting.clock.forward(minutes=1)
        look(waiting)
        assert len(mails(waiting)) == 1

    def test_once_a_day_however_often_somebody_looks_and_again_the_next(self, waiting: Maple) -> None:
        for _ in range(3 * 24 * 4):
            look(waiting)
            waiting.clock.forward(minutes=15)
        assert [mail["Date"].datetime.date() for mail in mails(waiting)] == [date(2026, 3, day) for day in (4, 5, 6)]

    def test_not_on_weekends_and_holidays(self, waiting: Maple) -> None:
        change(waiting, school={"holidays": (Holiday(first=date(2026, 3, 5)),), "opens": time(9, 0)})
        for _ in range(6):
            look(waiting)
            waiting.clock.forward(hours=1)
            look(waiting)
            waiting.clock.forward(hours=23)
        assert [mail["Date"].datetime.date().day for mail in mails(waiting)] == [4, 6, 9]

    def test_it_is_decided_once_whether_there_is_something_to_tell(self, maple: Maple) -> None:
        maple.clock.now = SEVEN
        look(maple)
        maple.write()
        maple.round()
        maple.clock.forward(minutes=10)
        look(maple)
        assert mails(maple) == []

    def test_what_is_answered_between_deciding_and_sending_is_told_no_more(self, waiting: Maple) -> None:
        with pytest.raises(Crash):
            look(waiting, die_at="digest decided")
        waiting.teacher_answers("letter-1@family.example")
        waiting.round()
        waiting.clock.forward(minutes=5)
        look(waiting)
        assert mails(waiting) == []
        assert waiting.drafts() == []

    def test_on_the_days_that_clocks_change_it_keeps_the_schools_time(self) -> None:
        maple = Maple()
        change(maple, school={"days": ("sat", "sun", "mon")})
        calendar = SchoolCalendar.of(maple.settings.school)
        for day, hour in (
            (date(2026, 3, 7), 13),
            (date(2026, 3, 8), 12),
            (date(2026, 10, 31), 12),
            (date(2026, 11, 1), 13),
        ):
            before = before_school(day, maple.settings, calendar)
            assert before is not None
            assert before.begins == datetime(day.year, day.month, day.day, hour, tzinfo=UTC)

    def test_a_time_that_clocks_skip_is_the_first_after_it(self) -> None:
        maple = change(Maple(), school={"days": ("sun",)}, digest={"at": time(2, 30)})
        before = before_school(date(2026, 3, 8), maple.settings, SchoolCalendar.of(maple.settings.school))
        assert before is not None
        assert before.begins == datetime(2026, 3, 8, 8, 0, tzinfo=UTC)

    def test_a_time_that_comes_twice_sends_once(self) -> None:
        maple = change(Maple(), school={"days": ("fri", "sun")}, digest={"at": time(1, 30)})
        maple.clock.now = datetime(2026, 10, 30, 16, 0, tzinfo=UTC)
        maple.round()
        maple.write()
        maple.round()
        maple.clock.now = datetime(2026, 11, 1, 6, 0, tzinfo=UTC)
        for _ in range(30):
            look(maple)
            maple.clock.forward(minutes=10)
        (mail,) = mails(maple)
        assert mail["Date"].datetime == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)

    def test_a_school_that_opens_right_after_midnight_has_its_morning_then(self) -> None:
        maple = change(Maple(), school={"opens": time(0, 30)})
        before = before_school(date(2026, 3, 4), maple.settings, SchoolCalendar.of(maple.settings.school))
        assert before is not None
        assert before.begins == datetime(2026, 3, 4, 6, 0, tzinfo=UTC)

    def test_a_clock_that_was_a_day_ahead_costs_no_second_mail(self, waiting: Maple) -> None:
        look(waiting)
        waiting.clock.forward(days=1)
        look(waiting)
        waiting.clock.now = SEVEN
        look(waiting)
        waiting.clock.forward(days=1)
        look(waiting)
        assert len(mails(waiting)) == 2

    def test_the_next_thing_to_do_is_the_next_morning_or_the_next_try(self, waiting: Maple) -> None:
        assert next_at(waiting) == SEVEN + DAY
        waiting.clock.forward(minutes=-1)
        assert next_at(waiting) == SEVEN
        waiting.clock.now = SEVEN + 2 * DAY
        assert next_at(waiting) == MONDAY
        waiting.system.fail("send_draft", SendFailed("busy"))
        look(waiting)
        assert next_at(waiting) == waiting.clock.now + timedelta(minutes=1)

    def test_where_the_calendar_has_no_further_school_day_there_is_none(self, waiting: Maple) -> None:
        change(waiting, school={"holidays": (Holiday(first=date(2026, 3, 5), last=date(2028, 3, 5)),)})
        assert next_at(waiting) is None
        look(waiting)
        assert len(mails(waiting)) == 1


class TestWhoGetsIt:
    @pytest.mark.parametrize(
        ("sections", "sent"),
        [
            ({}, True),
            ({"digest": {"enabled": False}}, False),
            ({"box": {"digest": False}}, False),
            ({"box": {"stage": Stage.TAG}}, True),
            ({"box": {"stage": Stage.TAG}, "digest": {"from_stage": "reply"}}, False),
            ({"box": {"stage": Stage.OBSERVE}}, False),
            ({"office": {"reply_to": RIVERA}}, False),
            ({"service": {"notices_from": RIVERA}}, False),
        ],
        ids=str,
    )
    def test_a_teacher_where_it_is_on_and_the_stage_allows_it(
        self, waiting: Maple, sections: dict[str, dict[str, object]], sent: bool
    ) -> None:
        change(waiting, **sections)
        look(waiting)
        assert len(mails(waiting)) == sent
        assert gets_digest(waiting.box(), waiting.settings) is sent

    def test_who_gets_none_has_nothing_to_wait_for(self, waiting: Maple) -> None:
        change(waiting, box={"digest": False})
        assert next_at(waiting) is None

    def test_a_mail_that_was_turned_off_meanwhile_is_withdrawn(self, waiting: Maple) -> None:
        with pytest.raises(Crash):
            look(waiting, die_at="notice draft saved")
        assert len(waiting.drafts()) == 1
        change(waiting, box={"digest": False})
        waiting.clock.forward(minutes=5)
        look(waiting)
        assert mails(waiting) == []
        assert waiting.drafts() == []

    def test_each_teacher_hears_of_their_own_families(self, maple: Maple) -> None:
        maple.write(to=(RIVERA,))
        maple.write(sender=BO, to=(OKAFOR,))
        told_at(maple, SEVEN)
        look(maple, OKAFOR)
        assert [ANA in text_of(mail) for mail in (*mails(maple), *mails(maple, OKAFOR))] == [True, False]


STEPS = (
    "digest decided",
    "notice taken",
    "notice draft saved",
    "notice handover recorded",
    "notice sent",
    "notice told",
)


class TestOnce:
    @pytest.mark.parametrize("atomic", [False, True], ids=["smtp", "atomic"])
    @pytest.mark.parametrize("step", STEPS)
    def test_a_crash_at_any_step_leaves_one_mail_or_none_and_never_two(self, step: str, atomic: bool) -> None:
        maple = Maple(atomic_send=atomic)
        maple.round()
        maple.write()
        maple.round()
        maple.clock.now = SEVEN
        with pytest.raises(Crash):
            look(maple, die_at=step)
        for _ in range(10):
            maple.clock.forward(minutes=4)
            look(maple)
        # Handed over, or not: over SMTP nobody can say, so it is not sent (again).
        assert len(mails(maple)) == (0 if step == "notice handover recorded" and not atomic else 1)
        assert maple.drafts() == []

    @pytest.mark.parametrize("atomic", [False, True], ids=["smtp", "atomic"])
    @pytest.mark.parametrize(
        "step",
        ["draft_state", "save_draft", "save_draft done", "send_draft", "send_draft handed over", "send_draft filed"],
    )
    def test_a_process_killed_inside_the_mail_system_sends_no_second_one(self, step: str, atomic: bool) -> None:
        maple = Maple(atomic_send=atomic)
        maple.round()
        maple.write()
        maple.round()
        maple.clock.now = SEVEN
        maple.system.fail(step, Crash(), mailbox=RIVERA)
        if not (atomic and step == "send_draft handed over"):  # which there is not
            with pytest.raises(Crash):
                look(maple)
        maple.system.heal()
        for _ in range(10):
            maple.clock.forward(minutes=4)
            look(maple)
        assert len(mails(maple)) == (0 if step == "send_draft" and not atomic else 1)
        assert maple.drafts() == []

    @pytest.mark.parametrize("step", STEPS[1:5])
    def test_while_one_worker_is_at_it_another_leaves_it_alone(self, waiting: Maple, step: str) -> None:
        def other(name: str, _notice: int) -> None:
            if name == step:
                look(waiting)

        MorningMail(waiting.assembly(), on_step=other).look_after(waiting.box(), waiting.mailbox())
        look(waiting)
        assert len(mails(waiting)) == 1

    def test_many_workers_at_once_send_one(self, tmp_path: Path) -> None:
        maple = Maple(database=Database.open(str(tmp_path / "a.db")))
        maple.round()
        maple.write()
        maple.round()
        maple.clock.now = SEVEN
        together = threading.Barrier(4)

        def work() -> None:
            together.wait(PATIENCE)
            for _ in range(5):
                look(maple)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        assert len(mails(maple)) == 1
        maple.database.close()

    def test_a_database_of_the_evening_before_sends_no_second_one(self, tmp_path: Path) -> None:
        file, backup = tmp_path / "a.db", tmp_path / "backup.db"
        maple = Maple(database=Database.open(str(file)))
        maple.round()
        maple.write()
        maple.round()
        with closing(sqlite3.connect(file)) as connection:
            connection.execute(f"VACUUM INTO '{backup}'")
        maple.clock.now = SEVEN
        look(maple)
        maple.database.close()
        shutil.move(backup, file)
        for leftover in tmp_path.glob("a.db-*"):
            leftover.unlink()
        maple.database = Database.open(str(file))
        maple.clock.forward(minutes=5)
        maple.round()
        look(maple)
        assert len(mails(maple)) == 1
        maple.database.close()

    @pytest.mark.parametrize(
        "error",
        [
            SendFailed("the server is busy"),
            AuthenticationFailed("refused"),
            ConnectFailed("no route"),
            Throttled("wait", 9),
        ],
    )
    def test_a_server_that_refuses_is_asked_again_that_morning(self, waiting: Maple, error: MailboxError) -> None:
        waiting.system.fail("draft_state", error, times=3)
        with structlog.testing.capture_logs() as logs:
            for _ in range(20):
                look(waiting)
                waiting.clock.forward(minutes=1)
        assert len(mails(waiting)) == 1
        assert sum(entry["event"] == "a morning mail could not be sent" for entry in logs) == 3

    def test_and_after_the_first_bell_no_more_until_the_next_morning(self, waiting: Maple) -> None:
        waiting.system.fail("send_draft", SendFailed("the server is busy"), times=99)
        for _ in range(12):
            look(waiting)
            waiting.clock.forward(minutes=10)
        waiting.system.heal()
        look(waiting)
        assert mails(waiting) == []
        assert waiting.drafts() == []  # nothing is left to be sent by mistake
        waiting.clock.now = SEVEN + DAY
        look(waiting)
        assert len(mails(waiting)) == 1

    def test_where_the_mail_server_cannot_say_it_is_not_sent_twice(self, waiting: Maple) -> None:
        waiting.system.fail("send_draft handed over", SendUncertain("the line went dead"))
        for _ in range(20):
            look(waiting)
            waiting.clock.forward(minutes=3)
        assert len(mails(waiting)) == 1
        assert waiting.drafts() == []

    def test_what_the_office_did_is_told_the_next_morning_where_a_mail_could_not_leave(self) -> None:
        maple = maple_with_desks()
        maple.round()
        maple.write("urgent pickup")
        maple.round()
        answers(maple, "Done", OFFICE)
        maple.round()
        maple.clock.now = SEVEN
        maple.system.fail("send_draft", SendFailed("the server is busy"), times=99, mailbox=RIVERA)
        for _ in range(8):
            look(maple)
            maple.clock.forward(minutes=10)
        maple.system.heal()
        assert "the office settled it" in told_at(maple, SEVEN + DAY)

    def test_a_database_that_fails_raises_nothing_into_the_mailboxes_thread(self, waiting: Maple) -> None:
        with waiting.database.write() as connection:
            connection.exec_driver_sql("ALTER TABLE digest RENAME TO elsewhere")
        try:
            with structlog.testing.capture_logs() as logs:
                look(waiting)
            assert [entry["event"] for entry in logs] == ["a morning mail could not be looked after"]
        finally:
            with waiting.database.write() as connection:
                connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO digest")


class TestTheMailItself:
    def test_it_goes_from_the_teachers_mailbox_to_itself_and_says_that_a_program_wrote_it(self, waiting: Maple) -> None:
        look(waiting)
        (mail,) = mails(waiting)
        assert mail["From"] == f"Alliance Inbox <{RIVERA}>"
        assert mail["To"] == RIVERA
        assert mail["Auto-Submitted"] == "auto-generated"
        assert [sender for sender, _ in waiting.system.departed][-1] == RIVERA
        assert mail.get_content_type() == "multipart/alternative"
        assert all(len(line) <= 998 for line in waiting.system.departed[-1][1].split(b"\r\n"))

    def test_the_service_takes_it_for_nobodys_mail_and_for_no_answer(self, waiting: Maple) -> None:
        look(waiting)
        waiting.system.deliver(waiting.system.departed[-1][1], RIVERA)  # where the mail server brings it
        waiting.rounds(3)
        family, sent, arrived = waiting.records()[0], *waiting.records()[-2:]
        assert family.tag is not None
        assert all(record.own for record in (sent, arrived))
        assert (sent.tag, arrived.tag) == (None, None)
        assert waiting.labels(arrived.rfc_message_id or "") == set()
        assert waiting.to_office() == []
        assert waiting.answers(RIVERA) == []
        assert "1 waiting" in (told_at(waiting, SEVEN + DAY) and str(mails(waiting)[-1]["Subject"]))

    def test_where_a_server_gives_it_another_message_id_it_is_known_by_its_mark(self, waiting: Maple) -> None:
        look(waiting)
        raw = waiting.system.departed[-1][1].replace(b"Message-ID: <alliance.notice.", b"Message-ID: <other.")
        waiting.system.deliver(raw, RIVERA)
        waiting.rounds(3)
        assert waiting.records()[-1].tag is None
        assert waiting.answers(RIVERA) == []

    @pytest.mark.parametrize(("subject", "path"), [("routine question", "/ "), ("conflict grades", "/cases ")])
    def test_the_page_that_helps_on_is_linked_where_the_school_serves_pages(
        self, maple: Maple, subject: str, path: str
    ) -> None:
        maple.write(subject)
        assert "https://" not in told_at(maple, SEVEN)
        maple.settings = maple.settings.model_copy(update={"web": Web(url="https://inbox.maple.example")})
        assert f"https://inbox.maple.example{path}" in told_at(maple, SEVEN + DAY)


class TestInTheRunner:
    def test_mail_of_the_night_is_read_first(self, maple: Maple) -> None:
        maple.write()
        maple.clock.now = SEVEN
        assert Runner(maple.assembly(), environ={}).run_once() == {}
        assert ANA in text_of(mails(maple)[0])

    def test_a_mailbox_that_cannot_be_read_gets_none(self, waiting: Maple) -> None:
        waiting.system.fail("changes", ConnectFailed("no route"), mailbox=RIVERA)
        waiting.write(sender=BO, to=(OKAFOR,))
        Runner(waiting.assembly(), environ={}).run_once()
        assert mails(waiting) == []
        assert len(mails(waiting, OKAFOR)) == 1

    def test_a_running_service_sends_it_by_itself_when_its_time_has_come(self, maple: Maple) -> None:
        maple.write()
        maple.round()
        maple.clock.now = SEVEN
        sent = threading.Event()
        maple.system.hooks.append(lambda _address, step: sent.set() if step == "send_draft filed" else None)
        runner = Runner(maple.assembly(), environ={}, boxes=[maple.box()])
        thread = threading.Thread(target=runner.run)
        thread.start()
        try:
            assert sent.wait(PATIENCE)
        finally:
            runner.stop()
            thread.join(PATIENCE)
        assert len(mails(maple)) == 1


class TestSettings:
    def test_it_comes_before_school_opens_or_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"before the school opens \(08:00\)"):
            Settings(**{**dict(Maple().settings), "digest": Digest(at=time(8, 0))})

    def test_a_school_day_back_is_counted_by_the_calendar(self) -> None:
        maple = change(Maple(), school={"holidays": (Holiday(first=date(2026, 3, 2)),)})
        calendar = SchoolCalendar.of(maple.settings.school)
        assert days_back(date(2026, 3, 4), 1, calendar) == date(2026, 3, 3)
        assert days_back(date(2026, 3, 3), 1, calendar) == date(2026, 2, 27)
        assert days_back(date(2026, 3, 4), 3, calendar) == date(2026, 2, 26)
        never = change(Maple(), school={"holidays": (Holiday(first=date(2020, 1, 1), last=date(2027, 1, 1)),)})
        assert days_back(date(2026, 3, 4), 1, SchoolCalendar.of(never.settings.school)) < date(2025, 3, 1)
