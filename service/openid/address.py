"""Which address of the school an account has, as far as its provider may be believed about that. Pure.

An address that a token names is a claim of whoever could write it there. Each provider guards another one:

- Google answers for an address where it is Gmail's own, or where `hd` says that the account belongs to the school's
  Workspace; a private account can carry the school's address too
  (https://developers.google.com/identity/gsi/web/guides/verify-google-id-token).
- Microsoft does not answer for `email` at all. `preferred_username` is the sign-in name, whose domain the school's own
  tenant has proven to be its own; guests bring theirs along, so they are left out
  (https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference).
- Any other must say `email_verified` (OpenID Connect Core 1.0 §5.1), or have a claim that only its administrators set.
"""

from collections.abc import Mapping

from config.settings import OpenId
from service.openid.errors import NotVouchedFor

Claims = Mapping[str, object]
_GMAIL = frozenset({"gmail.com", "googlemail.com"})
_LONGEST = 300


def school_address(claims: Claims, openid: OpenId, domains: frozenset[str]) -> str:
    """The address, lower case, of the account that a validated ID token speaks of. `domains` are lower case. Raises
    NotVouchedFor where there is none that the provider answers for."""
    if openid.microsoft:
        _is_member(claims, openid.issuer)
    name = address_claim(openid)
    address = _address(claims.get(name), name)
    domain = address.rpartition("@")[2]
    if name == "email" and claims.get("email_verified") is not True:
        raise NotVouchedFor("the provider does not say that the address is verified (email_verified)")
    if domain not in domains:
        raise NotVouchedFor("the address is of another domain than the school's (web.openid.domains)")
    if openid.google and domain not in _GMAIL and _text(claims.get("hd")).lower() not in domains:
        raise NotVouchedFor("the account is not of the school's Google Workspace (hd)")
    return address


def address_claim(openid: OpenId) -> str:
    """The claim that the address is taken from."""
    return openid.address_from or ("preferred_username" if openid.microsoft else "email")


def _is_member(claims: Claims, issuer: str) -> None:
    tenant = issuer.split("/")[3]
    if claims.get("tid") != tenant:
        raise NotVouchedFor("the account is of another tenant (tid)")
    if tenant not in _text(claims.get("idp", tenant)) or claims.get("acct", 0) not in (0, "0"):
        raise NotVouchedFor("the account is a guest's (idp, acct)")


def _address(value: object, name: str) -> str:
    text = _text(value)
    local, _, domain = text.rpartition("@")
    # Beyond ASCII, two ways of writing can become one when made lower case: the Kelvin sign turns into a k.
    if not local or not domain or not text.isascii() or not text.isprintable() or " " in text or len(text) > _LONGEST:
        raise NotVouchedFor(f"the token holds no address ({name})")
    return text.lower()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
