"""A world in which mail answers mail: on real IMAP, LMTP and SMTP servers, with a clock that the test moves.

Everything that anybody sends goes through one SMTP server, waits for the next `tick`, and is then delivered: into a
mailbox of the Dovecot, where a Sieve vacation may answer it at once, or to one of the correspondents below, which the
test makes up: each is a kind of program that has driven autoresponders into loops.
"""

import email
import email.policy
import re
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
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


Correspondent = Callable[[Mail], Iterable[Mail]]


@dataclass
class World:
    """The servers, the correspondents, and everything that happened, as the servers saw it."""

    dovecot: Dovecot
    clock: Clock
    correspondents: dict[str, Correspondent] = field(default_factory=dict)
    """By address; a name that begins with @ is a whole domain."""
    answers: list[Answer] = field(default_factory=list)
    delivered: dict[str, Delivered] = field(default_factory=dict)
    """By Message-ID: the last delivery of each."""
    seen: Counter[str] = field(default_factory=Counter)
    """How many mails of each kind were on their way."""
    _waiting: deque[Mail] = field(default_factory=deque)
    _numbers: "count[int]" = field(default_factory=lambda: count(1))

    def take(self, arrived: Arrived) -> None:
        """The SMTP server took a mail: from a service, or from a vacation."""
        for recipient in arrived.recipients:
            mail = Mail(arrived.sender, recipient.lower(), self._dated(arrived.content))
            marked, author = mail.parsed[MARK], _address(str(mail.parsed["From"]))
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
                    told = Delivered(mail.recipient, self.clock(), mail.kind, str(mail.parsed["Subject"]))
                    self.delivered[str(mail.parsed["Message-ID"]).strip("<>")] = told
                elif (correspondent := self._correspondent(mail.recipient)) is not None:
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
        mail["Message-ID"] = f"<{next(self._numbers)}.{kind.replace(' ', '-')}@{_address(sender).partition('@')[2]}>"
        for name, value in headers.items():
            mail[name.replace("_", "-")] = value
        mail.set_content(body)
        return Mail(_address(sender) if envelope is None else envelope, to, mail.as_bytes(), kind)

    def _correspondent(self, address: str) -> Correspondent | None:
        return self.correspondents.get(address) or self.correspondents.get(f"@{address.partition('@')[2]}")

    def _dated(self, raw: bytes) -> bytes:
        """A mail of a program that goes by the machine's clock, with the date of this world's."""
        written = re.search(rb"^Date: (.*?)\r?$", raw, re.MULTILINE)
        if written is None:
            return raw
        apart = parsedate_to_datetime(written[1].decode("ascii")) - self.clock()
        if abs(apart.total_seconds()) < _FAR_APART:
            return raw
        return raw.replace(written[0], f"Date: {format_datetime(self.clock())}".encode(), 1)


def mailing_list(world: World, address: str, members: Sequence[str]) -> Correspondent:
    """A list as Mailman keeps one: its marks in the header, a prefix in the subject, answers to the list."""
    name, _, domain = address.partition("@")

    def spread(mail: Mail) -> Iterable[Mail]:
        post = mail.parsed
        if address in post.get_all("X-BeenThere", []):
            return
        for field_name in ("Reply-To", "Sender", "List-Id", "Precedence", "DKIM-Signature"):
            del post[field_name]
        subject = str(post["Subject"])
        if f"[{name}]" not in subject:
            post.replace_header("Subject", f"[{name}] {subject}")
        post["List-Id"] = f"<{name}.{domain}>"
        post["List-Post"] = f"<mailto:{address}>"
        post["List-Unsubscribe"] = f"<mailto:{name}-leave@{domain}>"
        post["X-BeenThere"] = address
        post["X-Mailman-Version"] = "3.3.8"
        post["Precedence"] = "list"
        post["Sender"] = post["Errors-To"] = f"{name}-bounces@{domain}"
        post["Reply-To"] = address
        for member in members:
            post.replace_header("To", member)  # Mailman's "personalize"
            if member != _address(str(post["From"])):
                yield Mail(f"{name}-bounces@{domain}", member, post.as_bytes(policy=email.policy.SMTP), "list")

    return spread


