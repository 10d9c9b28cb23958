"""The scorecard's page: what a principal sees in one minute, and what nobody sees."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from html import unescape
from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser

from scorecard.events import FamilyEvent
from scorecard.report import Counts, GroupFigures, Indicator
from service.web.scorecard_file import scorecard_as_file
from store import audit
from tests.scorecard.sample_report import EVERYBODY, OKAFOR, RIVERA, SPRING, figures, sample_report, withheld
from tests.service.web.office_pages import REED
from tests.service.web.school_pages import LEE, PARK, Browser
from tests.service.web.scorecard_pages import Scores, score_pages


@pytest.fixture
def scores(monkeypatch: pytest.MonkeyPatch) -> Iterator[Scores]:
    with score_pages(monkeypatch) as made:
        yield made


@pytest.fixture
def reed(scores: Scores) -> Browser:
    """The principal's browser."""
    browser = scores.pages.browser()
    browser.sign_in(REED)
    return browser


def said(answer: Any) -> str:
    """The words of a page, on one line."""
    body = LexborHTMLParser(answer.text).css_first("main")
    assert body is not None
    return " ".join(unescape(body.text(separator=" ")).split())


def tree(answer: Any) -> LexborHTMLParser:
    return LexborHTMLParser(answer.text)


class TestInOneMinute:
    def test_four_figures_each_with_a_sentence_and_how_it_was_the_term_before(self, reed: Browser) -> None:
        page = said(reed.get("/scorecard"))
        for words in (
            "The Alliance Scorecard",
            "Fall 2026 · 212 families · as of Monday, November 9, 7:05 AM",
            "80% 170 of 212 families had good news by the end of week 4.",
            "6 points more than in Spring 2026 at the same time.",
            "62% 118 of 191 families who were written to wrote back.",
            "3 school days Plans agreed: 9. Still open: 2.",
            "Faster than in Spring 2026, by 1.5 school days.",
            "79% 41 of 52 students were back to baseline within two weeks. Still within their two weeks: 6.",
        ):
            assert words in page, words

    def test_each_has_a_chart_that_is_named_and_the_same_in_numbers(self, reed: Browser) -> None:
        page = tree(reed.get("/scorecard"))
        for card in page.css(".figure"):
            (chart,) = card.css("svg.chart")
            named = chart.attributes["aria-labelledby"] or ""
            assert all(card.css_first(f"#{each}") is not None for each in named.split())
            assert len(card.css("details.figures tbody tr")) >= 5
        ids = re.findall(r'\sid="([^"]+)"', page.html or "")
        assert len(ids) == len(set(ids))

    def test_the_definition_stands_beside_each_figure_and_below(self, reed: Browser) -> None:
        page = tree(reed.get("/scorecard"))
        for card in page.css(".figure"):
            mark = card.css_first("a.what")
            assert mark is not None
            tip = card.css_first(f"#{mark.attributes['aria-describedby']}")
            below = page.css_first(mark.attributes["href"] or "-")
            assert tip is not None
            assert below is not None
            assert tip.attributes["role"] == "tooltip"
            assert tip.text() in below.text()
            assert len(tip.text()) > 80

    def test_grades_and_teams_stand_below_with_a_way_down(self, reed: Browser) -> None:
        page = tree(reed.get("/scorecard"))
        rows = {row.css_first("th").text().strip(): row for row in page.css("table.groups tbody tr")}
        assert {"Grade 3", "Grade 6", "Blue team", "Green team"} <= set(rows)
        link = rows["Grade 3"].css_first("a")
        assert link is not None
        assert link.attributes["href"] == "/scorecard/grade?of=%2F03"
        assert "91% ▲" in " ".join(rows["Grade 3"].text(separator=" ").split())

    def test_what_the_service_counted_stands_beside_the_term_before(self, reed: Browser) -> None:
        page = said(reed.get("/scorecard"))
        assert "Urgent messages 41 58" in page
        assert "Office minutes until somebody took it, on average 12.8 20.1" in page
        assert "Answered by the teacher within the norm 93% (402 of 433) 88% (520 of 591)" in page
        assert "Labels that somebody corrected 9 9" in page

    def test_what_was_told_otherwise_is_said(self, reed: Browser) -> None:
        assert "Good news by week 4, week of Oct 5: told as 78%, now 80%, after late data." in said(
            reed.get("/scorecard")
        )

    def test_without_figures_it_says_when_they_begin(self, scores: Scores, reed: Browser) -> None:
        scores.report = None
        answer = reed.get("/scorecard")
        assert answer.status_code == 200
        assert "There are no figures yet." in said(answer)

    def test_a_term_before_can_be_looked_at(self, scores: Scores, reed: Browser) -> None:
        page = tree(reed.get("/scorecard"))
        assert [each.attributes["value"] for each in page.css("#term option")] == ["fall-2026", "spring-2026"]
        answer = reed.get(f"/scorecard?term={SPRING.id}")
        assert scores.asked[-1]["term"] == SPRING.id
        assert "Spring 2026 · 212 families" in said(answer)
        assert tree(answer).css_first("#term option[selected]").attributes["value"] == SPRING.id
        (link, *_) = tree(answer).css("table.groups tbody a")
        assert "term=spring-2026" in (link.attributes["href"] or "")
        assert reed.get("/scorecard?term=never").status_code == 404

    def test_it_is_in_spanish_too(self, reed: Browser) -> None:
        page = said(reed.get("/scorecard?lang=es"))
        assert "170 de 212 familias recibieron buenas noticias antes del final de la semana 4." in page
        assert "Por grado" in page

    def test_it_is_kept_nowhere_and_has_no_style_of_its_own(self, reed: Browser) -> None:
        answer = reed.get("/scorecard")
        assert answer.headers["Cache-Control"] == "no-store"
        assert " style=" not in answer.text
        assert "<style" not in answer.text
        assert not re.search(r"<script(?! src=)", answer.text)


