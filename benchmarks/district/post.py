"""The mail that arrives: letters of the classifier's corpus, so that it is known which are urgent, and what else comes.

Seeded: the same seed, the same letters at the same mailboxes in the same order.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from functools import cache
from pathlib import Path
from random import Random

_CORPUS = Path(__file__).parent.parent.parent / "classifier" / "corpus"
DOMAIN = "district.example"
_FAMILIES = 60
"""Families that write to one teacher."""


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter of the corpus."""

    subject: str
    body: str
    tag: str
    """As people labelled it."""


@dataclass(frozen=True, slots=True)
class Mix:
    """What comes."""

    families: float
    """Share of mail from families; the rest is lists'."""
    tags: Sequence[float] = ()
    """Shares of letters that are urgent and conflict, the others routine; the corpus' own where it is empty."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A message on its way to a mailbox."""

    mailbox: str
    content: bytes
    message_id: str
    """Without angle brackets."""
    urgent: bool
    """As people labelled it."""


def addresses(count: int) -> list[str]:
    """The district's mailboxes."""
    return [f"t{number}@{DOMAIN}" for number in range(count)]


@cache
def letters() -> tuple[Letter, ...]:
    """All that the corpus holds."""
    lines = (line for path in sorted(_CORPUS.glob("*.jsonl")) for line in path.read_text("utf-8").splitlines())
    return tuple(Letter(each["subject"], each["body"], each["label"]) for each in map(json.loads, lines))


@cache
def _letters_of(tag: str) -> tuple[Letter, ...]:
    return tuple(letter for letter in letters() if letter.tag == tag)


def _letter(random: Random, mix: Mix) -> Letter:
    if not mix.tags:
        return random.choice(letters())
    tags = ("urgent", "conflict", "routine")
    return random.choice(_letters_of(random.choices(tags, (*mix.tags, 1 - sum(mix.tags)))[0]))


def post(random: Random, mailbox: str, number: int, at: datetime, mix: Mix) -> Posted:
    """Message `number` to a mailbox: a family's letter, or a list's."""
    letter = _letter(random, mix)
    from_family = random.random() < mix.families
    family = random.randrange(_FAMILIES)
    teacher = mailbox.partition("@")[0]
    sender = f"guardian{family}.of.{teacher}@family{family % 7}.example" if from_family else "news@list.example"
    mail = EmailMessage()
    mail["From"] = f"Guardian {family} <{sender}>" if from_family else f"Museum News <{sender}>"
    mail["To"] = mailbox
    mail["Date"] = format_datetime(at)
    message_id = f"{number}.{random.getrandbits(48):x}@{parseaddr(sender)[1].rpartition('@')[2]}"
    mail["Message-ID"] = f"<{message_id}>"
    mail["Subject"] = letter.subject
    mail["Authentication-Results"] = f"mx.{DOMAIN}; dkim=pass header.d={sender.rpartition('@')[2]}; dmarc=pass"
    if not from_family:
        mail["List-Id"] = "<news.list.example>"
        mail["Precedence"] = "bulk"
    mail.set_content(letter.body)
    if random.random() < 0.75:
        paragraphs = "".join(f"<div style='font:14px Calibri'>{line}</div>" for line in letter.body.split("\n\n"))
        mail.add_alternative(f"<html><body>{paragraphs}</body></html>", subtype="html")
        mail.set_boundary(f"=_{random.getrandbits(96):024x}")
    return Posted(mailbox, mail.as_bytes(policy=SMTP), message_id, letter.tag == "urgent" and from_family)


def arrivals(random: Random, mailboxes: list[str], per_second: float, seconds: float) -> Iterator[tuple[float, str]]:
    """When mail comes, in seconds from the start, and to whom: a Poisson process, every mailbox alike."""
    at = random.expovariate(per_second)
    while at < seconds:
        yield at, random.choice(mailboxes)
        at += random.expovariate(per_second)
