"""What a provider allows is shared: several processes book from one purse, and no minute spends more."""

from collections.abc import Iterator
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import allowance, bells
from connectors.gmail_quota import Pace, pace_of
from connectors.graph_quota import PER_MINUTE as REQUESTS_PER_MINUTE
from connectors.graph_quota import Budget

PER_10_SECONDS = REQUESTS_PER_MINUTE // 6
PER_MINUTE, PER_USER, LARGEST = 60_000, 6_000, 100


class Bank:
    """A purse by the same rule as the district's, over a clock of the test's."""

    def __init__(self) -> None:
        self.now = 0.0
        self.paid_at: dict[str, float] = {}
        self.until: dict[str, float] = {}
        self.booked = 0

    def book(
        self, account: str, portion: float, per_minute: float, burst_seconds: float, at_most: float = inf
    ) -> float:
        price = portion * 60 / per_minute
        paid_at = max(self.paid_at.get(account, 0.0), self.now) + price
        wait = max(0.0, paid_at - self.now - max(burst_seconds, price))
        if wait <= at_most:
            self.booked += 1
            self.paid_at[account] = paid_at
        return wait

    def hold(self, account: str, seconds: float) -> None:
        self.until[account] = max(self.until.get(account, 0.0), self.now + seconds)

    def held(self, account: str) -> float:
        return max(0.0, self.until.get(account, 0.0) - self.now)


@pytest.fixture
def bank() -> Iterator[Bank]:
    found = Bank()
    yield found
    allowance.share(None)


def workers_of(bank: Bank, count: int) -> list[Pace]:
    return [
        Pace(PER_MINUTE, PER_USER, clock=lambda: bank.now, project="maple", purse=bank)  # a process each
        for _ in range(count)
    ]


@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from("abc"), st.sampled_from([1, 5, 50, LARGEST]), st.floats(0, 0.5)),
        min_size=1,
        max_size=400,
    ),
    st.integers(1, 60),
)
def test_no_minute_spends_more_than_google_allows_however_many_workers_there_are(
    requests: list[tuple[int, str, int, float]], repeated: int
) -> None:
    bank = Bank()
    workers = workers_of(bank, 4)
    spent: list[tuple[float, str, int]] = []
    for worker, user, units, pause in requests * max(1, min(repeated, 1200 // len(requests))):
        bank.now += pause
        spent.append((bank.now + workers[worker].take(user, units), user, units))
    spent.sort()
    for start, _, _ in spent[:: max(1, len(spent) // 20)]:
        minute = [(user, units) for at, user, units in spent if start <= at < start + 60]
        assert sum(units for _, units in minute) <= PER_MINUTE + 4 * LARGEST
        for one in "abc":
            assert sum(units for user, units in minute if user == one) <= PER_USER + 4 * LARGEST


def test_a_look_at_a_quiet_mailbox_asks_nobody_for_its_own_allowance(bank: Bank) -> None:
    (pace,) = workers_of(bank, 1)
    for _ in range(100):
        assert pace.take("quiet", 2) == 0
        bank.now += 60
    assert "gmail maple quiet" not in bank.paid_at


def test_a_portion_serves_many_requests(bank: Bank) -> None:
    (pace,) = workers_of(bank, 1)
    for number in range(200):
        pace.take(f"user{number}", 5)
    assert bank.booked == 1


def test_what_one_worker_booked_the_others_wait_for(bank: Bank) -> None:
    one, other = workers_of(bank, 2)
    for number in range(120):
        one.take(f"user{number}", 100)
    assert other.take("somebody", 100) > 5


def test_a_mailbox_that_google_puts_off_waits_and_the_others_do_not(bank: Bank) -> None:
    (pace,) = workers_of(bank, 1)
    pace.refused("a", 60)
    assert pace.take("a", 5) > 40
    assert pace.free("a") == 0
    assert pace.take("b", 5) == 0


def test_what_google_asks_of_the_project_all_its_mailboxes_do_in_every_worker(bank: Bank) -> None:
    one, other = workers_of(bank, 2)
    oak = Pace(PER_MINUTE, PER_USER, clock=lambda: bank.now, project="oak", purse=bank)
    one.refused("a", 60, by_project=True)
    for pace in (one, other):
        assert pace.take("b", 5, at_most=2) == 60
        assert pace.free("b") == 0
        assert pace.spent("b") == 0
    assert oak.take("b", 5, at_most=2) == 0
    bank.now += 61
    assert other.take("b", 5, at_most=2) == 0


def test_without_other_processes_a_project_pauses_all_the_same() -> None:
    now = [0.0]
    pace = Pace(PER_MINUTE, PER_USER, clock=lambda: now[0], project="maple")
    pace.refused("a", 20, by_project=True)
    assert pace.wait("b", 5) == 20
    now[0] += 20
    assert pace.take("b", 5) == 0


def test_no_account_is_left_alone_for_a_day_on_one_answers_word(bank: Bank) -> None:
    one, other = workers_of(bank, 2)
    one.refused("a", 86_400, by_project=True)
    assert other.wait("b", 5) == allowance.LONGEST_HOLD


def test_who_would_wait_too_long_books_nothing_and_has_its_units_when_its_time_has_come(bank: Bank) -> None:
    one, other = workers_of(bank, 2)
    for number in range(120):
        one.take(f"user{number}", 100)
    paid_at = dict(bank.paid_at)
    wait = other.take("somebody", 100, at_most=2)
    assert wait > 5
    # Tried again and again meanwhile it is not put off further, and nobody else is.
    for _ in range(10):
        assert other.take("somebody", 100, at_most=2) > 2
    assert bank.paid_at == paid_at
    bank.now += wait
    assert other.take("somebody", 100, at_most=2) == 0


def test_units_of_the_project_are_given_back_where_the_mailbox_has_none(bank: Bank) -> None:
    (pace,) = workers_of(bank, 1)
    pace.refused("a", 60)
    for _ in range(200):
        assert pace.take("a", LARGEST, at_most=2) > 2
    assert bank.booked == 1
    assert pace.spent("a") == 0


def test_the_requests_of_one_application_are_booked_in_portions_and_pause_together(bank: Bank) -> None:
    one, other = (Budget("app", allowance.Holds(bank, lambda: bank.now), lambda: bank.now) for _ in range(2))
    assert [one.take(20) for _ in range(100)] == [0.0] * 100
    assert bank.booked == 1
    assert other.take(20) == 0
    for _ in range(PER_10_SECONDS // 20):
        one.take(20)
    assert other.take(PER_10_SECONDS // 10, at_most=2) > 2
    one.pause(30)
    assert other.take(1, at_most=2) == 30


def test_the_mailboxes_of_a_process_book_from_what_is_shared_when_they_are_opened(bank: Bank) -> None:
    alone = pace_of("oak", 1000, 100)
    allowance.share(bank)
    shared = pace_of("oak", 1000, 100)
    assert shared is not alone
    assert shared is pace_of("oak", 1000, 100)
    shared.take("a", 90)
    assert "gmail oak" in bank.paid_at
    allowance.share(None)
    assert pace_of("oak", 1000, 100) is alone


def test_every_bell_that_rings_is_told_until_nobody_wants_to_know() -> None:
    rung: list[str] = []
    end = bells.tell(rung.append)
    bells.ring("Bo@maple.example")
    end()
    bells.ring("rivera@maple.example")
    assert rung == ["bo@maple.example"]
