"""Who is answered what by the stand-in, and what tests order of it."""

import atexit
import ssl
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal

from tests.servers.certificates import Certificates, make_certificates
from tests.servers.graph import attachments, messages
from tests.servers.graph.batch import part_answer, part_request, parts_of
from tests.servers.graph.delta import delta
from tests.servers.graph.http import HttpServer
from tests.servers.graph.login import Grant, Login
from tests.servers.graph.mailbox import Box
from tests.servers.graph.queries import only
from tests.servers.graph.subscriptions import Subscriptions
from tests.servers.graph.wire import Answer, Cut, Fault, GraphError, Logged, Request, Violation, read_request

CONCURRENT = 4
"""Requests to one mailbox at a time: https://learn.microsoft.com/graph/throttling-limits#limits-per-mailbox."""
_READ = frozenset({"Mail.Read", "Mail.ReadWrite"})
_WRITE = frozenset({"Mail.ReadWrite"})
_SEND = frozenset({"Mail.Send"})
_SETTINGS = frozenset({"MailboxSettings.ReadWrite"})
_SETTINGS_READ = _SETTINGS | {"MailboxSettings.Read"}

Handler = Callable[["GraphServer", Request, Box, dict[str, str]], Answer]
_ROUTES: dict[tuple[str, str], tuple[frozenset[str], Handler]] = {
    ("GET", "/mailFolders"): (_READ, lambda s, r, b, k: messages.list_folders(r, b)),
    ("GET", "/mailFolders/{folder}"): (_READ, lambda s, r, b, k: messages.get_folder(r, b, k["folder"])),
    ("GET", "/mailFolders/{folder}/childFolders"): (
        _READ,
        lambda s, r, b, k: messages.child_folders(r, b, k["folder"]),
    ),
    ("GET", "/mailFolders/{folder}/messages"): (_READ, lambda s, r, b, k: messages.list_messages(r, b, k["folder"])),
    ("POST", "/mailFolders/{folder}/messages"): (
        _WRITE,
        lambda s, r, b, k: messages.create_message(r, b, s.now(), k["folder"]),
    ),
    ("GET", "/mailFolders/{folder}/messages/delta"): (_READ, lambda s, r, b, k: delta(r, b, k["folder"])),
    ("GET", "/messages"): (_READ, lambda s, r, b, k: messages.list_messages(r, b)),
    ("POST", "/messages"): (_WRITE, lambda s, r, b, k: messages.create_message(r, b, s.now())),
    ("GET", "/messages/{id}"): (_READ, lambda s, r, b, k: messages.get_message(r, b, k["id"])),
    ("PATCH", "/messages/{id}"): (_WRITE, lambda s, r, b, k: messages.update_message(r, b, k["id"], s.now())),
    ("DELETE", "/messages/{id}"): (_WRITE, lambda s, r, b, k: messages.delete_message(r, b, k["id"])),
    ("GET", "/messages/{id}/$value"): (_READ, lambda s, r, b, k: messages.get_mime(r, b, k["id"])),
    ("POST", "/messages/{id}/createReply"): (_WRITE, lambda s, r, b, k: messages.create_reply(r, b, k["id"], s.now())),
    ("POST", "/messages/{id}/send"): (_SEND, lambda s, r, b, k: messages.send(r, b, k["id"])),
    ("POST", "/messages/{id}/move"): (_WRITE, lambda s, r, b, k: messages.move_message(r, b, k["id"])),
    ("POST", "/messages/{id}/attachments"): (_WRITE, lambda s, r, b, k: attachments.attach(r, b, k["id"])),
    ("POST", "/messages/{id}/attachments/createUploadSession"): (
        _WRITE,
        lambda s, r, b, k: attachments.create_session(r, b, k["id"], s.uploads if s.upload_sessions else None),
    ),
    ("POST", "/sendMail"): (_SEND, lambda s, r, b, k: messages.send_mail(r, b, s.now())),
    ("GET", "/mailboxSettings/automaticRepliesSetting"): (
        _SETTINGS_READ,
        lambda s, r, b, k: messages.automatic_replies(r, b),
    ),
    ("GET", "/outlook/masterCategories"): (_SETTINGS_READ, lambda s, r, b, k: messages.list_categories(r, b)),
    ("POST", "/outlook/masterCategories"): (_SETTINGS, lambda s, r, b, k: messages.create_category(r, b)),
}
"""Below /users/{user} or /me: which permissions suffice, and what answers."""
_SPLIT = {template: tuple(template.split("/")[1:]) for _, template in _ROUTES}


