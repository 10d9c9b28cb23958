"""Who is looking: the person behind a request, and whether they may."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import Depends, HTTPException, Request

from config.settings import Role
from service.web.cookies import SESSION, cookie
from service.web.people import Person
from service.web.site import site_of
from store.web_tables import WebSession

MAY_LOOK = frozenset({Role.ADMINISTRATOR, Role.LEADER})
"""Who sees the audit page."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody who is signed in, and their session."""

    person: Person
    session: WebSession


def visit_behind(request: Request) -> Visit | None:
    """Who is signed in with this request's browser; None where nobody is, or nobody whom the configuration still
    knows."""
    if not hasattr(request.state, "signed_in"):
        request.state.signed_in = _find(request)
    found: Visit | None = request.state.signed_in
    return found


def watching(request: Request) -> Visit | None:
    """The same for what a page that stands open asks for by itself: it keeps nobody from growing idle."""
    return _find(request, used=False)


def signed_in(request: Request) -> Visit:
    """The same for a page that nobody else sees. Raises HTTPException 303, to the sign-in page and back again."""
    visit = visit_behind(request)
    if visit is None:
        wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        back = f"?next={quote(wanted, safe='')}" if request.method == "GET" and wanted != "/" else ""
        raise HTTPException(303, headers={"Location": f"/sign-in{back}"})
    return visit


SignedIn = Annotated[Visit, Depends(signed_in)]
"""Write `visit: SignedIn` in every handler of a page that is not for everybody."""


def one_of(*roles: Role) -> Callable[[Visit], Visit]:
    """A dependency for pages of these roles alone: `Annotated[Visit, Depends(one_of(Role.OFFICE))]`. Others get a 403
    (HTTPException)."""

    def allowed(visit: SignedIn) -> Visit:
        if visit.person.roles.isdisjoint(roles):
            raise HTTPException(403)
        return visit

    return allowed


def _find(request: Request, *, used: bool = True) -> Visit | None:
    site, secret = site_of(request), cookie(request, SESSION)
    if secret is None:
        return None
    session = site.access.session(secret, now=site.clock(), idle=site.idle, used=used)
    person = site.people.find(session.person) if session else None
    return Visit(person, session) if session and person else None
