"""Push: Gmail tells a Pub/Sub topic that a mailbox changed, and one thread pulls its subscription for all mailboxes.

developers.google.com/workspace/gmail/api/guides/push. A notification names the mailbox and nothing of its mail. It only
rings the mailbox's bell (`connectors.bells`): what changed is read as always, so a lost one costs time and no mail.
"""

import base64
import binascii
import json
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

from connectors import bells
from connectors.backoff import Busy
from connectors.errors import ConnectFailed, MailboxError
from connectors.gmail_calls import Calls, Unconnected
from connectors.gmail_errors import Refused, meaning, read_refusal
from connectors.gmail_http import Authority, Transport

RENEWED_AFTER = timedelta(days=1)
"""Google ends a watch after seven days and advises to renew it daily."""
_TRIED_AGAIN_AFTER = timedelta(hours=1)
_PULL_SECONDS = 100.0
"""A pull waits on Google's side for a message; it answers without one well before this."""
_AT_ONCE = 100
_FIRST_PAUSE = 2.0
_LONGEST_PAUSE = 300.0
ROOT = "https://pubsub.googleapis.com/"

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Channel:
    """Where notifications come through."""

    topic: str
    subscription: str
    root: str = ROOT


class Watch:
    """Keeps Gmail telling the topic about one mailbox."""

    def __init__(self, calls: Calls, topic: str) -> None:
        self._calls = calls
        self._topic = topic
        self._due: datetime | None = None
        self.trouble: str | None = None
        """Why Gmail does not tell, None where it does."""

    def keep(self, now: datetime) -> bool:
        """Renews the watch where it is time to. Returns whether Gmail tells. Raises ConnectFailed and the like."""
        if self._due is None or now >= self._due:
            try:
                self._calls.run(self._calls.users.watch(userId="me", body={"topicName": self._topic}))
            except Refused as error:
                self._troubled(f"{error}: {_advice(self._topic)}")
            except MailboxError as error:
                if isinstance(error, ConnectFailed):
                    raise
                self._troubled(f"{error}; {_advice(self._topic)}")
            else:
                self.trouble = None
            self._due = now + (_TRIED_AGAIN_AFTER if self.trouble else RENEWED_AFTER)
        return self.trouble is None

    def _troubled(self, text: str) -> None:
        if self.trouble != text:
            log.warning("new mail of %s is polled: %s", self._calls.address, text)
        self.trouble = text


class Subscription:
    """One subscription, pulled by one thread."""

    def __init__(self, channel: Channel, authority: Authority, timeout: float = _PULL_SECONDS) -> None:
        """`timeout` in seconds: for an answer that waits for a notification."""
        self._name = channel.subscription
        self._methods = _pubsub(channel.root).projects().subscriptions()
        self._transport = Transport(authority, timeout)

    def pull(self, *, waiting: bool = True) -> Sequence[str]:
        """Pulls once, `waiting` for a notification: rings the bells of the mailboxes that changed, and returns their
        addresses. Raises MailboxError, Busy."""
        body: dict[str, Any] = {"maxMessages": _AT_ONCE}
        if not waiting:
            body["returnImmediately"] = True
        answer = self._execute(self._methods.pull(subscription=self._name, body=body))
        received = answer.get("receivedMessages", [])
        changed = tuple(dict.fromkeys(address for each in received if (address := _address_in(each))))
        for address in changed:
            bells.ring(address)
        # Rung first: a notification that is lost between is told by Google again.
        if done := [str(each["ackId"]) for each in received if "ackId" in each]:
            self._execute(self._methods.acknowledge(subscription=self._name, body={"ackIds": done}))
        return changed

    def close(self) -> None:
        """Closes the connection."""
        self._transport.close()

    def _execute(self, request: Any) -> dict[str, Any]:
        try:
            answer = request.execute(http=self._transport)
        except HttpError as error:
            headers = {str(name).lower(): str(value) for name, value in error.resp.items()}
            refusal = read_refusal(int(error.resp.status), headers, error.content or b"", datetime.now(UTC))
            raise meaning(refusal, self._name, "pubsub.googleapis.com") from None
        return answer if isinstance(answer, dict) else {}


