"""Old mail of a Gmail mailbox, page by page, newest first."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from connectors.gmail_cursor import Backlog
from connectors.gmail_mail import AWAY, NO_MAIL, Mail, Reading, Stored
from connectors.labels import Label
from connectors.mailbox import Known, Progress

PAGE_BYTES = 64 * 1024
"""How much of one message a page of changes holds: the text comes first, attachments after it."""
_SENT = "in:sent"
_RECEIVED = "-in:sent -in:drafts -in:chats"
"""Search operators: support.google.com/mail/answer/7190. Spam and Trash are left out by `messages.list` itself."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What a backlog would give next."""

    backlog: Backlog
    ids: tuple[str, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class Told:
    """An old message, and the backlog that it belongs to."""

    mail: Mail
    backlog: Backlog


@dataclass(frozen=True, slots=True)
class Old:
    """A page of old mail."""

    told: tuple[Told, ...]
    states: tuple[Stored, ...]
    """Messages that are on record, as they are now; only where their labels may have changed unseen."""
    known: Mapping[str, frozenset[Label]]
    left: tuple[Backlog, ...]
    """What is left of the backlogs that were listed."""
    progress: Progress | None


def is_mail(stored: Stored) -> bool:
    """Whether it is a message that was sent or received, and neither Spam nor Trash."""
    return not stored.labels & (AWAY | NO_MAIL)


def list_old(reading: Reading, backlogs: Sequence[Backlog], room: int) -> tuple[Listed, ...]:
    """The next ids of the first backlogs, as many as have room. They are not on any page yet."""
    listed: list[Listed] = []
    for backlog in backlogs:
        one = _list(reading, backlog, room)
        listed.append(one)
        room -= len(one.ids)
        if one.more or room <= 0:
            break
    return tuple(listed)


def read_old(reading: Reading, known: Known, listed: Sequence[Listed], *, room: int, arrived: Collection[str]) -> Old:
    """The messages of what was listed, at most `room`. Those that `arrived` since are live and left out; those on
    record are not read again."""
    told: list[Told] = []
    states: list[Stored] = []
    left: list[Backlog] = []
    on_record: dict[str, frozenset[Label]] = {}
    progress: Progress | None = None
    for one in listed:
        backlog, chosen = one.backlog, one.ids[:room]
        room -= len(chosen)
        asked = [id_ for id_ in chosen if id_ not in arrived]
        recorded = known(asked)
        mails = reading.beginnings([id_ for id_ in asked if id_ not in recorded], PAGE_BYTES)
        there = reading.states([id_ for id_ in asked if id_ in recorded])
        told += [Told(mails[id_], backlog) for id_ in asked if id_ in mails and is_mail(mails[id_].stored)]
        if backlog.resync:
            on_record |= recorded
            states += [stored for stored in there.values() if is_mail(stored)]
        present = {id_: mail.stored for id_, mail in mails.items()} | there
        after = _advanced(backlog, chosen, present, len(asked))
        finished = not one.more and len(chosen) == len(one.ids)
        if not finished:
            left.append(after)
        if not backlog.sent and backlog.since is None:
            progress = Progress(after.done, after.done if finished else max(after.total, after.done))
    return Old(tuple(told), tuple(states), on_record, tuple(left), progress)


def _list(reading: Reading, backlog: Backlog, room: int) -> Listed:
    read = frozenset(backlog.read)
    ids: list[str] = []
    token: str | None = None
    while True:
        # One more than there is room for tells whether anything is left.
        found = reading.listing(_query(backlog), room + len(read) + 1 - len(ids), token)
        ids += [id_ for id_ in found.ids if id_ not in read]
        token = found.token
        if token is None or len(ids) > room:
            return Listed(backlog, tuple(ids[:room]), len(ids) > room or token is not None)


def _query(backlog: Backlog) -> str:
    # Seconds since 1970; a second of margin on both sides, for nothing says to which side a bound belongs.
    bounds = []
    if backlog.since is not None:
        bounds.append(f"after:{backlog.since - 1}")
    if backlog.second is not None:
        bounds.append(f"before:{backlog.second + 2}")
    return " ".join([_SENT if backlog.sent else _RECEIVED, *bounds])


def _advanced(backlog: Backlog, chosen: Sequence[str], present: Mapping[str, Stored], done: int) -> Backlog:
    """The backlog after `chosen`, which Gmail listed newest first."""
    seconds = [present[id_].second for id_ in chosen if id_ in present]
    if not seconds:
        return backlog.model_copy(update={"read": (*backlog.read, *chosen), "done": backlog.done + done})
    last = seconds[-1]
    near = backlog.second is not None and backlog.second <= last + 1
    read = [id_ for id_ in chosen if id_ not in present or present[id_].second <= last + 1]
    return backlog.model_copy(
        update={
            "second": last,
            "read": (*(backlog.read if near else ()), *read),
            "done": backlog.done + done,
        }
    )
