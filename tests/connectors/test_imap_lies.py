"""A server that lies for a while: what it kept to itself is read once it tells the truth, and once."""

from collections.abc import Iterator
from itertools import count

import pytest

from config.settings import ImapServer
from connectors.contract.mails import family_mail
from connectors.contract.reader import Reader, message_id_of
from connectors.errors import ChangesFailed, MailboxError
from connectors.imap import ImapMailbox
from connectors.labels import Label
from connectors.mailbox import DraftState
from connectors.smtp import SmtpSender
from tests.connectors.imap_world import ImapWorld
from tests.faults.wire import Lie, Wire, laid
from tests.servers import dovecot, smtp_sink
from tests.servers.dovecot import PASSWORD, Dovecot

pytestmark = pytest.mark.server("dovecot")
USERS = [f"t{number}@maple.example" for number in range(30)]
_numbers = count()


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with dovecot.running(users=USERS) as server:
        yield server


@pytest.fixture
def world(server: Dovecot) -> Iterator[ImapWorld]:
    with smtp_sink.running() as sink:
        world = ImapWorld(server, sink, USERS[next(_numbers)])
        yield world
        world.close()


def through(wire: Wire, world: ImapWorld) -> ImapMailbox:
    """The world's mailbox, through a wire."""
    server = ImapServer(host="127.0.0.1", port=wire.port, security="none", allow_insecure=True)
    return ImapMailbox(
        world.address, server, password=PASSWORD, sender=SmtpSender(world.sink.settings(), world.address)
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("lie", [Lie.LEAVE_OUT, Lie.MISCOUNT, Lie.FIND_NOTHING, Lie.TEAR, Lie.BUSY])
def test_what_a_lying_server_kept_to_itself_is_read_once_it_tells_the_truth(
    world: ImapWorld, lie: Lie, seed: int
) -> None:
    with laid("imap", ("127.0.0.1", world.dovecot.ports[0]), seed) as wire:
        mailbox = through(wire, world)
        cursor = mailbox.changes(None).cursor
        had: list[str] = []
        for number in range(6):
            wire.lie = lie if number < 5 else None
            world.deliver(family_mail(number, world.address))
            try:
                while True:
                    page = mailbox.changes(cursor)
                    cursor = page.cursor
                    had += [message_id_of(message.raw) for message in page.messages if not message.backfill]
                    if not page.more:
                        break
            except MailboxError:
                continue  # tried again with the next mail
        mailbox.close()
    assert sorted(set(had)) == sorted(f"family-{number}@family.example" for number in range(6))


def test_a_server_that_keeps_a_message_back_is_named_and_nothing_is_passed_over(world: ImapWorld) -> None:
    with laid("imap", ("127.0.0.1", world.dovecot.ports[0]), 1) as wire:
        mailbox = through(wire, world)
        cursor = mailbox.changes(None).cursor
        world.deliver(*(family_mail(number, world.address) for number in range(12)))
        wire.lie = Lie.LEAVE_OUT
        with pytest.raises(ChangesFailed, match=r"INBOX has \d+ messages that the server does not hand over"):
            mailbox.changes(cursor)
        wire.lie = None
        assert len(mailbox.changes(cursor).messages) == 12
        mailbox.close()


def test_labels_that_a_server_only_says_it_wrote_are_not_taken_for_written(world: ImapWorld) -> None:
    with laid("imap", ("127.0.0.1", world.dovecot.ports[0]), 1) as wire:
        mailbox = through(wire, world)
        reader = Reader(mailbox)
        reader.sync()
        world.deliver(family_mail(1, world.address))
        (message,) = reader.sync()
        wire.lie = Lie.PRETEND
        with pytest.raises(MailboxError, match="did not keep"):
            mailbox.tag(message.id, frozenset({Label.URGENT}))
        mailbox.close()


def test_a_draft_that_a_server_only_says_it_saved_is_not_taken_for_saved(world: ImapWorld) -> None:
    with laid("imap", ("127.0.0.1", world.dovecot.ports[0]), 1) as wire:
        mailbox = through(wire, world)
        wire.lie = Lie.PRETEND
        with pytest.raises(MailboxError):
            mailbox.save_draft(family_mail(1, world.address))
        wire.lie = None
        assert mailbox.draft_state("", "family-1@family.example") is DraftState.GONE
        mailbox.close()
