"""Can the staff sign in with the school's own accounts? Asks the provider what a visit would ask it."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from config.secrets import Secrets
from config.settings import OpenId, Settings
from service.connecting.keepsakes import OPENID_SECRET
from service.doctor.finding import Finding, Level
from service.openid.errors import NotSetUp, ProviderDown
from service.openid.provider import Provider
from service.web.openid import BACK, domains_of
from service.web.people import People

_ABOUT = "sign-in"


def provider(settings: Settings, environ: Mapping[str, str], now: datetime) -> Iterator[Finding]:
    """The discovery document, the keys, the client secret, and who is left out; nothing where the settings name no
    provider. Without the provider, links by mail still work: so all of these are warnings."""
    web = settings.web
    if web is None or web.openid is None:
        return
    secrets = Secrets.of(settings, environ)
    asked = Provider(
        web.openid, back_to=web.origin + BACK, secret=lambda: secrets.get(OPENID_SECRET), clock=lambda: now
    )
    yield _document(asked, web.openid)
    try:
        asked.check_secret()
    except NotSetUp as error:
        fix = f"`alliance credentials store {OPENID_SECRET}`, with the secret that the provider gave these pages."
        yield Finding(_ABOUT, Level.WARN, f"nobody can sign in with {web.openid.name}: {error}", fix)
    else:
        seen = (
            f"the client secret is there; {web.openid.name} must know {web.origin}{BACK} as where people come back to"
        )
        yield Finding(_ABOUT, Level.OK, seen)
    yield from _left_out(settings, web.openid)


def _document(asked: Provider, openid: OpenId) -> Finding:
    try:
        known = asked.known(afresh=True)
    except ProviderDown as error:
        fix = "Look at web.openid.issuer, and whether this machine may reach it. Links by mail work meanwhile."
        return Finding(_ABOUT, Level.WARN, f"nobody can sign in with {openid.name}: {error}", fix)
    count = len(known.keys.keys)
    seen = f"{openid.name} answers at {openid.issuer}, with {count} key{'s'[: count != 1]} to check its word with"
    return Finding(_ABOUT, Level.OK, seen)


def _left_out(settings: Settings, openid: OpenId) -> Iterator[Finding]:
    domains = domains_of(settings)
    others = [each.address for each in People.of(settings) if each.address.rpartition("@")[2] not in domains]
    if others:
        some = ", ".join(others[:3]) + (f" and {len(others) - 3} more" if len(others) > 3 else "")
        fix = "They sign in with a link. If they have accounts there, add their domain to web.openid.domains."
        yield Finding(_ABOUT, Level.WARN, f"of another domain than {openid.name}'s accounts: {some}", fix)
