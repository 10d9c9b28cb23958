"""The service put together for a year of its own: every connector by the year's clock, connections kept open."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from config.secrets import Secrets
from config.settings import MailboxSettings
from connectors.backoff import Patience
from connectors.exchange import ExchangeMailbox, connection_for
from connectors.graph import GraphMailbox
from connectors.graph_access import access_of
from connectors.imap import ImapMailbox
from connectors.mailbox import Changes, Direction, Known, Mailbox, RawMessage, nothing_known
from connectors.maildir.folder import Folder
from connectors.maildir.mailbox import MaildirMailbox
from connectors.smtp import SmtpSender
from service.assembly import Assembly
from tests.servers.dovecot import PASSWORD
from tests.soak.mail_systems import Systems

_SECRETS = {"exchange/password": PASSWORD, "graph/secret": "right~secret"}


@dataclass(frozen=True, slots=True)
class YearAssembly(Assembly):
    """The service as it always is, but for the clock of its connectors. Connections are kept from look to look, as
    `alliance run` keeps them."""

    systems: Systems | None = None
    kept: "dict[str, Mailbox] | None" = None

    def open(self, box: MailboxSettings, environ: Mapping[str, str] | None = None) -> Mailbox:
        """The mailbox's connection."""
        del environ
        assert self.kept is not None
        key = f"{box.address} {box.connector}"
        if key not in self.kept:
            self.kept[key] = self._connected(box)
        return Lent(self.kept[key])  # type: ignore[return-value]

    def _connected(self, box: MailboxSettings) -> Mailbox:
        systems, clock, secrets = self.systems, self.clock, Secrets.in_memory(dict(_SECRETS))
        assert systems is not None
        if box.connector == "imap":
            sender = SmtpSender(systems.smtp, box.address, box.address, None)
            return InYear(  # type: ignore[return-value]
                ImapMailbox(box.address, systems.imap, password=PASSWORD, sender=sender, clock=clock), clock
            )
        if box.connector == "exchange":
            connection = connection_for(box, systems.exchange, secrets, Patience(seconds=30))
            return ExchangeMailbox(connection, clock=clock)
        if box.connector == "graph":
            access = access_of(systems.graph, secrets, box.address)
            return GraphMailbox(box.address, systems.graph, access, secrets, clock=clock)
        assert box.maildir is not None
        outgoing = Folder(box.maildir.outgoing) if box.maildir.outgoing else None
        return MaildirMailbox(
            box.address,
            Folder(box.maildir.path),
            outgoing=outgoing,
            clock=lambda: int(clock().timestamp()) * 1_000_000_000,
        )


class Lent:
    """A connection that is not closed after one look."""

    def __init__(self, mailbox: Mailbox) -> None:
        self._mailbox = mailbox

    def __getattr__(self, name: str) -> Any:
        return getattr(self._mailbox, name)

    def close(self) -> None:
        """It stays open."""


class InYear:
    """An IMAP mailbox whose server stamps what the service files in Sent with the machine's own time: it came when the
    service first saw it there."""

    def __init__(self, real: ImapMailbox, clock: Callable[[], datetime]) -> None:
        self._real, self._clock = real, clock

    def changes(self, cursor: str | None, known: Known = nothing_known, *, limit: int = 200) -> Changes:
        """See `Mailbox.changes`."""
        page = self._real.changes(cursor, known, limit=limit)
        return replace(page, messages=tuple(self._timed(each) for each in page.messages))

    def _timed(self, raw: RawMessage) -> RawMessage:
        now = self._clock()
        if raw.direction is Direction.RECEIVED or raw.received_at <= now:
            return raw
        return replace(raw, received_at=now.astimezone(UTC))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)
