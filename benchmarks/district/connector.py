"""The connector of the simulated provider, which the service finds as it finds any third party's: by entry point.

It speaks a line of JSON over a Unix socket, so the processor time of a real connector (HTTP, TLS, the provider's own
JSON or XML) is not in it; `benchmarks.poll` measures that, and the estimate adds it.
"""

import base64
import json
import socket
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from benchmarks.district import wire
from config.secrets import Secrets
from config.settings import MailboxSettings, Settings
from connectors.away import Absence
from connectors.errors import ConnectFailed, MailboxError
from connectors.labels import Label
from connectors.mailbox import Changes, Direction, DraftState, Known, LabelState, Mailbox, RawMessage, nothing_known

_PER_THREAD = threading.local()
"""One connection for each thread, whatever mailbox it works on, as a pool of HTTP connections has it."""


class DistrictMailbox:
    """One mailbox at the simulated provider (`connectors.mailbox.Mailbox`)."""

    atomic_send = True

    def __init__(self, address: str, path: str) -> None:
        """`path` is the provider's socket."""
        self.address = address
        self._path = path

    @classmethod
    def open(cls, box: MailboxSettings, settings: Settings, secrets: Secrets) -> Mailbox:
        """As `connectors.registry.Connector`; `options.socket` names the provider's socket."""
        del settings, secrets
        return cls(box.address, str(box.options["socket"]))

    def check(self) -> Sequence[str]:
        """As the contract says."""
        self._ask("absence")
        return ("The simulated provider answers.",)

    def changes(self, cursor: str | None, known: Known = nothing_known, *, limit: int = 200) -> Changes:
        """As the contract says; what was there before the first call is old mail."""
        del known
        told = self._ask("changes", cursor=int(cursor or 0), limit=limit)
        return Changes(
            cursor=str(told["cursor"]),
            messages=tuple(_raw(each) for each in told["messages"]),
            labels=tuple(LabelState(number, _labels(labels)) for number, labels in told["labels"].items()),
            more=told["more"],
        )

    def absence(self) -> Absence | None:
        """No teacher is away."""
        self._ask("absence")
        return None

    def fetch(self, message_id: str) -> RawMessage:
        """As the contract says."""
        return _raw(self._ask("fetch", id=message_id))

    def tag(self, message_id: str, labels: frozenset[Label]) -> None:
        """As the contract says."""
        self._ask("tag", wanted={message_id: sorted(labels)})

    def unmark(self, message_id: str, labels: frozenset[Label]) -> None:
        """As the contract says."""
        there = self.fetch(message_id).labels
        self._ask("tag", wanted={message_id: sorted(there - labels)})

    def tag_many(self, wanted: Mapping[str, frozenset[Label]]) -> Mapping[str, MailboxError]:
        """In one request."""
        try:
            self._ask("tag", wanted={message_id: sorted(labels) for message_id, labels in wanted.items()})
        except MailboxError as error:
            return dict.fromkeys(wanted, error)
        return {}

    def save_draft(self, mime: bytes) -> str:
        """As the contract says."""
        return str(self._ask("save_draft", mime=base64.b64encode(mime).decode())["id"])

    def draft_state(self, draft_id: str, rfc_message_id: str) -> DraftState:
        """As the contract says."""
        return DraftState(self._ask("draft_state", id=draft_id, message_id=rfc_message_id)["state"])

    def send_draft(self, draft_id: str) -> None:
        """As the contract says."""
        self._ask("send_draft", id=draft_id)

    def discard_draft(self, draft_id: str) -> None:
        """As the contract says."""
        self._ask("discard_draft", id=draft_id)

    def wait(self, seconds: float) -> bool:
        """It has no push."""
        del seconds
        return False

    def interrupt(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """The connection belongs to the thread."""

    def _ask(self, do: str, **said: Any) -> dict[str, Any]:
        try:
            return asked(self._path, {"do": do, "box": self.address, **said})
        except (OSError, ValueError) as error:
            _PER_THREAD.__dict__.clear()
            raise ConnectFailed(f"the simulated provider does not answer ({type(error).__name__})") from error


def asked(path: str, request: dict[str, Any]) -> dict[str, Any]:
    """One answer of the provider. Raises OSError, ValueError."""
    stream = getattr(_PER_THREAD, "stream", None)
    if stream is None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.connect(path)
        stream = _PER_THREAD.stream = connection.makefile("rwb")
    stream.write(wire.line(request))
    stream.flush()
    answer: dict[str, Any] = json.loads(stream.readline())
    return answer


def _raw(told: dict[str, Any]) -> RawMessage:
    content = base64.b64decode(told["raw"])
    return RawMessage(
        id=told["id"],
        direction=Direction.SENT if told["sent"] else Direction.RECEIVED,
        raw=content,
        size=len(content),
        received_at=datetime.fromtimestamp(told["at"], UTC),
        labels=_labels(told["labels"]),
        backfill=told["old"],
    )


def _labels(words: Sequence[str]) -> frozenset[Label]:
    return frozenset(Label(word) for word in words)
