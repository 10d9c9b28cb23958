"""What becomes of planned deliveries when mail servers, teachers and clocks do what they do; judged by what left."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError

import service.composing
from config.settings import Stage
from connectors.errors import (
    AuthenticationFailed,
    ConnectFailed,
    DraftFailed,
    FetchFailed,
    InsecureConnection,
    MailboxError,
    MessageGone,
    SendFailed,
    SendRejected,
    SendUncertain,
    TagFailed,
)
from connectors.labels import Label
from store.outbox import Outbox
from store.tables import DeliveryKind, DeliveryState
from tests.service.maple import ANA, BO, OKAFOR, RIVERA, Maple

ROUTE, REPLY, TAG = DeliveryKind.ROUTE, DeliveryKind.REPLY, DeliveryKind.TAG
EVERY_ERROR = (
    MailboxError,
    ConnectFailed,
    InsecureConnection,
    AuthenticationFailed,
    FetchFailed,
    TagFailed,
    DraftFailed,
    SendFailed,
    SendRejected,
    SendUncertain,
    RuntimeError,
)
BEFORE_SENDING = ("draft_state", "fetch", "save_draft", "save_draft done")


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@pytest.fixture(params=[True, False], ids=["atomic", "over SMTP"])
def maple(request: pytest.FixtureRequest) -> Maple:
    """A connected school."""
    return connected(atomic_send=request.param)


@pytest.fixture
def smtp() -> Maple:
    """A connected school whose mail system cannot say whether a mail is out."""
    return connected(atomic_send=False)


def connected(**given: object) -> Maple:
    maple = Maple(**({"teachers": (RIVERA,)} | given))  # type: ignore[arg-type]
    maple.round()
    maple.clock.forward(minutes=15)
    return maple


def killed_at(maple: Maple, step: str, number: int = 1) -> None:
    """The service runs, and is killed at a step of the mail system or of the deliverer."""
    seen = 0

    def on_step(name: str, _delivery: int) -> None:
        nonlocal seen
        seen += name == step
        if name == step and seen == number:
            raise Killed

    maple.system.fail(step, Killed(), number=number)
    with pytest.raises(Killed):
        maple.round(on_step=on_step)
    maple.system.heal()


class TestEveryErrorAtEveryOperation:
    """A failure of any kind, at any operation, delays at most. Nothing is lost and nothing is doubled."""

    @pytest.mark.parametrize("error", EVERY_ERROR)
    @pytest.mark.parametrize("step", [*BEFORE_SENDING, "tag", "tag done"])
    def test_a_failure_before_sending_only_delays(self, smtp: Maple, step: str, error: type[Exception]) -> None:
        urgent = smtp.write("urgent bus")
        smtp.system.fail(step, error("scripted"), times=2)
        smtp.rounds(5)
        assert smtp.routed() == ["urgent bus"]
        assert len(smtp.answers()) == 1
        assert smtp.labels(urgent) == {Label.URGENT}
        assert not smtp.drafts()

    @pytest.mark.parametrize("error", [SendFailed, AuthenticationFailed, InsecureConnection, MessageGone])
    def test_a_sending_that_certainly_failed_is_tried_again(self, maple: Maple, error: type[MailboxError]) -> None:
        maple.write("urgent bus")
        maple.system.fail("send_draft", error("scripted"), times=1)
        maple.rounds(5)
        assert maple.routed() == ["urgent bus"]
        assert len(maple.answers()) == 1
        assert not maple.drafts()

    def test_a_rejected_reply_is_set_aside_and_a_retry_sends_it(self, maple: Maple) -> None:
        maple.write()
        maple.system.fail("send_draft", SendRejected("550 not today"))
        maple.rounds(2)
        assert maple.states(REPLY) == [DeliveryState.SET_ASIDE]
        assert not maple.drafts()
        assert Outbox(maple.database, "admin", timedelta(minutes=2)).retry(None, maple.clock()) == 1
        maple.rounds(2)
        assert len(maple.answers()) == 1
        assert maple.states(REPLY) == [DeliveryState.DONE]

    def test_a_route_that_the_server_rejects_is_tried_for_two_days_and_then_set_aside(self, smtp: Maple) -> None:
        smtp.write("urgent bus")
        smtp.system.fail("send_draft", SendRejected("550 no such office"), times=1000)
        smtp.rounds(30, minutes=15)
        assert smtp.states(ROUTE) == [DeliveryState.WAITING]
        with smtp.database.write() as connection:
            connection.exec_driver_sql("UPDATE delivery SET attempts = 299 WHERE kind = 'route'")
        smtp.rounds(1)
        assert smtp.states(ROUTE) == [DeliveryState.SET_ASIDE]
        smtp.system.heal()
        Outbox(smtp.database, "admin", timedelta(minutes=2)).retry(None, smtp.clock())
        smtp.rounds(1)
        assert smtp.routed() == ["urgent bus"]

    @pytest.mark.parametrize("error", [SendUncertain, ConnectFailed, RuntimeError])
    @pytest.mark.parametrize("left", [True, False])
    def test_where_nobody_can_say_whether_it_left_a_reply_is_not_sent_again_over_smtp(
        self, smtp: Maple, error: type[Exception], left: bool
    ) -> None:
        smtp.write()
        smtp.system.fail("send_draft handed over" if left else "send_draft", error("scripted"))
        smtp.rounds(6)
        assert len(smtp.answers()) == left
        assert smtp.states(REPLY) == [DeliveryState.UNCERTAIN]
        assert not smtp.drafts()

    @pytest.mark.parametrize("left", [True, False])
    def test_where_nobody_can_say_whether_it_left_a_route_is_sent_again_over_smtp(
        self, smtp: Maple, left: bool
    ) -> None:
        smtp.write("urgent bus")
        smtp.system.fail("send_draft handed over" if left else "send_draft", SendUncertain("scripted"))
        smtp.rounds(6)
        assert smtp.routed() == ["urgent bus"] * (1 + left)
        assert smtp.states(ROUTE) == [DeliveryState.DONE]
        assert len({mail["Message-ID"] for mail in smtp.to_office()}) == 1

    @pytest.mark.parametrize("step", ["send_draft", "send_draft filed"])
    def test_a_system_that_can_say_sends_exactly_once(self, step: str) -> None:
        maple = connected(atomic_send=True)
        maple.write("urgent bus")
        maple.system.fail(step, SendUncertain("scripted"), times=2)
        maple.rounds(5)
        assert maple.routed() == ["urgent bus"]
        assert len(maple.answers()) == 1
        assert set(maple.states(REPLY) + maple.states(ROUTE)) == {DeliveryState.DONE}

    def test_a_mail_found_in_sent_after_the_settling_time_is_done(self, smtp: Maple) -> None:
        smtp.write()
        smtp.system.fail("send_draft filed", SendUncertain("scripted"))
        smtp.round()
        assert smtp.states(REPLY) == [DeliveryState.WORKING]
        smtp.clock.forward(seconds=59)
        smtp.round()
        assert smtp.states(REPLY) == [DeliveryState.WORKING], "the server may still be sending"
        smtp.clock.forward(seconds=1)
        smtp.round()
        assert smtp.states(REPLY) == [DeliveryState.DONE]
        assert len(smtp.answers()) == 1

    @pytest.mark.parametrize(
        "error", [AuthenticationFailed, InsecureConnection, ConnectFailed, SendFailed, MessageGone]
    )
    @pytest.mark.parametrize("step", ["draft_state", "discard_draft"])
    def test_a_failure_while_asking_what_became_of_a_reply_never_sends_it_again(
        self, smtp: Maple, step: str, error: type[MailboxError]
    ) -> None:
        """It went out and was not filed when the crash came: only the question stands between one answer and two."""
        smtp.write()
        killed_at(smtp, "send_draft handed over")
        smtp.clock.forward(minutes=5)
        smtp.system.fail(step, error("scripted"), times=2)
        smtp.rounds(8)
        assert len(smtp.answers()) == 1
        assert smtp.states(REPLY) == [DeliveryState.UNCERTAIN]


class TestRoutes:
    """An urgent message reaches the office, whatever is wrong with it."""

    def test_a_server_that_never_confirms_does_not_flood_the_office(self, smtp: Maple) -> None:
        smtp.write("urgent bus")
        smtp.system.fail("send_draft handed over", SendUncertain("timed out"), times=10_000)
        smtp.rounds(24, hours=1)
        assert 1 < len(smtp.routed()) <= 10
        assert smtp.states(ROUTE) == [DeliveryState.SET_ASIDE]

    def test_a_message_that_the_composer_chokes_on_reaches_the_office_as_a_summary(
        self, maple: Maple, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        compose = service.composing.compose_route

        def chokes(raw: bytes | None, original: object, facts: object, verdict: object, **named: object) -> bytes:
            if raw is not None or verdict is not None:
                raise ValueError("a composer that quotes the family: call me")
            return compose(raw, original, facts, verdict, **named)  # type: ignore[arg-type]

        monkeypatch.setattr(service.composing, "compose_route", chokes)
        maple.write("urgent bus")
        maple.rounds(2)
        (mail,) = maple.to_office()
        assert ANA in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        assert not any("call me" in (delivery.last_error or "") for delivery in maple.deliveries())

    def test_a_model_that_chokes_at_the_second_reading_keeps_nothing_from_the_office(
        self, maple: Maple, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        maple.write("urgent bus")
        maple.sweep()
        monkeypatch.setattr("tests.service.maple.SubjectSays.read", lambda *_: 1 / 0)
        maple.deliver()
        assert maple.routed() == ["urgent bus"]

    def test_a_message_that_the_server_cannot_hand_over_reaches_the_office_as_a_summary(self, maple: Maple) -> None:
        maple.write("urgent bus")
        maple.system.fail("fetch", FetchFailed("the server cannot read it"), times=10_000)
        maple.rounds(5)
        assert len(maple.to_office()) == 1

    def test_a_message_that_was_deleted_in_between_is_told_to_the_office(self, maple: Maple) -> None:
        urgent = maple.write("urgent bus")
        maple.sweep()
        maple.delete(urgent)
        maple.rounds(4)
        assert len(maple.to_office()) == 1
        assert maple.answers() == []

    def test_a_corrected_message_does_not_go_to_the_office_even_where_a_worker_died_over_it(self, maple: Maple) -> None:
        urgent = maple.write("urgent bus")
        killed_at(maple, "draft recorded")
        maple.relabel(urgent, Label.ROUTINE)
        maple.rounds(4)
        assert maple.routed() == []
        assert maple.answers() == []
        assert not maple.drafts()


class TestReplies:
    """A family is answered once, truthfully, and never behind a person's back."""

    def test_the_urgent_reply_waits_until_the_office_has_it(self, maple: Maple) -> None:
        maple.write("urgent bus")
        maple.system.fail("send_draft", SendFailed("not now"), times=1)
        maple.round()
        assert (maple.routed(), maple.answers()) == ([], [])
        maple.rounds(3, minutes=1)
        assert maple.routed() == ["urgent bus"]
        assert len(maple.answers()) == 1

    def test_a_family_in_need_does_not_wait_for_days_until_the_office_can_be_reached(self, maple: Maple) -> None:
        maple.write("urgent bus")
        maple.write("urgent other", BO)

        def office_is_down(address: str, step: str) -> None:
            drafts = maple.system.account(address).drafts.values()
            if step == "send_draft" and any(b"office@maple.example" in d.raw.partition(b"\r\n\r\n")[0] for d in drafts):
                raise SendFailed("the office's server is away")

        maple.system.hooks.append(office_is_down)
        maple.rounds(6, minutes=5)
        assert maple.routed() == []
        (answer,) = maple.answers()
        assert "555 0100" in answer.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        maple.system.heal()
        maple.rounds(3)
        assert sorted(maple.routed()) == ["urgent bus", "urgent other"]
        assert len(maple.answers()) == len(maple.answers(BO)) == 1

    def test_a_route_that_was_set_aside_makes_the_reply_ask_to_call(self, smtp: Maple) -> None:
        smtp.write("urgent bus")
        smtp.sweep()
        with smtp.database.write() as connection:
            connection.exec_driver_sql("UPDATE delivery SET state = 'set aside' WHERE kind = 'route'")
        smtp.deliver()
        told = smtp.answers()[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]
        usual = connected()
        usual.write("urgent bus")
        usual.round()
        assert told != usual.answers()[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]
        assert "555 0100" in told

    @pytest.mark.parametrize("step", ["claimed", "draft saved", "draft recorded"])
    def test_a_teacher_who_answers_while_we_are_down_is_not_followed_by_a_robot(self, maple: Maple, step: str) -> None:
        question = maple.write()
        killed_at(maple, step)
        maple.teacher_answers(question)
        maple.rounds(4)
        assert maple.answers() == []
        assert maple.states(REPLY) == [DeliveryState.CANCELLED]
        assert not maple.drafts(), "a note nobody sends is left in the teacher's Drafts"

    def test_a_draft_that_is_still_one_is_not_sent_weeks_later(self) -> None:
        maple = connected(atomic_send=True)
        maple.write()
        killed_at(maple, "sending recorded")
        maple.clock.forward(days=20)
        maple.rounds(3)
        assert maple.answers() == []
        assert maple.states(REPLY) == [DeliveryState.CANCELLED]
        assert not maple.drafts()

    def test_an_answer_that_could_not_be_sent_in_time_is_not_sent(self, maple: Maple) -> None:
        maple.write()
        maple.sweep()
        maple.clock.forward(hours=73)
        maple.rounds(2)
        assert maple.answers() == []
        assert maple.states(REPLY) == [DeliveryState.CANCELLED]

    def test_a_set_aside_reply_that_is_retried_does_not_follow_a_later_answer(self, maple: Maple) -> None:
        maple.write()
        maple.system.fail("send_draft", SendRejected("550 greylisted for ever"))
        maple.round()
        maple.clock.forward(hours=2)
        maple.write("another question")
        maple.rounds(2)
        assert len(maple.answers()) == 1
        Outbox(maple.database, "admin", timedelta(minutes=2)).retry(None, maple.clock())
        maple.rounds(2)
        assert len(maple.answers()) == 1

    def test_a_message_that_is_gone_is_not_answered(self, maple: Maple) -> None:
        question = maple.write()
        maple.sweep()
        maple.delete(question)
        maple.rounds(4)
        assert maple.answers() == []
        assert maple.states(REPLY) == [DeliveryState.CANCELLED]


