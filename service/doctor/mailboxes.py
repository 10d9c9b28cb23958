"""Can each mailbox be read, and can its mail be sent? Asks the servers what a run would ask them; writes nothing."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlmodel import col

from config import ConfigError
from config.passwords import password_variable
from config.secrets import Secrets
from config.settings import MailboxSettings, Settings, SmtpServer, Stage
from connectors.errors import (
    AuthenticationFailed,
    ConnectFailed,
    InsecureConnection,
    MailboxError,
    MessageGone,
    PermissionDenied,
)
from connectors.mailbox import Mailbox, RawMessage
from connectors.message import Message
from connectors.mime import parse_message
from connectors.registry import open_mailbox
from connectors.smtp import SmtpSender
from service.doctor import answers
from service.doctor.aside import set_aside
from service.doctor.finding import Finding, Level
from service.parking import notices_box, service_box
from store.database import Database, Shape
from store.deadly import is_harmless
from store.parking import ParkingLot
from store.tables import MessageRecord

_FUTURE = timedelta(minutes=2)
"""How far a mail server's clock may be ahead of ours before deadlines suffer."""
_PAGES = 3
_SAMPLE = 5
"""Messages per mailbox whose words are looked for in the database."""


@dataclass(slots=True)
class Examined:
    """What was found at one mailbox, and some of its recorded messages."""

    findings: list[Finding] = field(default_factory=list)
    recorded: list[Message] = field(default_factory=list)


def examine(
    settings: Settings, box: MailboxSettings, environ: Mapping[str, str], database: Database | None, now: datetime
) -> Examined:
    """Signs in to one mailbox and its SMTP server as a run would, and looks around."""
    examined = Examined()
    note = examined.findings.append
    secrets = Secrets.of(settings, environ)
    try:
        password = secrets.password(box)
    except ConfigError as error:
        note(Finding(box.address, Level.FAIL, str(error), "Correct what it names."))
        return examined
    if password is None and _needs_password(settings, box):
        name = password_variable(box)
        fix = f"Set the environment variable {name}, or {name}_FILE to a file that holds the password."
        note(Finding(box.address, Level.FAIL, "there is no password for it", fix))
        return examined
    mailbox: Mailbox | None = None
    try:
        mailbox = open_mailbox(box, settings, secrets)
        examined.findings += [Finding(box.address, Level.OK, fact) for fact in mailbox.check()]
        note(_newest(box, _some_messages(mailbox), now))
        examined.findings += answers.own_answer(settings, box, mailbox, now)
        examined.recorded += _recorded(mailbox, database)
    except MailboxError as error:
        note(Finding(box.address, Level.FAIL, str(error), _fix(box, error)))
    except ConfigError as error:
        note(Finding(box.address, Level.FAIL, str(error), "Correct what it names."))
    finally:
        if mailbox is not None:
            mailbox.close()
    examined.findings += _sending(settings, box, password)
    note(_stage(box))
    failing = [finding.seen for finding in examined.findings if finding.level is Level.FAIL]
    examined.findings += _parked(settings, box, database, failing)
    examined.findings += answers.stopped(settings, box, database, now)
    examined.findings += set_aside(settings, box, database)
    return examined


