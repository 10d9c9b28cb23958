"""What every page promises the browser, the reader, and whoever would misuse it."""

from collections.abc import Iterator
from io import BytesIO
from urllib.parse import quote

import pytest
import structlog
from docx import Document
from fastapi import APIRouter, Depends

from config.settings import Graph, MailboxSettings, Role, Staff
from connectors.graph_push import Lifecycle
from service.web import errors
from service.web.forms import LARGEST, local_path
from service.web.languages import language_of
from service.web.rendering import asset
from service.web.visits import one_of
from tests.service.web.school_pages import (
    LEE,
    PARK,
    RIVERA,
    URL,
    Browser,
    SchoolPages,
    form_at,
    school_pages,
    settings_of,
)

OPEN_TO_ALL = ("/sign-in", "/sign-in/sent", "/sign-in/link/none", "/signed-out", "/nowhere")
SIGNED_IN = ("/", "/items", "/items/live", "/how-to-reach-me", "/how-to-reach-me?language=ar", "/nowhere")


@pytest.fixture(scope="module")
def pages() -> Iterator[SchoolPages]:
    with school_pages() as made:
        yield made


@pytest.fixture(scope="module")
def rivera(pages: SchoolPages) -> Browser:
    browser = pages.browser()
    browser.sign_in(RIVERA)
    return browser


class TestHeaders:
    @pytest.mark.parametrize("path", [*OPEN_TO_ALL, *SIGNED_IN, asset("office.css"), asset("mark.svg")])
    def test_every_answer_holds_the_browser_to_our_own_files(self, rivera: Browser, path: str) -> None:
        headers = rivera.get(path).headers
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert {policy[kind] for kind in ("script-src", "style-src", "form-action")} == {"'self'"}
        assert headers["strict-transport-security"] == "max-age=31536000"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert "server" not in headers

    @pytest.mark.parametrize("path", [*OPEN_TO_ALL, *SIGNED_IN])
    def test_no_page_is_kept_by_the_browser_and_none_has_script_or_style_inside(
        self, rivera: Browser, path: str
    ) -> None:
        answer = rivera.get(path)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.text.count("<script") == answer.text.count('<script src="/static/')
        for inline in ("<style", " style=", " onclick=", " onload=", "javascript:"):
            assert inline not in answer.text

    def test_files_are_kept_for_ever_under_an_address_that_changes_with_them(self, rivera: Browser) -> None:
        answer = rivera.get(asset("office.css"))
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-type"].startswith("text/css")

    def test_cookies_are_for_this_host_over_https_and_out_of_reach_of_scripts(self, pages: SchoolPages) -> None:
        browser = pages.browser()
        browser.ask(PARK)
        link = pages.link_for(PARK)
        shown = browser.get("/sign-in?lang=es").headers.get_list("set-cookie")
        given = [*shown, *browser.send(link, "/sign-in/link").headers.get_list("set-cookie")]
        given += pages.browser().get("/sign-in").headers.get_list("set-cookie")
        assert {cookie.partition("=")[0] for cookie in given} == {"__Host-language", "__Host-session", "__Host-visit"}
        for cookie in given:
            flags = {flag.strip().lower() for flag in cookie.split(";")[1:]}
            assert {"httponly", "secure", "samesite=lax", "path=/"} <= flags
            assert not any(flag.startswith("domain") for flag in flags)

    @pytest.mark.parametrize(
        "host", ["evil.example", "inbox.maple.example.evil.example", "inbox.maple.example:8000", ""]
    )
    def test_another_host_s_name_is_refused(self, pages: SchoolPages, host: str) -> None:
        answer = pages.browser().get("/sign-in", Host=host)
        assert answer.status_code == 421
        assert "evil.example" not in answer.text


