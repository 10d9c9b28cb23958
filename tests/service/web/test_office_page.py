"""The office's page over HTTP: who sees what, who may do what, and what the record says of it."""

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest

from autoresponder.items import ItemState, Word
from connectors.labels import Label, Tag
from service.web.items import OPENINGS
from service.web.queue import Part, part_of
from service.web.rendering import STATIC
from store import audit
from store.tables import EventKind
from tests.service.desks_of_maple import got, text_of
from tests.service.web.office_pages import (
    ANA,
    BO,
    COLE,
    LEE,
    NURSE,
    OKAFOR,
    PARK,
    REED,
    RIVERA,
    VEGA,
    OfficePages,
    office_pages,
)
from tests.service.web.school_pages import Browser, Forms, form_at

HEALTH, PICKUP, SAFETY = "urgent health", "urgent pickup_transport", "urgent safety"


@pytest.fixture
def pages() -> Iterator[OfficePages]:
    with office_pages() as made:
        yield made


def acts(pages: OfficePages, person: str) -> list[tuple[str, str]]:
    return [
        (entry.act, entry.about) for entry in audit.entries(pages.database, person=person) if "sign" not in entry.act
    ]


def said(answer: Any) -> str:
    """A page's words, with a blank for each no-break space."""
    text: str = answer.text
    return text.replace("\N{NO-BREAK SPACE}", " ")


def rows(browser: Browser, path: str = "/items") -> list[str]:
    """References of the items on a page, in order."""
    text = said(browser.get(path))
    return [part.partition('"')[0] for part in text.split('id="row-')[1:]]


class TestTheQueue:
    def test_it_shows_the_oldest_first_with_student_age_and_what_is_next(self, pages: OfficePages) -> None:
        first = pages.comes(PICKUP)
        pages.clock.forward(minutes=7)
        second = pages.comes(HEALTH, BO)
        pages.clock.forward(minutes=5)
        lee = pages.signed_in(LEE)
        assert rows(lee) == [first, second]
        text = said(lee.get("/items"))
        assert all(words in text for words in ("Pickup or transport", "Leo Lopez, Maya Lopez", "12 minutes"))
        assert all(words in text for words in ("Theo Brandt", "nurse", f"from {ANA} to Ms. Rivera"))
        assert "goes to others in 18 minutes" in text
        assert "goes to others in 10 minutes" in text
        assert "40 % of the time allowed is used" in text  # 12 of 30 minutes

    def test_what_went_on_because_nobody_took_it_is_late(self, pages: OfficePages) -> None:
        pages.comes(HEALTH)
        pages.clock.forward(minutes=16)
        pages.maple.round()
        text = said(pages.signed_in(LEE).get("/items"))
        assert ">Late<" in text
        assert "It goes to others again in 30 minutes." in text

    def test_what_somebody_has_and_what_is_settled_stand_apart(self, pages: OfficePages) -> None:
        open_, taken, done = pages.comes(PICKUP), pages.comes(HEALTH, BO), pages.comes(PICKUP, "c@family.example")
        lee = pages.signed_in(LEE)
        pages.says(lee, taken, "taken")
        pages.says(lee, done, "done")
        text = said(lee.get("/items"))
        assert [text.index(f"row-{each}") for each in (open_, taken, done)] == sorted(
            text.index(f"row-{each}") for each in (open_, taken, done)
        )
        assert "Taken by you, 10:00 AM." in text
        assert "Taken by Sam Lee, 10:00 AM." in said(pages.signed_in(COLE).get("/items"))
        pages.clock.forward(hours=25)
        assert done not in rows(pages.signed_in(LEE))

    def test_further_mail_of_a_family_stands_in_the_same_row(self, pages: OfficePages) -> None:
        first = pages.comes(PICKUP)
        assert pages.comes(PICKUP) == first
        lee = pages.signed_in(LEE)
        assert rows(lee) == [first]
        assert "2 messages" in said(lee.get("/items"))

    def test_a_family_s_words_that_look_like_markup_stay_words(self, pages: OfficePages) -> None:
        pages.comes(PICKUP, "<script>alert(1)</script>@family.example")
        text = said(pages.signed_in(LEE).get("/items"))
        assert "<script>alert" not in text

    def test_it_is_there_in_spanish(self, pages: OfficePages) -> None:
        pages.comes(PICKUP)
        text = said(pages.signed_in(LEE).get("/items?lang=es"))
        assert "Me encargo yo" in text
        assert "Recogida o transporte" in text
        assert "30 minutos" in text


