"""Change notifications: https://learn.microsoft.com/graph/change-notifications-delivery-webhooks."""

import queue
import re
import secrets
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx

from tests.servers.graph.item import Item, stamp
from tests.servers.graph.mailbox import Box, Change
from tests.servers.graph.queries import moment, only
from tests.servers.graph.wire import Answer, GraphError, Request, Violation, checked_properties

LONGEST = timedelta(minutes=10_080)
"""How long a subscription to Outlook messages may live."""
_CREATED_WITH = [
    "changeType",
    "notificationUrl",
    "lifecycleNotificationUrl",
    "resource",
    "expirationDateTime",
    "clientState",
    "latestSupportedTlsVersion",
    "includeResourceData",
]
_RESOURCE = re.compile(
    r"/?(?:me|users(?:/|\(')(?P<user>[^/']+)(?:'\))?)(?:/mailFolders(?:/|\(')(?P<folder>[^/']+)(?:'\))?)?/messages",
    re.IGNORECASE,
)


@dataclass
class Subscription:
    """One subscription of an application."""

    application: str
    box: Box
    folder: str | None
    resource: str
    changes: frozenset[str]
    url: str
    lifecycle_url: str | None
    state: str
    expires: datetime
    immutable: bool
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def shown(self) -> dict[str, Any]:
        return {
            "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#subscriptions/$entity",
            "id": self.id,
            "resource": self.resource,
            "applicationId": self.application,
            "changeType": ",".join(sorted(self.changes)),
            "clientState": None,
            "notificationUrl": self.url,
            "lifecycleNotificationUrl": self.lifecycle_url,
            "expirationDateTime": stamp(self.expires),
            "creatorId": "00000000-0000-0000-0000-00000000000a",
            "latestSupportedTlsVersion": "v1_2",
            "includeResourceData": False,
            "encryptionCertificate": None,
            "encryptionCertificateId": None,
            "notificationUrlAppId": None,
            "notificationQueryOptions": None,
        }


@dataclass(frozen=True, slots=True)
class Posted:
    """A notification that was posted, and what the receiver answered (0: nothing)."""

    url: str
    body: dict[str, Any]
    status: int