class TestForms:
    def test_a_form_without_its_token_changes_nothing(self, rivera: Browser) -> None:
        token = form_at(rivera.get("/").text, "/sign-out")["form"]
        for sent in ("", "x", token[:-1], token.upper() + "A", "\ud800"):
            body = {"form": sent.encode("utf-8", "surrogatepass")}
            assert rivera.http.post("/sign-out", data=body).status_code in (400, 403)
        assert rivera.get("/").status_code == 200

    @pytest.mark.parametrize("action", ["/sign-in", "/sign-in/link", "/sign-out"])
    def test_no_form_goes_through_from_a_browser_that_was_never_here(self, pages: SchoolPages, action: str) -> None:
        answer = pages.browser().http.post(action, data={"address": RIVERA, "form": "", "secret": "x"})
        assert answer.status_code == 403
        assert "Please try that once more" in answer.text

    def test_a_token_of_one_browser_is_of_no_use_in_another(self, pages: SchoolPages, rivera: Browser) -> None:
        mine = form_at(pages.browser().get("/sign-in").text, "/sign-in")
        other = pages.browser()
        other.get("/sign-in")
        assert other.http.post("/sign-in", data={**mine, "address": RIVERA}).status_code == 403
        token = form_at(rivera.get("/").text, "/sign-out")
        lee = pages.browser()
        lee.sign_in(LEE)
        assert lee.http.post("/sign-out", data=token).status_code == 403

    def test_a_token_from_before_signing_in_ends_with_it(self, pages: SchoolPages) -> None:
        browser = pages.browser()
        before = form_at(browser.get("/sign-in").text, "/sign-in")
        browser.sign_in(LEE)
        assert browser.http.post("/sign-out", data=before).status_code == 403

    @pytest.mark.parametrize(
        "headers",
        [
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://inbox.maple.example"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
        ],
    )
    def test_a_form_that_another_site_sends_is_refused_even_with_a_token(
        self, pages: SchoolPages, headers: dict[str, str]
    ) -> None:
        browser = pages.browser()
        assert browser.send("/sign-in", "/sign-in", headers, address=RIVERA).status_code == 403
        ours = {"Origin": URL, "Sec-Fetch-Site": "same-origin"}
        assert browser.send("/sign-in", "/sign-in", ours, address="nobody@maple.example").status_code == 303

    @pytest.mark.parametrize(
        ("content", "kind", "status"),
        [
            (b"x=" + b"y" * LARGEST, "application/x-www-form-urlencoded", 413),
            (b"&".join(b"a=1" for _ in range(51)), "application/x-www-form-urlencoded", 400),
            (b"address=%ff", "application/x-www-form-urlencoded", 400),
            (b"\xff", "application/x-www-form-urlencoded", 400),
            (b"{}", "application/json", 400),
            (b"--x\r\n", "multipart/form-data; boundary=x", 400),
            (b"", "", 400),
        ],
    )
    def test_what_is_no_form_of_ours_is_refused(
        self, pages: SchoolPages, content: bytes, kind: str, status: int
    ) -> None:
        answer = pages.browser().http.post("/sign-in", content=content, headers={"Content-Type": kind})
        assert answer.status_code == status
        assert "<main" in answer.text


class TestWhoSeesWhat:
    def test_a_page_for_others_says_so(self) -> None:
        with school_pages() as pages:
            router = APIRouter()

            @router.get("/for-the-office")
            def for_the_office() -> str:
                return "fine"

            allowed = one_of(Role.OFFICE, Role.ADMINISTRATOR)
            pages.app.include_router(router, dependencies=[Depends(allowed)])
            statuses = {}
            for address in (RIVERA, LEE, PARK):
                browser = pages.browser()
                assert browser.get("/for-the-office").headers["location"] == "/sign-in?next=%2Ffor-the-office"
                browser.sign_in(address)
                statuses[address] = browser.get("/for-the-office").status_code
                if address == RIVERA:
                    assert "This page is not for you" in browser.get("/for-the-office").text
            assert statuses == {RIVERA: 403, LEE: 200, PARK: 200}

    @pytest.mark.parametrize("path", ["/", "/how-to-reach-me", "/how-to-reach-me/word?language=en"])
    def test_nothing_of_the_staff_s_is_open_to_strangers(self, pages: SchoolPages, path: str) -> None:
        answer = pages.browser().get(path)
        assert (answer.status_code, answer.text) == (303, "")

    @pytest.mark.parametrize(
        "path", ["/docs", "/redoc", "/openapi.json", "/static/../people.py", "/static/", "/static"]
    )
    def test_nothing_else_is_served(self, pages: SchoolPages, path: str) -> None:
        assert pages.browser().get(path).status_code == 404

    def test_each_role_s_first_page_says_what_concerns_it(self, pages: SchoolPages, rivera: Browser) -> None:
        teacher = rivera.get("/").text
        assert "Your mailbox" in teacher
        assert "Nothing is written into your mailbox" in teacher
        lee = pages.browser()
        lee.sign_in(LEE)
        office = lee.get("/").text
        assert "Your mailbox" not in office
        assert "office@maple.example" in office