class TestDownward:
    def test_a_grade_has_the_same_page(self, reed: Browser) -> None:
        answer = reed.get("/scorecard/grade?of=%2F03")
        assert answer.status_code == 200
        assert "Grade 3" in said(answer)
        assert "91% 53 of 58 families" in said(answer)

    def test_a_team_has_its_teachers_and_no_picture_that_sets_them_side_by_side(self, reed: Browser) -> None:
        answer = reed.get("/scorecard/team?of=Blue+team")
        part = tree(answer).css_first(".part.teacher")
        assert part is not None
        assert [each.text() for each in part.css("tbody th a")] == ["Ms. Rivera", "Ms. Okafor"]
        assert part.css("svg") == []

    @pytest.mark.parametrize(
        "path",
        [
            "/scorecard/grade?of=%2F99",
            "/scorecard/grade?of=%2F07",
            "/scorecard/grade",
            "/scorecard/all?of=x",
            "/scorecard/family?of=x",
            "/scorecard/team?of=" + "x" * 400,
        ],
    )
    def test_what_there_is_not_and_what_is_withheld_cannot_be_told_apart(self, reed: Browser, path: str) -> None:
        assert reed.get(path).status_code in {400, 404}

    def test_a_withheld_group_is_named_with_the_reason_and_leads_nowhere(self, reed: Browser) -> None:
        page = tree(reed.get("/scorecard"))
        (row,) = [row for row in page.css("table.groups tbody tr") if "Grade 7" in row.text()]
        assert row.css("a") == []
        assert "not shown" in row.text()
        assert not re.search(r"\d", row.text().replace("Grade 7", ""))
        assert "so that nobody can be recognized" in said(reed.get("/scorecard"))

    def test_a_figure_that_is_withheld_shows_nothing_of_itself(self, scores: Scores, reed: Browser) -> None:
        report = sample_report()
        whole = replace(report.groups[0], hidden=frozenset({Indicator.RECOVERY}), recovery=report.groups[0].recovery)
        scores.report = replace(report, groups=[whole])
        page = tree(reed.get("/scorecard"))
        card = page.css_first(".figure.recovery")
        assert card is not None
        assert card.css("svg, .behind, details") == []
        assert "41" not in card.text()

    def test_counts_that_are_withheld_are_not_shown(self, scores: Scores, reed: Browser) -> None:
        report = sample_report()
        whole = replace(report.groups[0], counts_withheld=True)
        scores.report = replace(report, groups=[whole])
        counts = tree(reed.get("/scorecard")).css_first(".counts")
        assert counts is not None
        assert "41" not in counts.text()
        assert "so that nobody can be recognized" in counts.text()


