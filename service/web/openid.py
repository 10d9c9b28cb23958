"""Signing in with the school's own accounts, by OpenID Connect: off to the provider, and back again.

Where anything is amiss nobody is signed in, a page says so, and the link by mail is offered as before.
"""

import hmac
from datetime import timedelta
from enum import StrEnum

import structlog
from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from config.settings import Settings
from service.logs import said
from service.openid.address import school_address
from service.openid.errors import NotSetUp, NotVouchedFor, OpenIdError, ProviderDown, TokenRefused
from service.openid.provider import Provider
from service.web.cookies import VISIT, cookie, set_cookie, visit_of
from service.web.forms import local_path
from service.web.people import Person
from service.web.rendering import page, words_for
from service.web.sign_in import begin_session, client_of, sign_in_page
from service.web.site import Site, site_of
from service.web.visits import visit_behind
from store.access import Attempt, Limit, new_secret
from store.openid_trips import come_back, set_out

log = structlog.get_logger()
router = APIRouter()

BACK = "/sign-in/openid/back"
"""Where the provider sends people back to; it stands in the provider's console."""
DEPARTURES = Limit("sent to the provider from one client", 300, timedelta(minutes=10))
ARRIVALS = Limit("back from the provider at one client", 300, timedelta(minutes=10))
"""A whole school may sign in from behind one address at eight o'clock."""
_VALID = timedelta(minutes=15)
"""How long somebody may take at the provider: for a second factor, or a forgotten password."""
_LONGEST_STATE = 100
_LONGEST_CODE = 4000


@router.get("/sign-in/openid")
def leave(request: Request) -> Response:
    """Sends the browser to the provider, from our own pages only."""
    site, provider = site_of(request), _provider(request)
    wanted = local_path(request.query_params.get("next"))
    if visit_behind(request) is not None:
        return RedirectResponse(wanted, 303)
    if request.headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return RedirectResponse("/sign-in", 303)  # another site's link: the person is to decide
    now, state = site.clock(), new_secret()
    site.access.try_once((Attempt(DEPARTURES, client_of(request)),), now)
    nonce, verifier = _proofs(site, state)
    choose = "choose" in request.query_params
    try:
        url = provider.authorization_url(state=state, nonce=nonce, verifier=verifier, choose=choose)
    except (NotSetUp, ProviderDown) as error:
        return _unavailable(request, provider, error, wanted)
    set_out(site.database, state, visit_of(request), destination=wanted, now=now, valid=_VALID)
    response = RedirectResponse(url, 303)
    if cookie(request, VISIT) is None:
        set_cookie(response, VISIT, visit_of(request))
    return response


@router.get(BACK)
def arrive(request: Request) -> Response:
    """Signs in whom the provider sends back and vouches for, where they are of the staff."""
    site, provider, now = site_of(request), _provider(request), site_of(request).clock()
    site.access.try_once((Attempt(ARRIVALS, client_of(request)),), now)
    state, code = request.query_params.get("state", ""), request.query_params.get("code", "")
    browser = cookie(request, VISIT)
    expected = browser is not None and 0 < len(state) <= _LONGEST_STATE
    wanted = come_back(site.database, state, browser or "", now) if expected else None
    if wanted is None:
        return _strayed(request)
    if not 0 < len(code) <= _LONGEST_CODE:
        return _came_back_without(request, provider, wanted)
    nonce, verifier = _proofs(site, state)
    try:
        _same_issuer(request, provider)
        claims = provider.claims(code=code, nonce=nonce, verifier=verifier)
    except (NotSetUp, ProviderDown) as error:
        return _unavailable(request, provider, error, wanted)
    except TokenRefused as error:
        return _not_believed(request, provider, error, wanted)
    try:
        person = site.people.find(school_address(claims, provider.openid, domains_of(site.settings)))
    except NotVouchedFor as error:
        log.warning("somebody was not let in", provider=provider.openid.name, reason=said(error))
        person = None
    return _nobody(request, provider, wanted) if person is None else _signed_in(request, provider, person, wanted)


def domains_of(settings: Settings) -> frozenset[str]:
    """Mail domains whose accounts may sign in this way, lower case."""
    named = settings.web.openid.domains if settings.web and settings.web.openid else ()
    if named:
        return frozenset(domain.lower().lstrip("@") for domain in named)
    people = [*(box.address for box in settings.mailboxes), *(member.address for member in settings.staff)]
    return frozenset(address.rpartition("@")[2] for address in people)


