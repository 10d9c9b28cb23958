"""Signing in with the school's own accounts: the whole way, at an OpenID provider that others wrote."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit

import pytest
import structlog

from config.secrets import Secrets
from config.settings import OpenId, Settings, Web
from service.connecting.keepsakes import OPENID_SECRET
from service.web.openid import ARRIVALS, BACK, DEPARTURES
from store import audit
from tests.servers.openid_provider import CLIENT_ID, CLIENT_SECRET, OpenIdProvider, openid_provider
from tests.servers.required import free_ports
from tests.service.web.school_pages import (
    LEE,
    PARK,
    RIVERA,
    STRANGER,
    URL,
    Browser,
    SchoolPages,
    school_pages,
    settings_of,
)

ACCOUNTS = {
    "rivera": {"email": "Rivera@Maple.Example", "email_verified": True, "name": "Somebody Else"},
    "lee": {"email": LEE, "email_verified": True},
    "stranger": {"email": "stranger@maple.example", "email_verified": True},
    "outsider": {"email": STRANGER, "email_verified": True},
    "unverified": {"email": RIVERA, "email_verified": False},
    "silent": {"email": RIVERA},
    "in words": {"email": RIVERA, "email_verified": "true"},
    "kelvin": {"email": "par\u212a@maple.example", "email_verified": True},
    "by name": {"preferred_username": RIVERA, "email": "anything@elsewhere.example"},
    "nobody": {},
}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenIdProvider]:
    with openid_provider(ACCOUNTS, URL + BACK, tmp_path_factory.mktemp("provider")) as running:
        yield running


def with_provider(provider: OpenIdProvider, **changes: object) -> Settings:
    openid = OpenId(issuer=provider.issuer, client_id=CLIENT_ID, name="Maple Accounts", ca_file=provider.authority)
    return settings_of(web=Web(url=URL, openid=openid.model_copy(update=changes)))


@pytest.fixture
def pages(provider: OpenIdProvider) -> Iterator[SchoolPages]:
    with school_pages(with_provider(provider), secrets=Secrets.in_memory({OPENID_SECRET: CLIENT_SECRET})) as made:
        made.clock.now = datetime.now(UTC)
        yield made
    provider.turn_bad()


def acts(pages: SchoolPages) -> list[tuple[str | None, str, str]]:
    return [(entry.person, entry.act, entry.about) for entry in audit.entries(pages.database)]


def sent_off(browser: Browser, path: str = "/sign-in/openid") -> str:
    """Where these pages send a browser to."""
    answer = browser.get(path)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def come_from(provider: OpenIdProvider, browser: Browser, account: str, path: str = "/sign-in/openid") -> str:
    """Goes to the provider and signs in there; the address that the provider sends the browser back to."""
    return provider.log_in(sent_off(browser, path), account)


def signed_in(browser: Browser) -> bool:
    return bool(browser.get("/").status_code == 200)


def changed(url: str, **parameters: str | None) -> str:
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query)) | parameters
    return parts._replace(query=urlencode({name: value for name, value in query.items() if value is not None})).geturl()


class TestTheWay:
    def test_somebody_of_the_staff_comes_in_and_gets_where_they_wanted(
        self, pages: SchoolPages, provider: OpenIdProvider
    ) -> None:
        browser = pages.browser()
        asked = browser.get("/how-to-reach-me?language=vi").headers["location"]
        assert "Sign in with Maple Accounts" in browser.get(asked).text
        wanted = quote("/how-to-reach-me?language=vi", safe="")
        back = come_from(provider, browser, "rivera", f"/sign-in/openid?next={wanted}")
        answer = browser.get(back)
        assert (answer.status_code, answer.headers["location"]) == (303, "/how-to-reach-me?language=vi")
        assert "Ms. Rivera" in browser.get("/").text  # the name that the school gave, not the provider's
        assert acts(pages) == [(RIVERA, "signed in", "with Maple Accounts")]

    def test_the_request_is_what_the_standards_ask_for(self, pages: SchoolPages, provider: OpenIdProvider) -> None:
        browser = pages.browser()
        one, other = (parse_qs(urlsplit(sent_off(browser)).query) for _ in range(2))
        assert one["response_type"] == ["code"]
        assert set(one["scope"][0].split()) == {"openid", "email", "profile"}
        assert one["redirect_uri"] == [URL + BACK]
        assert one["code_challenge_method"] == ["S256"]
        for name in ("state", "nonce", "code_challenge"):
            assert len(one[name][0]) >= 43
            assert one[name] != other[name]
        dump = pages.dump()
        assert all(one[name][0] not in dump for name in ("state", "nonce", "code_challenge"))
        assert CLIENT_SECRET not in dump + str(one)

    def test_the_link_by_mail_works_beside_it(self, pages: SchoolPages) -> None:
        browser = pages.browser()
        assert browser.sign_in(LEE).status_code == 303
        assert signed_in(browser)
        assert browser.get("/sign-in/openid").headers["location"] == "/"

    def test_two_workers_share_who_is_on_the_way(self, pages: SchoolPages, provider: OpenIdProvider) -> None:
        browser = pages.browser()
        back = come_from(provider, browser, "lee")
        secrets = Secrets.in_memory({OPENID_SECRET: CLIENT_SECRET})
        worker = SchoolPages(pages.folder, beside=pages, secrets=secrets)
        try:
            there = worker.browser()
            there.http.cookies.update(browser.http.cookies)
            assert there.get(back).headers["location"] == "/"
            assert signed_in(there)
        finally:
            worker.close()

    def test_the_address_may_stand_at_the_userinfo_endpoint(self, tmp_path: Path) -> None:
        with openid_provider(ACCOUNTS, URL + BACK, tmp_path, in_id_token=False) as elsewhere:
            secrets = Secrets.in_memory({OPENID_SECRET: CLIENT_SECRET})
            with school_pages(with_provider(elsewhere), secrets=secrets) as made:
                made.clock.now = datetime.now(UTC)
                browser = made.browser()
                assert browser.get(come_from(elsewhere, browser, "lee")).status_code == 303
                assert signed_in(browser)
                other = made.browser()
                back = come_from(elsewhere, other, "rivera")
                elsewhere.turn_bad(path="/me", status=200, body=json.dumps({"sub": "lee", **ACCOUNTS["lee"]}))
                assert other.get(back).status_code == 403
                for access in ({"access_token": None}, {"token_type": "mac"}, {"access_token": "made up"}):
                    elsewhere.turn_bad()
                    back = come_from(elsewhere, other, "rivera")
                    elsewhere.turn_bad(access=access)
                    assert other.get(back).status_code in (403, 503)
                    assert not signed_in(other)

    def test_signing_out_ends_the_session_and_says_what_does_not_end(
        self, pages: SchoolPages, provider: OpenIdProvider
    ) -> None:
        browser = pages.browser()
        browser.get(come_from(provider, browser, "lee"))
        goodbye = browser.get(browser.send("/", "/sign-out").headers["location"])
        assert "this browser is still signed in there" in goodbye.text
        assert f'href="{provider.issuer}/session/end"' in goodbye.text
        assert not signed_in(browser)

    def test_no_form_on_the_pages_goes_to_another_site(self, pages: SchoolPages, provider: OpenIdProvider) -> None:
        """The button is a link: a browser holds a form's redirects against form-action, which names nobody else."""
        shown = pages.browser().get("/sign-in")
        assert "form-action 'self'" in shown.headers["content-security-policy"]
        assert provider.issuer not in shown.headers["content-security-policy"]
        assert '<a class="button" href="/sign-in/openid?next=/"' in shown.text