class TestWhoSees:
    def test_only_leaders_and_teachers_come_in(self, scores: Scores) -> None:
        for person, status in ((LEE, 403), (PARK, 403)):
            browser = scores.pages.browser()
            browser.sign_in(person)
            assert browser.get("/scorecard").status_code == status
            assert "/scorecard" not in browser.get("/").text
        assert scores.pages.browser().get("/scorecard").status_code == 303

    def test_a_teacher_finds_their_own_figures_and_nobody_else_s(self, scores: Scores) -> None:
        browser = scores.pages.browser()
        browser.sign_in(RIVERA.key)
        page = browser.get("/scorecard")
        assert 'href="/scorecard/teacher?of=rivera%40maple.example"' in page.text
        assert "Okafor" not in page.text
        assert "Your own figures" in said(page)
        own = browser.get(f"/scorecard/teacher?of={RIVERA.key}")
        assert own.status_code == 200
        assert "Ms. Rivera" in said(own)
        assert browser.get(f"/scorecard/teacher?of={OKAFOR.key}").status_code == 404
        assert scores.asked[-1]["reader"].mailbox == RIVERA.key

    def test_the_page_is_in_the_navigation_of_who_may_see_it(self, reed: Browser) -> None:
        home = reed.get("/")
        nav = tree(home).css_first("header nav")
        assert nav is not None
        assert "Scorecard" in nav.text()
        assert "In one minute" in said(home)


def families(many: int) -> list[FamilyEvent]:
    """Families with and without good news, some by mail and some by a call."""
    day = date(2026, 9, 14)
    return [
        FamilyEvent(f"f{n:03}", "introduced", positive=day, positive_record=f"message {n}")
        if n % 5
        else FamilyEvent(f"f{n:03}", "not yet")
        for n in range(many)
    ]