class Puller:
    """Pulls one subscription in a thread of its own, for as long as a mailbox wants it."""

    def __init__(self, channel: Channel, authority: Callable[[], Authority]) -> None:
        """`authority` makes what signs in: each thread has its own."""
        self._channel = channel
        self._authority = authority
        self._wanted: set[int] = set()
        self._stop: threading.Event | None = None
        self._lock = threading.Lock()
        self.trouble: str | None = None
        """Why nothing can be pulled, None where it works."""

    def join(self, mailbox: int) -> None:
        """A mailbox, told apart by a number, waits for notifications from now on."""
        with self._lock:
            self._wanted.add(mailbox)
            if self._stop is None:
                self._stop = threading.Event()
                name = f"pulls {self._channel.subscription}"
                threading.Thread(target=self._keep, args=(self._stop,), name=name, daemon=True).start()

    def try_out(self) -> str | None:
        """Why nothing can be pulled, None where it works: pulls once, without waiting."""
        try:
            subscription = Subscription(self._channel, self._authority())
            subscription.pull(waiting=False)
            subscription.close()
        except (MailboxError, Busy) as error:
            return f"{error}; the service account must be Pub/Sub Subscriber on {self._channel.subscription}"
        return None

    def leave(self, mailbox: int) -> None:
        """A mailbox waits no longer; with the last one the pulling ends, as soon as Google answers."""
        with self._lock:
            self._wanted.discard(mailbox)
            if not self._wanted and self._stop is not None:
                self._stop.set()
                self._stop = None

    def _keep(self, stop: threading.Event) -> None:
        subscription: Subscription | None = None
        pause = _FIRST_PAUSE
        while not stop.is_set():
            try:
                subscription = subscription or Subscription(self._channel, self._authority())
                subscription.pull()
            except (MailboxError, Busy) as error:
                self._troubled(str(error))
            except Exception as error:  # noqa: BLE001 - an answer that nobody foresaw must not end push for good
                self._troubled(f"unexpected {type(error).__name__}")
            else:
                self.trouble, pause = None, _FIRST_PAUSE
                continue
            stop.wait(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
        if subscription is not None:
            subscription.close()

    def _troubled(self, text: str) -> None:
        before, self.trouble = self.trouble, text
        if before != text:
            log.warning("notifications cannot be pulled from %s, mail is polled: %s", self._channel.subscription, text)


@lru_cache(maxsize=8)
def _pubsub(root: str) -> Any:
    return build(
        "pubsub",
        "v1",
        http=Unconnected(),
        static_discovery=True,
        cache_discovery=False,
        client_options={"api_endpoint": root},
    )


_pullers: dict[Channel, Puller] = {}
_pullers_lock = threading.Lock()


def puller_of(channel: Channel, authority: Callable[[], Authority]) -> Puller:
    """The one that pulls this channel for every mailbox of the process."""
    with _pullers_lock:
        return _pullers.setdefault(channel, Puller(channel, authority))


def _address_in(received: dict[str, Any]) -> str:
    """The mailbox that a notification names; empty where it names none."""
    try:
        told = json.loads(base64.urlsafe_b64decode(str(received["message"]["data"]) + "=="))
        address = told["emailAddress"]
    except (binascii.Error, ValueError, KeyError, TypeError):
        return ""
    return address.lower() if isinstance(address, str) else ""


def _advice(topic: str) -> str:
    return (
        f"gmail-api-push@system.gserviceaccount.com must be Pub/Sub Publisher on {topic} "
        "(https://console.cloud.google.com/cloudpubsub/topic/list), in the project of the key or client"
    )
