"""Hostile mail, large mail, and an instance's life: two at once, waiting, closing."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest

from connectors.contract.harness import MailboxHarness
from connectors.contract.mails import NOT_MAIL, family_id, family_mail, reply, reply_id
from connectors.contract.reader import RAW_BOUND, Reader, message_id_of
from connectors.errors import MailboxError, SendUncertain
from connectors.labels import Label
from connectors.mailbox import DraftState, Mailbox

_Result = TypeVar("_Result")

PATIENCE = 30.0
"""Seconds after which a call that should have ended is taken to hang."""


class RobustnessContract:
    """What must hold whatever arrives and whoever else is there."""

    large = 25 * 1024 * 1024
    """Bytes of the message in `test_a_large_message_is_cut_in_changes_and_whole_in_fetch`."""

    def test_a_large_message_is_cut_in_changes_and_whole_in_fetch(self, harness: MailboxHarness) -> None:
        line = b"x" * 70 + b"\r\n"
        body = line * (self.large // len(line)) + b"the very end\r\n"
        harness.deliver(family_mail(1, harness.address) + body)
        reader = Reader(harness.open())
        (found,) = reader.sync()
        assert len(found.raw) <= RAW_BOUND < self.large * 0.9 < found.size
        assert message_id_of(found.raw) == family_id(1)
        whole = reader.mailbox.fetch(found.id)
        assert whole.raw.rstrip().endswith(b"the very end")
        assert len(whole.raw) == whole.size == found.size

    @pytest.mark.parametrize("kind", NOT_MAIL)
    def test_what_is_not_mail_comes_all_the_same_and_holds_nothing_up(self, harness: MailboxHarness, kind: str) -> None:
        reader = Reader(harness.open())
        reader.sync()
        harness.deliver(NOT_MAIL[kind])
        harness.deliver(family_mail(1, harness.address))
        odd, good = reader.sync()
        assert message_id_of(good.raw) == family_id(1)
        assert len(odd.raw) <= odd.size
        assert reader.mailbox.fetch(odd.id).id == odd.id
        reader.tag(odd.id, frozenset({Label.ROUTINE}))
        assert reader.sync() == []

    def test_two_instances_on_one_mailbox_see_each_other(self, harness: MailboxHarness) -> None:
        one, two = Reader(harness.open()), Reader(harness.open())
        one.sync()
        two.sync()
        harness.deliver(family_mail(1, harness.address))
        assert [message_id_of(found.raw) for found in one.sync()] == [family_id(1)]
        assert [message_id_of(found.raw) for found in two.sync()] == [family_id(1)]
        one.tag(one.id_of(family_id(1)), frozenset({Label.URGENT}))
        assert two.sync() == []
        if harness.exact_labels:
            assert two.labels_of(family_id(1)) == {Label.URGENT}
        draft = one.mailbox.save_draft(reply(1, harness.address))
        assert two.mailbox.draft_state(draft, reply_id(1)) is DraftState.DRAFT
        two.mailbox.send_draft(draft)
        one.mailbox.send_draft(draft)
        assert one.mailbox.draft_state(draft, reply_id(1)) is DraftState.SENT
        assert [message_id_of(found) for found in harness.departed()] == [reply_id(1)]

    def test_two_workers_reading_at_once_are_each_told_everything_once(self, harness: MailboxHarness) -> None:
        readers = [Reader(harness.open()) for _ in range(2)]
        for reader in readers:
            reader.sync()
        harness.deliver(*(family_mail(number, harness.address) for number in range(20)))
        found = _at_once(*(lambda reader=reader: reader.sync(limit=3) for reader in readers))
        for messages in found:
            assert [message_id_of(message.raw) for message in messages] == [family_id(number) for number in range(20)]

    def test_two_workers_tagging_the_same_mail_at_once_leave_it_tagged_as_by_one(self, harness: MailboxHarness) -> None:
        readers = [Reader(harness.open()) for _ in range(2)]
        harness.deliver(*(family_mail(number, harness.address) for number in range(6)))
        for reader in readers:
            reader.sync()
        others = [harness.marks(family_id(number)).others for number in range(6)]
        labels = frozenset({Label.CONFLICT, Label.CHECK})

        def tag_all(reader: Reader) -> None:
            reader.tag(reader.id_of(family_id(0)), labels)
            rest = {reader.id_of(family_id(number)): labels for number in range(1, 6)}
            assert reader.mailbox.tag_many(rest) == {}
            reader.recorded.update(rest)

        _at_once(*(lambda reader=reader: tag_all(reader) for reader in readers))
        marks = [harness.marks(family_id(number)) for number in range(6)]
        assert [mark.others for mark in marks] == others
        if harness.exact_labels:
            assert [mark.labels for mark in marks] == [labels] * 6
        assert [reader.sync() for reader in readers] == [[], []]

    def test_two_workers_drafting_the_same_reply_at_once_and_sending_it_send_it_once(
        self, harness: MailboxHarness
    ) -> None:
        mailboxes = [harness.open() for _ in range(2)]
        if not mailboxes[0].atomic_send:
            pytest.skip("over SMTP nobody can keep two workers apart: the service's outbox lets one of them send")
        draft = mailboxes[0].save_draft(reply(1, harness.address))

        def send(mailbox: Mailbox) -> None:
            for _ in range(10):
                try:
                    mailbox.send_draft(draft)
                except MailboxError as error:
                    if not (error.transient or isinstance(error, SendUncertain)):
                        raise
                    if mailbox.draft_state(draft, reply_id(1)) is DraftState.SENT:
                        return
                else:
                    return
            raise AssertionError("neither sent nor seen as sent by the other")

        _at_once(*(lambda mailbox=mailbox: send(mailbox) for mailbox in mailboxes))
        assert [message_id_of(found) for found in harness.departed()] == [reply_id(1)]
        assert [message_id_of(found) for found in harness.sent()] == [reply_id(1)]
        assert harness.drafts() == []

    def test_closing_twice_is_safe_and_a_later_call_connects_again(self, harness: MailboxHarness) -> None:
        reader = Reader(harness.open())
        reader.sync()
        reader.mailbox.close()
        reader.mailbox.close()
        harness.deliver(family_mail(1, harness.address))
        assert [message_id_of(found.raw) for found in reader.sync()] == [family_id(1)]
        reader.mailbox.close()

    def test_without_push_waiting_returns_false_at_once(self, harness: MailboxHarness) -> None:
        if harness.push:
            pytest.skip("this system pushes")
        assert harness.open().wait(PATIENCE * 10) is False

    def test_new_mail_ends_waiting(self, harness: MailboxHarness) -> None:
        _needs_push(harness)
        reader = Reader(harness.open())
        reader.sync()
        outcome: list[bool] = []
        waiting = threading.Thread(target=lambda: outcome.append(reader.mailbox.wait(PATIENCE)), daemon=True)
        waiting.start()
        harness.deliver(family_mail(1, harness.address))
        waiting.join(PATIENCE)
        assert outcome == [True]
        assert [message_id_of(found.raw) for found in reader.sync()] == [family_id(1)]

    def test_another_thread_can_interrupt_waiting(self, harness: MailboxHarness) -> None:
        _needs_push(harness)
        reader = Reader(harness.open())
        reader.sync()
        outcome: list[bool] = []
        waiting = threading.Thread(target=lambda: outcome.append(reader.mailbox.wait(PATIENCE * 10)), daemon=True)
        waiting.start()
        for _ in range(int(PATIENCE / 0.05)):
            reader.mailbox.interrupt()
            waiting.join(0.05)
            if not waiting.is_alive():
                break
        assert outcome == [False]
        harness.deliver(family_mail(1, harness.address))
        assert [message_id_of(found.raw) for found in reader.sync()] == [family_id(1)]

    def test_interrupting_when_nobody_waits_is_harmless(self, harness: MailboxHarness) -> None:
        reader = Reader(harness.open())
        reader.mailbox.interrupt()
        harness.deliver(family_mail(1, harness.address))
        assert [message_id_of(found.raw) for found in reader.sync()] == [family_id(1)]


def _at_once(*works: Callable[[], _Result]) -> list[_Result]:
    """Does all of it at the same time, each in a thread of its own, and raises what the first of them raises."""
    start = threading.Barrier(len(works))

    def begin(work: Callable[[], _Result]) -> _Result:
        start.wait(PATIENCE)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return [done.result() for done in [pool.submit(begin, work) for work in works]]


def _needs_push(harness: MailboxHarness) -> None:
    if not harness.push:
        pytest.skip("this system has no push")
