"""Drafts over IMAP and SMTP: one copy, sent once, whatever breaks in between."""

import re
from collections.abc import Iterator
from itertools import count

import pytest

from connectors.contract.mails import reply, reply_id
from connectors.contract.reader import Reader, message_id_of
from connectors.errors import DraftFailed, MessageGone, SendFailed, SendRejected, SendUncertain
from connectors.imap import ImapMailbox
from connectors.mailbox import DraftState
from connectors.smtp import SmtpSender
from tests.connectors.imap_world import ImapWorld
from tests.servers import dovecot, imap_proxy, smtp_sink
from tests.servers.dovecot import PASSWORD, Dovecot

pytestmark = pytest.mark.server("dovecot")
USERS = [f"t{number}@maple.example" for number in range(20)]
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


@pytest.fixture
def proxy(server: Dovecot) -> Iterator[imap_proxy.ImapProxy]:
    with imap_proxy.running(server.ports[0]) as proxy:
        yield proxy


def through(proxy: imap_proxy.ImapProxy, world: ImapWorld) -> ImapMailbox:
    sender = SmtpSender(world.sink.settings(), world.address)
    return ImapMailbox(world.address, proxy.settings(), password=PASSWORD, sender=sender)


def where(world: ImapWorld) -> tuple[int, int, int]:
    """How many lie in Drafts, lie in Sent, have left."""
    return len(world.drafts()), len(world.sent()), len(world.departed())


def test_a_sent_message_that_cannot_be_filed_counts_as_sent_and_is_filed_later(
    world: ImapWorld, proxy: imap_proxy.ImapProxy
) -> None:
    mailbox = through(proxy, world)
    draft = mailbox.save_draft(reply(1, world.address))
    proxy.hang_up_on = re.compile(rb" MOVE ")
    mailbox.send_draft(draft)
    assert where(world) == (1, 0, 1)
    mailbox.send_draft(draft)
    assert where(world) == (1, 0, 1)
    assert world.open().draft_state(draft, reply_id(1)) is DraftState.DRAFT, "another process cannot know"
    proxy.hang_up_on = None
    Reader(mailbox).sync()
    assert where(world) == (0, 1, 1)
    assert mailbox.draft_state(draft, reply_id(1)) is DraftState.SENT
    mailbox.close()


def test_a_crash_between_copying_to_sent_and_deleting_the_draft_counts_as_sent(world: ImapWorld) -> None:
    mailbox = world.open()
    draft = mailbox.save_draft(reply(1, world.address))
    with world.client() as client:
        client.select_folder("Drafts")
        client.copy(client.search(), "Sent")
    assert mailbox.draft_state(draft, reply_id(1)) is DraftState.SENT
    mailbox.send_draft(draft)
    assert where(world) == (0, 1, 0)


def test_a_server_that_files_what_it_sends_by_itself_leaves_one_copy(world: ImapWorld) -> None:
    world.sink.then = lambda message: world.teacher_sends(message.content)
    mailbox = world.open()
    mailbox.send_draft(mailbox.save_draft(reply(1, world.address)))
    assert where(world) == (0, 1, 1)


@pytest.mark.parametrize(
    ("stage", "answer", "error"),
    [("rcpt", "451 later", SendFailed), ("end", "554 no", SendRejected), ("end", "close", SendUncertain)],
)
def test_what_was_not_sent_for_certain_stays_a_draft(
    world: ImapWorld, stage: smtp_sink.Stage, answer: str, error: type[Exception]
) -> None:
    mailbox = world.open()
    draft = mailbox.save_draft(reply(1, world.address))
    world.sink.say(stage, answer)
    with pytest.raises(error):
        mailbox.send_draft(draft)
    assert where(world) == (1, 0, 0)
    assert mailbox.draft_state(draft, reply_id(1)) is DraftState.DRAFT