class GraphServer:
    """The service. `running` is the way to make one."""

    def __init__(self, certificates: Certificates) -> None:
        self.certificates = certificates
        self.violations: list[str] = []
        """What the client sent against the documentation; fails the test unless it is cleared."""
        self.log: list[Logged] = []
        self.faults: list[Fault] = []
        self.batches_overrun = False
        """True: parts of a batch to one mailbox run at once, so that the fifth and later are throttled unless they
        depend on each other."""
        self.batched_mime: Literal["base64", "text"] = "base64"
        """How the MIME of a message stands in the answer to a batch. Microsoft documents neither."""
        self.upload_sessions = False
        """Whether this cloud has upload sessions: https://learn.microsoft.com/graph/api/attachment-createuploadsession
        names those that have none."""
        self.uploads: dict[str, attachments.UploadSession] = {}
        """Files that are being brought up in pieces, by key."""
        self.login = Login(self.now)
        self.subscriptions = Subscriptions(self.login.tenant, self.now)
        self.url = ""
        """Of the service, without a version, over plain HTTP."""
        self.secure_url = ""
        """The same over TLS, with a certificate of `certificates.authority`."""
        self._boxes: dict[str, Box] = {}
        self._ahead = timedelta()
        self._lock = threading.Lock()

    # For tests

    @property
    def authority(self) -> str:
        """The authority as msal wants it: https, with the tenant. Over plain HTTP it is `url` with the tenant."""
        return f"{self.secure_url}/{self.login.tenant}"

    def box(self, address: str) -> Box:
        """The mailbox of a user of the tenant; made where there is none."""
        key = address.lower()
        if key not in self._boxes:
            self._boxes[key] = Box(key, len(self._boxes) + 1, self.now)
            self._boxes[key].told = self.subscriptions.tell
        return self._boxes[key]

    def now(self) -> datetime:
        """The service's clock."""
        return datetime.now(UTC) + self._ahead

    def advance(self, by: timedelta) -> None:
        """Lets the service's clock run ahead."""
        self._ahead += by

    def fail(self, status: int = 503, code: str = "ServiceUnavailable", **more: Any) -> Fault:
        """Something goes wrong from now on: see `Fault`. Returns it, to be taken out of `faults` again."""
        self.faults.append(Fault(status, code, **more))
        return self.faults[-1]

    def throttle(self, mailbox: str = "", retry_after: str | None = "1", **more: Any) -> Fault:
        """429 as Graph says it."""
        text = "Application is over its MailboxConcurrency limit."
        return self.fail(429, "ApplicationThrottled", text=text, mailbox=mailbox, retry_after=retry_after, **more)

    def cut(self, sent: int = 0, **more: Any) -> Fault:
        """The connection ends after `sent` bytes of an answer; with `after=True` the request was carried out."""
        return self.fail(cut=sent, **more)

    def count(self, method: str = "", template: str = "", *, parts: bool = True) -> int:
        """How many requests came, of this method and template; `parts`: also inside batches."""
        return sum(
            method in ("", one.method) and template in ("", one.template) and (parts or not one.part)
            for one in self.log
        )

    # Answering

    def respond(self, method: str, target: str, headers: dict[str, str], body: bytes, base: str) -> Answer:
        """The answer to one HTTP request. Raises Cut where the connection is to end."""
        try:
            request = read_request(method, target, headers, body, base)
            answer = self.login.answer(request)
        except Violation as violation:
            return self._error(violation, f"{method} {target}")
        if answer is not None:
            return self._signed_in(request, answer)
        if (method, *request.segments) == ("POST", "v1.0", "$batch"):
            return self._batch(request)
        return self._one(request)

    def _signed_in(self, request: Request, answer: Answer) -> Answer:
        """The authority's answer, unless something is to go wrong with it."""
        template = f"/{{tenant}}/{request.segments[-1]}"
        fault = self._fault(request.method, template, "")
        self._note(request, template, "", answer.status if fault is None else fault.status)
        if fault is None:
            return answer
        trouble = fault.trouble(answer)
        if isinstance(trouble, Cut):
            raise trouble
        return self._error(trouble, template)

    def _one(self, request: Request) -> Answer:
        template, mailbox = "", ""
        try:
            if request.method == "PUT" and request.segments[0] == "upload":
                template, work, box = "/upload/{key}", lambda: attachments.upload(request, self.uploads), None
            else:
                template, work, box = self._resolved(request, self._admitted(request))
            mailbox = box.address if box is not None else ""
            answer = self._carried_out(request, template, work, box)
        except GraphError as error:
            answer = self._error(error, f"{request.method} {request.target}")
        except Cut:
            self._note(request, template, mailbox, 0)
            raise
        except Exception as error:  # noqa: BLE001 - a mistake of the stand-in must be seen, whoever asked
            self.violations.append(f"the stand-in failed on {request.method} {request.target}: {error!r}")
            answer = self._error(GraphError(500, "InternalServerError", "Unexpected."), request.target)
        self._note(request, template, mailbox, answer.status)
        return answer

    def _note(self, request: Request, template: str, mailbox: str, status: int) -> None:
        prefer = request.headers.get("prefer", "")
        with self._lock:
            self.log.append(Logged(request.method, template, request.target, mailbox, status, request.part, prefer))

    def _carried_out(self, request: Request, template: str, work: Callable[[], Answer], box: Box | None) -> Answer:
        fault = self._fault(request.method, template, box.address if box is not None else "")
        if fault is not None and not fault.after:
            raise fault.trouble()
        if box is None:
            answer = work()
        else:
            with self._lock:
                box.busy += 1
                over = box.busy > CONCURRENT
            try:
                if over:
                    text = "Application is over its MailboxConcurrency limit."
                    raise GraphError(429, "ApplicationThrottled", text, {"Retry-After": "1"})
                box.hold()
                with box.lock:
                    answer = work()
            finally:
                with self._lock:
                    box.busy -= 1
        if fault is not None:
            raise fault.trouble(answer)
        return answer

    def _resolved(self, request: Request, grant: Grant) -> tuple[str, Callable[[], Answer], Box | None]:
        match request.segments[1:]:
            case ("subscriptions", *rest):
                return self._subscription_work(request, grant, rest)
            case ("me", *rest):
                if not grant.user:
                    raise GraphError(400, "BadRequest", "/me request is only valid with delegated authentication flow.")
                user = grant.user
            case ("users", user, *rest):
                pass
            case _:
                raise Violation(f"{request.method} {request.target}: no such path", 404, "ResourceNotFound")
        if not rest:
            return "/users/{user}", lambda: self._user(request, grant, user), None
        template, keys = _matched(rest)
        if (request.method, template) not in _ROUTES:
            raise Violation(f"{request.method} {request.target}: no such path", 404, "ResourceNotFound")
        rights, handler = _ROUTES[request.method, template]
        box = self._allowed(grant, user, rights)
        return f"/users/{{user}}{template}", lambda: handler(self, request, box, keys), box

    def _user(self, request: Request, grant: Grant, user: str) -> Answer:
        only(request, ("$select",))
        own = grant.user and user.lower() in (grant.user, self.box(grant.user).id)
        if not grant.rights & {"User.Read.All", "User.ReadBasic.All"} and not (own and "User.Read" in grant.rights):
            text = "Insufficient privileges to complete the operation."
            raise GraphError(403, "Authorization_RequestDenied", text)
        box = self._find(user)
        if box is None:
            text = f"Resource '{user}' does not exist or one of its queried reference-property objects are not present."
            raise GraphError(404, "Request_ResourceNotFound", text)
        shown = {
            "id": box.id,
            "displayName": box.address.partition("@")[0],
            "mail": box.address,
            "userPrincipalName": box.address,
        }
        select = request.query.get("$select")
        wanted = shown if select is None else {name: shown.get(name) for name in ("id", *select.split(","))}
        return Answer(200, {"@odata.context": f"{request.base}/v1.0/$metadata#users/$entity"} | wanted)

    def _subscription_work(
        self, request: Request, grant: Grant, rest: list[str]
    ) -> tuple[str, Callable[[], Answer], Box | None]:
        several, application = self.subscriptions, grant.application

        def box_of(user: str | None) -> Box:
            return self._allowed(grant, user or grant.user, _READ)

        match (request.method, *rest):
            case ("POST",):
                return "/subscriptions", lambda: several.create(request, application, box_of), None
            case ("GET",):
                return "/subscriptions", lambda: several.list_all(request, application), None
            case ("GET", id_):
                return "/subscriptions/{id}", lambda: several.get(request, application, id_), None
            case ("PATCH", id_):
                return "/subscriptions/{id}", lambda: several.update(request, application, id_), None
            case ("DELETE", id_):
                return "/subscriptions/{id}", lambda: several.delete(request, application, id_), None
            case ("POST", id_, "reauthorize"):
                return "/subscriptions/{id}/reauthorize", lambda: several.reauthorize(request, application, id_), None
        raise Violation(f"{request.method} {request.target}: no such path", 404, "ResourceNotFound")

    def _admitted(self, request: Request) -> Grant:
        """Version, token and size are right. Raises GraphError."""
        if request.segments[0] != "v1.0":
            raise Violation(f"{request.method} {request.target}: no such path", 404, "ResourceNotFound")
        grant = self._authenticated(request)
        if len(request.body) > messages.UPLOAD_LIMIT:
            raise GraphError(413, "RequestEntityTooLarge", "The request is larger than 4 MB.")
        return grant

    def _authenticated(self, request: Request) -> Grant:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise _unauthorized("Access token is empty.")
        grant = self.login.tokens.get(token)
        if grant is None:
            raise _unauthorized("IDX14100: JWT is not well formed.")
        if grant.expires <= self.now():
            raise _unauthorized("Lifetime validation failed, the token is expired.")
        return grant

    def _allowed(self, grant: Grant, user: str, rights: frozenset[str]) -> Box:
        denied = GraphError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
        if not grant.rights & rights:
            raise denied
        box = self._find(user)
        if box is None:
            raise GraphError(404, "ErrorInvalidUser", f"The requested user '{user}' is invalid.")
        if box.excluded or (grant.user and self._find(grant.user) is not box):
            raise denied
        if not box.enabled:
            text = "The mailbox is either inactive, soft-deleted, or is hosted on-premise."
            raise GraphError(404, "MailboxNotEnabledForRESTAPI", text)
        return box

    def _find(self, user: str) -> Box | None:
        return next((box for box in self._boxes.values() if user.lower() in (box.address, box.id)), None)

    def _fault(self, method: str, template: str, mailbox: str) -> Fault | None:
        with self._lock:
            found = next((fault for fault in self.faults if fault.applies(method, template, mailbox)), None)
            if found is not None and found.times is not None:
                found.times -= 1
            return found

    def _error(self, error: GraphError, where: str) -> Answer:
        if isinstance(error, Violation):
            self.violations.append(f"{where}: {error.text}")
        inner = {
            "date": self.now().strftime("%Y-%m-%dT%H:%M:%S"),
            "request-id": str(uuid.uuid4()),
            "client-request-id": str(uuid.uuid4()),
        }
        body = {"error": {"code": error.code, "message": error.text, "innerError": inner}}
        return Answer(error.status, body, error.headers, content_type="application/json")

    # Batches: https://learn.microsoft.com/graph/json-batching

    def _batch(self, request: Request) -> Answer:
        try:
            self._admitted(request)
            fault = self._fault("POST", "/$batch", "")
            if fault is not None and not fault.after:
                raise fault.trouble()
            parts = parts_of(request)
            answers = self._run_parts(request, parts)
            answer = Answer(200, {"responses": answers}, content_type="application/json")
            if fault is not None:
                raise fault.trouble(answer)
        except GraphError as error:
            answer = self._error(error, "POST $batch")
        except Cut:
            self._note(request, "/$batch", "", 0)
            raise
        self._note(request, "/$batch", "", answer.status)
        return answer

    def _run_parts(self, request: Request, parts: list[dict[str, Any]]) -> list[dict[str, Any]]:
        done: dict[str, Answer] = {}
        at_once: dict[str, int] = {}
        for part in parts:  # a part can only depend on parts before it
            if any(done[id_].status >= 400 for id_ in part.get("dependsOn", ())):
                failed = GraphError(424, "FailedDependency", "A request that this one depends on has failed.")
                done[part["id"]] = self._error(failed, part["url"])
                continue
            user = part["url"].split("/")[2] if part["url"].count("/") > 1 else ""
            at_once[user] = at_once.get(user, 0) + (not part.get("dependsOn"))
            if self.batches_overrun and at_once[user] > CONCURRENT and not part.get("dependsOn"):
                text = "Application is over its MailboxConcurrency limit."
                over = GraphError(429, "ApplicationThrottled", text, {"Retry-After": "1"})
                done[part["id"]] = self._error(over, part["url"])
                continue
            done[part["id"]] = self._one(part_request(request, part))
        # The order of the answers is not that of the requests.
        return [part_answer(id_, answer, self.batched_mime) for id_, answer in reversed(done.items())]


