"""Labels: what `tag` promises, and what `changes` tells of the teacher's own labelling."""

from itertools import pairwise

import pytest

from connectors.contract.harness import MailboxHarness
from connectors.contract.mails import family_id, family_mail
from connectors.contract.reader import Reader
from connectors.labels import Label

SETS = (
    frozenset({Label.URGENT}),
    frozenset({Label.CONFLICT, Label.CHECK}),
    frozenset({Label.ROUTINE}),
    frozenset(Label),
    frozenset[Label](),
)


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
        for before, labels in pairwise((frozenset({Label.ROUTINE, Label.CHECK}), *SETS)):
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
