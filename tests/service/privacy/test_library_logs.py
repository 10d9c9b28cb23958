"""What the libraries behind the connectors log when all of it is logged, and a line breaks in between: neither a
letter's words nor what opens a mailbox is in it."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress

import pytest

from connectors.contract.mails import reply
from connectors.contract.reader import Reader
from connectors.errors import MailboxError
from connectors.labels import Label
from service.logs import configure
from tests.connectors.exchange_world import ExchangeWorld
from tests.connectors.gmail_world import GmailWorld, google
from tests.connectors.graph_world import GraphWorld
from tests.connectors.imap_world import ImapWorld
from tests.servers import dovecot, ews, graph, smtp_sink
from tests.servers.network import NetworkedWorld
from tests.service.privacy.test_canaries import CANARIES, letter, planted_in

FAMILY = "plimworth@family.example"
OPENS_MAILBOXES = ("correct horse battery", "right~secret", "Bearer ", "NTLM TlRM")


@contextmanager
def exchange() -> Iterator[NetworkedWorld]:
    with ews.running() as server:
        yield ExchangeWorld(server)


@contextmanager
def microsoft() -> Iterator[NetworkedWorld]:
    with graph.running() as server:
        yield GraphWorld(server)


@contextmanager
def imap() -> Iterator[NetworkedWorld]:
    with dovecot.running() as server, smtp_sink.running() as sink:
        yield ImapWorld(server, sink)


@contextmanager
def gmail() -> Iterator[NetworkedWorld]:
    with google(["rivera@maple.example"]) as front:
        yield GmailWorld(front, "rivera@maple.example")


@pytest.mark.parametrize(
    ("system", "libraries"),
    [
        pytest.param(microsoft, {"httpcore.http11", "msal.application"}, id="graph"),
        pytest.param(exchange, {"exchangelib.util", "urllib3.connectionpool"}, id="exchange"),
        pytest.param(gmail, {"urllib3.connectionpool", "googleapiclient.discovery"}, id="gmail"),
        # imaplib's tracing, which shows what people write, is off whatever is logged.
        pytest.param(imap, {"imapclient.imapclient"}, id="imap", marks=pytest.mark.server("dovecot")),
    ],
)
def test_the_libraries_at_their_loudest_tell_no_words_and_no_secrets(
    system: Callable[[], AbstractContextManager[NetworkedWorld]],
    libraries: set[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = io.StringIO()
    with system() as world:
        configure(file=log, verbose=True, style="json")
        monkeypatch.setattr(logging.Logger, "isEnabledFor", lambda *_: True)
        mailbox = world.open()
        mailbox.check()
        reader = Reader(mailbox)
        reader.sync()
        for kind in ("urgent", "routine"):
            world.deliver(letter(kind, FAMILY))
        found = reader.sync()
        assert len(found) == 2
        reader.tag(found[0].id, frozenset({Label.URGENT}))
        draft = mailbox.save_draft(reply(1, world.address))
        mailbox.send_draft(draft)
        with suppress(MailboxError):
            mailbox.fetch("no such message")
        world.close()
    said = log.getvalue()
    loggers = {json.loads(line).get("logger") for line in said.splitlines()}
    assert libraries <= loggers, sorted(filter(None, loggers))
    assert "imapclient.imaplib" not in loggers
    assert planted_in(said.encode(), *CANARIES) == []
    assert FAMILY not in said
    assert [secret for secret in OPENS_MAILBOXES if secret in said] == []
