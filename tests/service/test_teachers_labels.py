"""Labels beside the tag: what the office closed is marked, and the teacher's own marks are no corrections."""

import pytest

from autoresponder.items import ItemState, Word
from config.settings import Stage
from connectors.errors import TagFailed
from connectors.labels import Label
from store.corrections import Corrections
from store.items import Items
from store.tables import DeliveryKind, DeliveryState
from tests.service.desks_of_maple import NURSE, answers, items, maple_with_desks
from tests.service.maple import ANA, OKAFOR, RIVERA, Maple
from tests.service.test_delivery import connected, killed_at

HANDLED, URGENT = Label.HANDLED, Label.URGENT


@pytest.fixture
def maple() -> Maple:
    """A connected school with desks."""
    school = maple_with_desks()
    school.round()
    return school


def closed(maple: Maple, word: Word = Word.DONE, number: int = 0) -> None:
    """The office closes an item on the page."""
    view = items(maple)[number]
    Items(maple.database).say(view.id, word, NURSE, maple.clock())


class TestHandled:
    """The teacher sees that the office closed it."""

    def test_what_the_office_closed_by_a_reply_is_marked_in_the_teachers_mailbox(self, maple: Maple) -> None:
        message = maple.write("urgent health")
        maple.round()
        answers(maple, "done", NURSE)
        maple.rounds(2)
        assert maple.labels(message) == {URGENT, HANDLED}
        assert maple.records()[0].tag == "urgent"

    def test_every_message_of_the_item_in_every_mailbox_that_it_came_to_is_marked(self, maple: Maple) -> None:
        both = maple.write("urgent health", to=(RIVERA, OKAFOR))
        maple.round()
        more = maple.write("urgent health", in_reply_to=f"<{both}>", references=f"<{both}>")
        maple.round()
        other = maple.write("urgent transport", "else@family.example")
        maple.round()
        assert len(items(maple)) == 2
        closed(maple)
        maple.rounds(2)
        assert maple.labels(both) == maple.labels(both, OKAFOR) == maple.labels(more) == {URGENT, HANDLED}
        assert maple.labels(other) == {URGENT}

    @pytest.mark.parametrize("word", [Word.TAKEN, Word.RETURNED, Word.NOT_URGENT])
    def test_nothing_else_that_the_office_says_marks_it(self, maple: Maple, word: Word) -> None:
        message = maple.write("urgent health")
        maple.round()
        closed(maple, word)
        maple.rounds(2)
        assert HANDLED not in maple.labels(message)

    def test_closing_it_twice_marks_it_once_and_a_teacher_who_takes_the_mark_away_is_heard(self, maple: Maple) -> None:
        message = maple.write("urgent health")
        maple.round()
        closed(maple)
        closed(maple)
        maple.rounds(2)
        written = len(maple.deliveries(DeliveryKind.TAG))
        maple.relabel(message, URGENT)
        assert [swept.corrections for swept in maple.sweep()] == [0]
        closed(maple)
        maple.rounds(2)
        assert maple.labels(message) == {URGENT}
        assert len(maple.deliveries(DeliveryKind.TAG)) == written
        assert maple.records()[0].tag == "urgent"
        assert not Corrections(maple.database).judged()

    @pytest.mark.parametrize("step", ["tag", "tag done", "tag written", "tag recorded"])
    def test_killed_while_it_is_marked_it_is_marked_afterwards(self, maple: Maple, step: str) -> None:
        message = maple.write("urgent health")
        maple.round()
        closed(maple)
        killed_at(maple, step)
        maple.rounds(3)
        assert maple.labels(message) == {URGENT, HANDLED}
        assert maple.records()[0].labels == "handled,urgent"

    def test_a_mark_of_the_teachers_while_it_waits_to_be_marked_is_kept_and_told(self, maple: Maple) -> None:
        message = maple.write("urgent health")
        maple.round()
        closed(maple)
        maple.relabel(message, URGENT, Label.PLAN_AGREED)
        assert [swept.corrections for swept in maple.sweep()] == [0]
        maple.rounds(2)
        assert maple.labels(message) == {URGENT, HANDLED, Label.PLAN_AGREED}
        assert maple.records()[0].labels == "handled,plan-agreed,urgent"

    def test_a_correction_while_it_waits_to_be_marked_is_one(self, maple: Maple) -> None:
        message = maple.write("urgent health")
        maple.round()
        closed(maple)
        maple.relabel(message, Label.ROUTINE)
        assert [swept.corrections for swept in maple.sweep()] == [1]
        maple.rounds(2)
        assert Label.ROUTINE in maple.labels(message)
        assert URGENT not in maple.labels(message)

    def test_what_was_closed_and_is_found_not_urgent_after_all_keeps_the_mark(self, maple: Maple) -> None:
        message = maple.write("urgent health")
        maple.round()
        closed(maple)
        maple.rounds(1)
        closed(maple, Word.NOT_URGENT)
        maple.rounds(2)
        assert items(maple)[0].item.state is ItemState.NOT_URGENT
        assert maple.labels(message) == {Label.ROUTINE, HANDLED}

    def test_a_mailbox_that_refuses_labels_for_a_while_gets_the_mark_later(self, maple: Maple) -> None:
        message = maple.write("urgent health")
        maple.round()
        closed(maple)
        maple.system.fail("tag", TagFailed("scripted"), times=3)
        maple.rounds(6)
        assert maple.labels(message) == {URGENT, HANDLED}

    def test_a_message_that_is_gone_is_no_trouble(self, maple: Maple) -> None:
        message = maple.write("urgent health")
        maple.round()
        maple.delete(message)
        closed(maple)
        maple.rounds(8)
        states = maple.states(DeliveryKind.TAG)
        assert set(states) <= {DeliveryState.DONE, DeliveryState.CANCELLED}


