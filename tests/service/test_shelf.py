"""Open mailboxes of a worker: one turn at a time each, connected in between as far as there is room."""

import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from config.settings import MailboxSettings
from service.worker.clock import DatabaseClock
from service.worker.shelf import NoRoom, Shelf


@dataclass(eq=False)
class Open:
    """A mailbox as far as the shelf knows it."""

    address: str
    closed: bool = False

    def close(self) -> None:
        self.closed = True


@dataclass
class World:
    """A shelf, and all that was opened for it."""

    most: int = 10
    now: float = 0.0
    opened: list[Open] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shelf = Shelf(self._open, lambda box: box.connector, self.most, lambda: self.now)

    def _open(self, box: MailboxSettings) -> Any:
        self.opened.append(Open(box.address))
        return self.opened[-1]

    def look(self, number: int) -> Any:
        """One turn of a mailbox."""
        mailbox = self.shelf.borrow(box(number))
        self.shelf.put_back(box(number), mailbox)
        return mailbox

    @property
    def connected(self) -> int:
        return sum(not each.closed for each in self.opened)


def box(number: int) -> MailboxSettings:
    return MailboxSettings(address=f"t{number}@maple.example", teacher="T", connector="imap")


def test_a_mailbox_stays_connected_from_one_turn_to_the_next() -> None:
    world = World()
    assert world.look(1) is world.look(1)
    assert world.look(2) is not world.look(1)


def test_the_longest_idle_are_closed_where_there_are_too_many() -> None:
    world = World(most=3)
    mailboxes = [world.look(number) for number in range(5)]
    assert [each.closed for each in mailboxes] == [True, True, False, False, False]


def test_two_at_one_mailbox_have_a_connection_each_and_one_is_kept() -> None:
    world = World()
    one, other = world.shelf.borrow(box(1)), world.shelf.borrow(box(1))
    assert one is not other
    world.shelf.put_back(box(1), one)
    world.shelf.put_back(box(1), other)
    assert world.connected == 1
    assert world.look(1) is other


def test_a_mailbox_that_failed_is_opened_anew() -> None:
    world = World()
    failed = world.shelf.borrow(box(1))
    world.shelf.discard(box(1), failed)
    assert world.opened[0].closed
    assert world.look(1) is not failed


def test_never_more_are_open_at_a_server_than_the_share() -> None:
    world = World()
    world.shelf.share({"imap": 2})
    for number in range(6):
        world.look(number)
        assert world.connected <= 2
    busy = [world.shelf.borrow(box(number)) for number in (10, 11)]
    assert world.connected == 2
    assert world.shelf.room("imap") == 0
    with pytest.raises(NoRoom):
        world.shelf.borrow(box(12))
    assert world.shelf.borrow(box(13), urgent=True)
    world.shelf.put_back(box(10), busy[0])


def test_a_share_that_shrinks_closes_what_is_idle() -> None:
    world = World()
    for number in range(6):
        world.look(number)
    world.shelf.share({"imap": 2})
    assert world.connected == 2
    assert [each.closed for each in world.opened] == [True] * 4 + [False] * 2


def test_what_nobody_worked_on_for_long_is_closed() -> None:
    world = World()
    world.look(1)
    world.now = 100.0
    world.look(2)
    assert world.shelf.tidy(50) == 1
    assert world.opened[0].closed
    assert not world.opened[1].closed
    world.shelf.close()
    assert world.connected == 0


def test_a_mailbox_that_cannot_be_opened_takes_nobodys_room() -> None:
    def refuse(_box: MailboxSettings) -> Any:
        raise OSError("no")

    shelf = Shelf(refuse, lambda _box: "imap", 3)
    shelf.share({"imap": 1})
    for _ in range(3):
        with pytest.raises(OSError, match="no"):
            shelf.borrow(box(1))
    assert shelf.room("imap") == 1


def test_threads_share_it_without_going_over() -> None:
    world = World()
    world.shelf.share({"imap": 4})
    most = 0

    def work(first: int) -> None:
        nonlocal most
        for number in range(first, first + 50):
            try:
                mailbox = world.shelf.borrow(box(number % 7))
            except NoRoom:
                continue
            most = max(most, 4 - world.shelf.room("imap"))
            world.shelf.put_back(box(number % 7), mailbox)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most <= 4
    assert world.connected <= 4
    assert world.shelf.room("imap") == 4


def test_the_databases_time_goes_on_by_the_steady_clock_and_not_by_the_machines() -> None:
    steady = [5.0]
    said = datetime(2026, 9, 1, 7, 0, tzinfo=UTC)
    clock = DatabaseClock(said, lambda: steady[0])
    assert clock() == said
    steady[0] += 90
    assert clock() == said + timedelta(seconds=90)
    clock.set(said)
    assert clock() == said
