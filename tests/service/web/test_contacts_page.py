"""The page of contacts: a teacher notes one for a family of their own, and takes it back; nobody else sees it."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from sqlmodel import col

from autoresponder.contacts import ContactKind, ContactTone
from store import audit
from store.contact_tables import Contact, ContactSource
from store.contacts import Contacts
from store.roster_tables import RosterMembership, RosterPerson
from store.scorecard_tables import Mark, MarkKind
from tests.service.roster_of_maple import MAYA, MINA, NICO, Pupil, fill_roster
from tests.service.web.office_pages import LEE, OKAFOR, REED, RIVERA, OfficePages, office_pages
from tests.service.web.school_pages import Browser, form_at
from tests.service.web.test_cases_page import said

FILLED = {"student": MAYA.id, "kind": "call", "tone": "good news", "day": "2026-03-03"}


@pytest.fixture
def pages() -> Iterator[OfficePages]:
    with office_pages() as made:
        fill_roster(made.database)
        yield made


def notes(browser: Browser, **changes: str) -> Any:
    return browser.send("/contacts", "/contacts", **{**FILLED, **changes})


def contacts(pages: OfficePages) -> list[Contact]:
    return Contacts(pages.database).listing()


def test_a_contact_is_noted_with_what_was_chosen_and_stands_in_the_list(pages: OfficePages) -> None:
    browser = pages.signed_in(RIVERA)
    answer = notes(browser)
    assert (answer.status_code, answer.headers["location"]) == (303, "/contacts?noted=1")
    (contact,) = contacts(pages)
    assert (contact.student, contact.mailbox, contact.logged_by) == (MAYA.id, RIVERA, RIVERA)
    assert (contact.kind, contact.tone, contact.reached) == (ContactKind.CALL, ContactTone.GOOD_NEWS, True)
    assert contact.source is ContactSource.PAGE
    text = said(browser.get("/contacts?noted=1"))
    assert "Noted." in text
    assert "Family of Maya Lopez" in text
    assert "call, good news · Tuesday, March 3" in text


def test_the_form_begins_with_a_call_of_today_and_never_with_what_it_was_about(pages: OfficePages) -> None:
    text = pages.signed_in(RIVERA).get("/contacts").text
    assert 'value="call" required checked' in text
    assert 'value="good news" required>' in text
    assert 'value="2026-03-03"' in text


@pytest.mark.parametrize(
    ("kind", "answered", "recorded", "reached"),
    [
        ("call", "", ContactKind.CALL, True),
        ("left a message", "", ContactKind.CALL, False),
        ("left a message", "yes", ContactKind.CALL, False),
        ("meeting", "", ContactKind.MEETING, True),
        ("text", "", ContactKind.TEXT, False),
        ("text", "yes", ContactKind.TEXT, True),
        ("note", "", ContactKind.NOTE, False),
    ],
)
def test_a_family_counts_as_reached_only_where_it_was(
    pages: OfficePages, kind: str, answered: str, recorded: ContactKind, reached: bool
) -> None:
    notes(pages.signed_in(RIVERA), kind=kind, answered=answered)
    assert [(each.kind, each.reached) for each in contacts(pages)] == [(recorded, reached)]


def test_only_the_teacher_s_own_students_can_be_chosen(pages: OfficePages) -> None:
    browser = pages.signed_in(RIVERA)
    text = browser.get("/contacts").text
    assert "Lopez, Maya" in text
    assert "Cho, Mina" not in text
    assert notes(browser, student=MINA.id).status_code == 404
    assert notes(browser, student="nobody").status_code == 404
    assert contacts(pages) == []


def test_a_form_that_is_sent_twice_is_one_contact(pages: OfficePages) -> None:
    browser = pages.signed_in(RIVERA)
    form = form_at(browser.get("/contacts").text, "/contacts")
    for _ in range(2):
        assert browser.http.post("/contacts", data={**form, **FILLED}).status_code == 303
    assert len(contacts(pages)) == 1
    assert notes(browser).status_code == 303
    assert len(contacts(pages)) == 2


def test_two_teachers_forms_never_stand_for_each_other(pages: OfficePages) -> None:
    notes(pages.signed_in(RIVERA), once="the same")
    assert notes(pages.signed_in(OKAFOR), once="the same", student=MINA.id).status_code == 303
    assert len(contacts(pages)) == 2


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"day": "2026-03-04"}, 422),
        ({"day": "2024-03-04"}, 422),
        ({"day": "03/02/2026"}, 422),
        ({"tone": ""}, 422),
        ({"student": ""}, 422),
        ({"kind": "telepathy"}, 400),
        ({"tone": "<b>"}, 400),
        ({"once": ""}, 400),
        ({"once": "x" * 65}, 400),
    ],
)
def test_what_is_left_out_or_cannot_be_changes_nothing(
    pages: OfficePages, changes: dict[str, str], status: int
) -> None:
    browser = pages.signed_in(RIVERA)
    answer = notes(browser, **changes)
    assert answer.status_code == status
    assert contacts(pages) == []
    if status == 422:
        assert "Please choose a student" in said(answer)


def test_what_was_filled_in_stays_where_something_is_left_out(pages: OfficePages) -> None:
    text = notes(pages.signed_in(RIVERA), tone="", kind="meeting", student=NICO.id).text
    assert f'value="{NICO.id}" selected' in text
    assert 'value="meeting" required checked' in text


def test_a_form_of_nobody_s_changes_nothing(pages: OfficePages) -> None:
    browser = pages.signed_in(RIVERA)
    assert browser.http.post("/contacts", data={**FILLED, "once": "a"}).status_code == 403
    notes(browser)
    assert browser.http.post("/contacts/1/withdraw", data={"form": "invented"}).status_code == 403
    assert [each.withdrawn_at for each in contacts(pages)] == [None]


def test_a_contact_is_taken_back_and_stays_on_record(pages: OfficePages) -> None:
    browser = pages.signed_in(RIVERA)
    notes(browser)
    assert browser.send("/contacts", "/contacts/1/withdraw").status_code == 303
    (contact,) = contacts(pages)
    assert contact.withdrawn_at is not None
    assert contact.withdrawn_by == RIVERA
    assert "Taken back" in said(browser.get("/contacts"))
    acts = [(entry.act, entry.about) for entry in audit.entries(pages.database, person=RIVERA)]
    assert acts[-2:] == [("noted a contact", "contact 1"), ("withdrew a contact", "contact 1")]


def test_taking_back_twice_is_taking_back_once(pages: OfficePages) -> None:
    browser = pages.signed_in(RIVERA)
    notes(browser)
    form = form_at(browser.get("/contacts").text, "/contacts/1/withdraw")
    for _ in range(2):
        assert browser.http.post("/contacts/1/withdraw", data=form).status_code == 303
    acts = [entry.act for entry in audit.entries(pages.database, person=RIVERA)]
    assert acts.count("withdrew a contact") == 1


def test_what_is_noted_and_what_is_taken_back_is_marked_for_the_scorecard(pages: OfficePages) -> None:
    def marks() -> int:
        query = select(col(Mark.key)).where(col(Mark.kind) == MarkKind.STUDENT, col(Mark.key) == MAYA.id)
        with pages.database.read() as connection:
            return len(connection.execute(query).all())

    browser = pages.signed_in(RIVERA)
    notes(browser)
    noted = marks()
    browser.send("/contacts", "/contacts/1/withdraw")
    assert (noted, marks()) == (1, 2)


def test_nobody_else_sees_or_takes_back_a_teacher_s_contact(pages: OfficePages) -> None:
    notes(pages.signed_in(RIVERA))
    other = pages.signed_in(OKAFOR)
    assert "Maya" not in other.get("/contacts").text
    token = form_at(other.get("/contacts").text, "/contacts")
    assert other.http.post("/contacts/1/withdraw", data=token).status_code == 404
    assert other.http.post("/contacts/999/withdraw", data=token).status_code == 404
    assert other.http.post("/contacts/99999999999/withdraw", data=token).status_code == 404
    for person in (LEE, REED):
        assert pages.signed_in(person).get("/contacts").status_code == 403
        assert "/contacts" not in pages.signed_in(person).get("/").text
    assert [each.withdrawn_at for each in contacts(pages)] == [None]


def test_with_many_students_part_of_a_name_is_asked_for(pages: OfficePages) -> None:
    fill_roster_with_many(pages, 300)
    browser = pages.signed_in(RIVERA)
    text = browser.get("/contacts").text
    assert "Part of the student" in text
    assert "Lopez, Maya" not in text
    assert "Lopez, Maya" in browser.get("/contacts?name=may").text
    assert "No student&#39;s name begins so." in browser.get("/contacts?name=zzz").text
    assert "There are more of that name" in browser.get("/contacts?name=child").text


def fill_roster_with_many(pages: OfficePages, number: int) -> None:
    with pages.database.write() as connection:
        for pupil in (Pupil(f"s-{each}", f"Child{each}", "Many", "") for each in range(number)):
            values = {"id": pupil.id, "kinds": "student", "given_name": pupil.given, "family_name": pupil.family_name}
            connection.execute(insert(RosterPerson).values(schools="", matched=False, **values))
            place = {"id": pupil.id, "person": pupil.id, "school_class": "class-rivera"}
            connection.execute(insert(RosterMembership).values(**place))


def test_without_a_roster_the_page_says_so(pages: OfficePages) -> None:
    with pages.database.write() as connection:
        connection.execute(update(RosterPerson).values(until=pages.clock().date()))
    assert "has not been imported yet" in said(pages.signed_in(RIVERA).get("/contacts"))


def test_a_name_on_the_roster_cannot_bring_markup_into_the_page(pages: OfficePages) -> None:
    with pages.database.write() as connection:
        renamed = update(RosterPerson).where(col(RosterPerson.id) == MAYA.id)
        connection.execute(renamed.values(given_name="<script>alert(1)</script>"))
    browser = pages.signed_in(RIVERA)
    notes(browser)
    assert "<script>alert" not in browser.get("/contacts").text


def test_two_workers_who_get_the_same_form_note_it_once(pages: OfficePages) -> None:
    browser = pages.signed_in(RIVERA)
    form = form_at(browser.get("/contacts").text, "/contacts")
    with pages.another_worker() as other:
        elsewhere = other.browser()
        elsewhere.http.cookies.update(browser.http.cookies)
        for each in (browser, elsewhere):
            assert each.http.post("/contacts", data={**form, **FILLED}).status_code == 303
    assert len(contacts(pages)) == 1


def test_the_page_speaks_spanish(pages: OfficePages) -> None:
    browser = pages.signed_in(RIVERA)
    notes(browser)
    text = said(browser.get("/contacts?lang=es"))
    assert "Familia de Maya Lopez" in text
    assert "llamada, buenas noticias" in text
