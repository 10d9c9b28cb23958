"""Delta queries over the messages of a folder: https://learn.microsoft.com/graph/delta-query-messages."""

import hashlib
import re
import secrets
from bisect import bisect_right
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from tests.servers.graph.item import Item
from tests.servers.graph.mailbox import Box, Change, Folder, Round
from tests.servers.graph.queries import applied, expanded, expansion, moment, only, preferences, selection
from tests.servers.graph.wire import Answer, GraphError, Request, Violation

_TYPES = ("created", "updated", "deleted")
DEFAULT_PAGE = 10


def delta(request: Request, box: Box, folder_name: str) -> Answer:
    """One page of changes in a folder."""
    preferred = preferences(request)
    folder = box.folder(folder_name)
    if "$skiptoken" in request.query or "$deltatoken" in request.query:
        only(request, ("$skiptoken",) if "$skiptoken" in request.query else ("$deltatoken",))
        current = _remembered(request, box, folder)
    else:
        current = _first_round(request, box, folder)
    size = preferred.page or DEFAULT_PAGE
    if box.scrambled and not {"$skiptoken", "$orderby"} & set(request.query):
        scrambled = sorted(current.waiting, key=lambda entry: hashlib.md5(str(entry[0]).encode()).digest())
        current = replace(current, waiting=tuple(scrambled))
    told, left = current.waiting[:size], current.waiting[size:]
    shown = [
        entry
        for number, change in told
        if (entry := _entry(box, folder, current, number, change, immutable=preferred.immutable)) is not None
    ]
    url = f"{request.base}/v1.0/users('{quote(box.id)}')/mailFolders('{quote(folder_name)}')/messages/delta"
    rest = replace(current, waiting=left)
    body: dict[str, Any] = {
        "@odata.context": f"{request.base}/v1.0/$metadata#Collection(message)",
        "value": shown,
    }
    if left:
        body["@odata.nextLink"] = f"{url}?$skiptoken={_token(box, rest)}"
    else:
        body["@odata.deltaLink"] = f"{url}?$deltatoken={_token(box, rest)}"
    return Answer(200, body, applied(preferred))


def _first_round(request: Request, box: Box, folder: Folder) -> Round:
    only(request, ("$select", "$expand", "$filter", "$orderby", "$top", "changeType"))
    order = request.query.get("$orderby")
    if order not in (None, "receivedDateTime desc"):
        raise Violation(f"$orderby={order}: only receivedDateTime desc is supported")
    change_type = request.query.get("changeType", "")
    if change_type not in ("", *_TYPES):
        raise Violation(f"changeType={change_type}")
    since = None
    if "$filter" in request.query:
        match = re.fullmatch(r"receivedDateTime (ge|gt) (\S+)", request.query["$filter"])
        if match is None:
            raise Violation(f"$filter={request.query['$filter']}: only receivedDateTime ge or gt is supported")
        since = moment(match[2])
    items = [item for item in box.items.values() if item.folder == folder.id]
    items = [item for item in items if since is None or item.received >= since]
    if order:
        items.sort(key=lambda item: item.received, reverse=True)
    if since is not None:
        items = items[:5000]  # "returns only up to 5,000 messages" with $filter
    return Round(
        folder=folder.id,
        select=selection(request),
        expand=expansion(request),
        since=since,
        change_type=change_type,
        upto=box.last_change,
        waiting=tuple((item.number, "created") for item in items),
        generation=box.generation,
    )


def _remembered(request: Request, box: Box, folder: Folder) -> Round:
    option = next(iter(request.query))
    found = box.rounds.get(request.query[option])
    if found is None or found.folder != folder.id or (option == "$skiptoken") != bool(found.waiting):
        raise GraphError(400, "BadRequest", "Badly formed token.")
    if found.generation != box.generation:
        raise GraphError(
            410,
            box.gone_code,
            "The sync state generation is not found. The delta token is expired and data must be synchronized again.",
        )
    return found if found.waiting else _next_round(box, folder, found)


def _next_round(box: Box, folder: Folder, last: Round) -> Round:
    """What happened in the folder since a round: one entry for each message, in the order of their last change."""
    start = bisect_right(folder.journal, last.upto, key=lambda entry: entry[0])
    happened: dict[int, list[Change]] = {}
    for _, number, change in folder.journal[start:]:
        changes = happened.pop(number, [])
        happened[number] = [*changes, change]
    waiting: list[tuple[int, Change]] = []
    for number, changes in happened.items():
        came, left = changes[0] == "created", changes[-1] == "deleted"
        if left:
            change: Change | None = None if came else "deleted"
        elif "created" in changes:
            change = "created"
        else:
            change = "updated" if "updated" in changes else "read"
        kind = "updated" if change == "read" else change
        if change is not None and last.change_type in ("", kind):
            waiting.append((number, change))
    return replace(last, upto=box.last_change, waiting=tuple(waiting))


def _entry(
    box: Box, folder: Folder, current: Round, number: int, change: Change, *, immutable: bool
) -> dict[str, Any] | None:
    item = box.items.get(number)
    here = item is not None and item.folder == folder.id
    if change == "deleted" or not here:
        id_ = box.last_id(number, folder.id, immutable=immutable)
        return {
            "@odata.type": "#microsoft.graph.message",
            "id": id_,
            "@removed": {"reason": "deleted"},
        }
    assert item is not None
    if current.since is not None and item.received < current.since:
        return None
    return {"@odata.type": "#microsoft.graph.message"} | _shown(item, current, change, immutable=immutable)


def _shown(item: Item, current: Round, change: Change, *, immutable: bool) -> dict[str, Any]:
    if change == "read":  # a message that was only read comes with little more than that
        return item.shown(["isRead"], immutable=immutable)
    return item.shown(current.select, immutable=immutable) | expanded(item, current.expand)


def _token(box: Box, current: Round) -> str:
    token = secrets.token_urlsafe(40)
    box.rounds[token] = current
    return token
