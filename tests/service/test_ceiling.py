"""A mailbox that gives too many answers stops; urgent mail reaches the office all the same, and somebody is told."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from autoresponder.ceiling import FOR_ONE_PERSON, STRANGERS
from config.settings import Norm
from connectors.errors import SendRejected
from connectors.labels import Label
from scorecard.roster import Roster
from service.parking import AT_ONCE
from store.ceiling import Ceiling
from store.database import Database
from store.tables import DeliveryKind, DeliveryState
from tests.service.maple import ANA, OKAFOR, RIVERA, Maple
from tests.service.notices_of_maple import ALLIANCE, IT, Crash, attendant, notices, text

TOLD = {"administrator": IT, "notices_from": ALLIANCE}
FEW = Norm(answers_per_hour=5)
REPLY = DeliveryKind.REPLY


def connected(**given: object) -> Maple:
    maple = Maple(**({"norm": FEW, "settings": TOLD} | given))  # type: ignore[arg-type]
    maple.round()
    maple.clock.forward(minutes=15)
    return maple


@pytest.fixture
def maple() -> Maple:
    """A connected school that allows five answers an hour."""
    return connected()


def families(maple: Maple, count: int, subject: str = "routine trip", first: int = 0) -> None:
    """So many families write, each from a domain of its own."""
    for number in range(first, first + count):
        maple.write(subject, f"parent@home{number}.example")


def left(maple: Maple) -> int:
    """How many answers left."""
    return sum(b"Auto-Submitted: auto-replied" in raw for _, raw in maple.system.departed)


def ceiling(maple: Maple) -> Ceiling:
    return Ceiling(maple.database, maple.settings.norm)


def stopped(maple: Maple) -> bool:
    return ceiling(maple).room(RIVERA, maple.clock(), planning=True) is not None


class TestStopping:
    def test_no_more_answers_leave_within_an_hour_than_the_norm_allows(self, maple: Maple) -> None:
        families(maple, 12)
        maple.rounds(6, minutes=5)
        assert left(maple) == 5
        assert maple.states(REPLY).count(DeliveryState.CANCELLED) == 7
        assert all("answers from this mailbox" in (mail.last_error or "") for mail in maple.deliveries(REPLY)[5:])
        assert not maple.drafts()

    def test_while_stopped_nothing_is_planned_and_everything_else_goes_on(self, maple: Maple) -> None:
        families(maple, 6)
        maple.round()
        routine = maple.write("routine question", ANA)
        conflict = maple.write("conflict grade", "bo@family.example")
        maple.rounds(2, minutes=5)
        assert [record.guard for record in maple.records() if record.rfc_message_id in {routine, conflict}] == [
            "answers_stopped",
            "answers_stopped",
        ]
        assert maple.labels(routine) == {Label.ROUTINE}
        assert maple.labels(conflict) == {Label.CONFLICT}
        assert left(maple) == 5

    def test_routine_mail_that_the_school_wants_at_the_office_still_goes_there(self) -> None:
        maple = connected(office={"routine_topics": ("attendance",)})
        families(maple, 6)
        maple.round()
        maple.write("routine attendance", ANA)
        maple.rounds(2, minutes=5)
        assert maple.routed() == ["routine attendance"]
        assert maple.answers() == []

    def test_people_in_need_still_get_their_note_up_to_a_bound_and_the_office_gets_every_one(
        self, maple: Maple
    ) -> None:
        families(maple, 6)
        maple.round()
        families(maple, 8, "urgent bus", first=100)
        maple.rounds(4, minutes=5)
        assert left(maple) == 5 + 5
        assert len(maple.routed()) == 8
        told = [text(mail) for mail in maple.to_office()]
        assert sum("answers from this mailbox are stopped" in each for each in told) == 3, (
            "the office knows who was not told"
        )

    def test_another_mailbox_answers_as_always(self, maple: Maple) -> None:
        families(maple, 6)
        maple.write("routine question", ANA, to=(OKAFOR,))
        maple.rounds(3, minutes=5)
        assert len(maple.answers()) == 1

    def test_answers_that_waited_for_hours_do_not_leave_in_a_burst(self) -> None:
        maple = connected()
        for hour in range(4):
            families(maple, 4, first=10 * hour)
            maple.sweep()  # the mail server takes nothing all the while
            maple.clock.forward(hours=1)
        maple.rounds(3, minutes=5)
        assert left(maple) == 5

    def test_an_hour_later_there_is_room_for_as_many_again(self, maple: Maple) -> None:
        families(maple, 4)
        maple.round()
        maple.clock.forward(minutes=61)
        families(maple, 4, first=10)
        maple.rounds(2, minutes=5)
        assert left(maple) == 8

    def test_strangers_of_one_domain_stop_the_answers_and_families_of_the_roster_do_not(self, tmp_path: Path) -> None:
        file = tmp_path / "roster.csv"
        rows = [f"Child {number},parent{number}@plant.example" for number in range(20)]
        file.write_text("\n".join(["student,guardian_email", *rows]))
        maple = connected(roster=Roster.load(file), norm=Norm())
        for number in range(20):
            maple.write("routine trip", f"parent{number}@plant.example")
        maple.rounds(2, minutes=5)
        assert left(maple) == 20
        for number in range(20):
            maple.write("routine ticket", f"ticket{number}@desk.example")
        maple.rounds(3, minutes=5)
        assert left(maple) == 20 + STRANGERS

    def test_one_address_that_gets_ever_more_answers_stops_them(self) -> None:
        maple = connected(norm=Norm(answer_again_after_school_days=1))
        for number in range(FOR_ONE_PERSON + 2):  # as if the guards had failed: answers of a forgotten record
            maple.write(f"routine {number}", ANA)
            maple.round()
            with maple.database.write() as connection:
                connection.exec_driver_sql("UPDATE delivery SET created_at = datetime(created_at, '-9 days')")
            maple.clock.forward(minutes=61)
        assert left(maple) == FOR_ONE_PERSON

    def test_a_second_answer_alike_that_slipped_past_the_plan_does_not_leave(self, maple: Maple) -> None:
        maple.write("routine one", ANA)
        maple.sweep()
        maple.deliver()
        with maple.database.write() as connection:
            connection.exec_driver_sql("UPDATE delivery SET recipient = 'somebody@else.example' WHERE kind = 'reply'")
        maple.write("routine two", ANA)
        maple.sweep()
        with maple.database.write() as connection:
            connection.exec_driver_sql(f"UPDATE delivery SET recipient = '{ANA}' WHERE kind = 'reply'")
        maple.rounds(2, minutes=1)
        assert len(maple.answers()) == 1
        assert maple.states(REPLY) == [DeliveryState.DONE, DeliveryState.CANCELLED]


class TestResuming:
    def test_after_the_pause_new_messages_are_answered_and_old_ones_are_not(self, maple: Maple) -> None:
        families(maple, 8)
        maple.round()
        maple.write("routine question", ANA)
        maple.rounds(2, minutes=30)
        maple.clock.forward(hours=24)
        assert not stopped(maple)
        maple.write("routine question", "bo@family.example")
        maple.rounds(2, minutes=5)
        assert left(maple) == 6
        assert len(maple.answers("bo@family.example")) == 1

    def test_somebody_who_has_looked_lets_them_go_on_and_the_count_begins_anew(self, maple: Maple) -> None:
        families(maple, 6)
        maple.rounds(1, minutes=5)
        assert ceiling(maple).resume(RIVERA, maple.clock())
        assert not ceiling(maple).resume(RIVERA, maple.clock())
        maple.clock.forward(minutes=1)
        families(maple, 6, first=20)
        maple.rounds(2, minutes=5)
        assert left(maple) == 10, "five before, five after, and then they stop again"
        assert stopped(maple)

    def test_what_was_planned_before_the_end_is_not_sent_after_it(self, maple: Maple) -> None:
        families(maple, 8)
        maple.sweep()
        maple.system.fail("save_draft", RuntimeError("scripted"), times=1)
        maple.deliver()
        maple.system.heal()
        maple.clock.forward(minutes=1)
        ceiling(maple).resume(RIVERA, maple.clock())
        maple.rounds(4, minutes=15)
        assert left(maple) == 4, "the one that waited held a place, and comes too late"


class TestCrashesWorkersAndClocks:
    @pytest.mark.parametrize(
        "step", ["claimed", "draft saved", "draft recorded", "sending recorded", "sent", "done recorded"]
    )
    def test_a_crash_at_any_step_leaves_the_ceiling_where_it_was(self, maple: Maple, step: str) -> None:
        families(maple, 9)
        maple.sweep()
        for _ in range(4):
            seen = 0

            def on_step(name: str, _delivery: int) -> None:
                nonlocal seen
                seen += name == step
                if seen == 2:
                    raise Crash

            try:
                maple.deliver(on_step=on_step)
            except Crash:
                maple.clock.forward(minutes=4)
        maple.rounds(6, minutes=4)
        assert left(maple) <= 5
        assert not maple.drafts()
        assert stopped(maple)

    def test_an_answer_that_is_tried_again_takes_one_place(self, maple: Maple) -> None:
        maple.write("routine question", ANA)
        maple.system.fail("save_draft", RuntimeError("scripted"), times=3)
        maple.rounds(8, minutes=7)
        maple.system.heal()
        (standing,) = ceiling(maple).standings([RIVERA], maple.clock())
        assert standing.this_hour == 1
        assert len(maple.answers()) == 1

    def test_an_answer_that_certainly_did_not_leave_gives_its_place_back(self, maple: Maple) -> None:
        maple.write("routine question", ANA)
        maple.system.fail("send_draft", SendRejected("550 not today"))
        maple.rounds(2, minutes=5)
        (standing,) = ceiling(maple).standings([RIVERA], maple.clock())
        assert maple.states(REPLY) == [DeliveryState.SET_ASIDE]
        assert standing.this_hour == 0

    def test_two_workers_at_once_let_out_no_more(self, tmp_path: Path) -> None:
        maple = connected(database=Database.open("maple.db", folder=tmp_path))
        families(maple, 14)
        maple.sweep()
        start = threading.Barrier(3)

        def work() -> None:
            start.wait()
            maple.deliver()

        workers = [threading.Thread(target=work) for _ in range(3)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        assert left(maple) == 5
        maple.database.close()

    def test_a_clock_that_was_a_year_ahead_keeps_nothing_shut(self, maple: Maple) -> None:
        maple.clock.forward(days=365)
        families(maple, 8)
        maple.round()
        assert stopped(maple)
        maple.clock.forward(days=-365)
        assert stopped(maple)
        maple.clock.forward(hours=25)
        assert not stopped(maple)
        maple.write("routine question", "bo@family.example")
        maple.rounds(2, minutes=5)
        assert len(maple.answers("bo@family.example")) == 1

    def test_answers_given_under_a_clock_that_was_ahead_count_for_one_hour_like_others(self, maple: Maple) -> None:
        maple.clock.forward(days=365)
        families(maple, 4)
        maple.round()
        maple.clock.forward(days=-365)
        families(maple, 1, first=10)
        maple.round()
        maple.clock.forward(hours=2)
        families(maple, 4, first=20)
        maple.rounds(2, minutes=5)
        assert left(maple) == 9
        assert not stopped(maple)

    def test_a_clock_that_was_ahead_when_somebody_resumed_costs_nobody_an_answer(self, maple: Maple) -> None:
        families(maple, 6)
        maple.round()
        assert ceiling(maple).resume(RIVERA, maple.clock() + timedelta(minutes=59))
        maple.clock.forward(minutes=5)
        maple.write("routine question", ANA)
        maple.rounds(2, minutes=5)
        assert len(maple.answers()) == 1


class TestTelling:
    def test_the_administrator_is_told_once_of_each_time(self, maple: Maple) -> None:
        families(maple, 8)
        maple.round()
        for _ in range(5):
            attendant(maple).tell(AT_ONCE)
            maple.clock.forward(minutes=20)
        (notice,) = notices(maple)
        assert notice["Subject"] == f"Alliance Inbox has stopped answering families from {RIVERA}"
        said = text(notice)
        for words in (
            "5 answers left within an hour",
            f"alliance answers resume {RIVERA}",
            "urgent reaches the office",
        ):
            assert words in said
        assert "Tuesday, March 3, 10:15 AM" in said
        assert "Wednesday, March 4, 10:15 AM" in said
        ceiling(maple).resume(RIVERA, maple.clock())
        maple.clock.forward(minutes=1)
        families(maple, 8, first=50)
        maple.round()
        attendant(maple).tell(AT_ONCE)
        assert len(notices(maple)) == 2

    def test_a_school_that_writes_spanish_to_its_staff_is_told_in_spanish(self, maple: Maple) -> None:
        school = maple.settings.school.model_copy(update={"languages": ("es", "en")})
        maple.settings = maple.settings.model_copy(update={"school": school})
        families(maple, 8)
        maple.round()
        attendant(maple).tell(AT_ONCE)
        (notice,) = notices(maple)
        said = text(notice)
        assert notice["Subject"] == f"Alliance Inbox ha dejado de responder a las familias desde {RIVERA}"
        for said_too in (
            "en una hora salieron 5 respuestas (norm.answers_per_hour)",
            "martes 3 de marzo",
            f"«alliance answers resume {RIVERA}»",
            "Qué hacer",
        ):
            assert said_too in said
        for english in ("mailbox", "Stopped", "Why", "What to do", "You get", "Everything"):
            assert english not in said

    def test_mailboxes_that_stop_within_minutes_stand_in_few_notices(self, maple: Maple) -> None:
        families(maple, 6)
        for number in range(6):
            maple.write("routine trip", f"parent@home{number}.example", to=(OKAFOR,))
        maple.round()
        attendant(maple).tell(AT_ONCE)
        (notice,) = notices(maple)
        assert "2 mailboxes" in str(notice["Subject"])
        assert "alliance answers resume --all" in text(notice)

    def test_what_somebody_resumed_before_it_could_be_told_is_not_told(self, maple: Maple) -> None:
        families(maple, 6)
        maple.round()
        ceiling(maple).resume(RIVERA, maple.clock())
        attendant(maple).tell(AT_ONCE)
        assert notices(maple) == []

    @pytest.mark.parametrize(
        "step", ["notice announced", "notice taken", "notice draft saved", "notice handover recorded", "notice sent"]
    )
    def test_a_crash_while_telling_leaves_one_notice(self, maple: Maple, step: str) -> None:
        families(maple, 6)
        maple.round()
        with pytest.raises(Crash):
            attendant(maple, die_at=step).tell(AT_ONCE)
        for _ in range(4):
            maple.clock.forward(minutes=20)
            attendant(maple).tell(AT_ONCE)
        assert len(notices(maple)) == 1

    def test_the_log_says_which_and_what_to_do(self, maple: Maple) -> None:
        families(maple, 8)
        with structlog.testing.capture_logs() as logs:
            maple.round()
        (said,) = [line for line in logs if line["log_level"] == "error"]
        assert said["mailbox"] == RIVERA
        assert said["cause"] == "hour"
        assert said["resume"] == f"alliance answers resume {RIVERA}"
