"""When a mailbox's answers stop: an hour's worth, one address, strangers of one domain."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresponder.ceiling import (
    FOR_ONE_PERSON,
    PROVIDERS,
    STRANGERS,
    Cause,
    Given,
    cause_to_stop,
    had_alike,
    urgent_left,
)

NOW = datetime(2026, 3, 3, 16, 0, tzinfo=UTC)
PER_HOUR = 40


def let_out(person: str, minutes_ago: float = 1, *, gravity: int = 0, known: bool = True, number: int = 0) -> Given:
    at = NOW - timedelta(minutes=minutes_ago)
    return Given(number, person, gravity, known, at, at - timedelta(minutes=1))


def asked(person: str = "ana@family.example", *, gravity: int = 0, known: bool = True) -> Given:
    return let_out(person, 0, gravity=gravity, known=known, number=-1)


def families(count: int, minutes_ago: float = 1, domain: str = "family.example", *, known: bool = True) -> list[Given]:
    return [let_out(f"family{number}@{domain}", minutes_ago, known=known) for number in range(count)]


def test_an_hour_holds_as_many_answers_as_the_norm_says() -> None:
    assert cause_to_stop(families(PER_HOUR - 1), asked(), PER_HOUR) is None
    assert cause_to_stop(families(PER_HOUR), asked(), PER_HOUR) is Cause.HOUR
    assert cause_to_stop(families(PER_HOUR, 60), asked(), PER_HOUR) is None
    assert cause_to_stop(families(PER_HOUR, 59.9), asked(), PER_HOUR) is Cause.HOUR


def test_many_answers_to_one_address_are_a_loop() -> None:
    for_ana = [let_out("ana@family.example", 60 * hours) for hours in range(1, FOR_ONE_PERSON)]
    assert cause_to_stop(for_ana, asked(), PER_HOUR) is None
    assert cause_to_stop([*for_ana, let_out("ana@family.example")], asked(), PER_HOUR) is Cause.PERSON
    assert cause_to_stop([*for_ana, let_out("ana@family.example", 60 * 24)], asked(), PER_HOUR) is None


@pytest.mark.parametrize(
    ("given", "next_one", "cause"),
    [
        (families(STRANGERS, known=False), asked("new@family.example", known=False), Cause.DOMAIN),
        (families(STRANGERS - 1, known=False), asked("new@family.example", known=False), None),
        (families(STRANGERS, 15, known=False), asked("new@family.example", known=False), None),
        (families(STRANGERS, known=False), asked("new@family.example", known=True), None),
        (families(STRANGERS, known=True), asked("new@family.example", known=False), None),
        (families(STRANGERS, known=False), asked("new@other.example", known=False), None),
        (families(STRANGERS, known=False), asked("family0@family.example", known=False), None),
        (families(STRANGERS, domain="gmail.com", known=False), asked("new@gmail.com", known=False), None),
    ],
)
def test_strangers_of_one_domain_within_minutes_are_a_loop(
    given: Sequence[Given], next_one: Given, cause: Cause | None
) -> None:
    assert cause_to_stop(given, next_one, PER_HOUR) is cause


def test_it_counts_when_strangers_wrote_and_not_when_their_answers_could_leave() -> None:
    hourly = [replace(each, wrote_at=NOW - timedelta(hours=n)) for n, each in enumerate(families(30, known=False))]
    assert cause_to_stop(hourly, asked("new@family.example", known=False), PER_HOUR) is None


def test_where_half_a_class_may_have_its_mailboxes_strangers_are_no_sign() -> None:
    assert all(domain == domain.lower() and "." in domain for domain in PROVIDERS)
    assert {"gmail.com", "outlook.com", "yahoo.com", "icloud.com"} <= PROVIDERS


def test_a_quarter_of_the_ceiling_and_at_least_five_are_kept_for_people_in_need() -> None:
    assert urgent_left([], 40, NOW) == 10
    assert urgent_left([], 8, NOW) == 5
    urgent = [let_out(f"{number}@family.example", 30, gravity=1) for number in range(4)]
    assert urgent_left([*urgent, *families(30)], 40, NOW) == 6
    assert urgent_left([let_out("ana@family.example", 60, gravity=2)], 40, NOW) == 10
    assert urgent_left([*urgent, *urgent, *urgent], 40, NOW) == 0


def test_an_answer_alike_within_the_hour_is_known_again() -> None:
    assert had_alike([let_out("ana@family.example")], asked())
    assert had_alike([let_out("ana@family.example", gravity=2)], asked(gravity=1))
    assert not had_alike([let_out("ana@family.example")], asked(gravity=1))
    assert not had_alike([let_out("bo@family.example")], asked())
    assert not had_alike([let_out("ana@family.example", 60)], asked())


answers = st.builds(
    let_out,
    st.sampled_from(["ana@family.example", "bo@family.example", "cy@gmail.com"]),
    st.floats(0, 2000),
    gravity=st.integers(0, 2),
    known=st.booleans(),
)


@given(st.lists(answers, max_size=60), st.integers(5, 50))
def test_whatever_left_before_no_hour_ever_holds_more(given: list[Given], per_hour: int) -> None:
    this_hour = [each for each in given if each.at > NOW - timedelta(hours=1)]
    if cause_to_stop(given, asked(), per_hour) is None:
        assert len(this_hour) < per_hour
    assert urgent_left(given, per_hour, NOW) <= max(5, per_hour // 4)
