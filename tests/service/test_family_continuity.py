"""What is on record of a family stays that family's, whatever the roster learns while a case is open."""

from pathlib import Path

import pytest
from sqlalchemy import select, update
from sqlmodel import col

from autoresponder.family import family_key, key_by_names
from scorecard.roster import Roster
from scorecard.roster_import import import_lists
from scorecard.roster_matching import NoMatch, match, unknown_senders, unmatch
from scorecard.school_lists import Care, Listed, Person, PersonKind, SchoolLists
from service.roster_keeping import RosterKeeper
from store.audit import entries
from store.case_tables import ConflictCase, TeacherLetter
from store.pages import Pages
from store.tables import Item, MessageRecord
from tests.service.cases_of_maple import cases, conflict, maple_with_coach
from tests.service.maple import ANA, BO, Maple

MIA, NOA = "Mia Lopez", "Noa Levi"


@pytest.fixture
def maple() -> Maple:
    maple = maple_with_coach()
    maple.roster = Roster.of(maple.database)
    return maple


def bring(maple: Maple, *homes: tuple[str, str, tuple[str, ...]]) -> None:
    """Imports a roster of students with the addresses of their guardians: identifier, name, addresses."""
    people: dict[str, Person] = {}
    cares = []
    for student, name, addresses in homes:
        people[student] = Person(student, frozenset({PersonKind.STUDENT}), name, "")
        for address in addresses:
            people[address] = Person(f"of {address}", frozenset({PersonKind.GUARDIAN}), "", "", (address,))
            cares.append(Care(student, f"of {address}"))
    lists = SchoolLists(complete=frozenset(Listed), people=list(people.values()), cares=cares)
    now = maple.clock()
    import_lists(maple.database, lists, digest="0", now=now, today=now.date(), allow_many=True)
    maple.roster.refresh()


def as_known_by_names(maple: Maple, names: dict[str, str]) -> None:
    """What an older version wrote: the families' keys were digests of the children's names, by sender."""
    key = Pages(maple.database).fingerprint_key()
    with maple.database.write() as connection:
        for sender, name in names.items():
            now, old = family_key(None, sender, key), key_by_names([name], key)
            for table in (MessageRecord, ConflictCase, Item, TeacherLetter):
                connection.execute(update(table).where(col(table.family) == now).values(family=old))


def keys(maple: Maple, table: type = MessageRecord) -> list[str]:
    with maple.database.read() as connection:
        families = select(table.family).where(table.family.is_not(None)).order_by(table.id)  # type: ignore[attr-defined]
        return list(connection.execute(families).scalars())


def test_an_open_case_of_the_time_when_families_were_known_by_names_takes_the_next_message(maple: Maple) -> None:
    conflict(maple)
    maple.write("urgent health")
    maple.round()
    as_known_by_names(maple, {ANA: MIA})
    bring(maple, ("s1", MIA, (ANA, BO)))
    maple.write("conflict once more", BO)
    maple.write("urgent health again", BO)
    maple.round()
    (view,) = cases(maple)
    assert view.senders == (ANA, BO)
    assert len(keys(maple, Item)) == 1
    assert len({*keys(maple), *keys(maple, ConflictCase), *keys(maple, Item)}) == 1


def test_families_whose_children_had_one_name_are_told_apart_by_who_wrote(maple: Maple) -> None:
    conflict(maple)
    maple.write("routine question", BO)
    maple.round()
    as_known_by_names(maple, {ANA: MIA, BO: MIA})
    assert len(set(keys(maple))) == 1
    bring(maple, ("s1", MIA, (ANA,)), ("s2", MIA, (BO,)))
    of_ana, of_bo = keys(maple)
    assert of_ana != of_bo
    assert keys(maple, ConflictCase) == [of_ana]
    maple.write("conflict grades", BO)
    maple.round()
    assert [view.senders for view in cases(maple)] == [(ANA,), (BO,)]


def test_a_roster_that_comes_while_a_case_is_open_finds_it(maple: Maple) -> None:
    conflict(maple)
    maple.round()
    bring(maple, ("s1", MIA, (ANA, BO)))
    maple.write("conflict once more", BO)
    maple.round()
    (view,) = cases(maple)
    assert view.senders == (ANA, BO)


def test_families_that_become_one_have_one_history(maple: Maple) -> None:
    bring(maple, ("s1", MIA, (ANA,)), ("s2", NOA, (BO,)))
    conflict(maple)
    maple.write("conflict grades", BO)
    maple.round()
    assert len(set(keys(maple, ConflictCase))) == 2
    bring(maple, ("s1", MIA, (ANA, BO)), ("s2", NOA, (ANA, BO)))
    assert len(set(keys(maple, ConflictCase))) == len(set(keys(maple))) == 1


