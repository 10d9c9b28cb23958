"""An HTTP front before the emulator: holds every request against Google's documents, and adds what the emulator lacks.

Every request is checked against the discovery document that google-api-python-client ships; what it does not allow is
refused and kept in `violations`, which no test may leave behind. Added are `getProfile`, `/batch`, a history that can
be forgotten, quota errors, tokens with a service that gives them (service account, refresh token, authorization code
with PKCE), Pub/Sub, and a record of what left.

Where `emulate@0.8.0` is unlike Gmail's documentation, the front makes up for it:

- `drafts.send` there keeps the message and its id; Gmail makes a new message and deletes the draft's.
- `messages.get` there puts the length of the base64 text into sizeEstimate, and knows no `fields`.
- `drafts.list` there ignores `q`; `messages.list` does not know a minus before `in:`, and compares what follows
  `rfc822msgid` with its colon, so that it finds nothing.
- `threads.get` there knows ten header fields and no others.
- `labels.create` answers 400 for a name that exists; Gmail 409. Colours and empty changes of labels are not checked.
- A message's internalDate is its Date field there; Gmail's is when it took the message in.
- A draft without threadId joins a conversation by its References there; Gmail wants threadId, References and Subject.
- `watch` there lasts a day; Gmail's lasts seven.
- A history id there has 21 digits and fits no uint64.
- One token is good for 5,000 requests an hour there; Gmail counts quota units.
"""

import base64
import email
import email.policy
import gzip
import hashlib
import json
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.servers.google_discovery import Asked, Unlawful, discovery
from tests.servers.google_emulator import SCOPE, GoogleEmulator

PUBSUB_SCOPE = "https://www.googleapis.com/auth/pubsub"
TOPIC = "projects/maple/topics/mail"
SUBSCRIPTION = "projects/maple/subscriptions/mail"
CLIENT_ID, CLIENT_SECRET = "client-1.apps.example", "the client's secret"
ACCOUNT = "alliance@maple.iam.example"
ACCOUNT_CLIENT_ID = "112233445566778899"
_PER_TOKEN = 4500
_OPERATORS = ("in", "-in", "label", "-label", "rfc822msgid", "after", "before")


@dataclass
class Refusing:
    """Answers that Google gives instead of doing what was asked."""

    status: int
    reason: str = ""
    message: str = "Refused for a test."
    retry_after: str | None = None
    times: int = 1
    method: str = ""
    """Beginning of the method ids that it is for, all where empty."""
    id: str = ""
    """The message or draft that it is for, all where empty."""
    whole_batch: bool = False

    def is_for(self, method: str, id_: str) -> bool:
        return self.times > 0 and method.startswith(self.method) and (not self.id or self.id == id_)


@dataclass
class Account:
    """What the front knows of one mailbox beside the emulator."""

    address: str
    emulated: deque[str]
    used: int = 0
    forgotten: int = 0
    """History up to here is forgotten."""
    departed: list[bytes] = field(default_factory=list)
    unreadable: set[str] = field(default_factory=set)
    by_message_id: dict[str, list[str]] = field(default_factory=dict)
    watched: str | None = None
    enabled: bool = True
    vacation: dict[str, Any] = field(default_factory=dict)
    """VacationSettings as Google gives them: what is false or open is left out."""


@dataclass
class Answer:
    """An answer of the front's."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body).encode()


def refusal(status: int, reason: str, message: str = "", code: str = "", retry_after: str | None = None) -> Answer:
    """A refusal in Google's form."""
    error = {"code": status, "message": message, "errors": [{"message": message, "domain": "global", "reason": reason}]}
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Answer(status, {"error": error | ({"status": code} if code else {})}, headers)


NOT_FOUND = ("notFound", "Requested entity was not found.", "NOT_FOUND")


