"""Out-of-office replies on Exchange Server: whether they are on, and for whom (MS-OXWSOOF; GetUserOofSettings).

The mailbox's own user may ask, and who impersonates it; no further right is needed.
"""

from datetime import UTC, datetime

from exchangelib.util import TNS, create_element

from connectors.away import Absence
from connectors.errors import ChangesFailed
from connectors.exchange_connection import Connection
from connectors.exchange_requests import Element

_T = f"{{{TNS}}}"


def get_user_oof_settings(address: str) -> Element:
    """The request for one mailbox's settings."""
    request = create_element("m:GetUserOofSettingsRequest")
    mailbox = create_element("t:Mailbox")
    held = create_element("t:Address")
    held.text = address
    mailbox.append(held)
    request.append(mailbox)
    return request


def out_of_office(connection: Connection) -> Absence | None:
    """The out-of-office replies as they are set. Raises MailboxError."""
    answer = connection.ask_one(get_user_oof_settings(connection.address), ChangesFailed)
    settings = answer.getparent().find(f"{_T}OofSettings")
    try:
        return absence_in(settings)
    except (AttributeError, KeyError, ValueError, TypeError) as error:
        raise ChangesFailed(f"{connection.where}: the out-of-office settings are not as documented") from error


def absence_in(settings: Element) -> Absence | None:
    """What an OofSettings element says; None where the replies are off. Raises ValueError and the like for one that is
    not as the schema has it."""
    state = settings.findtext(f"{_T}OofState")
    if state == "Disabled":
        return None
    to_families = settings.findtext(f"{_T}ExternalAudience") == "All"
    if state == "Enabled":
        return Absence(to_families=to_families)
    if state != "Scheduled":
        raise ValueError(state)
    duration = settings.find(f"{_T}Duration")
    begins, ends = (_moment(duration.findtext(f"{_T}{name}")) for name in ("StartTime", "EndTime"))
    return Absence(begins, ends, to_families=to_families)


def _moment(text: str) -> datetime:
    """An xs:dateTime; without a zone it is UTC, which is what we ask in."""
    told = datetime.fromisoformat(text)
    return told if told.tzinfo else told.replace(tzinfo=UTC)
