"""The audit page: all of it for administrators, what concerns families for leaders, nothing for others."""

import ast
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

import service
import store
from autoresponder.wording import OFFICE, STAFF_LANGUAGES, wording
from config.settings import Role, Staff
from service.web.acts import COMING_AND_GOING, LOOKED, about_in, act_in
from service.web.audit import PER_PAGE
from store import audit
from tests.service.web.school_pages import LEE, PARK, RIVERA, Browser, SchoolPages, school_pages, settings_of

CHO = "cho@maple.example"
STAFF = (
    Staff(address=LEE, name="Sam Lee", role=Role.OFFICE),
    Staff(address=PARK, name="Kim Park", role=Role.ADMINISTRATOR),
    Staff(address=CHO, name="Dana Cho", role=Role.LEADER),
)


@pytest.fixture
def pages() -> Iterator[SchoolPages]:
    with school_pages(settings_of(staff=STAFF)) as made:
        yield made


def signed_in(pages: SchoolPages, address: str) -> Browser:
    browser = pages.browser()
    browser.sign_in(address)
    return browser


def look(browser: Browser, parameters: dict[str, str]) -> Any:
    return browser.get(f"/audit?{urlencode(parameters)}")


def write(pages: SchoolPages, *entries: tuple[str | None, str, str], days_ago: int = 0) -> None:
    for person, act, about in entries:
        with pages.database.write() as connection:
            at = pages.clock.now - timedelta(days=days_ago)
            audit.append(connection, at=at, person=person, act=act, about=about)


def shown(html: str) -> list[str]:
    """The entries on a page, each as one line of text."""
    items = re.findall(r'<li id="entry-\d+">(.*?)</li>', html, flags=re.DOTALL)
    return [" ".join(unescape(re.sub(r"<[^>]+>", " ", item)).split()) for item in items]


class TestWhoMayLook:
    def test_teachers_and_the_office_may_not(self, pages: SchoolPages) -> None:
        for address in (RIVERA, LEE):
            browser = signed_in(pages, address)
            assert browser.get("/audit").status_code == 403
            assert 'href="/audit"' not in browser.get("/").text
        assert pages.browser().get("/audit").headers["location"] == "/sign-in?next=%2Faudit"

    def test_administrators_see_all_of_it(self, pages: SchoolPages) -> None:
        write(pages, (LEE, "opened a message", "item 7, message 9 in rivera@maple.example"))
        browser = signed_in(pages, PARK)
        assert 'href="/audit"' in browser.get("/").text
        lines = shown(browser.get("/audit").text)
        assert lines[0].endswith("Kim Park looked at this record all of it")
        assert lines[1].endswith("Kim Park signed in by link")
        assert lines[-1].endswith(f"Sam Lee opened a message item 7, message 9 to {RIVERA}")

    def test_leaders_see_what_was_done_about_families_and_not_when_people_come_and_go(self, pages: SchoolPages) -> None:
        write(pages, (LEE, "took an item", "item 7"), (None, "was not let in", "with Google"))
        signed_in(pages, RIVERA)
        browser = signed_in(pages, CHO)
        text = browser.get("/audit").text
        assert [line.partition("AM ")[2] for line in shown(text)] == [
            "Dana Cho looked at this record all of it",
            "Sam Lee took an item item 7",
        ]
        assert "Ms. Rivera" not in text
        assert "Somebody unknown" not in text
        assert "--head" not in text
        for act in COMING_AND_GOING:
            assert look(browser, {"act": act}).status_code == 404
        assert look(browser, {"person": RIVERA}).status_code == 404

    def test_looking_at_it_is_in_it_with_what_was_looked_at(self, pages: SchoolPages) -> None:
        browser = signed_in(pages, PARK)
        look(browser, {"person": PARK, "act": "signed in", "first": "2026-03-01", "last": "2026-03-03"})
        look(browser, {"person": "-", "before": "7"})
        looked = [entry for entry in audit.entries(pages.database) if entry.act == LOOKED]
        assert [(entry.person, entry.about) for entry in looked] == [
            (PARK, f"of {PARK}, only: signed in, from 2026-03-01, to 2026-03-03"),
            (PARK, "of somebody unknown, before entry 7"),
        ]

    def test_who_may_not_look_leaves_no_entry_and_neither_does_a_question_that_is_none(
        self, pages: SchoolPages
    ) -> None:
        signed_in(pages, RIVERA).get("/audit")
        browser = signed_in(pages, PARK)
        for parameters, status in (
            ({"person": "<script>"}, 404),
            ({"person": "' OR 1=1 --"}, 404),
            ({"act": "x"}, 404),
            ({"first": "yesterday"}, 400),
            ({"last": "9999-99-99"}, 400),
            ({"before": "0"}, 400),
            ({"before": "-1"}, 400),
            ({"before": "9" * 20}, 400),
            ({"before": "²"}, 400),
        ):
            answer = look(browser, parameters)
            assert answer.status_code == status, parameters
            assert "<script>" not in answer.text
        assert LOOKED not in {entry.act for entry in audit.entries(pages.database)}


