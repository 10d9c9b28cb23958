"""Signing in by a link: once, soon, by the person it was sent to, and without telling who works here."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import structlog

from config import ConfigError
from config.settings import Role, Staff
from connectors.errors import ConnectFailed
from service.web.sign_in import PER_ADDRESS, PER_CLIENT, TRIES_PER_CLIENT, sign_in_url
from store import audit
from store.access import digest
from tests.service.web.school_pages import (
    ALLIANCE,
    LEE,
    PARK,
    RIVERA,
    STRANGER,
    URL,
    SchoolPages,
    form_at,
    link_in,
    school_pages,
    settings_of,
)


@pytest.fixture
def pages() -> Iterator[SchoolPages]:
    with school_pages() as made:
        yield made


def acts(pages: SchoolPages) -> list[tuple[str | None, str]]:
    return [(entry.person, entry.act) for entry in audit.entries(pages.database)]


class TestTheLink:
    def test_it_comes_by_mail_and_signs_in_with_a_click_on_its_page(self, pages: SchoolPages) -> None:
        browser = pages.browser()
        assert browser.get("/").headers["location"] == "/sign-in"
        answer = browser.sign_in(RIVERA)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        assert "Good morning, Ms. Rivera" in browser.get("/").text
        assert acts(pages) == [(RIVERA, "was sent a sign-in link"), (RIVERA, "signed in")]

    def test_the_mail_says_what_it_is_in_the_reader_s_language(self, pages: SchoolPages) -> None:
        pages.browser(**{"Accept-Language": "es-MX,es;q=0.9"}).ask(LEE)
        (mail,) = pages.mails()
        assert mail["From"] == f"Alliance Inbox <{ALLIANCE}>"
        assert (mail["To"], mail["Auto-Submitted"], mail["Content-Language"]) == (LEE, "auto-generated", "es")
        body = mail.get_body(("plain",))
        assert body is not None
        assert "Sam Lee" in body.get_content()
        assert "10:15" in body.get_content()
        html = mail.get_body(("html",))
        assert html is not None
        assert f'<a href="{URL}{link_in(mail)}"' in html.get_content()

    def test_opening_it_as_a_scanner_does_signs_nobody_in_and_uses_nothing_up(self, pages: SchoolPages) -> None:
        pages.browser().ask(RIVERA)
        link = pages.link_for(RIVERA)
        scanner = pages.browser(client="203.0.113.9")
        for _ in range(5):
            assert "Ms. Rivera" in scanner.get(link).text
        assert scanner.get("/").status_code == 303
        assert pages.browser().send(link, "/sign-in/link").status_code == 303

    def test_it_works_once(self, pages: SchoolPages) -> None:
        browser = pages.browser()
        browser.ask(RIVERA)
        link = pages.link_for(RIVERA)
        other = pages.browser()
        form = form_at(other.get(link).text, "/sign-in/link")
        browser.send(link, "/sign-in/link")
        late = other.http.post("/sign-in/link", data=form)
        assert late.status_code == 410
        assert "set-cookie" not in late.headers
        assert other.get("/").status_code == 303
        assert other.get(link).status_code == 410

    def test_it_works_until_it_is_too_old(self, pages: SchoolPages) -> None:
        browser = pages.browser()
        browser.ask(RIVERA)
        link = pages.link_for(RIVERA)
        pages.clock.forward(minutes=14, seconds=59)
        form = form_at(browser.get(link).text, "/sign-in/link")
        pages.clock.forward(seconds=1)
        assert browser.get(link).status_code == 410
        assert browser.http.post("/sign-in/link", data=form).status_code == 410

    def test_signing_in_uses_up_every_other_link_of_the_same_person(self, pages: SchoolPages) -> None:
        browser = pages.browser()
        browser.ask(RIVERA)
        first = pages.link_for(RIVERA)
        pages.browser().ask(LEE)
        browser.sign_in(RIVERA)
        assert browser.get(first).status_code == 410
        assert pages.browser().get(pages.link_for(LEE)).status_code == 200

    def test_of_two_workers_with_one_link_one_signs_in(self, pages: SchoolPages) -> None:
        pages.browser().ask(RIVERA)
        link = pages.link_for(RIVERA)
        with pages.another_worker() as other:
            browsers = [worker.browser() for worker in (pages, other, pages, other)]
            forms = [form_at(browser.get(link).text, "/sign-in/link") for browser in browsers]
            together = threading.Barrier(len(browsers))
            found: list[int] = []

            def press(number: int) -> None:
                together.wait()
                found.append(browsers[number].http.post("/sign-in/link", data=forms[number]).status_code)

            threads = [threading.Thread(target=press, args=(number,)) for number in range(len(browsers))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert sorted(found) == [303, 410, 410, 410]
        assert acts(pages).count((RIVERA, "signed in")) == 1

    def test_neither_links_nor_sessions_stand_in_the_database(self, pages: SchoolPages) -> None:
        browser = pages.browser()
        browser.sign_in(RIVERA)
        secrets = [pages.link_for(RIVERA).rpartition("/")[2].partition("?")[0], browser.http.cookies["__Host-session"]]
        dump = pages.dump()
        assert all(secret not in dump for secret in secrets)
        assert all(digest(secret) in dump for secret in secrets)

    def test_made_up_links_are_answered_like_old_ones(self, pages: SchoolPages) -> None:
        browser = pages.browser()
        for path in ("x", "x" * 5000, "%00", "..%2f", "ünïcode", "a'b\"<script>"):
            answer = browser.get(f"/sign-in/link/{path}")
            assert answer.status_code in (404, 410), path
            assert "<script" not in answer.text


class TestWhoComesIn:
    def test_nobody_learns_whose_address_is_known(self, pages: SchoolPages) -> None:
        answers = []
        for address in (RIVERA, STRANGER):
            browser = pages.browser()
            answer = browser.ask(address)
            answers.append((answer.status_code, answer.headers["location"], answer.text, sorted(answer.headers)))
            answers.append(browser.get("/sign-in/sent").text.replace(browser.http.cookies["__Host-visit"], ""))
        assert answers[0] == answers[2]
        assert [mail["To"] for mail in pages.mails()] == [RIVERA]

    def test_a_stranger_s_asking_writes_what_anybody_s_does(self, pages: SchoolPages) -> None:
        for address in (RIVERA, STRANGER):
            pages.browser().ask(address)
        with pages.database.read() as connection:
            links = connection.exec_driver_sql("SELECT person FROM sign_in_link").scalars().all()
            tries = connection.exec_driver_sql("SELECT count FROM throttle").scalars().all()
        assert sorted(links, key=str) == [None, RIVERA]
        assert sorted(tries) == [1, 1, 2]  # each address, and the client that asked for both

    def test_shared_mailboxes_are_nobody(self, pages: SchoolPages) -> None:
        for address in (ALLIANCE, "office@maple.example"):
            pages.browser().ask(address)
        assert pages.mails() == []

    def test_capitals_and_blanks_around_an_address_do_not_matter(self, pages: SchoolPages) -> None:
        pages.browser().ask("  Rivera@Maple.Example ")
        assert [mail["To"] for mail in pages.mails()] == [RIVERA]

    @pytest.mark.parametrize("address", ["", "rivera", "@", "rivera@", "a b@maple.example", "x" * 400 + "@a.example"])
    def test_what_is_no_address_is_asked_for_again(self, pages: SchoolPages, address: str) -> None:
        answer = pages.browser().ask(address)
        assert answer.status_code == 422
        assert 'role="alert"' in answer.text

    def test_somebody_who_leaves_the_school_is_out_at_once(self, pages: SchoolPages) -> None:
        browser = pages.browser()
        browser.sign_in(LEE)
        pages.browser().ask(LEE)
        assert browser.get("/").status_code == 200
        with pages.another_worker(settings_of(staff=())) as later:
            moved = later.browser()
            moved.http.cookies.update(browser.http.cookies)
            assert moved.get("/").status_code == 303
            link = pages.link_for(LEE)
            assert moved.get(link).status_code == 410
            form = form_at(pages.browser().get(link).text, "/sign-in/link")
            assert moved.http.post("/sign-in/link", data=form).status_code in (403, 410)

    def test_roles_add_up_for_one_person(self) -> None:
        settings = settings_of(staff=(Staff(address=RIVERA, name="Ms. Rivera", role=Role.LEADER),))
        with school_pages(settings) as pages:
            person = pages.site.people.find(RIVERA)
            assert person is not None
            assert person.roles == {Role.TEACHER, Role.LEADER}

    def test_a_link_that_cannot_be_sent_is_logged_without_the_link(self, pages: SchoolPages) -> None:
        pages.system.fail("save_draft", ConnectFailed("smtp.maple.example does not answer"), times=9)
        with structlog.testing.capture_logs() as logs:
            assert pages.browser().ask(RIVERA).status_code == 303
            assert pages.mails() == []
        assert [entry["tries_left"] for entry in logs if "tries_left" in entry] == [1, 0]
        assert "/sign-in/link" not in str(logs)
        assert acts(pages) == []
        pages.system.heal()
        assert pages.browser().sign_in(RIVERA).status_code == 303

    def test_without_a_mailbox_to_send_from_the_pages_do_not_start(self, tmp_path: Path) -> None:
        settings = settings_of().model_copy(update={"mailboxes": settings_of().mailboxes[:1]})
        boxless = settings.model_copy(update={"service": settings.service.model_copy(update={"notices_from": None})})
        with pytest.raises(ConfigError, match=r"service\.notices_from"):
            SchoolPages(tmp_path, boxless)
        with pytest.raises(ConfigError, match="web"):
            SchoolPages(tmp_path, settings.model_copy(update={"web": None}))


class TestSessions:
    def test_one_ends_when_nobody_has_looked_for_an_hour(self, pages: SchoolPages) -> None:
        browser = pages.browser()
        browser.sign_in(RIVERA)
        for _ in range(3):
            pages.clock.forward(minutes=59)
            assert browser.get("/").status_code == 200
        pages.clock.forward(minutes=61)
        assert browser.get("/").status_code == 303

    def test_one_ends_after_half_a_day_in_any_case(self, pages: SchoolPages) -> None:
        browser = pages.browser()
        browser.sign_in(RIVERA)
        begun = pages.clock.now
        while pages.clock.now < begun + timedelta(hours=11, minutes=30):
            assert browser.get("/").status_code == 200
            pages.clock.forward(minutes=30)
        assert browser.get("/").status_code == 200
        pages.clock.forward(minutes=30)
        assert browser.get("/").status_code == 303

    def test_signing_in_begins_a_new_one_and_ends_what_this_browser_had(self, pages: SchoolPages) -> None:
        browser = pages.browser()
        browser.sign_in(RIVERA)
        first = browser.http.cookies["__Host-session"]
        pages.browser().ask(LEE)
        browser.send(pages.link_for(LEE), "/sign-in/link")
        assert browser.http.cookies["__Host-session"] != first
        thief = pages.browser()
        thief.http.cookies.set("__Host-session", first, domain="inbox.maple.example")
        assert thief.get("/").status_code == 303
        assert "Sam Lee" in browser.get("/").text

    def test_signing_out_ends_it_on_the_server_too(self, pages: SchoolPages) -> None:
        browser = pages.browser()
        browser.sign_in(RIVERA)
        kept = browser.http.cookies["__Host-session"]
        assert browser.send("/", "/sign-out", where="").headers["location"] == "/signed-out"
        assert "__Host-session" not in browser.http.cookies
        thief = pages.browser()
        thief.http.cookies.set("__Host-session", kept, domain="inbox.maple.example")
        assert thief.get("/").status_code == 303
        assert acts(pages)[-1] == (RIVERA, "signed out")

    def test_signing_out_everywhere_ends_all_of_one_person_and_nobody_else_s(self, pages: SchoolPages) -> None:
        here, there, other = pages.browser(), pages.browser(), pages.browser()
        here.sign_in(RIVERA)
        there.sign_in(RIVERA)
        other.sign_in(LEE)
        assert "With 2 browsers" in here.get("/").text
        pages.browser().ask(RIVERA)
        waiting = pages.link_for(RIVERA)
        here.send("/", "/sign-out", where="everywhere")
        assert [browser.get("/").status_code for browser in (here, there, other)] == [303, 303, 200]
        assert pages.browser().get(waiting).status_code == 410
        assert acts(pages)[-1] == (RIVERA, "signed out everywhere")

    def test_a_cookie_that_nobody_gave_out_opens_nothing(self, pages: SchoolPages) -> None:
        for value in ("x", "x" * 5000, "' OR 1=1 --"):
            browser = pages.browser(Cookie=f"__Host-session={value}")
            assert browser.get("/").status_code == 303

    def test_two_workers_share_who_is_signed_in(self, pages: SchoolPages) -> None:
        browser = pages.browser()
        browser.sign_in(PARK)
        with pages.another_worker() as other:
            there = other.browser()
            there.http.cookies.update(browser.http.cookies)
            assert there.get("/").status_code == 200
            there.send("/", "/sign-out")
        assert browser.get("/").status_code == 303


class TestWhereToGo:
    def test_whoever_wanted_a_page_gets_there_after_signing_in(self, pages: SchoolPages) -> None:
        browser = pages.browser()
        asked = browser.get("/how-to-reach-me?language=vi")
        shown = asked.headers["location"]
        assert shown == "/sign-in?next=" + quote("/how-to-reach-me?language=vi", safe="")
        browser.send(shown, "/sign-in", address=RIVERA)
        answer = browser.send(pages.link_for(RIVERA), "/sign-in/link")
        assert answer.headers["location"] == "/how-to-reach-me?language=vi"

    @pytest.mark.parametrize(
        "elsewhere",
        [
            "https://evil.example/",
            "//evil.example/",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/%0d%0aLocation: https://evil.example\r\n",
            "javascript:alert(1)",
            "evil.example",
            "///evil.example",
            "/ /evil.example",
            "http:evil.example",
            "/[",
            "//[",
            "/x" * 600,
        ],
    )
    def test_nobody_is_sent_to_another_site(self, pages: SchoolPages, elsewhere: str) -> None:
        browser = pages.browser()
        browser.ask(RIVERA, next=elsewhere)
        answer = browser.send(pages.link_for(RIVERA), "/sign-in/link")
        assert answer.headers["location"].startswith("/")
        assert "evil" not in answer.headers["location"] or answer.headers["location"].startswith("/%0d")
        again = browser.get(f"/sign-in?next={quote(elsewhere, safe='')}")
        assert "evil.example" not in again.headers["location"].partition("/")[0]
        assert not again.headers["location"].startswith(("//", "/\\"))


class TestTooOften:
    def test_an_address_gets_a_few_links_and_then_a_pause(self, pages: SchoolPages) -> None:
        for address in (RIVERA, STRANGER):
            for number in range(PER_ADDRESS.tries):
                assert pages.browser(client=f"198.51.100.{number}").ask(address).status_code == 303
            refused = pages.browser(client="198.51.100.99").ask(address)
            assert refused.status_code == 429
            assert 0 < int(refused.headers["retry-after"]) <= PER_ADDRESS.window.total_seconds()
            assert "It works again from 10:15" in refused.text
        assert len(pages.mails()) == PER_ADDRESS.tries
        pages.clock.forward(minutes=15)
        assert pages.browser().ask(RIVERA).status_code == 303

    def test_one_client_cannot_try_all_addresses_and_two_workers_count_together(self, pages: SchoolPages) -> None:
        with pages.another_worker() as other:
            browsers = [pages.browser(client="2001:db8::1"), other.browser(client="2001:db8::ffff")]
            forms = [form_at(browser.get("/sign-in").text, "/sign-in") for browser in browsers]
            statuses = []
            for number in range(PER_CLIENT.tries + 1):
                browser, form = browsers[number % 2], forms[number % 2]
                form["address"] = f"teacher{number}@elsewhere.example"
                statuses.append(browser.http.post("/sign-in", data=form).status_code)
        assert set(statuses[:-1]) == {303}
        assert statuses[-1] == 429
        assert pages.browser(client="2001:db8:0:1::1").ask(RIVERA).status_code == 303

    def test_links_cannot_be_guessed_without_end(self, pages: SchoolPages, monkeypatch: pytest.MonkeyPatch) -> None:
        assert TRIES_PER_CLIENT.tries > PER_CLIENT.tries  # who got a link can use it
        monkeypatch.setattr("service.web.sign_in.TRIES_PER_CLIENT", replace(TRIES_PER_CLIENT, tries=5))
        browser = pages.browser()
        form = form_at(browser.get("/sign-in").text, "/sign-in")
        found = [browser.http.post("/sign-in/link", data={**form, "secret": f"guess {number}"}) for number in range(6)]
        assert [answer.status_code for answer in found] == [410] * 5 + [429]

    def test_the_database_does_not_say_who_tried(self, pages: SchoolPages) -> None:
        pages.browser(client="198.51.100.7").ask(STRANGER)
        dump = pages.dump()
        assert STRANGER not in dump
        assert "198.51.100.7" not in dump

    def test_what_is_old_is_forgotten(self, pages: SchoolPages) -> None:
        pages.browser().ask(STRANGER)
        pages.clock.forward(days=2)
        pages.browser().ask(RIVERA)
        with pages.database.read() as connection:
            count = "SELECT (SELECT count(*) FROM sign_in_link), (SELECT count(*) FROM throttle)"
            assert tuple(connection.exec_driver_sql(count).one()) == (1, 2)


def test_the_address_of_a_page_for_mails_leads_through_signing_in() -> None:
    with school_pages() as pages:
        assert sign_in_url(pages.site, "/items/7") == f"{URL}/sign-in?next=%2Fitems%2F7"
