"""Microsoft's published EWS schemas as a judge: is this request, this answer, what Exchange would take and give?"""

import threading
from functools import cache
from pathlib import Path

from lxml import etree

from tests.servers.ews.soap import MESSAGES, TYPES, M, T

FOLDER = Path(__file__).parent / "schema"
_BESIDE = Path(__file__).parent / "out-of-office.xsd"
"""Elements of MS-OXWSOOF, which the published collection leaves out: as §2.2 and §3.1.4 of that document have them."""
_XS = "{http://www.w3.org/2001/XMLSchema}"


class Schema:
    """The schemas, compiled once. Safe for use by several threads."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._lock = threading.Lock()  # lxml keeps the last validation's errors in the schema itself
        # libxml2 honours only the first import of a namespace, so it must bring every type at once.
        entry = (
            f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="{MESSAGES}"'
            f' elementFormDefault="qualified">'
            f'<xs:import namespace="{TYPES}" schemaLocation="all-types.xsd"/>'
            f'<xs:include schemaLocation="MS-OXWSCDATA-messages.xsd"/></xs:schema>'
        )
        self._compiled = etree.XMLSchema(etree.fromstring(entry.encode(), base_url=str(folder / "all.xsd")))
        self._beside = etree.XMLSchema(etree.parse(_BESIDE))
        self.response_codes = _enumeration(folder / "MS-OXWSCDATA-messages.xsd", "ResponseCodeType")
        self.versions = _enumeration(folder / "MS-OXWSCDATA-types.xsd", "ExchangeVersionType")

    def complaint(self, element: etree._Element) -> str | None:
        """What is wrong with a request, a response or a header element; nothing where it is valid."""
        if element.tag == f"{T}RequestServerVersion":
            return self._version_complaint(element)
        if element.tag.startswith(M) or element.tag.startswith(T):
            judge = self._beside if "UserOofSettings" in element.tag else self._compiled
            with self._lock:
                if judge.validate(element):
                    return None
                return "; ".join(error.message for error in judge.error_log)
        return f"{element.tag} is not an element of EWS"

    def _version_complaint(self, element: etree._Element) -> str | None:
        # The published schema fixes the version to its own, though every server takes the older ones too.
        version = element.get("Version")
        if set(element.keys()) == {"Version"} and version in self.versions:
            return None
        return f"RequestServerVersion: {version!r} is none of {sorted(self.versions)}"


@cache
def schema() -> Schema:
    """The schemas that lie beside this module."""
    return Schema()


def _enumeration(file: Path, simple_type: str) -> frozenset[str]:
    tree = etree.parse(file)
    found = tree.iterfind(f"{_XS}simpleType[@name='{simple_type}']/{_XS}restriction/{_XS}enumeration")
    return frozenset(value.get("value", "") for value in found)
