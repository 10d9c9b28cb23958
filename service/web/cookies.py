"""The three cookies, and what ties a form to the browser that it was shown in.

`__Host-` keeps every other host of the school's domain from setting them (draft-ietf-httpbis-rfc6265bis §4.1.3.2).
"""

import hmac

from fastapi import Request, Response

from store.access import new_secret

SESSION = "__Host-session"
"""Who is signed in."""
VISIT = "__Host-visit"
"""Which browser a form was shown in; says nothing of anybody."""
LANGUAGE = "__Host-language"
"""The language that was chosen."""
_A_YEAR = 365 * 24 * 3600
_LONGEST = 200


def set_cookie(response: Response, name: str, value: str, *, remember: bool = False) -> None:
    """Sets a cookie for this host alone, out of reach of scripts, over https only. It ends with the browser unless
    `remember`."""
    response.set_cookie(
        name, value, max_age=_A_YEAR if remember else None, path="/", secure=True, httponly=True, samesite="lax"
    )


def drop_cookie(response: Response, name: str) -> None:
    """Has the browser forget a cookie."""
    response.delete_cookie(name, path="/", secure=True, httponly=True, samesite="lax")


def cookie(request: Request, name: str) -> str | None:
    """A cookie's value; None where there is none, or one that cannot be ours."""
    value = request.cookies.get(name)
    return value if value and len(value) <= _LONGEST else None


def visit_of(request: Request) -> str:
    """What this browser is told apart by; made up where it is new."""
    if not hasattr(request.state, "visit"):
        request.state.visit = cookie(request, VISIT) or new_secret()
    return str(request.state.visit)


def form_token(key: bytes, visit: str, session: str | None) -> str:
    """What a form carries so that no other site can send it: bound to the browser and to who is signed in there."""
    return hmac.new(key, f"{visit} {session or ''}".encode("utf-8", "surrogatepass"), "sha256").hexdigest()
