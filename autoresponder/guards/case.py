"""What a guard is asked about: one message, and all that is known around it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from autoresponder.plan import History
from config.calendar import SchoolCalendar
from config.settings import MailboxSettings, Norm
from connectors import headers as header_section
from connectors.labels import Tag
from connectors.message import Address, Message

_BEGINNING = 4_000
"""Characters of text that the body rules look at: what a robot says about itself stands at the top."""


@dataclass(frozen=True)
class Case:
    """A message and the question whether it may be answered at `now` (aware).

    `mailbox`, `calendar` and `tag` are None where they are unknown; guards that need them then have no objection.
    `staff_domains` are lower case.
    """

    message: Message
    history: History
    norm: Norm
    now: datetime
    mailbox: MailboxSettings | None = None
    staff_domains: frozenset[str] = frozenset()
    calendar: SchoolCalendar | None = None
    tag: Tag | None = None
    crisis: bool = False
    """Whether the answer would be the note for somebody who may be harmed."""

    @cached_property
    def fields(self) -> dict[str, tuple[str, ...]]:
        """Header fields by name in lower case, in the message's order."""
        found: dict[str, list[str]] = {}
        for name, value in self.message.headers.fields():
            found.setdefault(name.lower(), []).append(value)
        return {name: tuple(values) for name, values in found.items()}

    def first(self, name: str) -> str:
        """The first field called `name` (lower case), empty where there is none."""
        return self.fields.get(name, ("",))[0]

    def present(self, names: Iterable[str]) -> str | None:
        """The first of `names` (lower case) that the message has a field of."""
        return next((name for name in names if name in self.fields), None)

    @cached_property
    def sender(self) -> str:
        """The address in From, lower case; empty where there is none."""
        return self.message.sender.email if self.message.sender is not None else ""

    @cached_property
    def return_path(self) -> str | None:
        """The envelope sender as our server wrote it down (RFC 5321 §4.4), lower case: "" is the null path, None that
        there is no such field."""
        for name in ("return-path", "x-envelope-from", "x-envelope-sender"):
            if name in self.fields:
                return self.first(name).strip().strip("<>").strip().lower()
        return None

    @cached_property
    def beginning(self) -> str:
        """The beginning of the newest text."""
        return self.message.newest[:_BEGINNING]

    def addresses(self, name: str) -> tuple[Address, ...]:
        """The mailboxes in all fields called `name` (lower case)."""
        values = self.fields.get(name, ())
        return tuple(each for value in values for each in header_section.addresses(value.encode("utf-8", "replace")))

    def content_types(self) -> Iterable[str]:
        """Content types of the message and of its attachments, lower case, with a calendar part's method."""
        yield self.first("content-type").partition(";")[0].strip().lower()
        for attachment in self.message.attachments:
            yield attachment.content_type


def local_part(address: str) -> str:
    """The part before the last @; all of it where there is none."""
    return address.rpartition("@")[0] or address
