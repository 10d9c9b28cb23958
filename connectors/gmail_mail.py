"""Reading from the Gmail API, with Google's JSON turned into our own types at once."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from googleapiclient.http import HttpRequest

from connectors.errors import MailboxError, Throttled
from connectors.gmail_calls import Answer, Calls, Faulty, TooLarge, Unreadable
from connectors.gmail_errors import Refusal, Refused, read_refusal
from connectors.gmail_http import LARGEST_MESSAGE, Beginning
from connectors.gmail_quota import UNITS

SENT, DRAFT, SPAM, TRASH, CHAT = "SENT", "DRAFT", "SPAM", "TRASH", "CHAT"
"""System labels (developers.google.com/workspace/gmail/api/guides/labels)."""
NO_MAIL = frozenset({DRAFT, CHAT})
AWAY = frozenset({SPAM, TRASH})
_FIELDS = "id,threadId,labelIds,internalDate,sizeEstimate"
_HISTORY_TYPES = ["messageAdded", "messageDeleted", "labelAdded", "labelRemoved"]


@dataclass(frozen=True, slots=True)
class Stored:
    """What Gmail knows of a message beside its content."""

    id: str
    thread: str
    labels: frozenset[str]
    received_at: datetime
    size: int
    """Bytes; an estimate of Google's."""

    @property
    def second(self) -> int:
        """When it was received, in whole seconds since 1970."""
        return int(self.received_at.timestamp())


@dataclass(frozen=True, slots=True)
class Mail:
    """A message, whole or its beginning. Its content is empty where Gmail cannot hand it over."""

    stored: Stored
    raw: bytes
    size: int
    """Bytes of the whole message."""


@dataclass(frozen=True, slots=True)
class Profile:
    """Whose mailbox it is, and where it stands."""

    address: str
    history: str
    total: int


