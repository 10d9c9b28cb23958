"""Mail like a teacher's inbox: the corpus' letters and what else arrives, as mail programs shape it.

Seeded: the same number and seed give the same bytes.
"""

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import cache
from html import escape
from pathlib import Path
from random import Random

TEACHER = "rivera@maple.example"

_CORPUS = Path(__file__).parent.parent / "classifier" / "corpus"
_FIRST = datetime(2024, 8, 12, 7, 0, tzinfo=UTC)
_SPAN = timedelta(days=600)
_FAMILIES = 150
_DIFFERENT = 3000
_NAMES = ("Ana", "Ben", "Carmen", "Dmitri", "Emily", "Fatima", "Grace", "Hassan", "Inés", "Joon", "Kateri", "Linh")
_SURNAMES = ("Alvarez", "Brooks", "Castillo", "Duong", "Eze", "Flores", "Grant", "Haddad", "Ivanova", "Jean", "Kim")


@dataclass(frozen=True, slots=True)
class Mail:
    """A message and when the mailbox received it."""

    content: bytes
    received_at: datetime


def mails(count: int, *, attachments: bool = True, seed: int = 2026) -> Iterator[Mail]:
    """`count` messages, oldest first: letters of families (two thirds), newsletters, colleagues and robots. At most
    `_DIFFERENT` bodies; date, identifiers and trace differ from message to message."""
    random = Random(seed)
    written = [_written(random, attachments=attachments) for _ in range(min(count, _DIFFERENT))]
    for number in range(count):
        domain, content = random.choice(written) if count > _DIFFERENT else written[number]
        at = _FIRST + _SPAN * (number / count)
        mine = (
            f"To: Ms. Rivera <{TEACHER}>\r\n"
            f"Date: {format_datetime(at - timedelta(seconds=random.randint(1, 90)))}\r\n"
            f"Message-ID: <{number}.{random.getrandbits(64):x}@{domain}>\r\n"
        )
        yield Mail(_trace(random, domain, at) + mine.encode() + content, at)


def _written(random: Random, *, attachments: bool) -> tuple[str, bytes]:
    """The sender's domain, and a message without the fields that tell it from others like it."""
    kind = random.random()
    if kind < 0.66:
        mail = _letter(random, attachments=attachments)
    elif kind < 0.80:
        mail = _newsletter(random)
    elif kind < 0.94:
        mail = _colleague(random, attachments=attachments)
    else:
        mail = _robot(random)
    for part in mail.walk():
        if part.is_multipart():
            part.set_boundary(f"=_{random.getrandbits(96):024x}")
    return str(mail["From"]).rpartition("@")[2].rstrip(">"), mail.as_bytes(policy=SMTP)


def store(maildir: Path, backlog: Iterable[Mail]) -> int:
    """Puts messages into a Maildir as mail that was read long ago, and returns their size in bytes."""
    size = 0
    for part in ("new", "cur", "tmp"):
        (maildir / part).mkdir(parents=True, exist_ok=True)
    for number, mail in enumerate(backlog):
        at = mail.received_at.timestamp()
        path = maildir / "cur" / f"{int(at)}.M{number}P1.benchmark,S={len(mail.content)}:2,S"
        path.write_bytes(mail.content)
        os.utime(path, (at, at))  # Dovecot's INTERNALDATE
        size += len(mail.content)
    return size


@cache
def _letters() -> tuple[tuple[str, str], ...]:
    lines = (line for path in sorted(_CORPUS.glob("*.jsonl")) for line in path.read_text("utf-8").splitlines())
    return tuple((letter["subject"], letter["body"]) for letter in map(json.loads, lines))


def _letter(random: Random, *, attachments: bool) -> EmailMessage:
    subject, body = random.choice(_letters())
    family = random.randrange(_FAMILIES)
    name = f"{_NAMES[family % len(_NAMES)]} {_SURNAMES[family % len(_SURNAMES)]}"
    mail = EmailMessage()
    mail["From"] = f"{name} <{name.split()[1].lower()}{family}@family{family % 7}.example>"
    mail["Subject"] = subject
    if random.random() < 0.35:
        _, earlier = random.choice(_letters())
        quoted = "\n".join(f"> {line}" for line in earlier.splitlines())
        body = f"{body}\n\nOn Monday, {_FIRST:%B %d, %Y} at 9:12 AM, Ms. Rivera <{TEACHER}> wrote:\n{quoted}\n"
        mail["In-Reply-To"] = mail["References"] = f"<{random.getrandbits(40):x}.reply@maple.example>"
    _write(random, mail, body + random.choice(("", "\n\nSent from my phone", f"\n\n-- \n{name}\n555 01{family:02}")))
    roll = random.random() if attachments else 1
    if roll < 0.08:
        _attach(random, mail, "image", "jpeg", f"IMG_{random.randrange(9999):04}.jpg", random.randint(80, 900))
    elif roll < 0.12:
        _attach(random, mail, "application", "pdf", "form.pdf", random.randint(30, 400))
    return mail