class TestTexts:
    HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>{{7*7}}"

    def test_names_are_shown_as_they_are_and_never_run(self) -> None:
        settings = settings_of(
            staff=(Staff(address=LEE, name=self.HOSTILE, role=Role.OFFICE),),
            mailboxes=(
                MailboxSettings(address=RIVERA, teacher=self.HOSTILE, connector="memory"),
                MailboxSettings(address="alliance@maple.example", teacher="x", connector="memory"),
            ),
        )
        with school_pages(settings) as pages:
            browser = pages.browser()
            browser.ask(LEE)
            link = pages.link_for(LEE)
            shown = [browser.get(link).text]
            browser.send(link, "/sign-in/link")
            shown += [browser.get(path).text for path in ("/", "/how-to-reach-me")]
            (mail,) = pages.mails()
            body = mail.get_body(("html",))
            assert body is not None
            for text in (*shown, body.get_content()):
                assert "<script" not in text
                assert "<img src=x" not in text
                assert "&lt;script&gt;" in text
                assert "{{7*7}}" in text

    @pytest.mark.parametrize("hostile", ['"><script>alert(1)</script>', "x' onfocus='alert(1)", "\x00\x1b[31m"])
    def test_what_somebody_typed_comes_back_harmless(self, pages: SchoolPages, hostile: str) -> None:
        browser = pages.browser()
        texts = [
            browser.ask(hostile).text,
            browser.http.get("/sign-in", params={"next": hostile, "lang": hostile}).text,
            browser.http.get(f"/{quote(hostile)}").text,
        ]
        for text in texts:
            assert "<script" not in text
            assert "' onfocus='" not in text

    def test_a_page_is_in_the_language_that_the_browser_asks_for_or_somebody_chose(self, pages: SchoolPages) -> None:
        spanish = pages.browser(**{"Accept-Language": "de, es-MX;q=0.8, en;q=0.1"})
        assert "Su dirección de la escuela" in spanish.get("/sign-in").text
        assert '<html lang="es" dir="ltr">' in spanish.get("/sign-in").text
        assert "Your school address" in spanish.get("/sign-in?lang=en").text
        assert "Your school address" in spanish.get("/sign-in").text

    def test_a_chosen_language_keeps_the_page_s_other_choices(self, rivera: Browser) -> None:
        text = rivera.get("/how-to-reach-me?language=vi").text
        assert 'href="?language=vi&amp;lang=es"' in text

    @pytest.mark.parametrize(
        ("chosen", "remembered", "accepted", "school", "found"),
        [
            ("es", "en", "en", ["en"], "es"),
            ("fr", "es", "en", ["en"], "es"),
            (None, None, "es", ["en"], "es"),
            (None, None, "de", ["es", "en"], "es"),
            (None, None, None, ["vi"], "en"),
            (None, None, "en;q=0.2,es;q=0.9", ["en"], "es"),
            (None, None, "es;q=0,en", ["es"], "en"),
            (None, None, "es;q=x,;;,,=", ["en"], "en"),
            (None, None, "x" * 10_000, ["en"], "en"),
        ],
    )
    def test_the_language_is_the_nearest_that_we_write(
        self, chosen: str | None, remembered: str | None, accepted: str | None, school: list[str], found: str
    ) -> None:
        assert language_of(chosen, remembered, accepted, school) == found

    def test_how_to_reach_a_teacher_is_shown_in_each_language_and_direction(self, rivera: Browser) -> None:
        arabic = rivera.get("/how-to-reach-me?language=ar").text
        assert '<article class="card letter" lang="ar" dir="rtl">' in arabic
        assert RIVERA in arabic
        assert 'lang="vi"' in rivera.get("/how-to-reach-me?language=vi").text.partition("<article")[2]
        assert rivera.get("/how-to-reach-me?language=xx").status_code == 200
        assert rivera.get("/how-to-reach-me?teacher=nobody@maple.example").status_code == 404

    def test_families_are_told_to_write_to_teachers_and_to_no_shared_mailbox(self, pages: SchoolPages) -> None:
        shared = settings_of(mailboxes=tuple(reversed(settings_of().mailboxes)))
        with school_pages(shared) as school:
            park = school.browser()
            park.sign_in(PARK)  # has no mailbox: the first teacher's is shown, not the first mailbox
            shown = park.get("/how-to-reach-me").text
            assert f'<option value="{RIVERA}" selected>' in shown
            assert "alliance@maple.example" not in shown
            for path in ("/how-to-reach-me?teacher=", "/how-to-reach-me/word?language=en&teacher="):
                assert park.get(f"{path}alliance@maple.example").status_code == 404
                assert park.get(f"{path}{RIVERA.title()}").status_code == 200

    def test_a_school_without_teachers_has_no_such_page(self) -> None:
        service_only = settings_of(mailboxes=settings_of().mailboxes[1:])
        with school_pages(service_only) as school:
            park = school.browser()
            park.sign_in(PARK)
            assert park.get("/how-to-reach-me").status_code == 404

    def test_it_can_be_saved_for_word(self, rivera: Browser) -> None:
        answer = rivera.get("/how-to-reach-me/word?language=es")
        assert answer.headers["content-disposition"] == 'attachment; filename="how-to-reach-me-es.docx"'
        document = Document(BytesIO(answer.content))
        assert any(RIVERA in paragraph.text for paragraph in document.paragraphs)
        assert rivera.get("/how-to-reach-me/word?language=xx").status_code == 404


