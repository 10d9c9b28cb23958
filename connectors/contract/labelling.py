"""Labels: what `tag` promises, and what `changes` tells of the teacher's own labelling."""

from itertools import pairwise

import pytest

from connectors.contract.harness import MailboxHarness, Marks
from connectors.contract.mails import family_id, family_mail
from connectors.contract.reader import Reader
from connectors.errors import MailboxError, MessageGone
from connectors.labels import SERVICES, TEACHERS, Label

SETS = (
    frozenset({Label.URGENT}),
    frozenset({Label.CONFLICT, Label.CHECK}),
    frozenset({Label.ROUTINE}),
    frozenset({Label.URGENT, Label.HANDLED}),
    SERVICES,
    frozenset[Label](),
)
MARKED = (
    frozenset({Label.CONFLICT, Label.PLAN_AGREED}),
    frozenset({Label.CONFLICT, Label.ANOTHER_DRAFT}),
    frozenset({Label.PLAN_AGREED}),
    frozenset(Label),
)
"""Labels with marks of the teacher among them."""


class LabellingContract:
    """Tags in the mailbox, ours and the teacher's."""

    def test_tags_are_seen_by_other_programs_and_each_set_replaces_the_one_before(
        self, harness: MailboxHarness
    ) -> None:
        _needs_exact_labels(harness)
        reader = _reader_with_mail(harness)
        for labels in SETS:
            reader.tag(reader.id_of(family_id(1)), labels)
            assert harness.marks(family_id(1)).labels == labels

    def test_tagging_twice_is_tagging_once(self, harness: MailboxHarness) -> None:
        reader = _reader_with_mail(harness)
        id_ = reader.id_of(family_id(1))
        reader.tag(id_, frozenset({Label.URGENT}))
        once = harness.marks(family_id(1))
        reader.tag(id_, frozenset({Label.URGENT}))
        assert harness.marks(family_id(1)) == once

    def test_tagging_leaves_every_other_mark_alone(self, harness: MailboxHarness) -> None:
        reader = _reader_with_mail(harness)
        untouched = harness.marks(family_id(1))
        reader.tag(reader.id_of(family_id(1)), frozenset({Label.ROUTINE}))
        assert harness.marks(family_id(1)).others == untouched.others, "tagging marked the message as read"
        harness.teacher_marks(family_id(1))
        others = harness.marks(family_id(1)).others
        assert others > untouched.others
        for labels in (frozenset({Label.CONFLICT, Label.CHECK}), frozenset({Label.ROUTINE}), frozenset[Label]()):
            reader.tag(reader.id_of(family_id(1)), labels)
            assert harness.marks(family_id(1)).others == others

    def test_tagging_many_is_tagging_one_after_the_other(self, harness: MailboxHarness) -> None:
        reader = Reader(harness.open())
        numbers = range(len(SETS) * 2)
        harness.deliver(*(family_mail(number, harness.address) for number in numbers))
        reader.sync()
        harness.teacher_marks(family_id(3))
        others = [harness.marks(family_id(number)).others for number in numbers]
        for shift in (0, 1):
            wanted = {reader.id_of(family_id(number)): SETS[(number + shift) % len(SETS)] for number in numbers}
            assert reader.mailbox.tag_many(wanted) == {}
            assert reader.mailbox.tag_many(wanted) == {}
            reader.recorded.update(wanted)
            marks = [harness.marks(family_id(number)) for number in numbers]
            assert [mark.others for mark in marks] == others
            if harness.exact_labels:
                assert [mark.labels for mark in marks] == [*wanted.values()]
        assert reader.sync() == []

    def test_tagging_none_does_nothing(self, harness: MailboxHarness) -> None:
        assert harness.open().tag_many({}) == {}

    def test_of_many_a_message_that_is_gone_fails_alone(self, harness: MailboxHarness) -> None:
        reader = Reader(harness.open())
        harness.deliver(*(family_mail(number, harness.address) for number in range(3)))
        reader.sync()
        wanted = {reader.id_of(family_id(number)): frozenset({Label.URGENT}) for number in range(3)}
        gone = reader.id_of(family_id(1))
        harness.delete(family_id(1))
        failed = reader.mailbox.tag_many(wanted | {"no-such-message": frozenset({Label.ROUTINE})})
        assert failed.keys() == {gone, "no-such-message"}
        assert isinstance(failed[gone], MessageGone)
        assert isinstance(failed["no-such-message"], MailboxError)
        if harness.exact_labels:
            assert [harness.marks(family_id(number)).labels for number in (0, 2)] == [{Label.URGENT}] * 2

    def test_a_label_that_the_teacher_renames_is_the_same_label(self, harness: MailboxHarness) -> None:
        _needs_exact_labels(harness)
        reader = Reader(harness.open())
        harness.deliver(*(family_mail(number, harness.address) for number in range(3)))
        reader.sync()
        reader.tag(reader.id_of(family_id(0)), frozenset({Label.URGENT}))
        reader.sync()
        others = harness.marks(family_id(1)).others
        harness.teacher_renames_label(Label.URGENT, "Dringend / עכשיו")
        reader = reader.restarted(harness.open())
        assert reader.sync() == []
        assert reader.labels_of(family_id(0)) == {Label.URGENT}
        reader.tag(reader.id_of(family_id(1)), frozenset({Label.URGENT, Label.CHECK}))
        assert harness.marks(family_id(1)) == Marks(frozenset({Label.URGENT, Label.CHECK}), others)
        harness.teacher_labels(family_id(2), frozenset({Label.URGENT}))
        assert reader.sync() == []
        assert reader.labels_of(family_id(2)) == {Label.URGENT}
        reader.tag(reader.id_of(family_id(0)), frozenset({Label.ROUTINE}))
        assert harness.marks(family_id(0)).labels == {Label.ROUTINE}

    def test_tagging_leaves_the_teachers_marks_alone(self, harness: MailboxHarness) -> None:
        _needs_exact_labels(harness)
        reader = _reader_with_mail(harness)
        id_ = reader.id_of(family_id(1))
        reader.tag(id_, TEACHERS | {Label.CONFLICT})
        assert harness.marks(family_id(1)).labels == {Label.CONFLICT}, "the service set a mark of the teacher's"
        for marks in (TEACHERS, frozenset({Label.PLAN_AGREED}), frozenset({Label.ANOTHER_DRAFT})):
            harness.teacher_labels(family_id(1), marks | {Label.CONFLICT})
            assert reader.sync() == []
            assert reader.labels_of(family_id(1)) == marks | {Label.CONFLICT}
            for labels in SETS:
                reader.tag(id_, labels)
                assert harness.marks(family_id(1)).labels == marks | labels
            assert reader.mailbox.tag_many({id_: frozenset({Label.CONFLICT})}) == {}
            assert harness.marks(family_id(1)).labels == marks | {Label.CONFLICT}
            reader.recorded[id_] = marks | {Label.CONFLICT}
            assert reader.sync() == []
            assert reader.labels_of(family_id(1)) == marks | {Label.CONFLICT}

    def test_a_mark_that_the_teacher_sets_just_before_we_tag_is_told(self, harness: MailboxHarness) -> None:
        _needs_exact_labels(harness)
        reader = _reader_with_mail(harness)
        harness.teacher_labels(family_id(1), frozenset({Label.PLAN_AGREED}))
        reader.tag(reader.id_of(family_id(1)), frozenset({Label.CONFLICT}))
        assert reader.sync() == []
        assert reader.labels_of(family_id(1)) == {Label.CONFLICT, Label.PLAN_AGREED}
        assert reader.restarted(harness.open()).sync() == []
        assert reader.labels_of(family_id(1)) == {Label.CONFLICT, Label.PLAN_AGREED}

    def test_what_is_taken_away_leaves_everything_else_alone(self, harness: MailboxHarness) -> None:
        _needs_exact_labels(harness)
        reader = _reader_with_mail(harness)
        id_ = reader.id_of(family_id(1))
        harness.teacher_marks(family_id(1))
        others = harness.marks(family_id(1)).others
        carried = TEACHERS | {Label.CONFLICT, Label.CHECK}
        harness.teacher_labels(family_id(1), carried)
        assert reader.sync() == []
        for _ in range(2):
            reader.unmark(id_, frozenset({Label.ANOTHER_DRAFT}))
            assert harness.marks(family_id(1)) == Marks(carried - {Label.ANOTHER_DRAFT}, others)
        assert reader.sync() == []
        assert reader.labels_of(family_id(1)) == carried - {Label.ANOTHER_DRAFT}
        harness.teacher_labels(family_id(1), carried)
        assert reader.sync() == []
        assert reader.labels_of(family_id(1)) == carried, "a mark that the teacher sets again was not told"

    def test_nothing_is_taken_off_a_message_that_is_gone(self, harness: MailboxHarness) -> None:
        reader = _reader_with_mail(harness)
        gone = reader.id_of(family_id(1))
        harness.delete(family_id(1))
        for id_ in (gone, "no-such-message"):
            with pytest.raises(MailboxError):
                reader.mailbox.unmark(id_, TEACHERS)

    def test_a_label_that_comes_later_stands_beside_the_others_until_the_teacher_takes_it_away(
        self, harness: MailboxHarness
    ) -> None:
        _needs_exact_labels(harness)
        reader = _reader_with_mail(harness)
        id_ = reader.id_of(family_id(1))
        reader.tag(id_, frozenset({Label.URGENT}))
        harness.teacher_labels(family_id(1), frozenset({Label.URGENT, Label.PLAN_AGREED}))
        reader.sync()
        reader.tag(id_, frozenset({Label.URGENT, Label.HANDLED}))
        assert harness.marks(family_id(1)).labels == {Label.URGENT, Label.HANDLED, Label.PLAN_AGREED}
        assert reader.restarted(harness.open()).sync() == []
        harness.teacher_labels(family_id(1), frozenset({Label.URGENT}))
        assert reader.sync() == []
        assert reader.labels_of(family_id(1)) == {Label.URGENT}

    def test_tagging_does_not_make_a_message_come_again(self, harness: MailboxHarness) -> None:
        reader = _reader_with_mail(harness)
        reader.tag(reader.id_of(family_id(1)), frozenset({Label.URGENT}))
        assert reader.sync() == []
        assert reader.restarted(harness.open()).sync() == []

    def test_a_label_that_the_teacher_changes_is_told_as_the_exact_new_set(self, harness: MailboxHarness) -> None:
        _needs_exact_labels(harness)
        reader = _reader_with_mail(harness)
        reader.tag(reader.id_of(family_id(1)), frozenset({Label.ROUTINE, Label.CHECK}))
        reader.sync()
        for before, labels in pairwise((frozenset({Label.ROUTINE, Label.CHECK}), *SETS, *MARKED, TEACHERS)):
            assert before != labels
            harness.teacher_labels(family_id(1), labels)
            assert reader.sync() == []
            assert reader.labels_of(family_id(1)) == labels

    def test_a_label_that_the_teacher_changes_while_the_service_is_down_is_told(self, harness: MailboxHarness) -> None:
        _needs_exact_labels(harness)
        reader = _reader_with_mail(harness)
        reader.tag(reader.id_of(family_id(1)), frozenset({Label.ROUTINE}))
        reader.sync()
        reader.mailbox.close()
        harness.teacher_labels(family_id(1), frozenset({Label.URGENT}))
        reader = reader.restarted(harness.open())
        assert reader.sync() == []
        assert reader.labels_of(family_id(1)) == {Label.URGENT}

    def test_a_change_of_labels_in_a_page_that_was_not_committed_is_told_again(self, harness: MailboxHarness) -> None:
        _needs_exact_labels(harness)
        reader = _reader_with_mail(harness)
        harness.teacher_labels(family_id(1), frozenset({Label.CONFLICT}))
        lost = reader.look()
        again = reader.look()
        assert lost.labels == again.labels
        assert [state.labels for state in again.labels] == [{Label.CONFLICT}]

    def test_labels_are_told_with_new_mail_that_carries_them(self, harness: MailboxHarness) -> None:
        _needs_exact_labels(harness)
        harness.deliver(family_mail(1, harness.address))
        harness.teacher_labels(family_id(1), frozenset({Label.CONFLICT}))
        reader = Reader(harness.open())
        (found,) = reader.sync()
        assert found.labels == reader.mailbox.fetch(found.id).labels == {Label.CONFLICT}

    def test_marks_of_the_teacher_that_are_none_of_ours_change_no_label(self, harness: MailboxHarness) -> None:
        reader = _reader_with_mail(harness)
        reader.tag(reader.id_of(family_id(1)), frozenset({Label.ROUTINE}))
        reader.sync()
        told = reader.labels_of(family_id(1))
        harness.teacher_marks(family_id(1))
        assert reader.sync() == []
        assert reader.labels_of(family_id(1)) == told


def _reader_with_mail(harness: MailboxHarness) -> Reader:
    reader = Reader(harness.open())
    harness.deliver(family_mail(1, harness.address))
    reader.sync()
    return reader


def _needs_exact_labels(harness: MailboxHarness) -> None:
    if not harness.exact_labels:
        pytest.skip("this system cannot show all labels apart")
