"""What IMAP asks beyond the contract: large and holey mailboxes, lines that break, folders by any name, cheap polls."""

import random
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.contract.mails import family_id, family_mail, reply, reply_id
from connectors.contract.reader import Reader, message_id_of
from connectors.errors import ConnectFailed, MailboxError
from connectors.imap import ImapMailbox
from connectors.imap_answers import uid_sets
from connectors.imap_cursor import parse_cursor
from connectors.labels import Label
from connectors.mailbox import Direction, DraftState
from connectors.smtp import SmtpSender
from tests.connectors.imap_world import ImapWorld
from tests.servers import dovecot, imap_proxy, smtp_sink
from tests.servers.dovecot import PASSWORD, Dovecot

pytestmark = pytest.mark.server("dovecot")
USERS = [f"t{number}@maple.example" for number in range(40)]
PATIENCE = 30.0
_numbers = count()


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with dovecot.running(users=USERS, storage=dovecot.MDBOX) as server:
        yield server


@pytest.fixture
def world(server: Dovecot) -> Iterator[ImapWorld]:
    with smtp_sink.running() as sink:
        world = ImapWorld(server, sink, USERS[next(_numbers)])
        yield world
        world.close()


def through(proxy: imap_proxy.ImapProxy, world: ImapWorld) -> ImapMailbox:
    """The world's mailbox, through a proxy."""
    sender = SmtpSender(world.sink.settings(), world.address)
    return ImapMailbox(world.address, proxy.settings(), password=PASSWORD, sender=sender)


def test_five_thousand_old_messages_with_gaps_come_newest_first_each_once(world: ImapWorld) -> None:
    one = family_mail(0, world.address)
    many = [one.replace(b"family-0@", b"family-%d@" % number) for number in range(5000)]
    world.dovecot.append(*many, to=world.address)
    kept = set(range(5000))
    with world.client() as client:
        client.select_folder("INBOX")
        gaps = [*range(3, 1500), *random.Random(1).sample(range(1500, 5000), 1000)]
        client.delete_messages([number + 1 for number in gaps], silent=True)
        client.expunge()
        kept.difference_update(gaps)
    with imap_proxy.running(world.dovecot.ports[0]) as proxy:
        reader = Reader(through(proxy, world))
        pages = reader.pages()
    found = [
        int(message_id_of(m.raw).removeprefix("family-").partition("@")[0]) for page in pages for m in page.messages
    ]
    assert found == sorted(kept, reverse=True)
    assert all(message.backfill for page in pages for message in page.messages)
    assert pages[-1].progress is not None
    assert pages[-1].progress.done == pages[-1].progress.total == len(kept)
    assert len(reader.cursor or "") < 1000
    fetches = [line for line in proxy.said if b"FETCH" in line]
    assert len(fetches) <= 2 * len(pages) + 2, "messages are read one by one"


def test_new_mail_behind_a_wide_gap_of_numbers_is_found_at_once(world: ImapWorld) -> None:
    with imap_proxy.running(world.dovecot.ports[0]) as proxy:
        reader = Reader(through(proxy, world))
        reader.sync()
        _leave_a_gap(world)
        said = len(proxy.said)
        assert [message_id_of(found.raw) for found in reader.sync(limit=10)] == [family_id(249), family_id(298)]
        assert len(proxy.said) - said <= 8
        reader.mailbox.close()


def _leave_a_gap(world: ImapWorld) -> None:
    world.dovecot.append(*(family_mail(number, world.address) for number in range(300)), to=world.address)
    with world.client() as client:
        client.select_folder("INBOX")
        client.delete_messages([number for number in client.search() if number not in (250, 299)], silent=True)
        client.expunge()


def test_a_page_holds_little_even_where_messages_are_large(world: ImapWorld) -> None:
    reader = Reader(world.open())
    reader.sync()
    text = "x" * 70 + "\r\n"
    large = family_mail(1, world.address, body=text * 1000)
    world.dovecot.append(*[large] * 600, to=world.address)
    pages = reader.pages(limit=1000)
    assert sum(len(page.messages) for page in pages) == 600
    assert max(sum(len(m.raw) for m in page.messages) for page in pages) <= 33 * 1024 * 1024


