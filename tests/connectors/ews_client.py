"""Clients of the Exchange stand-in that know nothing of it: exchangelib, and requests written by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from exchangelib import BASIC, DELEGATE, Account, Configuration, Credentials
from exchangelib.ewsdatetime import EWSTimeZone
from exchangelib.protocol import BaseProtocol, CachingProtocol
from exchangelib.version import EXCHANGE_2019, Version
from lxml import etree
from requests.adapters import HTTPAdapter

from tests.servers.ews import PASSWORD, ExchangeServer
from tests.servers.ews.soap import MESSAGES, TYPES, M

TEACHER = "rivera@school.example"
OFFICE = "office@school.example"


def mail(number: int, **headers: str) -> bytes:
    """A message that a family writes; underscores in the headers' names stand for hyphens."""
    lines = {
        "From": "Mia Okafor <mia@family.example>",
        "To": TEACHER,
        "Subject": f"Question {number}",
        "Message-ID": f"<family-{number}@family.example>",
        "Date": "Mon, 07 Sep 2026 08:00:00 +0000",
    } | {name.replace("_", "-"): text for name, text in headers.items()}
    return "".join(f"{name}: {text}\r\n" for name, text in lines.items()).encode() + b"\r\nThank you!\r\n"


def mail_id(number: int) -> str:
    """The Message-ID of `mail(number)`."""
    return f"family-{number}@family.example"


def answer(**headers: str) -> bytes:
    """What the teacher sends to a family."""
    return mail(
        90, **({"From": TEACHER, "To": "mia@family.example", "Message_ID": "<answer@school.example>"} | headers)
    )


def sign_in(server: ExchangeServer, user: str = TEACHER, password: str = PASSWORD, **more: Any) -> Account:
    """exchangelib on the teacher's mailbox, with Basic where not said otherwise."""
    configuration = Configuration(
        service_endpoint=server.url,
        credentials=more.get("credentials") or Credentials(user, password),
        auth_type=more.get("auth", BASIC),
        version=Version(EXCHANGE_2019),
        max_connections=more.get("connections", 1),
    )
    return Account(
        more.get("address", TEACHER),
        config=configuration,
        autodiscover=False,
        access_type=more.get("access", DELEGATE),
        default_timezone=EWSTimeZone("UTC"),
    )


@contextmanager
def forgetting() -> Iterator[None]:
    """exchangelib keeps connections for the whole process; after the block they are closed."""
    try:
        yield
    finally:
        CachingProtocol.clear_cache()


@contextmanager
def trusting(authority: str) -> Iterator[None]:
    """exchangelib trusts servers of this authority for as long as the block."""

    class Trusting(HTTPAdapter):
        def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
            super().cert_verify(conn=conn, url=url, verify=authority, cert=cert)

        def get_connection_with_tls_context(
            self, request: Any, verify: Any, proxies: Any = None, cert: Any = None
        ) -> Any:
            return super().get_connection_with_tls_context(request, authority, proxies, cert)

    before = BaseProtocol.HTTP_ADAPTER_CLS
    BaseProtocol.HTTP_ADAPTER_CLS = Trusting
    try:
        yield
    finally:
        BaseProtocol.HTTP_ADAPTER_CLS = before


def ask(server: ExchangeServer, request: str, *, header: str = "", **more: Any) -> requests.Response:
    """A request as it is written here, signed in as the teacher with Basic where not said otherwise."""
    envelope = (
        f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:m="{MESSAGES}" xmlns:t="{TYPES}">'
        f"<s:Header>{header}</s:Header><s:Body>{request}</s:Body></s:Envelope>"
    )
    settings: dict[str, Any] = {"auth": (TEACHER, PASSWORD), "timeout": 60} | more
    headers = {"Content-Type": "text/xml; charset=utf-8"} | settings.pop("headers", {})
    return requests.post(server.url, envelope.encode(), headers=headers, **settings)


def codes(response: requests.Response) -> list[str]:
    """The response code of everything that was asked, in order; a SOAP fault's own where it is one."""
    root = etree.fromstring(response.content, etree.XMLParser(huge_tree=True))
    return [code.text or "" for code in root.iter(f"{M}ResponseCode", "{*}ResponseCode")]


def get_item(*ids: str, mime: bool = False, base: str = "IdOnly", fields: tuple[str, ...] = (), shape: str = "") -> str:
    """The request GetItem; `shape` are further elements of its ItemShape."""
    wanted = "".join(f'<t:ItemId Id="{id_}"/>' for id_ in ids)
    paths = "".join(f'<t:FieldURI FieldURI="{field}"/>' for field in fields)
    more = f"<t:AdditionalProperties>{paths}</t:AdditionalProperties>" if paths else ""
    return (
        f"<m:GetItem><m:ItemShape><t:BaseShape>{base}</t:BaseShape><t:IncludeMimeContent>{str(mime).lower()}"
        f"</t:IncludeMimeContent>{shape}{more}</m:ItemShape><m:ItemIds>{wanted}</m:ItemIds></m:GetItem>"
    )


def get_folder(name: str = "inbox", of: str | None = None) -> str:
    """The request GetFolder."""
    mailbox = f"<t:Mailbox><t:EmailAddress>{of}</t:EmailAddress></t:Mailbox>" if of else ""
    return (
        "<m:GetFolder><m:FolderShape><t:BaseShape>Default</t:BaseShape></m:FolderShape><m:FolderIds>"
        f'<t:DistinguishedFolderId Id="{name}">{mailbox}</t:DistinguishedFolderId></m:FolderIds></m:GetFolder>'
    )


def sync_folder_items(state: str, most: int = 512, fields: tuple[str, ...] = ()) -> str:
    """The request SyncFolderItems for Inbox."""
    paths = "".join(f'<t:FieldURI FieldURI="{field}"/>' for field in fields)
    more = f"<t:AdditionalProperties>{paths}</t:AdditionalProperties>" if paths else ""
    return (
        f"<m:SyncFolderItems><m:ItemShape><t:BaseShape>IdOnly</t:BaseShape>{more}</m:ItemShape>"
        f'<m:SyncFolderId><t:DistinguishedFolderId Id="inbox"/></m:SyncFolderId><m:SyncState>{state}</m:SyncState>'
        f"<m:MaxChangesReturned>{most}</m:MaxChangesReturned></m:SyncFolderItems>"
    )
