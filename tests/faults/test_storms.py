"""The service on real servers while they break: a few dozen plans of faults, each judged by the mail servers alone.

`make faults` runs hundreds. What a plan of these did not keep, it prints with the command that runs it again.
"""

from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.faults.__main__ import results

pytestmark = [pytest.mark.server("dovecot"), pytest.mark.server("postgres")]

SEEDS = range(24)
_LANES = 4
"""Runs at a time. They wait most of their time."""


def test_whatever_breaks_no_message_is_unseen_no_family_is_answered_twice_and_the_office_has_what_is_urgent(
    tmp_path: Path,
) -> None:
    with ExitStack() as stack:
        failed = [result for result in results(SEEDS, tmp_path, stack, lanes=_LANES) if not result.passed]
    assert not failed, "\n\n".join(map(str, failed))
