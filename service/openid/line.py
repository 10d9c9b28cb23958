"""HTTP to a provider, through Authlib's client: TLS verified, no redirects, time and size of every answer bounded."""

import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import httpx2
from authlib.integrations.httpx_client import OAuth2Client  # type: ignore[import-untyped]

from config.settings import OpenId
from service.openid.errors import ProviderDown

# It logs every address.
logging.getLogger("httpx2").setLevel(logging.WARNING)

_LARGEST = 512 * 1024
"""Bytes of one answer: a set of keys with their certificates has some ten thousand."""


class _Client(OAuth2Client):  # type: ignore[misc]
    """Authlib's client, which reads no more than `_LARGEST` bytes of an answer."""

    def send(self, request: httpx2.Request, *, stream: bool = False, **options: Any) -> httpx2.Response:
        answer: httpx2.Response = super().send(request, stream=True, **options)
        if stream:
            return answer
        content = bytearray()
        try:
            for part in answer.iter_bytes():
                content += part
                if len(content) > _LARGEST:
                    raise ProviderDown(f"{request.url.host} sends more than {_LARGEST} bytes: they are not read")
        finally:
            answer.close()
        kind = {"Content-Type": answer.headers.get("Content-Type", "")}
        return httpx2.Response(answer.status_code, headers=kind, content=bytes(content), request=request)


@contextmanager
def client(openid: OpenId, **options: Any) -> Iterator[Any]:
    """Authlib's client of these pages at their provider, as long as the block; `options` are its own. A proxy that the
    environment names is used, never for an address of this machine. Raises ProviderDown for what breaks underway, or
    where `ca_file` cannot be used."""
    host = urlsplit(openid.issuer).hostname or ""
    try:
        trusted = ssl.create_default_context(cafile=str(openid.ca_file)) if openid.ca_file else True
        with _Client(
            client_id=openid.client_id,
            timeout=openid.timeout_seconds,
            verify=trusted,
            follow_redirects=False,
            trust_env=not _is_here(host),
            headers={"User-Agent": "alliance-inbox"},
            **options,
        ) as made:
            yield made
    except httpx2.HTTPStatusError as error:
        raise ProviderDown(f"{error.request.url.host} answers with status {error.response.status_code}") from error
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
        raise ProviderDown(f"{host} cannot be reached ({type(error).__name__})") from error
    except OSError as error:
        raise ProviderDown(f"web.openid.ca_file cannot be used ({error.strerror or type(error).__name__})") from error


def json_at(http: Any, url: str, *, as_whom: httpx2.Auth | None = None) -> object:
    """The JSON that lies at an address, asked for by nobody in particular or `as_whom`. Raises ProviderDown; and
    httpx2's errors, for `client` to turn into it."""
    answer: httpx2.Response = http.request("GET", url, withhold_token=True, auth=as_whom)
    if answer.status_code != httpx2.codes.OK:
        raise ProviderDown(f"{answer.url.host} answers with status {answer.status_code} at {answer.url.path}")
    try:
        found: object = answer.json()
    except ValueError as error:
        raise ProviderDown(f"{answer.url.host} answers with something else than JSON at {answer.url.path}") from error
    return found


def _is_here(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
