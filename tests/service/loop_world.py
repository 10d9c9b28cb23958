"""A world in which mail answers mail: on real IMAP, LMTP and SMTP servers, with a clock that the test moves.

Everything that anybody sends goes through one SMTP server, waits for the next `tick`, and is then delivered: into a
mailbox of the Dovecot, where a Sieve vacation may answer it at once, or to one of the correspondents, which the test
makes up (`loop_programs`).
"""

import email
import email.policy
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, getaddresses, parsedate_to_datetime
from itertools import count
from smtplib import LMTP

from connectors.imap import ImapMailbox
from connectors.labels import Label
from connectors.mailbox import Changes, DraftState, Known, RawMessage, nothing_known
from connectors.smtp import SmtpSender
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.smtp_sink import Arrived, SmtpSink

Clock = Callable[[], datetime]
MARK = "X-Alliance-Inbox"
_FAR_APART = 86_400


def vacation_of(address: str) -> str:
    """The Sieve script of somebody who is away. It answers each mail, not one a day (RFC 5230 §4.1), which is the
    worst that a vacation can do: the days of its memory are real ones, and ours are not."""
    return (
        'require ["vacation", "vacation-seconds"];\n'
        f'vacation :seconds 0 :addresses ["{address}"] :subject "about your mail" "I read it on Monday.";\n'
    )


SIEVE = """
protocol lmtp {{
  mail_plugins = $mail_plugins sieve
}}
plugin {{
  sieve = file:~/sieve;active=~/.dovecot.sieve
  sieve_extensions = +vacation-seconds
  sieve_vacation_min_period = 0
}}
submission_host = 127.0.0.1:{port}
"""
"""Dovecot's configuration for it; what it sends goes to the SMTP server at this port."""


@dataclass(frozen=True)
class Mail:
    """One mail on its way: envelope and content."""

    sender: str
    recipient: str
    raw: bytes
    kind: str = "person"
    """What a correspondent knows about the mail that it sends; what others send is told by the world."""

    @property
    def parsed(self) -> EmailMessage:
        """The mail, parsed."""
        return email.message_from_bytes(self.raw, _class=EmailMessage, policy=email.policy.default)


@dataclass(frozen=True)
class Answer:
    """An automatic answer of a service under test that really left."""

    mailbox: str
    to: str
    at: datetime
    answered: str
    """Message-ID of what it answers."""


@dataclass(frozen=True)
class Delivered:
    """A mail that came into a mailbox."""

    mailbox: str
    at: datetime
    kind: str
    subject: str
    sender: str
    """The address in From."""


Correspondent = Callable[[Mail], Iterable[Mail]]


@dataclass
class World:
    """The servers, the correspondents, and everything that happened, as the servers saw it."""

    dovecot: Dovecot
    clock: Clock
    correspondents: dict[str, Correspondent] = field(default_factory=dict)
    """By address; a name that begins with @ is a whole domain. What one at a mailbox's address does comes beside the
    delivery."""
    answers: list[Answer] = field(default_factory=list)
    delivered: dict[tuple[str, str], Delivered] = field(default_factory=dict)
    """By mailbox and Message-ID."""
    seen: Counter[str] = field(default_factory=Counter)
    """How many mails of each kind were on their way."""
    _waiting: deque[Mail] = field(default_factory=deque)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def take(self, arrived: Arrived) -> None:
        """The SMTP server took a mail: from a service, or from a vacation."""
        for recipient in arrived.recipients:
            mail = Mail(arrived.sender, recipient.lower(), self._dated(arrived.content))
            marked, author = mail.parsed[MARK], address_of(str(mail.parsed["From"]))
            if marked == "reply":
                answered = str(mail.parsed["In-Reply-To"]).strip("<>")
                self.answers.append(Answer(author, mail.recipient, self.clock(), answered))
            self._waiting.append(replace(mail, kind=f"ours: {marked}" if marked else "vacation"))

    def post(self, *mails: Mail) -> None:
        """Somebody writes."""
        self._waiting.extend(mails)

    def tick(self) -> bool:
        """Delivers what was waiting; what comes of it waits for the next tick. False where nothing was waiting."""
        batch = [self._waiting.popleft() for _ in range(len(self._waiting))]
        with LMTP("127.0.0.1", self.dovecot.ports[2], local_hostname="localhost", timeout=60) as lmtp:
            for mail in batch:
                self.seen[mail.kind] += 1
                if mail.recipient in self.dovecot.users:
                    lmtp.sendmail(mail.sender, [mail.recipient], mail.raw)
                    self._delivered(mail)
                if (correspondent := self._correspondent(mail.recipient)) is not None:
                    self._waiting.extend(correspondent(mail))
        return bool(batch)

    def write(
        self,
        sender: str,
        to: str,
        subject: str,
        body: str = "Could you please tell me more about it?",
        *,
        kind: str = "person",
        envelope: str | None = None,
        named: str | None = None,
        **headers: str,
    ) -> Mail:
        """A new mail of somebody's, not yet posted. `envelope` is its sender there, `named` whom its To field names."""
        mail = EmailMessage(policy=email.policy.SMTP)
        mail["From"], mail["To"], mail["Subject"] = sender, named or to, subject
        mail["Date"] = format_datetime(self.clock())
        mail["Message-ID"] = (
            f"<{next(self._numbers)}.{re.sub('[^a-z]+', '-', kind)}@{address_of(sender).partition('@')[2]}>"
        )
        for name, value in headers.items():
            mail[name.replace("_", "-")] = value
        mail.set_content(body)
        return Mail(address_of(sender) if envelope is None else envelope, to, mail.as_bytes(), kind)

    def _correspondent(self, address: str) -> Correspondent | None:
        return self.correspondents.get(address) or self.correspondents.get(f"@{address.partition('@')[2]}")

    def _delivered(self, mail: Mail) -> None:
        post = mail.parsed
        told = Delivered(mail.recipient, self.clock(), mail.kind, str(post["Subject"]), address_of(str(post["From"])))
        self.delivered[mail.recipient, str(post["Message-ID"]).strip("<>")] = told

    def _dated(self, raw: bytes) -> bytes:
        """A mail of a program that goes by the machine's clock, with the date of this world's."""
        written = re.search(rb"^Date: (.*?)\r?$", raw, re.MULTILINE)
        if written is None:
            return raw
        apart = parsedate_to_datetime(written[1].decode("ascii")) - self.clock()
        if abs(apart.total_seconds()) < _FAR_APART:
            return raw
        return raw.replace(written[0], f"Date: {format_datetime(self.clock())}".encode(), 1)


