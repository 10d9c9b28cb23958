"""The simulated mail system: a process of its own that holds every mailbox, answers as slowly as a distant server, and
writes down what it sees. Whoever judges the service reads this, and nothing of the service's own.

`python -m benchmarks.district.provider SOCKET SEED MAILBOXES WITH_OLD_MAIL` answers on a Unix socket until it ends.
"""

import asyncio
import base64
import gc
import json
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from random import Random
from typing import Any

from autoresponder.identifiers import derived_message_id, original_key
from benchmarks.district import wire
from benchmarks.district.post import Mix, addresses, arrivals, post
from connectors.mime import parse_message

OFFICE = "office@district.example"
_OLD_MAIL = 300
_MESSAGE_ID = re.compile(rb"^Message-ID:\s*<([^>]+)>", re.MULTILINE | re.IGNORECASE)


@dataclass(slots=True)
class _Message:
    id: str
    content: str
    """Base64."""
    message_id: str
    received_at: float
    sent: bool = False
    old: bool = False
    labels: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Draft:
    content: bytes
    message_id: str
    sent: bool = False


@dataclass(slots=True)
class _Mailbox:
    seq: int = 0
    messages: dict[str, _Message] = field(default_factory=dict)
    log: list[tuple[int, str, bool]] = field(default_factory=list)
    """Change number, message, and whether only its labels changed."""
    drafts: dict[str, _Draft] = field(default_factory=dict)
    looked_at: float = 0.0


@dataclass(slots=True)
class Seen:
    """What became of a message, in seconds of this machine's clock."""

    mailbox: str
    arrived: float
    urgent: bool
    """As people labelled it."""
    route: str
    """The Message-ID that it would come to the office under."""
    read: float = 0.0
    """When it was handed to the service."""
    tagged: float = 0.0


class Provider:
    """All mailboxes, and what is seen of them."""

    def __init__(self, random: Random, mailboxes: list[str]) -> None:
        """`random` draws latencies and letters."""
        self._random = random
        self._boxes = {address: _Mailbox() for address in mailboxes}
        self._number = 0
        self._old_left = 0
        self.seen: dict[str, Seen] = {}
        """By Message-ID."""
        self.at_office: list[tuple[float, str, str]] = []
        """When, from which mailbox, and the route's own Message-ID."""
        self.begun: dict[str, float] = {}
        """When the service first asked for a mail of its own by this Message-ID: the first step of bringing it out."""
        self.calls: Counter[str] = Counter()
        self.gaps: list[float] = []
        """Seconds between two looks at the same mailbox."""
        self.bulk: defaultdict[str, list[float]] = defaultdict(list)
        """When labels were written and answers sent, by mailbox."""
        self._do: dict[str, Callable[[_Mailbox, dict[str, Any]], dict[str, Any]]] = {
            "changes": self._changes,
            "fetch": self._fetch,
            "tag": self._tag,
            "save_draft": self._save_draft,
            "draft_state": self._draft_state,
            "send_draft": self._send_draft,
            "discard_draft": self._discard_draft,
            "absence": lambda _box, _asked: {},
        }

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request at a time."""
        while asked := await reader.readline():
            request = json.loads(asked)
            if request["do"] in _SPOKEN:
                answer = _SPOKEN[request["do"]](self, request)
            else:
                await asyncio.sleep(wire.latency(self._random))
                self.calls[request["do"]] += 1
                answer = self._do[request["do"]](self._boxes[request["box"]], request)
            writer.write(wire.line(answer))
            await writer.drain()
        writer.close()

    def deliver(self, mailbox: str, mix: Mix) -> None:
        """A message comes in now."""
        now, self._number = time.time(), self._number + 1
        posted = post(self._random, mailbox, self._number, datetime.now(UTC), mix)
        self._put(self._boxes[mailbox], posted.content, now, sent=False)
        message = parse_message(posted.content, mailbox=mailbox, id="", received_at=datetime.now(UTC))
        route = derived_message_id(original_key(message), "route", mailbox)
        self.seen[posted.message_id] = Seen(mailbox, now, posted.urgent, route)

    def put_old(self, mailbox: str, count: int) -> None:
        """Mail that lies in a mailbox before it is connected."""
        for _ in range(count):
            self._number += 1
            posted = post(self._random, mailbox, self._number, datetime.now(UTC), Mix(0.7))
            message = self._put(self._boxes[mailbox], posted.content, time.time() - 86_400, sent=False)
            message.old = True
            self._old_left += 1

    def counted(self) -> dict[str, Any]:
        """What was asked since the start."""
        looked = sum(box.looked_at > 0 for box in self._boxes.values())
        return {"calls": dict(self.calls), "looked": looked, "gaps": len(self.gaps), "old": self._old_left}

    def seen_since(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What was seen of the messages that arrived since then, at the office, and between looks."""
        since = asked["since"]
        now = time.time()
        return {
            "messages": [
                [each.mailbox, each.arrived, each.urgent, each.route, each.read, each.tagged]
                for each in self.seen.values()
                if each.arrived >= since
            ],
            "office": [each for each in self.at_office if each[0] >= since],
            "gaps": self.gaps[asked["gaps"] :],
            "open": [now - box.looked_at for box in self._boxes.values()],
            "begun": {each[2]: self.begun[each[2]] for each in self.at_office if each[2] in self.begun},
            "bulk": {box: [at for at in times if at >= since] for box, times in self.bulk.items()},
        }

    def _put(self, box: _Mailbox, content: bytes, at: float, *, sent: bool) -> _Message:
        box.seq += 1
        message = _Message(f"m{box.seq}", base64.b64encode(content).decode(), _id_of(content), at, sent)
        box.messages[message.id] = message
        box.log.append((box.seq, message.id, False))
        return message

    def _changes(self, box: _Mailbox, asked: dict[str, Any]) -> dict[str, Any]:
        now, cursor, limit = time.time(), asked["cursor"], asked["limit"]
        if box.looked_at:
            self.gaps.append(now - box.looked_at)
        box.looked_at = now
        news = [each for each in box.log if each[0] > cursor]
        page = news[:limit]
        for _, number, only_labels in page:
            seen = self.seen.get(box.messages[number].message_id) if not only_labels else None
            if seen is not None and not seen.read:
                seen.read = now
        messages = [box.messages[number] for _, number, only_labels in page if not only_labels]
        self._old_left -= sum(each.old for each in messages)
        labels = {number: box.messages[number].labels for _, number, only_labels in page if only_labels}
        return {
            "cursor": page[-1][0] if page else cursor,
            "messages": [_told(each) for each in messages],
            "labels": labels,
            "more": len(news) > limit,
        }

    def _fetch(self, box: _Mailbox, asked: dict[str, Any]) -> dict[str, Any]:
        return _told(box.messages[asked["id"]])

    def _tag(self, box: _Mailbox, asked: dict[str, Any]) -> dict[str, Any]:
        now = time.time()
        for number, labels in asked["wanted"].items():
            message = box.messages[number]
            message.labels = labels
            box.seq += 1
            box.log.append((box.seq, number, True))
            seen = self.seen.get(message.message_id)
            if seen is not None and not seen.tagged:
                seen.tagged = now
        self.bulk[asked["box"]].append(now)
        return {}

    def _save_draft(self, box: _Mailbox, asked: dict[str, Any]) -> dict[str, Any]:
        content = base64.b64decode(asked["mime"])
        message_id = _id_of(content)
        for number, draft in box.drafts.items():
            if draft.message_id == message_id and not draft.sent:
                return {"id": number}
        number = f"d{len(box.drafts) + 1}"
        box.drafts[number] = _Draft(content, message_id)
        return {"id": number}

    def _draft_state(self, box: _Mailbox, asked: dict[str, Any]) -> dict[str, Any]:
        self.begun.setdefault(asked["message_id"], time.time())
        for number, draft in box.drafts.items():
            if asked["id"] == number or (not asked["id"] and draft.message_id == asked["message_id"]):
                return {"state": "sent" if draft.sent else "draft"}
        return {"state": "gone"}

    def _send_draft(self, box: _Mailbox, asked: dict[str, Any]) -> dict[str, Any]:
        now, draft = time.time(), box.drafts[asked["id"]]
        if draft.sent:
            return {}
        draft.sent = True
        self._put(box, draft.content, now, sent=True)
        if OFFICE in str(message_from_bytes(draft.content)["To"]):
            self.at_office.append((now, asked["box"], draft.message_id))
        else:
            self.bulk[asked["box"]].append(now)
        draft.content = b""
        return {}

    @staticmethod
    def _discard_draft(box: _Mailbox, asked: dict[str, Any]) -> dict[str, Any]:
        box.drafts.pop(asked["id"], None)
        return {}