class TestLabels:
    """Labels appear in the end, and the teacher's word counts."""

    def test_a_message_that_was_renumbered_under_our_hands_is_labelled_and_answered_all_the_same(
        self, maple: Maple
    ) -> None:
        urgent = maple.write("urgent bus")
        maple.sweep()
        maple.system.renumber(maple.system.account(RIVERA))
        maple.deliver()
        maple.rounds(4)
        assert maple.labels(urgent) == {Label.URGENT}
        assert maple.routed() == ["urgent bus"]
        assert len(maple.answers()) == 1

    def test_labels_that_cannot_be_written_are_set_aside_visibly_and_hold_nothing_up(self, maple: Maple) -> None:
        maple.write("urgent bus")
        maple.system.fail("tag", TagFailed("no room for keywords"), times=10_000)
        maple.rounds(40, minutes=15)
        assert maple.states(TAG) == [DeliveryState.SET_ASIDE]
        assert maple.routed() == ["urgent bus"]
        assert len(maple.answers()) == 1

    def test_a_connector_with_a_fault_in_labelling_holds_nothing_up(self, maple: Maple) -> None:
        maple.write("urgent bus")
        maple.write("routine", BO)
        maple.system.fail("tag", KeyError("a fault of a third party's connector"), times=10_000)
        maple.rounds(2)
        assert maple.routed() == ["urgent bus"]
        assert len(maple.answers()) == len(maple.answers(BO)) == 1