def _newsletter(random: Random) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = f"Maple Reader <news@list{random.randrange(5)}.example>"
    mail["Subject"] = f"This week at the museum, no. {random.randrange(400)}"
    mail["List-Id"] = "<news.list.example>"
    mail["List-Unsubscribe"] = "<https://list.example/u?" + f"{random.getrandbits(512):x}" + ">"
    mail["Precedence"] = "bulk"
    paragraphs = [random.choice(_letters())[1] for _ in range(random.randint(8, 30))]
    _write(random, mail, "\n\n".join(paragraphs), dress=random.randint(200, 900))
    return mail


def _colleague(random: Random, *, attachments: bool) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = f"{random.choice(_NAMES)} {random.choice(_SURNAMES)} <staff{random.randrange(40)}@maple.example>"
    subject, body = random.choice(_letters())
    mail["Subject"] = f"Fwd: {subject}" if random.random() < 0.3 else "Staff room"
    _write(random, mail, body)
    if attachments and random.random() < 0.15:
        kind = "vnd.openxmlformats-officedocument.wordprocessingml.document"
        _attach(random, mail, "application", kind, "plan.docx", random.randint(15, 600))
    return mail


def _robot(random: Random) -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = f"no-reply@system{random.randrange(6)}.example"
    mail["Subject"] = "Your weekly summary"
    mail["Auto-Submitted"] = "auto-generated"
    _write(random, mail, random.choice(_letters())[1], dress=random.randint(20, 200))
    return mail


def _write(random: Random, mail: EmailMessage, text: str, dress: int | None = None) -> None:
    """The text as mail programs write it: a quarter plain, the others with HTML beside it. `dress` counts the styled
    table cells of machine-made HTML."""
    encoding = random.choice(("quoted-printable", "quoted-printable", "base64", None))
    ascii_only = text.isascii() and max(map(len, text.splitlines()), default=0) < 900
    mail.set_content(text, cte=encoding or ("7bit" if ascii_only else "quoted-printable"))
    if dress is None and random.random() < 0.25:
        return
    blocks = [f'<div dir="ltr" style="font-family:Calibri,sans-serif">{escape(p)}</div>' for p in text.split("\n\n")]
    cell = '<tr><td style="padding:0 12px;border-collapse:collapse;font:14px/1.5 Arial;color:#333"></td></tr>\n'
    body = "\n".join(blocks) + (f"<table>{cell * dress}</table>" if dress else "")
    style = "".join(f"p.Style{number} {{margin:0cm; font-size:11.0pt; color:#1F497D}}\n" for number in range(60))
    head = f"<style>{style}</style>" if random.random() < 0.5 else ""
    page = f'<html><head><meta charset="utf-8">{head}</head><body>\n{body}\n</body></html>'
    mail.add_alternative(page, subtype="html", cte=encoding or "quoted-printable")


def _attach(random: Random, mail: EmailMessage, maintype: str, subtype: str, name: str, kilobytes: int) -> None:
    content = random.randbytes(kilobytes * 1024)
    mail.add_attachment(content, maintype=maintype, subtype=subtype, filename=name)


def _trace(random: Random, domain: str, at: datetime) -> bytes:
    """What the servers on the way add: three hops, a signature, and the verdict on it."""
    stamp = format_datetime(at)
    hops = "".join(
        f"Received: from relay{hop}.{domain} (relay{hop}.{domain} [192.0.2.{hop + 1}])\r\n"
        f"\tby mx{hop}.maple.example with ESMTPS id {random.getrandbits(64):x}\r\n"
        f"\t(version=TLS1_3 cipher=TLS_AES_256_GCM_SHA384 bits=256/256);\r\n\t{stamp}\r\n"
        for hop in range(3)
    )
    signature = "".join(f"\r\n\t {random.getrandbits(280):x}" for _ in range(5))
    return (
        f"Return-Path: <bounces@{domain}>\r\n{hops}"
        f"Authentication-Results: mx.maple.example; dkim=pass header.d={domain}; spf=pass; dmarc=pass\r\n"
        f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s=s1;\r\n"
        f"\th=from:to:subject:date:message-id; b={signature}\r\n"
        f"X-Mailer: Example Mail {random.randrange(9)}.{random.randrange(99)}\r\n"
    ).encode()
