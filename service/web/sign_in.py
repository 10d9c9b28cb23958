"""Signing in by a link that comes by mail, and signing out. `openid` has the other way in.

Opening the link changes nothing, since security gateways open links before people do: the button on its page signs in.
"""

from datetime import timedelta
from ipaddress import ip_address, ip_network
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from service.web.cookies import SESSION, cookie, drop_cookie, set_cookie
from service.web.forms import PostedForm, local_path
from service.web.post import Letter
from service.web.rendering import page, words_for
from service.web.site import Site, site_of
from service.web.visits import SignedIn, visit_behind
from store.access import Attempt, Limit, new_secret

router = APIRouter()

PER_ADDRESS = Limit("links for one address", 5, timedelta(minutes=15))
PER_CLIENT = Limit("links asked for by one client", 100, timedelta(minutes=10))
"""A whole school may sign in from behind one address at eight o'clock."""
TRIES_PER_CLIENT = Limit("links tried by one client", 300, timedelta(minutes=10))
"""More than can be asked for: whoever got a link must not be refused because colleagues came before."""
_LONGEST_SECRET = 100


@router.get("/sign-in")
def ask(request: Request) -> Response:
    """Asks for an address."""
    wanted = local_path(request.query_params.get("next"))
    if visit_behind(request) is not None:
        return RedirectResponse(wanted, 303)
    return sign_in_page(request, wanted)


@router.post("/sign-in")
def send_link(request: Request, form: PostedForm) -> Response:
    """Sends a link where the address is somebody's; says the same, and takes as long, where it is not."""
    site = site_of(request)
    address, wanted = form.text("address").lower(), local_path(form.text("next", 500))
    if not _looks_like_an_address(address):
        problem = words_for(request).gettext("Please type your whole school address, such as name@school.example.")
        return sign_in_page(request, wanted, address=address, problem=problem, status=422)
    now, valid, secret = site.clock(), timedelta(minutes=site.web.link_minutes), new_secret()
    person = site.people.find(address)
    attempts = (Attempt(PER_CLIENT, client_of(request)), Attempt(PER_ADDRESS, address))
    name = person.address if person else None
    site.access.ask(secret, name, destination=wanted, attempts=attempts, now=now, valid=valid)
    if person is not None:
        language = words_for(request).language
        url = f"{site.web.origin}/sign-in/link/{secret}?lang={language}"
        site.post.hand_in(Letter(person, url, secret, language, now + valid, site.web.link_minutes))
    return RedirectResponse("/sign-in/sent", 303)


@router.get("/sign-in/sent")
def sent(request: Request) -> Response:
    """Says that a link is on its way, if the address is somebody's."""
    return page(request, "sent.html.j2", minutes=site_of(request).web.link_minutes)


@router.get("/sign-in/link/{secret}")
def confirm(request: Request, secret: str) -> Response:
    """The page behind the link. Changes nothing."""
    site = site_of(request)
    link = site.access.look(secret, site.clock()) if len(secret) <= _LONGEST_SECRET else None
    person = site.people.find(link.person) if link and link.person else None
    if link is None or person is None:
        return _used_up(request)
    return page(request, "confirm.html.j2", person=person, secret=secret)


@router.post("/sign-in/link")
def redeem(request: Request, form: PostedForm) -> Response:
    """Signs in. Of two browsers with one link, one does."""
    site, secret, session = site_of(request), form.text("secret", _LONGEST_SECRET), new_secret()
    now = site.clock()
    site.access.try_once((Attempt(TRIES_PER_CLIENT, client_of(request)),), now)
    link = site.access.look(secret, now)
    # Somebody who has left the school since the link was sent does not come in, and the link stays as it is.
    known = link is not None and site.people.find(link.person or "") is not None
    lasting = timedelta(hours=site.web.session_hours)
    used = site.access.redeem(secret, session, now=now, lasting=lasting) if known else None
    if used is None:
        return _used_up(request)
    return begin_session(request, session, used.destination)


@router.post("/sign-out")
def sign_out(request: Request, form: PostedForm, visit: SignedIn) -> Response:
    """Signs this browser out, or every browser of this person."""
    site, now = site_of(request), site_of(request).clock()
    if form.text("where") == "everywhere":
        site.access.end_everywhere(visit.person.address, now)
    else:
        site.access.end(cookie(request, SESSION) or "", visit.person.address, now)
    response = RedirectResponse("/signed-out", 303)
    drop_cookie(response, SESSION)
    return response


@router.get("/signed-out")
def signed_out(request: Request) -> Response:
    """Says good-bye."""
    openid = site_of(request).openid
    return page(
        request,
        "signed_out.html.j2",
        provider=openid.openid.name if openid else None,
        provider_s_own=openid.sign_out_url if openid else None,
    )


def sign_in_page(
    request: Request, wanted: str, *, address: str = "", problem: str = "", notice: str = "", status: int = 200
) -> Response:
    """The page with every way to sign in. `problem` is about the address that was typed, `notice` about anything
    else."""
    openid = site_of(request).openid
    return page(
        request,
        "sign_in.html.j2",
        status=status,
        destination=wanted,
        address=address,
        problem=problem,
        notice=notice,
        provider=openid.openid.name if openid else None,
    )


def begin_session(request: Request, session: str, wanted: str) -> Response:
    """Gives this browser a session that has just begun, ends the one it had, and goes where somebody wanted to."""
    site, earlier = site_of(request), visit_behind(request)
    if earlier is not None:
        site.access.end(cookie(request, SESSION) or "", earlier.person.address, site.clock())
    response = RedirectResponse(local_path(wanted), 303)
    set_cookie(response, SESSION, session)
    return response


def client_of(request: Request) -> str:
    """What tells one client from another: its IP address, of IPv6 the network that one household or school has."""
    try:
        address = ip_address(request.client.host if request.client else "")
    except ValueError:
        return "unknown"
    return str(ip_network(f"{address}/64", strict=False)) if address.version == 6 else str(address)


def sign_in_url(site: Site, destination: str) -> str:
    """Where somebody signs in who is to come to `destination`, a path: for links in mails."""
    return f"{site.web.origin}/sign-in?next={quote(destination, safe='')}"


def _used_up(request: Request) -> Response:
    visit = visit_behind(request)
    return page(request, "used_up.html.j2", visit=visit, status=410)


def _looks_like_an_address(text: str) -> bool:
    local, at, domain = text.rpartition("@")
    return bool(at and local and domain) and not any(character.isspace() for character in text)
