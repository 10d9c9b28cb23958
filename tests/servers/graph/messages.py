"""Folders, messages and categories: what a request to a mailbox is answered with.

https://learn.microsoft.com/graph/api/resources/mail-api-overview
"""

import base64
import binascii
import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from email import message_from_bytes, policy
from typing import Any
from urllib.parse import quote, urlencode

from tests.servers.graph.item import WRITABLE, WRITABLE_IN_DRAFTS, Item, composed
from tests.servers.graph.mailbox import Box, Category, Folder
from tests.servers.graph.queries import (
    Preferences,
    applied,
    condition,
    expanded,
    expansion,
    number,
    only,
    ordering,
    preferences,
    selection,
)
from tests.servers.graph.wire import Answer, GraphError, Request, Violation, checked_properties

UPLOAD_LIMIT = 4 * 1024 * 1024
"""Bytes of a request that Graph takes."""
COLOURS = ("none", *(f"preset{index}" for index in range(25)))
_FOLDER_PROPERTIES = (
    "id",
    "displayName",
    "parentFolderId",
    "childFolderCount",
    "unreadItemCount",
    "totalItemCount",
    "sizeInBytes",
    "isHidden",
)


# Folders


def list_folders(request: Request, box: Box) -> Answer:
    only(request, ("$select", "$top", "$skip", "$count", "includeHiddenFolders"))
    select = selection(request, _FOLDER_PROPERTIES)
    folders = list(box.folders.values())
    top, skip = number(request, "$top", 10, 1000), number(request, "$skip", 0, 100_000)
    shown = [_folder(box, folder, select) for folder in folders[skip : skip + top]]
    return Answer(200, _page(request, shown, len(folders), skip + top))


def get_folder(request: Request, box: Box, folder: str) -> Answer:
    only(request, ("$select",))
    return Answer(200, _folder(box, box.folder(folder), selection(request, _FOLDER_PROPERTIES)))


def child_folders(request: Request, box: Box, folder: str) -> Answer:
    only(request, ("$select", "$top", "$skip", "includeHiddenFolders"))
    box.folder(folder)
    return Answer(200, {"value": []})


def _folder(box: Box, folder: Folder, select: tuple[str, ...] | None) -> dict[str, Any]:
    items = [item for item in box.items.values() if item.folder == folder.id]
    shown = {
        "id": folder.id,
        "displayName": folder.name,
        "parentFolderId": box.root,
        "childFolderCount": 0,
        "unreadItemCount": sum(not item.is_read for item in items),
        "totalItemCount": len(items),
        "sizeInBytes": sum(len(item.mime) for item in items),
        "isHidden": False,
    }
    return {name: value for name, value in shown.items() if select is None or name in ("id", *select)}


# Reading messages


def list_messages(request: Request, box: Box, folder: str | None = None) -> Answer:
    only(request, ("$select", "$filter", "$orderby", "$top", "$skip", "$count", "$expand"))
    preferred, select, tags = preferences(request), selection(request), expansion(request)
    test, names = condition(request)
    key, descending = ordering(request, names)
    within = box.folder(folder).id if folder is not None else None
    found = [item for item in box.items.values() if within in (None, item.folder) and test(item)]
    found.sort(key=key, reverse=descending)
    top, skip = number(request, "$top", preferred.page or 10, 1000), number(request, "$skip", 0, 1_000_000)
    shown = [_message(item, preferred, select, tags) for item in found[skip : skip + top]]
    return Answer(200, _page(request, shown, len(found), skip + top), applied(preferred))


def get_message(request: Request, box: Box, id_: str) -> Answer:
    only(request, ("$select", "$expand"))
    preferred = preferences(request)
    shown = _message(box.item(id_), preferred, selection(request), expansion(request))
    return Answer(200, {"@odata.context": f"{request.base}/v1.0/$metadata#message"} | shown, applied(preferred))


def get_mime(request: Request, box: Box, id_: str) -> Answer:
    only(request, ())
    preferences(request)
    item = box.item(id_)
    if item.mime_fails:
        raise GraphError(500, "ErrorMimeContentConversionFailed", "The MIME content conversion failed.")
    return Answer(200, item.mime, content_type="text/plain")


# Drafts, sending


def create_message(request: Request, box: Box, now: datetime, folder: str = "drafts") -> Answer:
    only(request, ())
    preferred = preferences(request)
    if request.content_type == "text/plain":
        item = box.add(folder, _mime(request), draft=True)
    else:
        given = request.json()
        checked_properties(given, (*WRITABLE, "internetMessageHeaders"), "create message")
        item = box.add(folder, composed(given, box.address, now), draft=True)
        _apply(item, given)
    return _created(request, item, preferred)


