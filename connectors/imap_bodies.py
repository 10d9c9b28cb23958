"""The beginnings of messages, from a server that may refuse one, or fall over it."""

from connectors.errors import ConnectFailed
from connectors.imap_cursor import FolderCursor
from connectors.imap_session import Session

PAGE_BYTES = 64 * 1024
"""How much of one message a page of changes holds: the text comes first, attachments after it."""


def read_bodies(session: Session, cursor: FolderCursor, uids: list[int]) -> dict[int, bytes | None]:
    """The beginning of each message of the open folder, None where the server cannot read it.

    A server may refuse a message, or fall over it: a connection that breaks is opened again and the half is asked for,
    until the one at fault is found, so that it holds up nothing else.
    """
    if not uids:
        return {}
    try:
        return session.connection().bodies(uids, PAGE_BYTES)
    except ConnectFailed:
        session.reopen().select(cursor.name)
    if len(uids) == 1:
        try:
            return session.connection().bodies(uids, PAGE_BYTES)
        except ConnectFailed:
            session.reopen().select(cursor.name)
            return {uids[0]: None}
    half = len(uids) // 2
    return read_bodies(session, cursor, uids[:half]) | read_bodies(session, cursor, uids[half:])
