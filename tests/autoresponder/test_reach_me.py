"""How to reach a teacher, in every language, from the same norms as the answers."""

from datetime import time

import pytest

from autoresponder.reach_me import reach_me
from autoresponder.wording import LANGUAGES
from config.settings import CallWindow
from tests.autoresponder.sample import IN_THE_US, TEACHER

REACHABLE = TEACHER.model_copy(
    update={"call_windows": (CallWindow(day="tue", opens=time(12, 10), closes=time(12, 40)),)}
)


def text(language: str = "en", **school: object) -> str:
    settings = IN_THE_US.model_copy(update={"school": IN_THE_US.school.model_copy(update=school)})
    return " ".join(reach_me(language, REACHABLE, settings).text().split())


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_where_how_soon_and_whom_to_call_today(language: str) -> None:
    said = text(language)
    assert all(each in said for each in ("rivera@maple.example", "24–48", "(608) 555-0142", "911", "12"))
    assert not set("{}") & set(said)


def test_it_reads_as_one_paragraph() -> None:
    assert text() == (
        "How to reach me Please write to rivera@maple.example. I read every message myself and answer within 24–48 "
        "school hours; days without school do not count. If you would rather talk, write to me, and I can call you "
        "on Tuesdays from 12:10 PM to 12:40 PM. It helps me answer well if your message says your student's name "
        "and the class period. If it is about today or tomorrow morning, such as a pickup, a bus or your child's "
        "health or safety, please do not wait for me: call the front office at (608) 555-0142. They answer on school "
        "days from 8:00 AM to 3:30 PM. If someone is in danger right now, please call 911."
    )


def test_a_school_without_periods_asks_for_none() -> None:
    assert "class period" not in text(class_periods=False)