def address_of(field_value: str) -> str:
    """The first address in a field's value, lower case."""
    return getaddresses([field_value])[0][1].lower()


class OnServers:
    """Stands where `Maple` has its mail system: mailboxes of the Dovecot, whose times are the world's."""

    def __init__(self, dovecot: Dovecot, smtp: SmtpSink, clock: Clock) -> None:
        self._dovecot, self._smtp, self._clock = dovecot, smtp, clock
        self._open: dict[str, InWorldTime] = {}

    def open(self, address: str) -> "InWorldTime":
        """The mailbox's connection, kept from one look to the next."""
        if address not in self._open:
            sender = SmtpSender(self._smtp.settings(), address, address, None)
            real = ImapMailbox(address, self._dovecot.imap(), password=PASSWORD, sender=sender)
            self._open[address] = InWorldTime(real, self._clock)
        return self._open[address]

    def close(self) -> None:
        """Lets go of every connection."""
        for mailbox in self._open.values():
            mailbox.close()


class InWorldTime:
    """A real mailbox whose messages came when the world's clock says that they were first seen."""

    def __init__(self, real: ImapMailbox, clock: Clock) -> None:
        self.address, self.atomic_send = real.address, real.atomic_send
        self._real, self._clock = real, clock
        self._came: dict[str, datetime] = {}

    def changes(self, cursor: str | None, known: Known = nothing_known, *, limit: int = 200) -> Changes:
        """See `Mailbox.changes`."""
        page = self._real.changes(cursor, known, limit=limit)
        return replace(page, messages=tuple(self._timed(each) for each in page.messages))

    def fetch(self, message_id: str) -> RawMessage:
        """See `Mailbox.fetch`."""
        return self._timed(self._real.fetch(message_id))

    def _timed(self, raw: RawMessage) -> RawMessage:
        return replace(raw, received_at=self._came.setdefault(raw.id, self._clock()))

    def tag_many(self, wanted: Mapping[str, frozenset[Label]]) -> Mapping[str, Exception]:
        """See `Mailbox.tag_many`."""
        return self._real.tag_many(wanted)

    def save_draft(self, mime: bytes) -> str:
        """See `Mailbox.save_draft`."""
        return self._real.save_draft(mime)

    def draft_state(self, draft_id: str, rfc_message_id: str) -> DraftState:
        """See `Mailbox.draft_state`."""
        return self._real.draft_state(draft_id, rfc_message_id)

    def send_draft(self, draft_id: str) -> None:
        """See `Mailbox.send_draft`."""
        self._real.send_draft(draft_id)

    def discard_draft(self, draft_id: str) -> None:
        """See `Mailbox.discard_draft`."""
        self._real.discard_draft(draft_id)

    def close(self) -> None:
        """See `Mailbox.close`."""
        self._real.close()
