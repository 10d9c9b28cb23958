"""The teacher's own automatic reply: a question that a mail system may be able to answer beside the `Mailbox` contract.

A connector whose system knows it has the method of `TellsAbsence` as well; whoever asks looks for that first. It needs
no more than reading rights; a system that refuses them raises `PermissionDenied`, and nothing else stops.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Absence:
    """While the teacher's own automatic reply is on: from a moment up to, not including, a later one; None where that
    is open. Aware."""

    begins: datetime | None = None
    ends: datetime | None = None
    to_families: bool = True
    """Whether it goes to everybody outside the school. One that answers only colleagues, or only contacts, leaves
    families without an answer."""

    def covers(self, at: datetime) -> bool:
        """Whether `at` (aware) lies in it."""
        return (self.begins is None or self.begins <= at) and (self.ends is None or at < self.ends)


@runtime_checkable
class TellsAbsence(Protocol):
    """A mailbox that can be asked whether the teacher's own automatic reply is on."""

    def absence(self) -> Absence | None:
        """The automatic reply as it is set now: on from when to when, also where that is yet to come, and for whom;
        None where it is off. Writes nothing. Raises `PermissionDenied` where the rights lack, or another
        `MailboxError`."""
        ...
