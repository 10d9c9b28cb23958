"""The runner keeps every mailbox going, one thread each, and ends when it is told to."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from connectors.errors import AuthenticationFailed, ConnectFailed, InsecureConnection, SendFailed
from connectors.labels import Label
from service.delivery import Delivered
from service.figure_keeping import FigureKeeper
from service.pipeline import Swept
from service.privacy.purging import Purge
from service.roster_keeping import RosterKeeper
from service.runner import Runner
from store.database import Database
from store.tables import DeliveryKind, DeliveryState
from tests.service.mailbox_in_memory import MemoryMailbox
from tests.service.maple import ANA, BO, OKAFOR, RIVERA, Maple

PATIENCE = 30.0
"""Seconds after which a thread that should have ended is taken to hang."""


class Diary:
    """A watcher that writes down what it is told, and may do something about it."""

    def __init__(self) -> None:
        self.failures: list[tuple[str, str, float]] = []
        self.on_failure: Callable[[], None] = lambda: None

    def swept(self, swept: Swept) -> None:
        """Nothing."""

    def delivered(self, mailbox: str, delivered: Delivered) -> None:
        """Nothing."""

    def failed(self, mailbox: str, reason: str, pause: float) -> None:
        """Written down."""
        self.failures.append((mailbox, reason, pause))
        self.on_failure()


@pytest.fixture
def maple(tmp_path: Path) -> Iterator[Maple]:
    """A school whose record is a file, as threads need it."""
    maple = Maple(database=Database.open(str(tmp_path / "a.db")), settings={"poll_seconds": 3600})
    maple.round()
    maple.clock.forward(minutes=15)
    yield maple
    maple.database.close()


def runner_of(maple: Maple, diary: Diary | None = None, only: str | None = None) -> Runner:
    boxes = [maple.box(only)] if only else None
    return Runner(maple.assembly(), watcher=diary, environ={}, boxes=boxes)


def at_step(maple: Maple, step: str, act: Callable[[], object], *, number: int = 1, mailbox: str = RIVERA) -> None:
    """Does something when a mailbox comes to a step."""
    seen = 0

    def hook(address: str, name: str) -> None:
        nonlocal seen
        if (address, name) == (mailbox, step):
            seen += 1
            if seen == number:
                act()

    maple.system.hooks.append(hook)


def until_stopped(runner: Runner) -> None:
    """Runs it in a thread of its own and waits for its end."""
    thread = threading.Thread(target=runner.run, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    assert not thread.is_alive(), "the runner does not stop"


def without_waiting(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """The runner's pauses take no time, and mailboxes know no push. Those who look at a clock alone would do so without
    a pause: roster, scorecard and retention are left in peace."""
    monkeypatch.setattr(runner._stop, "wait", lambda seconds: runner._stop.is_set())
    for keeper in (FigureKeeper, Purge, RosterKeeper):
        monkeypatch.setattr(keeper, "keep", lambda keeper, stop: None)
    monkeypatch.setattr(
        MemoryMailbox, "wait", lambda mailbox, _: mailbox._system.step(mailbox.address, "wait") or False
    )


class TestOnce:
    """One round over all mailboxes."""

    @pytest.mark.parametrize(
        "error",
        [
            ConnectFailed("no route to host"),
            AuthenticationFailed("535"),
            OperationalError("SELECT", {}, Exception("database is locked")),
            KeyError("a fault in a connector"),
        ],
    )
    def test_a_mailbox_that_fails_is_reported_and_the_next_has_its_turn(self, maple: Maple, error: Exception) -> None:
        maple.write("urgent bus", to=(OKAFOR,))
        maple.system.fail("changes", error, mailbox=RIVERA, times=100)
        failures = runner_of(maple).run_once()
        assert list(failures) == [RIVERA]
        assert maple.routed() == ["urgent bus"]

    def test_a_reason_names_the_fault_and_quotes_nobody(self, maple: Maple) -> None:
        maple.system.fail("changes", ValueError("Leo wets his bed"), mailbox=RIVERA)
        assert "Leo" not in runner_of(maple).run_once()[RIVERA]

    def test_two_threads_at_once_are_as_good_as_one(self, maple: Maple) -> None:
        families = [f"family{number}@family.example" for number in range(12)]
        urgent = [maple.write("urgent bus", family, to=(RIVERA, OKAFOR)) for family in families]
        both = threading.Barrier(2)

        def work() -> None:
            runner = runner_of(maple)
            both.wait()
            runner.run_once()

        threads = [threading.Thread(target=work) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE)
        maple.rounds(3)
        assert [len(maple.answers(family)) for family in families] == [1] * 12
        assert len(maple.routed()) == 12
        assert all(maple.labels(message, box) == {Label.URGENT} for message in urgent for box in (RIVERA, OKAFOR))
        assert not maple.drafts()

    def test_old_mail_does_not_delay_what_is_due(self, maple: Maple) -> None:
        """The office's server was away for a moment; meanwhile a large mailbox is being read for the first time."""
        maple.settings = maple.settings.model_copy(
            update={"service": maple.settings.service.model_copy(update={"batch": 2})}
        )
        new_box = "tran@maple.example"
        boxes = (*maple.settings.mailboxes, maple.box().model_copy(update={"address": new_box}))
        maple.settings = maple.settings.model_copy(update={"mailboxes": boxes})
        for number in range(20):
            maple.write(f"routine {number}", to=(new_box,))
        list(zip(maple.assembly().pipeline.sweep(maple.box(new_box), maple.mailbox(new_box)), range(2), strict=False))
        maple.write("urgent bus", to=(new_box,))
        maple.system.fail("send_draft", SendFailed("not now"))
        maple.system.hooks.append(lambda _, step: maple.clock.forward(seconds=20) if step == "changes" else None)
        read_by_then: list[int] = []
        at_step(maple, "send_draft filed", lambda: read_by_then.append(len(maple.records())), mailbox=new_box)
        runner_of(maple, only=new_box).run_once()
        assert maple.routed() == ["urgent bus"]
        assert read_by_then[0] < 21