def _matched(rest: list[str]) -> tuple[str, dict[str, str]]:
    """The template that the segments below a user fit, and its keys; literal segments before keys."""
    best: tuple[str, dict[str, str]] = ("", {})
    for template, pattern in _SPLIT.items():
        if len(pattern) != len(rest):
            continue
        keys = {name.strip("{}"): segment for name, segment in zip(pattern, rest, strict=True) if name[0] == "{"}
        literal = all(
            name[0] == "{" or name.lower() == segment.removeprefix("microsoft.graph.").lower()
            for name, segment in zip(pattern, rest, strict=True)
        )
        if literal and all(keys.values()) and (not best[0] or len(keys) < len(best[1])):
            best = template, keys
    return best


def _unauthorized(text: str) -> GraphError:
    challenge = 'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"'
    return GraphError(401, "InvalidAuthenticationToken", text, {"WWW-Authenticate": challenge})


@cache
def _certificates() -> Certificates:
    """One authority for every server of this process."""
    folder = tempfile.TemporaryDirectory(prefix="graph-")
    atexit.register(folder.cleanup)
    return make_certificates(Path(folder.name))


@contextmanager
def running(*addresses: str, certificates: Certificates | None = None) -> Iterator[GraphServer]:
    """The service with these mailboxes, as long as the block. Fails in the end where a client violated the
    documentation and the test did not clear `violations`."""
    graph = GraphServer(certificates or _certificates())
    for address in addresses:
        graph.box(address)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(graph.certificates.certificate, graph.certificates.key)
    servers = (HttpServer(graph, None), HttpServer(graph, context))
    graph.url = f"http://127.0.0.1:{servers[0].server_address[1]}"
    graph.secure_url = f"https://localhost:{servers[1].server_address[1]}"
    threads = [threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    try:
        yield graph
    finally:
        for server in servers:
            server.shutdown()
            server.hang_up()
            server.server_close()
        graph.subscriptions.close()
    assert graph.violations == [], "\n".join(graph.violations)
