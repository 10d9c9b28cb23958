"""Where Microsoft's change notifications arrive, behind the school's TLS proxy.

Anybody on the Internet can post here. So a request is small or refused, nothing of it is kept or logged, and all that a
genuine one can do is to have a mailbox read a little sooner.
https://learn.microsoft.com/graph/change-notifications-delivery-webhooks
"""

import errno
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any
from urllib.parse import urlsplit

import structlog
import uvicorn
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from config.faults import ConfigError, Fault
from config.settings import Settings
from connectors.graph_push import Lifecycle, receive

log = structlog.get_logger()

LARGEST = 256 * 1024
"""Bytes of a request: some hundred notifications."""
_LONGEST_TOKEN = 2048
"""Characters of a validation token."""
_STARTING_AT_MOST = 10.0
"""Seconds."""
_ANSWERED = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}

Receive = Callable[[str, Lifecycle | None], bool]
"""`connectors.graph_push.receive`, or what stands in for it."""


def _known_event(value: Any) -> Any:
    """An event that is new at Microsoft counts as none: the mailbox is read, and that is never wrong."""
    return value if value in list(Lifecycle) else None


class AddressTaken(ConfigError):
    """Another program listens at the address already."""


class Notification(BaseModel):
    """One notification, of a change or of a subscription's life. Nothing else of it is read."""

    model_config = ConfigDict(frozen=True)

    client_state: str = Field(default="", alias="clientState", max_length=128)
    lifecycle: Annotated[Lifecycle | None, BeforeValidator(_known_event)] = Field(default=None, alias="lifecycleEvent")


class Notifications(BaseModel):
    """What one request brings."""

    model_config = ConfigDict(frozen=True)

    value: list[Notification] = Field(max_length=1000)


@contextmanager
def receiving(settings: Settings, take: Receive = receive) -> Iterator[str | None]:
    """The receiver of this installation while the block runs, in the process whose mailboxes it tells; in another one,
    `take` sees to it that they are told. Yields where it listens; None, and nothing runs, where the settings name no
    `graph.notification_url`. Raises ConfigError where it cannot listen."""
    if settings.graph is None or settings.graph.notification_url is None:
        yield None
        return
    with serving(create_app(settings.graph.notification_url, take), settings.graph.notification_listen) as address:
        yield address


def create_app(notification_url: str, take: Receive = receive) -> FastAPI:
    """The web application that takes notifications at the path of `notification_url`, and answers nothing else."""
    app = FastAPI(title="Alliance Inbox", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(notifications_router(notification_url, take))
    return app


def notifications_router(notification_url: str, take: Receive = receive) -> APIRouter:
    """The one route of the receiver, for any web application of the service."""
    router = APIRouter()

    @router.post(urlsplit(notification_url).path or "/")
    async def notified(request: Request) -> Response:
        token = request.query_params.get("validationToken")
        if token is not None:
            return _validated(token)
        body = await _bounded(request)
        if body is None:
            return Response(status_code=413, headers=_ANSWERED)
        try:
            found = Notifications.model_validate_json(body)
        except ValidationError:
            return Response(status_code=400, headers=_ANSWERED)
        strange = sum(not take(one.client_state, one.lifecycle) for one in found.value)
        if strange:
            log.info("notifications under a client state that is not ours", notifications=strange)
        # The same answer to all of them: a stranger learns nothing, and Microsoft does not try old ones again.
        return Response(status_code=202, headers=_ANSWERED)

    return router


@contextmanager
def serving(
    app: FastAPI, listen: str, *, setting: str = "graph.notification_listen", proxies: Sequence[str] = ()
) -> Iterator[str]:
    """Serves `app` in a thread of its own at `listen` ("127.0.0.1:8765"; port 0 takes a free one) while the block runs,
    and yields the address, such as "http://127.0.0.1:8765". What `proxies` say of the visitor's address is believed.
    Raises ConfigError where it cannot listen there, AddressTaken where another program does: `setting` is the key that
    says where."""
    host, _, port = listen.rpartition(":")
    try:
        sock = socket.create_server((host, int(port)))
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) else "no such port"
        advice = f"{listen}: {why}. Choose another, and have the proxy pass requests on to it"
        fault = Fault("alliance.toml", setting, "a free address", advice=advice)
        taken = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
        raise (AddressTaken if taken else ConfigError)([fault]) from None
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
            ws="none",
            limit_concurrency=100,
            timeout_keep_alive=5,
            timeout_graceful_shutdown=5,
        )
    )
    thread = threading.Thread(target=server.run, args=([sock],), name=setting, daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{sock.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(_STARTING_AT_MOST)
        sock.close()


def _validated(token: str) -> Response:
    """Microsoft asks whether somebody is there, once for each new subscription: the token comes back as it is. As plain
    text that no browser takes for anything else, since whoever asks chooses it."""
    if not 0 < len(token) <= _LONGEST_TOKEN or not token.isprintable():
        return Response(status_code=400, headers=_ANSWERED)
    return PlainTextResponse(token, headers=_ANSWERED)


async def _bounded(request: Request) -> bytes | None:
    """The body; None where it is longer than is taken. No more of it is read then."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            return None
    return bytes(body)
