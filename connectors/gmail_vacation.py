"""Gmail's vacation responder: whether it is on, and for whom.

https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.settings/getVacation and the resource
VacationSettings. The scope `gmail.modify`, which reading mail needs anyway, covers it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from connectors.away import Absence
from connectors.gmail_calls import Calls

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def vacation(calls: Calls) -> Absence | None:
    """The responder as it is set. Raises as `Calls.run`; ValueError and the like for an answer that is none."""
    return absence_in(calls.run(calls.users.settings().getVacation(userId="me")))


def absence_in(answer: Mapping[str, Any]) -> Absence | None:
    """What VacationSettings say; None where the responder is off. One that answers only contacts, or only the teacher's
    own domain, leaves families without an answer."""
    if answer.get("enableAutoReply") is not True:
        return None
    restricted = answer.get("restrictToContacts") is True or answer.get("restrictToDomain") is True
    return Absence(_moment(answer.get("startTime")), _moment(answer.get("endTime")), to_families=not restricted)


def _moment(milliseconds: object) -> datetime | None:
    """A time in milliseconds since 1970 (an int64, which JSON carries as text); None where it is open. Beyond all
    calendars, it is open too."""
    if milliseconds in (None, "", "0", 0):
        return None
    try:
        return _EPOCH + timedelta(milliseconds=int(str(milliseconds)))
    except OverflowError:
        return None
