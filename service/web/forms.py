"""Reading a form that was sent: small, well-formed, and from a page of ours."""

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from fastapi import Depends, HTTPException, Request

from service.web.cookies import SESSION, VISIT, cookie, form_token
from service.web.site import site_of

LARGEST = 16 * 1024
"""Bytes of a form."""
_MOST_FIELDS = 50
_LONGEST_PATH = 500
TOKEN_FIELD = "form"  # noqa: S105 - the field's name
_FORM_TYPE = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Form:
    """A form's fields, the last of each name."""

    fields: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def text(self, name: str, longest: int = 300) -> str:
        """A field, without blanks around it; empty where it lacks or is longer than a person would write."""
        value = self.fields.get(name, "").strip()
        return value if len(value) <= longest else ""


async def _posted(request: Request) -> Form:
    """The form of this request. Raises HTTPException: 413 where it is too large, 400 where it is none, 403 where it
    does not come from a page that this browser was shown."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM_TYPE:
        raise HTTPException(400)
    form = Form(MappingProxyType(dict(_fields(await _bounded(request)))))
    visit, sent = cookie(request, VISIT), form.fields.get(TOKEN_FIELD, "")
    right = form_token(site_of(request).access.key_for("forms"), visit or "", cookie(request, SESSION))
    # Compared before anything is said of the cookie: both ways take the same time.
    same = hmac.compare_digest(right.encode(), sent.encode("utf-8", "surrogatepass"))
    if visit is None or not same:
        raise HTTPException(403)
    return form


PostedForm = Annotated[Form, Depends(_posted)]
"""Write `form: PostedForm` in every handler of a POST."""


def local_path(wanted: str | None) -> str:
    """`wanted` where it is a path of these pages, else the first page: nobody is sent elsewhere by a link to us."""
    if not wanted or len(wanted) > _LONGEST_PATH or not wanted.isascii() or not wanted.isprintable():
        return "/"
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return "/"
    elsewhere = parts.scheme or parts.netloc or not wanted.startswith("/") or wanted.startswith("//")
    return "/" if elsewhere or "\\" in wanted or " " in wanted else wanted


async def _bounded(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise HTTPException(413)
    return bytes(body)


def _fields(body: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS, errors="strict")
    except ValueError as error:
        raise HTTPException(400) from error