@dataclass(frozen=True, slots=True)
class Listing:
    """Messages and their conversations, newest first, and where the list goes on."""

    ids: tuple[str, ...]
    threads: tuple[str, ...] = ()
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """One record of history."""

    id: str
    added: tuple[tuple[str, frozenset[str]], ...] = ()
    """Ids of messages, and the labels that they are said to carry."""
    deleted: tuple[str, ...] = ()
    labelled: tuple[tuple[str, frozenset[str]], ...] = ()
    """Ids of messages, and the labels that they got."""
    unlabelled: tuple[tuple[str, frozenset[str]], ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """Some records of history, oldest first. `current` is the mailbox's own history id."""

    records: tuple[Record, ...]
    current: str
    token: str | None = None


class Reading:
    """What is read from one mailbox."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._messages = calls.users.messages()

    @property
    def free(self) -> int:
        """How many messages could be read now without waiting for the quota."""
        return self._calls.pace.free(self._calls.address) // UNITS["gmail.users.messages.get"]

    def profile(self) -> Profile:
        """Whose mailbox it is, and where it stands."""
        found = self._calls.run(self._calls.users.getProfile(userId="me"))
        return Profile(
            str(found.get("emailAddress", "")).lower(), _number(found, "historyId"), int(found.get("messagesTotal", 0))
        )

    def history(self, start: str, most: int, token: str | None = None) -> History:
        """Records after `start`, at most `most`. Raises Refused (404) where Google has forgotten that place."""
        found = self._calls.run(
            self._calls.users.history().list(
                userId="me",
                startHistoryId=start,
                historyTypes=_HISTORY_TYPES,
                maxResults=max(1, min(most, 500)),
                pageToken=token,
            )
        )
        records = tuple(_record(each) for each in found.get("history", ()))
        return History(records, _number(found, "historyId"), found.get("nextPageToken"))

    def listing(self, query: str, most: int, token: str | None = None, *, everywhere: bool = False) -> Listing:
        """The messages that Gmail's search finds, newest first, at most `most`; none of Spam and Trash unless
        `everywhere`."""
        found = self._calls.run(
            self._messages.list(
                userId="me",
                q=query or None,
                maxResults=max(1, min(most, 500)),
                pageToken=token,
                includeSpamTrash=everywhere or None,
            )
        )
        messages = found.get("messages", ())
        return Listing(
            tuple(str(each["id"]) for each in messages),
            tuple(str(each.get("threadId", "")) for each in messages),
            found.get("nextPageToken"),
        )

    def beginnings(self, ids: Sequence[str], keep: int) -> dict[str, Mail]:
        """The first `keep` bytes of each message; those that are gone lack. Many large ones are never held at once."""
        wanted = {id_: self._get(id_, "raw", f"{_FIELDS},raw") for id_ in ids}
        found: dict[str, Mail] = {}
        outcomes = self._calls.batch(wanted)
        if len(outcomes) > 1 and all(isinstance(outcome, Unreadable) for outcome in outcomes.values()):
            # Not this message or that one: Google hands over none. Told without their text, all would be lost.
            raise Throttled(f"Google, for {self._calls.address}, hands over no message at the moment")
        for id_, outcome in outcomes.items():
            mail = self._beginning(id_, outcome, keep)
            if mail is not None:
                found[id_] = mail
        return found

    def states(self, ids: Sequence[str]) -> dict[str, Stored]:
        """What Gmail knows of each message beside its content; those that are gone lack."""
        wanted = {id_: self.state_request(id_) for id_ in ids}
        found: dict[str, Stored] = {}
        for id_, outcome in self._calls.batch(wanted).items():
            if isinstance(outcome, dict):
                found[id_] = _stored(outcome)
            elif not _is_gone(outcome):
                raise outcome
        return found

    def state_request(self, id_: str) -> HttpRequest:
        """The request behind `states`, for a batch of several kinds."""
        return self._get(id_, "minimal", _FIELDS)

    def whole(self, id_: str) -> Mail:
        """One whole message. Raises Refused, AnswerTooLarge, and Unreadable where Google fails over its content."""
        try:
            found = self._calls.run_large(self._get(id_, "raw", f"{_FIELDS},raw"), LARGEST_MESSAGE)
        except Throttled as error:
            if isinstance(error.__cause__, Faulty) and error.__cause__.of_this_alone and self.states([id_]):
                raise Unreadable(f"Google, for {self._calls.address}, cannot hand over the message {id_}") from error
            raise
        raw = _decoded(found.get("raw"))
        return Mail(_stored(found), raw, len(raw))

    def thread(self, id_: str, headers: Sequence[str]) -> tuple[tuple[Stored, Mapping[str, str]], ...]:
        """The messages of a conversation with some of their header fields, by lower-case name."""
        found = self._calls.run(
            self._calls.users.threads().get(userId="me", id=id_, format="metadata", metadataHeaders=list(headers))
        )
        return tuple((_stored(each), _fields(each)) for each in found.get("messages", ()))

    def _beginning(self, id_: str, outcome: Answer | MailboxError, keep: int) -> Mail | None:
        if isinstance(outcome, TooLarge):
            return self._large(id_, keep)
        if isinstance(outcome, Unreadable):
            # Told with its size and without content: it is set aside, where a person sees it, and holds nothing up.
            stored = self.states([id_]).get(id_)
            return None if stored is None else Mail(stored, b"", max(1, stored.size))
        if _is_gone(outcome):
            return None
        if isinstance(outcome, MailboxError):
            raise outcome
        stored, text = _stored(outcome), str(outcome.get("raw", "")).rstrip("=")
        return Mail(stored, _decoded(text[: -(-keep // 3) * 4])[:keep], len(text) * 3 // 4)

    def _large(self, id_: str, keep: int) -> Mail | None:
        def read(uri: str) -> Beginning | Refusal:
            answer = self._calls.transport.beginning(_with_fields(uri, "raw"), keep)
            return answer if isinstance(answer, Beginning) else read_refusal(*answer, datetime.now(UTC))

        stored = self.states([id_]).get(id_)
        if stored is None:
            return None
        try:
            beginning = self._calls.stream(self._get(id_, "raw", "raw"), read)
        except Refused as error:
            if _is_gone(error):
                return None
            raise
        except Throttled as error:
            if not (isinstance(error.__cause__, Faulty) and error.__cause__.of_this_alone):
                raise  # a quota that is used up says nothing of this message
            # Fifty small messages came, and this one never does.
            return Mail(stored, b"", max(1, stored.size))
        return Mail(stored, beginning.raw, beginning.size)

    def _get(self, id_: str, kind: str, fields: str) -> HttpRequest:
        # `fields` is one of the parameters that every method has (the discovery document's own list).
        request: HttpRequest = self._messages.get(userId="me", id=id_, format=kind)
        request.uri = _with_fields(request.uri, fields)
        return request


def _with_fields(uri: str, fields: str) -> str:
    parts = urlsplit(uri)
    query = [pair for pair in parse_qsl(parts.query, keep_blank_values=True) if pair[0] != "fields"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("fields", fields)])))


def _is_gone(outcome: Answer | MailboxError) -> bool:
    return isinstance(outcome, Refused) and outcome.status in {404, 410}


def _stored(found: Answer) -> Stored:
    milliseconds = int(found["internalDate"])
    return Stored(
        id=str(found["id"]),
        thread=str(found.get("threadId", "")),
        labels=frozenset(str(label) for label in found.get("labelIds", ())),
        received_at=datetime.fromtimestamp(milliseconds / 1000, UTC),
        size=int(found.get("sizeEstimate", 0)),
    )


def _record(found: Answer) -> Record:
    def pairs(kind: str, of: str) -> tuple[tuple[str, frozenset[str]], ...]:
        changes = [each for each in found.get(kind, ()) if "id" in each.get("message", {})]
        return tuple(
            (str(each["message"]["id"]), frozenset((each if of == "change" else each["message"]).get("labelIds", ())))
            for each in changes
        )

    return Record(
        id=_number(found, "id"),
        added=pairs("messagesAdded", "message"),
        deleted=tuple(id_ for id_, _ in pairs("messagesDeleted", "message")),
        labelled=pairs("labelsAdded", "change"),
        unlabelled=pairs("labelsRemoved", "change"),
    )


def _fields(found: Answer) -> Mapping[str, str]:
    headers = found.get("payload", {}).get("headers", ())
    return {str(each.get("name", "")).lower(): str(each.get("value", "")) for each in headers}


def encoded(raw: bytes) -> str:
    """A message as Google takes it: base64url (RFC 4648 §5)."""
    return base64.urlsafe_b64encode(raw).decode("ascii")


def _number(found: Answer, key: str) -> str:
    value = str(found[key])
    if not (value.isascii() and value.isdigit()):
        raise ValueError(f"{key} is no number")
    return value


def _decoded(text: object) -> bytes:
    """Base64url (RFC 4648 §5), with or without its padding. What cannot be read is empty, like what is not there."""
    letters = str(text or "").rstrip("=")
    try:
        return base64.urlsafe_b64decode(letters + "=" * (-len(letters) % 4))
    except (binascii.Error, ValueError):
        return b""