class Subscriptions:
    """Every subscription, and the thread that posts notifications."""

    def __init__(self, tenant: str, now: Callable[[], datetime]) -> None:
        self.tenant = tenant
        self.live: dict[str, Subscription] = {}
        self.posted: list[Posted] = []
        self.reachable: dict[str, str] = {}
        """Where a public address is really served: what a school's TLS proxy does."""
        self.muted = False
        """True: notifications are lost on their way."""
        self._now = now
        self._queue: queue.SimpleQueue[tuple[Subscription, str, dict[str, Any]] | None] = queue.SimpleQueue()
        self._open = 0
        self._idle = threading.Condition()
        self._client = httpx.Client(timeout=10, trust_env=False)
        self._thread = threading.Thread(target=self._post_all, daemon=True, name="graph-notifications")
        self._thread.start()

    # Requests

    def create(self, request: Request, application: str, box_of: Callable[[str | None], Box]) -> Answer:
        only(request, ())
        given = request.json()
        checked_properties(given, _CREATED_WITH, "create subscription")
        for name in ("changeType", "notificationUrl", "resource", "expirationDateTime"):
            if not isinstance(given.get(name), str):
                raise Violation(f"create subscription: {name} is required", code="InvalidRequest")
        match = _RESOURCE.fullmatch(given["resource"])
        changes = frozenset(given["changeType"].split(","))
        if match is None or not changes <= {"created", "updated", "deleted"}:
            raise Violation(
                f"create subscription: {given['resource']!r}, {given['changeType']!r}", code="InvalidRequest"
            )
        state = given.get("clientState", "")
        if not isinstance(state, str) or len(state) > 128:
            raise Violation("create subscription: clientState has at most 128 characters", code="InvalidRequest")
        box = box_of(match["user"])
        subscription = Subscription(
            application=application,
            box=box,
            folder=box.folder(match["folder"]).id if match["folder"] else None,
            resource=given["resource"],
            changes=changes,
            url=self._address(given["notificationUrl"]),
            lifecycle_url=self._address(given["lifecycleNotificationUrl"])
            if "lifecycleNotificationUrl" in given
            else None,
            state=state,
            expires=self._expiry(given["expirationDateTime"]),
            immutable="ImmutableId" in request.headers.get("prefer", ""),
        )
        self._refuse_double(subscription)
        for url in filter(None, dict.fromkeys((subscription.url, subscription.lifecycle_url))):
            self._validate(url)
        self.live[subscription.id] = subscription
        return Answer(201, subscription.shown())

    def list_all(self, request: Request, application: str) -> Answer:
        only(request, ())
        return Answer(200, {"value": [one.shown() for one in self._alive() if one.application == application]})

    def get(self, request: Request, application: str, id_: str) -> Answer:
        only(request, ())
        return Answer(200, self._find(application, id_).shown())

    def update(self, request: Request, application: str, id_: str) -> Answer:
        only(request, ())
        subscription, given = self._find(application, id_), request.json()
        checked_properties(given, ("expirationDateTime", "notificationUrl"), "update subscription")
        if "notificationUrl" in given:
            self._validate(self._address(given["notificationUrl"]))
            subscription.url = given["notificationUrl"]
        if "expirationDateTime" in given:
            subscription.expires = self._expiry(given["expirationDateTime"])
        return Answer(200, subscription.shown())

    def reauthorize(self, request: Request, application: str, id_: str) -> Answer:
        only(request, ())
        self._find(application, id_)
        return Answer(204)

    def delete(self, request: Request, application: str, id_: str) -> Answer:
        only(request, ())
        request.nothing()
        found = self._find(application, id_)
        del self.live[found.id]
        return Answer(204)

    # What the server does by itself

    def tell(self, box: Box, item: Item, change: Change) -> None:
        """A message changed: whoever subscribed to that is told."""
        kind = "updated" if change == "read" else change
        for one in self._alive():
            if one.box is box and kind in one.changes and one.folder in (None, item.folder):
                id_ = item.immutable_id if one.immutable else item.rest_id
                resource = f"Users/{box.id}/Messages/{id_}"
                self._enqueue(
                    one,
                    one.url,
                    {
                        "subscriptionId": one.id,
                        "subscriptionExpirationDateTime": stamp(one.expires),
                        "changeType": kind,
                        "resource": resource,
                        "resourceData": {
                            "@odata.type": "#Microsoft.Graph.Message",
                            "@odata.id": resource,
                            "@odata.etag": item.etag,
                            "id": id_,
                        },
                        "clientState": one.state,
                        "tenantId": self.tenant,
                    },
                )

    def lifecycle(self, event: str, box: Box) -> None:
        """Posts reauthorizationRequired, subscriptionRemoved or missed for each subscription to a mailbox."""
        for one in [one for one in self._alive() if one.box is box]:
            if event == "subscriptionRemoved":
                del self.live[one.id]
            self._enqueue(
                one,
                one.lifecycle_url or one.url,
                {
                    "lifecycleEvent": event,
                    "subscriptionId": one.id,
                    "resource": one.resource,
                    "subscriptionExpirationDateTime": stamp(one.expires),
                    "clientState": one.state,
                    "organizationId": self.tenant,
                },
            )

    def settle(self, seconds: float = 30) -> None:
        """Waits until everything that was to be posted is answered."""
        with self._idle:
            if not self._idle.wait_for(lambda: not self._open, seconds):
                raise TimeoutError(f"{self._open} notifications are still on their way")

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join(30)
        self._client.close()

    # Shared

    def _find(self, application: str, id_: str) -> Subscription:
        found = next((one for one in self._alive() if one.id == id_ and one.application == application), None)
        if found is None:
            raise GraphError(404, "ResourceNotFound", "The object was not found.")
        return found

    def _alive(self) -> list[Subscription]:
        now = self._now()
        self.live = {id_: one for id_, one in self.live.items() if one.expires > now}
        return [*self.live.values()]

    def _expiry(self, text: str) -> datetime:
        expires, now = moment(text), self._now()
        if expires <= now:
            raise GraphError(400, "InvalidRequest", "Subscription expiration must be in the future.")
        if expires - now > LONGEST + timedelta(minutes=1):
            raise GraphError(400, "InvalidRequest", "Subscription expiration can only be 10080 minutes in the future.")
        return expires

    def _refuse_double(self, new: Subscription) -> None:
        if any(
            (one.application, one.box, one.folder, one.changes) == (new.application, new.box, new.folder, new.changes)
            and one.url == new.url
            for one in self._alive()
        ):
            raise GraphError(409, "ResourceModified", "A subscription already exists for the requested resource.")

    def _address(self, url: str) -> str:
        if not url.startswith("https://"):
            raise GraphError(400, "InvalidRequest", "The underlying notification URL must use HTTPS.")
        return url

    def _really(self, url: str) -> str:
        found = next((public for public in self.reachable if url.startswith(public)), None)
        return url if found is None else self.reachable[found] + url.removeprefix(found)

    def _validate(self, url: str) -> None:
        """https://learn.microsoft.com/graph/change-notifications-delivery-webhooks#notificationurl-validation"""
        token = f"Validation: Testing client application reachability for subscription Request-Id: {uuid.uuid4()} &+%é"
        token += secrets.token_hex(16)
        try:
            answer = self._client.post(
                self._really(url),
                params={"validationToken": token},
                headers={"Content-Type": "text/plain; charset=utf-8"},
            )
            right = (
                answer.status_code == 200
                and answer.headers.get("content-type", "").partition(";")[0] == "text/plain"
                and answer.text == token
            )
            why = f"Status {answer.status_code}"
        except httpx.HTTPError as error:
            right, why = False, f"Operation timed out or failed: {type(error).__name__}"
        if not right:
            raise GraphError(
                400,
                "ValidationError",
                "Subscription validation request failed. Notification endpoint must respond with 200 OK to validation "
                f"request. {why}",
            )

    def _enqueue(self, one: Subscription, url: str, entry: dict[str, Any]) -> None:
        with self._idle:
            self._open += 1
        self._queue.put((one, url, entry))

    def _post_all(self) -> None:
        while (found := self._queue.get()) is not None:
            _, url, entry = found
            body = {"value": [entry]}
            status = 0
            if not self.muted:
                try:
                    status = self._client.post(self._really(url), json=body).status_code
                except httpx.HTTPError:
                    status = 0
            self.posted.append(Posted(url, body, status))
            with self._idle:
                self._open -= 1
                self._idle.notify_all()