class TestWhoComesIn:
    @pytest.mark.parametrize(
        "account", ["stranger", "outsider", "unverified", "silent", "in words", "kelvin", "by name", "nobody"]
    )
    def test_nobody_whom_the_provider_does_not_vouch_for_or_the_school_does_not_know(
        self, pages: SchoolPages, provider: OpenIdProvider, account: str
    ) -> None:
        browser = pages.browser()
        answer = browser.get(come_from(provider, browser, account))
        assert answer.status_code == 403
        assert "We do not know this account" in answer.text
        assert "Choose another account" in answer.text
        assert "__Host-session" not in browser.http.cookies
        assert not signed_in(browser)
        assert acts(pages) == [(None, "was not let in", "with Maple Accounts")]
        assert STRANGER not in pages.dump()

    def test_whoever_took_the_wrong_account_may_choose_another(
        self, pages: SchoolPages, provider: OpenIdProvider
    ) -> None:
        browser = pages.browser()
        assert browser.get(come_from(provider, browser, "outsider")).status_code == 403
        url = sent_off(browser, "/sign-in/openid?choose=yes&next=/how-to-reach-me")
        assert parse_qs(urlsplit(url).query)["prompt"] == ["select_account"]
        assert browser.get(provider.log_in(url, "lee")).headers["location"] == "/how-to-reach-me"

    def test_a_school_may_take_the_address_from_a_claim_that_only_its_administrators_set(
        self, provider: OpenIdProvider
    ) -> None:
        settings = with_provider(provider, address_from="preferred_username")
        with school_pages(settings, secrets=Secrets.in_memory({OPENID_SECRET: CLIENT_SECRET})) as pages:
            pages.clock.now = datetime.now(UTC)
            browser = pages.browser()
            assert browser.get(come_from(provider, browser, "by name")).status_code == 303
            assert "Ms. Rivera" in browser.get("/").text

    def test_only_the_domains_that_are_named_come_in(self, provider: OpenIdProvider) -> None:
        settings = with_provider(provider, domains=("oak.example",))
        with school_pages(settings, secrets=Secrets.in_memory({OPENID_SECRET: CLIENT_SECRET})) as pages:
            pages.clock.now = datetime.now(UTC)
            browser = pages.browser()
            assert browser.get(come_from(provider, browser, "lee")).status_code == 403

    def test_a_session_that_somebody_slipped_in_before_is_not_the_one_that_begins(
        self, pages: SchoolPages, provider: OpenIdProvider
    ) -> None:
        browser = pages.browser()
        browser.http.cookies.set("__Host-session", "planted", domain="inbox.maple.example")
        browser.get(come_from(provider, browser, "lee"))
        thief = pages.browser()
        thief.http.cookies.set("__Host-session", "planted", domain="inbox.maple.example")
        assert signed_in(browser)
        assert not signed_in(thief)

    def test_signing_in_ends_what_this_browser_had(self, pages: SchoolPages, provider: OpenIdProvider) -> None:
        browser = pages.browser()
        back = come_from(provider, browser, "lee")
        browser.sign_in(PARK)
        before = browser.http.cookies["__Host-session"]
        assert browser.get(back).status_code == 303
        assert "Sam Lee" in browser.get("/").text
        thief = pages.browser()
        thief.http.cookies.set("__Host-session", before, domain="inbox.maple.example")
        assert not signed_in(thief)


