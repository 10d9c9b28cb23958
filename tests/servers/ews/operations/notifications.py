"""Subscribe, GetEvents, GetStreamingEvents and Unsubscribe (MS-OXWSNTIF)."""

import base64
import itertools
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lxml import etree

from tests.servers.ews.call import Call
from tests.servers.ews.soap import M, Refused, Reply, T, add
from tests.servers.ews.store import Event, Folder, Mailbox

if TYPE_CHECKING:
    from tests.servers.ews.server import ExchangeServer

HEARTBEAT_SECONDS = 45.0
_STATUS = "StatusEvent"


@dataclass(eq=False)
class Subscription:
    """Somebody wants to be told."""

    id: str
    mailbox: Mailbox
    folders: frozenset[str] | None
    """Ids; None for all folders."""
    kinds: frozenset[str]
    account: str
    events: list[Event] = field(default_factory=list)
    """What happened and was not told yet; a pull subscription keeps what was told."""
    taken: int = 0
    """How many events were told."""

    def wants(self, mailbox: Mailbox, event: Event) -> bool:
        """Whether this event is one that was asked for."""
        if mailbox is not self.mailbox or event.kind not in self.kinds:
            return False
        places = {event.folder.id} | ({event.old[0].id} if event.old else set())
        return self.folders is None or bool(self.folders & places)


class Subscriptions:
    """Every subscription of the server. Whoever touches them holds the server's lock."""

    def __init__(self, server: "ExchangeServer") -> None:
        self._server = server
        self._by_id: dict[str, Subscription] = {}
        self._numbers = itertools.count(1)
        self.streams = 0
        """How many streams are open."""
        self.generation = 0
        """Grows when streams are to end."""
        server.watch(self._happened)

    def make(
        self, mailbox: Mailbox, folders: Iterable[Folder] | None, kinds: Iterable[str], account: str
    ) -> Subscription:
        """A new one."""
        id_ = base64.b64encode(b"exchange.school.example\x10" + next(self._numbers).to_bytes(16, "big")).decode()
        wanted = None if folders is None else frozenset(folder.id for folder in folders)
        made = self._by_id[id_] = Subscription(id_, mailbox, wanted, frozenset(kinds), account)
        return made

    def find(self, id_: str, account: str) -> Subscription:
        """The one of this id. Raises Refused."""
        found = self._by_id.get(id_)
        if found is None:
            raise Refused("ErrorSubscriptionNotFound", "The specified subscription was not found.")
        if found.account != account:
            raise Refused("ErrorSubscriptionAccessDenied", "The subscription belongs to somebody else.")
        return found

    def end(self, id_: str) -> None:
        """That one is over."""
        self._by_id.pop(id_, None)

    def forget(self) -> None:
        """All are over, as after a restart of the mailbox server."""
        self._by_id.clear()
        self._server.happened.notify_all()

    def end_streams(self) -> None:
        """Every open stream ends in good order, as when its time is up."""
        self.generation += 1
        self._server.happened.notify_all()

    def _happened(self, mailbox: Mailbox, event: Event) -> None:
        for subscription in self._by_id.values():
            if subscription.wants(mailbox, event):
                subscription.events.append(event)
        self._server.happened.notify_all()


def subscribe(call: Call) -> etree._Element:
    """A streaming or a pull subscription."""
    asked = call.request[0]
    streaming = etree.QName(asked).localname == "StreamingSubscriptionRequest"

    def answer(_: etree._Element, message: etree._Element) -> None:
        if etree.QName(asked).localname == "PushSubscriptionRequest":
            raise Refused("ErrorInvalidPushSubscriptionUrl", "This server reaches nobody.")
        kinds = [kind.text or "" for kind in asked.iterfind(f"{T}EventTypes/{T}EventType")]
        folders = None if asked.get("SubscribeToAllFolders") == "true" else call.folders(asked.find(f"{T}FolderIds"))
        if folders is not None and (not folders or len({id(folder.mailbox) for folder in folders}) != 1):
            raise Refused("ErrorInvalidSubscriptionRequest", "The subscription must name folders of one mailbox.")
        mailbox = folders[0].mailbox if folders else call.own()
        made = call.server.subscriptions.make(mailbox, folders, kinds, call.account)
        add(message, f"{M}SubscriptionId", made.id)
        if not streaming:
            add(message, f"{M}Watermark", _watermark(0))

    return call.each([asked], answer)


def unsubscribe(call: Call) -> etree._Element:
    """The end of a subscription."""

    def answer(named: etree._Element, message: etree._Element) -> None:
        call.server.subscriptions.end(call.server.subscriptions.find(named.text or "", call.account).id)

    return call.each([call.request.find(f"{M}SubscriptionId")], answer)


