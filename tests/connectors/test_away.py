"""What the mail systems say of the teacher's own automatic reply, read as documented and not otherwise."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pytest
from lxml import etree

from connectors import exchange_away, gmail_vacation, graph_away
from connectors.away import Absence, TellsAbsence
from connectors.errors import ChangesFailed, PermissionDenied
from connectors.imap import ImapMailbox
from connectors.maildir.mailbox import MaildirMailbox
from tests.connectors.exchange_world import ExchangeWorld
from tests.connectors.graph_world import GraphWorld, rested
from tests.servers import ews, graph
from tests.servers.ews import ExchangeServer
from tests.servers.graph import GraphServer

BEGINS, ENDS = datetime(2026, 12, 1, 6, 0, tzinfo=UTC), datetime(2026, 12, 6, 6, 0, tzinfo=UTC)
TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({}, None),
        ({"enableAutoReply": False, "startTime": "1780000000000"}, None),
        ({"enableAutoReply": True}, Absence()),
        ({"enableAutoReply": True, "startTime": "0", "endTime": ""}, Absence()),
        ({"enableAutoReply": True, "startTime": f"{BEGINS.timestamp() * 1000:.0f}"}, Absence(BEGINS)),
        ({"enableAutoReply": True, "endTime": f"{ENDS.timestamp() * 1000:.0f}"}, Absence(None, ENDS)),
        ({"enableAutoReply": True, "endTime": "9" * 18}, Absence()),
        ({"enableAutoReply": True, "restrictToDomain": True}, Absence(to_families=False)),
        ({"enableAutoReply": True, "restrictToContacts": True}, Absence(to_families=False)),
    ],
)
def test_what_gmails_vacation_settings_say(answer: Mapping[str, object], told: Absence | None) -> None:
    assert gmail_vacation.absence_in(answer) == told


def scheduled(**changes: object) -> dict[str, object]:
    return {
        "status": "scheduled",
        "externalAudience": "all",
        "scheduledStartDateTime": {"dateTime": "2026-12-01T06:00:00.0000000", "timeZone": "UTC"},
        "scheduledEndDateTime": {"dateTime": "2026-12-06T06:00:00.0000000", "timeZone": "UTC"},
    } | changes


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"status": "disabled"}, None),
        (scheduled(status="alwaysEnabled"), Absence()),
        (scheduled(), Absence(BEGINS, ENDS)),
        (scheduled(externalAudience="none"), Absence(BEGINS, ENDS, to_families=False)),
        (scheduled(externalAudience="contactsOnly"), Absence(BEGINS, ENDS, to_families=False)),
    ],
)
def test_what_microsofts_automatic_replies_say(answer: Mapping[str, object], told: Absence | None) -> None:
    assert graph_away.absence_in(answer) == told


def test_another_time_zone_than_was_asked_for_is_not_guessed_at() -> None:
    odd = {"dateTime": "2026-12-01T06:00:00", "timeZone": "Pacific Standard Time"}
    with pytest.raises(ValueError, match="another time zone"):
        graph_away.absence_in(scheduled(scheduledStartDateTime=odd))


def settings(state: str, audience: str = "All", duration: str = "") -> etree._Element:
    inner = f"<OofState>{state}</OofState><ExternalAudience>{audience}</ExternalAudience>{duration}"
    return etree.fromstring(f"<OofSettings xmlns='{TYPES}'>{inner}</OofSettings>")


DURATION = "<Duration><StartTime>2026-12-01T06:00:00{0}</StartTime><EndTime>2026-12-06T06:00:00{0}</EndTime></Duration>"


@pytest.mark.parametrize(
    ("element", "told"),
    [
        (settings("Disabled", duration=DURATION.format("Z")), None),
        (settings("Enabled", duration=DURATION.format("Z")), Absence()),
        (settings("Scheduled", duration=DURATION.format("Z")), Absence(BEGINS, ENDS)),
        (settings("Scheduled", duration=DURATION.format("")), Absence(BEGINS, ENDS)),
        (settings("Enabled", "None"), Absence(to_families=False)),
        (settings("Enabled", "Known"), Absence(to_families=False)),
    ],
)
def test_what_exchanges_out_of_office_settings_say(element: etree._Element, told: Absence | None) -> None:
    assert exchange_away.absence_in(element) == told


@pytest.fixture(scope="module")
def microsoft() -> Iterator[GraphServer]:
    with graph.running() as server:
        yield server


@pytest.fixture(scope="module")
def exchange() -> Iterator[ExchangeServer]:
    with ews.running() as server:
        yield server


def test_microsoft_365_without_the_right_says_which_one_lacks(microsoft: GraphServer) -> None:
    world = GraphWorld(rested(microsoft))
    microsoft.login.rights.discard("MailboxSettings.ReadWrite")
    microsoft.login.expire_tokens()
    try:
        with pytest.raises(PermissionDenied, match="MailboxSettings"):
            world.open().absence()
    finally:
        microsoft.login.rights.add("MailboxSettings.ReadWrite")
        microsoft.login.expire_tokens()
        world.close()


@pytest.mark.parametrize("answer", [{}, {"status": "sometimes", "externalAudience": "all"}, {"status": "scheduled"}])
def test_an_answer_of_microsofts_that_is_none_is_an_error_of_ours(
    microsoft: GraphServer, answer: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = GraphWorld(rested(microsoft))
    monkeypatch.setattr("connectors.graph_client.GraphClient.get", lambda *_, **__: answer)
    with pytest.raises(ChangesFailed, match="not as documented"):
        world.open().absence()


@pytest.mark.parametrize("code", ["ErrorAccessDenied", "ErrorUnableToGetUserOofSettings"])
def test_a_refusal_of_exchanges_is_an_error_of_ours(exchange: ExchangeServer, code: str) -> None:
    world = ExchangeWorld(exchange)
    world.box.trouble(code)
    try:
        expected = PermissionDenied if code == "ErrorAccessDenied" else ChangesFailed
        with pytest.raises(expected):
            world.open().absence()
    finally:
        world.box.trouble(None)
    assert world.open().absence() is None
    world.close()


def test_imap_and_maildir_cannot_be_asked() -> None:
    assert not issubclass(ImapMailbox, TellsAbsence)
    assert not issubclass(MaildirMailbox, TellsAbsence)
