"""Whoever changes what figures rest on marks it: after any one act the figures that are kept are those that counting
from nothing gives, and the act made a difference."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlmodel import SQLModel, col

from autoresponder.cases import CaseRules
from autoresponder.contacts import ContactKind, ContactTone
from classifier.verdict import Opinion
from connectors.labels import Label, Tag
from connectors.mailbox import Direction
from scorecard.contact_list import ListedContact
from scorecard.incident_list import ListedIncident
from scorecard.keeping import bring_up_to_date
from scorecard.list_import import import_contacts, import_incidents
from scorecard.roster_import import import_lists
from scorecard.roster_matching import match, unmatch
from scorecard.school_lists import SchoolLists
from store.case_life import FamilySays
from store.database import Database
from store.letters import FamilyLetter
from store.pages import Entry, Relabelled
from store.scorecard_tables import (
    CaseStanding,
    FamilyStanding,
    IncidentStanding,
    Mark,
    ScorecardState,
    Tally,
    WeekStanding,
    Withholding,
)
from store.tables import MessageRecord
from tests.scorecard.history import BEGIN, MAILBOXES, History, lists_of
from tests.scorecard.spare import empty_database

LISTS: dict[str, Any] = {
    "cares": [1, 1, 2, 4, 8],  # Ana looks after the first two, Ben, Cleo, and Dan and Eve as one after one each
    "grades": [0, 0, 1, 1, 0],
    "schools": [0] * 5,  # those of their classes
    "classes": [1, 1, 2, 2, 1, 1, 2, 4],
    "days": [2] * 8,
    "owners": [0, 1, 2, 3, 3],
    "gone": 9,
    "terms": 1,
}
ANA, CLEO = 0, 2
FAY = "fay@home.example"
"""Nobody whom the roster knows."""
KEPT = (Tally, FamilyStanding, CaseStanding, IncidentStanding)
LAST_WEEK = 2000
"""So many steps of five minutes ago it was the week before."""


@pytest.fixture
def town() -> Iterator[History]:
    with empty_database() as database:
        history = History(database)
        history.roster(LISTS)
        yield history


def bring(town: History) -> None:
    assert bring_up_to_date(town.database, town.settings, town.calendar, town.now).complete


def figures(town: History) -> dict[str, set[tuple[Any, ...]]]:
    with town.database.read() as connection:
        return {
            table.__name__: set(map(tuple, connection.execute(select(table.__table__))))  # type: ignore[attr-defined]
            for table in KEPT
        }


def forget(town: History, *tables: type[SQLModel]) -> None:
    with town.database.write() as connection:
        for table in tables:
            connection.execute(table.__table__.delete())  # type: ignore[attr-defined]


@contextmanager
def kept_up(town: History) -> Iterator[None]:
    """What happens in the block changes figures, and only what it marks makes them be looked at again."""
    bring(town)
    before = figures(town)
    yield
    bring(town)
    kept = figures(town)
    forget(town, *KEPT, WeekStanding, ScorecardState, Withholding, Mark)
    bring(town)
    assert kept == figures(town), "what was kept is not what counting from nothing gives"
    assert kept != before, "the act made no difference: this proves nothing"


def writes(
    town: History, sender: str, tag: Tag = Tag.ROUTINE, ago: int = 5, thread: int = 1, fingerprint: str | None = None
) -> None:
    """Somebody writes to Ms. Rivera."""
    mail = town.message(
        MAILBOXES[0], Direction.RECEIVED, ago, thread, sender=sender, family=f"family of {sender}", tag=tag
    )
    mail.fingerprint = fingerprint or mail.fingerprint
    part = FamilySays(CaseRules()) if tag is Tag.CONFLICT else None
    town.commit(mail.mailbox, entries=[Entry(mail, part=part)])


def ana_quarrels(town: History, ago: int = 5) -> None:
    writes(town, "ana@home.example", Tag.CONFLICT, ago)


def only(town: History, column: Any) -> Any:
    (found,) = town.ids(column)
    return found


def roster(town: History, **changed: Any) -> None:
    town.roster(LISTS | changed)


def import_(town: History, lists: SchoolLists) -> None:
    import_lists(town.database, lists, digest="0", now=town.now, today=town.today, allow_many=True)


class TestMail:
    def test_mail_of_a_family(self, town: History) -> None:
        with kept_up(town):
            town.family_mail(0, ANA, 0, 0, 5, 1, 0)

    def test_mail_from_an_address_with_a_plus_is_of_whom_the_roster_names_later(self, town: History) -> None:
        town.teacher_mail(0, 1, 0, 9, 2)
        town.family_mail(0, CLEO, 2, 0, 5, 1, 0)
        bring(town)
        with kept_up(town):
            roster(town, owners=[0, 1, 0, 3, 3])

    def test_mail_of_a_teacher(self, town: History) -> None:
        with kept_up(town):
            town.teacher_mail(0, 1, 1, 5, 1)

    def test_an_answer_within_the_norm(self, town: History) -> None:
        town.family_mail(0, ANA, 0, 0, 9, 1, 0)
        with kept_up(town):
            town.teacher_mail(0, 0, 2, 5, 1)

    @pytest.mark.parametrize("tag", [1, 2, 3])
    def test_a_tag_that_the_teacher_corrects(self, town: History, tag: int) -> None:
        town.family_mail(0, ANA, 0, 0, 5, 1, 0)
        with kept_up(town):
            town.correction(0, tag)

    def test_the_copy_of_a_corrected_message_in_another_mailbox(self, town: History) -> None:
        for mailbox in (0, 2):
            town.family_mail(mailbox, ANA, 0, 0, 5, 1, 0)
        with town.database.write() as connection:
            connection.execute(MessageRecord.__table__.update().values(fingerprint="one"))  # type: ignore[attr-defined]
        with kept_up(town):
            town.correction(0, 1)

    def test_good_news_that_the_teacher_labels(self, town: History) -> None:
        town.teacher_mail(0, 1, 0, 5, 1)
        with kept_up(town):
            town.good_news(0, 1)

    def test_good_news_whose_label_the_teacher_takes_away(self, town: History) -> None:
        town.teacher_mail(0, 1, 1, 5, 1)
        with kept_up(town):
            town.good_news(0, 0)

    def test_good_news_of_a_mail_that_nothing_was_said_of(self, town: History) -> None:
        town.teacher_mail(0, 1, 2, 5, 1)
        with kept_up(town):
            town.good_news(0, 1)

    def test_mail_that_is_deleted_still_counts(self, town: History) -> None:
        town.teacher_mail(0, 1, 1, 9, 2)
        town.family_mail(0, ANA, 0, 0, 5, 1, 0)
        bring(town)
        before = figures(town)
        for number in range(2):
            town.gone(number, 0)
        bring(town)
        assert figures(town) == before
        forget(town, *KEPT, WeekStanding, ScorecardState, Withholding, Mark)
        bring(town)
        assert figures(town) == before

    def test_a_record_that_goes_before_its_message_is_read_again(self, town: History) -> None:
        """Its week, its family, and the conversation that the next message opens instead, in another week."""
        town.teacher_mail(0, 1, 0, LAST_WEEK + 9, 2)
        bring(town)
        first = "ana@home.example"
        writes(town, first, ago=LAST_WEEK)
        writes(town, "ben@home.example")
        (number,) = town.ids(MessageRecord.id, col(MessageRecord.sender) == first)
        with kept_up(town):
            town.commit(MAILBOXES[0], replaced=[number])

    def test_a_letter_that_goes_before_it_is_read_again(self, town: History) -> None:
        mail = town.message(MAILBOXES[0], Direction.SENT, 5, 1)
        letter = FamilyLetter(("ana@home.example",), Opinion(0.9, positive=True, model="model"))
        town.commit(mail.mailbox, entries=[Entry(mail, letter=letter)])
        with kept_up(town):
            town.commit(mail.mailbox, replaced=[only(town, MessageRecord.id)])

    def test_a_message_that_is_another_when_it_is_read_again(self, town: History) -> None:
        town.teacher_mail(0, 3, 0, 9, 2)
        writes(town, "ana@home.example", ago=LAST_WEEK)
        (number,) = town.ids(MessageRecord.id, col(MessageRecord.sender) == "ana@home.example")
        again = town.message(MAILBOXES[0], Direction.RECEIVED, 5, 3, sender="ben@home.example", tag=Tag.URGENT)
        with kept_up(town):
            town.commit(MAILBOXES[0], replaced=[number], entries=[Entry(again)])


class TestTheOfficeAndTheOutbox:
    @pytest.mark.parametrize("which", [0, 1], ids=["answered", "routed"])
    def test_a_delivery_that_is_done(self, town: History, which: int) -> None:
        town.family_mail(0, ANA, 0, 1, 5, 1, 0)
        with kept_up(town):
            town.delivery(which)

    @pytest.mark.parametrize("word", [0, 1, 3], ids=["taken", "done", "returned"])
    def test_an_item_that_somebody_takes_up(self, town: History, word: int) -> None:
        town.family_mail(0, ANA, 0, 1, 5, 1, 0)
        with kept_up(town):
            town.item(0, word)


class TestCases:
    def test_a_case_opens(self, town: History) -> None:
        with kept_up(town):
            ana_quarrels(town)

    def test_earlier_mail_of_the_matter_is_found(self, town: History) -> None:
        ana_quarrels(town)
        with kept_up(town):
            ana_quarrels(town, LAST_WEEK)

    def test_an_earlier_copy_of_the_message_that_opened_it_is_found(self, town: History) -> None:
        """What remains to be looked at is the case: the copy is of another day."""
        writes(town, "ana@home.example", Tag.CONFLICT, fingerprint="one")
        with kept_up(town):
            writes(town, "ana@home.example", Tag.CONFLICT, LAST_WEEK, fingerprint="one")

    def test_agreed_and_opened_again_in_the_page(self, town: History) -> None:
        ana_quarrels(town)
        with kept_up(town):
            town.case(0, 0)
        with kept_up(town):
            town.case(0, 2)

    def test_no_conflict_after_all(self, town: History) -> None:
        ana_quarrels(town)
        with kept_up(town):
            town.case(0, 1)

    def test_agreed_and_opened_again_by_the_teachers_label(self, town: History) -> None:
        ana_quarrels(town)
        number = only(town, MessageRecord.id)
        conflict, agreed = frozenset({Label.CONFLICT}), frozenset({Label.PLAN_AGREED})
        with kept_up(town):
            town.commit(MAILBOXES[0], relabelled=[Relabelled(number, conflict | agreed, conflict, marked=agreed)])
        with kept_up(town):
            town.commit(MAILBOXES[0], relabelled=[Relabelled(number, conflict, conflict | agreed)])


class TestContacts:
    contact = ListedContact(
        "one", MAILBOXES[0], "s1", BEGIN.date(), ContactKind.CALL,
        ContactTone.GOOD_NEWS, reached=True, withdrawn=False,
    )  # fmt: skip

    def listed(self, town: History, **changed: Any) -> None:
        import_contacts(town.database, [replace(self.contact, **changed)], now=town.now, zone=town.calendar.zone)

    def test_logged_and_taken_back(self, town: History) -> None:
        with kept_up(town):
            town.contact(0, 0, 0, 0, 1, 1)
        with kept_up(town):
            town.withdrawal(0)

    @pytest.mark.parametrize(
        "changed",
        [{"student": "s3"}, {"tone": ContactTone.CONCERN}, {"mailbox": MAILBOXES[2]}, {"withdrawn": True}],
        ids=["student", "tone", "teacher", "withdrawn"],
    )
    def test_listed_and_listed_otherwise(self, town: History, changed: dict[str, Any]) -> None:
        with kept_up(town):
            self.listed(town)
        with kept_up(town):
            self.listed(town, **changed)


class TestIncidents:
    def listed(self, town: History, **changed: Any) -> None:
        incident = ListedIncident("one", "s1", town.today - timedelta(days=3), "fight", None, withdrawn=False)
        import_incidents(town.database, [replace(incident, **changed)], now=town.now)

    @pytest.mark.parametrize("what", ["baseline", "student", "withdrawn"])
    def test_listed_and_listed_otherwise(self, town: History, what: str) -> None:
        otherwise = {"baseline": {"baseline_day": town.today}, "student": {"student": "s3"}}
        with kept_up(town):
            self.listed(town)
        with kept_up(town):
            self.listed(town, **otherwise.get(what, {"withdrawn": True}))


class TestTheRoster:
    def test_the_first_one(self) -> None:
        with empty_database() as database:
            town = History(database)
            town.teacher_mail(0, 3, 1, 9, 2)
            with kept_up(town):
                roster(town, terms=0)

    @pytest.mark.parametrize(
        "changed",
        [
            {"gone": 4},
            {"grades": [1, 0, 1, 1, 0]},
            {"classes": [2, 1, 2, 2, 1, 1, 2, 4]},
            {"classes": [1, 1, 2, 2, 1, 1, 3, 4]},
            {"classes": [1, 1, 2, 2, 1, 0, 2, 4]},
            {"days": [2, 2, 2, 0, 2, 2, 2, 2]},
            {"cares": [3, 1, 2, 4, 8]},
            {"owners": [0, 1, 2, 3, 1]},
            {"terms": 2},
        ],
        ids=[
            "left", "another grade", "another class", "a teacher of one more class", "a teacher leaves a class",
            "other days in a class", "families become one", "an address of another guardian", "a term on other days",
        ],
    )  # fmt: skip
    def test_a_change(self, town: History, changed: dict[str, Any]) -> None:
        """Everybody was written to and has written, and there are a case and an incident each."""
        town.teacher_mail(0, 31, 1, 9, 2)
        for number, address in enumerate(("ana", "ben", "cleo", "dan", "eve")):
            writes(town, f"{address}@home.example", Tag.CONFLICT, thread=number + 3)
            town.incident(number, 1, 19)
        with kept_up(town):
            roster(town, **changed)

    def test_a_student_comes(self, town: History) -> None:
        roster(town, gone=4)
        with kept_up(town):
            roster(town)

    def test_a_guardian_comes(self, town: History) -> None:
        town.teacher_mail(0, 4, 1, 9, 2)
        with kept_up(town):
            roster(town, cares=[1, 1, 2, 4, 12])

    def test_an_address_that_nobody_had(self, town: History) -> None:
        town.teacher_mail(0, 1, 1, 9, 2)
        writes(town, FAY)
        lists = lists_of(LISTS)
        people = [replace(each, addresses=(*each.addresses, FAY)) if each.id == "g1" else each for each in lists.people]
        with kept_up(town):
            import_(town, replace(lists, people=people))

    def test_a_class_at_another_school(self, town: History) -> None:
        lists = lists_of(LISTS)
        classes = [replace(each, school="south") for each in lists.classes]
        with kept_up(town):
            import_(town, replace(lists, classes=classes))

    def test_an_address_that_was_somebodys_for_no_whole_day(self, town: History) -> None:
        writes(town, "cleo@home.example", Tag.CONFLICT)
        roster(town, owners=[0, 1, 0, 3, 3])
        lists = lists_of(LISTS)
        people = [replace(each, addresses=()) if each.id == "g3" else each for each in lists.people]
        with kept_up(town):
            import_(town, replace(lists, people=people))

    def test_a_guardian_of_a_student_for_no_whole_day(self, town: History) -> None:
        writes(town, "cleo@home.example", Tag.CONFLICT)
        roster(town, cares=[1, 1, 2, 0, 8])
        roster(town, cares=[5, 1, 2, 0, 8])
        with kept_up(town):
            roster(town, cares=[1, 1, 2, 0, 8])

    def test_a_family_for_no_whole_day(self, town: History) -> None:
        roster(town, cares=[1, 0, 2, 4, 8])
        with kept_up(town):
            roster(town)

    def test_an_address_that_the_school_matches_and_takes_back(self) -> None:
        town = History(Database.in_memory())  # what it says in the audit log cannot be taken away again
        roster(town)
        town.teacher_mail(0, 1, 0, 9, 2)
        writes(town, FAY, Tag.CONFLICT)
        with kept_up(town):
            match(town.database, FAY, "s1", now=town.now, today=town.today, by=None)
        with kept_up(town):
            unmatch(town.database, FAY, now=town.now, by=None)
        town.database.close()