HOSTILE = {
    "for another client": {"claims": {"aud": "somebody-else"}},
    "for another client too, and given to that one": {"claims": {"aud": [CLIENT_ID, "x"], "azp": "x"}},
    "for another client, as if asked for by us": {"claims": {"aud": "somebody-else", "azp": CLIENT_ID}},
    "for nobody": {"drop": ["aud"]},
    "of another issuer": {"claims": {"iss": "https://evil.example"}},
    "of no issuer": {"drop": ["iss"]},
    "too old": {"claims": {"exp": 1_700_000_000}},
    "that never ends": {"drop": ["exp"]},
    "whose end is no time": {"claims": {"exp": "9999999999"}},
    "from the future": {"claims": {"iat": 9_999_999_999, "exp": 9_999_999_999}},
    "that does not hold yet": {"claims": {"nbf": 9_999_999_999}},
    "without a signature": {"alg": "none"},
    "signed with the client secret": {"alg": "HS256", "key": "secret"},
    "signed with the public key as a secret": {"alg": "HS256", "key": "public"},
    "signed with another key": {"key": "other"},
    "signed with a key that nobody knows": {"key": "other", "kid": "other"},
    "of another trip": {"claims": {"nonce": "0" * 64}},
    "of no trip": {"drop": ["nonce"]},
    "of a trip without a name": {"claims": {"nonce": ""}},
    "about nobody": {"drop": ["sub"]},
    "about a number": {"claims": {"sub": 7}},
    "that belongs to another access": {"claims": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}},
    "that is none": "x",
    "of empty parts": "..",
    "that is nothing": "",
    "that is encrypted": "a.b.c.d.e",
    "of a list": "W10.W10.W10",
}


