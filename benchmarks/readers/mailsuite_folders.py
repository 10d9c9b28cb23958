"""mailsuite (https://github.com/seanthegeek/mailsuite), used as its documentation shows: list a folder, fetch each
message of it that was not fetched before."""

from collections.abc import Iterator, Sequence

from mailsuite.mailbox.base import MailboxConnection
from mailsuite.utils import parse_email


class Folders:
    """`serve.Reader` on a `MailboxConnection`. It keeps no cursor: who calls it remembers what it has seen."""

    def __init__(
        self, connection: MailboxConnection, folders: Sequence[str], since: str | None, *, parse: bool
    ) -> None:
        """`folders` are read one after the other. `since` is what it is asked to list from on, once everything has been
        read: the beginning of today, in the system's own way of writing it; None where the system cannot."""
        self._connection = connection
        self._folders = folders
        self._since = since
        self._parse = parse
        self._seen: set[tuple[str, object]] = set()

    def new(self) -> Iterator[str]:
        """See `serve.Reader.new`."""
        narrowed = {"since": self._since} if self._seen and self._since else {}
        for folder in self._folders:
            for id_ in self._connection.fetch_messages(folder, **narrowed):
                if (folder, id_) in self._seen:
                    continue
                content = self._connection.fetch_message(id_)
                if self._parse:
                    parse_email(content)
                self._seen.add((folder, id_))
                yield content
