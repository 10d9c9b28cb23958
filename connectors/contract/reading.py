"""Reading: what `changes` and `fetch` promise."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors.contract.harness import MailboxHarness
from connectors.contract.mails import family_id, family_mail, raw_utf8_mail, reply, reply_id
from connectors.contract.reader import Reader, message_id_of, unwrapped
from connectors.errors import MailboxError, MessageGone
from connectors.mailbox import Changes, Direction, Mailbox, RawMessage

UNUSABLE_CURSORS = ("", "garbage", "{}", '{"v": 9999}', "[1, 2", "12:34:56", "\x00", "９" * 40, '{"v": 1, "dirs": 7}')


def ids(messages: list[RawMessage]) -> list[str]:
    """The Message-IDs of `messages`, in order."""
    return [message_id_of(message.raw) for message in messages]


class ReadingContract:
    """New mail, old mail, sent mail, deletions, lost cursors."""

    backlog = 1000
    """How many old messages `test_a_backlog_is_read_page_by_page` delivers."""

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

    def test_a_backlog_is_read_page_by_page(self, harness: MailboxHarness) -> None:
        harness.deliver(*(family_mail(number, harness.address) for number in range(self.backlog)))
        reader = Reader(harness.open())
        found = ids(reader.sync(limit=max(1, self.backlog // 7)))
        assert sorted(found) == sorted(family_id(number) for number in range(self.backlog))

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