class TestHostileTokens:
    @pytest.mark.parametrize("token", HOSTILE.values(), ids=HOSTILE)
    def test_nobody_comes_in_with_a_token(self, pages: SchoolPages, provider: OpenIdProvider, token: object) -> None:
        browser = pages.browser()
        back = come_from(provider, browser, "lee")
        provider.turn_bad(token=token)
        with structlog.testing.capture_logs() as logs:
            answer = browser.get(back)
        assert answer.status_code == 403
        assert "Maple Accounts could not sign you in" in answer.text
        assert "Send me a link" in answer.text
        assert "__Host-session" not in browser.http.cookies
        assert not signed_in(browser)
        assert acts(pages) == []
        assert [entry["event"] for entry in logs] == ["somebody was not let in"]
        assert LEE not in str(logs)

    def test_a_token_that_is_right_but_for_an_unknown_claim_is_taken(
        self, pages: SchoolPages, provider: OpenIdProvider
    ) -> None:
        """The forgery as such is no reason: every refusal above is for what it says."""
        browser = pages.browser()
        back = come_from(provider, browser, "lee")
        provider.turn_bad(token={"claims": {"favourite_colour": "green"}})
        assert browser.get(back).status_code == 303
        assert signed_in(browser)

    def test_a_provider_that_changes_its_keys_is_believed_with_the_new_ones(
        self, pages: SchoolPages, provider: OpenIdProvider
    ) -> None:
        browser = pages.browser()
        provider.turn_bad(keys="other")
        back = come_from(provider, browser, "lee")
        provider.turn_bad()
        pages.clock.forward(minutes=2)
        assert browser.get(back).status_code == 303

    def test_keys_are_not_asked_for_with_every_token_that_nobody_knows(
        self, pages: SchoolPages, provider: OpenIdProvider
    ) -> None:
        browser = pages.browser()
        provider.turn_bad(keys="other")
        back = come_from(provider, browser, "lee")
        provider.turn_bad()
        assert browser.get(back).status_code == 403  # the set is seconds old

    @pytest.mark.parametrize("keys", [[], {"keys": 7}, [{"kty": "oct", "k": "AAAA"}], [7]])
    def test_keys_that_are_none_are_not_used(self, pages: SchoolPages, provider: OpenIdProvider, keys: object) -> None:
        provider.turn_bad(keys=keys)
        assert pages.browser().get("/sign-in/openid").status_code == 503


