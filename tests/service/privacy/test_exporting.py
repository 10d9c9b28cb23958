"""A copy of a family's records: everything of theirs, nothing of others, readable by people and machines."""

import json
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from sqlalchemy import insert

from scorecard.roster import Roster
from service.privacy.copies import Copy
from service.privacy.data_map import DATA_MAP
from service.privacy.exporting import EXPORTED, copy_for
from store import audit
from store.database import Database
from store.roster_tables import RosterAddress, RosterCare, RosterPerson
from tests.service.maple import ANA, BO, OKAFOR, RIVERA, Maple
from tests.service.roster_of_maple import LEO, MAYA, fill_roster

FATHER = "father@family.example"


@pytest.fixture(scope="module")
def maple() -> Iterator[Maple]:
    database = Database.in_memory()
    fill_roster(database)
    with database.write() as connection:
        father = RosterPerson(id="g-father", kinds="guardian", given_name="Max", family_name="<b>Lopez</b>")
        connection.execute(insert(RosterPerson).values(father.model_dump()))
        connection.execute(insert(RosterAddress).values(address=FATHER, person="g-father"))
        for student in (MAYA.id, LEO.id):
            connection.execute(insert(RosterCare).values(student=student, guardian="g-father"))
    maple = Maple(database=database, settings={"keep_subjects": True})
    maple.roster = Roster.of(database)
    maple.round()
    maple.clock.forward(minutes=5)
    maple.write("routine from the mother", sender=ANA)
    maple.write("urgent from the mother", sender=ANA, to=(OKAFOR,))
    maple.write("conflict from the father", sender=FATHER)
    maple.write("routine from a stranger", sender=BO)
    maple.teacher_writes("Well done, both!", ANA, BO)
    maple.rounds(6, minutes=2)
    yield maple
    database.close()


def copied(maple: Maple, who: str, *, whole_family: bool = False) -> Copy:
    return copy_for(maple.database, maple.settings, who, maple.clock(), whole_family=whole_family)


def test_an_address_stands_for_that_guardian_and_the_students(maple: Maple) -> None:
    text = copied(maple, ANA).as_json()
    for theirs in (ANA, MAYA.id, LEO.id, "routine from the mother", "urgent from the mother", "class-rivera", "Maya"):
        assert theirs in text
    for others in (FATHER, "g-father", "father", BO, "stranger", "Brandt"):
        assert others not in text


def test_the_whole_family_is_both_and_nobody_else(maple: Maple) -> None:
    text = copied(maple, ANA, whole_family=True).as_json()
    assert text == copied(maple, "f-s-maya").as_json()
    assert FATHER in text
    assert "conflict from the father" in text
    assert BO not in text
    assert "stranger" not in text


def test_every_kind_of_record_is_in_it_that_the_map_says_is_handed_out(maple: Maple) -> None:
    source = (Path(__file__).parents[3] / "service/privacy/records.py").read_text(encoding="utf-8")
    models = {held.table: "".join(part.title() for part in held.table.split("_")) for held in DATA_MAP if held.exported}
    names = {"message": "MessageRecord", "scorecard_family": "FamilyStanding"}
    read = {table for table, model in models.items() if source.count(names.get(table, model)) > 1}
    assert read == models.keys()
    assert {"Letters from the family", "What was done about them", "Matters at the office", "Hard conversations"} <= {
        section.title for section in copied(maple, "f-s-maya").sections
    }


def test_the_page_is_sound_html_and_runs_nothing(maple: Maple) -> None:
    class Strict(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.open: list[str] = []

        def handle_starttag(self, tag: str, attrs: object) -> None:
            if tag != "meta":
                self.open.append(tag)

        def handle_endtag(self, tag: str) -> None:
            assert self.open.pop() == tag

    page = copied(maple, "f-s-maya").as_html()
    strict = Strict()
    strict.feed(page)
    assert strict.open == []
    assert "<script" not in page
    assert "<b>Lopez" not in page
    assert "&lt;b&gt;Lopez" in page


def test_letters_are_named_by_mailbox(maple: Maple) -> None:
    copy = copied(maple, ANA)
    assert {mailbox for mailbox, _ in copy.letters} == {RIVERA, OKAFOR}
    sections = {each["title"]: each["rows"] for each in json.loads(copy.as_json())["sections"]}
    assert {row["tag"] for row in sections["Letters from the family"]} == {"routine", "urgent"}
    assert len(sections["Letters to the family"]) == 1


def test_making_a_copy_is_on_record_without_a_name(maple: Maple) -> None:
    copied(maple, ANA)
    newest = list(audit.entries(maple.database))[-1]
    assert newest.act == EXPORTED
    assert ANA not in newest.about
    assert audit.check(maple.database).broken_at is None