async def _morning(provider: Provider, mailboxes: list[str], asked: dict[str, Any]) -> None:
    """Mail comes in, at the rate and for the time asked for."""
    began = time.monotonic()
    mix = Mix(asked["families"], asked["tags"])
    for at, mailbox in arrivals(Random(asked["seed"]), mailboxes, asked["per_second"], asked["seconds"]):
        await asyncio.sleep(max(0.0, began + at - time.monotonic()))
        provider.deliver(mailbox, mix)


def _id_of(content: bytes) -> str:
    found = _MESSAGE_ID.search(content)
    return found[1].decode("ascii", "replace") if found else ""


def _told(message: _Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "raw": message.content,
        "at": message.received_at,
        "sent": message.sent,
        "old": message.old,
        "labels": message.labels,
    }


_MORNINGS: set[asyncio.Task[None]] = set()


def _begin(provider: Provider, asked: dict[str, Any]) -> dict[str, Any]:
    task = asyncio.get_running_loop().create_task(_morning(provider, asked["mailboxes"], asked))
    _MORNINGS.add(task)
    task.add_done_callback(_MORNINGS.discard)
    return {}


_SPOKEN: dict[str, Callable[[Provider, dict[str, Any]], dict[str, Any]]] = {
    "begin": _begin,
    "counted": lambda provider, _: provider.counted(),
    "seen": lambda provider, asked: provider.seen_since(asked),
}
"""What the benchmark itself asks, without delay."""


async def _run(path: str, seed: int, count: int, old: int) -> None:
    boxes = addresses(count)
    provider = Provider(Random(seed), boxes)
    for address in boxes[:old]:
        provider.put_old(address, _OLD_MAIL)
    gc.freeze()
    server = await asyncio.start_unix_server(provider.serve, path, limit=wire.LONGEST_LINE)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], *map(int, sys.argv[2:])))
