"""Attachments of drafts, whole or in pieces: https://learn.microsoft.com/graph/outlook-large-attachments."""

import binascii
import re
import secrets
from base64 import b64decode
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from typing import Any

from tests.servers.graph.item import Item
from tests.servers.graph.mailbox import Box
from tests.servers.graph.queries import only, preferences
from tests.servers.graph.wire import Answer, GraphError, Request, Violation, checked_properties

LARGEST = 150 * 1024 * 1024
"""Bytes of a file."""
LARGEST_PIECE = 4 * 1024 * 1024
"""Bytes of one piece."""
_FILE = "#microsoft.graph.fileAttachment"
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")


@dataclass
class UploadSession:
    """A file that is brought up in pieces."""

    box: Box
    item: Item
    name: str
    content_type: str
    size: int
    content: bytearray = field(default_factory=bytearray)


def attach(request: Request, box: Box, id_: str) -> Answer:
    """A file that comes whole."""
    only(request, ())
    preferences(request)
    item, given = _draft(box, id_), request.json()
    checked_properties(given, ("name", "contentType", "contentBytes", "isInline", "contentId"), "attachment")
    if given.get("@odata.type") != _FILE or not isinstance(given.get("name"), str):
        raise Violation(f"attachment: {given.get('@odata.type')!r} named {given.get('name')!r}")
    try:
        content = b64decode(given.get("contentBytes", ""), validate=True)
    except (binascii.Error, TypeError) as error:
        raise Violation("attachment: contentBytes is no base64") from error
    content_type = given.get("contentType", "application/octet-stream")
    _add(box, item, given["name"], content_type, content)
    shown = {"@odata.type": _FILE, "id": _id(item), "name": given["name"], "contentType": content_type}
    return Answer(201, shown | {"size": len(content)})


def create_session(request: Request, box: Box, id_: str, sessions: dict[str, UploadSession] | None) -> Answer:
    """https://learn.microsoft.com/graph/api/attachment-createuploadsession; `sessions` is None in a cloud without."""
    if sessions is None:
        raise Violation(f"{request.method} {request.target}: no such path", 404, "ResourceNotFound")
    only(request, ())
    preferences(request)
    item, given = _draft(box, id_), request.json()
    checked_properties(given, ("AttachmentItem",), "createUploadSession")
    wanted: dict[str, Any] = given.get("AttachmentItem") or {}
    checked_properties(
        wanted, ("attachmentType", "name", "size", "contentType", "isInline", "contentId"), "AttachmentItem"
    )
    size = wanted.get("size")
    if wanted.get("attachmentType") != "file" or not isinstance(wanted.get("name"), str) or not isinstance(size, int):
        raise Violation(f"createUploadSession: {wanted}")
    if not 0 < size <= LARGEST:
        raise GraphError(400, "ErrorAttachmentSizeLimitExceeded", "The attachment size exceeds the limit.")
    key = secrets.token_urlsafe(30)
    content_type = wanted.get("contentType", "application/octet-stream")
    sessions[key] = UploadSession(box, item, wanted["name"], content_type, size)
    return Answer(201, {"uploadUrl": f"{request.base}/upload/{key}?authtoken={key}", "nextExpectedRanges": ["0-"]})


def upload(request: Request, sessions: dict[str, UploadSession]) -> Answer:
    """One piece. The address is all that it takes: a token must not be shown here."""
    if "authorization" in request.headers:
        raise Violation("PUT to an upload session: Authorization is not to be sent")
    session = sessions.get(request.segments[-1])
    if session is None or request.query.get("authtoken") != request.segments[-1]:
        raise GraphError(404, "ErrorItemNotFound", "The upload session was not found.")
    if len(request.body) > LARGEST_PIECE:
        raise GraphError(413, "RequestEntityTooLarge", "The piece is larger than 4 MB.")
    match = _RANGE.fullmatch(request.headers.get("content-range", ""))
    first, last, size = (int(number) for number in match.groups()) if match else (0, -1, 0)
    if match is None or last - first + 1 != len(request.body) or size != session.size:
        raise Violation(f"PUT to an upload session: Content-Range {request.headers.get('content-range')!r}")
    if first != len(session.content):
        raise GraphError(416, "ErrorInvalidRange", "The range of the piece is not the one that is expected.")
    session.content += request.body
    if len(session.content) < session.size:
        return Answer(200, {"nextExpectedRanges": [f"{len(session.content)}-"]})
    del sessions[request.segments[-1]]
    with session.box.lock:
        _add(session.box, session.item, session.name, session.content_type, bytes(session.content))
    return Answer(201, headers={"Location": f"{request.base}/v1.0/attachments/{_id(session.item)}"})


def _draft(box: Box, id_: str) -> Item:
    item = box.item(id_)
    if not item.is_draft:
        raise GraphError(400, "ErrorInvalidRequest", "Attachments can only be added to drafts.")
    return item


def _add(box: Box, item: Item, name: str, content_type: str, content: bytes) -> None:
    message = message_from_bytes(item.mime, policy=policy.SMTP.clone(refold_source="none"))
    kind, _, subtype = content_type.partition("/")
    message.add_attachment(content, maintype=kind, subtype=subtype or "octet-stream", filename=name)
    item.replace_mime(message.as_bytes())
    box.touch(item)


def _id(item: Item) -> str:
    return f"{item.immutable_id[:-1]}{item.change:06x}="