class TestWhoSeesWhat:
    def test_an_item_is_seen_by_those_who_got_its_mail_and_by_the_teacher(self, pages: OfficePages) -> None:
        pickup, health, safety = pages.comes(PICKUP), pages.comes(HEALTH, BO, to=[OKAFOR]), pages.comes(SAFETY, BO)
        seen = {who: rows(pages.signed_in(who)) for who in (LEE, COLE, NURSE, VEGA, RIVERA, OKAFOR, REED, PARK)}
        assert seen == {
            LEE: [pickup, health],
            COLE: [pickup, health],
            NURSE: [health],
            VEGA: [safety],  # the front office does not get what is the counselor's
            RIVERA: [pickup, safety],
            OKAFOR: [health],
            REED: [],
            PARK: [],
        }

    @pytest.mark.parametrize("who", [REED, PARK])
    def test_who_leads_or_runs_the_school_sees_numbers_and_no_family(self, pages: OfficePages, who: str) -> None:
        reference = pages.comes(PICKUP)
        browser = pages.signed_in(who)
        text = said(browser.get("/items"))
        assert "The whole school, in numbers" in text
        assert "<dd>1</dd>" in text
        assert not [word for word in ("Lopez", ANA, "Rivera", "Pickup") if word in text]
        assert browser.get(f"/items/{reference}").status_code == 404

    def test_nobody_else_learns_whether_there_is_an_item(self, pages: OfficePages) -> None:
        reference = pages.comes(SAFETY)
        number = pages.last_message(reference).id
        lee = pages.signed_in(LEE)
        answers = [
            lee.get(f"/items/{each}") for each in (reference, "nothing", "x" * 500, f"{reference}/messages/{number}")
        ]
        assert {answer.status_code for answer in answers} == {404}
        assert len({_without_tokens(said(answer)) for answer in answers[:3]}) == 1

    def test_a_teacher_follows_an_item_and_reads_only_their_own_mail_of_it(self, pages: OfficePages) -> None:
        reference = pages.comes(PICKUP)
        pages.comes(PICKUP, to=[OKAFOR], body="For Ms. Okafor alone.")
        mine, hers = pages.item(reference).messages
        rivera = pages.signed_in(RIVERA)
        text = said(rivera.get(f"/items/{reference}"))
        assert "nobody has taken it yet" in text
        assert "Okafor" not in text
        assert rivera.get(f"/items/{reference}/messages/{mine.id}").status_code == 200
        assert rivera.get(f"/items/{reference}/messages/{hers.id}").status_code == 404

    def test_a_teacher_cannot_close_what_the_office_has(self, pages: OfficePages) -> None:
        reference = pages.comes(PICKUP)
        rivera = pages.signed_in(RIVERA)
        token = form_at(said(rivera.get("/items")), "/sign-out")["form"]
        sent = rivera.http.post(f"/items/{reference}", data={"form": token, "word": "done"})
        assert sent.status_code == 403
        assert pages.item(reference).item.state is ItemState.OPEN

    def test_somebody_of_the_staff_has_no_part_in_the_matter_of_their_own_family(self, pages: OfficePages) -> None:
        reference = pages.comes(PICKUP)
        person = pages.site.people.find(LEE)
        assert person is not None
        queued = pages.item(reference)
        assert part_of(person, queued, pages.settings) is Part.OFFICE
        (message,) = queued.messages
        own = replace(queued, messages=(message.model_copy(update={"sender": LEE}),))
        assert part_of(person, own, pages.settings) is None

    def test_who_is_nobody_signs_in_and_comes_back_to_the_item(self, pages: OfficePages) -> None:
        reference = pages.comes(PICKUP)
        browser = pages.browser()
        answer = browser.get(f"/items/{reference}")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next=%2Fitems%2F{reference}")
        browser.send(answer.headers["location"], "/sign-in", address=LEE)
        signed_in = browser.send(pages.link_for(LEE), "/sign-in/link")
        assert signed_in.headers["location"] == f"/items/{reference}"


