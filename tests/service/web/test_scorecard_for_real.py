"""The page and the mail over real figures, read from the database as they are in a school."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from selectolax.lexbor import LexborHTMLParser

from config.settings import MailboxSettings, Role, Service, Staff, Web
from scorecard.report import Indicator
from service.weekly import WeeklyMail
from store.scorecard_tables import Grouping, Measure
from tests.scorecard.figures_of_maple import FALL, OKAFOR, RIVERA, SPRING, Figures, settings_of
from tests.service.desks_of_maple import got, text_of
from tests.service.maple import Maple
from tests.service.web.office_pages import REED
from tests.service.web.school_pages import ALLIANCE, URL, Browser, SchoolPages, school_pages

COMETS = (Grouping.TEAM, "Comets")
THIRD, FOURTH, FIFTH = ((Grouping.GRADE, f"/0{grade}") for grade in (3, 4, 5))
TEACHERS = ((Grouping.TEACHER, RIVERA), (Grouping.TEACHER, OKAFOR))
MONDAY = datetime(2026, 11, 9, 13, 5, tzinfo=UTC)


def school() -> Any:
    """The settings of a school with pages and a principal."""
    settings = settings_of()
    own = MailboxSettings(address=ALLIANCE, teacher="Alliance Inbox", connector="memory")
    return settings.model_copy(
        update={
            "web": Web(url=URL),
            "service": Service(database="sqlite://", notices_from=ALLIANCE),
            "staff": (Staff(address=REED, name="Dr. Reed", role=Role.LEADER),),
            "mailboxes": (*settings.mailboxes, own),
        }
    )


def fill(figures: Figures) -> None:
    """Sixty families in three grades, one of which is too small; half of them with Ms. Rivera."""
    figures.families(30, THIRD, COMETS, TEACHERS[0], introduced=24, written=25, answered=15)
    figures.families(26, FOURTH, COMETS, TEACHERS[1], introduced=13, written=20, answered=8)
    figures.families(4, FIFTH, COMETS, introduced=1, written=3, answered=1)
    figures.families(50, THIRD, COMETS, term=SPRING, introduced=25, written=40, answered=16)
    for day in (date(2026, 9, 14), date(2026, 9, 15), date(2026, 10, 1)):
        figures.case(day, day + timedelta(days=3), THIRD, COMETS)
    figures.mail(RIVERA, date(2026, 11, 2), urgent=3, routine=40, conflict=2)


@pytest.fixture
def pages() -> Iterator[SchoolPages]:
    with school_pages(school()) as made:
        made.clock.now = MONDAY
        fill(Figures(made.database, made.settings))
        yield made


@pytest.fixture
def reed(pages: SchoolPages) -> Browser:
    browser = pages.browser()
    browser.sign_in(REED)
    return browser


def said(answer: Any) -> str:
    body = LexborHTMLParser(answer.text).css_first("main")
    assert body is not None
    return " ".join(unescape(body.text(separator=" ")).split())


def test_a_principal_sees_what_happened(reed: Browser) -> None:
    page = said(reed.get("/scorecard"))
    assert "63% 38 of 60 families had good news by the end of week 4." in page
    assert "13 points more than in Spring at the same time." in page
    assert "50% 24 of 48 families who were written to wrote back." in page
    assert "3 school days Plans agreed: 3. Still open: 0." in page
    assert "Urgent messages 3" in page
    assert "Grade 5 not shown" in page


def test_what_is_too_small_and_what_would_tell_of_it_has_no_page_and_no_events(reed: Browser) -> None:
    shown = said(reed.get("/scorecard"))
    hidden = [key for key in ("/03", "/04", "/05") if f"Grade {key[-1]} not shown" in shown]
    assert "/05" in hidden
    assert len(hidden) >= 2
    for key in hidden:
        query = urlencode({"of": key})
        assert reed.get(f"/scorecard/grade?{query}").status_code == 404
        for indicator in Indicator:
            assert reed.get(f"/scorecard/events/{indicator}/grade?{query}").status_code == 404


def test_the_events_behind_a_figure_are_as_many_as_it_says(reed: Browser) -> None:
    page = reed.get("/scorecard/events/first_contact/all")
    assert "63% (38 of 60)" in said(page)
    rows = [row.text(separator="|") for row in LexborHTMLParser(page.text).css("tbody tr")]
    assert len(rows) == 60
    assert sum("good news in time" in row for row in rows) == 38
    assert sum("no good news yet" in row for row in rows) == 22


def test_a_teacher_sees_themselves_and_no_colleague(pages: SchoolPages) -> None:
    browser = pages.browser()
    browser.sign_in(RIVERA)
    came = browser.get("/scorecard")  # the school less herself would be one colleague's figures
    assert (came.status_code, came.headers["Location"]) == (303, f"/scorecard/teacher?{urlencode({'of': RIVERA})}")
    own = said(browser.get(f"/scorecard/teacher?{urlencode({'of': RIVERA})}"))
    assert "80% 24 of 30 families had good news by the end of week 4." in own
    for path in ("scorecard/teacher", "scorecard/events/first_contact/teacher"):
        assert browser.get(f"/{path}?{urlencode({'of': OKAFOR})}").status_code == 404


def test_a_term_that_is_over_keeps_its_page(reed: Browser) -> None:
    page = said(reed.get(f"/scorecard?{urlencode({'term': SPRING.id})}"))
    assert "50% 25 of 50 families had good news by the end of week 4." in page


def test_what_the_mail_told_and_late_data_changed_stands_on_the_page(pages: SchoolPages, reed: Browser) -> None:
    maple = Maple(database=pages.database)
    maple.settings = pages.settings
    maple.clock.now = MONDAY
    WeeklyMail(maple.assembly(), environ={}).tell()
    raw = maple.system.departed[-1][1].decode()
    assert re.search(r"Subject: Alliance Scorecard: good news 63%, two-way 50%", raw)
    assert "Told otherwise before" not in said(reed.get("/scorecard"))
    # Six calls of September come to light.
    Figures.tally(
        _Late(pages),
        (Grouping.ALL, ""),
        Measure.POSITIVE,
        date(2026, 9, 7).isoformat(),
        6,  # type: ignore[arg-type]
    )
    assert "Good news by week 4, week of Nov 2: told as 63%, now 73%, after late data." in said(reed.get("/scorecard"))
    maple.clock.forward(days=7)
    pages.clock.forward(days=7)
    WeeklyMail(maple.assembly(), environ={}).tell()
    assert len(maple.system.departed) == 2
    assert "was 63%, and is 73% with late data" in text_of(got(maple, REED)[-1])


class _Late:
    """What `Figures.tally` needs."""

    def __init__(self, pages: SchoolPages) -> None:
        self.database = pages.database


def test_without_a_day_of_figures_the_page_says_so() -> None:
    with school_pages(school()) as empty:
        browser = empty.browser()
        browser.sign_in(REED)
        assert "There are no figures yet." in said(browser.get("/scorecard"))
        assert browser.get(f"/scorecard/grade?{urlencode({'of': '/03'})}").status_code == 404
        assert browser.get(f"/scorecard/events/two_way/all?{urlencode({'term': FALL.id})}").status_code == 404
