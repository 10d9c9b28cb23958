"""Turns a text of the sample school into the mail that a provider would make of it (RFC 5322, MIME)."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import blake2b
from html import escape
from itertools import groupby
from mimetypes import guess_type
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field

from connectors.labels import Tag
from connectors.message import REACTION

DOMAIN = "maple.example"
Form = Literal["plain", "html", "both"]


class Letter(BaseModel):
    """One text as it stands in a teacher's file."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    at: datetime
    """When it arrives, the school's local time."""
    body: str
    subject: str = ""
    sender: str | None = Field(default=None, alias="from")
    to: list[str] | str | None = None
    """For mail that arrives: the other teachers it is addressed to; an empty list hides all recipients (Bcc). For mail
    that the teacher sent: the family's address; whoever wrote the letter that it answers where left out."""
    cc: list[str] = []
    id: str = ""
    answers: str = ""
    """The `id` of the letter that this one answers, or its time where it has none."""
    tag: Tag | None = None
    """What the author meant."""
    lang: str = "en"
    form: Form | None = None
    """The sender's provider decides where left out."""
    charset: str = "utf-8"
    declared: str | None = None
    """The charset that the mail claims, where it is not the one it is in."""
    attach: list[str] = []
    dmarc: Literal["pass", "fail"] = "pass"
    reaction: str = ""
    """An emoji put to the letter that this one answers; `body` says it in words."""


class MailFile(BaseModel):
    """One teacher's file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    owner: str
    mail: tuple[Letter, ...]
    sent: tuple[Letter, ...] = ()


class _Provider(BaseModel):
    """How the mail of one provider looks."""

    form: Form
    mailer: str | None
    relay: str


_PROVIDERS = {
    "kite.example": _Provider(form="both", mailer=None, relay="mail-oa1-f45.kite.example [203.0.113.25]"),
    "inbox.example": _Provider(
        form="both", mailer="Inbox for Android 8.2.1", relay="sonic312.inbox.example [203.0.113.8]"
    ),
    "fastpost.example": _Provider(
        form="plain", mailer="Fastpost Webmail 3", relay="srv4.fastpost.example [203.0.113.130]"
    ),
    "hometown.example": _Provider(form="plain", mailer=None, relay="mx.hometown.example [198.51.100.40]"),
    DOMAIN: _Provider(form="plain", mailer=None, relay="desk.maple.example [10.0.4.17]"),
}
_AT_WORK = _Provider(form="html", mailer="Desktop Mail 16.0", relay="gw.{domain} [203.0.113.61]")


def wrap(
    letter: Letter,
    mailbox: str,
    holder: str,
    *,
    sent: bool,
    thread: Sequence[Letter],
    owners: Mapping[str, str],
    zone: ZoneInfo,
) -> EmailMessage:
    """The mail as it lies in the mailbox of `holder`. `mailbox` is whose file the letter stands in; `thread` is what it
    answers, nearest first; `owners` names the teachers by mailbox. Raises ValueError for a letter without a sender."""
    at = letter.at.replace(tzinfo=zone)
    mime = EmailMessage(policy=SMTP)
    author = _author(letter, mailbox, owners)
    provider = _PROVIDERS.get(author.domain, _AT_WORK)
    if not sent:
        _add_trace(mime, author, holder, provider, at, letter.dmarc)
    mime["From"] = author
    _address(mime, letter, mailbox, sent=sent, answered=thread[0] if thread else None, owners=owners)
    mime["Subject"] = letter.subject or _answer_subject(thread)
    mime["Date"] = format_datetime(at - timedelta(seconds=_delay(letter)))
    mime["Message-ID"] = f"<{_message_id(letter, mailbox, author.domain)}>"
    if thread:
        ids = [f"<{_message_id(each, mailbox, _author(each, mailbox, owners).domain)}>" for each in thread]
        mime["In-Reply-To"] = ids[0]
        mime["References"] = " ".join(reversed(ids))
    if provider.mailer:
        mime["X-Mailer"] = provider.mailer
    _write(mime, letter, letter.form or provider.form)
    for depth, part in enumerate(part for part in mime.walk() if part.is_multipart()):
        # The library would draw random ones: the same letter shall be the same bytes on every machine.
        part.set_boundary(f"=_{depth}_{_message_id(letter, mailbox, author.domain).partition('@')[0]}")
    return mime


def _author(letter: Letter, mailbox: str, owners: Mapping[str, str]) -> Address:
    if letter.sender is None:
        return Address(owners[mailbox], mailbox, DOMAIN)
    name, _, address = letter.sender.rpartition(" <")
    local, _, domain = address.rstrip(">").rpartition("@")
    return Address(name, local, domain)


def _add_trace(mime: EmailMessage, author: Address, holder: str, provider: _Provider, at: datetime, dmarc: str) -> None:
    """What the school's own mail server put on top (RFC 5321 §4.4, RFC 8601)."""
    queue = blake2b(f"{at} {author.addr_spec}".encode(), digest_size=6).hexdigest()
    relay = provider.relay.format(domain=author.domain)
    mime["Return-Path"] = f"<{author.addr_spec}>"
    mime["Delivered-To"] = f"{holder}@{DOMAIN}"
    mime["Received"] = (
        f"from {relay.partition(' ')[0]} ({relay}) by mx.{DOMAIN} (Postfix) with ESMTPS id {queue} "
        f"for <{holder}@{DOMAIN}>; {format_datetime(at)}"
    )
    if author.domain != DOMAIN:
        dkim = "pass" if dmarc == "pass" else "none"
        spf = "pass" if dmarc == "pass" else "softfail"
        mime["Authentication-Results"] = (
            f"mx.{DOMAIN}; dkim={dkim} header.d={author.domain}; spf={spf} smtp.mailfrom={author.domain}; "
            f"dmarc={dmarc} header.from={author.domain}"
        )