def test_an_idle_poll_takes_at_most_three_commands_and_leaves_the_cursor_as_it_is(world: ImapWorld) -> None:
    world.deliver(*(family_mail(number, world.address) for number in range(3)))
    with imap_proxy.running(world.dovecot.ports[0]) as proxy:
        reader = Reader(through(proxy, world))
        reader.sync()
        before, said = reader.cursor, len(proxy.said)
        assert reader.sync() == []
        assert reader.cursor == before
        assert len(proxy.said) - said <= 3
        assert not any(b"FETCH" in line for line in proxy.said[said:])


@pytest.mark.parametrize("hide", [(), ("QRESYNC",), ("QRESYNC", "CONDSTORE", "ENABLE")])
def test_deleted_messages_are_told_as_removed(hide: tuple[str, ...]) -> None:
    with dovecot.running(hide=hide) as server, smtp_sink.running() as sink:
        world = ImapWorld(server, sink)
        reader = Reader(world.open())
        world.deliver(*(family_mail(number, world.address) for number in range(4)))
        reader.sync()
        gone = {reader.id_of(family_id(1)), reader.id_of(family_id(2))}
        world.delete(family_id(1))
        world.delete(family_id(2))
        world.deliver(family_mail(9, world.address))
        page = reader.look()
        assert set(page.removed) == gone
        assert [message_id_of(message.raw) for message in page.messages] == [family_id(9)]
        reader.commit(page)
        assert reader.look().removed == ()
        world.close()


def test_dovecot_killed_and_started_again_is_noticed_by_nobody() -> None:
    with dovecot.running() as server, smtp_sink.running() as sink:
        world = ImapWorld(server, sink)
        reader = Reader(world.open())
        world.deliver(family_mail(1, world.address))
        reader.sync()
        server.kill()
        with pytest.raises(ConnectFailed) as told:
            reader.look()
        assert told.value.transient
        server.start()
        world.deliver(family_mail(2, world.address))
        assert [message_id_of(found.raw) for found in reader.sync()] == [family_id(2)]
        server.kill()
        server.start()
        reader.tag(reader.id_of(family_id(2)), frozenset({Label.URGENT}))
        assert world.marks(family_id(2)).labels == {Label.URGENT}
        world.close()


def test_a_line_that_breaks_in_the_middle_of_a_call_is_opened_again_silently(world: ImapWorld) -> None:
    broken: list[bytes] = []

    def once(line: bytes) -> bytes | None:
        if b"BODY[]" in line and not broken:
            broken.append(line)
            return None
        return line

    world.deliver(*(family_mail(number, world.address) for number in range(5)))
    with imap_proxy.running(world.dovecot.ports[0], rewrite=once) as proxy:
        found = Reader(through(proxy, world)).sync()
    assert broken
    assert [message_id_of(message.raw) for message in found] == [family_id(n) for n in reversed(range(5))]


def test_a_message_over_which_the_server_falls_is_set_aside_and_holds_nothing_up(world: ImapWorld) -> None:
    world.deliver(*(family_mail(number, world.address) for number in range(1, 8)))

    def falls(line: bytes) -> bytes | None:
        return None if re.search(rb"\(UID 3 .*BODY\[\]", line) else line

    with imap_proxy.running(world.dovecot.ports[0], rewrite=falls) as proxy:
        found = Reader(through(proxy, world)).sync()
    empty = [message for message in found if not message.raw]
    assert [message.id.rpartition("/")[2] for message in empty] == ["3"]
    assert empty[0].size > 0
    assert {message_id_of(m.raw) for m in found if m.raw} == {family_id(n) for n in (1, 2, 4, 5, 6, 7)}


