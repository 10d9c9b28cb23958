"""One mailbox's turn takes no longer than it may, and what it leaves is done by the next one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.labels import Label
from service.mailbox_work import MailboxWork, Slice
from service.parking import Attendant
from service.watcher import Quiet
from store.database import Database
from tests.service.maple import RIVERA, Maple

LETTERS = 12


@pytest.fixture
def maple(tmp_path: Path) -> Iterator[Maple]:
    found = Maple(database=Database.open(str(tmp_path / "a.db")), settings={"batch": 2})
    found.round()
    found.clock.forward(minutes=15)
    yield found
    found.database.close()


def work_of(maple: Maple, *, stopping: bool = False) -> MailboxWork:
    assembly = maple.assembly()
    return MailboxWork(assembly, Attendant(assembly, environ={}), Quiet(), lambda: stopping)


def test_a_busy_mailbox_stops_after_its_slice_and_goes_on_where_it_stopped(maple: Maple) -> None:
    letters = [maple.write("routine", f"family{number}@home.example") for number in range(LETTERS)]
    work, box, mailbox = work_of(maple), maple.box(RIVERA), maple.mailbox(RIVERA)
    turns = 1
    while work.turn(box, mailbox, Slice(reading=0)):
        turns += 1
        assert len(maple.records()) <= turns * 2
    assert turns >= LETTERS / 2
    assert all(Label.ROUTINE in maple.labels(letter) for letter in letters)


def test_what_a_slice_read_is_delivered_in_it_urgent_mail_among_the_rest(maple: Maple) -> None:
    maple.write("urgent bus")
    for number in range(LETTERS):
        maple.write("routine", f"family{number}@home.example")
    assert work_of(maple).turn(maple.box(RIVERA), maple.mailbox(RIVERA), Slice(reading=0))
    assert maple.routed() == ["urgent bus"]


def test_what_was_stopped_half_way_says_that_there_is_more(maple: Maple) -> None:
    for number in range(LETTERS):
        maple.write("routine", f"family{number}@home.example")
    assert work_of(maple, stopping=True).turn(maple.box(RIVERA), maple.mailbox(RIVERA))
    while work_of(maple).turn(maple.box(RIVERA), maple.mailbox(RIVERA)):
        pass
    assert len(maple.answers("family0@home.example")) == 1


def test_tending_delivers_what_others_planned_and_reads_nothing(maple: Maple) -> None:
    maple.write("urgent bus")
    maple.sweep(RIVERA)
    maple.write("routine", "late@home.example")
    read = len(maple.records())
    assert work_of(maple).tend(maple.box(RIVERA), maple.mailbox(RIVERA)).routes == 1
    assert maple.routed() == ["urgent bus"]
    assert len(maple.records()) == read