def notices(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    """Whether the administrator can be told when a mailbox is parked, and the staff can sign in to the web pages."""
    about = "notices"
    links = settings.web is not None
    box = service_box(settings) if links else notices_box(settings)
    if box is None and links:
        fix = "List it under [[mailboxes]], or give [imap] and [smtp] for all."
        yield Finding(about, Level.FAIL, f"{settings.service.notices_from}: no way to open it is configured", fix)
        return
    if box is None:
        seen = (
            "nobody is told by mail when a mailbox's credentials fail: service.administrator and service.notices_from"
        )
        yield Finding(about, Level.OK, f"{seen} are not both set, or no mailbox of that system can be opened")
        return
    try:
        with closing(open_mailbox(box, settings, Secrets.of(settings, environ))) as mailbox:
            mailbox.check()
    except (MailboxError, ConfigError) as error:
        fix = f"Open it to the service like a teacher's mailbox: `alliance connect {box.connector} {box.address}`."
        lacking = "no notice and no sign-in link" if links else "no notice"
        yield Finding(about, Level.FAIL, f"{lacking} can be sent from {box.address}: {error}", fix)
        return
    if links:
        yield Finding(about, Level.OK, f"sign-in links for the web pages are sent from {box.address}")
    if settings.service.administrator is None:
        return
    seen = f"{settings.service.administrator} is told from {box.address} when a mailbox's credentials fail"
    yield Finding(about, Level.OK, seen)


def _needs_password(settings: Settings, box: MailboxSettings) -> bool:
    server = _smtp_server(settings, box)
    return box.connector == "imap" or (server is not None and server.authenticate)


def _smtp_server(settings: Settings, box: MailboxSettings) -> SmtpServer | None:
    """The server that a Maildir's mail leaves over; None where there is none. Other connectors look after their own."""
    if box.connector != "maildir" or box.maildir is None or box.maildir.outgoing is not None:
        return None
    return box.smtp or settings.smtp


def _some_messages(mailbox: Mailbox) -> Sequence[RawMessage]:
    """A few messages, as connecting the mailbox would list them; none where it is empty."""
    cursor = None
    for _ in range(_PAGES):
        changes = mailbox.changes(cursor, limit=_SAMPLE)
        if changes.messages or not changes.more:
            return changes.messages
        cursor = changes.cursor
    return ()


def _newest(box: MailboxSettings, messages: Sequence[RawMessage], now: datetime) -> Finding:
    if not messages:
        return Finding(box.address, Level.OK, "mail can be read; there is none")
    latest = max(message.received_at for message in messages)
    if latest > now + _FUTURE:
        fix = "Set this machine's clock, or the mail server's; let both keep it with NTP."
        seen = f"the newest message came {latest - now} from now by the server's clock"
        return Finding(box.address, Level.WARN, seen, fix)
    return Finding(box.address, Level.OK, f"mail can be read; the newest came {latest:%Y-%m-%d %H:%M} UTC")


def _recorded(mailbox: Mailbox, database: Database | None) -> Iterator[Message]:
    """Some of the messages that are on record, whole, from the mailbox."""
    if database is None or database.shape() is not Shape.CURRENT:
        return
    newest = (
        select(col(MessageRecord.provider_id))
        .where(col(MessageRecord.mailbox) == mailbox.address, col(MessageRecord.removed_at).is_(None))
        .where(is_harmless())
        .order_by(col(MessageRecord.id).desc())
        .limit(_SAMPLE)
    )
    with database.read() as connection:
        known = connection.execute(newest).scalars().all()
    for provider_id in known:
        try:
            raw = mailbox.fetch(provider_id)
        except MessageGone:
            continue
        yield parse_message(raw.raw, mailbox=mailbox.address, id=raw.id, received_at=raw.received_at, size=raw.size)


def _sending(settings: Settings, box: MailboxSettings, password: str | None) -> Iterator[Finding]:
    server = _smtp_server(settings, box)
    if server is None:
        return
    try:
        fact = SmtpSender(server, box.address, box.username or box.address, password).check()
    except MailboxError as error:
        yield Finding(box.address, Level.FAIL, str(error), _fix(box, error))
        return
    yield Finding(box.address, Level.OK, fact)


def _parked(
    settings: Settings, box: MailboxSettings, database: Database | None, failing: Sequence[str]
) -> Iterator[Finding]:
    """Whether the service has the mailbox on record as parked. `failing` is what fails there now."""
    if database is None or database.shape() is not Shape.CURRENT:
        return
    lot = ParkingLot(database, timedelta(seconds=settings.service.lease_seconds))
    parking = next((each for each in lot.all() if each.mailbox == box.address), None)
    if parking is None or parking.lifted_at is not None:
        return
    told_at = lot.told_at(parking)
    told = "nobody has been told by mail"
    if told_at is not None:
        told = f"{settings.service.administrator or 'the administrator'} was told on {_local(told_at, settings)}"
    elif parking.outage_notice is not None:
        told = "its notice waits to be sent"
    seen = f"{'sending is ' * parking.sending}parked since {_local(parking.since, settings)}; {told}"
    fix = "The service tries again every 15 minutes; restarting it makes it try at once."
    if failing:
        fix = f"Put right what fails above, or run `alliance connect {box.connector} {box.address}`. {fix}"
    else:
        seen += "; it works from here now"
    if parking.reason not in failing:
        seen += f"; the reason was: {parking.reason}"
    yield Finding(box.address, Level.WARN, seen, fix)


def _local(at: datetime, settings: Settings) -> str:
    return f"{at.astimezone(settings.school.zone):%Y-%m-%d %H:%M}"


def _stage(box: MailboxSettings) -> Finding:
    does = {
        Stage.OBSERVE: "reads and records, writes nothing (stage observe)",
        Stage.TAG: "tags mail and routes urgent mail to the office (stage tag)",
        Stage.REPLY: "tags mail, routes urgent mail to the office and answers families (stage reply)",
    }
    return Finding(box.address, Level.OK, does[box.stage])


def _fix(box: MailboxSettings, error: MailboxError) -> str:
    match error:
        case PermissionDenied():
            return f"Do what it names; then `alliance connect {box.connector} {box.address}` tries each permission."
        case AuthenticationFailed() if box.connector in {"imap", "maildir"}:
            return (
                f"Check username and the password in {password_variable(box)}; some systems want an app password here, "
                f"or IMAP to be allowed for the account. `alliance connect imap {box.address}` stores another."
            )
        case AuthenticationFailed():
            return f"`alliance connect {box.connector} {box.address}` stores what it needs, and tries it."
        case InsecureConnection():
            return "Check host, port and security; for the school's own authority name its certificate in ca_file."
        case ConnectFailed():
            return "Check host and port, that the server runs, and that a firewall lets this machine reach it."
    return "Follow what the message says, then run `alliance doctor` again."