def _signed_in(request: Request, provider: Provider, person: Person, wanted: str) -> Response:
    site, session = site_of(request), new_secret()
    lasting = timedelta(hours=site.web.session_hours)
    way = f"with {provider.openid.name}"
    site.access.admit(person.address, session, way, now=site.clock(), lasting=lasting)
    return begin_session(request, session, wanted)


def _nobody(request: Request, provider: Provider, wanted: str) -> Response:
    """The provider vouches for somebody, and they are none of the staff; or it does not quite vouch for them."""
    site = site_of(request)
    site.access.turned_away(None, f"with {provider.openid.name}", site.clock())
    return page(request, "not_known.html.j2", status=403, provider=provider.openid.name, destination=wanted)


def _came_back_without(request: Request, provider: Provider, wanted: str) -> Response:
    """The provider sends an error instead of a code (RFC 6749 §4.1.2.1): mostly, somebody has changed their mind."""
    error = request.query_params.get("error", "")
    declined = error in _DECLINED
    if not declined:
        log.error("the provider sends somebody back", provider=provider.openid.name, reason=_Refusal(error))
    _ = words_for(request).gettext
    notice = (
        _("You did not sign in with {provider}. Try it once more, or take a link by mail.")
        if declined
        else _("{provider} could not sign you in. Please take a link by mail; the reason is in the log.")
    )
    return sign_in_page(request, wanted, notice=notice.format(provider=provider.openid.name), status=400)


def _unavailable(request: Request, provider: Provider, error: OpenIdError, wanted: str) -> Response:
    log.error("signing in with the provider does not work", provider=provider.openid.name, reason=said(error))
    _ = words_for(request).gettext
    notice = _("{provider} does not answer at the moment. Please take a link by mail instead.")
    return sign_in_page(request, wanted, notice=notice.format(provider=provider.openid.name), status=503)


def _not_believed(request: Request, provider: Provider, error: TokenRefused, wanted: str) -> Response:
    log.error("somebody was not let in", provider=provider.openid.name, reason=said(error))
    _ = words_for(request).gettext
    notice = _("{provider} could not sign you in. Please take a link by mail; the reason is in the log.")
    return sign_in_page(request, wanted, notice=notice.format(provider=provider.openid.name), status=403)


def _strayed(request: Request) -> Response:
    """Somebody comes back who was not sent from here, or not with this browser, or once already, or long ago."""
    if visit_behind(request) is not None:
        return RedirectResponse("/", 303)
    notice = words_for(request).gettext("That took too long, or was used already. Please sign in once more.")
    return sign_in_page(request, "/", notice=notice, status=410)


def _same_issuer(request: Request, provider: Provider) -> None:
    """Whether the answer is the provider's that the browser was sent to (RFC 9207 §2.4). Raises TokenRefused."""
    said = request.query_params.get("iss")
    metadata = provider.known().metadata
    if said is None and not metadata.authorization_response_iss_parameter_supported:
        return
    if said is None or not hmac.compare_digest(said.encode("utf-8", "surrogatepass"), metadata.issuer.encode()):
        raise TokenRefused("the answer comes from another provider (iss)")


def _proofs(site: Site, state: str) -> tuple[str, str]:
    """The nonce, and the verifier of PKCE, of one trip: worked out from its state with keys of this installation, so
    that they need not stand anywhere."""
    nonce, verifier = (
        hmac.new(site.access.key_for(f"openid {purpose}"), state.encode("utf-8", "surrogatepass"), "sha256").hexdigest()
        for purpose in ("nonce", "verifier")
    )
    return nonce, verifier


def _provider(request: Request) -> Provider:
    provider = site_of(request).openid
    if provider is None:
        raise HTTPException(404)
    return provider


_DECLINED = frozenset({"access_denied", "consent_required", "interaction_required", "login_required"})


class _Refusal(StrEnum):
    """What a provider sends instead of a code (RFC 6749 §4.1.2.1). What else it, or whoever made the address, writes is
    not repeated."""

    INVALID_REQUEST = "invalid_request"
    UNAUTHORIZED_CLIENT = "unauthorized_client"
    UNSUPPORTED_RESPONSE_TYPE = "unsupported_response_type"
    INVALID_SCOPE = "invalid_scope"
    SERVER_ERROR = "server_error"
    TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"
    OF_ITS_OWN = "an error of its own"

    @classmethod
    def _missing_(cls, value: object) -> "_Refusal":
        del value
        return cls.OF_ITS_OWN