def test_a_line_that_breaks_after_the_draft_was_saved_leaves_one_draft(
    world: ImapWorld, proxy: imap_proxy.ImapProxy
) -> None:
    broken: list[bytes] = []

    def once(line: bytes) -> bytes | None:
        if b"APPENDUID" in line and not broken:
            broken.append(line)
            return None
        return line

    proxy.rewrite = once
    mailbox = through(proxy, world)
    draft = mailbox.save_draft(reply(1, world.address))
    assert broken
    assert where(world) == (1, 0, 0)
    mailbox.send_draft(draft)
    assert where(world) == (0, 1, 1)
    mailbox.close()


def test_a_server_that_does_not_tell_the_drafts_number_is_asked_for_it(
    world: ImapWorld, proxy: imap_proxy.ImapProxy
) -> None:
    proxy.rewrite = lambda line: re.sub(rb"\[APPENDUID [^]]*\] ", b"", line)
    mailbox = through(proxy, world)
    drafts = [mailbox.save_draft(reply(number, world.address)) for number in range(3)]
    mailbox.send_draft(drafts[1])
    assert [message_id_of(raw) for raw in world.drafts()] == [reply_id(0), reply_id(2)]
    mailbox.close()


def test_a_sent_message_is_marked_as_read_and_no_draft_any_more(world: ImapWorld) -> None:
    mailbox = world.open()
    mailbox.send_draft(mailbox.save_draft(reply(1, world.address)))
    with world.client() as client:
        client.select_folder("Sent")
        flags = set(client.get_flags(client.search()).popitem()[1])
    assert rb"\Seen" in flags
    assert rb"\Draft" not in flags


def test_other_drafts_that_are_marked_for_deletion_survive_on_a_server_without_uidplus(
    world: ImapWorld, proxy: imap_proxy.ImapProxy
) -> None:
    proxy.rewrite = lambda line: line.replace(b" UIDPLUS", b"").replace(b" MOVE", b"")
    with world.client() as client:
        client.append("Drafts", reply(7, world.address), [rb"\Deleted"])
    mailbox = through(proxy, world)
    mailbox.discard_draft(mailbox.save_draft(reply(1, world.address)))
    mailbox.send_draft(mailbox.save_draft(reply(2, world.address)))
    mailbox.close()
    with world.client() as client:
        client.select_folder("Drafts")
        assert len(client.search("DELETED")) == 1
    assert [message_id_of(raw) for raw in world.drafts()] == [reply_id(7)]
    assert [message_id_of(raw) for raw in world.sent()] == [reply_id(2)]


def test_a_draft_without_a_message_id_is_refused(world: ImapWorld) -> None:
    with pytest.raises(DraftFailed, match="Message-ID"):
        world.open().save_draft(b"To: mia@family.example\r\n\r\nhi\r\n")


def test_without_an_smtp_server_drafts_can_be_saved_and_not_sent(world: ImapWorld) -> None:
    mailbox = ImapMailbox(world.address, world.dovecot.imap(), password=PASSWORD)
    draft = mailbox.save_draft(reply(1, world.address))
    with pytest.raises(SendFailed):
        mailbox.send_draft(draft)
    assert any("sent" in fact for fact in mailbox.check())
    mailbox.close()


def test_a_draft_that_the_teacher_deleted_is_gone(world: ImapWorld) -> None:
    mailbox = world.open()
    draft = mailbox.save_draft(reply(1, world.address))
    with world.client() as client:
        client.select_folder("Drafts")
        client.delete_messages(client.search())
        client.expunge()
    assert mailbox.draft_state(draft, reply_id(1)) is DraftState.GONE
    with pytest.raises(MessageGone):
        mailbox.send_draft(draft)
    assert world.departed() == []


def test_a_line_that_breaks_before_anything_was_handed_over_is_a_sending_that_certainly_failed(
    world: ImapWorld, proxy: imap_proxy.ImapProxy
) -> None:
    mailbox = through(proxy, world)
    draft = mailbox.save_draft(reply(1, world.address))
    proxy.hang_up_on = re.compile(rb" FETCH ")
    with pytest.raises(SendFailed):
        mailbox.send_draft(draft)
    assert where(world) == (1, 0, 0)
    proxy.hang_up_on = None
    mailbox.send_draft(draft)
    assert where(world) == (0, 1, 1)
    mailbox.close()
