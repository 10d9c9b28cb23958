"""Pages from templates, in the reader's language."""

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any

from babel import Locale
from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined

from autoresponder.routes import PRODUCT
from autoresponder.wording import OFFICE, STAFF_LANGUAGES, Wording, wording
from service.web.cookies import LANGUAGE, SESSION, VISIT, cookie, form_token, set_cookie, visit_of
from service.web.forms import TOKEN_FIELD
from service.web.languages import language_of
from service.web.navigation import entries
from service.web.site import Site, site_of
from service.web.visits import Visit

STATIC = files("service.web").joinpath("static")


def words_for(request: Request) -> Wording:
    """The staff's wording in the language of this request."""
    school = site_of(request).settings.school.languages
    accepted = request.headers.get("accept-language")
    language = language_of(request.query_params.get("lang"), cookie(request, LANGUAGE), accepted, school)
    return wording(language, OFFICE)


def page(
    request: Request, template: str, *, visit: Visit | None = None, status: int = 200, **values: Any
) -> HTMLResponse:
    """One page. `visit` is who is signed in, for the navigation; `values` are what the template shows besides."""
    site, words = site_of(request), words_for(request)
    shown = (
        environment()
        .get_template(template)
        .render(
            request_path=request.url.path,
            lang_links=_language_links(request, words),
            words=words,
            _=words.gettext,
            visit=visit,
            navigation=tuple(entries(visit, words)) if visit else (),
            school=site.settings.school.name,
            product=PRODUCT,
            form_field=TOKEN_FIELD,
            form_token=form_token(site.access.key_for("forms"), visit_of(request), cookie(request, SESSION)),
            asset=asset,
            when=_when(site, words),
            **values,
        )
    )
    response = HTMLResponse(shown, status, headers={"Content-Language": words.language, "Vary": "Accept-Language"})
    if cookie(request, VISIT) is None:
        set_cookie(response, VISIT, visit_of(request))
    if request.query_params.get("lang") in STAFF_LANGUAGES:
        set_cookie(response, LANGUAGE, words.language, remember=True)
    return response


@cache
def asset(name: str) -> str:
    """The address of a static file: with a digest of its content, so that browsers may keep it for ever."""
    digest = hashlib.sha256(STATIC.joinpath(name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def own_name(language: str) -> str:
    """What a language calls itself: "español"."""
    name = Locale.parse(language, sep="-").get_display_name()
    return str(name or language)


def _language_links(request: Request, words: Wording) -> Sequence[tuple[str, str, str, bool]]:
    """Code, own name, address and whether it is this one, for each of the staff's languages."""
    return [
        (
            code,
            own_name(code).capitalize(),
            str(request.url.include_query_params(lang=code).query),
            code == words.language,
        )
        for code in STAFF_LANGUAGES
    ]


def _when(site: Site, words: Wording) -> Callable[[datetime], str]:
    zone = site.settings.school.zone

    def when(at: datetime) -> str:
        local = at.astimezone(zone)
        return f"{words.day(local.date())}, {words.clock(local)}"

    return when


@cache
def environment() -> Environment:
    """The templates of the pages: what is put into one is escaped, and must be there."""
    return Environment(
        loader=PackageLoader("service.web"),
        auto_reload=False,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
