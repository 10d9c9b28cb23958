"""`JmapMailbox`: the contract of `connectors.mailbox.Mailbox` on a JMAP account. Labels are keywords, as over IMAP."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from typing import Any

from config.secrets import Secrets
from config.settings import MailboxSettings, Settings
from connectors.errors import (
    AuthenticationFailed,
    ChangesFailed,
    ConnectFailed,
    DraftFailed,
    FetchFailed,
    MailboxError,
    MessageGone,
    SendFailed,
    SendRejected,
    TagFailed,
)
from connectors.labels import KEYWORDS, Label, Relabelling, taken_away, written
from connectors.mailbox import Changes, DraftState, Known, RawMessage, nothing_known

from alliance_jmap.line import Line
from alliance_jmap.reading import Reading, labels_in, place_of

_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
"""RFC 8620 §1.2."""
_AT_ONCE = 100
_RACES = 5
_REFUSED = {"forbiddenFrom", "forbiddenMailFrom", "forbiddenToSend", "invalidEmail", "invalidRecipients"} | {
    "noRecipients",
    "tooLarge",
    "tooManyRecipients",
}
"""What a server says of a message that it will not send tomorrow either (RFC 8621 §7.5)."""


class JmapMailbox:
    """One JMAP account. The provider id of a message is its Email id, which stays when it is moved."""

    atomic_send = True

    def __init__(
        self,
        address: str,
        url: str,
        token: str,
        *,
        timeout: float = 30.0,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`url` is that of the session resource. Connects at the first use."""
        self.address = address.lower()
        self._line = Line(url, token, timeout, sleep)
        self._clock = clock
        self._folders: dict[str, str] = {}

    @classmethod
    def open(cls, box: MailboxSettings, settings: Settings, secrets: Secrets) -> "JmapMailbox":
        """The mailbox that the settings describe. Raises ConnectFailed, AuthenticationFailed where they lack a part."""
        del settings
        url, token = box.options.get("url"), secrets.password(box)
        if not isinstance(url, str) or not url.startswith("https://"):
            raise ConnectFailed(f"{box.address}: set options.url to the https address of the JMAP session resource")
        if not token:
            raise AuthenticationFailed(f"{box.address} has no token: alliance connect puts one into the vault")
        return cls(box.address, url, token)

    def check(self) -> Sequence[str]:
        """See `Mailbox.check`."""
        session, folders, identity = self._line.session, self._places(), self._identity()
        if "urn:ietf:params:jmap:blob" not in session.capabilities:
            raise ConnectFailed(f"{self._line.where} does not know RFC 9404: this connector needs it to read mail")
        return [
            f"Mail: {self._line.where}, account {session.account}; folders {', '.join(sorted(folders))}.",
            f"Replies leave under the identity {identity} of {self.address}.",
        ]

    def changes(self, cursor: str | None, known: Known = nothing_known, *, limit: int = 200) -> Changes:
        """See `Mailbox.changes`."""
        places = self._places()
        with self._line.understood(ChangesFailed):
            return Reading(self._line, places, known, limit, self._clock()).page(cursor)

    def fetch(self, message_id: str) -> RawMessage:
        """See `Mailbox.fetch`."""
        places = self._places()
        with self._line.understood(FetchFailed):
            (email,) = self._emails(FetchFailed, [message_id]) or [{}]
            place = place_of(email, places) if email else None
            if place is None:
                raise MessageGone(f"{self._line.where}: the message was deleted or moved")
            raw = self._line.blob(email["blobId"])
            if len(raw) != email["size"]:
                raise FetchFailed(f"{self._line.where}: the message came only in part")
            received = datetime.fromisoformat(email["receivedAt"])
            return RawMessage(message_id, place, raw, len(raw), received, labels_in(email))

    def tag(self, message_id: str, labels: frozenset[Label]) -> None:
        """See `Mailbox.tag`."""
        for error in self.tag_many({message_id: labels}).values():
            raise error

    def tag_many(self, wanted: Mapping[str, frozenset[Label]]) -> Mapping[str, MailboxError]:
        """See `Mailbox.tag_many`."""
        return self._changed({id_: written(labels) for id_, labels in wanted.items()})

    def unmark(self, message_id: str, labels: frozenset[Label]) -> None:
        """See `Mailbox.unmark`."""
        for error in self._changed({message_id: taken_away(labels)}).values():
            raise error

    def save_draft(self, mime: bytes) -> str:
        """See `Mailbox.save_draft`."""
        message_id = str(BytesHeaderParser().parsebytes(mime[: 64 * 1024]).get("Message-ID", "")).strip().strip("<>")
        if not message_id:
            raise DraftFailed("a draft needs a Message-ID: by it it is found again after a crash")
        drafts = self._places()["drafts"]
        with self._line.understood(DraftFailed):
            for found in self._with_message_id("drafts", message_id):
                return found
            draft = {"mailboxIds": {drafts: True}, "keywords": {"$draft": True, "$seen": True}}
            emails = {"draft": {**draft, "blobId": self._line.upload(mime)}}
            # Once: who loses the answer asks for the Message-ID first, and finds what the server has made of it.
            (answer,) = self._line.call(DraftFailed, ("Email/import", {"emails": emails}), repeat=False)
            if not answer.get("created"):
                raise DraftFailed(f"{self._line.where} did not save the draft: {answer['notCreated']['draft']['type']}")
            return str(answer["created"]["draft"]["id"])

    def draft_state(self, draft_id: str, rfc_message_id: str) -> DraftState:
        """See `Mailbox.draft_state`."""
        with self._line.understood(DraftFailed):
            if self._with_message_id("sent", rfc_message_id) or self._submitted(draft_id):
                return DraftState.SENT
            return DraftState.DRAFT if self._with_message_id("drafts", rfc_message_id) else DraftState.GONE

    def send_draft(self, draft_id: str) -> None:
        """See `Mailbox.send_draft`. What is submitted is compared and swapped (`ifInState`, RFC 8620 §5.3): of two
        workers, or of a request and its repetition, one is heard."""
        places, identity = self._places(), self._identity()
        filed = {f"mailboxIds/{places['drafts']}": None, f"mailboxIds/{places['sent']}": True, "keywords/$draft": None}
        with self._line.understood(SendFailed):
            for _ in range(_RACES):
                (now,) = self._line.call(SendFailed, ("EmailSubmission/get", {"ids": []}))
                (draft,) = self._emails(SendFailed, [draft_id]) or [{}]
                if self._submitted(draft_id) or places["sent"] in draft.get("mailboxIds", {}):
                    if places["drafts"] in draft.get("mailboxIds", {}):
                        self._line.call(SendFailed, ("Email/set", {"update": {draft_id: filed}}))
                    return
                if places["drafts"] not in draft.get("mailboxIds", {}):
                    raise MessageGone("the draft is neither in Drafts nor in Sent: it was discarded")
                submission = {
                    "ifInState": now["state"],
                    "create": {"reply": {"emailId": draft_id, "identityId": identity}},
                    "onSuccessUpdateEmail": {"#reply": filed},
                }
                (answer,) = self._line.call(
                    SendFailed, ("EmailSubmission/set", submission), tolerated=frozenset({"stateMismatch"})
                )
                if answer.get("created"):
                    return
                if "error" not in answer:
                    why = answer["notCreated"]["reply"]["type"]
                    raise (SendRejected if why in _REFUSED else SendFailed)(f"{self._line.where} does not send: {why}")
        raise SendFailed("others keep sending from this account")

    def discard_draft(self, draft_id: str) -> None:
        """See `Mailbox.discard_draft`."""
        drafts = self._places()["drafts"]
        with self._line.understood(DraftFailed):
            for draft in self._emails(DraftFailed, [draft_id]):
                if drafts in draft["mailboxIds"]:
                    self._line.call(DraftFailed, ("Email/set", {"destroy": [draft_id]}))

    def wait(self, seconds: float) -> bool:
        """See `Mailbox.wait`. This connector polls."""
        del seconds
        return False

    def interrupt(self) -> None:
        """See `Mailbox.interrupt`."""

    def close(self) -> None:
        """See `Mailbox.close`."""
        self._folders = {}
        self._line.close()

    def _changed(self, wanted: Mapping[str, Relabelling]) -> dict[str, MailboxError]:
        failed: dict[str, MailboxError] = {}
        ids = list(wanted)
        for some in (ids[first : first + _AT_ONCE] for first in range(0, len(ids), _AT_ONCE)):
            try:
                with self._line.understood(TagFailed):
                    failed |= self._tagged({id_: wanted[id_] for id_ in some})
            except MailboxError as error:
                failed |= dict.fromkeys(some, error)
        return failed

    def _tagged(self, wanted: Mapping[str, Relabelling]) -> dict[str, MailboxError]:
        here = {self._places()["inbox"], self._places()["sent"]}
        there = {mail["id"] for mail in self._emails(TagFailed, list(wanted)) if here & mail["mailboxIds"].keys()}
        gone: MailboxError = MessageGone(f"{self._line.where}: the message was deleted or moved")
        failed = {id_: gone for id_ in wanted if id_ not in there}
        update = {
            id_: {
                f"keywords/{KEYWORDS[label].lower()}": label in change.add or None
                for label in change.add | change.remove
            }
            for id_, change in wanted.items()
            if id_ in there
        }
        if update:
            (answer,) = self._line.call(TagFailed, ("Email/set", {"update": update}))
            for id_, error in (answer.get("notUpdated") or {}).items():
                failed[id_] = gone if error["type"] == "notFound" else TagFailed(f"not tagged: {error['type']}")
        return failed

    def _places(self) -> dict[str, str]:
        """The ids of inbox, drafts and sent."""
        if not self._folders:
            with self._line.understood(ConnectFailed):
                (answer,) = self._line.call(ConnectFailed, ("Mailbox/get", {"properties": ["id", "role"]}))
                self._folders = {folder["role"]: folder["id"] for folder in answer["list"] if folder["role"]}
                if lacking := {"inbox", "drafts", "sent"} - self._folders.keys():
                    raise ConnectFailed(f"{self._line.where}: the account lacks {', '.join(sorted(lacking))}")
        return self._folders

    def _identity(self) -> str:
        with self._line.understood(ConnectFailed):
            (answer,) = self._line.call(ConnectFailed, ("Identity/get", {}))
            for identity in answer["list"]:
                if identity["email"].lower() == self.address:
                    return str(identity["id"])
        raise ConnectFailed(f"{self._line.where}: the account may not send as {self.address}")

    def _emails(self, failing: type[MailboxError], ids: Sequence[str]) -> list[dict[str, Any]]:
        wanted = [id_ for id_ in ids if _ID.fullmatch(id_)]
        properties = ["id", "blobId", "mailboxIds", "keywords", "size", "receivedAt"]
        if not wanted:
            return []
        (answer,) = self._line.call(failing, ("Email/get", {"ids": wanted, "properties": properties}))
        return list(answer["list"])

    def _with_message_id(self, role: str, message_id: str) -> list[str]:
        conditions = [{"inMailbox": self._places()[role]}, {"header": ["Message-ID", f"<{message_id}>"]}]
        wanted = {"filter": {"operator": "AND", "conditions": conditions}}
        (answer,) = self._line.call(DraftFailed, ("Email/query", wanted))
        return list(answer["ids"])

    def _submitted(self, draft_id: str) -> bool:
        if not _ID.fullmatch(draft_id):
            return False
        wanted = {"filter": {"emailIds": [draft_id]}}
        (answer,) = self._line.call(DraftFailed, ("EmailSubmission/query", wanted))
        return bool(answer["ids"])
