"""Mailboxes in Microsoft 365 over Microsoft Graph: `GraphMailbox`. How to connect one: docs/connect/microsoft-365.md.

Mailboxes on an Exchange Server of the school's own are not reached this way: `connectors.exchange`.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from config.secrets import Secrets
from config.settings import Graph, MailboxSettings, Settings
from connectors.away import Absence
from connectors.backoff import Patience
from connectors.errors import AuthenticationFailed, FetchFailed, MailboxError, MessageGone, PermissionDenied
from connectors.graph_access import Access, access_of
from connectors.graph_away import automatic_replies
from connectors.graph_batch import Part
from connectors.graph_changes import Held, PageReader
from connectors.graph_client import GraphClient
from connectors.graph_clouds import cloud_of
from connectors.graph_drafts import Drafts
from connectors.graph_entries import SIZE, expand, is_id, message_path, read_categories, read_entry, read_folder
from connectors.graph_errors import Refused, no_such_user, permission_denied
from connectors.graph_folders import Folders
from connectors.graph_labels import Labeller, labels_in
from connectors.graph_mime import Contents
from connectors.graph_push import Push
from connectors.graph_quota import budget_of
from connectors.labels import NAMES, Label, taken_away, written
from connectors.mailbox import Changes, Direction, DraftState, Known, RawMessage, nothing_known

_NOBODY = "AAMkAG" + "A" * 110 + "="
"""An id that no message has: whoever may not write or send is refused before it is looked up."""
_FETCH_SELECT = "receivedDateTime,categories,parentFolderId"


class GraphMailbox:
    """`connectors.mailbox.Mailbox` in Microsoft 365."""

    atomic_send = True

    def __init__(
        self,
        address: str,
        graph: Graph,
        access: Access,
        secrets: Secrets,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Connects at the first use. `secrets` keep the subscription where Microsoft tells of new mail; `sleep` makes
        the pauses that the server asks for; `clock` tells the time, aware. Raises InsecureConnection."""
        self.address = address.lower()
        self._clock = clock
        self._client = GraphClient(
            self.address,
            cloud_of(graph),
            access,
            timeout=graph.timeout_seconds,
            patience=Patience(sleep=sleep),
            budget=budget_of(graph.client_id),
            clock=clock,
        )
        self._folders = Folders(self._client)
        self._labeller = Labeller(self._client, self._folders)
        self._drafts = Drafts(self._client, self._folders, sleep)
        self._held = Held()
        self._push: Push | None = None
        if graph.notification_url is not None:
            root = self._client.root
            url = graph.notification_url
            self._push = Push(self.address, root, url, ask=self._client.service, secrets=secrets, clock=clock)

    @classmethod
    def open(cls, box: MailboxSettings, settings: Settings, secrets: Secrets) -> "GraphMailbox":
        """The mailbox that the settings describe, not connected yet. Raises AuthenticationFailed where the settings or
        the secrets lack, InsecureConnection."""
        if settings.graph is None:
            raise AuthenticationFailed(
                f"{box.address} is in Microsoft 365, and there is no [graph]: set its tenant and client_id"
            )
        return cls(box.address, settings.graph, access_of(settings.graph, secrets, box.address), secrets)

    def check(self) -> Sequence[str]:
        """See `Mailbox.check`. Each permission is tried, on a message that does not exist."""
        path = self._client.path
        nobody = message_path(_NOBODY)
        parts = [
            *(
                Part("GET", path(f"/mailFolders/{name}", {"$select": "totalItemCount"}))
                for name in ("inbox", "sentitems", "drafts")
            ),
            Part("PATCH", path(nobody), {}, {"categories": []}),
            Part("POST", path(f"{nobody}/send")),
            Part("GET", path("/outlook/masterCategories")),
        ]
        inbox, sent, drafts, write, send, categories = self._client.batch(parts)
        if inbox.failure is not None and inbox.account is None and inbox.failure.status == 404:
            raise no_such_user(inbox.failure, self.address)
        for answer, right in ((write, "Mail.ReadWrite"), (send, "Mail.Send")):
            if answer.failure is not None and isinstance(answer.account, PermissionDenied):
                raise permission_denied(answer.failure, self.address, [right])
        try:
            counts = [read_folder(answer.wanted()).total for answer in (inbox, sent, drafts)]
            for answer in (write, send):
                if answer.failure is not None and not answer.failure.gone:
                    answer.wanted()
        except Refused as error:
            raise FetchFailed(f"Microsoft Graph, {self.address}: the mailbox cannot be read ({error})") from error
        facts = [
            f"Microsoft Graph reads Inbox ({counts[0]} messages), Sent Items ({counts[1]}) and Drafts ({counts[2]}).",
            "Labels may be written (Mail.ReadWrite) and mail may be sent (Mail.Send).",
        ]
        try:
            names = {one.name.casefold() for one in read_categories(categories.wanted()).value}
        except (Refused, MailboxError):
            facts.append(
                "Labels have no colours: MailboxSettings.ReadWrite lacks. They are written all the same; the teacher "
                "can colour them in Outlook, Categorize, Manage categories."
            )
        else:
            lacking = sum(name.casefold() not in names for name in NAMES.values())
            facts.append(
                f"{lacking} of {len(NAMES)} categories get their colour with the first label."
                if lacking
                else f"All {len(NAMES)} categories are there, with a colour each."
            )
        if self._push is None:
            facts.append("New mail is polled: no notification_url is set.")
        else:
            facts.append(self._push.fact)
        return facts

    def changes(self, cursor: str | None, known: Known = nothing_known, *, limit: int = 200) -> Changes:
        """See `Mailbox.changes`."""
        if self._push is not None:
            self._push.prepare()
        reader = PageReader(self._client, known, limit, self._held, self._clock)
        page = reader.read(cursor)
        self._held = reader.held
        return page

    def absence(self) -> Absence | None:
        """See `connectors.away.TellsAbsence`: automatic replies."""
        return automatic_replies(self._client)

    def fetch(self, message_id: str) -> RawMessage:
        """See `Mailbox.fetch`. A message that was moved to another folder is found there."""
        if not is_id(message_id):
            raise self._gone()
        query = {"$select": _FETCH_SELECT, "$expand": expand(SIZE)}
        try:
            entry = read_entry(self._client.get(message_path(message_id), query))
        except Refused as error:
            if error.failure.gone:
                raise self._gone() from error
            raise FetchFailed(f"Microsoft Graph, {self.address}: a message cannot be read ({error})") from error
        content = Contents(self._client).whole(entry)
        if content is None:
            raise self._gone()
        if content.size and not content.raw:
            raise FetchFailed(f"Microsoft Graph, {self.address}: the server cannot hand this message over")
        sent = entry.folder == self._folders.sent
        return RawMessage(
            id=message_id,
            direction=Direction.SENT if sent else Direction.RECEIVED,
            raw=content.raw,
            size=content.size,
            received_at=entry.received_at,
            labels=labels_in(entry.categories),
        )

    def tag(self, message_id: str, labels: frozenset[Label]) -> None:
        """See `Mailbox.tag`. Only mail in the inbox is tagged."""
        for error in self._labeller.write({message_id: written(labels)}).values():
            raise error

    def unmark(self, message_id: str, labels: frozenset[Label]) -> None:
        """See `Mailbox.unmark`. Only mail in the inbox has labels."""
        for error in self._labeller.write({message_id: taken_away(labels)}).values():
            raise error

    def tag_many(self, wanted: Mapping[str, frozenset[Label]]) -> Mapping[str, MailboxError]:
        """See `Mailbox.tag_many`."""
        return self._labeller.write({id_: written(labels) for id_, labels in wanted.items()})

    def save_draft(self, mime: bytes) -> str:
        """See `Mailbox.save_draft`."""
        return self._drafts.save(mime)

    def draft_state(self, draft_id: str, rfc_message_id: str) -> DraftState:
        """See `Mailbox.draft_state`. Raises DraftFailed while the server is sending it: ask later."""
        return self._drafts.state(draft_id, rfc_message_id)

    def send_draft(self, draft_id: str) -> None:
        """See `Mailbox.send_draft`. Returns when Exchange has taken the mail over, a moment before it is in Sent."""
        self._drafts.send(draft_id)

    def discard_draft(self, draft_id: str) -> None:
        """See `Mailbox.discard_draft`. It goes to Deleted Items."""
        self._drafts.discard(draft_id)

    def wait(self, seconds: float) -> bool:
        """See `Mailbox.wait`. True where Microsoft told of new mail; False at once without `notification_url`."""
        return self._push is not None and self._push.wait(seconds)

    def interrupt(self) -> None:
        """See `Mailbox.interrupt`."""
        if self._push is not None:
            self._push.interrupt()

    def close(self) -> None:
        """See `Mailbox.close`."""
        if self._push is not None:
            self._push.close()
        self._client.close()

    def _gone(self) -> MessageGone:
        return MessageGone(f"Microsoft Graph, {self.address}: there is no such message, or not any more")
