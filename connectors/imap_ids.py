"""Identifiers of messages and drafts on an IMAP server: folder, UIDVALIDITY and UID name a message for good (RFC 3501
§2.3.1.1)."""

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

_MESSAGE = re.compile(r"(?P<folder>[^\x00-\x1f\x7f]{1,500})/(?P<uidvalidity>[0-9]{1,10})/(?P<uid>[0-9]{1,10})")
_DRAFT = re.compile(_MESSAGE.pattern + r"/(?P<rfc>[^/]{0,1500})")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message lies. `rfc_message_id`, without angle brackets, is known for drafts only: it finds them again
    after they were sent."""

    folder: str
    uidvalidity: int
    uid: int
    rfc_message_id: str = ""

    def message_id(self) -> str:
        """As a provider id of a message."""
        return f"{self.folder}/{self.uidvalidity}/{self.uid}"

    def draft_id(self) -> str:
        """As the id of a draft."""
        return f"{self.message_id()}/{quote(self.rfc_message_id, safe='@$+-.=')}"


def message_place(message_id: str) -> Place | None:
    """The place that a provider id names, None where it is none of ours."""
    found = _MESSAGE.fullmatch(message_id) if message_id.isprintable() else None
    return Place(found["folder"], int(found["uidvalidity"]), int(found["uid"])) if found else None


def draft_place(draft_id: str) -> Place | None:
    """The place that a draft's id names, None where it is none of ours."""
    found = _DRAFT.fullmatch(draft_id) if draft_id.isprintable() else None
    if found is None:
        return None
    return Place(found["folder"], int(found["uidvalidity"]), int(found["uid"]), unquote(found["rfc"]))