class GmailFront:
    """One front. `running` is the way to make one."""

    def __init__(self, emulator: GoogleEmulator) -> None:
        self.emulator = emulator
        self._lines = threading.local()
        self._workers = ThreadPoolExecutor(4)
        self._lock = threading.RLock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.accounts = {address: Account(address, deque(tokens)) for address, tokens in emulator.tokens.items()}
        self.violations: list[str] = []
        self.asked: list[Asked] = []
        """Every request to the Gmail and Pub/Sub APIs, those in batches among them."""
        self.round_trips = 0
        """Requests over HTTP: a batch is one."""
        self.refusing: list[Refusing] = []
        self.rewrites_message_ids = False
        self.delegated_scopes = {SCOPE}
        self.key_works = True
        self.clock_is_right = True
        self.token_seconds = 3600
        self.revoked: set[str] = set()
        """Mailboxes that no token is given for."""
        self.tokens: dict[str, str] = {}
        """Mailbox by access token; the service account itself is its own."""
        self.refresh_tokens: dict[str, str] = {}
        self.codes: dict[str, tuple[str, str, str]] = {}
        self.consenting: str | None = None
        """Whose consent the next visit to the consent page is."""
        self.given = 0
        """Tokens given so far."""
        self._published: deque[tuple[str, str]] = deque()
        self._arrived = threading.Condition()
        self.pull_seconds = 0.5
        self._last_ms = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def key(self, port: int | None = None) -> str:
        """The service account's key as JSON; its token service is at `port`."""
        return json.dumps(
            {
                "type": "service_account",
                "project_id": "maple",
                "private_key_id": "1",
                "private_key": _private_pem(),
                "client_email": ACCOUNT,
                "client_id": ACCOUNT_CLIENT_ID,
                "token_uri": f"http://127.0.0.1:{port or self.port}/token",
            }
        )

    def client(self) -> str:
        """The OAuth client as JSON, in the form of the console's download."""
        installed = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "auth_uri": f"{self.url}/auth",
            "token_uri": f"{self.url}/token",
            "redirect_uris": ["http://localhost"],
            "project_id": "maple",
        }
        return json.dumps({"installed": installed})

    def consented(self, address: str, port: int | None = None) -> str:
        """A teacher's token as the vault keeps it, run out; only its refresh token is good."""
        refresh = f"refresh-{address}-{len(self.refresh_tokens)}"
        self.refresh_tokens[refresh] = address
        return json.dumps(
            {
                "refresh_token": refresh,
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "token_uri": f"http://127.0.0.1:{port or self.port}/token",
                "scopes": [SCOPE],
            }
        )

    def now_ms(self) -> int:
        """Milliseconds since 1970, never the same twice."""
        with self._lock:
            self._last_ms = max(self._last_ms + 1, time.time_ns() // 1_000_000)
            return self._last_ms

    def emulate(self, address: str, verb: str, path: str, body: Any = None) -> tuple[int, Any]:
        """A request to the emulator in this mailbox's name, with no check."""
        with self._lock:
            account = self.accounts[address]
            account.used += 1
            if account.used % _PER_TOKEN == 0:
                account.emulated.rotate(1)
            token = account.emulated[0]
        payload = b"" if body is None else json.dumps(body).encode()
        fields = f"Host: emulator\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n"
        request = f"{verb} {path} HTTP/1.1\r\n{fields}Content-Length: {len(payload)}\r\n\r\n".encode() + payload
        try:
            status, content = self._line(fresh=False).ask(request)
        except OSError:  # the emulator closes a line that nobody used for 5 seconds
            status, content = self._line(fresh=True).ask(request)
        found = json.loads(content) if content else None
        if verb == "POST" and status < 300 and isinstance(body, dict) and isinstance(found, dict):
            self._remember(account, body, found)
        return status, found

    def _line(self, *, fresh: bool) -> "_Line":
        if fresh or not hasattr(self._lines, "line"):
            self._lines.line = _Line(self.emulator.port)
        return self._lines.line

    def with_message_id(self, address: str, message_id: str, *, everywhere: bool = False) -> list[dict[str, Any]]:
        """The messages with this Message-ID, newest first, without their content."""
        found = []
        for id_ in self.accounts[address].by_message_id.get(message_id.lower(), ()):
            status, message = self.emulate(address, "GET", f"/gmail/v1/users/me/messages/{id_}?format=minimal")
            if status == 200 and (everywhere or not {"SPAM", "TRASH"} & set(message["labelIds"])):
                found.append(message)
        return sorted(found, key=lambda message: -int(message["internalDate"]))

    def _remember(self, account: Account, body: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        raw = body.get("raw") or body.get("message", {}).get("raw")
        if raw:
            head = decoded(raw[: 64 * 1024 * 4 // 3 // 4 * 4]).replace(b"\r\n", b"\n").partition(b"\n\n")[0]
            named = str(email.message_from_bytes(head, policy=email.policy.compat32).get("Message-ID", ""))
            ids = account.by_message_id.setdefault(named.strip().strip("<>").lower(), [])
            ids.append(str(answer.get("message", answer)["id"]))

    def mailbox(self, address: str, verb: str, path: str, body: Any = None) -> Any:
        """The same for this mailbox's own paths; the answer has to be a good one."""
        status, answer = self.emulate(address, verb, f"/gmail/v1/users/me/{path}", body)
        assert status < 300, f"{verb} {path}: {status} {answer}"
        return answer

    def forget_history(self, address: str) -> None:
        """History up to now is forgotten."""
        draft = self.mailbox(address, "POST", "drafts", {"message": {"raw": encoded(b"Subject: x\r\n\r\n")}})
        self.mailbox(address, "DELETE", f"drafts/{draft['id']}")  # there is a now that no cursor stands for
        self.accounts[address].forgotten = int(self._history_id(address))

    def notify(self, address: str) -> None:
        """Gmail tells the topic that the mailbox changed, where it is watched."""
        if self.accounts[address].watched:
            self.publish(json.dumps({"emailAddress": address, "historyId": self._history_id(address)}))

    def publish(self, data: str) -> None:
        """A message to the topic."""
        with self._arrived:
            self._published.append((f"ack-{self.now_ms()}", base64.b64encode(data.encode()).decode()))
            self._arrived.notify_all()

    def units(self, table: Mapping[str, int], address_asked: Sequence[Asked] | None = None) -> int:
        """The quota units of what was asked."""
        return sum(table[asked.method] for asked in address_asked or self.asked)

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._workers.shutdown()

    # What arrives over HTTP.

    def answer(self, verb: str, target: str, headers: Message, body: bytes) -> Answer:
        parts = urlsplit(target)
        if parts.path == "/token":
            return self._token(dict(parse_qs(body.decode()).items()))
        if parts.path == "/auth":
            return self._consent_page({name: found[0] for name, found in parse_qs(parts.query).items()})
        self.round_trips += 1
        address = self.tokens.get(headers.get("Authorization", "").removeprefix("Bearer "))
        if address is None or address in self.revoked:
            return refusal(401, "authError", "Request had invalid authentication credentials.", "UNAUTHENTICATED")
        if parts.path == "/batch":
            whole = self._refusal("", "", whole_batch=True)
            return whole or self._batch(address, headers, body)
        return self._one(address, verb, target, headers, body)

    def _one(self, address: str, verb: str, target: str, headers: Message, body: bytes) -> Answer:
        parts = urlsplit(target)
        query = parse_qs(parts.query, keep_blank_values=True)
        api = discovery("pubsub", "v1") if parts.path.startswith("/v1/") else discovery("gmail", "v1")
        try:
            asked = api.read(verb, parts.path, query, _body_of(headers, body))
            self._lawful(asked)
        except Unlawful as error:
            self.violations.append(str(error))
            return refusal(400, "invalidArgument", str(error))
        with self._lock:
            self.asked.append(asked)
        id_ = asked.path.get("id") or str((asked.body or {}).get("id", ""))
        refused = self._refusal(asked.method, id_)
        if refused is not None:
            return refused
        if asked.method.startswith("pubsub."):
            return self._pubsub(address, asked)
        if not self.accounts[address].enabled:
            return refusal(400, "failedPrecondition", "Mail service not enabled", "FAILED_PRECONDITION")
        special: dict[str, Callable[[str, Asked], Answer]] = {
            "gmail.users.getProfile": self._profile,
            "gmail.users.watch": self._watch,
            "gmail.users.settings.getVacation": lambda address, _: Answer(200, self.accounts[address].vacation),
            "gmail.users.history.list": self._history,
            "gmail.users.messages.list": self._list,
            "gmail.users.messages.get": self._get,
            "gmail.users.threads.get": self._thread,
            "gmail.users.labels.create": self._create_label,
            "gmail.users.drafts.list": self._list_drafts,
            "gmail.users.drafts.create": self._create_draft,
            "gmail.users.drafts.send": self._send_draft,
        }
        if asked.method in special:
            return special[asked.method](address, asked)
        return self._pass(address, verb, target, asked.body)

    def _lawful(self, asked: Asked) -> None:
        """What Google's documentation says beyond the discovery document."""
        for query in asked.query.get("q", ()):
            if "rfc822msgid:" in query and " " in query:
                raise Unlawful(f"{asked.method}: this front looks for a Message-ID only by itself")
            for term in query.split():
                if term.partition(":")[0] not in _OPERATORS or not term.partition(":")[2]:
                    raise Unlawful(f"{asked.method}: {term!r} is no search operator that this front knows")
        if asked.method == "gmail.users.messages.batchModify" and len(asked.body.get("ids", [])) > 1000:
            raise Unlawful("batchModify takes at most 1000 ids")
        if asked.path.get("userId", "me") != "me":
            raise Unlawful("userId is me")

    def _refusal(self, method: str, id_: str, *, whole_batch: bool = False) -> Answer | None:
        with self._lock:
            for rule in self.refusing:
                if rule.whole_batch is whole_batch and rule.is_for(method, id_):
                    rule.times -= 1
                    return refusal(rule.status, rule.reason, rule.message, retry_after=rule.retry_after)
        return None

    def _batch(self, address: str, headers: Message, body: bytes) -> Answer:
        boundary = headers["Content-Type"].partition('boundary="')[2].partition('"')[0].encode()
        pieces = body.split(b"--" + boundary)[1:-1]
        if not boundary or not pieces or len(pieces) > 100:
            self.violations.append(f"a batch of {len(pieces)}")
            return refusal(400, "invalidArgument", "a batch holds 1 to 100 requests")

        def answered(piece: bytes) -> bytes:
            outer, _, inner = piece.strip(b"\n").partition(b"\n\n")
            head, _, content = inner.partition(b"\n\n")
            first, _, fields = head.partition(b"\n")
            verb, target, _ = first.decode().split(" ", 2)
            inner_headers = email.message_from_bytes(fields + b"\n\n")
            answer = self._one(address, verb, target, inner_headers, content)
            said = [f"HTTP/1.1 {answer.status} So", "Content-Type: application/json; charset=UTF-8"]
            said += [f"{name}: {value}" for name, value in answer.headers.items()]
            content_id = outer.decode().partition("Content-ID: <")[2].partition(">")[0]
            return (
                b"--batch_x\r\nContent-Type: application/http\r\n"
                + f"Content-ID: <response-{content_id}>\r\n\r\n".encode()
                + "\r\n".join([*said, "", ""]).encode()
                + answer.content
                + b"\r\n"
            )

        # As Google does: each part by itself, in any order.
        parts = b"".join(self._workers.map(answered, pieces))
        return Answer(200, parts + b"--batch_x--", {"Content-Type": "multipart/mixed; boundary=batch_x"})

    def _pass(self, address: str, verb: str, target: str, body: Any) -> Answer:
        changes_labels = urlsplit(target).path.endswith(("/modify", "/batchModify"))
        if changes_labels and not body.get("addLabelIds") and not body.get("removeLabelIds"):
            return refusal(400, "invalidArgument", "No label add or removes specified")
        status, answer = self.emulate(address, verb, target, body)
        self.notify(address)
        return Answer(status, answer)

    # What the emulator lacks, or does otherwise.

    def _history_id(self, address: str) -> str:
        found = self.mailbox(address, "GET", "history?startHistoryId=1&maxResults=1")
        return str(max(int(found["historyId"]), 1))

    def _profile(self, address: str, asked: Asked) -> Answer:
        total, token = 0, ""
        while True:
            page = self.mailbox(address, "GET", f"messages?maxResults=500&includeSpamTrash=true&pageToken={token}")
            total += len(page["messages"])
            token = page.get("nextPageToken", "")
            if not token:
                break
        body = {"emailAddress": address, "messagesTotal": total, "threadsTotal": total}
        return Answer(200, body | {"historyId": self._history_id(address)})

    def _watch(self, address: str, asked: Asked) -> Answer:
        if asked.body["topicName"] != TOPIC:
            return refusal(404, "notFound", "Error sending test message to Cloud PubSub: resource not found")
        self.accounts[address].watched = TOPIC
        week = int(time.time() + 7 * 24 * 3600) * 1000
        return Answer(200, {"historyId": self._history_id(address), "expiration": str(week)})

    def _history(self, address: str, asked: Asked) -> Answer:
        if int(asked.query["startHistoryId"][0]) < self.accounts[address].forgotten:
            return refusal(404, *NOT_FOUND)
        return self._pass_on(address, "history", asked)

    def _list(self, address: str, asked: Asked) -> Answer:
        query = {name: list(values) for name, values in asked.query.items()}
        searched = query.get("q", [""])[0].partition("rfc822msgid:")[2]
        if searched:
            everywhere = query.get("includeSpamTrash") == ["true"]
            messages = self.with_message_id(address, searched, everywhere=everywhere)
            body = {"messages": [{"id": each["id"], "threadId": each["threadId"]} for each in messages]}
            return Answer(200, body if messages else {})
        if "q" in query:
            query["q"] = [query["q"][0].replace("-in:", "-label:")]
        status, body = self.emulate(address, "GET", f"/gmail/v1/users/me/messages?{urlencode(query, doseq=True)}")
        if not body.get("messages"):
            body.pop("messages", None)  # Gmail leaves empty lists out
        return Answer(status, body)

    def _get(self, address: str, asked: Asked) -> Answer:
        id_ = asked.path["id"]
        if id_ in self.accounts[address].unreadable and asked.query.get("format") == ["raw"]:
            return refusal(500, "backendError", "Backend Error")
        answer = self._pass_on(address, f"messages/{id_}", asked)
        if answer.status == 200:
            answer.body["sizeEstimate"] = answer.body["sizeEstimate"] * 3 // 4
            answer.body.setdefault("raw", "")
            if asked.query.get("format") != ["raw"]:
                del answer.body["raw"]
            if "fields" in asked.query:
                wanted = asked.query["fields"][0].split(",")
                answer.body = {name: value for name, value in answer.body.items() if name in wanted}
        return answer

    def _thread(self, address: str, asked: Asked) -> Answer:
        answer = self._pass_on(address, f"threads/{asked.path['id']}", asked)
        wanted = {name.lower() for name in asked.query.get("metadataHeaders", ())}
        for message in answer.body.get("messages", ()):
            raw = decoded(self.mailbox(address, "GET", f"messages/{message['id']}?format=raw")["raw"])
            fields = email.message_from_bytes(raw, policy=email.policy.compat32).items()
            message["payload"]["headers"] = [
                {"name": name, "value": str(value)} for name, value in fields if name.lower() in wanted
            ]
        return answer

    def _create_label(self, address: str, asked: Asked) -> Answer:
        colors = discovery("gmail", "v1").schemas["LabelColor"]["properties"]["textColor"]["description"]
        for color in asked.body.get("color", {}).values():
            if color not in colors:
                return refusal(400, "invalidArgument", f"Label color {color} is not on the allowed color palette")
        status, answer = self.emulate(address, "POST", "/gmail/v1/users/me/labels", asked.body)
        if status == 400 and "exists" in answer["error"]["message"]:
            return refusal(409, "aborted", "Label name exists or conflicts", "ABORTED")
        return Answer(status, answer)

    def _list_drafts(self, address: str, asked: Asked) -> Answer:
        query = asked.query.get("q", [""])[0]
        drafts = self.mailbox(address, "GET", "drafts?maxResults=500")["drafts"]
        if query:
            found = {each["id"] for each in self.with_message_id(address, query.partition(":")[2])}
            drafts = [draft for draft in drafts if draft["message"]["id"] in found]
        most = int(asked.query.get("maxResults", ["100"])[0])
        body = {"drafts": drafts[:most]} if drafts else {}
        return Answer(200, body | {"resultSizeEstimate": len(drafts)})

    def _create_draft(self, address: str, asked: Asked) -> Answer:
        message = dict(asked.body.get("message", {}))
        thread = message.get("threadId")
        if thread:
            status, found = self.emulate(address, "GET", f"/gmail/v1/users/me/threads/{thread}?format=metadata")
            if status == 404:
                return refusal(404, *NOT_FOUND)
            if not _belongs(message["raw"], found):
                thread = None
        message["threadId"] = thread or f"thread{self.now_ms()}"
        message["internalDate"] = str(self.now_ms())
        status, answer = self.emulate(address, "POST", "/gmail/v1/users/me/drafts", {"message": message})
        self.notify(address)
        return Answer(status, answer)

    def _send_draft(self, address: str, asked: Asked) -> Answer:
        with self._lock:  # once, however many ask
            return self._sent(address, asked)

    def _sent(self, address: str, asked: Asked) -> Answer:
        id_ = asked.body.get("id", "")
        status, draft = self.emulate(address, "GET", f"/gmail/v1/users/me/drafts/{id_}?format=raw")
        if status == 404 or not id_:
            return refusal(404, *NOT_FOUND)
        raw = decoded(draft["message"]["raw"])
        header = email.message_from_bytes(raw, policy=email.policy.compat32)
        if not any(header.get(name) for name in ("To", "Cc", "Bcc")):
            return refusal(400, "invalidArgument", "Recipient address required", "INVALID_ARGUMENT")
        if self.rewrites_message_ids:
            raw = raw.replace(str(header["Message-ID"]).encode(), f"<CA{self.now_ms()}@mail.example>".encode())
        sent = {"raw": encoded(raw), "threadId": draft["message"]["threadId"], "internalDate": str(self.now_ms())}
        answer = self.mailbox(address, "POST", "messages/send", sent)
        self.mailbox(address, "DELETE", f"drafts/{id_}")
        self.accounts[address].departed.append(raw)
        self.notify(address)
        return Answer(200, {"id": answer["id"], "threadId": answer["threadId"], "labelIds": ["SENT"]})

    def _pass_on(self, address: str, path: str, asked: Asked) -> Answer:
        status, body = self.emulate(address, "GET", f"/gmail/v1/users/me/{path}?{urlencode(asked.query, doseq=True)}")
        if status == 200 and not body.get("history", True):
            del body["history"]  # Gmail leaves empty lists out
        return Answer(status, body)

    def _pubsub(self, address: str, asked: Asked) -> Answer:
        if address != ACCOUNT or asked.path["subscription"] != SUBSCRIPTION:
            return refusal(403, "forbidden", "User not authorized to perform this action.", "PERMISSION_DENIED")
        if asked.method == "pubsub.projects.subscriptions.acknowledge":
            with self._arrived:
                self._published = deque(each for each in self._published if each[0] not in asked.body["ackIds"])
            return Answer(200, {})
        with self._arrived:
            if not asked.body.get("returnImmediately"):
                self._arrived.wait_for(lambda: self._published, timeout=self.pull_seconds)
            found = list(self._published)
        received = [{"ackId": ack, "message": {"data": data, "messageId": ack}} for ack, data in found]
        return Answer(200, {"receivedMessages": received} if received else {})

    # Signing in.

    def _token(self, form: Mapping[str, list[str]]) -> Answer:
        given = {name: values[0] for name, values in form.items()}
        match given.get("grant_type"):
            case "urn:ietf:params:oauth:grant-type:jwt-bearer":
                return self._token_for_key(given.get("assertion", ""))
            case "refresh_token":
                address = self.refresh_tokens.get(given.get("refresh_token", ""))
                if given.get("client_id") != CLIENT_ID or given.get("client_secret") != CLIENT_SECRET:
                    return _no_token("invalid_client", "The OAuth client was not found.", 401)
                if address is None or address in self.revoked:
                    return _no_token("invalid_grant", "Token has been expired or revoked.")
                return self._given(address)
            case "authorization_code":
                return self._token_for_code(given)
        return _no_token("unsupported_grant_type", "")

    def _token_for_key(self, assertion: str) -> Answer:
        claims = _claims(assertion) if self.key_works else None
        if claims is None:
            return _no_token("invalid_grant", "Invalid JWT Signature.")
        if not self.clock_is_right:
            text = "Invalid JWT: Token must be a short-lived token and in a reasonable timeframe"
            return _no_token("invalid_grant", text)
        if "sub" not in claims and claims["scope"] == PUBSUB_SCOPE:
            return self._given(ACCOUNT)
        if set(claims["scope"].split()) - self.delegated_scopes or claims.get("sub") in self.revoked:
            text = "Client is unauthorized to retrieve access tokens using this method, or client not authorized"
            return _no_token("unauthorized_client", text, 401)
        if claims.get("sub") not in self.accounts:
            return _no_token("invalid_grant", "Invalid email or User ID")
        return self._given(claims["sub"])

    def _token_for_code(self, given: Mapping[str, str]) -> Answer:
        address, redirect, challenge = self.codes.pop(given.get("code", ""), ("", "", ""))
        verifier = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        if not address or redirect != given.get("redirect_uri") or encoded(verifier).rstrip("=") != challenge:
            return _no_token("invalid_grant", "Malformed auth code.")
        answer = self._given(address)
        refresh = f"refresh-{address}-{len(self.refresh_tokens)}"
        self.refresh_tokens[refresh] = address
        answer.body |= {"refresh_token": refresh}
        return answer

    def _consent_page(self, query: Mapping[str, str]) -> Answer:
        wanted = {"response_type": "code", "access_type": "offline", "client_id": CLIENT_ID, "scope": SCOPE}
        wrong = [name for name, value in wanted.items() if query.get(name) != value]
        if wrong or query.get("code_challenge_method") != "S256" or not query.get("state"):
            self.violations.append(f"a consent page with {wrong or 'no PKCE or state'}")
        back = {"state": query.get("state", "")}
        if self.consenting is None:
            back |= {"error": "access_denied"}
        else:
            code = f"code-{self.now_ms()}"
            self.codes[code] = (self.consenting, query["redirect_uri"], query.get("code_challenge", ""))
            back |= {"code": code, "scope": SCOPE}
        return Answer(302, None, {"Location": f"{query['redirect_uri']}?{urlencode(back)}"})

    def _given(self, address: str) -> Answer:
        with self._lock:
            self.given += 1
            token = f"ya29.token-{self.given}"
            self.tokens[token] = address
        body = {"access_token": token, "expires_in": self.token_seconds, "token_type": "Bearer", "scope": SCOPE}
        return Answer(200, body)


class _Line:
    """A line to the emulator, kept open. (`http.client` takes longer over its head than the emulator over its work.)"""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._file = self._socket.makefile("rb")

    def ask(self, request: bytes) -> tuple[int, bytes]:
        """Status and body of the answer. Raises OSError where the line is closed."""
        self._socket.sendall(request)
        first = self._file.readline().split()
        if len(first) < 2:
            raise ConnectionError
        fields: dict[bytes, bytes] = {}
        while line := self._file.readline().strip():
            name, _, value = line.partition(b":")
            fields[name.lower()] = value.strip()
        if fields.get(b"transfer-encoding") != b"chunked":
            return int(first[1]), self._file.read(int(fields.get(b"content-length", 0)))
        body = bytearray()
        while size := int(self._file.readline(), 16):
            body += self._file.read(size)
            self._file.readline()
        self._file.readline()
        return int(first[1]), bytes(body)


@contextmanager
def running(emulator: GoogleEmulator) -> Iterator[GmailFront]:
    """A front as long as the block. Requests that no document allows fail the test at its end."""
    front = GmailFront(emulator)
    front.start()
    try:
        yield front
    finally:
        front.stop()
    assert front.violations == []


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))


def _no_token(error: str, description: str, status: int = 400) -> Answer:
    return Answer(status, {"error": error, "error_description": description})


def _belongs(raw: str, thread: Mapping[str, Any]) -> bool:
    """Whether a message goes into a conversation: by its References and Subject, as Gmail asks."""
    message = email.message_from_bytes(decoded(raw), policy=email.policy.compat32)
    referred = f"{message.get('References', '')} {message.get('In-Reply-To', '')}"
    for each in thread["messages"]:
        fields = {one["name"].lower(): one["value"] for one in each["payload"]["headers"]}
        same = _subject(str(message.get("Subject", ""))) == _subject(fields.get("subject", ""))
        if fields.get("message-id", "-") in referred and same:
            return True
    return False


def _subject(text: str) -> str:
    return text.strip().lower().removeprefix("re:").strip()


def _body_of(headers: Message, body: bytes) -> Any:
    """A request's body as JSON; of an upload, with the message where the JSON form has it."""
    if not body:
        return None
    kind = headers.get("Content-Type", "")
    if kind.startswith("multipart/related"):
        boundary = kind.partition('boundary="')[2].partition('"')[0].encode()
        _, meta, mail, _ = body.split(b"--" + boundary)
        fields, _, raw = mail.partition(b"\n\n")
        if b"message/rfc822" not in fields:
            raise Unlawful("an upload that is no message/rfc822")
        found = json.loads(meta.partition(b"\n\n")[2])
        return {**found, "message": {**found.get("message", {}), "raw": encoded(raw.removesuffix(b"\n"))}}
    if kind.split(";")[0] != "application/json":
        raise Unlawful(f"a body of {kind or 'no type'}")
    try:
        return json.loads(body)
    except ValueError as error:
        raise Unlawful("a body that is no JSON") from error


def _claims(assertion: str) -> dict[str, Any] | None:
    """What a JWT of the service account claims (RFC 7523); None where its signature is not good."""
    head, claims, signature = assertion.split(".")
    signed = f"{head}.{claims}".encode()
    try:
        _key().public_key().verify(decoded(signature), signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return None
    found = json.loads(decoded(claims))
    lawful = found["iss"] == ACCOUNT and found["aud"].endswith("/token") and found["exp"] > time.time()
    return dict(found) if lawful else None


@cache
def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def _private_pem() -> str:
    return (
        _key()
        .private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        .decode()
    )


def _handler(front: GmailFront) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answer = front.answer(self.command, self.path, self.headers, body)
            content = answer.content
            if "gzip" in self.headers.get("Accept-Encoding", "") and "gzip" in self.headers.get("User-Agent", ""):
                content = gzip.compress(content, 1)
                answer.headers["Content-Encoding"] = "gzip"
            self.send_response(answer.status)
            for name, value in ({"Content-Type": "application/json; charset=UTF-8"} | answer.headers).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = do_PUT = do_PATCH = _serve  # noqa: N815 - the library's names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Quiet."""

    return Handler
