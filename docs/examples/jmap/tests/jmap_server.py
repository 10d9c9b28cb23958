"""A JMAP server for the tests: what the connector uses of RFC 8620, 8621 and 9404, in memory, over real HTTP."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

FOLDERS = {"inbox": "in", "drafts": "dr", "sent": "se", "archive": "ar"}
ACCOUNT = "a1"
_MAIL, _BLOB = "urn:ietf:params:jmap:mail", "urn:ietf:params:jmap:blob"


_KINDS = ("created", "updated", "destroyed")
_AFTER = {("created", "updated"): "created", ("created", "destroyed"): "never seen"}
"""What two changes of one message come to, where it is not the later one."""


class Refused(Exception):
    """A method's error, by its type."""


@dataclass
class Email:
    """One message in the account."""

    id: str
    blob: str
    folders: set[str]
    keywords: set[str]
    received: str
    size: int
    number: int

    def told(self) -> dict[str, Any]:
        """As Email/get tells it."""
        return {
            "id": self.id,
            "blobId": self.blob,
            "mailboxIds": dict.fromkeys(self.folders, True),
            "keywords": dict.fromkeys(self.keywords, True),
            "receivedAt": self.received,
            "size": self.size,
        }


@dataclass
class Account:
    """A mailbox and its history."""

    address: str
    emails: dict[str, Email] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    history: list[tuple[str, str]] = field(default_factory=list)
    submitted: list[str] = field(default_factory=list)
    departed: list[bytes] = field(default_factory=list)
    generation: int = 0
    made: int = 0

    def add(self, mime: bytes, folder: str, keywords: set[str]) -> Email:
        """A new message."""
        blob = self.keep(mime)
        received = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        email = Email(f"M{self.made}", blob, {folder}, keywords, received, len(mime), self.made)
        self.emails[email.id] = email
        self.history.append((email.id, "created"))
        return email

    def keep(self, content: bytes) -> str:
        """A new blob."""
        self.made += 1
        self.blobs[f"B{self.made}"] = content
        return f"B{self.made}"

    def changed(self, email: Email) -> None:
        """Notes that a message is not as it was."""
        self.history.append((email.id, "updated"))

    def destroy(self, id_: str) -> None:
        """Deletes a message for good."""
        del self.emails[id_]
        self.history.append((id_, "destroyed"))

    @property
    def state(self) -> str:
        """The state of all messages."""
        return f"{self.generation}.{len(self.history)}"

    def header(self, email: Email, name: str) -> str:
        """A header field of a message."""
        return str(BytesHeaderParser().parsebytes(self.blobs.get(email.blob, b"")[:65536]).get(name, ""))

    def in_folder(self, role: str) -> list[Email]:
        """The messages of a folder, oldest first."""
        found = (email for email in self.emails.values() if FOLDERS[role] in email.folders)
        return sorted(found, key=lambda email: email.number)


