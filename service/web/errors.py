"""Pages for what went wrong, in plain words: what it is, and what to do now."""

from datetime import datetime

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse

from autoresponder.wording import Wording
from service.web.rendering import page, words_for
from service.web.site import site_of
from service.web.visits import visit_behind
from store.access import TooMany

_FAMILIAR = frozenset({400, 403, 404, 413, 421, 429})


def refused(request: Request, error: Exception) -> Response:
    """What a handler refused with an HTTPException, or the router because there is nothing of that name: an address
    with a word where a number stands is none either."""
    if isinstance(error, HTTPException) and error.status_code == 303 and error.headers:
        return RedirectResponse(error.headers["Location"], 303)
    status = 404 if isinstance(error, RequestValidationError) else int(getattr(error, "status_code", 500))
    return error_page(request, 404 if status == 405 else status)


def too_many(request: Request, error: Exception) -> Response:
    """Somebody tried too often."""
    assert isinstance(error, TooMany)  # noqa: S101 - registered for nothing else
    again_at = error.again_at
    response = error_page(request, 429, again_at=again_at)
    seconds = (again_at - site_of(request).clock()).total_seconds()
    response.headers["Retry-After"] = str(max(1, round(seconds)))  # RFC 9110 §10.2.3
    return response


def error_page(request: Request, status: int, *, again_at: datetime | None = None) -> Response:
    """The page for a status; what is not familiar counts as our own fault (500)."""
    status = status if status in _FAMILIAR else 500
    words = words_for(request)
    title, sentences = _said(words, status, again_at, request)
    visit = visit_behind(request) if status in {403, 404} else None
    return page(request, "error.html.j2", title=title, visit=visit, status=status, sentences=sentences, code=status)


def _said(words: Wording, status: int, again_at: datetime | None, request: Request) -> tuple[str, list[str]]:
    _ = words.gettext
    match status:
        case 403 if request.method == "POST":
            return _("Please try that once more"), [
                _("The page was open for a long time, or you have signed in or out meanwhile. Nothing was changed."),
                _("Go back, load the page again, and press the button once more."),
            ]
        case 403:
            return _("This page is not for you"), [
                _("Your account does not include this page. If it should, ask the administrator of your school."),
            ]
        case 404:
            return _("There is no such page"), [
                _("The address may have been cut off on its way, or the page is no longer there."),
            ]
        case 429:
            until = words.clock(again_at.astimezone(site_of(request).settings.school.zone)) if again_at else ""
            return _("Please wait a moment"), [
                _("That was tried very often from here within a short time. It works again from {time} on.").format(
                    time=until
                ),
                _("If a sign-in link has reached you already, you can still use it."),
            ]
        case 400 | 413 | 421:
            return _("That could not be read"), [
                _("What your browser sent is not what this page expects. Please open the page again from the start."),
            ]
    return _("Something went wrong here"), [
        _("It is our fault, not yours, and it is in the log. Nothing that you sent was lost from any mailbox."),
        _("Please try again in a minute. For anything urgent, use the telephone as always."),
    ]
