"""The fallback "folders": copies in Alliance/Urgent and Alliance/Conflict stand for labels the server cannot keep.

A copy is known by Message-ID and size. What the teacher does with it is read back: one that moved to the other folder
changes the label, one that was deleted means routine.
"""

import email.parser
from datetime import timedelta

from connectors.errors import MessageGone
from connectors.imap_answers import Listed
from connectors.imap_connection import Connection, FolderState
from connectors.imap_folders import INBOX, Folders
from connectors.labels import Label, Tag, tag_of

_COMPARED = 1000
"""How many of the newest messages of a folder are compared."""
_FIELD = "MESSAGE-ID"


def write_copies(connection: Connection, folders: Folders, uid: int, labels: frozenset[Label]) -> None:
    """Makes the copies of a message of the open INBOX say `labels`. Raises MessageGone, TagFailed."""
    listed = connection.overview(str(uid), uid=True, count=1)
    if not listed:
        raise MessageGone(f"{connection.where}: the message {uid} was deleted or moved")
    message_id = _id_in(connection.headers([uid], _FIELD).get(uid, b""))
    tag = tag_of(labels)
    existing = {folder.name for folder in connection.folders()}
    for meaning, name in _meanings(folders):
        if name not in existing:
            if tag is not meaning:
                continue
            connection.create_folder(name)
        connection.select(name)
        copies = _copies(connection, listed[0], message_id)
        for surplus in copies if tag is not meaning else copies[1:]:
            connection.delete(surplus)
        if tag is meaning and not copies:
            connection.select(INBOX)
            connection.copy(uid, name)
    connection.select(INBOX)


def copies_state(connection: Connection, folders: Folders) -> str:
    """A short text that changes whenever the copies do."""
    existing = {folder.name for folder in connection.folders()}
    states = [connection.status(name) for _, name in _meanings(folders) if name in existing]
    return ";".join(f"{state.uidvalidity}.{state.uidnext}.{state.exists}" for state in states)


def copy_tags(connection: Connection, folders: Folders) -> dict[int, Tag]:
    """The tag that copies say, by UID of the original, for the newest messages of INBOX. Leaves INBOX open."""
    existing = {folder.name for folder in connection.folders()}
    by_message_id: dict[str, Tag] = {}
    for meaning, name in reversed(_meanings(folders)):
        if name in existing:
            by_message_id |= dict.fromkeys(_newest(connection, connection.select(name)).values(), meaning)
    inbox = _newest(connection, connection.select(INBOX))
    return {uid: by_message_id[message_id] for uid, message_id in inbox.items() if message_id in by_message_id}


def _meanings(folders: Folders) -> tuple[tuple[Tag, str], ...]:
    return (Tag.URGENT, folders.urgent), (Tag.CONFLICT, folders.conflict)


def _copies(connection: Connection, original: Listed, message_id: str) -> list[int]:
    # A day of margin: the server's idea of a date is in its own time zone.
    day, size = original.received_at.date(), original.size
    near = ("SINCE", day - timedelta(days=1), "BEFORE", day + timedelta(days=2))
    same_size = ("LARGER", max(size - 1, 0), "SMALLER", size + 1)
    found = set(connection.search(*near, *same_size))
    return sorted(found.intersection(connection.with_message_id(message_id)) if message_id else found)


def _newest(connection: Connection, state: FolderState) -> dict[int, str]:
    """Message-IDs by UID of the newest messages, those that have one."""
    if not state.exists:
        return {}
    listed = connection.flags_by_number(max(1, state.exists - _COMPARED + 1), state.exists)
    raw = connection.headers([message.uid for message in listed], _FIELD)
    return {uid: message_id for uid, field in raw.items() if (message_id := _id_in(field))}


def _id_in(field: bytes) -> str:
    parsed = email.parser.BytesHeaderParser().parsebytes(field)
    return str(parsed.get("Message-ID", "")).strip().strip("<>")