def bare_list(world: World, address: str, members: Sequence[str], *, hides_authors: bool = False) -> Correspondent:
    """A list that leaves nothing of a header but who, whom, what and when, gives each copy a Message-ID of its own, and
    names each member in To. Where it `hides_authors`, everything comes from the list itself."""

    def spread(mail: Mail) -> Iterable[Mail]:
        post = mail.parsed
        author = _address(str(post["From"]))
        body = post.get_body(("plain",))
        text = body.get_content() if body is not None else "(no text)"
        for member in members:
            if member not in {author, mail.sender}:
                sender = f"A neighbour <{address}>" if hides_authors else str(post["From"])
                yield world.write(sender, member, str(post["Subject"]), text, kind="bare list", envelope=address)

    return spread


def robot(world: World, address: str) -> Correspondent:
    """Answers everything, and looks like a person who does."""

    def answer(mail: Mail) -> Iterable[Mail]:
        yield world.write(f"Pat <{address}>", _author(mail), _about(mail), "Thanks. What else?", kind="robot")

    return answer


def ticket_system(world: World, domain: str) -> Correspondent:
    """Opens a ticket for every mail, answers from an address of the ticket's own, and refers to nothing."""
    numbers = count(100)

    def acknowledge(mail: Mail) -> Iterable[Mail]:
        sender = f"Help desk <case.{next(numbers)}@{domain}>"
        yield world.write(
            sender, _author(mail), _about(mail), "We look into it. What class is it about?", kind="ticket"
        )

    return acknowledge


def forwarder(world: World, address: str, to: str) -> Correspondent:
    """Passes everything on as it came (RFC 5321 §3.9.1)."""

    def forward(mail: Mail) -> Iterable[Mail]:
        yield Mail(mail.sender, to, mail.raw, f"forwarded {mail.kind}")

    return forward


def resender(world: World, address: str, to: str) -> Correspondent:
    """Writes a mail of its own for every one that comes, with the text in it."""

    def send_on(mail: Mail) -> Iterable[Mail]:
        body = mail.parsed.get_body(("plain",))
        text = body.get_content() if body is not None else "(no text)"
        yield world.write(address, to, f"Fwd: {mail.parsed['Subject']}", text, kind="sent on")

    return send_on


def bouncer(world: World, address: str) -> Correspondent:
    """Nobody of that name: a report to the envelope's sender, from nobody (RFC 3464, RFC 5321 §4.5.5)."""

    def bounce(mail: Mail) -> Iterable[Mail]:
        if mail.sender:
            report = world.write(
                f"MAILER-DAEMON@{address.partition('@')[2]}",
                mail.sender,
                "Undelivered Mail Returned to Sender",
                f"<{address}>: host mx.example said: 550 5.1.1 no such user\n",
                kind="bounce",
                envelope="",
            )
            yield replace(
                report, raw=report.raw.replace(b"text/plain", b"multipart/report; report-type=delivery-status", 1)
            )

    return bounce


def bouncer_in_words(world: World, address: str) -> Correspondent:
    """The same from the address itself, in words, with an envelope sender and no mark: as old programs do."""

    def bounce(mail: Mail) -> Iterable[Mail]:
        text = f"Sorry, your message could not be delivered.\n<{address}>: 550 5.1.1 user unknown\n"
        yield world.write(address, _author(mail), "Undeliverable: your message", text, kind="bounce in words")

    return bounce


def _author(mail: Mail) -> str:
    """Whom a person's mail program answers: Reply-To before From (RFC 5322 §3.6.2)."""
    return _address(str(mail.parsed["Reply-To"] or mail.parsed["From"]))


def _about(mail: Mail) -> str:
    subject = re.sub(r"^(?:re: ?|fwd: ?)+", "", str(mail.parsed["Subject"]), flags=re.IGNORECASE)
    return subject[:120] or "routine question"


def _address(field_value: str) -> str:
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