class TestBehindAFigure:
    def test_every_figure_leads_to_what_stands_behind_it(self, scores: Scores, reed: Browser) -> None:
        scores.events = families(7)
        links = [each.attributes["href"] or "" for each in tree(reed.get("/scorecard")).css(".behind a")]
        assert links == [f"/scorecard/events/{each}/all" for each in Indicator]
        grade = [each.attributes["href"] or "" for each in tree(reed.get("/scorecard/grade?of=%2F03")).css(".behind a")]
        assert grade[0] == "/scorecard/events/first_contact/grade?of=%2F03"
        page = reed.get(grade[0])
        assert page.status_code == 200
        shown = said(page)
        assert "Grade 3 · Fall 2026 · 91% (53 of 58)" in shown
        assert "f001 good news in time Sep 14 message 1" in shown
        assert "f005 no good news yet – –" in shown
        assert page.headers["Cache-Control"] == "no-store"
        assert tree(page).css_first(".back a").attributes["href"] == "/scorecard/grade?of=%2F03"

    def test_a_long_list_comes_in_pages(self, scores: Scores, reed: Browser) -> None:
        scores.events = families(230)
        path, seen = "/scorecard/events/first_contact/all?term=fall-2026", list[str]()
        for expected in (100, 100, 30):
            page = tree(reed.get(path))
            rows = [each.text() for each in page.css("tbody th")]
            assert len(rows) == expected
            seen += rows
            path = {each.text(): each.attributes["href"] or "" for each in page.css(".pages a")}.get("Next page", "")
        assert path == ""
        assert seen == [f"f{n:03}" for n in range(230)]
        assert reed.get("/scorecard/events/first_contact/all?at=4").status_code == 404
        assert reed.get("/scorecard/events/first_contact/all?at=0").status_code in {400, 404}

    def test_that_somebody_looked_is_on_record(self, scores: Scores, reed: Browser) -> None:
        reed.get("/scorecard/events/two_way/grade?of=%2F04")
        (*_, last) = audit.entries(scores.pages.database, person=REED)
        assert (last.act, last.about) == ("opened a figure", "two_way of grade /04, fall-2026, page 1")

    def test_what_is_withheld_not_theirs_or_not_there_cannot_be_told_apart(self, scores: Scores, reed: Browser) -> None:
        for path in ("first_contact/grade?of=%2F07", "first_contact/grade?of=%2F99", "second_contact/all"):
            assert reed.get(f"/scorecard/events/{path}").status_code in {400, 404}
        rivera = scores.pages.browser()
        rivera.sign_in(RIVERA.key)
        assert rivera.get(f"/scorecard/events/two_way/teacher?of={RIVERA.key}").status_code == 200
        assert rivera.get(f"/scorecard/events/two_way/teacher?of={OKAFOR.key}").status_code == 404
        lee = scores.pages.browser()
        lee.sign_in(LEE)
        assert lee.get("/scorecard/events/two_way/all").status_code == 403

    def test_it_is_in_spanish_too(self, scores: Scores, reed: Browser) -> None:
        scores.events = families(3)
        assert "f001 buena noticia a tiempo 14 sept message 1" in said(
            reed.get("/scorecard/events/first_contact/all?lang=es")
        )


class TestAsOneFile:
    def test_it_loads_nothing_and_leads_to_every_group_in_itself(self) -> None:
        page = scorecard_as_file(sample_report())
        parsed = LexborHTMLParser(page)
        for attribute in ("src", "href"):
            for node in parsed.css(f"[{attribute}]"):
                target = node.attributes[attribute] or ""
                assert target.startswith("#"), target
                assert parsed.css_first(f"[id='{target[1:]}']") is not None, target
        assert parsed.css("script, link") == []
        assert parsed.css("form") == []
        ids = re.findall(r'\sid="([^"]+)"', page)
        assert len(ids) == len(set(ids))
        assert "Ms. Rivera" in page
        assert page.count("<svg") > 20

    def test_what_is_withheld_is_not_in_it(self) -> None:
        page = scorecard_as_file(sample_report())
        assert len(re.findall("Grade 7", page)) == 1

    def test_it_speaks_spanish(self) -> None:
        page = scorecard_as_file(sample_report(), language="es")
        assert 'lang="es"' in page
        assert "Qué se cuenta" in page

    def test_an_empty_scorecard_is_a_page_too(self) -> None:
        report = replace(sample_report(), groups=[GroupFigures(EVERYBODY)], groups_before=(), restated=())
        assert "No families are on the roster yet." in scorecard_as_file(report)

    def test_a_group_without_mailboxes_has_no_counts(self) -> None:
        report = replace(sample_report(), groups=[figures(EVERYBODY, 50, counts=Counts())], groups_before=())
        assert "What the service counted" not in scorecard_as_file(report)
        assert "What the service counted" in scorecard_as_file(sample_report())

    def test_a_school_too_small_for_any_figure_says_so(self) -> None:
        report = replace(sample_report(), groups=[withheld(EVERYBODY)], groups_before=(), restated=())
        page = scorecard_as_file(report)
        assert "<svg" not in page
        assert page.count("so that nobody can be recognized") >= 4
