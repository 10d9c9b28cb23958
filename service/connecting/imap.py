"""Connecting over IMAP and SMTP: two hosts, and a password for each mailbox."""

from collections.abc import Sequence

from pydantic import BaseModel

from config.secrets import Secrets
from config.settings import ImapServer, MailboxSettings, Settings, SmtpServer
from connectors.errors import MailboxError
from connectors.imap_labels import Marking
from connectors.imap_session import Session
from service.connecting.asking import Asking, NotPossible, Wanted
from service.connecting.trying import Means

_SHOWN = {
    Marking.KEYWORDS: "",
    Marking.FLAGGED: "the server keeps no keywords: a star stands for urgent and conflict",
    Marking.FOLDERS: "the server keeps no keywords: copies in folders stand for urgent and conflict",
}


class Imap:
    """See `System`."""

    name = "imap"

    def wanted(self, ask: Asking, boxes: tuple[MailboxSettings, ...]) -> Wanted:
        """See `System.wanted`."""
        domain = boxes[0].address.rpartition("@")[2]
        tables: dict[str, BaseModel] = {}
        if not all(box.imap for box in boxes):
            imap = ask.known.table("imap", ImapServer)
            host = _host(ask, ask.given.imap_host, imap, "--imap-host", "IMAP server", f"imap.{domain}")
            tables["imap"] = imap.model_copy(update={"host": host}) if imap else ImapServer(host=host)
        if not all(box.smtp for box in boxes):
            smtp = ask.known.table("smtp", SmtpServer)
            host = _host(ask, ask.given.smtp_host, smtp, "--smtp-host", "SMTP server", f"smtp.{domain}")
            tables["smtp"] = smtp.model_copy(update={"host": host}) if smtp else SmtpServer(host=host)
        if ask.given.username is not None:
            if len(boxes) > 1:
                raise NotPossible("--username is one mailbox's: name that one with --address")
            boxes = (boxes[0].model_copy(update={"username": ask.given.username}),)
        return Wanted(tables, boxes)

    def credentials(self, ask: Asking, settings: Settings, boxes: Sequence[MailboxSettings], secrets: Secrets) -> None:
        """See `System.credentials`."""
        del settings
        passwords(ask, boxes, secrets)

    def means(self, settings: Settings, box: MailboxSettings, secrets: Secrets) -> Means:
        """See `System.means`. Looks what stands for labels there, and whether the server tells of new mail."""
        server, smtp = box.imap or settings.imap, box.smtp or settings.smtp
        can_send = f"{smtp.host} takes mail from it; nothing was sent" if smtp else ""
        hears, shown = False, ""
        if server is not None:
            session = Session(server, box.username or box.address, secrets.password(box))
            try:
                hears, inbox = "IDLE" in session.connection().capabilities, session.inbox()
                # Where not even a star may be set, trying it is harmless, and says so.
                shown = _SHOWN[session.marking(inbox)] if "\\flagged" in inbox.permanent_flags else ""
            except MailboxError:
                shown = ""  # the tries say what is wrong
            finally:
                session.close()
        return Means(can_send=can_send, hears=hears, poll_seconds=settings.service.poll_seconds, labels_shown=shown)


def passwords(ask: Asking, boxes: Sequence[MailboxSettings], secrets: Secrets) -> None:
    """Asks for each mailbox's password. One that the environment holds is not asked for: it would go before."""
    file = ask.given.password_file
    listed = _listed(ask, file, boxes) if file is not None and len(boxes) > 1 else None
    for box in boxes:
        if listed is not None:
            password = listed[box.address]
        elif file is None and secrets.vault.get(f"password/{box.address}") is None and secrets.password(box):
            continue
        else:
            kept = secrets.password(box) is not None
            password = ask.questions.secret("--password-file", f"Password of {box.address}", file=file, kept=kept) or ""
        if password:
            secrets.put(f"password/{box.address}", password)


def _listed(ask: Asking, file: str, boxes: Sequence[MailboxSettings]) -> dict[str, str]:
    """Passwords by address, from lines of an address and a password."""
    text = ask.questions.secret("--password-file", "", file=file) or ""
    found = {}
    for line in text.splitlines():
        address, _, password = line.strip().partition(" ")
        found[address.lower()] = password.strip()
    lacking = [box.address for box in boxes if not found.get(box.address)]
    if lacking:
        raise NotPossible(
            f"--password-file for {len(boxes)} mailboxes holds a line for each, the address, a blank and the password; "
            f"there is none for {', '.join(lacking[:5])}{' and others' if len(lacking) > 5 else ''}"
        )
    return found


def _host(
    ask: Asking, given: str | None, table: ImapServer | SmtpServer | None, option: str, question: str, default: str
) -> str:
    if given is None and table is not None:
        return table.host
    return ask.questions.answer(option, question, _named, given=given, default=default)


def _named(text: str) -> str:
    if not text.strip() or any(c.isspace() or c in "/@" for c in text.strip()):
        raise ValueError("a host name such as imap.maple.example")
    return text.strip()
