"""SOAP as EWS speaks it: safe parsing, building of elements, faults and refusals."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lxml import etree

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"
TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
ERRORS = "http://schemas.microsoft.com/exchange/services/2006/errors"
S, M, T, E = (f"{{{namespace}}}" for namespace in (SOAP, MESSAGES, TYPES, ERRORS))
_PREFIXES = {"s": SOAP, "m": MESSAGES, "t": TYPES}
_NOT_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0 §2.2


class Malformed(Exception):
    """What was sent is no SOAP."""


@dataclass
class Refused(Exception):
    """The server refuses one of the things that were asked: an error in that one response message."""

    code: str
    text: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    """What stands in MessageXml, e.g. BackOffMilliseconds."""

    def __str__(self) -> str:
        return f"{self.code}: {self.text}"


class Fault(Refused):
    """The server refuses the whole request: a SOAP fault."""


def parse(body: bytes) -> etree._Element:
    """The root of a document from outside. DTDs are refused, so there are no entities; nothing is fetched."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=True
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Malformed(f"not XML: {error}") from error
    if root.getroottree().docinfo.internalDTD is not None:
        raise Malformed("a document type declaration")
    return root


def opened(body: bytes) -> tuple[list[etree._Element], etree._Element]:
    """The header elements and the one element in the body of a SOAP 1.1 envelope."""
    root = parse(body)
    if root.tag != f"{S}Envelope":
        raise Malformed(f"{root.tag} is no SOAP 1.1 envelope")
    inside = root.find(f"{S}Body")
    content = [] if inside is None else [child for child in inside if isinstance(child.tag, str)]
    if len(content) != 1:
        raise Malformed(f"{len(content)} elements in the SOAP body")
    header = root.find(f"{S}Header")
    return [] if header is None else [child for child in header if isinstance(child.tag, str)], content[0]


def envelope(content: etree._Element, headers: Iterable[etree._Element] = ()) -> bytes:
    """The document that carries `content`."""
    root = etree.Element(f"{S}Envelope", nsmap=_PREFIXES)
    header = etree.SubElement(root, f"{S}Header")
    header.extend(headers)
    etree.SubElement(root, f"{S}Body").append(content)
    return etree.tostring(root, xml_declaration=True, encoding="utf-8")


def element(tag: str, attributes: Mapping[str, str] | None = None) -> etree._Element:
    """An element that stands alone."""
    return etree.Element(tag, attributes or {}, nsmap=_PREFIXES)


def add(parent: etree._Element, tag: str, text: object = None, **attributes: object) -> etree._Element:
    """Adds an element. Text is what XML can carry of it; booleans and times are written as XML Schema has them."""
    made = etree.SubElement(parent, tag, {name: written(value) for name, value in attributes.items()})
    if text is not None:
        made.text = written(text)
    return made


def written(value: object) -> str:
    """A value as XML Schema writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return _NOT_XML.sub("", str(value))


def truth(text: str | None) -> bool:
    """A boolean of XML Schema."""
    return (text or "").strip() in ("true", "1")


def fault(refused: Refused) -> etree._Element:
    """A SOAP fault as Exchange words it."""
    made = element(f"{S}Fault")
    code = etree.SubElement(made, "faultcode")
    code.text = f"a:{refused.code}"
    etree.SubElement(made, "faultstring").text = refused.text
    detail = etree.SubElement(made, "detail")
    for name, text in (("ResponseCode", refused.code), ("Message", refused.text)):
        etree.SubElement(detail, f"{E}{name}", nsmap={"e": ERRORS}).text = text
    if refused.values:
        message_xml = etree.SubElement(detail, f"{T}MessageXml")
        for name, value in refused.values.items():
            add(message_xml, f"{T}Value", value, Name=name)
    return made


class Reply:
    """The response to one operation: a response message for each thing that was asked."""

    def __init__(self, operation: str) -> None:
        self.operation = operation
        self.root = element(f"{M}{operation}Response")
        self._messages = add(self.root, f"{M}ResponseMessages")

    def success(self) -> etree._Element:
        """Adds a message that says NoError; the caller adds what was asked for."""
        message = add(self._messages, f"{M}{self.operation}ResponseMessage", ResponseClass="Success")
        add(message, f"{M}ResponseCode", "NoError")
        return message

    def refusal(self, refused: Refused, *, warning: bool = False) -> etree._Element:
        """Adds a message that says why not."""
        kind = "Warning" if warning else "Error"
        message = add(self._messages, f"{M}{self.operation}ResponseMessage", ResponseClass=kind)
        add(message, f"{M}MessageText", refused.text or refused.code)
        add(message, f"{M}ResponseCode", refused.code)
        add(message, f"{M}DescriptiveLinkKey", 0)
        if refused.values:
            message_xml = add(message, f"{M}MessageXml")
            for name, value in refused.values.items():
                add(message_xml, f"{T}Value", value, Name=name)
        return message
