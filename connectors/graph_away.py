"""Automatic replies in Microsoft 365: whether they are on, and for whom.

https://learn.microsoft.com/graph/api/user-get-mailboxsettings and the resource automaticRepliesSetting. The permission
MailboxSettings.Read suffices, and MailboxSettings.ReadWrite, which the colours of labels need, holds it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from connectors.away import Absence
from connectors.errors import ChangesFailed, PermissionDenied
from connectors.graph_client import GraphClient
from connectors.graph_errors import Refused, permission_denied

_PATH = "/mailboxSettings/automaticRepliesSetting"
_IN_UTC = 'outlook.timezone="UTC"'
_UNREADABLE = (KeyError, ValueError, TypeError, AttributeError)
RIGHT = "MailboxSettings.Read"


def automatic_replies(client: GraphClient) -> Absence | None:
    """The automatic replies as they are set. Raises PermissionDenied, ChangesFailed, or another MailboxError."""
    try:
        return absence_in(client.get(_PATH, prefer=_IN_UTC))
    except PermissionDenied:
        raise
    except Refused as error:
        if error.failure.status == 403:
            raise permission_denied(error.failure, client.address, [RIGHT]) from error
        raise ChangesFailed(
            f"Microsoft Graph, {client.address}: the automatic replies cannot be read ({error})"
        ) from error
    except _UNREADABLE as error:
        raise ChangesFailed(
            f"Microsoft Graph, {client.address}: the automatic replies are not as documented ({type(error).__name__})"
        ) from error


def absence_in(answer: Mapping[str, Any]) -> Absence | None:
    """What an automaticRepliesSetting says; None where they are off. Times are asked for in UTC. Raises ValueError and
    the like for an answer that is none."""
    status = answer["status"]
    if status == "disabled":
        return None
    to_families = answer["externalAudience"] == "all"
    if status == "alwaysEnabled":
        return Absence(to_families=to_families)
    if status != "scheduled":
        raise ValueError(status)
    begins, ends = _moment(answer["scheduledStartDateTime"]), _moment(answer["scheduledEndDateTime"])
    return Absence(begins, ends, to_families=to_families)


def _moment(told: Mapping[str, Any]) -> datetime:
    """A dateTimeTimeZone, e.g. 2026-03-19T02:00:00.0000000 in UTC."""
    if told["timeZone"] not in {"UTC", "Etc/GMT", "tzone://Microsoft/Utc"}:
        raise ValueError("another time zone than was asked for")
    return datetime.fromisoformat(str(told["dateTime"]).partition(".")[0].removesuffix("Z")).replace(tzinfo=UTC)
