"""Sending: a draft, then the draft is sent, and what became of it can be asked (decision 3 of the design)."""

import pytest

from connectors.contract.harness import MailboxHarness
from connectors.contract.mails import (
    SUBJECTS,
    answer,
    draft_id,
    family_id,
    family_mail,
    good_news,
    good_news_id,
    reply,
    reply_id,
    teachers_draft,
)
from connectors.contract.reader import Reader, message_id_of, subject_of, unwrapped
from connectors.errors import MessageGone
from connectors.mailbox import Direction, DraftState
from connectors.message import MARKER


class SendingContract:
    """Drafts, and how they leave."""

    def test_a_draft_is_a_draft_and_nothing_leaves(self, harness: MailboxHarness) -> None:
        mailbox = harness.open()
        draft = mailbox.save_draft(reply(1, harness.address))
        assert draft
        assert [unwrapped(found) for found in harness.drafts()] == [unwrapped(reply(1, harness.address))]
        assert (harness.sent(), harness.departed()) == ([], [])
        assert mailbox.draft_state(draft, reply_id(1)) is DraftState.DRAFT

    def test_saving_a_draft_again_after_a_crash_leaves_one(self, harness: MailboxHarness) -> None:
        draft = harness.open().save_draft(reply(1, harness.address))
        assert harness.open().save_draft(reply(1, harness.address)) == draft
        assert _where(harness) == ([reply_id(1)], [], [])

    def test_a_sent_draft_leaves_once_and_lies_in_sent(self, harness: MailboxHarness) -> None:
        mailbox = harness.open()
        draft = mailbox.save_draft(reply(1, harness.address))
        mailbox.send_draft(draft)
        assert _where(harness) == ([], [reply_id(1)], [reply_id(1)])
        assert mailbox.draft_state(draft, reply_id(1)) is DraftState.SENT

    def test_sending_a_draft_again_sends_nothing(self, harness: MailboxHarness) -> None:
        mailbox = harness.open()
        draft = mailbox.save_draft(reply(1, harness.address))
        mailbox.send_draft(draft)
        mailbox.send_draft(draft)
        mailbox.close()
        harness.open().send_draft(draft)
        assert _where(harness) == ([], [reply_id(1)], [reply_id(1)])

    def test_drafts_are_sent_apart_from_each_other(self, harness: MailboxHarness) -> None:
        mailbox = harness.open()
        first = mailbox.save_draft(reply(1, harness.address))
        second = mailbox.save_draft(reply(2, harness.address))
        mailbox.send_draft(second)
        assert first != second
        assert _where(harness) == ([reply_id(1)], [reply_id(2)], [reply_id(2)])
        assert mailbox.draft_state(first, reply_id(1)) is DraftState.DRAFT
        assert mailbox.draft_state(second, reply_id(2)) is DraftState.SENT

    def test_a_crash_between_draft_and_send_can_be_told(self, harness: MailboxHarness) -> None:
        draft = harness.open().save_draft(reply(1, harness.address))
        after_crash = harness.open()
        assert after_crash.draft_state(draft, reply_id(1)) is DraftState.DRAFT
        after_crash.send_draft(draft)
        assert harness.open().draft_state(draft, reply_id(1)) is DraftState.SENT
        assert _where(harness) == ([], [reply_id(1)], [reply_id(1)])

    def test_a_draft_whose_id_was_never_recorded_is_found_by_its_message_id(self, harness: MailboxHarness) -> None:
        draft = harness.open().save_draft(reply(1, harness.address))
        after_crash = harness.open()
        assert after_crash.draft_state("", reply_id(1)) is DraftState.DRAFT
        after_crash.send_draft(draft)
        assert after_crash.draft_state("", reply_id(1)) is DraftState.SENT
        assert after_crash.draft_state("", reply_id(2)) is DraftState.GONE

    @pytest.mark.parametrize("draft", ["", "never-was", "../../escape", "\x00"])
    def test_a_draft_that_never_was_is_gone(self, harness: MailboxHarness, draft: str) -> None:
        mailbox = harness.open()
        assert mailbox.draft_state(draft, reply_id(1)) is DraftState.GONE
        mailbox.discard_draft(draft)
        with pytest.raises(MessageGone):
            mailbox.send_draft(draft)

    @pytest.mark.parametrize("script", SUBJECTS)
    def test_subjects_of_every_script_leave_as_they_were_written(self, harness: MailboxHarness, script: str) -> None:
        mailbox = harness.open()
        mailbox.send_draft(mailbox.save_draft(reply(1, harness.address, subject=SUBJECTS[script])))
        assert [subject_of(raw) for raw in (*harness.departed(), *harness.sent())] == [SUBJECTS[script]] * 2

    def test_an_answer_lands_in_the_familys_thread(self, harness: MailboxHarness) -> None:
        harness.deliver(family_mail(1, harness.address), family_mail(2, harness.address))
        reader = Reader(harness.open())
        reader.sync()
        thread = harness.thread_of(family_id(1))
        assert thread != harness.thread_of(family_id(2))
        reader.mailbox.send_draft(reader.mailbox.save_draft(answer(1, harness.address)))
        assert harness.thread_of(reply_id(1)) == thread
        (left,) = harness.departed()
        assert f"In-Reply-To: <{family_id(1)}>".encode() in unwrapped(left)

    def test_a_draft_that_is_left_to_the_teacher_is_told_of_by_nobody_and_looked_up_by_its_message_id(
        self, harness: MailboxHarness
    ) -> None:
        reader = _with_family_mail(harness)
        for alternative in (1, 2):
            reader.mailbox.save_draft(teachers_draft(1, harness.address, alternative))
        assert reader.sync() == [], "a draft is no mail yet"
        reader = reader.restarted(harness.open())
        assert reader.sync() == []
        for alternative in (1, 2):
            assert reader.mailbox.draft_state("", draft_id(1, alternative)) is DraftState.DRAFT
            assert reader.mailbox.save_draft(teachers_draft(1, harness.address, alternative))
        assert sorted(_where(harness)[0]) == [draft_id(1, 1), draft_id(1, 2)]
        assert _where(harness)[1:] == ([], [])

    def test_a_draft_that_the_teacher_sends_is_told_as_sent_in_the_familys_thread_with_our_mark(
        self, harness: MailboxHarness
    ) -> None:
        reader = _with_family_mail(harness)
        reader.mailbox.save_draft(teachers_draft(1, harness.address))
        harness.teacher_sends(teachers_draft(1, harness.address))
        (found,) = reader.sync()
        assert found.direction is Direction.SENT
        assert f"{MARKER}: draft".encode() in unwrapped(found.raw)
        assert f"In-Reply-To: <{family_id(1)}>".encode() in unwrapped(found.raw)
        assert reader.mailbox.draft_state("", draft_id(1, 1)) is DraftState.SENT

    def test_a_draft_of_a_new_mail_to_both_guardians_is_saved_once_and_left_to_the_teacher(
        self, harness: MailboxHarness
    ) -> None:
        reader = _with_family_mail(harness)
        assert reader.mailbox.draft_state("", good_news_id(1)) is DraftState.GONE
        draft = reader.mailbox.save_draft(good_news(1, harness.address))
        assert harness.open().save_draft(good_news(1, harness.address)) == draft
        assert [unwrapped(found) for found in harness.drafts()] == [unwrapped(good_news(1, harness.address))]
        assert reader.sync() == []
        assert harness.open().draft_state("", good_news_id(1)) is DraftState.DRAFT
        assert harness.open().draft_state("", good_news_id(2)) is DraftState.GONE
        harness.teacher_sends(good_news(1, harness.address))
        assert f"{MARKER}: draft".encode() in unwrapped(reader.sync()[0].raw)
        assert reader.mailbox.draft_state("", good_news_id(1)) is DraftState.SENT

    def test_alternatives_of_a_draft_are_not_taken_for_each_other(self, harness: MailboxHarness) -> None:
        reader = _with_family_mail(harness)
        drafts = [reader.mailbox.save_draft(teachers_draft(1, harness.address, number)) for number in (1, 2, 3)]
        assert len(set(drafts)) == 3
        harness.teacher_sends(teachers_draft(1, harness.address, 1))
        reader.mailbox.discard_draft(drafts[1])
        after = harness.open()
        for draft, number, state in ((drafts[1], 2, DraftState.GONE), (drafts[2], 3, DraftState.DRAFT)):
            assert after.draft_state(draft, draft_id(1, number)) is state
            assert after.draft_state("", draft_id(1, number)) is state

    def test_mail_that_the_teacher_sent_counts_under_its_message_id(self, harness: MailboxHarness) -> None:
        harness.teacher_sends(reply(1, harness.address))
        assert harness.open().draft_state("", reply_id(1)) is DraftState.SENT

    def test_a_discarded_draft_is_gone_and_never_leaves(self, harness: MailboxHarness) -> None:
        mailbox = harness.open()
        draft = mailbox.save_draft(reply(1, harness.address))
        mailbox.discard_draft(draft)
        mailbox.discard_draft(draft)
        assert mailbox.draft_state(draft, reply_id(1)) is DraftState.GONE
        with pytest.raises(MessageGone):
            mailbox.send_draft(draft)
        assert _where(harness) == ([], [], [])

    def test_discarding_what_was_sent_leaves_the_copy_in_sent(self, harness: MailboxHarness) -> None:
        mailbox = harness.open()
        draft = mailbox.save_draft(reply(1, harness.address))
        mailbox.send_draft(draft)
        mailbox.discard_draft(draft)
        assert _where(harness) == ([], [reply_id(1)], [reply_id(1)])


def _with_family_mail(harness: MailboxHarness) -> Reader:
    reader = Reader(harness.open())
    harness.deliver(family_mail(1, harness.address))
    reader.sync()
    return reader


def _where(harness: MailboxHarness) -> tuple[list[str], list[str], list[str]]:
    """The Message-IDs in Drafts, in Sent, and of what left."""
    drafts, sent, departed = (
        [message_id_of(raw) for raw in place] for place in (harness.drafts(), harness.sent(), harness.departed())
    )
    return drafts, sent, departed
