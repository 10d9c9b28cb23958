"""Who is meant by a name: exactly one family, or nobody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresponder.contact_lines import ContactLine, lines_of
from autoresponder.naming import ByName, Nobody, Spoken, Student, meant, spoken
from tests.autoresponder.test_contact_lines import WEDNESDAY

ANA = Student("ana", "Ana Mar\u00eda", "L\u00f3pez Garc\u00eda", "f-lopez", (("Rosa", "L\u00f3pez"),))
LEO = Student("leo", "Leo", "L\u00f3pez Garc\u00eda", "f-lopez", (("Rosa", "L\u00f3pez"),))
BO = Student("bo", "Bo", "Brandt", "f-brandt", (("Kim", "Brandt"), ("Jan", "West")))
NICO = Student("nico", "Nico", "Diaz", "f-diaz-1", (("Luz", "Diaz"),))
NORA = Student("nora", "Nora", "D\u00edaz", "f-diaz-2", (("Eva", "D\u00edaz"),))
SEAN = Student("sean", "Sean", "O'Brien-Smith", "f-obrien")
XIAO = Student("xiao", "\u5c0f\u660e", "\u738b", "f-wang")
WHOLE = Student("whole", "Theo van Dyck", "", "f-dyck")
ALL = (ANA, LEO, BO, NICO, NORA, SEAN, XIAO, WHOLE)


def who(part: str, *, with_family: bool = False) -> str:
    """The id of the student that a line names, or why there is none."""
    (line,) = lines_of(f"called {part}", WEDNESDAY)
    assert isinstance(line, ContactLine)
    found = meant(line.name, ALL, with_family=with_family)
    return str(found) if isinstance(found, Nobody) else found.id


@pytest.mark.parametrize(
    ("part", "id_"),
    [
        ("Ana", "ana"),
        ("ana lopez", "ana"),
        ("Ana Mar\u00eda L\u00f3pez Garc\u00eda", "ana"),
        ("Lopez Ana", "ana"),
        ("the family of Ana", "ana"),
        ("Leo's mother", "leo"),
        ("the Lopez family", "ana"),
        ("the Lopez Garcia family", "ana"),
        ("Mrs. Lopez", "ana"),
        ("Rosa Lopez", "ana"),
        ("la familia L\u00f3pez", "ana"),
        ("Bo's parents", "bo"),
        ("Mr. West", "bo"),
        ("Jan West", "bo"),
        ("the Brandts family", "nobody"),
        ("the Diaz family", "several"),
        ("Nico Diaz", "nico"),
        ("the family of Nora D\u00edaz", "nora"),
        ("Sean O\u2019Brien-Smith", "sean"),
        ("the O'Brien Smith family", "sean"),
        ("the O'Brien family", "sean"),
        ("\u738b\u5c0f\u660e", "xiao"),
        ("the van Dyck family", "whole"),
        ("Theo", "whole"),
        ("Theo van Dyck's mother", "whole"),
        ("Mrs. van Dyck", "whole"),
        ("Zoe", "nobody"),
        ("A. Lopez", "nobody"),
        ("Mrs. Ana", "nobody"),
        ("Ana Brandt", "nobody"),
        ("the family of \u2026", "nobody"),
    ],
)
def test_a_name_means_one_family_or_nobody(part: str, id_: str) -> None:
    assert who(part) == id_


def test_a_whole_name_is_of_that_student_though_another_s_begins_so() -> None:
    short, long = Student("1", "Ana", "Diaz", "f-1"), Student("2", "Ana Maria", "Diaz Vega", "f-2")
    assert meant(spoken("ana diaz"), (short, long)) == short
    assert meant(spoken("ana"), (short, long)) is Nobody.SEVERAL


def test_a_student_and_somebody_else_s_guardian_of_one_name_are_several() -> None:
    child = Student("1", "Ana", "Diaz", "f-1")
    parent = Student("2", "Bo", "Brandt", "f-2", (("Ana", "Diaz"),))
    assert meant(spoken("ana diaz"), (child, parent)) is Nobody.SEVERAL
    assert meant(spoken("ana diaz \u02bcs mother"), (child, parent)) == child


def test_who_was_spoken_with_at_school_is_not_taken_for_the_family() -> None:
    assert who("Bo", with_family=True) == "unclear"
    assert who("Bo's mother", with_family=True) == "bo"
    assert who("Jan West", with_family=True) == "bo"
    assert who("Mr. West", with_family=True) == "bo"


def test_nobody_is_meant_where_nobody_is_known() -> None:
    assert meant(Spoken(("ana",)), ()) is Nobody.UNKNOWN


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Bo Brandt", "bo"),
        ("brandt, bo", "bo"),
        ("Nora Diaz", "nora"),
        ("Theo van Dyck", "whole"),
        ("Bo", "nobody"),
        ("Brandt Bo", "nobody"),
        ("", "nobody"),
        (",", "nobody"),
    ],
)
def test_a_list_has_to_give_the_whole_name(name: str, found: str) -> None:
    said = ByName(ALL).called(name)
    assert (said if isinstance(said, Nobody) else said.id) == found


@given(
    st.lists(st.sampled_from(("ana", "leo", "bo", "diaz", "lopez", "brandt", "family", "mother", "of", "the", "mrs")))
)
def test_whoever_is_meant_no_second_family_fits_as_well(words: list[str]) -> None:
    name = spoken(" ".join(words))
    found = meant(name, ALL)
    if isinstance(found, Student):
        others = [each for each in ALL if each.family != found.family]
        assert meant(name, others) is Nobody.UNKNOWN or name.words == tuple(found.name.casefold().split())