class TestStages:
    """A stage that the administrator takes back is obeyed at once."""

    @pytest.mark.parametrize("stage", [Stage.TAG, Stage.OBSERVE])
    def test_what_waits_is_dropped_when_the_stage_goes_back(self, maple: Maple, stage: Stage) -> None:
        urgent = maple.write("urgent bus")
        maple.sweep()
        maple.deliver(stage=stage)
        tagging = stage is Stage.TAG
        assert maple.routed() == ["urgent bus"] * tagging
        assert maple.answers() == []
        assert maple.labels(urgent) == ({Label.URGENT} if tagging else set())

    def test_a_draft_goes_when_the_stage_goes_back(self, maple: Maple) -> None:
        maple.write()
        killed_at(maple, "draft saved")
        maple.clock.forward(minutes=10)
        maple.deliver(stage=Stage.TAG)
        assert not maple.drafts()
        assert maple.states(REPLY) == [DeliveryState.CANCELLED]


class TestHeavyDays:
    """Much to do, or little that works, keeps nobody waiting for ever."""

    def test_a_refused_password_is_not_tried_for_every_mail_in_line(self, smtp: Maple) -> None:
        for number in range(30):
            smtp.write("routine", f"parent@home{number}.example")
        smtp.system.fail("send_draft", AuthenticationFailed("535 no"), times=10_000)
        smtp.round()
        smtp.rounds(5, minutes=1)
        assert smtp.system.calls["send_draft"] <= 2, "a server locks an account that keeps knocking"
        smtp.system.heal()
        smtp.rounds(4)
        assert len(smtp.system.departed) == 30

    def test_a_stop_is_obeyed_between_two_mails(self, maple: Maple) -> None:
        for number in range(5):
            maple.write("routine", f"family{number}@family.example")
        maple.sweep()
        deliverer = maple.assembly().deliverer()
        deliverer.deliver(maple.box(), maple.mailbox(), enough=lambda: len(maple.system.departed) >= 2)
        assert len(maple.system.departed) == 2
        maple.deliver()
        assert len(maple.system.departed) == 5


