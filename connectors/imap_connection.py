"""One signed-in IMAP connection: the few operations that the connector needs, typed, bounded, every failure named.

What comes back are numbers, flags and bytes; nothing here knows of labels, cursors or drafts. RFC 3501 (IMAP4rev1)
throughout; extensions are cited where they are used.
"""

import imaplib
import re
import select
import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from typing import Any

from imapclient.exceptions import ProtocolError

from config.settings import ImapServer
from connectors.errors import ChangesFailed, ConnectFailed, DraftFailed, FetchFailed, MailboxError, TagFailed
from connectors.imap_answers import Listed, contents_in, copied_to, listed_in, messages_in, uid_sets
from connectors.imap_wire import GARBAGE, Client, shut, sign_in, where, words

IDLE_RENEWED_AFTER = 29 * 60.0
"""Seconds after which IDLE is ended and begun again (RFC 2177 §3)."""
_LINE = 2048
"""Bytes of one message's line in an answer, and of what stands around a literal: far more than servers write."""
_FAREWELL_SECONDS = 2.0
"""How long a server may take to say goodbye."""
_CHANGED_IN_IDLE = re.compile(rb"\* (?:\d+ (?:EXISTS|EXPUNGE|FETCH)|VANISHED)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FolderState:
    """A folder as SELECT or STATUS tells it. `modseq` is None where the server keeps no modification sequence for it
    (RFC 7162 §3.1.2.2)."""

    name: str
    uidvalidity: int
    uidnext: int
    exists: int
    modseq: int | None = None
    permanent_flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Folder:
    """One line of LIST: decoded name, hierarchy delimiter ("" for none), attributes in lower case."""

    name: str
    delimiter: str
    attributes: frozenset[str]


class _Partial(ChangesFailed):
    """The server answered for some of the messages and refused the rest."""


class Connection:
    """One connection. After `broken` is True it is of no use any more."""

    def __init__(self, server: ImapServer, username: str, password: str | None) -> None:
        """Connects and signs in. Raises ConnectFailed, InsecureConnection, AuthenticationFailed."""
        self.where = where(server)
        self.broken = False
        self.numbered: str | None = None
        """The open folder while its sequence numbers are surely still those of `select`: a server tells of deletions,
        which renumber, in answer to most commands, but never to FETCH without UID (RFC 3501 §7.4.1)."""
        self._seconds = server.timeout_seconds
        self._client: Client = sign_in(server, username, password)
        try:
            with self._doing(ConnectFailed, "asking what the server can do"):
                self.capabilities = frozenset(name.decode("ascii").upper() for name in self._client.capabilities())
                self._enable()
        except MailboxError:
            shut(self._client)
            raise

    def close(self) -> None:
        """Lets go of it, politely if that is possible at once."""
        if not self.broken:
            with suppress(MailboxError), self._doing(ConnectFailed, "signing out"):
                self._client.allow()
                self._client.hurry(_FAREWELL_SECONDS)
                self._client.logout()
        self.broken = True
        shut(self._client)

    @property
    def has_modseq(self) -> bool:
        """Whether the server keeps a history of flag changes (RFC 7162)."""
        return "CONDSTORE" in self.capabilities or "QRESYNC" in self.capabilities

    def select(self, folder: str) -> FolderState:
        """Opens a folder and returns its state now. Raises ChangesFailed where it cannot be opened."""
        with self._doing(ChangesFailed, f"opening the folder {folder}"):
            told: dict[bytes, Any] = self._client.open_folder(folder)
            self.numbered = folder
            exists = _count(told[b"EXISTS"])
            uidnext = _count(told.get(b"UIDNEXT", 0)) or self._uidnext(exists)
            flags = frozenset(flag.decode("ascii", "replace").lower() for flag in told.get(b"PERMANENTFLAGS", ()))
            modseq = _count(told.get(b"HIGHESTMODSEQ", 0)) or None
            return FolderState(
                folder, _count(told[b"UIDVALIDITY"]), uidnext, exists, modseq if self.has_modseq else None, flags
            )

    def status(self, folder: str) -> FolderState:
        """A folder's state without opening it."""
        with self._doing(ChangesFailed, f"looking at the folder {folder}"):
            self.numbered = None
            self._client.allow()
            told = self._client.folder_status(folder, ("UIDNEXT", "UIDVALIDITY", "MESSAGES"))
            return FolderState(
                folder, _count(told[b"UIDVALIDITY"]), _count(told[b"UIDNEXT"]), _count(told[b"MESSAGES"])
            )

    def read(self, numbers: str, *, uid: bool, count: int, most: int) -> list[tuple[Listed, bytes]] | None:
        """Messages with their first `most` bytes, in ascending order, in one command; None where the server could not
        give all of it. `numbers` is a set of at most `count` UIDs or, directly after `select`, sequence numbers."""
        with self._doing(FetchFailed, "reading messages"):
            # A partial fetch (RFC 3501 §6.4.5), so that one huge message costs no more than any other.
            items = f"(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[]<0.{most}>)"
            size = _answer_size(count) + count * most
            complete, pieces = self._fetch(numbers, items, uid=uid, size=size)
            messages = [(listed_in(text), content) for text, content in messages_in(pieces)]
            loaded = {m.uid: (m, content) for m, content in messages if m is not None and content is not None}
            # Flags that changed meanwhile are told without being asked for, in messages of their own.
            lacking = any(m is not None and m.uid not in loaded for m, _ in messages)
            return [loaded[found] for found in sorted(loaded)] if complete and not lacking else None

    def overview(self, numbers: str, *, uid: bool, count: int, sizes: bool = True) -> list[Listed]:
        """Messages in ascending order, without their content; of size 0 where `sizes` is False, or where the server
        cannot measure all."""
        if sizes:
            with suppress(_Partial):
                return self._list(numbers, uid=uid, most=count)
        with suppress(_Partial):
            return self._list(numbers, uid=uid, most=count, items="(UID FLAGS INTERNALDATE)")
        return self._list(numbers, uid=uid, most=count, items="(UID FLAGS)")

    def flags_by_number(self, first: int, last: int, changed_since: int | None = None) -> list[Listed]:
        """UIDs and flags by sequence number; with `changed_since`, of messages changed since that modification sequence
        (RFC 7162 §3.1.4.1). For use directly after `select`."""
        modifier = "" if changed_since is None else f" (CHANGEDSINCE {changed_since})"
        items = f"(UID FLAGS){modifier}"
        return self._list(f"{first}:{last}", uid=False, most=last - first + 1, items=items)

    def changed_and_vanished(self, low: int, high: int, since: int) -> tuple[list[Listed], list[tuple[int, int]]]:
        """Of the UIDs from `low` to `high`: which messages changed since a modification sequence, and ranges of UIDs
        that are gone since then, newest first (RFC 7162 §3.2.6). Those may name UIDs that never were."""
        modifier = f"(UID FLAGS) (CHANGEDSINCE {since} VANISHED)"
        listed = self._list(f"{low}:{high}", uid=True, most=high - low + 1, items=modifier)
        with self._doing(ChangesFailed, "asking what was deleted"):
            gone = []
            for line in self._client.told("VANISHED"):
                for part in line.decode("ascii").replace("(EARLIER)", "").strip().split(","):
                    first, _, last = part.partition(":")
                    gone.append((max(int(first), low), min(int(last or first), high)))
        return [m for m in listed if low <= m.uid <= high], sorted(gone, reverse=True)

    def bodies(self, uids: Sequence[int], most: int) -> dict[int, bytes | None]:
        """The first `most` bytes of each message that exists, None for one that the server cannot read."""
        found: dict[int, bytes | None] = {}
        complete = True
        for part in uid_sets(sorted(set(uids))):
            had_all, some = self._bodies(part, len(uids), most)
            complete = complete and had_all
            found.update(some)
        missing = [uid for uid in uids if uid not in found]
        if complete or len(missing) == 1:
            # What is still listed and was not given is broken on the server; the rest was deleted meanwhile.
            found.update((message.uid, None) for message in self.existing(missing))
        elif len(missing) < len(uids):
            found.update(self.bodies(missing, most))
        else:
            half = len(missing) // 2
            found.update(self.bodies(missing[:half], most) | self.bodies(missing[half:], most))
        return found

    def existing(self, uids: Sequence[int]) -> list[Listed]:
        """Those of `uids` that the open folder has, ascending, with their flags."""
        wanted = set(uids)
        parts = uid_sets(sorted(wanted))
        found = [self._list(part, uid=True, most=len(wanted), items="(UID FLAGS)") for part in parts]
        return [message for some in found for message in some if message.uid in wanted]

    def search(self, *criteria: str | int | date) -> list[int]:
        """UIDs of the open folder's messages that match, ascending."""
        with self._doing(ChangesFailed, "searching"):
            self.numbered = None
            self._client.allow()
            return sorted(_count(uid) for uid in self._client.search(list(criteria)))

    def with_message_id(self, rfc_message_id: str) -> list[int]:
        """UIDs of the open folder's messages with this Message-ID, ascending."""
        if not rfc_message_id.isascii() or not rfc_message_id.isprintable():
            return []
        return self.search("HEADER", "Message-ID", f"<{rfc_message_id}>")

    def headers(self, uids: Sequence[int], name: str) -> dict[int, bytes]:
        """One header field of each message, raw."""
        with self._doing(ChangesFailed, "reading headers"):
            found = {}
            for part in uid_sets(sorted(set(uids))):
                items = f"(UID BODY.PEEK[HEADER.FIELDS ({name})])"
                _, pieces = self._fetch(part, items, uid=True, size=_answer_size(8 * len(uids)))
                found.update(contents_in(pieces))
            return found

    def flags(self, uid: int) -> frozenset[str] | None:
        """A message's flags, in lower case; None where it does not exist."""
        return next((message.flags for message in self.existing([uid])), None)

    def add_flags(self, uid: int, flags: Iterable[str]) -> None:
        """Sets flags. A message that does not exist is no error to IMAP."""
        with self._doing(TagFailed, "setting flags"):
            self._client.allow()
            self._client.add_flags([uid], list(flags), silent=True)

    def remove_flags(self, uid: int, flags: Iterable[str]) -> None:
        """Takes flags away."""
        with self._doing(TagFailed, "removing flags"):
            self._client.allow()
            self._client.remove_flags([uid], list(flags), silent=True)

    def append(self, folder: str, mime: bytes, flags: Sequence[str]) -> tuple[int, int] | None:
        """Adds a message to a folder; its UIDVALIDITY and UID where the server tells (RFC 4315)."""
        with self._doing(DraftFailed, f"saving to the folder {folder}"):
            self._client.allow()
            return copied_to(self._client.append(folder, mime, flags))

    def copy(self, uid: int, folder: str) -> None:
        """Copies a message of the open folder."""
        with self._doing(TagFailed, f"copying to the folder {folder}"):
            self._client.allow()
            self._client.copy([uid], folder)

    def move(self, uid: int, folder: str) -> None:
        """Moves a message of the open folder: at one stroke with MOVE (RFC 6851), else by copying and deleting."""
        with self._doing(DraftFailed, f"moving to the folder {folder}"):
            self._client.allow()
            if "MOVE" in self.capabilities:
                self._client.move([uid], folder)
                return
            self._client.copy([uid], folder)
        self.delete(uid)

    def delete(self, uid: int) -> None:
        """Deletes one message of the open folder for good, and no other."""
        with self._doing(DraftFailed, "deleting a message"):
            self._client.allow()
            self._client.add_flags([uid], [rb"\Deleted"], silent=True)
            if "UIDPLUS" in self.capabilities:
                self._client.expunge([uid])
                return
            # EXPUNGE takes all that is marked (RFC 3501 §6.4.3): other people's marks are lifted meanwhile.
            others = [other for other in self._client.search(["DELETED"]) if other != uid]
            self._client.remove_flags(others, [rb"\Deleted"], silent=True)
            self._client.expunge()
            self._client.add_flags(others, [rb"\Deleted"], silent=True)

    def folders(self) -> list[Folder]:
        """All folders of the mailbox."""
        with self._doing(ChangesFailed, "listing folders"):
            self._client.allow()
            return [
                Folder(
                    name,
                    (delimiter or b"").decode("ascii", "replace"),
                    frozenset(flag.decode("ascii", "replace").lower() for flag in attributes),
                )
                for attributes, delimiter, name in self._client.list_folders()
            ]

    def personal_prefix(self) -> str:
        """What the names of the user's own folders begin with, e.g. "INBOX." (RFC 2342)."""
        if "NAMESPACE" not in self.capabilities:
            return ""
        with self._doing(ChangesFailed, "asking for the namespace"):
            self._client.allow()
            personal = self._client.namespace().personal
            return str(personal[0][0]) if personal else ""

    def create_folder(self, name: str) -> None:
        """Creates and subscribes to a folder."""
        with self._doing(DraftFailed, f"creating the folder {name}"):
            self._client.allow()
            self._client.create_folder(name)
            self._client.subscribe_folder(name)

    def idle(self, seconds: float, wake: socket.socket) -> bool:
        """Waits in the open folder (RFC 2177) until the server tells of a change (True), `wake` has something to read,
        or `seconds` are over (both False). `seconds` is at most `IDLE_RENEWED_AFTER`."""
        with self._doing(ChangesFailed, "waiting for changes"):
            tag, changed = self._client.begin_idle()
            changed = changed or self._told_in_idle(time.monotonic() + seconds, wake)
            self._client.end_idle(tag)
            return changed

    def _told_in_idle(self, deadline: float, wake: socket.socket) -> bool:
        poll = select.poll()
        server = self._client.socket()
        poll.register(server, select.POLLIN)
        poll.register(wake, select.POLLIN)
        while True:
            while self._client.line_waits:
                line = self._client.next_line()
                if _CHANGED_IN_IDLE.match(line):
                    return True
                if line.upper().startswith(b"* BYE"):
                    raise imaplib.IMAP4.abort("the server ended the connection")
            ready = {number for number, _ in poll.poll(max(0.0, deadline - time.monotonic()) * 1000)}
            if server.fileno() not in ready or wake.fileno() in ready:
                return False
            self._client.receive()

    def _fetch(self, numbers: str, items: str, *, uid: bool, size: int) -> tuple[bool, list[Any]]:
        if uid:
            self.numbered = None
        return self._client.fetch_pieces(numbers, items, uid=uid, size=size)

    def _enable(self) -> None:
        wanted = [name for name in ("QRESYNC", "CONDSTORE") if name in self.capabilities]
        if wanted and "ENABLE" in self.capabilities:  # RFC 5161; QRESYNC implies CONDSTORE (RFC 7162 §3.2.3)
            self._client.allow()
            self._client.enable(wanted[0])
        else:
            self.capabilities -= {"QRESYNC"}

    def _uidnext(self, exists: int) -> int:
        # A server may leave UIDNEXT out of SELECT (RFC 3501 §6.3.1).
        newest = self._list("*", uid=False, most=1, items="(UID FLAGS)") if exists else []
        return max((message.uid for message in newest), default=0) + 1

    def _list(
        self, numbers: str, *, uid: bool, most: int, items: str = "(UID FLAGS INTERNALDATE RFC822.SIZE)"
    ) -> list[Listed]:
        with self._doing(ChangesFailed, "listing messages"):
            complete, pieces = self._fetch(numbers, items, uid=uid, size=_answer_size(most))
            if not complete:
                # A message that lacks here must not pass for one that is not there.
                raise _Partial(f"{self.where}: the server lists its messages only in part")
            found = {m.uid: m for text, _ in messages_in(pieces) if (m := listed_in(text)) is not None}
            return sorted(found.values(), key=lambda message: message.uid)

    def _bodies(self, numbers: str, count: int, most: int) -> tuple[bool, dict[int, bytes]]:
        with self._doing(FetchFailed, "reading messages"):
            items, size = f"(UID BODY.PEEK[]<0.{most}>)", _answer_size(count) + count * most
            complete, pieces = self._fetch(numbers, items, uid=True, size=size)
            return complete, contents_in(pieces)

    @contextmanager
    def _doing(self, kind: type[MailboxError], doing: str) -> Iterator[None]:
        """Turns what goes wrong inside into a MailboxError: a broken connection into ConnectFailed; a refusal, or an
        answer that makes no sense, into `kind`."""
        try:
            yield
        except MailboxError:
            raise
        except (imaplib.IMAP4.abort, OSError) as error:
            self.broken = True
            raise ConnectFailed(f"{self.where}: the connection broke while {doing} ({words(error)})") from error
        except (ProtocolError, *GARBAGE) as error:
            self.broken = True  # whatever follows cannot be told apart any more
            raise kind(f"{self.where}: {doing} got an answer that is no IMAP ({error.__class__.__name__})") from error
        except imaplib.IMAP4.error as error:
            raise kind(f"{self.where}: {doing} failed: {words(error)}") from error


def _count(value: object) -> int:
    number = int(value) if isinstance(value, int | bytes | str) else -1
    if number < 0:
        raise ValueError("a count must not be negative")
    return number


def _answer_size(messages: int) -> int:
    return 64 * 1024 + messages * _LINE
