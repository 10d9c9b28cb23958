"""Which desk gets what, and where an item goes that nobody takes."""

from dataclasses import replace
from datetime import datetime
from typing import get_args

import pytest

from autoresponder.desks import StepKind, desk_for, first_due, members_of, next_step, recipients_of, tells_office
from classifier.corpus_check import TOPICS
from config.calendar import SchoolCalendar
from config.settings import Desk, Office, Settings, Topic
from tests.autoresponder.sample import SETTINGS, ZONE

NURSE, COUNSELOR, PRINCIPAL = "nurse@maple.example", "counselor@maple.example", "principal@maple.example"
OFFICE = SETTINGS.office.address
DESKS = (
    Desk(name="nurse", recipients=(NURSE,), topics=("health",), minutes=15),
    Desk(name="counselor", recipients=(COUNSELOR, PRINCIPAL), topics=("safety", "wellbeing"), office_too=False),
    Desk(name="administration", recipients=(PRINCIPAL,), minutes=10),
)
CALENDAR = SchoolCalendar.of(SETTINGS.school, SETTINGS.office)


def school(**office: object) -> Settings:
    return Settings(
        school=SETTINGS.school,
        office=Office(**{"address": OFFICE, "phone": "555 0100", **office}),
        desks=DESKS,
        mailboxes=SETTINGS.mailboxes,
    )


def at(day: int, clock: str) -> datetime:
    """A time in the first week of March 2026, whose second is a Monday."""
    return datetime.fromisoformat(f"2026-03-{day:02} {clock}").replace(tzinfo=ZONE)


def test_the_configuration_knows_every_topic_that_the_classifier_does() -> None:
    assert set(get_args(Topic)) == set(TOPICS)


def test_a_topic_goes_to_its_desk_and_everything_else_to_the_office() -> None:
    assert desk_for("health", school()) == "nurse"
    assert desk_for("pickup_transport", school()) == "office"


def test_safety_goes_to_several_people_and_not_to_the_front_office_where_the_school_says_so() -> None:
    assert recipients_of("counselor", school(), urgent=True, closed=False) == (COUNSELOR, PRINCIPAL)
    assert not tells_office("safety", school())
    assert recipients_of("nurse", school(), urgent=True, closed=False) == (NURSE, OFFICE)
    assert tells_office("health", school())


def test_while_the_office_is_closed_whoever_is_on_call_gets_it_too() -> None:
    settings = school(on_call=PRINCIPAL)
    assert recipients_of("nurse", settings, urgent=True, closed=True) == (NURSE, OFFICE, PRINCIPAL)
    assert recipients_of("nurse", settings, urgent=False, closed=True) == (NURSE,)


def test_a_desk_that_the_configuration_no_longer_knows_is_the_office() -> None:
    assert recipients_of("library", school(), urgent=True, closed=False) == (OFFICE,)


def test_the_people_behind_an_address_answer_for_it() -> None:
    settings = school(members=("lee@maple.example",))
    assert members_of(frozenset({OFFICE}), settings) == {OFFICE, "lee@maple.example"}
    assert members_of(frozenset({NURSE}), settings) == {NURSE}


@pytest.mark.parametrize(
    ("came", "due"),
    [
        (at(3, "10:00"), at(3, "10:15")),
        (at(3, "15:25"), at(4, "08:00")),
        (at(3, "22:00"), at(4, "08:15")),
        (at(6, "22:00"), at(9, "08:15")),
    ],
)
def test_minutes_are_school_minutes_and_end_while_somebody_is_there(came: datetime, due: datetime) -> None:
    assert first_due("nurse", school(), CALENDAR, came) == due


def test_where_somebody_is_on_call_the_minutes_may_end_in_the_evening() -> None:
    assert first_due("nurse", school(on_call=PRINCIPAL), CALENDAR, at(3, "15:25")) == at(3, "15:40")


def test_an_office_without_minutes_keeps_what_it_has() -> None:
    assert first_due("office", school(), CALENDAR, at(3, "10:00")) is None


def test_an_item_walks_along_the_chain_and_everybody_is_reminded_in_the_end() -> None:
    settings = school(minutes=30, next="administration")
    step = next_step(("nurse",), settings, CALENDAR, at(3, "10:15"))
    assert (step.kind, step.path, step.recipients) == (StepKind.NEXT, ("nurse", "office"), (OFFICE,))
    assert step.next_at == at(3, "10:45")
    step = next_step(step.path, settings, CALENDAR, at(3, "10:45"))
    assert (step.kind, step.path[-1], step.recipients[0]) == (StepKind.NEXT, "administration", PRINCIPAL)
    assert step.next_at == at(3, "10:55")
    step = next_step(step.path, settings, CALENDAR, at(3, "10:55"))
    assert step.kind is StepKind.REMINDER
    assert set(step.recipients) == {NURSE, OFFICE, PRINCIPAL}
    assert step.next_at == at(4, "08:00")
    assert next_step(step.path, settings, CALENDAR, at(4, "08:00")).next_at == at(5, "08:00")


def test_what_nobody_took_before_the_office_closed_goes_to_whoever_is_on_call_and_on_in_the_morning() -> None:
    step = next_step(("nurse",), school(on_call=PRINCIPAL), CALENDAR, at(3, "15:40"))
    assert (step.kind, step.path, step.recipients) == (StepKind.ON_CALL, ("nurse",), (PRINCIPAL,))
    assert step.next_at == at(4, "08:15")


def test_without_anybody_on_call_it_waits_for_the_opening() -> None:
    step = next_step(("nurse",), school(), CALENDAR, at(3, "15:40"))
    assert (step.kind, step.recipients, step.next_at) == (StepKind.WAIT, (), at(4, "08:00"))


def test_a_calendar_without_school_days_keeps_nothing_from_anybody() -> None:
    never = replace(CALENDAR, weekdays=frozenset())
    assert first_due("nurse", school(), never, at(3, "10:00")) == at(3, "10:15")
    step = next_step(("nurse",), school(), never, at(3, "10:15"))
    assert step.kind is StepKind.NEXT
    assert step.recipients


@pytest.mark.parametrize(
    ("desks", "office", "said"),
    [
        ((Desk(name="Office", recipients=(NURSE,)),), {}, "a name of its own"),
        ((DESKS[0], Desk(name="b", recipients=(NURSE,), topics=("health",))), {}, "topics of its own"),
        ((Desk(name="a", recipients=(NURSE,), next="b"),), {}, "the name of a desk"),
        ((), {"next": "b", "minutes": 5}, "the name of a desk"),
        ((DESKS[0],), {"next": "nurse"}, "after how many school minutes"),
        ((), {"reply_to": "nobody@maple.example"}, "the address of one of the"),
    ],
)
def test_desks_that_cannot_be_meant_are_refused(desks: tuple[Desk, ...], office: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Settings(
            school=SETTINGS.school,
            office=Office(**{"address": OFFICE, "phone": "555 0100", **office}),
            desks=desks,
            mailboxes=SETTINGS.mailboxes,
        )
