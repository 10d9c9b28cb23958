"""The grammar of file names in a Maildir: `<unique base>[,<field>…][:2,<flags>[,<more>]]`.

Flags are ASCII letters in ASCII order, each at most once; capitals are the standard's (D, F, P, R, S, T), small letters
are Dovecot's keywords. The base never changes while the mail program moves and flags the message.
"""

import re
from dataclasses import dataclass
from os import fsdecode, fsencode
from urllib.parse import quote_from_bytes, unquote_to_bytes

_PLAIN_BASE = re.compile(r"[!-$&-.0-9;-~]+")
"""What stands for itself in an id: printable ASCII without the percent sign, the slash and the colon."""
_ADDED_FIELDS = re.compile(r"(?:,[A-Z]=[0-9]+)+$")
"""Fields that other programs add to a name later: Dovecot the sizes (S, W), mbsync its UID (U)."""
_TIME = re.compile(r"([0-9]{1,19})\.")
_MICROSECONDS = re.compile(r"M([0-9]{1,9})")
_SAFE = "!\"#$&'()*+,;<=>?@[\\]^`{|}"


@dataclass(frozen=True, slots=True)
class Name:
    """A file name taken apart. `more` is what stands behind a comma in the info; it is kept as it is."""

    base: str
    flags: str = ""
    more: str = ""

    @classmethod
    def parse(cls, name: str) -> "Name":
        """Takes `name` apart. Info of another version than 2 says nothing to us."""
        base, _, info = name.partition(":")
        version, comma, rest = info.partition(",")
        if version != "2" or not comma:
            return cls(base)
        flags, comma, more = rest.partition(",")
        return cls(base, flags, comma + more)

    def flagged(self, flags: str) -> str:
        """This message's file name with exactly `flags`."""
        return f"{self.base}:2,{''.join(sorted(set(flags)))}{self.more}"


def flags_of(name: str) -> str:
    """The flag letters of a file name; the quick way for whole folders."""
    return name.partition(":2,")[2].partition(",")[0]


def message_id(name: str) -> str:
    """The provider id of the message in the file `name`: its unique base, the same whatever is flagged or added later,
    with bytes that are no printable ASCII written as %XX, so that any database can keep it."""
    base = name.partition(":")[0]
    if "," in base:
        base = _ADDED_FIELDS.sub("", base) or base
    return base if _PLAIN_BASE.fullmatch(base) else quote_from_bytes(fsencode(base), safe=_SAFE)


def base_of(message_id_: str) -> str:
    """The base that a provider id stands for, without fields added later."""
    return fsdecode(unquote_to_bytes(message_id_)) if "%" in message_id_ else message_id_


def delivery_time(name: str) -> tuple[int, int]:
    """When the file was delivered as its name says: seconds since 1970 and microseconds. (0, 0) where it does not say.
    Only for telling apart what the file system's clock cannot."""
    seconds = _TIME.match(name)
    if not seconds:
        return (0, 0)
    microseconds = _MICROSECONDS.search(name.partition(":")[0], seconds.end())
    return int(seconds[1]), int(microseconds[1]) if microseconds else 0