class TestTheFilter:
    def test_by_person(self, pages: SchoolPages) -> None:
        write(
            pages, (LEE, "took an item", "item 1"), (None, "was not let in", "with Google"), (RIVERA, "signed in", "")
        )
        browser = signed_in(pages, PARK)
        assert len(shown(look(browser, {"person": LEE}).text)) == 1
        (line,) = shown(look(browser, {"person": "-"}).text)
        assert line.endswith("Somebody unknown was not let in with Google")

    def test_by_act(self, pages: SchoolPages) -> None:
        write(pages, (LEE, "took an item", "item 1"), (LEE, "closed an item as done", "item 1"))
        browser = signed_in(pages, PARK)
        (line,) = shown(look(browser, {"act": "took an item"}).text)
        assert line.endswith("Sam Lee took an item item 1")

    def test_by_day_in_the_school_s_own_time(self, pages: SchoolPages) -> None:
        """Ten in the evening in Chicago is four in the morning of the next day in UTC."""
        write(pages, (LEE, "took an item", "item 1"), days_ago=2)
        pages.clock.forward(hours=12)
        write(pages, (LEE, "took an item", "item 2"), days_ago=1)
        pages.clock.forward(hours=-12)
        browser = signed_in(pages, PARK)

        def on(first: str, last: str) -> list[str]:
            answer = look(browser, {"act": "took an item", "first": first, "last": last})
            return [line[-6:] for line in shown(answer.text)]

        assert on("2026-03-01", "2026-03-01") == ["item 1"]
        assert on("2026-03-02", "2026-03-02") == ["item 2"]
        assert on("2026-03-01", "") == ["item 2", "item 1"]
        assert on("", "2026-03-01") == ["item 1"]
        assert on("2026-03-03", "2026-03-02") == []

    def test_what_was_asked_for_stands_in_the_form_again(self, pages: SchoolPages) -> None:
        browser = signed_in(pages, PARK)
        text = look(browser, {"person": PARK, "first": "2026-03-01"}).text
        assert f'<option value="{PARK}" selected>Kim Park ({PARK})</option>' in text
        assert 'name="first" type="date" value="2026-03-01"' in text

    def test_somebody_who_has_left_is_shown_by_address(self, pages: SchoolPages) -> None:
        write(pages, ("gone@maple.example", "took an item", "item 1"))
        text = signed_in(pages, PARK).get("/audit").text
        assert '<option value="gone@maple.example">gone@maple.example</option>' in text


class TestPages:
    def test_older_entries_are_a_page_away_and_none_is_shown_twice_or_lost(self, pages: SchoolPages) -> None:
        write(pages, *[(LEE, "took an item", f"item {number}") for number in range(2 * PER_PAGE + 5)])
        browser = signed_in(pages, PARK)
        found: list[str] = []
        address = "/audit?act=took+an+item"
        for _ in range(3):
            text = browser.get(address).text
            found += [line.rpartition(" ")[2] for line in shown(text)]
            older = re.search(r'href="(\?[^"]*before=\d+)"', text)
            address = "/audit" + unescape(older[1]) if older else ""
        assert address == ""
        assert found == [str(number) for number in reversed(range(2 * PER_PAGE + 5))]
        assert 'href="?act=took+an+item"' in text  # back to the newest

    def test_entries_that_come_meanwhile_move_nothing(self, pages: SchoolPages) -> None:
        write(pages, *[(LEE, "took an item", f"item {number}") for number in range(PER_PAGE + 1)])
        browser = signed_in(pages, PARK)
        older = re.search(r'href="(\?[^"]*before=\d+)"', browser.get("/audit?act=took+an+item").text)
        assert older is not None
        write(pages, *[(LEE, "took an item", "item 9999")] * 5)
        assert [line[-6:] for line in shown(browser.get("/audit" + unescape(older[1])).text)] == ["item 0"]


