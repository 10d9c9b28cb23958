"""Delta queries: how one begins, what it tells from a link on, and that a link may be worth nothing any more.

https://learn.microsoft.com/graph/api/message-delta
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from connectors.errors import ConnectFailed
from connectors.graph_batch import Part
from connectors.graph_client import GraphClient
from connectors.graph_cursor import Stream
from connectors.graph_entries import (
    ENTRY_SELECT,
    SIZE,
    Entry,
    expand,
    is_id,
    message_path,
    read_entry,
    read_folder,
    read_page,
)
from connectors.graph_errors import Refused, no_such_user

INBOX, SENT = "inbox", "sentitems"
PAGE = 200
"""Changes that one page is asked to tell. A page may tell more."""
_SHOWN = {"$select": ENTRY_SELECT, "$expand": expand(SIZE)}


@dataclass(frozen=True, slots=True)
class Round:
    """What a delta query tells from one link on."""

    stream: Stream
    """From where it was told."""
    entries: tuple[Entry, ...]
    """Each message once, as it was last told, without what was told already."""
    after: str
    """The link behind it."""
    through: bool
    """Whether that is a delta link: nothing more is known to have happened."""


class Streams:
    """The delta queries of one mailbox."""

    def __init__(self, client: GraphClient) -> None:
        self._client = client

    def arriving(self, folder: str, since: datetime) -> Stream:
        """A query over what a folder received since a time, and what becomes of that."""
        moment = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return self._begun(folder, {"$filter": f"receivedDateTime ge {moment}"})

    def everything(self) -> Stream:
        """A query over all of the inbox, newest first."""
        return self._begun(INBOX, {"$orderby": "receivedDateTime desc"})

    def total(self) -> int:
        """How many messages are in the inbox. Raises Refused, MailboxError."""
        try:
            return read_folder(self._client.get(f"/mailFolders/{INBOX}", {"$select": "totalItemCount"})).total
        except Refused as error:
            if error.failure.status == 404:
                raise no_such_user(error.failure, self._client.address) from error
            raise

    def rounds(self, streams: Mapping[str, Stream], size: int = PAGE, *, anew: bool = False) -> dict[str, Round]:
        """The next page of each stream, all in one batch; `size` is asked for. Streams that the server does not know
        any more lack in it. With `anew`, where the streams begin, Refused is raised instead. Raises MailboxError."""
        parts = [Part("GET", stream.link, prefer=_pages_of(size)) for stream in streams.values()]
        found: dict[str, Round] = {}
        for (name, stream), answer in zip(streams.items(), self._client.batch(parts), strict=True):
            failure = answer.failure
            if not anew and failure is not None and (failure.status in {400, 404, 410} or failure.sync_lost):
                continue  # if it is not the link that is at fault, beginning anew says so
            found[name] = self._round(stream, answer.wanted())
        return found

    def following(self, one: Round, size: int = PAGE) -> Round:
        """The page behind a page that is not through. Raises Refused, MailboxError."""
        stream = Stream(link=one.after)
        return self._round(stream, self._client.follow(one.after, prefer=_pages_of(size)))

    def gathered(self, one: Round, most: float) -> Round:
        """A page and those behind it, until `most` changes are together. Raises Refused, MailboxError."""
        while not one.through and len(one.entries) < most:
            more = self.following(one)
            untold = [entry for entry in more.entries if entry.state not in one.stream.told]
            entries = _last_of_each([*one.entries, *untold])
            one = replace(one, entries=entries, after=more.after, through=more.through)
        return one

    def completed(self, entries: Iterable[Entry]) -> list[Entry]:
        """The same with what a page of changes left out: of a message that was only read it may tell just that.
        Messages that are gone lack. Raises MailboxError, Refused."""
        entries = list(entries)
        bare = [entry for entry in entries if entry.received is None and is_id(entry.id)]
        parts = [Part("GET", self._client.path(message_path(entry.id), _SHOWN)) for entry in bare]
        whole: dict[str, Entry | None] = dict.fromkeys(entry.id for entry in entries if entry.received is None)
        for entry, answer in zip(bare, self._client.batch(parts), strict=True):
            try:
                found = read_entry(answer.wanted()).model_copy(update={"id": entry.id})
            except Refused as error:
                if not error.failure.gone:
                    raise
                continue
            # Its state stays the one that the page told: by it the page is told apart when it comes again.
            received = found.received or self._client.served_at
            whole[entry.id] = found.model_copy(update={"etag": entry.etag, "received": received})
        filled = (whole.get(entry.id, entry) for entry in entries)
        return [entry for entry in filled if entry is not None]

    def _begun(self, folder: str, more: Mapping[str, str]) -> Stream:
        return Stream(link=self._client.path(f"/mailFolders/{folder}/messages/delta", _SHOWN | dict(more)))

    def _round(self, stream: Stream, body: object) -> Round:
        page = read_page(body)
        after = page.next_link or page.delta_link
        if after is None:
            raise ConnectFailed("Microsoft Graph answers a page of changes without a link to what comes after it")
        entries = tuple(entry for entry in _last_of_each(page.value) if entry.state not in stream.told)
        return Round(stream, entries, self._client.taken(after), through=page.next_link is None)


def _last_of_each(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """A message may be told several times, of which the last is true."""
    last: dict[str, Entry] = {}
    for entry in entries:
        last.pop(entry.id, None)
        last[entry.id] = entry
    return tuple(last.values())


def _pages_of(size: int) -> str:
    return f"odata.maxpagesize={max(1, min(size, 1000))}"