class TestKeepingOn:
    """Threads that go on whatever happens."""

    def test_mail_that_arrives_is_answered_as_soon_as_the_server_says_so(self, maple: Maple) -> None:
        runner = runner_of(maple, only=RIVERA)
        at_step(maple, "wait", lambda: maple.write("urgent bus") and None)
        at_step(maple, "wait", runner.stop, number=3)  # the second is woken by our own mail in Sent
        until_stopped(runner)
        assert maple.routed() == ["urgent bus"]
        assert len(maple.answers()) == 1

    @pytest.mark.parametrize("error", [AuthenticationFailed("535 refused"), InsecureConnection("no TLS")])
    def test_a_refused_password_parks_the_mailbox_and_no_other(self, maple: Maple, error: Exception) -> None:
        diary = Diary()
        runner = runner_of(maple, diary)
        maple.write("urgent bus", to=(OKAFOR,))
        maple.system.fail("changes", error, mailbox=RIVERA, times=1000)
        at_step(maple, "wait", runner.stop, number=2, mailbox=OKAFOR)
        until_stopped(runner)
        assert diary.failures == [(RIVERA, str(error), 900.0)]
        assert maple.routed() == ["urgent bus"]

    def test_pauses_grow_and_end_with_the_trouble(self, maple: Maple, monkeypatch: pytest.MonkeyPatch) -> None:
        diary = Diary()
        runner = runner_of(maple, diary, only=RIVERA)
        without_waiting(runner, monkeypatch)
        maple.system.fail("changes", ConnectFailed("no route to host"), times=9)
        maple.system.fail("changes", ConnectFailed("no route to host"), number=2)
        at_step(maple, "wait", runner.stop, number=2)
        until_stopped(runner)
        pauses = [pause for _, _, pause in diary.failures]
        assert len(pauses) == 10
        assert 3 < pauses[0] < 7 < pauses[2] < pauses[5]
        assert all(225 <= pause <= 375 for pause in pauses[7:9])
        assert pauses[9] < 7

    @pytest.mark.parametrize(
        "error", [ConnectFailed("gone"), KeyError("fault"), OperationalError("S", {}, Exception())]
    )
    def test_no_error_ends_a_mailboxs_thread(
        self, maple: Maple, error: Exception, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        runner = runner_of(maple, only=RIVERA)
        without_waiting(runner, monkeypatch)
        maple.write("urgent bus")
        for step in ("changes", "wait", "close", "tag", "fetch"):
            maple.system.fail(step, error)
        monkeypatch.setattr("service.delivery._FIRST_WAIT", maple.clock.now - maple.clock.now)
        at_step(maple, "wait", runner.stop, number=8)
        until_stopped(runner)
        assert maple.routed() == ["urgent bus"]

    def test_a_watcher_that_fails_stops_nothing(self, maple: Maple) -> None:
        class Broken(Diary):
            def swept(self, swept: Swept) -> None:
                raise BrokenPipeError("the terminal is closed")

            def delivered(self, mailbox: str, delivered: Delivered) -> None:
                raise BrokenPipeError("the terminal is closed")

            def failed(self, mailbox: str, reason: str, pause: float) -> None:
                raise BrokenPipeError("the terminal is closed")

        maple.write("urgent bus")
        assert runner_of(maple, Broken()).run_once() == {}
        assert maple.routed() == ["urgent bus"]

    def test_a_long_line_of_replies_does_not_keep_an_urgent_message_waiting(
        self, maple: Maple, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        ticks = iter(range(0, 1_000_000, 9))
        monkeypatch.setattr("service.runner.time.monotonic", lambda: float(next(ticks)))
        runner = runner_of(maple, only=RIVERA)
        for number in range(30):
            maple.write("routine", f"parent@home{number}.example")
        at_step(maple, "send_draft", lambda: maple.write("urgent bus", BO) and None)
        left: list[int] = []
        at_step(maple, "send_draft", lambda: left.append(len(maple.answers())), number=1)

        def stop_when_all_left(_address: str, name: str) -> None:
            if name == "wait" and len(maple.system.departed) == 32:
                runner.stop()

        maple.system.hooks.append(stop_when_all_left)
        until_stopped(runner)
        order = [mail["To"] for mail in maple._departed()]
        assert order.index("office@maple.example") < 10


class TestStopping:
    """A stop finishes what is in hand, begins nothing, and waits for nothing."""

    def test_the_mail_in_hand_is_finished_and_the_next_is_not_begun(self, maple: Maple) -> None:
        for number in range(5):
            maple.write("routine", f"family{number}@family.example")
        runner = runner_of(maple, only=RIVERA)
        at_step(maple, "send_draft handed over", runner.stop, number=2)
        until_stopped(runner)
        assert len(maple.system.departed) == 2
        states = maple.states(DeliveryKind.REPLY)
        assert states.count(DeliveryState.DONE) == 2
        assert states.count(DeliveryState.WAITING) == 3
        assert not maple.drafts()

    def test_a_stop_before_the_start_starts_nothing(self, maple: Maple) -> None:
        maple.write("urgent bus")
        runner = runner_of(maple)
        runner.stop()
        until_stopped(runner)
        assert maple.system.departed == []

    def test_every_waiting_mailbox_is_woken(self, maple: Maple) -> None:
        runner = runner_of(maple)
        waiting = threading.Barrier(2, action=runner.stop)
        for address in (RIVERA, OKAFOR):
            at_step(maple, "wait", lambda: waiting.wait(PATIENCE) and None, mailbox=address)
        until_stopped(runner)

    def test_a_parked_mailbox_is_woken_too(self, maple: Maple) -> None:
        diary = Diary()
        runner = runner_of(maple, diary, only=RIVERA)
        diary.on_failure = lambda: threading.Thread(target=runner.stop).start()
        maple.system.fail("changes", AuthenticationFailed("535"), times=1000)
        until_stopped(runner)
        assert len(diary.failures) == 1

    def test_a_mailbox_that_cannot_be_woken_does_not_keep_the_others_from_it(
        self, maple: Maple, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        maple.write("routine", ANA)
        runner = runner_of(maple, only=RIVERA)
        monkeypatch.setattr("tests.service.mailbox_in_memory.MemoryMailbox.interrupt", lambda _: 1 / 0)
        at_step(maple, "send_draft", runner.stop)
        until_stopped(runner)
        assert len(maple.answers()) == 1
