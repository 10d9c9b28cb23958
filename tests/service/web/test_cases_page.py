"""The page of hard conversations: a teacher sees and ends their own, a leader sees which teacher may want a hand."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from autoresponder.cases import CaseState
from config.settings import Coach
from connectors.labels import Label
from store import audit
from store.cases import Cases, CaseView
from tests.service.cases_of_maple import teacher_writes
from tests.service.web.office_pages import ANA, BO, LEE, OKAFOR, REED, RIVERA, OfficePages, office_pages
from tests.service.web.school_pages import Browser, form_at


@pytest.fixture
def pages() -> Iterator[OfficePages]:
    with office_pages() as made:
        yield made


def conflict(pages: OfficePages, sender: str = ANA, **more: Any) -> CaseView:
    """A family writes about something difficult. Returns the case."""
    message_id = pages.maple.write(f"conflict grades {len(pages.maple.records())}", sender, **more)
    pages.maple.round()
    number = next(each.id for each in pages.maple.records() if each.rfc_message_id == message_id)
    view = Cases(pages.database).of_message(number)
    assert view is not None
    return view


def state(pages: OfficePages, number: int = 1) -> CaseState:
    view = Cases(pages.database).numbered(number)
    assert view is not None
    return view.case.state


def says(browser: Browser, word: str, number: int = 1, shown_at: str = "/cases") -> Any:
    return browser.send(shown_at, f"/cases/{number}", word=word)


def said(answer: Any) -> str:
    text: str = answer.text
    return " ".join(text.replace("\N{NO-BREAK SPACE}", " ").split())


def test_a_teacher_sees_their_own_cases_the_oldest_first(pages: OfficePages) -> None:
    conflict(pages)
    pages.clock.forward(hours=3)
    conflict(pages, BO)
    conflict(pages, to=[OKAFOR])
    text = said(pages.signed_in(RIVERA).get("/cases"))
    assert text.index("Leo Lopez, Maya Lopez") < text.index("Theo Brandt")
    for words in ("Waits for your answer", "An answer is promised by Thursday, March 5, 10:00 AM", "Open since today"):
        assert words in text
    assert text.count('id="row-') == 2


def test_what_is_overdue_says_so(pages: OfficePages) -> None:
    conflict(pages)
    pages.clock.forward(hours=49)
    text = said(pages.signed_in(RIVERA).get("/cases"))
    assert "Overdue" in text
    assert "The answer was promised by Thursday, March 5" in text


def test_one_click_says_that_a_plan_is_agreed_and_another_opens_it_again(pages: OfficePages) -> None:
    conflict(pages)
    browser = pages.signed_in(RIVERA)
    assert says(browser, "plan agreed").status_code == 303
    assert state(pages) is CaseState.AGREED
    assert "Take it up again on Friday, March 6." in said(browser.get("/cases"))
    assert says(browser, "open again").status_code == 303
    assert state(pages) is CaseState.OPEN
    acts = [(entry.act, entry.about) for entry in audit.entries(pages.database, person=RIVERA)]
    assert acts[-2:] == [("said that a plan is agreed", "case 1"), ("opened a case again", "case 1")]


def test_not_a_conflict_takes_the_label_with_it(pages: OfficePages) -> None:
    view = conflict(pages)
    says(pages.signed_in(RIVERA), "not a conflict")
    assert state(pages) is CaseState.NO_CONFLICT
    pages.maple.round()
    assert pages.maple.labels(view.first.rfc_message_id or "") == {Label.ROUTINE}


def test_a_likely_agreement_is_asked_about(pages: OfficePages) -> None:
    view = conflict(pages)
    pages.clock.forward(hours=1)
    teacher_writes(pages.maple, ANA, follows=view.first.rfc_message_id)
    pages.clock.forward(hours=1)
    pages.maple.write("routine yes", body="That works, see you Thursday.", In_Reply_To=f"<{view.first.rfc_message_id}>")
    pages.maple.round()
    browser = pages.signed_in(RIVERA)
    assert "reads like a yes. Was a plan agreed?" in said(browser.get("/cases"))
    says(browser, "not agreed yet")
    assert "Was a plan agreed?" not in said(browser.get("/cases"))
    assert state(pages) is CaseState.OPEN


def test_a_button_on_a_page_that_is_old_does_nothing(pages: OfficePages) -> None:
    view = conflict(pages)
    browser = pages.signed_in(RIVERA)
    form = browser.get("/cases")
    conflict(pages, In_Reply_To=f"<{view.first.rfc_message_id}>")
    answer = browser.http.post("/cases/1", data={**form_at(form.text, "/cases/1"), "word": "not a conflict"})
    assert answer.status_code == 409
    assert "Something has changed" in said(answer)
    assert state(pages) is CaseState.OPEN


def test_a_message_is_fetched_when_somebody_opens_it_and_kept_nowhere(pages: OfficePages) -> None:
    view = conflict(pages, body="This grade is unfair, and nobody explained it to us.")
    browser = pages.signed_in(RIVERA)
    assert "unfair" not in browser.get("/cases/1").text
    answer = browser.get(f"/cases/1/messages/{view.first.id}")
    assert "This grade is unfair" in said(answer)
    assert "unfair" not in pages.dump()
    (*_, last) = audit.entries(pages.database, person=RIVERA)
    assert (last.act, last.about) == ("opened a message", f"case 1, message {view.first.id}")
    assert browser.get("/cases/1/messages/999").status_code == 404


def test_a_message_that_is_gone_is_said_to_be(pages: OfficePages) -> None:
    view = conflict(pages)
    pages.maple.delete(view.first.rfc_message_id or "")
    answer = pages.signed_in(RIVERA).get(f"/cases/1/messages/{view.first.id}")
    assert answer.status_code == 410
    assert "no longer in your mailbox" in said(answer)


def test_nobody_else_reads_or_ends_a_teacher_s_case(pages: OfficePages) -> None:
    view = conflict(pages)
    for person in (OKAFOR, REED, LEE):
        browser = pages.signed_in(person)
        assert browser.get("/cases/1").status_code == 404
        assert browser.get(f"/cases/1/messages/{view.first.id}").status_code == 404
        form = browser.http.post("/cases/1", data={"word": "plan agreed"})
        assert form.status_code in {403, 404}
    assert pages.signed_in(LEE).get("/cases").status_code == 403
    assert state(pages) is CaseState.OPEN


def test_a_word_that_there_is_not_and_a_form_of_nobody_s_change_nothing(pages: OfficePages) -> None:
    conflict(pages)
    browser = pages.signed_in(RIVERA)
    assert says(browser, "delete it").status_code == 400
    assert browser.http.post("/cases/1", data={"word": "plan agreed"}).status_code == 403
    assert state(pages) is CaseState.OPEN


def test_a_leader_sees_which_teacher_may_want_a_hand_and_no_family(pages: OfficePages) -> None:
    conflict(pages)
    leader = pages.signed_in(REED)
    assert "No teacher needs a hand" in said(leader.get("/cases"))
    conflict(pages, BO, to=[OKAFOR], body="You are a liar, and my lawyer will call.")
    text = said(leader.get("/cases"))
    assert "Ms. Okafor" in text
    assert "Harsh tone" in text
    pages.clock.forward(hours=49)
    text = said(pages.signed_in(REED).get("/cases"))
    assert "Ms. Rivera" in text
    assert not [name for name in ("Maya", "Theo", ANA, BO, "liar") if name in text]


def test_the_coach_is_offered_where_the_tone_is_harsh(pages: OfficePages) -> None:
    coach = Coach(name="Dr. Reed", addresses=(REED,))
    pages.app.state.site = replace(pages.site, settings=pages.settings.model_copy(update={"coach": coach}))
    conflict(pages, body="You are a liar, and my lawyer will call.")
    text = said(pages.signed_in(RIVERA).get("/cases"))
    assert "You need not do this alone: Dr. Reed is glad to think it through with you." in text
    assert f"mailto:{REED}" in text


def test_the_page_speaks_spanish(pages: OfficePages) -> None:
    conflict(pages)
    text = said(pages.signed_in(RIVERA).get("/cases?lang=es"))
    assert "Conversaciones difíciles" in text
    assert "Espera su respuesta" in text