class TestActs:
    @pytest.mark.parametrize(
        ("word", "state", "event", "act"),
        [
            ("taken", ItemState.CLAIMED, EventKind.TAKEN, "took an item"),
            ("done", ItemState.DONE, EventKind.DONE, "closed an item as done"),
            ("not urgent", ItemState.NOT_URGENT, EventKind.NOT_URGENT, "closed an item as not urgent"),
            ("back to the teacher", ItemState.RETURNED, EventKind.RETURNED, "gave an item back to the teacher"),
        ],
    )
    def test_each_does_what_the_reply_by_mail_does(
        self, pages: OfficePages, word: str, state: ItemState, event: EventKind, act: str
    ) -> None:
        reference = pages.comes(PICKUP)
        lee = pages.signed_in(LEE)
        answer = pages.says(lee, reference, word)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/items/{reference}")
        queued = pages.item(reference)
        assert (queued.item.state, queued.item.holder, queued.events[-1].kind) == (state, LEE, event)
        assert queued.events[-1].by == LEE
        assert acts(pages, LEE) == [(act, f"item {queued.number}")]
        assert lee.get(f"/items/{reference}").status_code == 200

    def test_not_urgent_changes_the_label_and_counts_as_a_correction(self, pages: OfficePages) -> None:
        message_id = pages.maple.write(PICKUP)
        pages.maple.round()
        reference = pages.item_of(message_id).item.reference
        pages.says(pages.signed_in(LEE), reference, "not urgent")
        pages.maple.round()
        assert Label(Tag.URGENT) not in pages.maple.labels(message_id)
        assert Label(Tag.ROUTINE) in pages.maple.labels(message_id)

    def test_back_to_the_teacher_tells_the_teacher_by_mail(self, pages: OfficePages) -> None:
        reference = pages.comes(PICKUP)
        pages.says(pages.signed_in(LEE), reference, "back to the teacher")
        pages.maple.round()
        (mail,) = [each for each in got(pages.maple, RIVERA) if each["X-Alliance-Inbox"] == "tell"]
        assert LEE in text_of(mail)

    def test_an_item_that_was_taken_on_the_page_goes_on_to_nobody(self, pages: OfficePages) -> None:
        reference = pages.comes(PICKUP)
        pages.says(pages.signed_in(LEE), reference, "taken")
        pages.clock.forward(hours=2)
        pages.maple.round()
        assert pages.item(reference).item.steps == 0

    def test_what_was_taken_by_mail_is_closed_on_the_page(self, pages: OfficePages) -> None:
        reference = pages.comes(PICKUP)
        pages.says(pages.signed_in(COLE), reference, "taken")
        pages.says(pages.signed_in(LEE), reference, "done")
        assert pages.item(reference).item.holder == LEE

    def test_the_second_of_two_is_told_who_was_faster(self, pages: OfficePages) -> None:
        reference = pages.comes(PICKUP)
        lee, cole = pages.signed_in(LEE), pages.signed_in(COLE)
        form = form_at(said(cole.get("/items")), f"/items/{reference}")
        pages.says(lee, reference, "taken", "/items")
        pages.clock.forward(minutes=1)
        answer = cole.http.post(f"/items/{reference}", data=form)
        assert answer.status_code == 409
        assert "Sam Lee was faster, and has had it since 10:00 AM." in said(answer)
        assert pages.item(reference).item.holder == LEE
        assert acts(pages, COLE) == [("was refused an item", f"item {pages.item(reference).number}")]

    def test_of_many_at_the_same_moment_one_has_it_and_every_other_is_told(self, pages: OfficePages) -> None:
        reference = pages.comes(PICKUP)
        with pages.another_worker() as other:
            browsers = [worker.signed_in(who) for worker in (pages, other) for who in (LEE, COLE)]
            forms = [form_at(said(each.get("/items")), f"/items/{reference}") for each in browsers]
            together = Barrier(len(browsers))

            def press(number: int) -> Any:
                together.wait()
                return browsers[number].http.post(f"/items/{reference}", data=forms[number])

            with ThreadPoolExecutor(len(browsers)) as threads:
                answers = list(threads.map(press, range(len(browsers))))
        holder = pages.item(reference).item.holder
        # The winner's other browser says the same and is right: it is theirs.
        assert sorted(answer.status_code for answer in answers) == [303, 303, 409, 409]
        name = {LEE: "Sam Lee", COLE: "Jo Cole"}[str(holder)]
        assert all(f"{name} was faster" in said(answer) for answer in answers if answer.status_code == 409)
        taken = [event for event in pages.item(reference).events if event.kind is EventKind.TAKEN]
        assert len(taken) == 1
        assert acts(pages, str(holder)) == [("took an item", f"item {pages.item(reference).number}")]
        assert audit.check(pages.database).broken_at is None

    def test_nobody_closes_what_they_have_not_seen(self, pages: OfficePages) -> None:
        """Somebody took it meanwhile, or the family wrote that it is worse."""
        reference = pages.comes(PICKUP)
        lee, cole = pages.signed_in(LEE), pages.signed_in(COLE)
        forms = [form for form in _forms(said(cole.get(f"/items/{reference}"))) if form.get("word") == "done"]
        pages.says(lee, reference, "taken")
        answer = cole.http.post(f"/items/{reference}", data=forms[0])
        assert answer.status_code == 409
        assert "Sam Lee took it. Something has changed since you opened this page" in said(answer)
        forms = [form for form in _forms(said(cole.get(f"/items/{reference}"))) if form.get("word") == "done"]
        pages.comes(PICKUP)
        answer = cole.http.post(f"/items/{reference}", data=forms[0])
        assert answer.status_code == 409
        assert "The family wrote once more." in said(answer)
        assert pages.item(reference).item.state is ItemState.CLAIMED
        assert acts(pages, COLE) == []
        assert pages.says(cole, reference, "done").status_code == 303

    def test_what_cannot_be_put_on_record_is_not_done(
        self, pages: OfficePages, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reference = pages.comes(PICKUP)
        lee, before = pages.signed_in(LEE), pages.item(reference)
        form = form_at(lee.get("/items").text, f"/items/{reference}")

        def full(*_args: object, **_more: object) -> None:
            raise OSError("no room")

        with monkeypatch.context() as broken:
            broken.setattr(audit, "append", full)
            assert lee.http.post(f"/items/{reference}", data=form).status_code == 500
        assert pages.item(reference) == before
        assert lee.http.post(f"/items/{reference}", data=form).status_code == 303

    def test_what_is_closed_stays_closed(self, pages: OfficePages) -> None:
        reference = pages.comes(PICKUP)
        lee, cole = pages.signed_in(LEE), pages.signed_in(COLE)
        form = form_at(said(cole.get("/items")), f"/items/{reference}")
        pages.says(lee, reference, "done")
        answer = cole.http.post(f"/items/{reference}", data=form)
        assert answer.status_code == 409
        assert "Sam Lee has closed it already" in said(answer)

    def test_looking_changes_nothing(self, pages: OfficePages) -> None:
        reference = pages.comes(PICKUP)
        lee, before = pages.signed_in(LEE), pages.item(reference)
        for path in ("/items", "/items/live", f"/items/{reference}", f"/items/{reference}?word=done"):
            assert lee.get(path).status_code == 200
        assert pages.item(reference) == before
        assert lee.http.head(f"/items/{reference}").status_code in {200, 404, 405}
        assert pages.item(reference) == before

    @pytest.mark.parametrize("change", [{"form": ""}, {"form": "0" * 64}])
    def test_a_form_from_elsewhere_does_nothing(self, pages: OfficePages, change: dict[str, str]) -> None:
        reference = pages.comes(PICKUP)
        lee = pages.signed_in(LEE)
        assert lee.send("/items", f"/items/{reference}", **change).status_code == 403
        assert lee.send("/items", f"/items/{reference}", {"Origin": "https://evil.example"}).status_code == 403
        assert pages.item(reference).item.state is ItemState.OPEN

    def test_a_word_that_there_is_not_is_refused(self, pages: OfficePages) -> None:
        reference = pages.comes(PICKUP)
        assert pages.says(pages.signed_in(LEE), reference, "deleted").status_code == 400
        assert set(Word) == {"taken", "done", "not urgent", "back to the teacher"}


class TestLive:
    def test_the_open_page_is_renewed_with_what_came(self, pages: OfficePages) -> None:
        lee = pages.signed_in(LEE)
        assert "Nothing waits at the office." in said(lee.get("/items/live"))
        reference = pages.comes(PICKUP)
        renewed = lee.get("/items/live")
        assert f'id="row-{reference}"' in said(renewed)
        assert "<title>(1) The office" in said(renewed)
        assert "Open: 1. Taken: 0. The latest came at 10:00 AM: Pickup or transport." in said(renewed)
        assert "<html" not in said(renewed)
        assert renewed.headers["cache-control"] == "no-store"

    def test_what_is_read_out_does_not_change_with_the_minutes(self, pages: OfficePages) -> None:
        pages.comes(PICKUP)
        lee = pages.signed_in(LEE)
        first = _status(said(lee.get("/items/live")))
        pages.clock.forward(minutes=9)
        assert _status(said(lee.get("/items/live"))) == first

    def test_a_page_that_stands_open_keeps_nobody_signed_in(self, pages: OfficePages) -> None:
        lee = pages.signed_in(LEE)
        for _ in range(59):
            pages.clock.forward(minutes=1)
            assert lee.get("/items/live").status_code == 200
        pages.clock.forward(minutes=2)
        answer = lee.get("/items/live")
        assert answer.status_code == 401
        assert answer.headers["hx-redirect"] == "/sign-in?next=%2Fitems"
        assert said(answer) == ""

    def test_it_can_be_stopped(self, pages: OfficePages) -> None:
        lee = pages.signed_in(LEE)
        assert "data-hx-get" in said(lee.get("/items"))
        stopped = said(lee.get("/items?live=off"))
        assert "data-hx-get" not in stopped
        assert "<script" not in stopped


def test_htmx_is_as_its_makers_published_it() -> None:
    """SHA-256 of dist/htmx.min.js in the npm package htmx.org 4.0.1."""
    digest = hashlib.sha256(STATIC.joinpath("htmx.js").read_bytes()).hexdigest()
    assert digest == "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130"
    assert "htmx 4.0.1" in STATIC.joinpath("htmx.LICENSE.txt").read_text("utf-8")


def test_a_person_opens_no_more_messages_than_anybody_reads(pages: OfficePages) -> None:
    reference = pages.comes(PICKUP)
    path = f"/items/{reference}/messages/{pages.last_message(reference).id}"
    lee = pages.signed_in(LEE)
    statuses = [lee.get(path).status_code for _ in range(OPENINGS.tries + 1)]
    assert set(statuses[:-1]) == {200}
    assert statuses[-1] == 429


def _status(html: str) -> str:
    return html.partition('role="status">')[2].partition("<")[0]


def _without_tokens(html: str) -> str:
    return html.partition("<main")[2].partition("</main>")[0]


def _forms(html: str) -> list[dict[str, str]]:
    parser = Forms()
    parser.feed(html)
    return [fields for _, fields in parser.forms]
