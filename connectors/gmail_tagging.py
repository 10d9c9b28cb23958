"""Labels on messages in Gmail: one by one, in batches, and a thousand at a time."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from googleapiclient.http import HttpRequest

from connectors.errors import MailboxError, MessageGone, TagFailed
from connectors.gmail_calls import Calls
from connectors.gmail_errors import Refused
from connectors.gmail_labels import Labels
from connectors.gmail_mail import AWAY, Reading
from connectors.gmail_quota import UNITS
from connectors.labels import Label, Relabelling

_MOST = 1000
"""Messages of one `messages.batchModify` (the discovery document's schema)."""
_WORTH_IT = UNITS["gmail.users.messages.batchModify"] // UNITS["gmail.users.messages.modify"]
"""Up to so many messages, changing each by itself costs no more quota."""


class Tagging:
    """Writes the labels of one mailbox's messages.

    What a message carries is looked up first: nothing is written on one that lies in Trash or is labelled already, and
    `messages.batchModify`, which takes a thousand and tells of none what became of it, needs to tell nothing.
    """

    def __init__(self, calls: Calls, labels: Labels, reading: Reading) -> None:
        self._calls = calls
        self._labels = labels
        self._reading = reading
        self._messages = calls.users.messages()

    def change(self, id_: str, wanted: Relabelling) -> None:
        """Changes the message's labels. Raises MessageGone, TagFailed."""
        failed = self.change_many({id_: wanted})
        if id_ in failed:
            raise failed[id_]

    def change_many(self, wanted: Mapping[str, Relabelling]) -> dict[str, MailboxError]:
        """The same for many. Returns what failed. Raises where nothing can be written."""
        failed = self._written(wanted)
        stale = [id_ for id_, error in failed.items() if isinstance(error, Refused) and "label" in error.said.lower()]
        if stale:
            # A label was deleted since it was looked up: it is made again.
            self._labels.forget()
            again = self._written({id_: wanted[id_] for id_ in stale})
            failed = {id_: error for id_, error in failed.items() if id_ not in stale} | again
        return {id_: _named(error) for id_, error in failed.items()}

    def _written(self, wanted: Mapping[str, Relabelling]) -> dict[str, MailboxError]:
        self._labels.needed(frozenset[Label]().union(*(change.add for change in wanted.values())))
        failed: dict[str, MailboxError] = {}
        alike: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for id_, there in self._calls.batch({id_: self._reading.state_request(id_) for id_ in wanted}).items():
            if isinstance(there, MailboxError):
                failed[id_] = there
                continue
            carried = frozenset(there.get("labelIds", ()))
            if carried & AWAY:
                failed[id_] = MessageGone(f"{self._calls.address}: the message {id_} was moved to Spam or Trash")
                continue
            change = self._change(wanted[id_], carried)
            if change:
                alike[change].append(id_)
        singly: dict[str, HttpRequest] = {}
        for change, ids in alike.items():
            add, remove = _split(change)
            for start in range(0, len(ids), _MOST):
                chunk = ids[start : start + _MOST]
                if len(chunk) <= _WORTH_IT or not self._all_at_once(chunk, add, remove):
                    singly |= {id_: self._one(id_, add, remove) for id_ in chunk}
        outcomes = self._calls.batch(singly)
        return failed | {id_: outcome for id_, outcome in outcomes.items() if isinstance(outcome, MailboxError)}

    def _all_at_once(self, ids: Sequence[str], add: list[str], remove: list[str]) -> bool:
        """Whether Gmail took them together; one that is gone by now may spoil the rest."""
        body = {"ids": list(ids), "addLabelIds": add, "removeLabelIds": remove}
        try:
            self._calls.run(self._messages.batchModify(userId="me", body=body))
        except Refused:
            return False
        return True

    def _one(self, id_: str, add: list[str], remove: list[str]) -> HttpRequest:
        request: HttpRequest = self._messages.modify(
            userId="me", id=id_, body={"addLabelIds": add, "removeLabelIds": remove}
        )
        return request

    def _change(self, wanted: Relabelling, carried: frozenset[str]) -> tuple[str, ...]:
        """The ids to add, with a plus before them, and those to remove, with a minus."""
        ids = self._labels.ids
        add = [f"+{ids[each]}" for each in ids if each in wanted.add and ids[each] not in carried]
        remove = [f"-{ids[each]}" for each in ids if each in wanted.remove and ids[each] in carried]
        return (*add, *remove)


def _split(change: tuple[str, ...]) -> tuple[list[str], list[str]]:
    return [each[1:] for each in change if each[0] == "+"], [each[1:] for each in change if each[0] == "-"]


def _named(error: MailboxError) -> MailboxError:
    if not isinstance(error, Refused):
        return error
    if error.status in {404, 410} or (error.status == 400 and "invalid id" in error.said.lower()):
        return MessageGone(f"the message was deleted: {error}")
    return TagFailed(str(error))
