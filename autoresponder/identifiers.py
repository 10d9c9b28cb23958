"""Names for mail: the Message-IDs of what we send, derived from what it answers, and the fingerprint of a mail.

A derived Message-ID lets a retry look up in Sent whether its mail is out already (decision 3 of the design), and lets
guards see that a mail, or what it answers, is our own.
"""

import hashlib
import re
from collections.abc import Collection
from datetime import UTC
from typing import Literal

from connectors.message import Message

Kind = Literal["reply", "route", "notice", "draft"]
"""What we write: an answer to the family, the original to the office, a notice to the administrator, and a draft that
the teacher finishes and sends, or does not."""

_OWN = re.compile(r"alliance\.(?!draft\.)[a-z-]+\.[0-9a-f]{32}@(?P<domain>[a-z0-9.-]+)", re.ASCII)
_THREAD = "thread"
_MAX_KEY_BYTES = 64  # BLAKE2b, RFC 7693 §2.1
_MIN_KEY_BYTES = 16


def original_key(message: Message) -> str:
    """What tells `message` from every other of its mailbox, wherever it lies: Message-ID, sender, date and subject.

    Only header fields, so that a message of which the beginning was read has the same key as the whole. A Message-ID
    alone would let two different mails under one (forged or broken) id pass for the same at the office's server. Mail
    without one is told apart by when it was received, which it keeps where a server gives it another number.
    """
    received = message.received_at.astimezone(UTC).isoformat()
    named_by = f"mid {message.message_id}" if message.message_id else f"at {received}"
    sender = message.sender.email if message.sender else ""
    return _joined(named_by, sender, message.headers.get("date", ""), message.subject)


def derived_message_id(original_key: str, kind: Kind, mailbox: str) -> str:
    """The Message-ID, without angle brackets, of our mail of this `kind` about the original with this key.

    The same arguments give the same id, for ever. A dot-atom on both sides (RFC 5322 §3.6.4), in the domain of
    `mailbox`. Raises ValueError where `mailbox` has no domain that can stand in a header.
    """
    digest = hashlib.sha256(_joined(original_key, kind, mailbox.lower()).encode("utf-8", "surrogatepass")).hexdigest()
    return f"alliance.{kind}.{digest[:32]}@{_ascii_domain(mailbox)}"


def thread_id(message_id: str) -> str:
    """The identifier of ours, without angle brackets, that stands in the References of the mail with this Message-ID of
    ours, and that no mail has as its own. `message_id` itself where it is none of ours.

    Mail programs carry References on into every answer (RFC 5322 §3.6.4). So an answer shows what it is about also
    where the server that sent our mail gave it another Message-ID.
    """
    kind, digest = _parts(message_id)
    return message_id if kind is None else f"alliance.{_THREAD}-{kind}.{digest}"


def message_id_behind(reference: str) -> str:
    """The Message-ID whose `thread_id` this is; `reference` itself where it is none."""
    kind, digest = _parts(reference)
    of = (kind or "").removeprefix(f"{_THREAD}-")
    return f"alliance.{of}.{digest}" if kind is not None and of != kind else reference


def _parts(message_id: str) -> tuple[str | None, str]:
    """Kind, and digest with domain, of an identifier of ours; (None, "") where it is not."""
    if not is_own_message_id(message_id):
        return None, ""
    kind, _, digest = message_id.strip().strip("<>").lower().removeprefix("alliance.").partition(".")
    return kind, digest


def is_own_message_id(message_id: str, domains: Collection[str] | None = None) -> bool:
    """Whether `message_id` (with or without angle brackets) has the form of ours, and lies in one of `domains` (in
    ASCII, lower case) where they are given. The form can be forged, so never trust mail for it: leave it alone.

    A draft's is none of them: mail programs may keep it when the teacher sends what they made of the draft, and that is
    the teacher's own answer.
    """
    found = _OWN.fullmatch(message_id.strip().removeprefix("<").removesuffix(">").lower())
    return found is not None and (domains is None or found["domain"] in domains)


def fingerprint(message: Message, key: bytes) -> str:
    """A keyed digest by which one mail is recognised in two mailboxes: of sender, date, subject and newest text.

    Keyed BLAKE2b with the installation's own secret (16 to 64 bytes, else ValueError), so that nobody who reads the
    database can confirm a guess of what somebody wrote. White space does not count, since servers re-wrap. Mail without
    a Date is told apart by its Message-ID, else by when it was received: "call me" on two days is two mails.
    """
    if not _MIN_KEY_BYTES <= len(key) <= _MAX_KEY_BYTES:
        raise ValueError(f"a fingerprint key of {_MIN_KEY_BYTES} to {_MAX_KEY_BYTES} bytes is expected, not {len(key)}")
    written = message.date.astimezone(UTC).isoformat() if message.date else ""
    told_apart_by = written or message.message_id or message.received_at.astimezone(UTC).isoformat()
    parts = (
        message.sender.email if message.sender else "",
        told_apart_by,
        " ".join(message.subject.split()),
        " ".join(message.newest.split()),
    )
    return hashlib.blake2b(
        _joined(*parts).encode("utf-8", "surrogatepass"), key=key, digest_size=16, person=b"alliance-inbox"
    ).hexdigest()


def _joined(*parts: str) -> str:
    """The parts in one string that no other parts give: each with its length before it."""
    return "".join(f"{len(part)}:{part}" for part in parts)


def _ascii_domain(mailbox: str) -> str:
    _, at, domain = mailbox.lower().rpartition("@")
    try:
        name = domain.encode("idna").decode("ascii")
    except UnicodeError as error:
        raise ValueError(f"{mailbox!r} has no domain that can stand in a Message-ID") from error
    if not at or not re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*", name):
        raise ValueError(f"{mailbox!r} has no domain that can stand in a Message-ID")
    return name
