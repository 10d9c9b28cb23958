"""The teacher's own out-of-office answer is respected: no second note beside it, and no wrong day."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors.away import Absence
from connectors.errors import ConnectFailed, MailboxError, PermissionDenied
from connectors.labels import Label
from store.absences import Absences
from store.tables import DeliveryKind, DeliveryState
from tests.service.maple import ANA, BO, RIVERA, TUESDAY, Maple

CARLA = "carla@family.example"
HERE = Absence(TUESDAY - timedelta(days=1), TUESDAY + timedelta(days=3))


def connected(**given: object) -> Maple:
    maple = Maple(**({"teachers": (RIVERA,)} | given))  # type: ignore[arg-type]
    maple.round()
    maple.clock.forward(minutes=20)
    return maple


def away(maple: Maple, absence: Absence | None) -> None:
    """The teacher switches their own answer on, or off."""
    maple.system.account(RIVERA).absence = absence


@pytest.mark.parametrize("told_by", ["mail system", "configuration"])
def test_beside_it_only_urgent_messages_are_answered_and_everything_else_goes_on(told_by: str) -> None:
    maple = connected(away={RIVERA: ["2026-03-02/2026-03-06"]} if told_by == "configuration" else {})
    away(maple, HERE if told_by == "mail system" else None)
    routine = maple.write("routine question", ANA)
    conflict = maple.write("conflict grade", BO)
    maple.write("urgent bus", CARLA)
    maple.rounds(2, minutes=5)
    assert [len(maple.answers(family)) for family in (ANA, BO, CARLA)] == [0, 0, 1]
    assert [record.guard for record in maple.records() if record.rfc_message_id in {routine, conflict}] == [
        "teacher_away",
        "teacher_away",
    ]
    assert maple.labels(routine) == {Label.ROUTINE}
    assert maple.routed() == ["urgent bus"]


def test_after_the_return_families_are_answered_as_always() -> None:
    maple = connected(away={RIVERA: ["2026-03-03/2026-03-03"]})
    maple.write("routine question", ANA)
    maple.round()
    maple.clock.forward(days=1)
    maple.write("routine question", BO)
    maple.rounds(2, minutes=5)
    assert [len(maple.answers(family)) for family in (ANA, BO)] == [0, 1]


def test_an_absence_that_begins_within_the_norm_moves_the_promised_day_behind_the_return() -> None:
    maple = connected()
    away(maple, Absence(datetime(2026, 3, 4, 6, tzinfo=UTC), datetime(2026, 3, 7, 6, tzinfo=UTC)))
    maple.write("routine question", ANA)
    maple.rounds(2, minutes=5)
    (note,) = maple.answers()
    body = note.get_body(("plain",))
    assert body is not None
    assert "Tuesday, March 10" in " ".join(body.get_content().split())


def test_one_for_colleagues_alone_leaves_families_their_note_with_a_day_after_the_return() -> None:
    maple = connected()
    away(maple, Absence(TUESDAY, datetime(2026, 3, 7, 6, tzinfo=UTC), to_families=False))
    maple.write("routine question", ANA)
    maple.rounds(2, minutes=5)
    (note,) = maple.answers()
    body = note.get_body(("plain",))
    assert body is not None
    assert "Wednesday, March 11" in " ".join(body.get_content().split())


def test_one_that_is_switched_on_before_a_waiting_note_leaves_takes_it_back() -> None:
    maple = connected()
    maple.write("routine question", ANA)
    maple.system.fail("save_draft", RuntimeError("scripted"))
    maple.round()
    maple.system.heal()
    away(maple, Absence())
    maple.clock.forward(minutes=16)
    maple.rounds(2, minutes=5)
    assert maple.answers() == []
    assert maple.states(DeliveryKind.REPLY) == [DeliveryState.CANCELLED]
    assert not maple.drafts()


def test_the_mail_system_is_asked_four_times_an_hour_whatever_the_traffic() -> None:
    maple = connected()
    maple.system.calls.clear()
    maple.rounds(60, minutes=1)
    assert maple.system.calls["absence"] == 4


@pytest.mark.parametrize("stage", ["observe", "tag"])
def test_where_nobody_is_answered_nobody_is_asked(stage: str) -> None:
    maple = connected(stage=stage)
    maple.rounds(4)
    assert maple.system.calls["absence"] == 0


@pytest.mark.parametrize(
    "error", [ConnectFailed("gone"), PermissionDenied("MailboxSettings.Read"), RuntimeError("bug")]
)
def test_who_is_not_told_knows_nothing_and_goes_on(error: Exception) -> None:
    maple = connected()
    away(maple, Absence())
    maple.system.fail("absence", error, times=1000)
    maple.clock.forward(hours=1)
    maple.write("routine question", ANA)
    maple.write("urgent bus", BO)
    maple.rounds(2, minutes=5)
    assert [len(maple.answers(family)) for family in (ANA, BO)] == [1, 1]
    assert maple.routed() == ["urgent bus"]


def test_what_was_told_last_counts_for_some_hours_of_silence() -> None:
    maple = connected()
    away(maple, Absence())
    maple.round()
    maple.clock.forward(minutes=16)
    maple.round()
    maple.system.fail("absence", MailboxError("silent"), times=1000)
    maple.rounds(10, minutes=30)
    maple.write("routine question", ANA)
    maple.rounds(2, minutes=5)
    assert maple.answers() == []
    maple.rounds(4, minutes=30)
    maple.write("routine question", BO)
    maple.rounds(2, minutes=5)
    assert len(maple.answers(BO)) == 1


def test_a_clock_that_was_ahead_does_not_keep_from_asking() -> None:
    maple = connected()
    absences = Absences(maple.database)
    absences.told(RIVERA, Absence(), maple.clock() + timedelta(days=300))
    assert absences.is_due(RIVERA, maple.clock())
    maple.round()
    assert absences.known(RIVERA, maple.clock()) is None
