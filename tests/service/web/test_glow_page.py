"""The page of good news: a teacher sees their own families and asks for drafts; leaders see counts and no family."""

import csv
import io
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from service.glow_writer import GlowWriter
from store import audit
from tests.service.cases_of_maple import conflict
from tests.service.glow_of_maple import Home, admit, enrol, good_word
from tests.service.web.office_pages import LEE, OKAFOR, REED, RIVERA, OfficePages, office_pages
from tests.service.web.school_pages import form_at


@pytest.fixture
def pages() -> Iterator[OfficePages]:
    with office_pages() as made:
        made.maple.round()
        enrol(made.database)
        yield made


def said(answer: Any) -> str:
    text: str = answer.text
    return " ".join(text.replace("\N{NO-BREAK SPACE}", " ").split())


def ask(pages: OfficePages, family: str, who: str = RIVERA) -> Any:
    return pages.signed_in(who).send("/glow", "/glow/draft", family=family)


def helps(pages: OfficePages, family: str, word: str = "helps", who: str = RIVERA) -> Any:
    return pages.signed_in(who).send("/glow", "/glow/helper", family=family, word=word)


def table(answer: Any) -> list[list[str]]:
    return list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_a_teacher_sees_their_own_families_and_who_waits(pages: OfficePages) -> None:
    good_word(pages.database, "Theo Brandt", date(2026, 2, 3))
    text = said(pages.signed_in(RIVERA).get("/glow"))
    waiting, _, heard = text.partition("Have had a good word this term")
    assert "Leo Lopez, Maya Lopez" in waiting
    assert "Linh Nguyen" in waiting
    assert "Theo Brandt" in heard
    assert "first on Tuesday, February 3" in heard
    other = said(pages.signed_in(OKAFOR).get("/glow"))
    assert "Linh Nguyen" in other
    assert "Lopez" not in other


def test_a_button_puts_a_draft_into_drafts_and_the_page_says_so(pages: OfficePages) -> None:
    answer = ask(pages, "lopez")
    assert answer.headers["Location"] == "/glow?asked=1"
    assert "A draft is on its way to your Drafts" in said(pages.signed_in(RIVERA).get("/glow"))
    maple = pages.maple
    GlowWriter(maple.assembly()).look_after(maple.box(), maple.mailbox())
    assert len(list(maple.drafts(RIVERA))) == 1
    assert "A draft was put into your Drafts on Tuesday, March 3" in said(pages.signed_in(RIVERA).get("/glow"))


def test_a_second_click_gets_no_second_draft(pages: OfficePages) -> None:
    browser = pages.signed_in(RIVERA)
    shown = browser.get("/glow")
    assert browser.send("/glow", "/glow/draft", family="lopez").status_code == 303
    again = browser.send("/glow", "/glow/draft", family="lopez")
    assert again.status_code == 409
    assert "This family has its draft already." in said(again)
    assert "Prepare a draft" in said(shown)


def test_after_a_few_in_a_day_there_are_no_more_buttons(pages: OfficePages) -> None:
    with pages.database.write() as connection:
        admit(connection, "kim", Home(("Kim Roe",), {"kim@family.example": None}))
    for family in ("lopez", "brandt", "nguyen"):
        assert ask(pages, family).status_code == 303
    page = pages.signed_in(RIVERA).get("/glow")
    assert "/glow/draft" not in page.text
    assert "You have had 3 drafts today" in said(page)


def test_another_teachers_family_is_nobodys_business(pages: OfficePages) -> None:
    assert ask(pages, "nobody").status_code == 404
    good_word(pages.database, "Linh Nguyen", date(2026, 2, 3), teacher=RIVERA)
    browser = pages.signed_in(OKAFOR)
    assert browser.send("/glow", "/glow/draft", family="lopez").status_code == 404
    assert browser.send("/glow", "/glow/helper", family="lopez", word="helps").status_code == 404


def test_a_family_in_a_hard_conversation_has_no_button_and_a_reason(pages: OfficePages) -> None:
    browser = pages.signed_in(RIVERA)
    shown = browser.get("/glow")
    conflict(pages.maple)
    pages.maple.round()
    text = said(browser.get("/glow"))
    assert "Not now: a hard conversation with this family is open" in text
    form = form_at(shown.text, "/glow/draft")
    answer = browser.http.post("/glow/draft", data={**form, "family": "lopez"})
    assert answer.status_code == 409
    assert "Not now: a hard conversation" in said(answer)


def test_that_a_family_wrote_something_urgent_to_somebody_else_is_not_told(pages: OfficePages) -> None:
    pages.maple.write("urgent bus", "nguyen@family.example", to=[OKAFOR])
    pages.maple.round()
    text = said(pages.signed_in(RIVERA).get("/glow"))
    assert "Not now. Please look again in a few days." in text
    assert "urgent" not in text.lower()