def test_a_child_that_gets_another_name_has_the_family_that_it_had(maple: Maple) -> None:
    bring(maple, ("s1", MIA, (ANA, BO)))
    conflict(maple)
    maple.round()
    bring(maple, ("s1", "Mia Okafor", (ANA, BO)))
    maple.write("conflict once more", BO)
    maple.round()
    assert [view.senders for view in cases(maple)] == [(ANA, BO)]


def test_who_has_left_goes_on_in_the_case_that_is_open(maple: Maple) -> None:
    bring(maple, ("s1", MIA, (ANA, BO)), ("s2", NOA, ("cy@family.example",)))
    conflict(maple)
    maple.round()
    bring(maple, ("s2", NOA, ("cy@family.example",)))
    assert maple.roster.students_of(ANA) == ()
    maple.write("conflict once more", BO)
    maple.round()
    assert [view.senders for view in cases(maple)] == [(ANA, BO)]


def test_a_guardian_of_two_families_takes_nothing_from_either(maple: Maple) -> None:
    both = (("s1", MIA, (ANA, "cy@family.example")), ("s2", NOA, (ANA, BO)))
    bring(maple, *both)
    conflict(maple, BO)
    before = keys(maple), keys(maple, ConflictCase)
    bring(maple, *both, ("s3", "Lea Roy", ("di@family.example",)))
    assert (keys(maple), keys(maple, ConflictCase)) == before


def test_a_family_that_has_left_keeps_its_case_where_one_of_the_guardians_has_another(maple: Maple) -> None:
    bring(maple, ("s1", MIA, (ANA, BO)), ("s2", NOA, (BO,)))
    conflict(maple)
    bring(maple, ("s2", NOA, (BO,)))
    maple.write("conflict once more", ANA)
    maple.round()
    assert [view.senders for view in cases(maple)] == [(ANA,)]


def test_an_address_that_somebody_else_gets_takes_nothing_along(maple: Maple) -> None:
    bring(maple, ("s1", MIA, (ANA,)), ("s2", NOA, (BO,)))
    conflict(maple)
    maple.round()
    bring(maple, ("s1", MIA, ("new@family.example",)), ("s2", NOA, (ANA, BO)))
    before = keys(maple)
    maple.write("conflict grades", ANA)
    maple.round()
    assert keys(maple)[: len(before)] == before
    assert len(cases(maple)) == 2
    assert maple.roster.students_of(ANA) == (NOA,)


def test_a_page_that_was_planned_before_an_import_is_filed_again_after_it(maple: Maple) -> None:
    def import_in_between(step: str, _number: int) -> None:
        if step == "page planned":
            now = maple.clock()
            lists = SchoolLists(
                complete=frozenset(Listed),
                people=[
                    Person("s1", frozenset({PersonKind.STUDENT}), MIA, ""),
                    Person("g1", frozenset({PersonKind.GUARDIAN}), "", "", (ANA, BO)),
                ],
                cares=[Care("s1", "g1")],
            )
            import_lists(maple.database, lists, digest="0", now=now, today=now.date())

    maple.write("conflict grades")
    maple.sweep(on_step=import_in_between)
    old = keys(maple)
    keeper = RosterKeeper(maple.settings, maple.database, maple.clock, maple.roster)
    for _ in range(2):
        keeper.look()
    assert keys(maple) != old
    maple.write("conflict once more", BO)
    maple.round()
    assert [view.senders for view in cases(maple)] == [(ANA, BO)]