class Methods:
    """The methods of the protocol, on one account."""

    def __init__(self, account: Account) -> None:
        self.account = account

    def call(self, name: str, arguments: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
        """The responses to one call."""
        if arguments.pop("accountId") != ACCOUNT:
            raise Refused("accountNotFound")
        method = {
            "Mailbox/get": self.folders,
            "Identity/get": self.identities,
            "Email/get": self.get,
            "Email/query": self.query,
            "Email/changes": self.changes,
            "Email/set": self.set,
            "Email/import": self.add,
            "Blob/get": self.blobs,
            "EmailSubmission/get": self.submissions,
            "EmailSubmission/query": self.submitted,
        }.get(name)
        if method is not None:
            return [(name, method(**arguments))]
        if name == "EmailSubmission/set":
            answer = self.submit(arguments["ifInState"], arguments["create"])
            filed = arguments["onSuccessUpdateEmail"]
            update = {told["emailId"]: filed[f"#{key}"] for key, told in arguments["create"].items()}
            return [(name, answer), ("Email/set", self.set(update))] if answer["created"] else [(name, answer)]
        raise Refused("unknownMethod")

    def folders(self, properties: list[str]) -> dict[str, Any]:
        return {"list": [{"id": id_, "role": role} for role, id_ in FOLDERS.items()]}

    def identities(self) -> dict[str, Any]:
        return {"list": [{"id": "i0", "email": "office@maple.example"}, {"id": "i1", "email": self.account.address}]}

    def get(self, ids: list[str], properties: list[str] | None = None) -> dict[str, Any]:
        found = [self.account.emails[id_] for id_ in dict.fromkeys(ids) if id_ in self.account.emails]
        told = [email.told() for email in found]
        return {"state": self.account.state, "list": told}

    def query(self, filter: dict[str, Any], limit: int = 0, anchor: str = "", **more: Any) -> dict[str, Any]:  # noqa: A002
        found = [email for email in self.account.emails.values() if self._matches(email, filter)]
        ids = [email.id for email in sorted(found, key=lambda email: (email.received, email.number), reverse=True)]
        if anchor and anchor not in ids:
            raise Refused("anchorNotFound")
        first = ids.index(anchor) + more["anchorOffset"] if anchor else 0
        return {"ids": ids[first : first + limit] if limit else ids, "total": len(ids)}

    def changes(self, sinceState: str, maxChanges: int) -> dict[str, Any]:  # noqa: N803 - the protocol's names
        generation, _, position = sinceState.partition(".")
        if generation != str(self.account.generation) or not position.isdecimal():
            raise Refused("cannotCalculateChanges")
        seen: dict[str, str] = {}
        at = int(position)
        for id_, what in self.account.history[at:]:
            if id_ not in seen and len(seen) == maxChanges:
                break
            seen[id_] = _AFTER.get((seen.get(id_, ""), what), what)
            at += 1
        by_kind = {kind: [id_ for id_, what in seen.items() if what == kind] for kind in _KINDS}
        more = at < len(self.account.history)
        return {**by_kind, "newState": f"{generation}.{at}", "hasMoreChanges": more}

    def set(self, update: dict[str, Any] | None = None, destroy: list[str] | None = None) -> dict[str, Any]:
        failed = {}
        for id_, patch in (update or {}).items():
            email = self.account.emails.get(id_)
            if email is None:
                failed[id_] = {"type": "notFound"}
                continue
            before = (set(email.folders), set(email.keywords))
            for path, value in patch.items():
                part, _, name = path.partition("/")
                place = email.folders if part == "mailboxIds" else email.keywords
                place.add(name) if value else place.discard(name)
            if before != (email.folders, email.keywords):
                self.account.changed(email)
        for id_ in destroy or ():
            self.account.destroy(id_)
        return {"notUpdated": failed or None}

    def add(self, emails: dict[str, Any]) -> dict[str, Any]:
        created = {}
        for key, told in emails.items():
            (folder,) = told["mailboxIds"]
            email = self.account.add(self.account.blobs[told["blobId"]], folder, set(told["keywords"]))
            created[key] = {"id": email.id}
        return {"created": created}

    def blobs(self, ids: list[str], properties: list[str], offset: int, length: int) -> dict[str, Any]:
        found = [(id_, self.account.blobs[id_][offset : offset + length]) for id_ in ids if id_ in self.account.blobs]
        return {"list": [{"id": id_, "data:asBase64": base64.b64encode(raw).decode()} for id_, raw in found]}

    def submissions(self, ids: list[str]) -> dict[str, Any]:
        return {"state": str(len(self.account.submitted)), "list": []}

    def submitted(self, filter: dict[str, Any]) -> dict[str, Any]:  # noqa: A002
        return {"ids": [f"S{id_}" for id_ in self.account.submitted if id_ in filter["emailIds"]]}

    def submit(self, state: str, create: dict[str, Any]) -> dict[str, Any]:
        if state != str(len(self.account.submitted)):
            raise Refused("stateMismatch")
        ((key, told),) = create.items()
        email = self.account.emails.get(told["emailId"])
        if told["identityId"] != "i1" or email is None:
            return {"created": None, "notCreated": {key: {"type": "forbiddenFrom" if email else "invalidProperties"}}}
        self.account.submitted.append(email.id)
        self.account.departed.append(self.account.blobs[email.blob])
        return {"created": {key: {"id": f"S{email.id}"}}}

    def _matches(self, email: Email, wanted: dict[str, Any]) -> bool:
        if "operator" in wanted:
            every = all if wanted["operator"] == "AND" else any
            return every(self._matches(email, condition) for condition in wanted["conditions"])
        if "header" in wanted:
            name, text = wanted["header"]
            return text in self.account.header(email, name)
        return wanted["inMailbox"] in email.folders


class JmapServer(ThreadingHTTPServer):
    """One server with one account. Tests order its bad days."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.account = Account(address)
        self.token = "right-token"
        self.lock = threading.RLock()
        self.busy = (0, 429, "")
        """How many requests more are refused, with which status and Retry-After."""
        self.cut = 0
        """The answer of this request from now breaks off; 0 for none."""
        self.was_cut = False

    @property
    def url(self) -> str:
        """The session resource."""
        return f"http://127.0.0.1:{self.server_address[1]}/.well-known/jmap"


@contextmanager
def running(address: str) -> Iterator[JmapServer]:
    """A server as long as the block."""
    server = JmapServer(address)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: JmapServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.startswith("/download/"):
            self._answer(lambda _: self.server.account.blobs.get(path.split("/")[3]))
        else:
            self._answer(lambda _: self._session())

    def do_POST(self) -> None:
        if self.path.startswith("/upload/"):
            self._answer(lambda body: json.dumps({"blobId": self.server.account.keep(body)}).encode())
        else:
            self._answer(self._called)

    def _answer(self, work: Any) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        server = self.server
        with server.lock:
            times, status, after = server.busy
            if times:
                server.busy = (times - 1, status, after)
                self._send(status, b"{}", {"Retry-After": after} if after else {})
                return
            if self.headers.get("Authorization") != f"Bearer {server.token}":
                self._send(401, b"{}", {"WWW-Authenticate": "Bearer"})
                return
            content = work(body)
            if content is None:
                self._send(404, b"{}", {})
                return
            server.cut -= 1
            cut = server.cut == 0
            server.was_cut = server.was_cut or cut
        self._send(200, content, {}, cut=cut)

    def _send(self, status: int, content: bytes, fields: dict[str, str], *, cut: bool = False) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(content)), **fields}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if cut else content)
        self.close_connection = self.close_connection or cut

    def _called(self, body: bytes) -> bytes:
        methods = Methods(self.server.account)
        responses: list[list[Any]] = []
        for name, arguments, number in json.loads(body)["methodCalls"]:
            try:
                responses += [[said, told, number] for said, told in methods.call(name, arguments)]
            except Refused as error:
                responses.append(["error", {"type": str(error)}, number])
        return json.dumps({"methodResponses": responses, "sessionState": "0"}).encode()

    def _session(self) -> bytes:
        told = {
            "capabilities": {"urn:ietf:params:jmap:core": {}, _MAIL: {}, _BLOB: {}},
            "primaryAccounts": {_MAIL: ACCOUNT},
            "apiUrl": "/api/",
            "downloadUrl": "/download/{accountId}/{blobId}/{name}?type={type}",
            "uploadUrl": "/upload/{accountId}/",
        }
        return json.dumps(told).encode()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""