class TestClocks:
    """Clocks are set back and forth; mail goes out all the same, once."""

    def test_a_clock_that_is_set_back_delays_an_urgent_message_by_minutes_only(self, maple: Maple) -> None:
        maple.write("urgent bus")
        maple.sweep()
        maple.clock.forward(hours=-3)
        maple.rounds(3, minutes=8)
        assert maple.routed() == ["urgent bus"]

    def test_a_clock_that_is_set_back_after_a_crash_does_not_hold_up_what_was_in_hand(self, maple: Maple) -> None:
        maple.write("urgent bus")
        killed_at(maple, "claimed")
        maple.clock.forward(days=-1)
        maple.rounds(2)
        assert maple.routed() == ["urgent bus"]

    def test_a_clock_set_back_does_not_make_mail_old_that_came_since_and_was_not_read_yet(self) -> None:
        maple = Maple()
        maple.round()
        maple.clock.forward(hours=-2)
        bus = maple.write("urgent bus")
        maple.clock.forward(minutes=30)  # the service was down, or the mail server was
        maple.round()
        assert maple.labels(bus) == {Label.URGENT}
        assert maple.routed() == ["urgent bus"]

    def test_a_clock_that_was_years_ahead_when_the_mailbox_was_connected_does_not_silence_it(self) -> None:
        maple = Maple()
        maple.clock.forward(days=3000)
        maple.round()
        maple.clock.forward(days=-3000)
        maple.clock.forward(hours=1)
        maple.write("urgent bus")
        maple.rounds(2)
        assert maple.routed() == ["urgent bus"]
        assert len(maple.answers()) == 1

    def test_a_clock_that_jumps_forward_while_a_mail_is_in_hand_doubles_nothing(self, maple: Maple) -> None:
        maple.write("urgent bus")

        def moved(_mailbox: str, step: str) -> None:
            if step == "send_draft":
                maple.clock.forward(hours=1)

        maple.system.hooks.append(moved)
        maple.rounds(4)
        assert maple.routed() == ["urgent bus"]
        assert len(maple.answers()) == 1