class TestTrouble:
    def test_what_nobody_expected_is_a_page_in_plain_words_and_a_line_without_any(self) -> None:
        with school_pages() as pages:

            @pages.app.get("/breaks/{what}")
            def breaks(what: str) -> str:
                raise RuntimeError(f"a secret of {what}")

            with structlog.testing.capture_logs() as logs:
                answer = pages.browser().get("/breaks/something-private")
        assert answer.status_code == 500
        assert "Something went wrong here" in answer.text
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "secret" not in answer.text + str(logs)
        assert "something-private" not in str(logs)
        assert [entry["path"] for entry in logs] == ["/breaks/{what}"]

    def test_a_database_that_is_gone_is_said_in_plain_words_too(self) -> None:
        with school_pages() as pages:
            browser = pages.browser()
            browser.sign_in(RIVERA)
            with pages.database.write() as connection:
                connection.exec_driver_sql("DROP TABLE web_session")
            answer = browser.get("/")
        assert answer.status_code == 500
        assert "use the telephone as always" in answer.text

    @pytest.mark.parametrize(
        "path", ["/items/x/messages/mistyped", "/cases/mistyped", "/cases/" + "9" * 40, "/audit?before=x"]
    )
    def test_an_address_with_a_word_where_a_number_stands_gets_a_page_too(self, pages: SchoolPages, path: str) -> None:
        park = pages.browser()
        park.sign_in(PARK)
        answer = park.get(path)
        assert answer.status_code in (400, 404)
        assert "<h1" in answer.text
        assert "mistyped" not in answer.text

    @pytest.mark.parametrize("status", [400, 403, 404, 413, 421, 429, 418, 500, 503])
    def test_every_trouble_has_words(self, status: int) -> None:
        with school_pages() as pages:

            @pages.app.get("/trouble")
            def trouble() -> None:
                raise errors.HTTPException(status)

            answer = pages.browser().get("/trouble")
        assert answer.status_code == (500 if status in (418, 503) else status)
        assert "<h1" in answer.text


TOLD = Graph(tenant="t", client_id="c", notification_url="https://hooks.maple.example/graph/told")


def test_microsoft_s_notifications_arrive_at_their_own_address_and_nothing_else_does() -> None:
    taken: list[str] = []

    def take(client_state: str, lifecycle: Lifecycle | None) -> bool:
        taken.append(client_state)
        return True

    with school_pages(settings_of(graph=TOLD), notified=take) as pages:
        http = pages.browser().http
        there = {"Host": "hooks.maple.example"}
        told = {"value": [{"clientState": "ticket"}]}
        assert http.post("/graph/told", json=told, headers=there).status_code == 202
        assert http.get("/sign-in", headers=there).status_code == 421
        assert http.post("/graph/told", json=told).status_code == 202
        assert http.post("/graph/told", json=told, headers={"Host": "x.example"}).status_code == 421
    assert taken == ["ticket", "ticket"]


def test_a_process_that_reads_no_mailboxes_takes_no_notification_for_them() -> None:
    with school_pages(settings_of(graph=TOLD)) as pages:
        http = pages.browser().http
        assert http.post("/graph/told", json={"value": []}).status_code == 404
        assert http.post("/graph/told", json={"value": []}, headers={"Host": "hooks.maple.example"}).status_code == 421


@pytest.mark.parametrize("path", ["/", "/how-to-reach-me?language=vi&teacher=a%40b.example", "/items/7"])
def test_a_path_of_ours_is_left_as_it_is(path: str) -> None:
    assert local_path(path) == path
