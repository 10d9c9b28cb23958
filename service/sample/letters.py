"""Reads the sample school's mail from this folder's files, and gives it as it lies in a mailbox."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.utils import parsedate_to_datetime
from hashlib import blake2b
from importlib.resources import files
from importlib.resources.abc import Traversable
from zoneinfo import ZoneInfo

from connectors.labels import Tag
from service.sample.envelopes import Letter, MailFile, wrap

ZONE = ZoneInfo("America/Chicago")
"""Where Maple Street School is."""


@dataclass(frozen=True, slots=True)
class SampleMail:
    """One mail in one teacher's mailbox. A mail to two teachers is two of these, under one Message-ID."""

    mailbox: str
    """The mailbox's local part, which names its folder too."""
    sent: bool
    """True where the teacher wrote it: it belongs in Sent."""
    arrives: datetime
    """Aware, in the school's time zone."""
    message_id: str
    """Without angle brackets."""
    sender: str
    subject: str
    meant: Tag | None
    """The tag its author meant; None for what is no family's mail."""
    language: str
    """ISO 639-1."""
    raw: bytes

    @property
    def file_name(self) -> str:
        """A Maildir name that the same mail always gets (time, unique part, host)."""
        digest = blake2b(f"{self.mailbox} {self.message_id}".encode(), digest_size=6).hexdigest()
        return f"{int(self.arrives.timestamp())}.{digest}.maple"


def load_mail() -> list[SampleMail]:
    """The whole sample, in the order of arrival."""
    folder = files("service.sample")
    owners = {file.name.removesuffix(".toml"): _texts(file) for file in _sorted(folder / "mail")}
    names = {mailbox: texts.owner for mailbox, texts in owners.items()}
    mails: list[SampleMail] = []
    for mailbox, texts in owners.items():
        mails += mails_of(mailbox, texts, names)
        mails += [_from_robot(mailbox, file.read_bytes()) for file in _sorted(folder / "robots" / mailbox)]
    return sorted(mails, key=lambda mail: (mail.arrives, mail.mailbox, mail.message_id))


def _sorted(folder: Traversable) -> list[Traversable]:
    return sorted((file for file in folder.iterdir() if file.name.endswith((".toml", ".eml"))), key=lambda f: f.name)


def _texts(file: Traversable) -> MailFile:
    return MailFile.model_validate(tomllib.loads(file.read_text(encoding="utf-8")))


def mails_of(mailbox: str, texts: MailFile, owners: Mapping[str, str]) -> Iterator[SampleMail]:
    """The mails that a teacher's file stands for; `owners` names the teachers by mailbox."""
    by_id = {letter.id or letter.at.isoformat(): letter for letter in (*texts.mail, *texts.sent)}
    for letter, sent in (*((each, False) for each in texts.mail), *((each, True) for each in texts.sent)):
        thread = _thread(letter, by_id)
        holders = [mailbox, *(name for name in letter.to or () if name in owners and not sent)]
        for holder in holders:
            mime = wrap(letter, mailbox, holder, sent=sent, thread=thread, owners=owners, zone=ZONE)
            yield SampleMail(
                mailbox=holder,
                sent=sent,
                arrives=letter.at.replace(tzinfo=ZONE),
                message_id=mime["Message-ID"].strip("<>"),
                sender=mime["From"].addresses[0].addr_spec,
                subject=mime["Subject"] or "",
                meant=letter.tag,
                language=letter.lang,
                raw=mime.as_bytes(),
            )


def _thread(letter: Letter, by_id: Mapping[str, Letter]) -> list[Letter]:
    """What a letter answers, nearest first. Raises KeyError where it answers a letter that is not there."""
    chain: list[Letter] = []
    while letter.answers:
        letter = by_id[letter.answers]
        chain.append(letter)
    return chain


def _from_robot(mailbox: str, source: bytes) -> SampleMail:
    """A mail kept whole. It arrived at the time of its uppermost Received field (RFC 5321 §4.4)."""
    raw = source.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    mime = message_from_bytes(raw, policy=policy.default)
    received = str(mime.get_all("Received", [""])[0])
    return SampleMail(
        mailbox=mailbox,
        sent=False,
        arrives=parsedate_to_datetime(received.rpartition(";")[2].strip()).astimezone(ZONE),
        message_id=str(mime["Message-ID"]).strip().strip("<>"),
        sender=str(mime["From"]),
        subject=str(mime["Subject"]),
        meant=None,
        language="en",
        raw=raw,
    )