class TestDatabaseTrouble:
    """A database that refuses stops the mailbox, not the promise."""

    @pytest.mark.parametrize("method", ["claim", "drafted", "sending", "finish"])
    def test_a_full_disk_at_any_step_doubles_nothing(
        self, maple: Maple, method: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        maple.write("urgent bus")
        maple.sweep()
        with monkeypatch.context() as patched:
            full = OperationalError("UPDATE delivery", {}, Exception("database or disk is full"))
            patched.setattr(Outbox, "_set" if method != "claim" else "claim", _raising(full))
            with pytest.raises(OperationalError):
                maple.deliver()
        maple.clock.forward(minutes=10)
        maple.rounds(6)
        assert maple.routed() == ["urgent bus"]
        assert len(maple.answers()) == 1


def _raising(error: Exception) -> Callable[..., None]:
    def raises(*_: object, **__: object) -> None:
        raise error

    return raises


class TestTwoMailboxes:
    """One mail to two teachers."""

    def test_both_label_it_and_one_answers_and_routes_it(self) -> None:
        maple = connected(teachers=(RIVERA, OKAFOR))
        urgent = maple.write("urgent bus", to=(RIVERA, OKAFOR))
        maple.rounds(3)
        assert maple.labels(urgent) == maple.labels(urgent, OKAFOR) == {Label.URGENT}
        assert maple.routed() == ["urgent bus"]
        assert len(maple.answers()) == 1
