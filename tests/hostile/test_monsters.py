"""Each monster is read in bounded time and memory, and what could not be read of it is never answered by a robot."""

import pytest

from autoresponder.guards import Case, check
from autoresponder.plan import History
from tests.autoresponder.sample import SETTINGS, TEACHER
from tests.hostile.cage import caged
from tests.hostile.monsters import BODIES, monster
from tests.hostile.targets import read_mail
from tests.mails.samples import NOON, parsed

SECONDS, MEBIBYTES = 20, 1_000
"""What one message may take: processor time, and address space beyond what the process had. A mail of 50 MB is itself
50 MiB of it, and the mail that carries it to the office, several times that."""
CUT = {
    "100,000 parts",
    "five million boundaries",
    "a million headers in a part",
    "50 MB of text",
    "50 MB in one line",
    "100,000 multiparts in each other",
    "100,000 messages in each other",
}


@pytest.mark.parametrize("name", BODIES)
def test_a_monster_is_read_guarded_and_handed_on_within_its_bounds(name: str) -> None:
    ended = caged(lambda: read_mail(monster(name)), seconds=SECONDS, mebibytes=MEBIBYTES)
    assert not ended.trouble


@pytest.mark.parametrize("name", sorted(CUT))
def test_what_was_cut_off_is_left_to_a_person(name: str) -> None:
    message = parsed(monster(name))
    assert message.defects
    case = Case(message, History(connected_at=NOON), SETTINGS.norm, NOON, TEACHER, SETTINGS.staff_domains)
    refusal = check(case)
    assert refusal is not None
    assert refusal.guard in {"cut_off", "unreadable"}
