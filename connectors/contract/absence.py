"""The teacher's own automatic reply, for systems that can tell (`connectors.away.TellsAbsence`)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connectors.away import Absence, TellsAbsence
from connectors.contract.harness import MailboxHarness

_BEGINS = datetime(2026, 12, 1, 6, 0, tzinfo=UTC)
_SCHEDULED = Absence(_BEGINS, _BEGINS + timedelta(days=5))


class AbsenceContract:
    """Whether it is on, from when to when, and for whom."""

    def test_it_is_off_until_the_teacher_switches_it_on_and_off_again_after_that(self, harness: MailboxHarness) -> None:
        mailbox = _asked(harness)
        assert mailbox.absence() is None
        harness.teacher_is_away(Absence())
        assert mailbox.absence() == Absence()
        harness.teacher_is_away(None)
        assert mailbox.absence() is None

    def test_it_is_told_from_when_to_when_also_before_it_begins(self, harness: MailboxHarness) -> None:
        harness.teacher_is_away(_SCHEDULED)
        told = _asked(harness).absence()
        assert told == _SCHEDULED
        assert told.begins is not None
        assert told.begins.tzinfo is not None

    def test_one_for_colleagues_alone_is_told_apart(self, harness: MailboxHarness) -> None:
        harness.teacher_is_away(replace(_SCHEDULED, to_families=False))
        assert _asked(harness).absence() == replace(_SCHEDULED, to_families=False)


def _asked(harness: MailboxHarness) -> TellsAbsence:
    mailbox = harness.open()
    if not isinstance(mailbox, TellsAbsence):
        pytest.skip("this system tells nothing of the teacher's own automatic reply")
    return mailbox
