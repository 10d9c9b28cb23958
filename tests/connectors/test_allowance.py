"""What a provider allows is shared: several processes book from one purse, and no minute spends more."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors import allowance, bells
from connectors.gmail_quota import Pace, pace_of

PER_MINUTE, PER_USER, LARGEST = 60_000, 6_000, 100


class Bank:
    """A purse by the same rule as the district's, over a clock of the test's."""

    def __init__(self) -> None:
        self.now = 0.0
        self.paid_at: dict[str, float] = {}
        self.booked = 0

    def book(self, account: str, portion: float, per_minute: float, burst_seconds: float) -> float:
        self.booked += 1
        price = portion * 60 / per_minute
        self.paid_at[account] = max(self.paid_at.get(account, 0.0), self.now) + price
        return max(0.0, self.paid_at[account] - self.now - max(burst_seconds, price))


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
