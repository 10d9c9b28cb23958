"""A look at a mailbox in which nothing happened and nothing waits costs one question to the database, and writes
nothing: ten thousand mailboxes are looked at every minute."""

import pytest

from connectors.errors import TagFailed
from service.assembly import Assembly
from service.mailbox_work import MailboxWork
from service.parking import Attendant
from service.watcher import Quiet
from tests.service.maple import RIVERA, Maple
from tests.service.questions import questions


@pytest.fixture
def maple() -> Maple:
    maple = Maple()
    maple.round()
    maple.clock.forward(minutes=20)
    return maple


def work_of(assembly: Assembly) -> MailboxWork:
    return MailboxWork(assembly, Attendant(assembly, environ={}), Quiet(), lambda: False)


def test_nothing_new_and_nothing_due_is_one_question(maple: Maple) -> None:
    work, box, mailbox = work_of(maple.assembly()), maple.box(), maple.mailbox()
    work.turn(box, mailbox)
    with questions(maple) as asked:
        work.turn(box, mailbox)
    assert asked == ["SELECT"]


def test_many_mailboxes_whose_turns_begin_together_are_one_question(maple: Maple) -> None:
    work, box, mailbox = work_of(maple.assembly()), maple.box(), maple.mailbox()
    work.turn(box, mailbox)
    with questions(maple) as asked:
        agendas = work.agendas([box.address, "somebody.else@maple.example"])
        work.turn(box, mailbox, agenda=agendas[box.address])
    assert asked == ["SELECT"]


@pytest.mark.parametrize("seconds", [6, -1])
def test_what_was_asked_long_before_the_turn_began_is_asked_again(maple: Maple, seconds: int) -> None:
    work, box, mailbox = work_of(maple.assembly()), maple.box(), maple.mailbox()
    work.turn(box, mailbox)
    before = work.agendas([box.address])[box.address]
    maple.write("routine")
    work.turn(box, mailbox)
    maple.clock.forward(seconds=seconds)
    maple.write("urgent bus")
    work.turn(box, mailbox, agenda=before)
    assert maple.routed() == ["urgent bus"]


def test_when_to_come_back_is_one_question_too(maple: Maple) -> None:
    work = work_of(maple.assembly())
    with questions(maple) as asked:
        work.next_at(maple.box())
    assert asked == ["SELECT"]


def test_what_is_due_is_done_though_nothing_is_new(maple: Maple) -> None:
    work, box, mailbox = work_of(maple.assembly()), maple.box(), maple.mailbox()
    maple.write("urgent question")
    maple.system.fail("tag", TagFailed("busy"))
    work.turn(box, mailbox)
    maple.clock.forward(minutes=20)
    assert maple.assembly().outbox().next_due_at(RIVERA) is not None
    work.turn(box, mailbox)
    assert maple.assembly().outbox().next_due_at(RIVERA) is None
