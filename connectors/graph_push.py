"""Change notifications: Microsoft tells this service of new mail, which shortens the wait; polling stays the floor.

A subscription (https://learn.microsoft.com/graph/api/resources/subscription) names the public address of the receiver
and a secret, the client state, that comes back with every notification. The secret is all that tells Microsoft's posts
from anybody else's. It is kept in the vault, so that a restart goes on with the same subscription.

A notification carries nothing that is used: it rings the mailbox's bell, and the mailbox is read as ever.
"""

import hmac
import logging
import secrets as randomness
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Protocol
from weakref import WeakSet

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from config.faults import ConfigError
from config.secrets import Secrets
from connectors import bells
from connectors.errors import AuthenticationFailed, MailboxError
from connectors.graph_errors import Refused

log = logging.getLogger(__name__)

LIFETIME = timedelta(hours=48)
"""How long a subscription is asked for. Graph allows seven days; what an end without goodbye leaves behind is gone
sooner this way."""
RENEWED_BEFORE = timedelta(hours=24)
"""How long before its end a subscription is renewed."""
_FIRST_PAUSE = timedelta(minutes=5)
_LONGEST_PAUSE = timedelta(hours=1)
"""Between two attempts to subscribe where the last one failed."""


class Asking(Protocol):
    """One request to Microsoft Graph, signed in."""

    def __call__(self, method: str, path: str, body: Mapping[str, object] | None = None) -> object:
        """The JSON of the answer, None where it has no body. `path` is below the version, such as "/subscriptions". A
        POST is not repeated. Raises Refused, MailboxError."""
        ...


class Lifecycle(StrEnum):
    """What Microsoft says of a subscription itself:
    https://learn.microsoft.com/graph/change-notifications-lifecycle-events."""

    REAUTHORIZATION_REQUIRED = "reauthorizationRequired"
    SUBSCRIPTION_REMOVED = "subscriptionRemoved"
    MISSED = "missed"