class TestMatching:
    """What the school says of senders whom no list names."""

    def test_a_sender_whom_no_list_names_is_listed_and_never_guessed(self, maple: Maple) -> None:
        bring(maple, ("s1", MIA, (BO,)))
        maple.write("routine question", "Ana+school@family.example")
        maple.write("routine question", ANA)
        maple.write("routine question", BO)
        maple.write("routine question", "robot@family.example", Auto_Submitted="auto-generated")
        maple.round()
        found = unknown_senders(maple.database, maple.clock().replace(year=2025))
        assert [(each.address, each.messages) for each in found] == [(ANA, 2)]
        assert maple.roster.students_of(ANA) == ()

    @pytest.mark.parametrize("identifier", ["s1", f"of {BO}"])
    def test_a_match_makes_the_sender_one_of_the_family_also_in_what_is_open(
        self, maple: Maple, identifier: str
    ) -> None:
        bring(maple, ("s1", MIA, (BO,)))
        conflict(maple)
        maple.round()
        now = maple.clock()
        match(maple.database, ANA, identifier, now=now, today=now.date(), by=None)
        maple.roster.refresh()
        assert maple.roster.students_of(ANA) == (MIA,)
        assert maple.roster.family_of(ANA) == maple.roster.family_of(BO)
        maple.write("conflict once more", BO)
        maple.round()
        assert [view.senders for view in cases(maple)] == [(ANA, BO)]
        assert [entry.act for entry in entries(maple.database)] == ["matched an address"]
        assert unknown_senders(maple.database, now.replace(year=2025)) == []

    def test_a_match_survives_imports_and_makes_no_other_family(self, maple: Maple) -> None:
        bring(maple, ("s1", MIA, (BO,)), ("s2", NOA, (BO,)))
        now = maple.clock()
        match(maple.database, ANA, "s1", now=now, today=now.date(), by=None)
        bring(maple, ("s1", MIA, (BO,)), ("s2", NOA, (BO,)), ("s3", "Lea Roy", ("cy@family.example",)))
        assert maple.roster.students_of(ANA) == (MIA,)
        assert maple.roster.family_of(ANA) == maple.roster.family_of(BO)

    def test_a_match_that_is_taken_back_leaves_nothing_behind(self, maple: Maple) -> None:
        bring(maple, ("s1", MIA, (BO,)))
        conflict(maple)
        maple.round()
        before = keys(maple), keys(maple, ConflictCase)
        now = maple.clock()
        match(maple.database, ANA, "s1", now=now, today=now.date(), by=None)
        assert (keys(maple), keys(maple, ConflictCase)) != before
        unmatch(maple.database, ANA, now=now, by=None)
        maple.roster.refresh()
        assert (keys(maple), keys(maple, ConflictCase)) == before
        assert maple.roster.students_of(ANA) == ()
        assert [each.address for each in unknown_senders(maple.database, now.replace(year=2025))] == [ANA]

    def test_what_cannot_be_matched_says_why(self, maple: Maple) -> None:
        bring(maple, ("s1", MIA, (BO,)))
        now = maple.clock()
        for address, identifier, said in (
            (ANA, "s9", "Nobody on the roster now has the identifier s9"),
            (BO, "s1", "is on the roster already"),
        ):
            with pytest.raises(NoMatch, match=said):
                match(maple.database, address, identifier, now=now, today=now.date(), by=None)
        match(maple.database, ANA, "s1", now=now, today=now.date(), by=None)
        with pytest.raises(NoMatch, match="matched with s1 already"):
            match(maple.database, ANA, "s1", now=now, today=now.date(), by=None)
        with pytest.raises(NoMatch, match="with nobody"):
            unmatch(maple.database, BO, now=now, by=None)


class TestTheFileThatTheSettingsName:
    """It comes into the database whenever it has changed, and a broken one does no harm."""

    @pytest.fixture
    def keeper(self, maple: Maple, tmp_path: Path) -> RosterKeeper:
        school = maple.settings.school.model_copy(update={"roster": tmp_path / "roster.csv"})
        settings = maple.settings.model_copy(update={"school": school})
        return RosterKeeper(settings, maple.database, maple.clock, maple.roster)

    def test_it_is_brought_in_at_the_start_and_again_when_it_has_changed(
        self, maple: Maple, keeper: RosterKeeper, tmp_path: Path
    ) -> None:
        file = tmp_path / "roster.csv"
        file.write_text(f"student,guardian_email\n{MIA},{ANA}\n")
        assert keeper.begin().students_of(ANA) == (MIA,)
        file.write_text(f"student,guardian_email,grade\n{MIA},{ANA},05\n{NOA},{BO},05\n")
        keeper.look()
        assert maple.roster.students_of(BO) == (NOA,)

    def test_a_broken_one_keeps_the_last_good_roster(self, maple: Maple, keeper: RosterKeeper, tmp_path: Path) -> None:
        file = tmp_path / "roster.csv"
        file.write_text(f"student,guardian_email\n{MIA},{ANA}\n")
        keeper.begin()
        for broken in ("name,email\n", "", 'student,guardian_email\n"open'):
            file.write_text(broken)
            keeper.look()
            assert maple.roster.students_of(ANA) == (MIA,)
        file.unlink()
        keeper.look()
        assert maple.roster.students_of(ANA) == (MIA,)
        file.write_text(f"student,guardian_email\n{NOA},{ANA}\n")
        keeper.look()
        assert maple.roster.students_of(ANA) == (NOA,)

    def test_one_that_was_cut_short_keeps_the_roster(self, maple: Maple, keeper: RosterKeeper, tmp_path: Path) -> None:
        file = tmp_path / "roster.csv"
        rows = [f"Child {number},g{number}@home.example" for number in range(60)]
        file.write_text("\n".join(["student,guardian_email", *rows]))
        keeper.begin()
        file.write_text("\n".join(["student,guardian_email", *rows[:9]]))
        keeper.look()
        assert maple.roster.students_of("g50@home.example") == ("Child 50",)
