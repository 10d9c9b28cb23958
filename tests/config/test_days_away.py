"""`mailboxes.away`: days on which the teacher's own out-of-office answer is on."""

from datetime import date

import pytest
from pydantic import ValidationError

from config.settings import MailboxSettings


def box(*days: str) -> MailboxSettings:
    return MailboxSettings(address="rivera@maple.example", teacher="Ms. Rivera", away=days)


def test_a_stretch_and_a_single_day_are_understood() -> None:
    assert box("2026-12-01/2026-12-05", " 2027-02-15 ").days_away == (
        (date(2026, 12, 1), date(2026, 12, 5)),
        (date(2027, 2, 15), date(2027, 2, 15)),
    )


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        ("2026-12-05/2026-12-01", "not before the first"),
        ("next week", "2026-12-01/2026-12-05"),
        ("2026-12-01/", None),
        ("2026-12-01/5", "2026-12-01/2026-12-05"),
        ("2026-12-01/2026-12-05/2026-12-09", "2026-12-01/2026-12-05"),
        ("2026-02-30", "2026-12-01/2026-12-05"),
    ],
)
def test_what_is_no_stretch_of_days_is_refused_with_an_example(days: str, expected: str | None) -> None:
    if expected is None:
        assert box(days).days_away == ((date(2026, 12, 1), date(2026, 12, 1)),)
        return
    with pytest.raises(ValidationError, match=expected):
        box(days)
