"""What all pages share, put together once per process."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from fastapi import Request

from classifier.verdict import Reason
from config.calendar import SchoolCalendar
from config.settings import Settings, Web
from connectors.message import Message
from scorecard.roster import Roster
from service.openid.provider import Provider
from service.web.people import People
from service.web.post import Post
from service.web.reading import Texts
from store.access import Access
from store.database import Database
from store.queue import Queue

Explain = Callable[[Message], Sequence[Reason]]
"""Says why a message was flagged."""


@dataclass(frozen=True, slots=True)
class Site:
    """The web pages of one installation. Threads share it."""

    settings: Settings
    web: Web
    calendar: SchoolCalendar
    database: Database
    access: Access
    people: People
    post: Post
    queue: Queue
    texts: Texts
    roster: Roster
    explain: Explain
    clock: Callable[[], datetime]
    openid: Provider | None = None
    """The provider that people may sign in with, beside the links by mail."""

    @property
    def idle(self) -> timedelta:
        """After how long without a page somebody is signed out."""
        return timedelta(minutes=self.web.idle_minutes)


def site_of(request: Request) -> Site:
    """The site that a request came to."""
    site = request.app.state.site
    assert isinstance(site, Site)  # noqa: S101 - `create_app` puts it there
    return site
