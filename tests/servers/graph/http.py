"""HTTP/1.1 for the stand-in, with and without TLS."""

import socket
import ssl
import sys
import uuid
from datetime import datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol

from tests.servers.graph.wire import Answer, Cut


class Responder(Protocol):
    """What answers the requests."""

    violations: list[str]

    def respond(self, method: str, target: str, headers: dict[str, str], body: bytes, base: str) -> Answer:
        """The answer to one request. Raises Cut where the connection is to end."""
        ...

    def now(self) -> datetime: ...


class HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, graph: Responder, context: ssl.SSLContext | None) -> None:
        self.graph = graph
        self.context = context
        self.open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), _Handler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.context is not None:
            try:
                request.settimeout(30)
                request = self.context.wrap_socket(request, server_side=True)
            except (ssl.SSLError, OSError):
                return  # the client did not trust us
        self.open.add(request)
        try:
            super().finish_request(request, client_address)
        finally:
            self.open.discard(request)
            request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no news; anything else is a mistake of the stand-in."""
        error = sys.exception()
        if not isinstance(error, ConnectionError | TimeoutError | ssl.SSLError | OSError):
            self.graph.violations.append(f"the stand-in failed: {error!r}")
            super().handle_error(request, client_address)

    def hang_up(self) -> None:
        """Ends every connection."""
        for one in list(self.open):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: HttpServer

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            self.send_error(411)
            return
        body = self.rfile.read(length)
        scheme = "https" if self.server.context is not None else "http"
        base = f"{scheme}://{self.headers.get('Host')}"
        try:
            answer = self.server.graph.respond(self.command, self.path, dict(self.headers.items()), body, base)
        except Cut as cut:
            self.wfile.write(self._bytes(cut.answer or Answer(200, b"{" + b" " * 65536))[: cut.sent])
            self.close_connection = True
            return
        self.wfile.write(self._bytes(answer))

    do_POST = do_PATCH = do_DELETE = do_PUT = do_GET  # noqa: N815 - names of the standard library

    def _bytes(self, answer: Answer) -> bytes:
        content = answer.content()
        lines = [f"HTTP/1.1 {answer.status} {self.responses.get(answer.status, ('',))[0]}"]
        now = format_datetime(self.server.graph.now(), usegmt=True)
        headers = {"Content-Length": str(len(content)), "Date": now, "request-id": str(uuid.uuid4())}
        headers |= dict(answer.headers)
        if content:
            headers["Content-Type"] = answer.content_type
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + content

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - name of the standard library
        """Tests have `GraphServer.log`."""