def get_events(call: Call) -> etree._Element:
    """What happened since a watermark of a pull subscription."""

    def answer(named: etree._Element, message: etree._Element) -> None:
        subscription = call.server.subscriptions.find(named.text or "", call.account)
        given = call.request.findtext(f"{M}Watermark", "")
        seen = _seen(given)
        if seen > len(subscription.events):
            raise Refused("ErrorInvalidWatermark", "The watermark is invalid.")
        new = subscription.events[seen:]
        notification = add(message, f"{M}Notification")
        add(notification, f"{T}SubscriptionId", subscription.id)
        add(notification, f"{T}PreviousWatermark", given)
        add(notification, f"{T}MoreEvents", False)
        for number, event in enumerate(new, seen + 1):
            _show(notification, event, _watermark(number))
        if not new:
            add(add(notification, f"{T}{_STATUS}"), f"{T}Watermark", _watermark(seen))

    return call.each([call.request.find(f"{M}SubscriptionId")], answer)


def streamed(call: Call, gone: Callable[[], bool]) -> Iterator[etree._Element]:
    """The responses to GetStreamingEvents, one after the other for as long as it was asked. `gone` says whether the
    client has left or the server stops."""
    server = call.server
    asked = [one.text or "" for one in call.request.iterfind(f"{M}SubscriptionIds/{T}SubscriptionId")]
    until = time.monotonic() + 60 * int(call.request.findtext(f"{M}ConnectionTimeout", "1"))
    with server.lock:
        generation = server.subscriptions.generation
        refused = _refusal(call, asked)
    if refused is not None:
        yield refused
        return
    yield _status("OK")  # what follows runs when the client has been sent this
    with server.lock:
        server.subscriptions.streams += 1
        server.happened.notify_all()
    try:
        beat = time.monotonic() + HEARTBEAT_SECONDS
        while not gone():
            with server.lock:
                refused = _refusal(call, asked)
                over = server.subscriptions.generation != generation or time.monotonic() >= until
                told = None if refused is not None else _told(call, asked)
                if told is None and refused is None and not over:
                    server.happened.wait(0.05)
            if refused is not None:
                yield refused
                return
            if told is not None:
                yield told
            elif over:
                yield _status("Closed")
                return
            elif time.monotonic() >= beat:
                beat = time.monotonic() + HEARTBEAT_SECONDS
                yield _heartbeat(asked)
    finally:
        with server.lock:
            server.subscriptions.streams -= 1
            server.happened.notify_all()


def _refusal(call: Call, asked: list[str]) -> etree._Element | None:
    wrong = []
    first: Refused | None = None
    for id_ in asked:
        try:
            call.server.subscriptions.find(id_, call.account)
        except Refused as refused:
            first = first or refused
            wrong.append(id_)
    if first is None:
        return None
    reply = Reply("GetStreamingEvents")
    message = reply.refusal(first)
    holder = add(message, f"{M}ErrorSubscriptionIds")
    for id_ in wrong:
        add(holder, f"{T}SubscriptionId", id_)
    return reply.root


def _told(call: Call, asked: list[str]) -> etree._Element | None:
    found = [call.server.subscriptions.find(id_, call.account) for id_ in asked]
    if not any(subscription.events for subscription in found):
        return None
    reply = Reply("GetStreamingEvents")
    holder = add(reply.success(), f"{M}Notifications")
    for subscription in found:
        if subscription.events:
            notification = add(holder, f"{T}Notification")
            add(notification, f"{T}SubscriptionId", subscription.id)
            add(notification, f"{T}MoreEvents", False)
            for event in subscription.events:
                subscription.taken += 1
                _show(notification, event, _watermark(subscription.taken))
            subscription.events.clear()
    return reply.root


def _status(connection: str) -> etree._Element:
    reply = Reply("GetStreamingEvents")
    add(reply.success(), f"{M}ConnectionStatus", connection)
    return reply.root


def _heartbeat(asked: list[str]) -> etree._Element:
    reply = Reply("GetStreamingEvents")
    holder = add(reply.success(), f"{M}Notifications")
    for id_ in asked:
        notification = add(holder, f"{T}Notification")
        add(notification, f"{T}SubscriptionId", id_)
        add(notification, f"{T}MoreEvents", False)
        add(notification, f"{T}{_STATUS}")
    return reply.root


def _show(notification: etree._Element, event: Event, watermark: str) -> None:
    made = add(notification, f"{T}{event.kind}")
    add(made, f"{T}Watermark", watermark)
    add(made, f"{T}TimeStamp", event.at)
    add(made, f"{T}ItemId", Id=event.item[0], ChangeKey=event.item[1])
    _place(made, f"{T}ParentFolderId", event.folder)
    if event.old is not None:
        folder, id_, change_key = event.old
        add(made, f"{T}OldItemId", Id=id_, ChangeKey=change_key)
        _place(made, f"{T}OldParentFolderId", folder)


def _place(parent: etree._Element, tag: str, folder: Folder) -> None:
    add(parent, tag, Id=folder.id, ChangeKey=folder.mailbox.change_key(folder.change))


def _watermark(number: int) -> str:
    return base64.b64encode(b"watermark" + number.to_bytes(8, "big")).decode()


def _seen(watermark: str) -> int:
    try:
        return int.from_bytes(base64.b64decode(watermark, validate=True)[9:], "big")
    except ValueError as error:
        raise Refused("ErrorInvalidWatermark", "The watermark is invalid.") from error
