"""A mail that answers another, in its thread: to whom, under which subject, and with which references."""

import re
from datetime import datetime
from email.message import EmailMessage

from autoresponder.outgoing import WIRE, address_field, date_field, id_field, one_line, text_field, usable_address
from autoresponder.wording import Wording
from config.settings import MailboxSettings
from connectors.message import Message

__all__ = ["answer_to", "reply_address"]

_SUBJECT_CHARACTERS = 160
_RE = "Re: "
# What mail programs put before a subject: Re, also in German, Swedish, Italian …, with or without a counter.
_REPLY_PREFIX = re.compile(r"\A(?:\s*+(?:re|aw|sv|antw|ref|r)\s*+(?:\[\d{1,4}\])?\s*+[:：])+\s*+", re.IGNORECASE)


def reply_address(message: Message) -> str | None:
    """Where an answer to `message` goes: to the address in From, None where that is not one to send to.

    Reply-To is no destination for an automatic answer (RFC 3834 §4). That section prefers Return-Path, but families'
    providers and forwarders put machine addresses there, whereas From is what DMARC vouches for and what the school
    knows the family by; the null path and the forged From are the guards' business.
    """
    return usable_address(message.sender.email) if message.sender else None


def answer_to(
    original: Message, *, mailbox: MailboxSettings, words: Wording, now: datetime, message_id: str
) -> EmailMessage:
    """An answer to `original` from the teacher of `mailbox`, without a body: From, To, Subject, Date and what puts it
    into the thread.

    `words` are those for the subject of a mail that has none. `now` is aware; `message_id` stands without angle
    brackets. Raises ValueError where the sender's address cannot be written to.
    """
    recipient = reply_address(original)
    if recipient is None:
        raise ValueError("the sender's address is not one that an answer can be sent to")
    mail = EmailMessage(policy=WIRE)
    mail["From"] = address_field(mailbox.address, mailbox.teacher)
    mail["To"] = address_field(recipient)
    mail["Subject"] = text_field(_subject(original.subject, words), _SUBJECT_CHARACTERS + 4)
    mail["Date"] = date_field(now)
    mail["Message-ID"] = id_field(message_id)
    if original.message_id and (answered := id_field(original.message_id)):
        mail["In-Reply-To"] = answered
        # RFC 5322 §3.6.4: the original's References, else its one In-Reply-To, then its Message-ID.
        parents = original.references or (original.in_reply_to if len(original.in_reply_to) == 1 else ())
        mail["References"] = id_field(*(each for each in parents if each != original.message_id), original.message_id)
    return mail


def _subject(original: str, words: Wording) -> str:
    """The original's subject with one "Re: " before it (RFC 5322 §3.6.5).

    RFC 3834 §3.1.5 would like a word that an automatic answer is one here. It stands in the note's first lines
    instead: mail programs file a changed subject as a new conversation, away from what it answers.
    """
    _ = words.gettext
    rest = _REPLY_PREFIX.sub("", one_line(original, 2 * _SUBJECT_CHARACTERS), count=1)
    bare = one_line(rest, _SUBJECT_CHARACTERS) or _("your message")
    return f"{_RE}{bare}"