def create_reply(request: Request, box: Box, id_: str, now: datetime) -> Answer:
    only(request, ())
    preferred, original = preferences(request), box.item(id_)
    if request.content_type == "text/plain":
        mime = _mime(request)
    else:
        given = request.json() if request.body else {}
        checked_properties(given, ("message", "comment"), "createReply")
        message = given.get("message") or {}
        checked_properties(message, WRITABLE, "createReply message")
        if "comment" in given and "body" in message:
            raise GraphError(400, "ErrorInvalidRequest", "Specify either a comment or the body of the message.")
        mime = composed(_answering(original, given) | message, box.address, now)
    item = box.add("drafts", _threaded(mime, original), draft=True, conversation=original.conversation)
    return _created(request, item, preferred)


def send(request: Request, box: Box, id_: str) -> Answer:
    only(request, ())
    request.nothing()
    preferences(request)
    item = box.item(id_)
    if not item.is_draft:
        raise GraphError(400, "ErrorInvalidRequest", "The request is invalid: the message is not a draft.")
    if not any(item.addresses(name) for name in ("To", "Cc", "Bcc")):
        raise GraphError(400, "ErrorInvalidRecipients", "At least one recipient is not valid.")
    box.send(item)
    return Answer(202)


def send_mail(request: Request, box: Box, now: datetime) -> Answer:
    only(request, ())
    keep = True
    if request.content_type == "text/plain":
        mime = _mime(request)
    else:
        given = request.json()
        checked_properties(given, ("message", "saveToSentItems"), "sendMail")
        checked_properties(given.get("message", {}), (*WRITABLE, "internetMessageHeaders"), "sendMail message")
        keep = given.get("saveToSentItems", True)
        mime = composed(given.get("message", {}), box.address, now)
    item = box.add("drafts", mime, draft=True)
    box.send(item, keep=keep)
    return Answer(202)


# Changing messages


def update_message(request: Request, box: Box, id_: str, now: datetime) -> Answer:
    only(request, ())
    preferred, given, item = preferences(request), request.json(), box.item(id_)
    checked_properties(given, WRITABLE, "update message")
    _same_version(request, item)
    fixed = sorted(set(given) & WRITABLE_IN_DRAFTS)
    if fixed and not item.is_draft:
        raise GraphError(400, "ErrorInvalidPropertySet", f"The property {fixed[0]} cannot be set: not a draft.")
    if fixed:
        item.replace_mime(composed({name: given[name] for name in fixed}, box.address, now, item.mime))
    _apply(item, given)
    box.touch(item, "read" if set(given) == {"isRead"} else "updated")
    return Answer(200, _message(item, preferred, None, ()), applied(preferred))


def move_message(request: Request, box: Box, id_: str) -> Answer:
    only(request, ())
    preferred, given, item = preferences(request), request.json(), box.item(id_)
    checked_properties(given, ("destinationId",), "move")
    box.move_item(item, box.folder(given["destinationId"]).id)
    return _created(request, item, preferred)


def delete_message(request: Request, box: Box, id_: str) -> Answer:
    """Into Deleted Items, and out of there for good: https://learn.microsoft.com/graph/api/message-delete."""
    only(request, ())
    request.nothing()
    preferences(request)
    item, bin_ = box.item(id_), box.folder("deleteditems").id
    _same_version(request, item)
    if item.folder == bin_:
        box.remove(item)
    else:
        box.move_item(item, bin_)
    return Answer(204)


# Categories


def list_categories(request: Request, box: Box) -> Answer:
    only(request, ("$select", "$top", "$skip"))
    return Answer(200, {"value": [_category(category) for category in box.categories]})


def create_category(request: Request, box: Box) -> Answer:
    only(request, ())
    given = request.json()
    checked_properties(given, ("displayName", "color"), "create category")
    name, colour = given.get("displayName"), given.get("color", "none")
    if not isinstance(name, str) or not name.strip() or colour not in COLOURS:
        raise Violation(f"masterCategories: displayName {name!r}, color {colour!r}")
    if any(category.name.casefold() == name.casefold() for category in box.categories):
        raise GraphError(409, "ErrorItemExists", "The category already exists.")
    category = Category(str(uuid.uuid4()), name, colour)
    box.categories.append(category)
    return Answer(201, _category(category))


def _category(category: Category) -> dict[str, str]:
    return {"id": category.id, "displayName": category.name, "color": category.colour}