def test_a_leader_sees_counts_of_large_enough_groups_and_no_family(pages: OfficePages) -> None:
    with pages.database.write() as connection:
        for number in range(10):
            home = Home((f"Kim Roe{number}",), {f"kim{number}@family.example": None})
            admit(connection, f"f{number}", home)
    good_word(pages.database, "Kim Roe3", date(2026, 2, 3))
    pages.signed_in(RIVERA).get("/glow")  # brings the figures up to date
    text = said(pages.signed_in(REED).get("/glow"))
    assert "<td>12</td><td>13</td>" in text
    assert text.count("too few to show") == 1  # Ms. Okafor has one family
    for name in ("Lopez", "Brandt", "Nguyen", "Roe"):
        assert name not in text


def test_the_office_sees_nothing(pages: OfficePages) -> None:
    assert pages.signed_in(LEE).get("/glow").status_code == 403
    assert pages.signed_in(LEE).get("/glow/helpers.csv").status_code == 403
    assert pages.signed_in(LEE).get(f"/glow/helpers.csv?teacher={RIVERA}").status_code == 404


def test_nobody_sees_it_without_signing_in(pages: OfficePages) -> None:
    for path in ("/glow", "/glow/helpers.csv"):
        assert pages.browser().get(path).status_code == 303


def test_helpers_are_put_on_the_list_and_taken_off_it_and_both_are_on_record(pages: OfficePages) -> None:
    assert helps(pages, "lopez").status_code == 303
    browser = pages.signed_in(RIVERA)
    assert "helps at home since Tuesday, March 3" in said(browser.get("/glow"))
    rows = table(browser.get("/glow/helpers.csv"))
    assert rows == [
        ["guardian", "addresses", "students", "language", "since"],
        ["Ana", "ana@family.example", "Leo Lopez; Maya Lopez", "es", "2026-03-03"],
        ["Luis", "luis@family.example", "Leo Lopez; Maya Lopez", "", "2026-03-03"],
    ]
    assert helps(pages, "lopez", "helps no more").status_code == 303
    assert len(table(browser.get("/glow/helpers.csv"))) == 1
    acts = [(entry.person, entry.act, entry.about) for entry in audit.entries(pages.database)]
    assert (RIVERA, "put a family on the list of helpers", f"family lopez of {RIVERA}") in acts
    assert (RIVERA, "took a family off the list of helpers", f"family lopez of {RIVERA}") in acts
    assert (RIVERA, "exported the list of helpers", f"of {RIVERA}") in acts


def test_a_word_that_there_is_not_is_refused(pages: OfficePages) -> None:
    assert helps(pages, "lopez", "perhaps").status_code == 400


def test_the_list_is_for_that_teacher_and_their_leader(pages: OfficePages) -> None:
    helps(pages, "lopez")
    assert len(table(pages.signed_in(REED).get(f"/glow/helpers.csv?teacher={RIVERA}"))) == 3
    assert pages.signed_in(OKAFOR).get(f"/glow/helpers.csv?teacher={RIVERA}").status_code == 404
    assert pages.signed_in(REED).get("/glow/helpers.csv?teacher=nobody@maple.example").status_code == 404
    assert pages.signed_in(REED).get("/glow/helpers.csv").status_code == 403


@pytest.mark.parametrize("begins", ["=", "+", "-", "@", "\t=", "  ="])
def test_no_cell_is_a_formula(pages: OfficePages, begins: str) -> None:
    with pages.database.write() as connection:
        admit(connection, "evil", Home((f"{begins}HYPERLINK(1) X",), {"evil@family.example": None}))
    helps(pages, "evil")
    (row,) = table(pages.signed_in(RIVERA).get("/glow/helpers.csv"))[1:]
    assert row[2].startswith("'")
    assert all(not cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)


def test_names_in_the_page_are_text(pages: OfficePages) -> None:
    with pages.database.write() as connection:
        admit(connection, "evil", Home(("<script>alert(1)</script> X",), {"evil@family.example": None}))
    assert "<script>alert" not in pages.signed_in(RIVERA).get("/glow").text


def test_the_page_speaks_spanish(pages: OfficePages) -> None:
    text = said(pages.signed_in(RIVERA).get("/glow?lang=es"))
    assert "Aún sin una buena noticia de su parte en este período" in text
    assert "Preparar un borrador" in text


def test_between_terms_it_says_so(pages: OfficePages) -> None:
    pages.clock.forward(days=120)
    assert "No term is running." in said(pages.signed_in(RIVERA).get("/glow"))
