"""The web server in front of Exchange: HTTP/1.1 with keep-alive, TLS, signing in, and lines that break on order."""

import json
import select
import socket
import ssl
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.servers.ews import autodiscover
from tests.servers.ews.authentication import Account, Connection
from tests.servers.ews.soap import Fault, M, Malformed, Refused
from tests.servers.ews.troubles import Failing, Line, Status, Trouble

if TYPE_CHECKING:
    from tests.servers.ews.server import ExchangeServer, Request

XML = "text/xml; charset=utf-8"
_MOST_BYTES = 128 * 1024 * 1024


_AUTODISCOVER = {
    "/autodiscover/autodiscover.svc": autodiscover.soap,
    "/autodiscover/autodiscover.xml": autodiscover.plain,
}


class _Broken(Exception):
    """The line is to break here."""


class Web:
    """The listening socket and its connections."""

    def __init__(self, exchange: "ExchangeServer") -> None:
        self.exchange = exchange
        self.stopping = threading.Event()
        self._server: _Listener | None = None
        self._port = 0

    @property
    def address(self) -> str:
        """Scheme, host and port."""
        secure = self.exchange.certificates is not None
        return f"https://localhost:{self._port}" if secure else f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Starts it, on the same port as before if it ran before."""
        self.stopping.clear()
        self._server = _Listener(("127.0.0.1", self._port), _Handler)
        self._server.web = self
        certificates = self.exchange.certificates
        if certificates is not None:
            self._server.tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            self._server.tls.load_cert_chain(certificates.certificate, certificates.key)
        self._port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Stops it; connections are closed."""
        self.stopping.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.hang_up()
            self._server = None

    def hang_up(self) -> None:
        """Closes every connection; the server goes on."""
        if self._server is not None:
            self._server.hang_up()


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    web: Web
    tls: ssl.SSLContext | None = None

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        self._open_lock = threading.Lock()
        super().__init__(*args)

    def server_bind(self) -> None:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def finish_request(self, request: Any, client_address: Any) -> None:
        connection = request
        if self.tls is not None:
            try:
                connection = self.tls.wrap_socket(request, server_side=True)
            except (OSError, ssl.SSLError):
                return  # a client that does not trust the certificate
        with self._open_lock:
            self._open.add(connection)
        try:
            super().finish_request(connection, client_address)
        finally:
            with self._open_lock:
                self._open.discard(connection)
            with suppress(OSError):
                connection.close()

    def hang_up(self) -> None:
        with self._open_lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exc_info()[1]
        if not isinstance(error, (OSError, ValueError)):
            self.web.exchange.violation("the stand-in failed:\n" + traceback.format_exc())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536
    server: _Listener

    def setup(self) -> None:
        super().setup()
        self.exchange = self.server.web.exchange
        self.proven = Connection()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the standard library's name
        """The requests are in `ExchangeServer.requests`."""

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        if path.endswith("/.well-known/openid-configuration"):
            self._openid(path.removesuffix("/.well-known/openid-configuration").removesuffix("/v2.0"))
            return
        self._read()
        if path.lower() == "/ews/exchange.asmx" and self._signed_in() is None:
            return
        self._answer(404, b"", "text/plain")

    def do_POST(self) -> None:
        path = urlsplit(self.path).path
        try:
            if path.lower() == "/ews/exchange.asmx":
                self._exchange(self._read())
            elif path.lower() in _AUTODISCOVER:
                self._autodiscover(_AUTODISCOVER[path.lower()], self._read())
            elif path.rstrip("/").endswith(("/oauth2/v2.0/token", "/oauth2/token")):
                self._token(self._read())
            else:
                self._read()
                self._answer(404, b"", "text/plain")
        except _Broken:
            self._cut()

    # Exchange Web Services

    def _exchange(self, body: bytes) -> None:
        account = self._signed_in()
        if account is None:
            return
        exchange = self.exchange
        request: Request | None = None
        try:
            request = exchange.open(body, account)
            document = self._carried_out(request)
        except Refused as refused:
            exchange.note(request, account, refused.code, 0)
            self._answer(500, exchange.refusal(refused), XML)
            return
        except (_Broken, OSError):
            raise
        except Exception:  # noqa: BLE001 - a failure of the stand-in fails the test, in its own thread
            exchange.violation("the stand-in failed:\n" + traceback.format_exc())
            self._answer(500, exchange.refusal(Fault("ErrorInternalServerError", "It failed.")), XML)
            return
        if document is not None:
            self._answer(200, document, XML)

    def _carried_out(self, request: "Request") -> bytes | None:
        exchange = self.exchange
        address = request.mailbox.address if request.mailbox else None
        trouble = exchange.ordered(request.operation, address)
        if isinstance(trouble, Failing):
            raise trouble.fault
        if isinstance(trouble, Status):
            exchange.note(request, request.account, str(trouble.status), 0)
            self._answer(trouble.status, trouble.text.encode(), "text/plain", trouble.headers)
            return None
        if isinstance(trouble, Line) and trouble.how in ("cut", "hang"):
            exchange.note(request, request.account, trouble.how, 0)
            if trouble.how == "hang":
                self._wait_for_the_client()
            raise _Broken
        if request.operation == "GetStreamingEvents":
            self._stream(request, trouble)
            return None
        content = exchange.carry_out(request)
        messages = list(content.iterfind(f"{M}ResponseMessages/*")) or [content]
        codes = [message.findtext(f"{M}ResponseCode", "") for message in messages]
        exchange.note(
            request, request.account, next((code for code in codes if code != "NoError"), "NoError"), len(codes)
        )
        document = exchange.document(content)
        if isinstance(trouble, Line):
            if trouble.how == "middle":
                self._begin(200, XML, {"Content-Length": str(len(document))})
                self.wfile.write(document[: len(document) // 2])
            raise _Broken
        return document

    def _stream(self, request: "Request", trouble: Trouble | None) -> None:
        self.exchange.note(request, request.account, "NoError", 1)
        self._begin(200, XML, {"Transfer-Encoding": "chunked"})
        for document in self.exchange.stream(request, self._gone):
            self.wfile.write(f"{len(document):x}\r\n".encode() + document + b"\r\n")
            self.wfile.flush()
            if isinstance(trouble, Line):
                raise _Broken
        if self._gone():
            raise _Broken
        self.wfile.write(b"0\r\n\r\n")
        self.wfile.flush()

    def _gone(self) -> bool:
        if self.server.web.stopping.is_set():
            return True
        readable, _, _ = select.select([self.connection], [], [], 0)
        if not readable:
            return False
        try:
            return not self.connection.recv(1, 0 if self.server.tls else socket.MSG_PEEK)
        except OSError:
            return True

    def _autodiscover(self, answer: Callable[["ExchangeServer", bytes], bytes], body: bytes) -> None:
        if self._signed_in() is None:
            return
        try:
            self._answer(200, answer(self.exchange, body), XML)
        except Malformed as malformed:
            self.exchange.violation(f"autodiscover: {malformed}")
            self._answer(400, b"", "text/plain")

    # Signing in

    def _signed_in(self) -> Account | None:
        found = self.exchange.authentication.check(self.headers.get("Authorization"), self.proven)
        if isinstance(found, Account):
            return found
        with self.exchange.lock:
            self.exchange.refused += 1
        challenges = [("WWW-Authenticate", challenge) for challenge in found.challenges]
        self._answer(401, b"", "text/html", (*challenges, *found.headers))
        return None

    def _token(self, body: bytes) -> None:
        form = {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace")).items()}
        if form.get("grant_type") != "client_credentials":
            answer: Mapping[str, object] = {"error": "unsupported_grant_type"}
            self._answer(400, json.dumps(answer).encode(), "application/json")
            return
        token = self.exchange.authentication.issue(form.get("client_id", ""), form.get("client_secret", ""))
        if token is None:
            answer = {"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided."}
            self._answer(401, json.dumps(answer).encode(), "application/json")
            return
        seconds = int(self.exchange.authentication.token_seconds)
        answer = {"token_type": "Bearer", "expires_in": seconds, "access_token": token}
        self._answer(200, json.dumps(answer).encode(), "application/json", (("Cache-Control", "no-store"),))

    def _openid(self, tenant: str) -> None:
        base = f"{self.server.web.address}{tenant}"
        answer = {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
        }
        self._answer(200, json.dumps(answer).encode(), "application/json")

    # HTTP

    def _read(self) -> bytes:
        if (self.headers.get("Transfer-Encoding") or "").lower() == "chunked":
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass  # trailers
            return body
        size = int(self.headers.get("Content-Length") or 0)
        if size > _MOST_BYTES:
            raise ValueError("a request of more than 128 MiB")
        return self.rfile.read(size)

    def _begin(self, status: int, content_type: str, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def _answer(self, status: int, body: bytes, content_type: str, headers: Iterable[tuple[str, str]] = ()) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def _wait_for_the_client(self) -> None:
        self.connection.settimeout(0.05)
        while not self.server.web.stopping.is_set():
            try:
                if not self.connection.recv(1):
                    return
            except TimeoutError:
                continue
            except OSError:
                return

    def _cut(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