class TestStates:
    def test_a_state_is_good_for_once(self, pages: SchoolPages, provider: OpenIdProvider) -> None:
        browser = pages.browser()
        back = come_from(provider, browser, "lee")
        assert browser.get(back).headers["location"] == "/"
        assert browser.get(back).headers["location"] == "/"  # who is signed in already just goes on
        browser.send("/", "/sign-out")
        assert browser.get(back).status_code == 410
        assert not signed_in(browser)
        assert [act for _, act, _ in acts(pages)] == ["signed in", "signed out"]

    def test_of_several_that_come_at_once_with_one_state_one_signs_in(
        self, pages: SchoolPages, provider: OpenIdProvider
    ) -> None:
        browser = pages.browser()
        back = come_from(provider, browser, "lee")
        browsers = [pages.browser() for _ in range(4)]
        for each in browsers:
            each.http.cookies.update(browser.http.cookies)
        together, found = threading.Barrier(len(browsers)), []

        def arrive(each: Browser) -> None:
            together.wait()
            found.append(each.get(back).status_code)

        threads = [threading.Thread(target=arrive, args=(each,)) for each in browsers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(found) == [303, 410, 410, 410]

    def test_nobody_can_be_signed_in_as_somebody_else_by_an_address_that_they_were_sent(
        self, pages: SchoolPages, provider: OpenIdProvider
    ) -> None:
        attacker, victim = pages.browser(), pages.browser()
        back = come_from(provider, attacker, "lee")
        victim.get("/sign-in")
        assert victim.get(back).status_code == 410
        assert pages.browser().get(back).status_code == 410
        assert not signed_in(victim)
        assert attacker.get(back).status_code == 303  # the attempt did not use it up

    def test_a_code_of_one_trip_is_worth_nothing_on_another(self, pages: SchoolPages, provider: OpenIdProvider) -> None:
        """A stolen code, injected into a trip of the thief's own: the verifier of PKCE is another one."""
        victim, thief = pages.browser(), pages.browser()
        stolen = parse_qs(urlsplit(come_from(provider, victim, "lee")).query)["code"][0]
        own = come_from(provider, thief, "outsider")
        assert thief.get(changed(own, code=stolen)).status_code == 403
        assert not signed_in(thief)

    def test_whoever_takes_too_long_starts_again(self, pages: SchoolPages, provider: OpenIdProvider) -> None:
        browser = pages.browser()
        back = come_from(provider, browser, "lee")
        pages.clock.forward(minutes=15)
        answer = browser.get(back)
        assert answer.status_code == 410
        assert "That took too long" in answer.text

    @pytest.mark.parametrize("state", [None, "", "x", "x" * 5000, "\ud800", "' OR 1=1 --"])
    def test_made_up_states_lead_nowhere(self, pages: SchoolPages, provider: OpenIdProvider, state: str | None) -> None:
        browser = pages.browser()
        back = come_from(provider, browser, "lee")
        safe = state.encode("utf-8", "surrogatepass").decode("latin-1") if state else state
        assert browser.get(changed(back, state=safe)).status_code == 410
        assert not signed_in(browser)

    def test_an_answer_of_another_provider_is_refused(self, pages: SchoolPages, provider: OpenIdProvider) -> None:
        for said in ("https://evil.example", None):
            browser = pages.browser()
            back = come_from(provider, browser, "lee")
            assert browser.get(changed(back, iss=said)).status_code == 403
            assert not signed_in(browser)

    @pytest.mark.parametrize(
        "elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
    )
    def test_nobody_is_sent_to_another_site(self, pages: SchoolPages, provider: OpenIdProvider, elsewhere: str) -> None:
        browser = pages.browser()
        back = come_from(provider, browser, "lee", f"/sign-in/openid?next={quote(elsewhere, safe='')}")
        assert browser.get(back).headers["location"] == "/"
        assert signed_in(browser)
        again = browser.get(f"/sign-in/openid?next={quote(elsewhere, safe='')}")
        assert again.headers["location"] == "/"

    def test_no_other_site_starts_it(self, pages: SchoolPages) -> None:
        for where in ("cross-site", "same-site"):
            answer = pages.browser().get("/sign-in/openid", **{"Sec-Fetch-Site": where})
            assert answer.headers["location"] == "/sign-in"

    def test_what_is_old_is_forgotten(self, pages: SchoolPages) -> None:
        sent_off(pages.browser())
        pages.clock.forward(days=2)
        sent_off(pages.browser())
        with pages.database.read() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM openid_trip").scalar_one() == 1


class TestTrouble:
    def test_whoever_changes_their_mind_is_told_how_to_go_on(
        self, pages: SchoolPages, provider: OpenIdProvider
    ) -> None:
        browser = pages.browser()
        state = parse_qs(urlsplit(sent_off(browser)).query)["state"][0]
        answer = browser.get(f"{BACK}?error=access_denied&error_description=<script>x</script>&state={state}")
        assert answer.status_code == 400
        assert "You did not sign in with Maple Accounts" in answer.text
        assert "<script" not in answer.text

    def test_an_error_of_the_provider_is_in_the_log_in_our_words(
        self, pages: SchoolPages, provider: OpenIdProvider
    ) -> None:
        for error, said in (("server_error", "server_error"), ("rivera@maple.example", "an error of its own")):
            browser = pages.browser()
            state = parse_qs(urlsplit(sent_off(browser)).query)["state"][0]
            with structlog.testing.capture_logs() as logs:
                assert browser.get(f"{BACK}?error={error}&state={state}").status_code == 400
            assert [entry["reason"] for entry in logs] == [said]

    def test_a_provider_that_is_down_is_said_and_the_link_is_offered(self) -> None:
        (port,) = free_ports(1)
        openid = OpenId(issuer=f"https://127.0.0.1:{port}", client_id="x", name="Maple Accounts", timeout_seconds=2)
        settings = settings_of(web=Web(url=URL, openid=openid))
        with school_pages(settings, secrets=Secrets.in_memory({OPENID_SECRET: "x"})) as pages:
            browser = pages.browser()
            with structlog.testing.capture_logs() as logs:
                answer = browser.get("/sign-in/openid?next=/how-to-reach-me")
            assert answer.status_code == 503
            assert "Maple Accounts does not answer at the moment" in answer.text
            assert 'name="next" value="/how-to-reach-me"' in answer.text
            assert [entry["event"] for entry in logs] == ["signing in with the provider does not work"]
            assert browser.sign_in(LEE).status_code == 303

    @pytest.mark.parametrize(
        "badness",
        [
            {"path": "/.well-known/openid-configuration", "status": 500},
            {"path": "/.well-known/openid-configuration", "status": 302},
            {"path": "/.well-known/openid-configuration", "status": 200, "body": "<html>"},
            {"document": {"more": "x" * 600_000}},
            {"path": "/jwks", "status": 404},
            {"document": {"issuer": "https://evil.example"}},
            {"document": {"token_endpoint": "http://127.0.0.1/token"}},
            {"document": {"authorization_endpoint": None}},
            {"document": {"jwks_uri": "file:///etc/passwd"}},
            {"document": {"response_types_supported": ["id_token"]}},
            {"document": {"code_challenge_methods_supported": ["plain"]}},
            {"document": {"id_token_signing_alg_values_supported": ["none", "HS256"]}},
        ],
    )
    def test_a_provider_that_is_none_sends_nobody_anywhere(
        self, pages: SchoolPages, provider: OpenIdProvider, badness: dict[str, object]
    ) -> None:
        provider.turn_bad(**badness)
        answer = pages.browser().get("/sign-in/openid")
        assert answer.status_code == 503
        assert "Send me a link" in answer.text

    @pytest.mark.parametrize(
        "badness",
        [
            {"path": "/token", "status": 500},
            {"path": "/token", "status": 200, "body": "<html>"},
            {"path": "/token", "status": 302},
            {"path": "/token", "status": 200, "body": "[]"},
            {"path": "/token", "status": 200, "body": "{}"},
            {"path": "/token", "status": 400, "body": '{"error": "invalid_client"}'},
            {"path": "/token", "status": 400, "body": '{"error": "rivera@maple.example"}'},
        ],
    )
    def test_a_provider_that_gives_no_token_signs_nobody_in(
        self, pages: SchoolPages, provider: OpenIdProvider, badness: dict[str, object]
    ) -> None:
        browser = pages.browser()
        back = come_from(provider, browser, "lee")
        provider.turn_bad(**badness)
        with structlog.testing.capture_logs() as logs:
            answer = browser.get(back)
        assert answer.status_code in (403, 503)
        assert "Send me a link" in answer.text
        assert not signed_in(browser)
        assert RIVERA not in str(logs)

    def test_a_provider_that_falters_later_is_used_as_it_was(
        self, pages: SchoolPages, provider: OpenIdProvider
    ) -> None:
        sent_off(pages.browser())
        provider.turn_bad(path="/.well-known/openid-configuration", status=500)
        pages.clock.forward(hours=2)
        assert sent_off(pages.browser()).startswith(provider.issuer)

    def test_a_provider_that_did_not_answer_is_asked_again_after_a_while(
        self, pages: SchoolPages, provider: OpenIdProvider
    ) -> None:
        provider.turn_bad(path="/jwks", status=500)
        assert pages.browser().get("/sign-in/openid").status_code == 503
        provider.turn_bad()
        assert pages.browser().get("/sign-in/openid").status_code == 503
        pages.clock.forward(seconds=15)
        assert sent_off(pages.browser()).startswith(provider.issuer)

    def test_without_a_client_secret_the_page_offers_the_link_and_the_log_says_what_to_do(
        self, provider: OpenIdProvider
    ) -> None:
        with school_pages(with_provider(provider)) as pages, structlog.testing.capture_logs() as logs:
            assert pages.browser().get("/sign-in/openid").status_code == 503
        assert "alliance credentials store web/openid" in str(logs)

    def test_a_wrong_client_secret_signs_nobody_in(self, provider: OpenIdProvider) -> None:
        with school_pages(with_provider(provider), secrets=Secrets.in_memory({OPENID_SECRET: "wrong"})) as pages:
            pages.clock.now = datetime.now(UTC)
            browser = pages.browser()
            with structlog.testing.capture_logs() as logs:
                assert browser.get(come_from(provider, browser, "lee")).status_code == 403
            assert "invalid_client" in str(logs)
            assert not signed_in(browser)

    def test_another_authority_s_certificate_is_not_trusted(self, provider: OpenIdProvider) -> None:
        settings = with_provider(provider, ca_file=None)
        with school_pages(settings, secrets=Secrets.in_memory({OPENID_SECRET: CLIENT_SECRET})) as pages:
            assert pages.browser().get("/sign-in/openid").status_code == 503

    @pytest.mark.parametrize("path", ["/sign-in/openid", BACK])
    def test_where_no_provider_is_named_there_is_no_such_page(self, path: str) -> None:
        with school_pages() as pages:
            assert pages.browser().get(path).status_code == 404
            assert "/sign-in/openid" not in pages.browser().get("/sign-in").text

    def test_neither_way_can_be_tried_without_end(self, pages: SchoolPages, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, limit in (("ARRIVALS", ARRIVALS), ("DEPARTURES", DEPARTURES)):
            assert limit.tries >= 200  # a whole school behind one address, each with a mistake
            monkeypatch.setattr(f"service.web.openid.{name}", replace(limit, tries=3))
        browser = pages.browser()
        found = [browser.get(f"{BACK}?state=x{number}&code=x").status_code for number in range(4)]
        assert found == [410, 410, 410, 429]
        found = [browser.get("/sign-in/openid").status_code for _ in range(4)]
        assert found == [303, 303, 303, 429]
        pages.clock.now += timedelta(minutes=10)
        assert browser.get("/sign-in/openid").status_code == 303
