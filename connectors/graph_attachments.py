"""Drafts that are too large for one request: their attachments are taken out and brought up one by one.

Graph takes four megabytes in one request, which is three of MIME. An urgent message with photographs, on its way to the
office, is more. https://learn.microsoft.com/graph/outlook-large-attachments
"""

import base64
import binascii
import quopri
import re
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser
from email.policy import compat32

import httpx

from connectors.backoff import Busy, Patience
from connectors.errors import ConnectFailed, DraftFailed, InsecureConnection
from connectors.graph_client import GraphClient
from connectors.graph_clouds import is_local
from connectors.graph_entries import message_path
from connectors.graph_errors import BUSY
from connectors.graph_http import Broken, http_client, line, may_repeat

LARGEST_REQUEST = 2_900_000
"""Bytes of MIME, or of one attachment, that fit into a request of four megabytes in base64."""
_RANGE = 10 * 320 * 1024
"""Bytes of one piece of an upload: less than four megabytes."""
_HEADER_END = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that was taken out of a draft."""

    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a multipart message, from behind its boundary line to before the next."""

    raw: bytes
    header: Message
    body: bytes

    @property
    def is_attachment(self) -> bool:
        return str(self.header.get("Content-Disposition", "")).lstrip().lower().startswith("attachment")


def lightened(mime: bytes, most: int = LARGEST_REQUEST) -> tuple[bytes, list[Attachment]]:
    """The message without as many of its attachments, largest first, as keep it from fitting into one request of `most`
    bytes; and those. Raises DraftFailed where it does not fit without them either."""
    head = BytesHeaderParser(policy=compat32).parsebytes(mime[: _body_start(mime)])
    boundary = head.get_boundary()
    if head.get_content_maintype() != "multipart" or not boundary:
        raise DraftFailed("a mail of this size without attachments cannot be sent over Microsoft Graph")
    between = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary.encode("ascii", "replace")) + rb"(?=--|\s|\Z)")
    before, *pieces = between.split(mime)
    parts = [_part(piece) for piece in pieces]
    taken: list[Attachment] = []
    kept = dict(enumerate(parts))
    size = len(mime)
    for number, part in sorted(kept.items(), key=lambda one: -len(one[1].raw)):
        if size <= most:
            break
        if part.is_attachment:
            taken.append(_attachment(part))
            size -= len(part.raw)
            del kept[number]
    if size > most:
        raise DraftFailed("a mail of this size cannot be sent over Microsoft Graph, even without its attachments")
    line_of = b"\r\n--" + boundary.encode("ascii", "replace")
    return before + b"".join(line_of + parts[number].raw for number in sorted(kept)), taken


def attach(client: GraphClient, id_: str, attachment: Attachment) -> None:
    """Adds a file to a draft. Raises Refused, Unanswered, MailboxError."""
    if len(attachment.content) <= LARGEST_REQUEST:
        file = {
            "@odata.type": "#microsoft.graph.fileAttachment",
            "name": attachment.name,
            "contentType": attachment.content_type,
            "contentBytes": base64.b64encode(attachment.content).decode("ascii"),
        }
        client.once_json(f"{message_path(id_)}/attachments", file)
        return
    item = {
        "attachmentType": "file",
        "name": attachment.name,
        "size": len(attachment.content),
        "contentType": attachment.content_type,
    }
    session = client.once_json(f"{message_path(id_)}/attachments/createUploadSession", {"AttachmentItem": item})
    url = session.get("uploadUrl") if isinstance(session, dict) else None
    if not isinstance(url, str):
        raise ConnectFailed(f"Microsoft Graph, {client.address}: an upload session without an address")
    _upload(url, attachment.content, client.timeout, client.patience)


def _upload(url: str, content: bytes, timeout: float, patience: Patience) -> None:
    """Brings up a file in pieces. The address holds its own key: no token of ours goes there."""
    if not url.startswith("https://") and not is_local(url):
        raise InsecureConnection("Microsoft Graph names an upload address without TLS; nothing is brought there")
    with http_client(url, timeout) as http:
        for start in range(0, len(content), _RANGE):
            piece = content[start : start + _RANGE]
            headers = {
                "Content-Type": "application/octet-stream",
                "Content-Range": f"bytes {start}-{start + len(piece) - 1}/{len(content)}",
            }
            patience.run(_piece(http, url, headers, piece))


def _piece(http: httpx.Client, url: str, headers: dict[str, str], piece: bytes) -> Callable[[], None]:
    """Brings up one piece. That the server has it already (416) is good news where it was sent before and the answer
    lost; otherwise the server lacks something that comes before it."""
    host = httpx.URL(url).host
    sent = broken = 0

    def put() -> None:
        nonlocal sent, broken
        while True:
            sent += 1
            try:
                with line(host):
                    status = http.put(url, headers=headers, content=piece).status_code
                break
            except Broken as error:
                broken += 1
                if not may_repeat(broken):
                    raise ConnectFailed(f"Microsoft Graph: an attachment could not be brought up ({error})") from error
        if status in BUSY:
            raise Busy(f"{host} answers {status}")
        if not 200 <= status < 300 and not (status == 416 and sent > 1):
            raise DraftFailed(f"Microsoft Graph: an attachment is refused ({status})")

    return put


def _body_start(mime: bytes) -> int:
    found = _HEADER_END.search(mime)
    return found.end() if found else len(mime)


def _part(piece: bytes) -> _Part:
    start = _body_start(piece)
    # The first line is what follows the boundary on its own line: white space.
    header = BytesHeaderParser(policy=compat32).parsebytes(piece[:start].lstrip(b" \t").removeprefix(b"\r\n"))
    return _Part(piece, header, piece[start:])


def _attachment(part: _Part) -> Attachment:
    encoding = str(part.header.get("Content-Transfer-Encoding", "")).strip().lower()
    content = part.body
    try:
        if encoding == "base64":
            content = base64.b64decode(part.body)
        elif encoding == "quoted-printable":
            content = quopri.decodestring(part.body)
    except binascii.Error as error:
        raise DraftFailed("an attachment of the draft is no base64") from error
    return Attachment(part.header.get_filename() or "attachment", part.header.get_content_type(), content)
