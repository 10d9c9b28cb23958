"""What stands for the Alliance labels on an IMAP server: keywords, or what is left where the server takes none."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

from connectors.errors import MessageGone, TagFailed
from connectors.imap_connection import Connection, FolderState
from connectors.labels import KEYWORDS, Label, Relabelling, Tag, tag_of

_BY_KEYWORD = {keyword.lower(): label for label, keyword in KEYWORDS.items()}
_ESSENTIAL = frozenset(KEYWORDS[label].lower() for label in (*map(Label, Tag), Label.CHECK))
"""Without these a server cannot say what the tags say."""
_FLAGGED = "\\flagged"
_GRAVE = (Tag.URGENT, Tag.CONFLICT)


class Marking(StrEnum):
    """How labels are written on a server."""

    KEYWORDS = "keywords"
    """All labels, exactly."""
    FLAGGED = "flagged"
    """The star: urgent and conflict have it, routine has not."""
    FOLDERS = "folders"
    """Copies in Alliance/Urgent and Alliance/Conflict."""


def marking_of(state: FolderState, fallback: Literal["flagged", "folders"]) -> Marking:
    """How labels are written into the folder `state`. New keywords are allowed where PERMANENTFLAGS holds \\* (RFC 3501
    §7.1); without it ours may be there already."""
    allowed = state.permanent_flags
    if "\\*" in allowed or allowed.issuperset(_ESSENTIAL):
        return Marking.KEYWORDS
    return Marking(fallback)


def keeps(state: FolderState, label: Label) -> bool:
    """Whether the folder `state` takes the keyword of a label."""
    return "\\*" in state.permanent_flags or KEYWORDS[label].lower() in state.permanent_flags


def labels_in(flags: Iterable[str]) -> frozenset[Label]:
    """The labels among flags, which are in lower case (keywords are case-insensitive)."""
    return frozenset(_BY_KEYWORD[flag] for flag in flags if flag in _BY_KEYWORD)


def write_keywords(connection: Connection, uid: int, change: Relabelling, state: FolderState) -> None:
    """Changes the message's keywords. What the server has no keyword for, beyond the tags, is left out. Raises
    MessageGone, TagFailed."""
    wanted = {KEYWORDS[label] for label in change.add if keeps(state, label)}
    _make(connection, uid, wanted=wanted, surplus={KEYWORDS[label] for label in change.remove})


def write_star(connection: Connection, uid: int, labels: frozenset[Label], state: FolderState) -> None:
    """Sets the star on urgent and conflict. Takes it off only by an explicit routine tag, so that a star which the
    teacher gave stays while nothing is known. Raises MessageGone, TagFailed."""
    if _FLAGGED not in state.permanent_flags:
        raise TagFailed(
            f"{connection.where}: {state.name} takes neither keywords nor stars from this account: give it the right "
            'to write flags, or set fallback = "folders"'
        )
    wanted = {"\\Flagged"} if tag_of(labels) in _GRAVE else set()
    _make(connection, uid, wanted=wanted, surplus={"\\Flagged"} - wanted if labels else set())


def _make(connection: Connection, uid: int, *, wanted: set[str], surplus: set[str]) -> None:
    if wanted:
        connection.add_flags(uid, sorted(wanted))
    # Read back: IMAP takes flags for a message that is gone, and keywords beyond its limits, without a word.
    flags = connection.flags(uid)
    if flags is None:
        raise MessageGone(f"{connection.where}: the message {uid} was deleted or moved")
    there = {flag for flag in surplus if flag.lower() in flags}
    if there:
        connection.remove_flags(uid, sorted(there))
    lacking = {flag for flag in wanted if flag.lower() not in flags}
    if lacking:
        raise TagFailed(f"{connection.where}: the server did not keep {', '.join(sorted(lacking))}")
