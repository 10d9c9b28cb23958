"""Autodiscover, by which a client finds the server of an address: SOAP (MS-OXWSADISC) and plain XML (MS-OXDSCLI)."""

from typing import TYPE_CHECKING

from lxml import etree

from tests.servers.ews.soap import S, opened, parse

if TYPE_CHECKING:
    from tests.servers.ews.server import ExchangeServer

A = "{http://schemas.microsoft.com/exchange/2010/Autodiscover}"
_ASKED = "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
_WHOLE = "{http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006}"
_OUTLOOK = "{http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a}"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"


def soap(server: "ExchangeServer", body: bytes) -> bytes:
    """The answer to GetUserSettings. Raises Malformed."""
    _, asked = opened(body)
    root = etree.Element(f"{S}Envelope", nsmap={"s": S[1:-1], "a": A[1:-1], "i": _XSI})
    header = etree.SubElement(root, f"{S}Header")
    version = etree.SubElement(header, f"{A}ServerVersionInfo")
    for name, value in zip(_VERSION, server.build, strict=True):
        etree.SubElement(version, f"{A}{name}").text = value
    message = etree.SubElement(etree.SubElement(root, f"{S}Body"), f"{A}GetUserSettingsResponseMessage")
    response = etree.SubElement(message, f"{A}Response")
    if asked.tag != f"{A}GetUserSettingsRequestMessage":
        _error(response, "InvalidRequest", f"{asked.tag} is not known here.")
        return etree.tostring(root, xml_declaration=True, encoding="utf-8")
    _error(response, "NoError", "")
    responses = etree.SubElement(response, f"{A}UserResponses")
    wanted = [setting.text or "" for setting in asked.iter(f"{A}Setting")]
    for user in asked.iter(f"{A}Mailbox"):
        _user(etree.SubElement(responses, f"{A}UserResponse"), server, (user.text or "").strip().lower(), wanted)
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def plain(server: "ExchangeServer", body: bytes) -> bytes:
    """The answer to the plain XML request. Raises Malformed."""
    address = (parse(body).findtext(f".//{{{_ASKED}}}EMailAddress") or "").strip().lower()
    root = etree.Element(f"{_WHOLE}Autodiscover", nsmap={None: _WHOLE[1:-1]})
    if address not in server.mailboxes:
        response = etree.SubElement(root, f"{_WHOLE}Response")
        error = etree.SubElement(response, f"{_WHOLE}Error", Time="00:00:00.0000000", Id="1")
        etree.SubElement(error, f"{_WHOLE}ErrorCode").text = "500"
        etree.SubElement(error, f"{_WHOLE}Message").text = "The email address can't be found."
        return etree.tostring(root, xml_declaration=True, encoding="utf-8")
    response = etree.SubElement(root, f"{_OUTLOOK}Response", nsmap={None: _OUTLOOK[1:-1]})
    user = etree.SubElement(response, f"{_OUTLOOK}User")
    etree.SubElement(user, f"{_OUTLOOK}DisplayName").text = server.mailboxes[address].name
    etree.SubElement(user, f"{_OUTLOOK}AutoDiscoverSMTPAddress").text = address
    account = etree.SubElement(response, f"{_OUTLOOK}Account")
    for name, text in (("AccountType", "email"), ("Action", "settings")):
        etree.SubElement(account, f"{_OUTLOOK}{name}").text = text
    for kind in ("EXCH", "EXPR"):
        protocol = etree.SubElement(account, f"{_OUTLOOK}Protocol")
        for name, text in (("Type", kind), ("EwsUrl", server.url), ("ASUrl", server.url)):
            etree.SubElement(protocol, f"{_OUTLOOK}{name}").text = text
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")


_VERSION = ("MajorVersion", "MinorVersion", "MajorBuildNumber", "MinorBuildNumber", "Version")


def _user(response: etree._Element, server: "ExchangeServer", address: str, wanted: list[str]) -> None:
    mailbox = server.mailboxes.get(address)
    if mailbox is None:
        _error(response, "InvalidUser", f"Invalid user: '{address}'")
        return
    _error(response, "NoError", "No error.")
    known = {
        "AutoDiscoverSMTPAddress": address,
        "UserDisplayName": mailbox.name,
        "ExternalEwsUrl": server.url,
        "InternalEwsUrl": server.url,
        "EwsSupportedSchemas": "Exchange2007, Exchange2007_SP1, Exchange2010, Exchange2013, Exchange2016",
    }
    etree.SubElement(response, f"{A}UserSettingErrors")
    settings = etree.SubElement(response, f"{A}UserSettings")
    for name in wanted:
        if name in known:
            setting = etree.SubElement(settings, f"{A}UserSetting")
            setting.set(f"{{{_XSI}}}type", "a:StringSetting")
            etree.SubElement(setting, f"{A}Name").text = name
            etree.SubElement(setting, f"{A}Value").text = known[name]


def _error(parent: etree._Element, code: str, text: str) -> None:
    etree.SubElement(parent, f"{A}ErrorCode").text = code
    etree.SubElement(parent, f"{A}ErrorMessage").text = text
