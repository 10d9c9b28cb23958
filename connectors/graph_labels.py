"""Labels as Outlook categories: which stands for which, in which colour, and how they are written.

A message's categories are one list, ours and the teacher's together, and writing it writes all of it. So it is read
before, and written under the ETag that was read: https://learn.microsoft.com/graph/api/message-update. An entry in the
master list (https://learn.microsoft.com/graph/api/outlookuser-post-mastercategories) gives a category its colour.
"""

import logging
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from connectors.errors import MailboxError, MessageGone, TagFailed
from connectors.graph_batch import Part
from connectors.graph_client import GraphClient
from connectors.graph_entries import Entry, is_id, message_path, read_categories, read_entry
from connectors.graph_errors import Refused
from connectors.graph_folders import Folders
from connectors.labels import NAMES, Label, Relabelling

log = logging.getLogger(__name__)

_COLOURS: Mapping[Label, str] = MappingProxyType(
    {
        Label.URGENT: "preset0",
        Label.CONFLICT: "preset1",
        Label.ROUTINE: "preset4",
        Label.CHECK: "preset3",
        Label.PLAN_AGREED: "preset8",
        Label.ANOTHER_DRAFT: "preset7",
        Label.HANDLED: "preset12",
        Label.GOOD_NEWS: "preset5",
    }
)
"""Red, orange, green, yellow, purple, blue, grey, teal."""
_OURS = {name.casefold(): label for label, name in NAMES.items()}
_TRIES = 6
"""So often somebody else may change a message between our reading and our writing."""


def labels_in(categories: Sequence[str] | None) -> frozenset[Label]:
    """The labels among a message's categories. Outlook takes categories that differ only in case for one."""
    return frozenset(_OURS[name.casefold()] for name in categories or () if name.casefold() in _OURS)


def relabelled(categories: Sequence[str], labels: frozenset[Label]) -> list[str]:
    """`categories` with exactly these labels, everything else left as it was."""
    others = [name for name in categories if name.casefold() not in _OURS]
    return [*others, *(NAMES[label] for label in Label if label in labels)]


def _after(entry: Entry, change: Relabelling) -> frozenset[Label]:
    return change.of(labels_in(entry.categories))


class Labeller:
    """Writes the labels of one mailbox."""

    def __init__(self, client: GraphClient, folders: Folders) -> None:
        self._client = client
        self._folders = folders
        self._coloured = False

    def write(self, wanted: Mapping[str, Relabelling]) -> dict[str, MailboxError]:
        """Changes the labels of many messages. Returns what failed, by message; raises nothing."""
        failed: dict[str, MailboxError] = {
            id_: MessageGone(f"Microsoft Graph, {self._client.address}: there is no such message")
            for id_ in wanted
            if not is_id(id_)
        }
        waiting = {id_: change for id_, change in wanted.items() if id_ not in failed}
        try:
            if any(change.add for change in waiting.values()):
                self._colour()
            for _ in range(_TRIES):
                if not waiting:
                    return failed
                waiting = self._round(waiting, failed)
        except MailboxError as error:
            return failed | dict.fromkeys(waiting, error)
        busy = TagFailed(
            f"Microsoft Graph, {self._client.address}: somebody changed the message each time that its labels were "
            "about to be written; they are written later"
        )
        return failed | dict.fromkeys(waiting, busy)

    def _round(self, waiting: Mapping[str, Relabelling], failed: dict[str, MailboxError]) -> dict[str, Relabelling]:
        """Reads and writes once. Returns what somebody else changed in between."""
        folders = self._folders
        reads = [self._part("GET", id_, "?$select=categories,parentFolderId") for id_ in waiting]
        found: list[Entry] = []
        for id_, answer in zip(waiting, self._client.batch(reads), strict=True):
            try:
                entry = read_entry(answer.wanted())
            except (Refused, MailboxError) as error:
                failed[id_] = self._named(error)
                continue
            if entry.folder not in (folders.inbox, folders.sent):
                where = "in the inbox and in Sent Items"
                failed[id_] = MessageGone(f"Microsoft Graph, {self._client.address}: only mail {where} is labelled")
                continue
            found.append(entry.model_copy(update={"id": id_}))
        stale = [entry for entry in found if _after(entry, waiting[entry.id]) != labels_in(entry.categories)]
        answers = self._client.batch([self._written(entry, _after(entry, waiting[entry.id])) for entry in stale])
        again: dict[str, Relabelling] = {}
        for entry, answer in zip(stale, answers, strict=True):
            try:
                answer.wanted()
            except Refused as error:
                if error.failure.conflict:
                    again[entry.id] = waiting[entry.id]
                else:
                    failed[entry.id] = self._named(error)
            except MailboxError as error:
                failed[entry.id] = error
        return again

    def _written(self, entry: Entry, labels: frozenset[Label]) -> Part:
        body = {"categories": relabelled(entry.categories or (), labels)}
        return self._part("PATCH", entry.id, "", {"If-Match": entry.etag} if entry.etag else {}, body)

    def _part(
        self,
        method: str,
        id_: str,
        query: str,
        headers: Mapping[str, str] | None = None,
        body: Mapping[str, list[str]] | None = None,
    ) -> Part:
        return Part(method, self._client.path(message_path(id_)) + query, headers or {}, body)

    def _named(self, error: Refused | MailboxError) -> MailboxError:
        if isinstance(error, MailboxError):
            return error
        if error.failure.gone:
            return MessageGone(f"Microsoft Graph, {self._client.address}: the message was deleted")
        return TagFailed(f"Microsoft Graph, {self._client.address}: labels could not be written ({error})")

    def _colour(self) -> None:
        """Gives our categories their colours, once. Without them the labels stand there all the same, in grey."""
        if self._coloured:
            return
        try:
            listed = read_categories(self._client.get("/outlook/masterCategories")).value
            there = {one.name.casefold() for one in listed}
            path = self._client.path("/outlook/masterCategories")
            parts = [
                Part("POST", path, {}, {"displayName": name, "color": _COLOURS[label]})
                for label, name in NAMES.items()
                if name.casefold() not in there
            ]
            for answer in self._client.batch(parts):
                if answer.failure is not None and not answer.failure.conflict:  # a conflict: somebody else was faster
                    answer.wanted()
        except (Refused, MailboxError) as error:
            log.warning("%s: categories get no colours (%s)", self._client.address, error)
            self._coloured = isinstance(error, MailboxError) and not error.transient
            return
        self._coloured = True
