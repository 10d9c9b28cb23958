"""Labels on mail in Sent: "good news" is written there, and what the teacher makes of it is told."""

import pytest

from connectors.contract.harness import MailboxHarness
from connectors.contract.mails import family_id, family_mail, reply, reply_id
from connectors.contract.reader import Reader
from connectors.errors import MailboxError, MessageGone
from connectors.labels import Label

GOOD_NEWS = frozenset({Label.GOOD_NEWS})
NONE = frozenset[Label]()


class SentLabellingContract:
    """What the teacher sent is labelled like what they received."""

    def test_a_label_on_sent_mail_is_seen_by_other_programs(self, harness: MailboxHarness) -> None:
        reader = _reader_with_sent(harness)
        others = harness.marks(reply_id(1)).others
        for _ in range(2):
            reader.tag(reader.id_of(reply_id(1)), GOOD_NEWS)
            assert harness.marks(reply_id(1)).labels == GOOD_NEWS
        assert harness.marks(reply_id(1)).others == others, "labelling changed another mark"
        assert harness.marks(reply_id(2)).labels == NONE
        assert reader.sync() == [], "labelling makes it come again"
        assert reader.labels_of(reply_id(1)) == GOOD_NEWS
        assert reader.restarted(harness.open()).sync() == []
        assert reader.labels_of(reply_id(1)) == GOOD_NEWS

    def test_a_label_that_the_teacher_takes_off_sent_mail_is_told(self, harness: MailboxHarness) -> None:
        reader = _reader_with_sent(harness)
        reader.tag(reader.id_of(reply_id(1)), GOOD_NEWS)
        reader.sync()
        harness.teacher_labels(reply_id(1), NONE)
        assert reader.sync() == []
        assert reader.labels_of(reply_id(1)) == NONE
        harness.teacher_labels(reply_id(1), GOOD_NEWS)
        assert reader.sync() == []
        assert reader.labels_of(reply_id(1)) == GOOD_NEWS

    def test_a_label_that_the_teacher_sets_on_sent_mail_is_told(self, harness: MailboxHarness) -> None:
        reader = _reader_with_sent(harness)
        harness.teacher_labels(reply_id(2), GOOD_NEWS)
        assert reader.sync() == []
        assert (reader.labels_of(reply_id(1)), reader.labels_of(reply_id(2))) == (NONE, GOOD_NEWS)
        assert reader.mailbox.fetch(reader.id_of(reply_id(2))).labels == GOOD_NEWS

    def test_a_label_on_sent_mail_that_changes_while_the_service_is_down_is_told(self, harness: MailboxHarness) -> None:
        reader = _reader_with_sent(harness)
        reader.tag(reader.id_of(reply_id(1)), GOOD_NEWS)
        reader.sync()
        reader.mailbox.close()
        harness.teacher_labels(reply_id(1), NONE)
        harness.teacher_labels(reply_id(2), GOOD_NEWS)
        reader = reader.restarted(harness.open())
        assert reader.sync() == []
        assert (reader.labels_of(reply_id(1)), reader.labels_of(reply_id(2))) == (NONE, GOOD_NEWS)

    def test_a_change_of_labels_on_sent_mail_that_was_not_committed_is_told_again(
        self, harness: MailboxHarness
    ) -> None:
        reader = _reader_with_sent(harness)
        harness.teacher_labels(reply_id(1), GOOD_NEWS)
        lost, again = reader.look(), reader.look()
        assert [state.labels for state in lost.labels] == [state.labels for state in again.labels] == [GOOD_NEWS]

    def test_sent_mail_that_comes_with_a_label_is_told_with_it(self, harness: MailboxHarness) -> None:
        _needs_exact_labels(harness)
        reader = Reader(harness.open())
        reader.sync()
        harness.teacher_sends(reply(1, harness.address))
        harness.teacher_labels(reply_id(1), GOOD_NEWS)
        (found,) = reader.sync()
        assert found.labels == GOOD_NEWS

    def test_old_sent_mail_keeps_the_label_that_the_teacher_gives_it(self, harness: MailboxHarness) -> None:
        _needs_exact_labels(harness)
        harness.teacher_sends(reply(1, harness.address))
        reader = Reader(harness.open())
        reader.sync()
        harness.teacher_labels(reply_id(1), GOOD_NEWS)
        assert reader.sync() == []
        assert reader.labels_of(reply_id(1)) == GOOD_NEWS

    def test_marks_that_are_none_of_ours_change_no_label_on_sent_mail(self, harness: MailboxHarness) -> None:
        reader = _reader_with_sent(harness)
        reader.tag(reader.id_of(reply_id(1)), GOOD_NEWS)
        reader.sync()
        harness.teacher_marks(reply_id(1))
        assert reader.sync() == []
        assert reader.labels_of(reply_id(1)) == GOOD_NEWS

    def test_labels_on_sent_and_on_received_mail_are_told_apart(self, harness: MailboxHarness) -> None:
        reader = _reader_with_sent(harness)
        harness.deliver(family_mail(1, harness.address))
        reader.sync()
        wanted = {reader.id_of(reply_id(1)): GOOD_NEWS, reader.id_of(family_id(1)): frozenset({Label.URGENT})}
        assert reader.mailbox.tag_many(wanted) == {}
        reader.recorded |= wanted
        assert harness.marks(reply_id(1)).labels == GOOD_NEWS
        assert harness.marks(family_id(1)).labels == {Label.URGENT}
        harness.teacher_labels(family_id(1), frozenset({Label.ROUTINE}))
        harness.teacher_labels(reply_id(1), NONE)
        assert reader.sync() == []
        assert (reader.labels_of(reply_id(1)), reader.labels_of(family_id(1))) == (NONE, frozenset({Label.ROUTINE}))

    def test_when_the_cursor_is_lost_the_labels_of_sent_mail_are_not(self, harness: MailboxHarness) -> None:
        reader = _reader_with_sent(harness)
        reader.tag(reader.id_of(reply_id(1)), GOOD_NEWS)
        reader.sync()
        harness.break_cursor()
        found = {message.id: message.labels for message in reader.sync()}
        for number, labels in ((1, GOOD_NEWS), (2, NONE)):
            id_ = next(reversed([each for each, name in reader.message_ids.items() if name == reply_id(number)]))
            assert found.get(id_, reader.recorded[id_]) == labels
            assert reader.recorded[id_] == labels

    def test_no_sent_mail_is_labelled_that_is_gone(self, harness: MailboxHarness) -> None:
        reader = _reader_with_sent(harness)
        gone = reader.id_of(reply_id(1))
        harness.delete(reply_id(1))
        with pytest.raises(MessageGone):
            reader.mailbox.tag(gone, GOOD_NEWS)
        failed = reader.mailbox.tag_many({gone: GOOD_NEWS, reader.id_of(reply_id(2)): GOOD_NEWS})
        assert failed.keys() == {gone}
        assert isinstance(failed[gone], MailboxError)
        assert harness.marks(reply_id(2)).labels == GOOD_NEWS


def _reader_with_sent(harness: MailboxHarness) -> Reader:
    _needs_exact_labels(harness)
    reader = Reader(harness.open())
    reader.sync()
    harness.teacher_sends(reply(1, harness.address))
    harness.teacher_sends(reply(2, harness.address))
    reader.sync()
    return reader


def _needs_exact_labels(harness: MailboxHarness) -> None:
    if not harness.exact_labels:
        pytest.skip("this system cannot show all labels apart")
