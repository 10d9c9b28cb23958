"""Mail on its way out: header fields that no original can break or inject into, and bytes that no server rewrites.

Header fields of names, subjects and identifiers are encoded here and not by `email.policy`, whose folding loses the
quotes around a display name with a comma and puts long Message-IDs into encoded words.
"""

import re
import unicodedata
from collections.abc import Iterable
from datetime import datetime
from email.generator import BytesGenerator
from email.header import Header
from email.headerregistry import HeaderRegistry
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, quote
from io import BytesIO
from typing import Any

_NAME_CHARACTERS = 120
_ID_CHARACTERS = 900  # With its brackets and field name under the 998 characters of a line, RFC 5322 §2.1.1.
_REFERENCES = 21  # A long thread keeps its first and its latest identifiers.
_ATOM_WORDS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_ADDRESS = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*@[a-z0-9-]+(\.[a-z0-9-]+)*", re.ASCII
)
_BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


class _WirePolicy(EmailPolicy):
    """CRLF, 7bit, and fields that were made by this module written as they are."""

    def fold(self, name: str, value: Any) -> str:
        return _folded(name, value) if isinstance(value, _Ready) else super().fold(name, value)

    def fold_binary(self, name: str, value: Any) -> bytes:
        return _folded(name, value).encode("ascii") if isinstance(value, _Ready) else super().fold_binary(name, value)

    def header_store_parse(self, name: str, value: Any) -> tuple[str, Any]:
        return (name, value) if isinstance(value, _Ready) else super().header_store_parse(name, value)

    def header_fetch_parse(self, name: str, value: Any) -> Any:
        return value if isinstance(value, _Ready) else super().header_fetch_parse(name, value)


class _Ready(str):
    """A field's value in ASCII, folded: every line break in it is one that folds."""

    __slots__ = ()


def _folded(name: str, value: str) -> str:
    return f"{name}: {value}\r\n"


class _Kinds(HeaderRegistry):
    """Makes the class of each field once; Python's own makes it anew for each field of each mail."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = super().__getitem__(name)
        return made


WIRE = _WirePolicy(linesep="\r\n", cte_type="7bit", max_line_length=78, header_factory=_Kinds())
"""Policy of every mail that we build."""


def as_bytes(mail: EmailMessage) -> bytes:
    """`mail` as it goes to a server: ASCII, CRLF, no line over 998 characters (RFC 5322 §2.1.1)."""
    out = BytesIO()
    BytesGenerator(out, mangle_from_=False, policy=WIRE).flatten(mail)
    return out.getvalue()


def one_line(text: str, limit: int) -> str:
    """`text` on one line of at most `limit` characters, cut at a word with an ellipsis. Control characters, lone
    surrogates and what turns the reading direction around are left out: they are how foreign text plays tricks."""
    head = text[: limit * 4]
    kept = "".join(" " if _breaks(c) else c for c in head if c not in _BIDI_CONTROLS)
    line = " ".join(kept.split())
    if len(line) <= limit and len(head) == len(text):
        return line
    cut = line[: limit - 1]
    at_word = cut.rpartition(" ")[0]
    return (at_word if len(at_word) > limit // 2 else cut).rstrip() + "…"


def _breaks(character: str) -> bool:
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}


def usable_address(address: str) -> str | None:
    """`address` as a plain ASCII addr-spec (RFC 5321 §4.1.2), lower case, an international domain in its ASCII form.
    None where mail cannot be sent to it safely: broken, too long, quoted, or with a local part beyond ASCII."""
    local, _, domain = address.strip().lower().rpartition("@")
    try:
        ascii_domain = domain if domain.isascii() else domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    plain = f"{local}@{ascii_domain}"
    # RFC 5321 §4.5.3.1: 64 octets of local part, 254 of a path without its brackets.
    return plain if len(local) <= 64 and len(plain) <= 254 and _ADDRESS.fullmatch(plain) else None


def address_field(address: str, name: str = "") -> _Ready:
    """An address field's value. Raises ValueError where `address` is no usable address."""
    usable = usable_address(address)
    if usable is None:
        raise ValueError(f"{address!r} is not an address that mail can be sent to")
    shown = one_line(name, _NAME_CHARACTERS)
    if not shown:
        return _Ready(usable)
    if not shown.isascii():
        shown = Header(shown, "utf-8", maxlinelen=72, header_name="Reply-To").encode(linesep="\r\n")
    elif not _ATOM_WORDS.fullmatch(shown):
        shown = f'"{quote(shown)}"'
    return _Ready(f"{shown}\r\n <{usable}>" if len(shown) + len(usable) > 60 else f"{shown} <{usable}>")


def addresses_field(addresses: Iterable[str]) -> _Ready:
    """A field of several addresses without names (RFC 5322 §3.6.3), one a line. Raises ValueError as `address_field`
    does."""
    return _Ready(",\r\n ".join(address_field(address) for address in addresses))


def text_field(text: str, limit: int) -> _Ready:
    """An unstructured field's value, such as Subject: one line, bounded, encoded as RFC 2047 says."""
    line = one_line(text, limit)
    # Beyond ASCII, or what a reader would take for an encoded word: as UTF-8 words.
    charset = "us-ascii" if line.isascii() and "=?" not in line else "utf-8"
    return _Ready(Header(line, charset, maxlinelen=76, header_name="Subject").encode(linesep="\r\n"))


def usable_id(message_id: str | None) -> str | None:
    """A foreign identifier as it may stand between angle brackets: printable ASCII without blanks; None where nothing
    is left of it, or too much."""
    kept = "".join(c for c in message_id or "" if "!" <= c <= "~" and c not in "<>")
    return kept if 0 < len(kept) <= _ID_CHARACTERS else None


def id_field(*message_ids: str) -> _Ready:
    """A field of Message-IDs (RFC 5322 §3.6.4), one a line, bounded."""
    usable = list(dict.fromkeys(kept for each in message_ids if (kept := usable_id(each))))
    if len(usable) > _REFERENCES:
        usable = [usable[0], *usable[1 - _REFERENCES :]]
    return _Ready("\r\n ".join(f"<{each}>" for each in usable))


def date_field(at: datetime) -> _Ready:
    """A Date field's value (RFC 5322 §3.3), of an aware time."""
    return _Ready(format_datetime(at))