def _address(
    mime: EmailMessage,
    letter: Letter,
    mailbox: str,
    *,
    sent: bool,
    answered: Letter | None,
    owners: Mapping[str, str],
) -> None:
    if sent:
        mime["To"] = letter.to or (answered and answered.sender)
    elif letter.to == []:
        mime["To"] = "undisclosed-recipients:;"
    else:
        mime["To"] = [Address(owners[name], name, DOMAIN) for name in (mailbox, *(letter.to or ()))]
    if letter.cc:
        mime["Cc"] = ", ".join(letter.cc)


def _answer_subject(thread: Sequence[Letter]) -> str:
    subject = next((letter.subject for letter in thread if letter.subject), "")
    return subject if subject.lower().startswith("re:") else f"Re: {subject}".strip()


def _delay(letter: Letter) -> int:
    """Seconds on the way: a few, and the same ones each time."""
    return 2 + len(letter.body) % 9


def _message_id(letter: Letter, mailbox: str, domain: str) -> str:
    if letter.id:
        return f"{mailbox}-{letter.id}@{domain}"
    return blake2b(f"{mailbox} {letter.at} {letter.subject}".encode(), digest_size=10).hexdigest() + f"@{domain}"


def _write(mime: EmailMessage, letter: Letter, form: Form) -> None:
    if form == "html":
        mime.set_content(_as_html(letter.body), subtype="html", charset=letter.charset)
    else:
        mime.set_content(letter.body, charset=letter.charset)
        if form == "both":
            mime.add_alternative(_as_html(letter.body), subtype="html", charset=letter.charset)
    if letter.reaction:
        said = json.dumps({"emoji": letter.reaction, "version": 1}, ensure_ascii=False).encode()
        maintype, _, subtype = REACTION.partition("/")
        mime.add_alternative(said, maintype=maintype, subtype=subtype)
    if letter.declared:
        for part in mime.walk():
            if part.get_content_maintype() == "text":
                part.set_param("charset", letter.declared)
    for name in letter.attach:
        maintype, _, subtype = (guess_type(name)[0] or "application/octet-stream").partition("/")
        mime.add_attachment(b"sample attachment\n" * 40, maintype=maintype, subtype=subtype, filename=name)


def _as_html(body: str) -> str:
    """As web mail writes it: a paragraph per block, quoted lines in a blockquote."""
    return f'<html><body><div dir="auto">{"".join(_blocks(body))}</div></body></html>\n'


def _blocks(body: str) -> Iterator[str]:
    for quoted, lines in groupby(body.strip().splitlines(), key=lambda line: line.startswith(">")):
        text = "\n".join(line.removeprefix(">").removeprefix(" ") if quoted else line for line in lines)
        paragraphs = "".join(
            f"<p>{escape(block, quote=False).replace(chr(10), '<br>')}</p>\n" for block in text.split("\n\n") if block
        )
        yield f"<blockquote>{paragraphs}</blockquote>" if quoted else paragraphs
