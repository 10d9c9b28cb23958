"""Reading: what `changes` and `fetch` promise."""

import gc
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from connectors.contract.harness import MailboxHarness
from connectors.contract.mails import (
    FAMILY,
    SUBJECTS,
    family_id,
    family_mail,
    family_mails,
    raw_subject_mail,
    raw_utf8_mail,
    reply,
    reply_id,
)
from connectors.contract.reader import Reader, message_id_of, subject_of, unwrapped
from connectors.errors import FetchFailed, MailboxError, MessageGone
from connectors.labels import Label
from connectors.mailbox import Changes, Direction, Mailbox, RawMessage

UNUSABLE_CURSORS = ("", "garbage", "{}", '{"v": 9999}', "[1, 2", "12:34:56", "\x00", "９" * 40, '{"v": 1, "dirs": 7}')


_PAGE = 200
"""Messages of a page of the backlog, as the service asks for them."""
_WATCHED = 4
"""Pages whose memory is measured."""


def ids(messages: list[RawMessage]) -> list[str]:
    """The Message-IDs of `messages`, in order."""
    return [message_id_of(message.raw) for message in messages]


class ReadingContract:
    """New mail, old mail, sent mail, deletions, lost cursors."""

    backlog = 5000
    """How many old messages the test of a backlog delivers. Where a system takes minutes to be given so many, fewer."""

    def test_it_is_a_mailbox_with_its_address_in_lower_case(self, harness: MailboxHarness) -> None:
        mailbox = harness.open()
        assert isinstance(mailbox, Mailbox)
        assert mailbox.address == harness.address == mailbox.address.lower()

    def test_checking_tells_facts_and_changes_nothing(self, harness: MailboxHarness) -> None:
        harness.deliver(family_mail(1, harness.address))
        before = harness.marks(family_id(1))
        facts = harness.open().check()
        assert facts
        assert all(fact.strip() for fact in facts)
        assert (harness.marks(family_id(1)), harness.drafts(), harness.sent()) == (before, [], [])

    def test_an_empty_mailbox_connects(self, harness: MailboxHarness) -> None:
        reader = Reader(harness.open())
        assert reader.sync() == []
        assert reader.cursor

    def test_new_mail_comes_in_the_order_of_its_arrival(self, harness: MailboxHarness) -> None:
        reader = Reader(harness.open())
        reader.sync()
        for number in range(6):
            harness.deliver(family_mail(number, harness.address))
        found = reader.sync()
        assert ids(found) == [family_id(number) for number in range(6)]
        assert {(message.direction, message.backfill) for message in found} == {(Direction.RECEIVED, False)}

    def test_nothing_comes_twice_along_one_chain_of_cursors(self, harness: MailboxHarness) -> None:
        reader = Reader(harness.open())
        harness.deliver(family_mail(0, harness.address), family_mail(1, harness.address))
        first = reader.sync()
        harness.deliver(family_mail(2, harness.address))
        second = reader.sync()
        assert reader.sync() == []
        reader = reader.restarted(harness.open())
        assert reader.sync() == []
        harness.deliver(family_mail(3, harness.address))
        third = reader.sync()
        assert sorted(ids(first)) == [family_id(0), family_id(1)]
        assert (ids(second), ids(third)) == ([family_id(2)], [family_id(3)])

    def test_a_page_that_was_not_committed_comes_again(self, harness: MailboxHarness) -> None:
        reader = Reader(harness.open())
        reader.sync()
        harness.deliver(*(family_mail(number, harness.address) for number in range(3)))
        lost = reader.look(limit=2)
        again = reader.look(limit=2)
        reader = reader.restarted(harness.open())
        after_crash = reader.look(limit=2)
        assert ids([*lost.messages]) == ids([*again.messages]) == ids([*after_crash.messages])
        assert ids(reader.sync()) == [family_id(number) for number in range(3)]

    def test_pages_keep_to_their_limit_and_say_that_more_is_ready(self, harness: MailboxHarness) -> None:
        reader = Reader(harness.open())
        reader.sync()
        harness.deliver(*(family_mail(number, harness.address) for number in range(7)))
        pages = reader.pages(limit=3)
        assert [number for page in pages for number in ids([*page.messages])] == [family_id(n) for n in range(7)]
        assert [page.more for page in pages] == [True] * (len(pages) - 1) + [False]
        assert max(len(page.messages) for page in pages) == 3

    def test_connecting_an_old_mailbox_gives_live_mail_before_old_mail_newest_first(
        self, harness: MailboxHarness
    ) -> None:
        for number in range(7):
            harness.deliver(family_mail(number, harness.address))
        reader = Reader(harness.open())
        pages = [reader.look(limit=2)]
        reader.commit(pages[0])
        assert pages[0].more
        harness.deliver(family_mail(100, harness.address))
        pages += reader.pages(limit=2)
        found = [message for page in pages for message in page.messages]
        live = found.pop(len(pages[0].messages))
        assert message_id_of(live.raw) == family_id(100), "mail that arrives meanwhile waits behind old mail"
        assert not live.backfill
        assert ids(found) == [family_id(number) for number in reversed(range(7))]
        assert all(message.backfill for message in found)

    def test_reading_old_mail_tells_its_progress(self, harness: MailboxHarness) -> None:
        harness.deliver(*(family_mail(number, harness.address) for number in range(7)))
        told = [page.progress for page in Reader(harness.open()).pages(limit=2) if page.progress]
        assert told, "nothing tells how far reading has come"
        assert [step.done for step in told] == sorted(step.done for step in told)
        assert (told[-1].done, told[-1].total) == (7, 7)

    def test_reading_old_mail_goes_on_after_a_restart(self, harness: MailboxHarness) -> None:
        harness.deliver(*(family_mail(number, harness.address) for number in range(7)))
        reader = Reader(harness.open())
        found: list[str] = []
        for _ in range(4):
            page = reader.look(limit=2)
            reader.commit(page)
            found += ids([message for message in page.messages if message.backfill])
            reader = reader.restarted(harness.open())
        found += ids(reader.sync())
        assert found == [family_id(number) for number in reversed(range(7))]

    def test_a_backlog_is_read_page_by_page_and_never_held_as_a_whole(self, harness: MailboxHarness) -> None:
        body = "So it goes, line after line after line.\n" * 100
        numbers = range(self.backlog)
        for first in numbers[::1000]:
            harness.deliver(*family_mails(numbers[first : first + 1000], harness.address, body=body))
        reader = Reader(harness.open())
        found: list[str] = []
        tracemalloc.start()
        try:  # watching is slow, and the first pages tell enough
            pages = [_Footprint.of(lambda: found.extend(_page_of(reader))) for _ in range(_WATCHED)]
        finally:
            tracemalloc.stop()
        found += ids(reader.sync(limit=_PAGE))
        assert sorted(found) == sorted(family_id(number) for number in numbers)
        text = _PAGE * len(body)
        assert max(page.most for page in pages) < 8 * 1024 * 1024 + 4 * text, "a page took more than its messages do"
        assert pages[-1].kept - pages[0].kept < text * (len(pages) - 1) / 2, "what was read is held on to"

    def test_mail_that_the_teacher_sends_is_seen_as_sent(self, harness: MailboxHarness) -> None:
        reader = Reader(harness.open())
        reader.sync()
        harness.teacher_sends(reply(1, harness.address))
        found = reader.sync()
        assert [(message_id_of(message.raw), message.direction) for message in found] == [(reply_id(1), Direction.SENT)]
        assert reader.sync() == []

    @pytest.mark.parametrize("cursor", UNUSABLE_CURSORS)
    def test_an_unusable_cursor_means_a_resync_and_no_loss(self, harness: MailboxHarness, cursor: str) -> None:
        reader = Reader(harness.open())
        harness.deliver(family_mail(0, harness.address))
        reader.sync()
        harness.deliver(family_mail(1, harness.address))
        reader.cursor = cursor
        pages = reader.pages()
        assert pages[0].resync
        assert {family_id(0), family_id(1)} <= set(reader.message_ids.values())
        assert _acted_on(pages, family_id(1)), "mail that nobody read yet passes for old mail"
        assert reader.sync() == []

    def test_a_cursor_that_the_system_forgot_means_a_resync_and_no_loss(self, harness: MailboxHarness) -> None:
        reader = Reader(harness.open())
        harness.deliver(family_mail(0, harness.address))
        reader.sync()
        harness.deliver(family_mail(1, harness.address))
        harness.break_cursor()
        harness.deliver(family_mail(2, harness.address))
        reader = reader.restarted(harness.open())
        pages = reader.pages()
        assert pages[0].resync
        assert {family_id(number) for number in range(3)} <= set(reader.message_ids.values())
        assert _acted_on(pages, family_id(1)), "mail that nobody read yet passes for old mail"
        assert _acted_on(pages, family_id(2))
        assert reader.sync() == []

    def test_a_deleted_message_is_gone_and_changes_go_on(self, harness: MailboxHarness) -> None:
        reader = Reader(harness.open())
        harness.deliver(family_mail(0, harness.address), family_mail(1, harness.address))
        reader.sync()
        gone = reader.id_of(family_id(0))
        harness.delete(family_id(0))
        harness.deliver(family_mail(2, harness.address))
        with pytest.raises(MessageGone):
            reader.mailbox.fetch(gone)
        with pytest.raises(MessageGone):
            reader.mailbox.tag(gone, frozenset())
        assert ids(reader.sync()) == [family_id(2)]

    def test_a_message_that_the_teacher_moves_away_is_gone_until_it_is_moved_back(
        self, harness: MailboxHarness
    ) -> None:
        reader = Reader(harness.open())
        harness.deliver(family_mail(0, harness.address), family_mail(1, harness.address))
        reader.sync()
        gone = reader.id_of(family_id(0))
        reader.tag(gone, frozenset({Label.URGENT}))
        reader.sync()
        harness.move_away(family_id(0))
        with pytest.raises(MessageGone):
            reader.mailbox.tag(gone, frozenset({Label.ROUTINE}))
        harness.deliver(family_mail(2, harness.address))
        assert ids(reader.sync()) == [family_id(2)]
        harness.settle()
        assert reader.sync() == []
        assert family_id(0) not in reader.message_ids.values(), "nothing told that the message is gone"
        harness.move_back(family_id(0))
        assert set(ids(reader.sync())) <= {family_id(0)}
        assert sorted(reader.message_ids.values()) == [family_id(0), family_id(1), family_id(2)]
        again = reader.id_of(family_id(0))
        assert message_id_of(reader.mailbox.fetch(again).raw) == family_id(0)
        if harness.exact_labels:
            assert reader.labels_of(family_id(0)) == {Label.URGENT}
        reader.tag(again, frozenset({Label.ROUTINE}))
        assert reader.sync() == []

    def test_a_message_that_was_moved_away_and_back_between_two_looks_is_not_lost(
        self, harness: MailboxHarness
    ) -> None:
        reader = Reader(harness.open())
        harness.deliver(family_mail(0, harness.address), family_mail(1, harness.address))
        reader.sync()
        harness.move_away(family_id(0))
        harness.move_back(family_id(0))
        found = ids(reader.sync())
        harness.settle()
        assert {*found, *ids(reader.sync())} <= {family_id(0)}
        assert sorted(reader.message_ids.values()) == [family_id(0), family_id(1)]
        reader.tag(reader.id_of(family_id(0)), frozenset({Label.URGENT}))
        assert reader.sync() == []

    def test_a_message_that_the_system_cannot_read_is_told_and_holds_nothing_up(self, harness: MailboxHarness) -> None:
        reader = Reader(harness.open())
        reader.sync()
        harness.deliver_unreadable()
        harness.deliver(family_mail(1, harness.address))
        odd, good = reader.sync()
        assert message_id_of(good.raw) == family_id(1)
        assert odd.size > 0, "it must not pass for a message with nothing in it"
        assert len(odd.raw) <= odd.size
        with suppress(FetchFailed):
            assert reader.mailbox.fetch(odd.id).id == odd.id
        harness.deliver(family_mail(2, harness.address))
        assert ids(reader.sync()) == [family_id(2)]

    @pytest.mark.parametrize("nonsense", ["", "no-such-message", "../../../etc/passwd", "\x00", "9" * 300, ".", "é/*"])
    def test_an_id_that_never_was_is_an_error_that_names_the_operation(
        self, harness: MailboxHarness, nonsense: str
    ) -> None:
        mailbox = harness.open()
        with pytest.raises(MailboxError):
            mailbox.fetch(nonsense)
        with pytest.raises(MailboxError):
            mailbox.tag(nonsense, frozenset())

    def test_fetching_gives_the_whole_message_as_it_arrived(self, harness: MailboxHarness) -> None:
        sent = family_mail(1, harness.address, subject="Über אבא 🚌", body="Grüße שלום 🙂")
        harness.deliver(sent)
        reader = Reader(harness.open())
        (listed,) = reader.sync()
        fetched = reader.mailbox.fetch(listed.id)
        assert unwrapped(fetched.raw).endswith(unwrapped(sent).partition(b"From: ")[2])
        assert (fetched.id, fetched.direction, fetched.received_at) == (listed.id, listed.direction, listed.received_at)
        assert fetched.size == len(fetched.raw)

    def test_undeclared_utf8_in_headers_comes_through_untouched(self, harness: MailboxHarness) -> None:
        harness.deliver(raw_utf8_mail(1, harness.address))
        (found,) = Reader(harness.open()).sync()
        assert "Subject: Größe שלום 🚌".encode() in found.raw
        assert "Zoë Müller-Ünal".encode() in found.raw

    @pytest.mark.parametrize("script", SUBJECTS)
    @pytest.mark.parametrize("encoded", [True, False], ids=["encoded", "raw UTF-8"])
    def test_subjects_of_every_script_arrive_as_they_were_written(
        self, harness: MailboxHarness, script: str, *, encoded: bool
    ) -> None:
        subject, address = SUBJECTS[script], harness.address
        received = raw_subject_mail(1, subject, FAMILY, address, family_id(1))
        sent = raw_subject_mail(1, subject, address, FAMILY, reply_id(1))
        if encoded:
            received, sent = family_mail(1, address, subject=subject), reply(1, address, subject=subject)
        reader = Reader(harness.open())
        reader.sync()
        harness.deliver(received)
        harness.teacher_sends(sent)
        found = {message_id_of(message.raw): message for message in reader.sync()}
        assert {id_: subject_of(message.raw) for id_, message in found.items()} == {
            family_id(1): subject,
            reply_id(1): subject,
        }
        assert subject_of(reader.mailbox.fetch(found[family_id(1)].id).raw) == subject

    def test_messages_tell_when_they_were_received_in_utc(self, harness: MailboxHarness) -> None:
        harness.deliver(family_mail(1, harness.address))
        (found,) = Reader(harness.open()).sync()
        assert found.received_at.utcoffset() == timedelta(0)
        assert abs(datetime.now(UTC) - found.received_at) < timedelta(hours=1)


def _acted_on(pages: list[Changes], message_id: str) -> bool:
    """Whether the message was told as one to act on, and not as one from before the mailbox was connected."""
    return any(
        message_id_of(found.raw) == message_id and not found.backfill for page in pages for found in page.messages
    )


@dataclass(frozen=True, slots=True)
class _Footprint:
    """Bytes of memory: the most that a page took while it was read, and what is held after it."""

    most: int
    kept: int

    @classmethod
    def of(cls, read: Callable[[], object]) -> "_Footprint":
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        read()
        gc.collect(1)  # what only waits for the collector is not held on to
        after, peak = tracemalloc.get_traced_memory()
        return cls(peak - before, after)


def _page_of(reader: Reader) -> list[str]:
    """Reads and commits one page; the Message-IDs in it."""
    page = reader.look(limit=_PAGE)
    reader.commit(page)
    return ids([*page.messages])
