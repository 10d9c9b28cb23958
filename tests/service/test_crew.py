"""How a worker shares its threads out: new mail first, and old mail all the same."""

from datetime import UTC, datetime
from threading import Event
from typing import Any

from config.settings import MailboxSettings
from service.worker.crew import Crew, Room
from service.worker.shelf import Shelf
from store.agenda import Agenda
from store.mailbox_turns import Ended, Turn
from store.worker_tables import Pace

NOW = datetime(2026, 3, 3, 16, 0, tzinfo=UTC)
BOX = MailboxSettings(address="t@maple.example", teacher="T", connector="imap")
BOXES = [BOX.model_copy(update={"address": f"t{number}@maple.example"}) for number in range(5)]


class NoWork:
    """What a mailbox is worked on with, where none is to be."""

    def agendas(self, _mailboxes: object) -> dict[str, Agenda]:
        return {}

    def turn(self, *_: object) -> bool:
        raise AssertionError("the mailbox was worked on")


class Work:
    """What mailboxes are worked on with; notes what it was asked, and which agenda each turn began with."""

    def __init__(self, *, asks: bool = True) -> None:
        self.asked: list[list[str]] = []
        self.begun: dict[str, Agenda | None] = {}
        self.all_begun = Event()
        self._asks = asks

    def agendas(self, mailboxes: list[str]) -> dict[str, Agenda]:
        self.asked.append(mailboxes)
        if not self._asks:
            raise ConnectionError("the database is away")
        return {mailbox: Agenda(NOW, careful=mailbox == BOXES[1].address) for mailbox in mailboxes}

    def turn(self, box: MailboxSettings, _mailbox: object, _most: object, agenda: Agenda | None) -> bool:
        self.begun[box.address] = agenda
        if len(self.begun) == len(BOXES):
            self.all_begun.set()
        return False


def turned_away(pace: Pace, late: float) -> Ended:
    """How a turn ends that finds as many mailboxes of its server open as may be."""
    work: Any = NoWork()
    shelf = Shelf(lambda _box: work, lambda box: box.connector, 10)
    shelf.share({"imap": 0})
    crew = Crew({BOX.address: BOX}, work, shelf, lambda: NOW, threads=1, systems=1, poll_seconds=50)
    crew.begin("imap", [Turn(BOX.address, 1, pace, 0, late)])
    crew.stop()
    (ended,) = crew.ended()
    return ended


def worked_on(work: Any) -> list[Ended]:
    """How turns of several mailboxes end that are begun together."""
    shelf = Shelf(lambda box: object(), lambda box: box.connector, 10)  # type: ignore[arg-type, return-value]
    boxes = {box.address: box for box in BOXES}
    crew = Crew(boxes, work, shelf, lambda: NOW, threads=2, systems=1, poll_seconds=50)
    crew.begin("imap", [Turn(address, 1, Pace.LIVE, 0, 0.0) for address in boxes])
    assert work.all_begun.wait(30)
    crew.stop()
    return list(crew.ended())


def test_what_waits_in_mailboxes_whose_turns_begin_together_is_asked_for_once() -> None:
    work = Work()
    assert {ended.pace for ended in worked_on(work)} == {Pace.LIVE}
    assert work.asked == [[box.address for box in BOXES]]
    assert {address: agenda and agenda.careful for address, agenda in work.begun.items()} == {
        box.address: box is BOXES[1] for box in BOXES
    }


def test_turns_begin_all_the_same_where_that_question_fails_and_ask_for_themselves() -> None:
    work = Work(asks=False)
    assert {ended.pace for ended in worked_on(work)} == {Pace.LIVE}
    assert work.begun == dict.fromkeys((box.address for box in BOXES), None)


def test_old_mail_has_turns_where_new_mail_would_keep_every_thread_busy() -> None:
    for live in range(1, 40):
        room = Room(live, backlog=max(1, live // 2))
        first = [room.old_mail_first(taking) for taking in range(1, 101)]
        assert 0 < sum(first) <= live * 100 / 4, "some, and new mail has most"
        assert max(first) <= room.backlog


def test_where_old_mail_keeps_its_share_of_threads_busy_already_no_more_is_begun() -> None:
    assert not any(Room(8, 0).old_mail_first(taking) for taking in range(8))


def test_a_mailbox_that_finds_no_room_does_not_stand_behind_old_mail_and_comes_back_in_a_second() -> None:
    assert turned_away(Pace.LIVE, late=7.0) == Ended(Turn(BOX.address, 1, Pace.LIVE, 0, 7.0), Pace.LIVE, 8.0, 0)
    assert turned_away(Pace.BACKLOG, late=7.0).pace is Pace.BACKLOG
    assert turned_away(Pace.BACKLOG, late=7.0).seconds == 1.0