class Subscription(BaseModel):
    """A subscription as it is kept."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    state: str
    """The client state: a ticket that finds the mailbox, a dot, and the secret."""
    url: str
    resource: str
    expires: AwareDatetime


@dataclass(frozen=True, slots=True)
class _Expected:
    """A client state that this process waits for, and whose it is."""

    secret: str
    address: str
    pushes: "WeakSet[Push]"


_expected: dict[str, _Expected] = {}
"""By ticket."""
_unsaved: dict[tuple[str, str], Subscription] = {}
"""By address and resource: subscriptions that no vault keeps."""
_lock = threading.Lock()

Registrar = Callable[[str, str, datetime], None]
"""Is told a client state, the mailbox that it stands for, and until when (aware). Raises nothing."""
_registrars: list[Registrar] = []


def register_with(registrar: Registrar) -> Callable[[], None]:
    """Has `registrar` told of every subscription that this process makes or goes on with, so that another process may
    take its notifications. Returns what ends that."""
    _registrars.append(registrar)
    return lambda: _registrars.remove(registrar)


def receive(client_state: str, lifecycle: Lifecycle | None = None) -> bool:
    """Takes one notification: rings its mailbox's bell, and minds what it says of the subscription. False where the
    client state is none of ours, which is compared in constant time; then nothing happens. Any thread may call it."""
    ticket, _, secret = client_state.partition(".")
    with _lock:
        found = _expected.get(ticket)
        pushes = list(found.pushes) if found is not None else []
    right = hmac.compare_digest(secret.encode("utf-8", "replace"), (found.secret if found is not None else "").encode())
    if found is None or not right:
        return False
    for push in pushes:
        push.told(lifecycle)
    bells.ring(found.address)
    return True


class Push:
    """The notifications of one mailbox. `told` may be called by any thread, the rest by the mailbox's own.

    The order matters: `prepare` before the mailbox is read, `wait` after. Mail that came before the subscription is
    then in what is read, and mail that comes after it rings.
    """

    def __init__(
        self,
        address: str,
        root: str,
        url: str,
        *,
        ask: Asking,
        secrets: Secrets,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`root` is the mailbox's path, "/users/…" or "/me"; `url` is where Microsoft reaches `service.notifications`.
        `clock` gives the time in UTC."""
        self._address = address
        self._resource = f"{root.removeprefix('/')}/mailFolders('inbox')/messages"
        self._url = url
        self._ask = ask
        self._secrets = secrets
        self._clock = clock
        self._subscription: Subscription | None = None
        self._removed = threading.Event()
        self._reauthorize = threading.Event()
        self._failures = 0
        self._not_before: datetime | None = None

    @property
    def fact(self) -> str:
        """How the mailbox hears of new mail, for `alliance doctor`."""
        if self._live():
            return f"Microsoft tells of new mail at {self._url}."
        return "New mail is polled: Microsoft does not tell of it yet."

    def prepare(self) -> None:
        """Sees to it that Microsoft tells of new mail from now on: subscribes, renews, subscribes anew. Most calls do
        nothing. Never raises: where it fails the reason is logged, mail is polled, and it is tried again later."""
        now = self._clock()
        if self._not_before is not None and now < self._not_before:
            return
        try:
            self._see_to_it(now)
        except (MailboxError, Refused) as error:
            pause = min(_FIRST_PAUSE * 2 ** min(self._failures, 10), _LONGEST_PAUSE)
            self._failures += 1
            self._not_before = now + pause
            log.warning(
                "Microsoft does not tell of new mail, which is polled instead (%s). Is notification_url under [graph] "
                "reachable from the Internet, and does the proxy pass it on to notification_listen? Next attempt in %d "
                "minutes",
                error,
                pause.total_seconds() // 60,
            )
        else:
            self._failures, self._not_before = 0, None

    def wait(self, seconds: float) -> bool:
        """Blocks until Microsoft tells of something, at most `seconds`: True where it did. Returns False at once where
        nobody would tell."""
        return self._live() and bells.wait(self._address, seconds)

    def interrupt(self) -> None:
        """Ends a running `wait` soon, with False. Any thread may call it."""
        bells.interrupt(self._address)

    def told(self, lifecycle: Lifecycle | None) -> None:
        """Minds what Microsoft says of the subscription; the next `prepare` acts on it. What was missed needs no more
        than the bell: the mailbox is read from its cursor."""
        if lifecycle is Lifecycle.SUBSCRIPTION_REMOVED:
            self._removed.set()
        elif lifecycle is Lifecycle.REAUTHORIZATION_REQUIRED:
            self._reauthorize.set()

    def close(self) -> None:
        """Listens no more. The subscription stays, for the next start; without one it ends by itself."""
        if self._subscription is not None:
            self._forget(self._subscription)
            self._subscription = None

    def end(self) -> None:
        """Ends the subscription for good, as when a mailbox is taken out. Raises Refused, MailboxError."""
        found = self._subscription or self._kept()
        self.close()
        if found is not None:
            self._unkeep()
            self._ask("DELETE", f"/subscriptions/{found.id}")

    def _see_to_it(self, now: datetime) -> None:
        if self._removed.is_set():
            self._removed.clear()
            self.close()
            self._unkeep()
        if self._subscription is None and (kept := self._kept()) is not None:
            self._expect(kept)
            self._subscription = kept
            self._register(kept)
            self._reauthorize.set()  # whether it still lives is seen by renewing it
        if self._subscription is None or self._subscription.expires <= now:
            self._subscribe(now)
        elif self._reauthorize.is_set() or self._subscription.expires - now < RENEWED_BEFORE:
            self._renew(self._subscription, now)

    def _subscribe(self, now: datetime) -> None:
        self.close()
        state = f"{randomness.token_urlsafe(12)}.{randomness.token_urlsafe(48)}"
        new = Subscription(id="", state=state, url=self._url, resource=self._resource, expires=now + LIFETIME)
        self._expect(new)  # the first notification may come before the answer does
        try:
            answer = _Answer.model_validate(
                self._ask(
                    "POST",
                    "/subscriptions",
                    {
                        "changeType": "created",
                        "notificationUrl": self._url,
                        "lifecycleNotificationUrl": self._url,
                        "resource": self._resource,
                        "expirationDateTime": _written(new.expires),
                        "clientState": state,
                    },
                )
            )
        except ValidationError as error:
            self._forget(new)
            raise _unreadable(self._address) from error
        except BaseException:
            self._forget(new)
            raise
        self._reauthorize.clear()
        self._subscription = new.model_copy(update={"id": answer.id, "expires": answer.expirationDateTime})
        self._keep(self._subscription)

    def _renew(self, old: Subscription, now: datetime) -> None:
        """https://learn.microsoft.com/graph/api/subscription-update; a new end also reauthorizes."""
        self._reauthorize.clear()
        try:
            path = f"/subscriptions/{old.id}"
            answer = _Answer.model_validate(self._ask("PATCH", path, {"expirationDateTime": _written(now + LIFETIME)}))
        except ValidationError as error:
            self._reauthorize.set()
            raise _unreadable(self._address) from error
        except (Refused, AuthenticationFailed):
            # Gone, or no longer ours. If a right lacks, subscribing says so.
            self._unkeep()
            self._subscribe(now)
        except MailboxError:
            self._reauthorize.set()
            raise
        else:
            self._subscription = old.model_copy(update={"expires": answer.expirationDateTime})
            self._keep(self._subscription)

    def _live(self) -> bool:
        found = self._subscription
        return found is not None and not self._removed.is_set() and found.expires > self._clock()

    def _expect(self, subscription: Subscription) -> None:
        ticket, _, secret = subscription.state.partition(".")
        with _lock:
            _expected.setdefault(ticket, _Expected(secret, self._address, WeakSet())).pushes.add(self)

    def _forget(self, subscription: Subscription) -> None:
        ticket = subscription.state.partition(".")[0]
        with _lock:
            found = _expected.get(ticket)
            if found is not None:
                found.pushes.discard(self)
                if not found.pushes:
                    del _expected[ticket]

    def _kept(self) -> Subscription | None:
        """The subscription of an earlier start; None where there is none, or it was for something else."""
        try:
            text = self._secrets.get(self._name)
            kept = Subscription.model_validate_json(text) if text else _unsaved.get((self._address, self._resource))
        except (ConfigError, ValidationError) as error:
            log.warning("the subscription kept as %s cannot be read (%s)", self._name, type(error).__name__)
            return None
        wanted = kept is not None and (kept.url, kept.resource) == (self._url, self._resource)
        return kept if wanted and kept is not None and kept.expires > self._clock() else None

    def _register(self, subscription: Subscription) -> None:
        for registrar in _registrars:
            registrar(subscription.state, self._address, subscription.expires)

    def _keep(self, subscription: Subscription) -> None:
        self._register(subscription)
        try:
            self._secrets.put(self._name, subscription.model_dump_json())
        except ConfigError:
            _unsaved[self._address, self._resource] = subscription

    def _unkeep(self) -> None:
        _unsaved.pop((self._address, self._resource), None)
        try:
            self._secrets.forget(self._name)
        except ConfigError as error:
            log.warning("the subscription kept as %s cannot be deleted (%s)", self._name, type(error).__name__)

    @property
    def _name(self) -> str:
        return f"graph/subscription/{self._address}"


class _Answer(BaseModel):
    """What Graph says of a subscription that it made or renewed."""

    id: str
    expirationDateTime: AwareDatetime  # noqa: N815 - Microsoft's name


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _unreadable(address: str) -> MailboxError:
    return MailboxError(
        f"Microsoft Graph, {address}: the answer about a subscription cannot be read; it is tried again"
    )
