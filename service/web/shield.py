"""What goes around every answer: headers that hold the browser to what these pages need, and no unexpected error.

Plain ASGI (https://asgi.readthedocs.io/en/latest/specs/www.html), outside of everything else.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import urlsplit

import structlog
from fastapi import Response

from service.logs import place
from service.operating.health import LIVE, READY

log = structlog.get_logger()

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
ErrorPage = Callable[[Scope, int], Response]

CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "style-src 'self'",
        "script-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
"""No script and no style but from our own files; nobody frames these pages (W3C CSP Level 3)."""
_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # a link's secret stands in its address
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Robots-Tag": "noindex, nofollow",
}
_READING = frozenset({"GET", "HEAD"})
_FOR_MACHINES = frozenset({LIVE, READY})


class Shield:
    """Wraps the application. Refuses requests for other hosts and forms from other sites, adds the headers, and turns
    what nobody expected into a page that says so; the log names the place and no words of it."""

    def __init__(self, app: App, origin: str, error_page: ErrorPage, open_to_others: dict[str, str]) -> None:
        """`origin` is the pages' own, such as https://inbox.maple.example. `open_to_others` are the paths that other
        services post to, with the host that they know for it."""
        self._app = app
        self._origin = origin
        self._host = urlsplit(origin).netloc
        self._error_page = error_page
        self._open = open_to_others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            return  # no web sockets here
        begun = False

        async def shielded(message: MutableMapping[str, Any]) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = _with_headers(message.get("headers", []))
            await send(message)

        refused = self._refused(scope)
        if refused is not None:
            await self._error_page(scope, refused)(scope, receive, shielded)
            return
        try:
            await self._app(scope, receive, shielded)
        except Exception as error:  # noqa: BLE001 - the last resort; a traceback may quote a message
            log.error("a page failed", path=_known_path(scope), reason=place(error))
            if not begun:
                await self._error_page(scope, 500)(scope, receive, shielded)

    def _refused(self, scope: Scope) -> int | None:
        """The status of a request that goes no further; None for all others."""
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get(b"host", "").lower()
        if scope["path"] in _FOR_MACHINES and scope["method"] in _READING:
            return None  # a supervisor asks by whatever address it knows, and is told one word
        if scope["path"] in self._open and host in {self._open[scope["path"]], self._host}:
            return None
        if host != self._host:
            return 421  # RFC 9110 §15.5.20
        if scope["method"] in _READING:
            return None
        # What browsers say of where a form came from (Fetch, "Origin" and "Sec-Fetch-Site"); programs say nothing.
        if headers.get(b"origin", self._origin) != self._origin:
            return 403
        return None if headers.get(b"sec-fetch-site", "same-origin") in {"same-origin", "none"} else 403


def _with_headers(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    there = {name.lower() for name, _ in headers}
    ours = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]
    kept = [(b"cache-control", b"no-store")] if b"cache-control" not in there else []
    return [*headers, *(pair for pair in ours if pair[0] not in there), *kept]


def _known_path(scope: Scope) -> str:
    """The path without what is secret in it."""
    route = scope.get("route")
    return str(getattr(route, "path", "(no page)"))
