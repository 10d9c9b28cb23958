"""A connection that comes back: opened at its first use, given up when it breaks, opened again once within a call."""

from collections.abc import Callable
from typing import TypeVar

from config.settings import ImapServer
from connectors.errors import ConnectFailed
from connectors.imap_connection import Connection, FolderState
from connectors.imap_folders import INBOX, Folders, find_folders
from connectors.imap_labels import Marking, marking_of

_Result = TypeVar("_Result")


class Session:
    """Where one mailbox is signed in. The password stays here and in the connection's making."""

    def __init__(self, server: ImapServer, username: str, password: str | None) -> None:
        """Connects at the first use."""
        self.server = server
        self.username = username
        self._password = password
        self._connection: Connection | None = None
        self._folders: Folders | None = None

    def connection(self) -> Connection:
        """The connection, opened where there is none that works. Raises ConnectFailed, InsecureConnection,
        AuthenticationFailed."""
        if self._connection is None or self._connection.broken:
            self.close()
            self._connection = Connection(self.server, self.username, self._password)
        return self._connection

    def folders(self) -> Folders:
        """The special folders, looked up once a connection."""
        connection = self.connection()
        if self._folders is None:
            self._folders = find_folders(connection, self.server)
        return self._folders

    def forget_folders(self) -> None:
        """The next `folders` looks again."""
        self._folders = None

    def inbox(self) -> FolderState:
        """INBOX, opened now."""
        return self.connection().select(INBOX)

    def marking(self, inbox: FolderState) -> Marking:
        """How labels are written there."""
        return marking_of(inbox, self.server.fallback)

    def retried(self, work: Callable[[], _Result]) -> _Result:
        """Does `work`, which must be harmless to repeat, and does it once more where the connection broke under it. A
        server that cannot be reached at all is not asked twice."""
        self.connection()
        try:
            return work()
        except ConnectFailed:
            self.close()
        return work()

    @property
    def was_open(self) -> bool:
        """Whether the last failure, if there was one, broke a connection; False where none could be made."""
        return self._connection is not None

    def reopen(self) -> Connection:
        """A new connection instead of one that broke."""
        self.close()
        return self.connection()

    def close(self) -> None:
        """Signs out. The next use connects again."""
        connection, self._connection, self._folders = self._connection, None, None
        if connection is not None:
            connection.close()