def test_a_message_that_the_server_refuses_is_set_aside_on_the_same_line(world: ImapWorld) -> None:
    world.deliver(*(family_mail(number, world.address) for number in range(1, 8)))

    reading: list[bytes] = []

    def refuses(line: bytes) -> bytes:
        if b"BODY[]" in line:
            reading.append(line)
            return line.replace(b"(UID 3 ", b"(UID 999 ")
        if reading and b" OK Fetch completed" in line:
            reading.clear()
            return line.replace(b" OK ", b" NO ")
        return line

    with imap_proxy.running(world.dovecot.ports[0], rewrite=refuses) as proxy:
        reader = Reader(through(proxy, world))
        found = reader.sync()
        reader.mailbox.close()
    assert [message.id.rpartition("/")[2] for message in found if not message.raw] == ["3"]
    assert len(found) == 7
    assert sum(b"AUTHENTICATE" in line for line in proxy.said) == 1


def test_a_list_of_messages_that_the_server_gives_only_in_part_is_no_list(world: ImapWorld) -> None:
    world.deliver(*(family_mail(number, world.address) for number in range(1, 8)))
    with imap_proxy.running(world.dovecot.ports[0]) as proxy:
        reader = Reader(through(proxy, world))
        proxy.rewrite = lambda line: line.replace(b" OK Fetch completed", b" NO [SERVERBUG] later")
        with pytest.raises(MailboxError) as told:
            reader.look()
        assert told.value.transient
        proxy.rewrite = lambda line: line
        assert len(reader.sync()) == 7
        reader.mailbox.close()


@pytest.mark.parametrize("measured", [True, False])
def test_a_message_that_the_server_cannot_read_is_set_aside_and_holds_nothing_up(measured: bool) -> None:
    with dovecot.running() as server, smtp_sink.running() as sink:
        world = ImapWorld(server, sink)
        reader = Reader(world.open())
        reader.sync()
        if measured:  # the server knows the size of each message, and so half of what is asked for
            world.deliver(*(family_mail(number, world.address) for number in range(1, 8)))
        else:
            server.store_files([family_mail(number, world.address) for number in range(1, 8)])
        with world.client() as client:
            client.select_folder("INBOX")  # the list of files is made
        files = {path: path.read_bytes() for path in server.maildir().glob("???/*.*")}
        (bad,) = [path for path, content in files.items() if family_id(3).encode() in content]
        bad.chmod(0)
        found = reader.sync()
        assert [bool(message.raw) for message in found] == [True, True, False, True, True, True, True]
        assert found[2].size > 0
        assert [message_id_of(m.raw) for m in found if m.raw] == [family_id(n) for n in (1, 2, 4, 5, 6, 7)]
        world.close()


def test_mail_that_came_just_before_waiting_ends_it_at_once(world: ImapWorld) -> None:
    reader = Reader(world.open())
    reader.sync()
    world.deliver(family_mail(1, world.address))
    assert reader.mailbox.wait(PATIENCE) is True


def test_a_line_that_breaks_while_waiting_is_opened_again(world: ImapWorld) -> None:
    with imap_proxy.running(world.dovecot.ports[0]) as proxy:
        reader = Reader(through(proxy, world))
        reader.sync()
        outcome: list[bool] = []
        waiting = threading.Thread(target=lambda: outcome.append(reader.mailbox.wait(PATIENCE)), daemon=True)
        waiting.start()
        proxy.hang_up()
        world.deliver(family_mail(1, world.address))
        waiting.join(PATIENCE)
        assert outcome == [True]
        assert [message_id_of(found.raw) for found in reader.sync()] == [family_id(1)]
        reader.mailbox.close()


def test_waiting_ends_when_its_time_is_over(world: ImapWorld) -> None:
    reader = Reader(world.open())
    reader.sync()
    assert reader.mailbox.wait(0.05) is False
    assert reader.sync() == []