class TestTheChain:
    def test_a_whole_record_is_said_to_be_whole_with_the_digest_to_note_down(self, pages: SchoolPages) -> None:
        text = signed_in(pages, PARK).get("/audit").text
        assert "The record is whole." in text
        assert "3 entries, each as it was written" in text
        assert f"alliance audit --head {audit.check(pages.database).head}" in text

    def test_a_record_that_somebody_changed_is_said_to_be_changed(self, pages: SchoolPages) -> None:
        write(pages, (LEE, "opened a message", "item 1"))
        browser = signed_in(pages, PARK)
        with closing(sqlite3.connect(pages.folder / "alliance.db")) as connection:
            connection.executescript("DROP TRIGGER audit_no_update; UPDATE audit SET person = 'x' WHERE number = 1")
        text = browser.get("/audit").text
        assert "The record was changed." in text
        assert "Entry 1 is not as it was written" in text
        assert "The record is whole." not in text


def test_hostile_words_in_the_record_are_shown_and_never_run(pages: SchoolPages) -> None:
    write(
        pages, ("<script>alert(1)</script>@x.example", "<img src=x onerror=alert(1)>", "\"'><script>alert(2)</script>")
    )
    text = signed_in(pages, PARK).get("/audit").text
    assert "<script>alert" not in text
    assert "<img src=x" not in text
    assert "&lt;script&gt;alert(1)" in text


def test_the_page_is_there_in_spanish(pages: SchoolPages) -> None:
    write(pages, (LEE, "opened a message", "item 7, message 9 in rivera@maple.example"))
    text = signed_in(pages, PARK).get("/audit?lang=es").text
    assert "abrió un mensaje" in text
    assert f"asunto 7, mensaje 9 para {RIVERA}" in text
    assert "Quién hizo qué" in text


def _said(node: ast.AST) -> list[ast.expr]:
    """What a piece of code calls an act."""
    match node:
        case ast.IfExp():
            return [*_said(node.body), *_said(node.orelse)]
        case ast.keyword(arg="act") | ast.Assign(targets=[ast.Name(id="act")]):
            return _said(node.value) or [node.value]
        case ast.Assign(targets=[ast.Name(id="_ACTS")], value=ast.Dict()):
            return node.value.values
        case ast.Constant():
            return [node]
    return []


def written_acts() -> set[str]:
    """Every act that the program writes into the log, read off its source."""
    files = [path for package in (service, store) for path in Path(next(iter(package.__path__))).rglob("*.py")]
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text("utf-8")))]
    named = [each for node in nodes if isinstance(node, ast.keyword | ast.Assign) for each in _said(node)]
    return {each.value for each in named if isinstance(each, ast.Constant) and isinstance(each.value, str)}


@pytest.mark.parametrize("language", [each for each in STAFF_LANGUAGES if each != "en"])
def test_every_act_that_the_program_writes_has_words_in_each_language(language: str) -> None:
    words = wording(language, OFFICE)
    acts = written_acts() | {LOOKED}
    assert {"signed in", "was refused an item", "took an item", "said that a plan is agreed"} <= acts
    assert [act for act in sorted(acts) if act_in(words, act) == act] == []


@pytest.mark.parametrize(
    ("about", "said"),
    [
        ("by link", "by link"),
        ("with Google", "with Google"),
        ("item 7", "item 7"),
        ("item 7, message 9 in a@b.example", "item 7, message 9 to a@b.example"),
        ("case 3", "case 3"),
        ("with {provider} {0}", "with {provider} {0}"),
        ("all of it", "all of it"),
        (
            f"of {LEE}, only: signed in, from 2026-03-01, to 2026-03-03, before entry 7",
            f"of {LEE}, only: signed in, from 2026-03-01 on, up to 2026-03-03, before entry 7",
        ),
        ("of somebody unknown, something else", "of somebody unknown, something else"),
        ("something of a later version", "something of a later version"),
        ("", ""),
    ],
)
def test_what_an_act_was_done_to_is_said_as_people_say_it(about: str, said: str) -> None:
    assert about_in(wording("en", OFFICE), about) == said
