"""The simple list of a small school, with all that it may say."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scorecard.list_files import digest_of, read_lists
from scorecard.school_lists import Care, Listed, PersonKind, SchoolLists

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
ALL = "student_id,student,grade,school,teacher,guardian,guardian_email,language\n"


def read(folder: Path, text: str) -> SchoolLists:
    (folder / "roster.csv").write_text(text)
    return read_lists(folder / "roster.csv")


def named(lists: SchoolLists) -> dict[str, str]:
    """Identifiers by the name, or by the first address of who has none."""
    return {person.name or person.addresses[0]: person.id for person in lists.people}


def test_the_example_says_grades_schools_classes_and_who_looks_after_whom() -> None:
    lists = read_lists(EXAMPLES / "roster-with-classes.csv")
    assert lists.rejected == []
    assert lists.complete == frozenset(Listed)
    ids = named(lists)
    people = {person.id: person for person in lists.people}
    assert people["1001"].grades == ("05",)
    assert people["1001"].schools == (lists.schools[0].id,)
    marisol = people[ids["Marisol Flores"]]
    assert marisol.addresses == ("m.flores@home.example", "marisol@work.example")
    assert marisol.language == "es"
    diego = ids["Diego Flores"]
    assert set(lists.cares) == {
        *(Care(student, guardian) for student in ("1001", "1002") for guardian in (marisol.id, diego)),
        Care("1003", ids["tran.family@home.example"]),
    }
    okafor = ids["okafor@maple.example"]
    assert people[okafor].kinds == frozenset({PersonKind.TEACHER})
    (his,) = {place.school_class for place in lists.memberships if place.person == okafor}
    assert {place.person for place in lists.memberships if place.school_class == his} == {okafor, "1001", "1002"}
    assert people["1004"].kinds == frozenset({PersonKind.STUDENT})


def test_the_sample_of_oneroster_is_read_without_a_complaint() -> None:
    lists = read_lists(EXAMPLES / "oneroster")
    assert lists.rejected == []
    assert (len(lists.people), len(lists.cares), len(lists.memberships), len(lists.terms)) == (7, 5, 3, 3)


def test_two_children_of_one_name_are_told_apart_by_their_identifiers(tmp_path: Path) -> None:
    lists = read(tmp_path, f"{ALL}1,Mia Lopez,05,,,,a@home.example,\n2,Mia Lopez,05,,,,b@home.example,\n")
    assert len([person for person in lists.people if PersonKind.STUDENT in person.kinds]) == 2


def test_rows_that_cannot_be_of_one_child_are_left_out_and_not_guessed(tmp_path: Path) -> None:
    lists = read(tmp_path, "student,grade,guardian_email\nMia Lopez,05,a@home.example\nmia lopez,06,b@home.example\n")
    assert [(each.line, each.column) for each in lists.rejected] == [(3, "grade")]
    assert "student_ids" in lists.rejected[0].reason
    assert len(lists.cares) == 1


def test_an_address_that_joins_two_guardians_makes_them_one(tmp_path: Path) -> None:
    rows = "A,a@home.example,\nB,b@home.example,es\nC,b@home.example;a+x@HOME.example,\n"
    lists = read(tmp_path, f"student,guardian_email,language\n{rows}")
    (guardian,) = {care.guardian for care in lists.cares}
    assert len(lists.cares) == 3
    (person,) = [person for person in lists.people if person.id == guardian]
    assert (set(person.addresses), person.language) == ({"a@home.example", "b@home.example"}, "es")


def test_a_teacher_whose_own_child_goes_to_the_school_is_one_person(tmp_path: Path) -> None:
    lists = read(
        tmp_path,
        "student,teacher,guardian_email\nA,rivera@maple.example,rivera@maple.example\nB,rivera@maple.example,b@x.example\n",
    )
    (rivera,) = [person for person in lists.people if "rivera@maple.example" in person.addresses]
    assert rivera.kinds == frozenset({PersonKind.TEACHER, PersonKind.GUARDIAN})


def test_identifiers_are_the_same_in_every_export_and_say_no_name(tmp_path: Path) -> None:
    text = "student,guardian_email\nMia Lopez,mia.lopez@home.example\n"
    once, twice = read(tmp_path, text), read(tmp_path, text + "Noa Levi,noa@home.example\n")
    assert [person.id for person in once.people] == [person.id for person in twice.people][:2]
    assert not any("lopez" in person.id.lower() for person in once.people)


def test_a_list_that_has_changed_has_another_checksum(tmp_path: Path) -> None:
    file = tmp_path / "roster.csv"
    file.write_text("student,guardian_email\n")
    before = digest_of(file)
    assert before == digest_of(file)
    file.write_text("student,guardian_email\nA,a@home.example\n")
    assert before != digest_of(file) != digest_of(tmp_path)


_CELL = st.text(st.characters(codec="utf-8", exclude_characters='"\r\n'), max_size=12)


@settings(max_examples=40)
@given(st.lists(st.tuples(_CELL, _CELL, _CELL, _CELL, _CELL), max_size=6))
def test_whatever_stands_in_the_cells_every_care_is_of_somebody_on_the_list(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, ...]]
) -> None:
    rows = "".join(",".join(f'"{cell}"' for cell in row) + "\n" for row in cells)
    lists = read(tmp_path_factory.getbasetemp(), f"student_id,student,teacher,guardian_email,grade\n{rows}")
    there = {person.id for person in lists.people}
    assert all({care.student, care.guardian} <= there for care in lists.cares)
    assert all(place.person in there for place in lists.memberships)
    assert all(letter >= " " for person in lists.people for letter in person.id + person.name)