@pytest.mark.parametrize(
    ("folders", "separator", "configured", "sent", "drafts"),
    [
        ({"Gesendete Objekte": r"\Sent", "Entwürfe": r"\Drafts"}, "/", False, "Gesendete Objekte", "Entwürfe"),
        ({"Sent Items": "", "Drafts": ""}, "/", False, "Sent Items", "Drafts"),
        ({}, "/", False, "Sent", "Drafts"),
        ({}, ".", False, "INBOX.Sent", "INBOX.Drafts"),
        ({"Ausgang": ""}, "/", True, "Ausgang", "Vorlagen & 草稿"),
    ],
)
def test_sent_and_drafts_are_found_by_mark_configuration_or_name_and_created_where_they_lack(
    folders: dict[str, str], separator: str, configured: bool, sent: str, drafts: str
) -> None:
    prefix = "INBOX." if separator == "." else ""
    named = {"sent_folder": sent, "drafts_folder": drafts} if configured else {}
    with dovecot.running(folders=folders, separator=separator, prefix=prefix) as server, smtp_sink.running() as sink:
        world = ImapWorld(server, sink)
        mailbox = world.open(**named)
        assert any(sent in fact and drafts in fact for fact in mailbox.check())
        with world.client() as client:
            assert set(folders) >= {name for _, _, name in client.list_folders()} - {"INBOX"}, "check created something"
        draft = mailbox.save_draft(reply(1, world.address))
        assert [message_id_of(raw) for raw in world.folder(drafts)] == [reply_id(1)]
        mailbox.send_draft(draft)
        assert [message_id_of(raw) for raw in world.folder(sent)] == [reply_id(1)]
        assert world.folder(drafts) == []
        found = Reader(mailbox).sync()
        assert [message.direction for message in found] == [Direction.SENT]
        world.close()


def test_old_sent_mail_is_read_five_weeks_back_and_no_further(world: ImapWorld) -> None:
    with world.client() as client:
        for number, days in enumerate((400, 38, 33)):
            client.append("Sent", reply(number, world.address), msg_time=datetime.now(UTC) - timedelta(days=days))
    world.teacher_sends(reply(100, world.address))
    found = Reader(world.open()).sync()
    assert {message_id_of(message.raw) for message in found} == {reply_id(100), reply_id(2)}
    assert all(message.backfill for message in found)


def test_what_the_teacher_sent_comes_before_the_mail_it_answers(world: ImapWorld) -> None:
    reader = Reader(world.open())
    reader.sync()
    world.deliver(*(family_mail(number, world.address) for number in range(4)))
    world.teacher_sends(reply(1, world.address))
    found = [message_id_of(message.raw) for message in reader.sync(limit=2)]
    assert found[0] == reply_id(1)
    assert found[1:] == [family_id(number) for number in range(4)]


@settings(max_examples=60, deadline=None)
@given(st.sets(st.integers(1, 2**32 - 1) | st.integers(1, 400)))
def test_sets_of_numbers_say_the_same_numbers_and_stay_short(uids: set[int]) -> None:
    parts = list(uid_sets(sorted(uids)))
    told: list[int] = []
    for part in parts:
        assert len(part) <= 7100
        for piece in part.split(","):
            low, _, high = piece.partition(":")
            told += range(int(low), int(high or low) + 1)
    assert told == sorted(uids)


@settings(max_examples=60, deadline=None)
@given(st.text() | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(str))
def test_a_cursor_is_read_or_refused_and_never_an_error(text: str) -> None:
    assert parse_cursor(text) is None


def test_a_draft_is_found_by_its_message_id_after_the_server_renumbered_drafts(world: ImapWorld) -> None:
    mailbox = world.open()
    draft = mailbox.save_draft(reply(1, world.address))
    mailbox.close()
    world.dovecot.doveadm("mailbox", "update", "-u", world.address, "--uid-validity", "4000000001", "Drafts")
    assert mailbox.draft_state(draft, reply_id(1)) is DraftState.DRAFT
    mailbox.send_draft(draft)
    assert mailbox.draft_state(draft, reply_id(1)) is DraftState.SENT
    assert (len(world.departed()), world.drafts()) == (1, [])