class TestTheTeachersMarks:
    """What the teacher sets beside the tag says nothing of the tag."""

    @pytest.mark.parametrize("stage", list(Stage))
    @pytest.mark.parametrize("mark", [Label.PLAN_AGREED, Label.HANDLED])
    def test_a_mark_is_no_correction_and_stays_when_labels_are_written(self, stage: Stage, mark: Label) -> None:
        maple = connected(stage=stage)
        message = maple.write("conflict grades")
        maple.rounds(2)
        before = maple.labels(message)
        for labels in (before | {mark}, before, before | {mark}):
            maple.relabel(message, *labels)
            assert sum(swept.corrections for swept in maple.sweep()) == 0
            maple.rounds(1)
            assert maple.labels(message) == labels
        assert maple.records()[0].tag == "conflict"
        assert not Corrections(maple.database).judged()

    def test_a_correction_beside_a_mark_is_one(self) -> None:
        maple = connected()
        message = maple.write("conflict grades")
        maple.rounds(2)
        maple.relabel(message, Label.ROUTINE, Label.PLAN_AGREED)
        assert sum(swept.corrections for swept in maple.sweep()) == 1
        maple.rounds(1)
        assert maple.labels(message) == {Label.ROUTINE, Label.PLAN_AGREED}

    def test_please_check_taken_away_confirms_the_tag_also_beside_a_mark(self) -> None:
        maple = connected()
        message = maple.write("conflict unsure grades")
        maple.rounds(2)
        assert maple.labels(message) == {Label.CONFLICT, Label.CHECK}
        maple.relabel(message, Label.CONFLICT, Label.PLAN_AGREED)
        maple.rounds(1)
        (judged,) = Corrections(maple.database).judged()
        assert judged.tag == "conflict"

    def test_a_mark_that_is_there_before_our_labels_are_stays_with_them(self) -> None:
        maple = connected()
        message = maple.write("conflict grades")
        maple.sweep()
        maple.relabel(message, Label.PLAN_AGREED)
        maple.rounds(2)
        assert maple.labels(message) == {Label.CONFLICT, Label.PLAN_AGREED}
        assert maple.records()[0].labels == "conflict,plan-agreed"
        assert maple.records()[0].sender == ANA