def automatic_replies(request: Request, box: Box) -> Answer:
    only(request, ())
    asked = {part.strip() for part in request.headers.get("prefer", "").split(",")}
    if unknown := asked - {"", 'IdType="ImmutableId"', 'outlook.timezone="UTC"'}:
        raise Violation(f"automaticRepliesSetting: Prefer {sorted(unknown)}")
    moment = {"dateTime": "2026-03-19T02:00:00.0000000", "timeZone": "UTC"}
    return Answer(200, {"scheduledStartDateTime": moment, "scheduledEndDateTime": moment} | box.automatic_replies)


# Shared


def _message(
    item: Item, preferred: Preferences, select: tuple[str, ...] | None, tags: tuple[str, ...]
) -> dict[str, Any]:
    return item.shown(select, immutable=preferred.immutable, body_type=preferred.body_type) | expanded(item, tags)


def _created(request: Request, item: Item, preferred: Preferences) -> Answer:
    shown = _message(item, preferred, None, ())
    return Answer(201, {"@odata.context": f"{request.base}/v1.0/$metadata#message"} | shown, applied(preferred))


def _page(request: Request, shown: list[dict[str, Any]], total: int, upto: int) -> dict[str, Any]:
    page: dict[str, Any] = {"@odata.context": f"{request.base}/v1.0/$metadata#Collection"}
    if request.query.get("$count", "false") == "true":
        page["@odata.count"] = total
    page["value"] = shown
    if upto < total:
        query = urlencode(dict(request.query) | {"$skip": str(upto)}, quote_via=quote, safe="$,'")
        page["@odata.nextLink"] = f"{request.base}/v1.0{request.target.partition('?')[0].removeprefix('/v1.0')}?{query}"
    return page


def _same_version(request: Request, item: Item) -> None:
    """If-Match (RFC 9110 §13.1.1): somebody else may have changed the message meanwhile."""
    wanted = request.headers.get("if-match", "*")
    if wanted not in ("*", item.etag):
        text = "The change key passed in the request does not match the current change key for the item."
        raise GraphError(412, "ErrorIrresolvableConflict", text)


def _mime(request: Request) -> bytes:
    try:
        mime = base64.b64decode(request.body, validate=True)
    except binascii.Error as error:
        raise Violation("MIME content is sent base64-encoded", code="ErrorMimeContentInvalidBase64String") from error
    if not message_from_bytes(mime, policy=policy.compat32).keys():
        raise GraphError(400, "ErrorMimeContentInvalid", "The MIME content is invalid.")
    return mime


def _apply(item: Item, given: Mapping[str, Any]) -> None:
    """Writes what is not in the MIME."""
    if "categories" in given:
        categories = given["categories"]
        if not isinstance(categories, list) or not all(isinstance(name, str) and name for name in categories):
            raise Violation(f"categories: {categories!r}")
        item.categories = list(dict.fromkeys(categories))
    if "isRead" in given:
        item.is_read = _boolean(given["isRead"])
    if "importance" in given:
        if given["importance"] not in ("low", "normal", "high"):
            raise Violation(f"importance: {given['importance']!r}")
        item.importance = given["importance"]
    if "flag" in given:
        checked_properties(given["flag"], ("flagStatus", "dueDateTime", "startDateTime", "completedDateTime"), "flag")
        item.flagged = given["flag"].get("flagStatus") == "flagged"
    for written in given.get("singleValueExtendedProperties", ()):
        checked_properties(written, ("id", "value"), "singleValueExtendedProperties")
        item.extended[written["id"]] = written["value"]


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise Violation(f"{value!r} is no Boolean")
    return value


def _answering(original: Item, given: Mapping[str, Any]) -> dict[str, Any]:
    subject = original.header("Subject")
    answered = original.addresses("Reply-To") or original.addresses("From")
    quoted = "\n".join(f"> {line}" for line in original.text().splitlines())
    return {
        "subject": subject if re.match(r"(?i)re:", subject) else f"RE: {subject}",
        "toRecipients": answered,
        "body": {"contentType": "text", "content": f"{given.get('comment', '')}\n\n{quoted}\n"},
    }


def _threaded(mime: bytes, original: Item) -> bytes:
    """A reply refers to what it answers, also where the client did not say so."""
    head = re.split(rb"\r?\n\r?\n", mime, maxsplit=1)[0].lower()
    if re.search(rb"^in-reply-to:", head, re.MULTILINE):
        return mime
    references = " ".join([*original.header("References").split(), original.message_id])
    return f"In-Reply-To: {original.message_id}\r\nReferences: {references}\r\n".encode() + mime
