"""The web application, put together."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles

from classifier.verdict import Reason
from config import ConfigError, Fault, SchoolCalendar
from config.secrets import Secrets
from config.settings import MailboxSettings, Settings, Web
from connectors.mailbox import Mailbox
from connectors.message import Message
from connectors.registry import open_mailbox
from scorecard.roster import Roster
from service.connecting.keepsakes import OPENID_SECRET
from service.notifications import Receive, notifications_router, serving
from service.openid.provider import Provider
from service.operating.health import DatabaseCheck, health_router
from service.roster_keeping import RosterKeeper
from service.web import audit, cases, contacts, errors, glow, home, items, openid, scorecard, scorecard_events, sign_in
from service.web.people import People
from service.web.post import OpenBox, Post
from service.web.reading import Texts
from service.web.shield import Scope, Shield
from service.web.site import Explain, Site
from store.access import Access, TooMany
from store.database import Database
from store.queue import Queue

_SETTING = "web.listen"
_ROSTER_SECONDS = 30.0
_KEPT_FOR_EVER = "public, max-age=31536000, immutable"


def _no_reasons(message: Message) -> Sequence[Reason]:
    del message
    return ()


class _Files(StaticFiles):
    """Static files. Their addresses change with their content (`rendering.asset`)."""

    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        """The file, which browsers need never ask for again."""
        response = super().file_response(*args, **kwargs)
        response.headers["Cache-Control"] = _KEPT_FOR_EVER
        return response


def create_app(
    settings: Settings,
    database: Database,
    *,
    open_box: OpenBox,
    clock: Callable[[], datetime],
    notified: Receive | None = None,
    secrets: Secrets | None = None,
    explain: Explain = _no_reasons,
) -> FastAPI:
    """The pages of a school whose settings have a table [web]. `open_box` opens the mailbox that sign-in links are sent
    from, and those whose messages are shown; `app.state.site.post.close()` ends the sending. `explain` says why a
    message was flagged, where a classifier is at hand. `notified` takes Microsoft's notifications, which then arrive
    here too where the settings name an address for them: only the process that reads the mailboxes can use them.
    `secrets` hold the client secret where [web.openid] names a provider. Raises ConfigError where there is no [web], or
    no mailbox to send from."""
    site = _site(settings, database, open_box, clock, secrets or Secrets.in_memory(), explain)
    app = FastAPI(title="Alliance Inbox", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.site = site
    app.include_router(health_router({}, {"database": DatabaseCheck(database)}))
    app.include_router(sign_in.router)
    app.include_router(openid.router)
    app.include_router(home.router)
    app.include_router(audit.router)
    app.include_router(items.router)
    app.include_router(cases.router)
    app.include_router(glow.router)
    app.include_router(scorecard.router)
    app.include_router(scorecard_events.router)
    app.include_router(contacts.router)
    app.mount("/static", _Files(packages=[("service.web", "static")]), name="static")
    for status in (400, 403, 404, 405, 413):
        app.add_exception_handler(status, errors.refused)
    app.add_exception_handler(HTTPException, errors.refused)
    app.add_exception_handler(RequestValidationError, errors.refused)
    app.add_exception_handler(TooMany, errors.too_many)
    others: dict[str, str] = {}
    told_at = settings.graph.notification_url if settings.graph else None
    if told_at is not None and notified is not None:
        app.include_router(notifications_router(told_at, notified))
        others[urlsplit(told_at).path or "/"] = urlsplit(told_at).netloc

    def error_page(scope: Scope, status: int) -> Response:
        return errors.error_page(Request(scope), status)

    app.add_middleware(Shield, origin=site.web.origin, error_page=error_page, open_to_others=others)
    return app


@contextmanager
def web_pages(
    settings: Settings,
    database: Database,
    *,
    environ: Mapping[str, str],
    clock: Callable[[], datetime],
    notified: Receive | None = None,
    explain: Explain = _no_reasons,
) -> Iterator[str]:
    """Serves the pages while the block runs, and yields where they listen. Secrets of the mailboxes come from `environ`
    and the vault; `notified` and `explain` as for `create_app`. Raises ConfigError; AddressTaken where another program
    listens there."""

    def open_box(box: MailboxSettings) -> Mailbox:
        return open_mailbox(box, settings, Secrets.of(settings, environ))

    secrets = Secrets.of(settings, environ)
    app = create_app(
        settings, database, open_box=open_box, clock=clock, notified=notified, secrets=secrets, explain=explain
    )
    site: Site = app.state.site
    try:
        with serving(app, site.web.listen, setting=_SETTING, proxies=site.web.proxies) as address:
            yield address
    finally:
        site.post.close()


def _site(
    settings: Settings,
    database: Database,
    open_box: OpenBox,
    clock: Callable[[], datetime],
    secrets: Secrets,
    explain: Explain,
) -> Site:
    web = _web(settings)
    access = Access(database)
    post = Post(settings, open_box, access, clock)
    if not post.sends:
        advice = "list it under [[mailboxes]], or give [imap] and [smtp] for all"
        raise ConfigError(
            [Fault("alliance.toml", "service.notices_from", "a mailbox that can be reached", advice=advice)]
        )
    return Site(
        settings=settings,
        web=web,
        calendar=SchoolCalendar.of(settings.school, settings.office),
        database=database,
        access=access,
        people=People.of(settings),
        post=post,
        queue=Queue(database),
        texts=Texts(settings, open_box, database),
        roster=RosterKeeper(settings, database, clock, Roster(database, every=_ROSTER_SECONDS)).begin(),
        explain=explain,
        clock=clock,
        openid=_provider(web, secrets, clock),
    )


def _provider(web: Web, secrets: Secrets, clock: Callable[[], datetime]) -> Provider | None:
    if web.openid is None:
        return None
    return Provider(
        web.openid, back_to=web.origin + openid.BACK, secret=lambda: secrets.get(OPENID_SECRET), clock=clock
    )


def _web(settings: Settings) -> Web:
    if settings.web is None:
        advice = "docs/howto/web.md shows one"
        raise ConfigError([Fault("alliance.toml", "web", "a table [web] with the pages' url", advice=advice)])
    return settings.web
