"""A mail as the pipeline reads it: immutable, already decoded, with the newest text told apart from the history."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

MARKER = "X-Alliance-Inbox"
"""Header field that marks our own mail, with its kind as the value and nothing private: by it such mail is known,
whatever a server makes of its Message-ID."""
REACTION = "text/vnd.google.email-reaction+json"
"""The part that makes a mail an emoji reaction (https://developers.google.com/workspace/gmail/reactions/format)."""
NOTE = "X-Alliance-Note"
"""Header field of an answer to a family: which note it is, a tag's word or `CRISIS`. A record that was put back from a
backup learns it from Sent, and so the family does not get the same words again."""
CRISIS = "crisis"


@dataclass(frozen=True, slots=True)
class Address:
    """One mailbox of RFC 5322 §3.4. `email` is in lower case, so that it can be compared; both are decoded text."""

    email: str
    name: str = ""

    @property
    def domain(self) -> str:
        """The part behind the last @, empty where there is none."""
        return self.email.rpartition("@")[2] if "@" in self.email else ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """What is known of an attachment without opening it. `size` is in bytes as transferred."""

    filename: str
    content_type: str
    size: int


class Headers(Mapping[str, str]):
    """Header fields by case-insensitive name. `headers[name]` is the first field of that name, decoded and unfolded;
    `all(name)` is every one, in the message's order."""

    __slots__ = ("_fields",)

    def __init__(self, fields: tuple[tuple[str, str], ...] = ()) -> None:
        """`fields` are (name, decoded value) pairs in the message's order."""
        self._fields = fields

    def __getitem__(self, name: str) -> str:
        wanted = name.lower()
        for field_name, value in self._fields:
            if field_name.lower() == wanted:
                return value
        raise KeyError(name)

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of the field `name`, in the message's order."""
        wanted = name.lower()
        return tuple(value for field_name, value in self._fields if field_name.lower() == wanted)

    def fields(self) -> tuple[tuple[str, str], ...]:
        """All (name, value) pairs, in the message's order."""
        return self._fields

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and any(field_name.lower() == name.lower() for field_name, _ in self._fields)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(field_name.lower() for field_name, _ in self._fields))

    def __len__(self) -> int:
        return sum(1 for _ in self)


@dataclass(frozen=True, slots=True)
class Message:
    """One parsed mail. `connectors.mime.parse_message` makes it, and never fails: what was broken is in `defects`.

    Times are aware and in UTC. Identifiers (`message_id`, `in_reply_to`, `references`) stand without angle brackets.
    """

    mailbox: str
    """Address of the mailbox it was read from, lower case."""
    id: str
    """The provider's identifier: unique and stable within the mailbox."""
    received_at: datetime
    """When the mailbox received it, by the server's clock."""
    date: datetime | None
    """What the sender's Date field says; None where absent or unreadable."""
    headers: Headers
    message_id: str | None
    in_reply_to: tuple[str, ...]
    references: tuple[str, ...]
    subject: str
    sender: Address | None
    """The first address of From."""
    reply_to: tuple[Address, ...]
    to: tuple[Address, ...]
    cc: tuple[Address, ...]
    text: str
    """Everything readable in the body, as plain text."""
    newest: str
    """What the sender wrote this time: `text` without quoted history and signature."""
    attachments: tuple[Attachment, ...] = ()
    size: int = 0
    """Bytes of the whole message on the server."""
    truncated: bool = False
    """True where only the first part of the message was read."""
    defects: tuple[str, ...] = field(default=())
    """What was broken or cut off, in words for a log; never text of the message."""
    bcc: tuple[Address, ...] = ()
    """Known of mail in Sent, where the mail system keeps it (RFC 5322 §3.6.3)."""

    @property
    def is_reaction(self) -> bool:
        """Whether this is an emoji that somebody put to a message, as Gmail sends it; its subject is that message's."""
        return any(part.content_type == REACTION and not part.filename for part in self.attachments)
