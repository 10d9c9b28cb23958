"""How a worker shares its threads out: new mail first, and old mail all the same."""

from datetime import UTC, datetime
from typing import Any

from config.settings import MailboxSettings
from service.worker.crew import Crew, Room
from service.worker.shelf import Shelf
from store.mailbox_turns import Ended, Turn
from store.worker_tables import Pace

NOW = datetime(2026, 3, 3, 16, 0, tzinfo=UTC)
BOX = MailboxSettings(address="t@maple.example", teacher="T", connector="imap")


class NoWork:
    """What a mailbox is worked on with, where none is to be."""

    def turn(self, *_: object) -> bool:
        raise AssertionError("the mailbox was worked on")


def turned_away(pace: Pace, late: float) -> Ended:
    """How a turn ends that finds as many mailboxes of its server open as may be."""
    work: Any = NoWork()
    shelf = Shelf(lambda _box: work, lambda box: box.connector, 10)
    shelf.share({"imap": 0})
    crew = Crew({BOX.address: BOX}, work, shelf, lambda: NOW, threads=1, systems=1, poll_seconds=50)
    crew.begin("imap", Turn(BOX.address, 1, pace, 0, late))
    crew.stop()
    (ended,) = crew.ended()
    return ended


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
