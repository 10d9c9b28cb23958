"""One answer per family and thread: to parents apart and together, under several addresses, in several mailboxes."""

from pathlib import Path

import pytest

from scorecard.roster import Roster
from tests.service.maple import ANA, OKAFOR, RIVERA, Maple

QUESTION = "When does the bus leave?"
MOTHER, FATHER, OTHERS = "mother@home.example", "father@work.example", "bo@family.example"


@pytest.fixture
def maple(tmp_path: Path) -> Maple:
    """A connected school that knows two guardians of Emma, and one of another child."""
    file = tmp_path / "roster.csv"
    file.write_text(f"student,guardian_email\nEmma T.,{MOTHER}\nEmma T.,{FATHER}\nMax B.,{OTHERS}\n")
    maple = Maple(roster=Roster.load(file))
    maple.round()
    maple.clock.forward(minutes=15)
    return maple


def told(maple: Maple, *families: str) -> list[int]:
    """How many answers left for each."""
    return [len(maple.answers(family)) for family in families]


def test_parents_who_write_apart_each_get_an_answer(maple: Maple) -> None:
    maple.write(sender=MOTHER)
    maple.write(sender=FATHER)
    maple.rounds(3)
    assert told(maple, MOTHER, FATHER) == [1, 1]


@pytest.mark.parametrize("at_once", [True, False])
def test_parents_who_write_into_one_thread_get_one_answer_between_them(maple: Maple, at_once: bool) -> None:
    first = maple.write(sender=MOTHER)
    if not at_once:
        maple.rounds(2)
    maple.write(sender=FATHER, body=QUESTION, In_Reply_To=f"<{first}>", References=f"<{first}>")
    maple.rounds(2)
    assert told(maple, MOTHER, FATHER) == [1, 0]
    assert [record.guard for record in maple.records() if record.sender == FATHER] == ["family_answered"]


def test_with_an_urgent_message_each_parent_is_told_whom_to_call(maple: Maple) -> None:
    first = maple.write("urgent bus", sender=MOTHER)
    maple.write("urgent bus", sender=FATHER, In_Reply_To=f"<{first}>", References=f"<{first}>")
    maple.rounds(3)
    assert told(maple, MOTHER, FATHER) == [1, 1]


def test_other_families_who_answer_the_same_circular_are_answered_as_always(maple: Maple) -> None:
    for sender in (MOTHER, OTHERS, ANA):
        circular = "<circular@maple.example>"
        maple.write(sender=sender, body=QUESTION, In_Reply_To=circular, References=circular)
    maple.rounds(3)
    assert told(maple, MOTHER, OTHERS, ANA) == [1, 1, 1]


def test_somebody_who_adds_a_plus_to_their_address_is_still_the_same(maple: Maple) -> None:
    maple.write(sender="mother+school@home.example")
    maple.rounds(2)
    maple.write(sender="Mother@home.example")
    maple.rounds(2)
    assert told(maple, "mother+school@home.example", "Mother@home.example") == [1, 0]
    (delivery,) = [mail for mail in maple.deliveries() if mail.kind == "reply"]
    assert delivery.recipient == MOTHER


SUBJECTS = ("routine trip", "conflict grade", "urgent bus", "urgent 2", "urgent wellbeing", "urgent safety")


def test_an_urgent_answer_follows_a_routine_one_and_one_for_a_crisis_both(maple: Maple) -> None:
    for subject in SUBJECTS:
        maple.write(subject)
        maple.rounds(2)
    subjects = [mail["Subject"] for mail in maple.answers()]
    assert subjects == ["Re: routine trip", "Re: urgent bus", "Re: urgent wellbeing"]
    assert sorted(maple.routed()) == ["urgent 2", "urgent bus", "urgent safety", "urgent wellbeing"]


def test_of_several_answers_that_wait_only_the_gravest_leaves(maple: Maple) -> None:
    for subject in SUBJECTS:
        maple.write(subject)
    maple.rounds(3)
    assert [mail["Subject"] for mail in maple.answers()] == ["Re: urgent wellbeing"]
    assert len(maple.routed()) == 4


def test_a_mail_that_also_lies_in_a_colleagues_mailbox_is_answered_from_one(maple: Maple) -> None:
    maple.write(to=(RIVERA, OKAFOR))
    maple.rounds(3)
    assert told(maple, ANA) == [1]
    maple.write("routine other matter", to=(OKAFOR,))
    maple.rounds(3)
    assert len(maple.answers()) == 2, "another teacher's promise is another answer"


def test_what_the_office_forwards_into_a_mailbox_is_answered_no_second_time(maple: Maple) -> None:
    maple.write("urgent bus")
    maple.rounds(2)
    (route,) = maple.to_office()
    maple.system.deliver(route.as_bytes(), OKAFOR)
    maple.rounds(2)
    assert told(maple, ANA) == [1]
    assert len(maple.to_office()) == 1


def test_where_the_teacher_has_answered_no_robot_breaks_in_and_after_two_hours_only_with_an_urgent_note(
    maple: Maple,
) -> None:
    first = maple.write()
    maple.teacher_answers(first)
    maple.rounds(2)
    thread = {"References": f"<{first}> <letter-2@maple.example>", "In_Reply_To": f"<{first}>"}
    maple.write("routine thanks but when", **thread)
    maple.write("urgent bus", **thread)
    maple.rounds(2)
    assert told(maple, ANA) == [0]
    assert maple.routed() == ["urgent bus"]
    maple.write("conflict grade", **thread)
    maple.write("urgent again", **thread)
    maple.rounds(2)
    assert [mail["Subject"] for mail in maple.answers()] == ["Re: urgent again"]
