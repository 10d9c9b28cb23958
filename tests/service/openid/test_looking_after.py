"""Storing the client secret, and what the doctor says of the provider."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from config import load
from service.connecting.keepsakes import where_to_revoke
from service.doctor.finding import Level
from service.doctor.openid import provider as examine
from service.web.openid import BACK
from tests.servers.openid_provider import CLIENT_ID, CLIENT_SECRET, OpenIdProvider, openid_provider
from tests.service.connecting_home import Home, words

URL = "https://inbox.maple.example"
CONFIGURATION = """
[service]
notices_from = "alliance@maple.example"
[imap]
host = "imap.maple.example"
[smtp]
host = "smtp.maple.example"
[web]
url = "{url}"
[web.openid]
issuer = "{issuer}"
client_id = "{client_id}"
name = "Maple Accounts"
ca_file = "authority.pem"
[[staff]]
address = "kim@oak.example"
name = "Kim Park"
role = "administrator"
[[mailboxes]]
address = "rivera@maple.example"
teacher = "Ms. Rivera"
"""
SECRET = {"ALLIANCE_SECRET_WEB_OPENID": CLIENT_SECRET}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenIdProvider]:
    with openid_provider({}, URL + BACK, tmp_path_factory.mktemp("provider")) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path, provider: OpenIdProvider) -> Home:
    made = Home(tmp_path)
    (tmp_path / "authority.pem").write_bytes(provider.authority.read_bytes())
    made.configure(CONFIGURATION.format(url=URL, issuer=provider.issuer, client_id=CLIENT_ID))
    return made


def seen(home: Home, environ: dict[str, str] | None = None) -> list[tuple[Level, str]]:
    settings = load(home.config, {})
    return [(each.level, each.seen) for each in examine(settings, environ or {}, datetime.now(UTC))]


class TestTheClientSecret:
    def test_it_is_stored_encrypted_and_shown_to_nobody(self, home: Home) -> None:
        stored = home.call("credentials", "store", "web/openid", "--file", home.secret("s", CLIENT_SECRET + "\n"))
        assert stored.exit_code == 0, stored.output
        (home.folder / "s").unlink()
        assert home.leaks(CLIENT_SECRET) == []
        assert "the web pages" in words(home.call("credentials", "list"))
        assert (
            Level.OK,
            f"the client secret is there; Maple Accounts must know {URL}{BACK} as where people come back to",
        ) in seen(home)

    def test_it_can_be_typed_unseen(self, home: Home) -> None:
        with home.terminal("credentials", "store", "web/openid") as terminal:
            terminal.wait_for(r"Client secret \(not shown\): $")
            terminal.type(CLIENT_SECRET)
            assert terminal.end() == 0, terminal.shown
        assert CLIENT_SECRET not in terminal.shown
        assert home.leaks(CLIENT_SECRET) == []

    def test_no_other_name_is_taken(self, home: Home) -> None:
        refused = home.call("credentials", "store", "graph/secret", "--file", home.secret("s", "x"))
        assert refused.exit_code == 2
        assert "alliance connect" in words(refused)
        assert not (home.folder / "vault").exists()

    def test_forgetting_it_says_where_to_revoke_it(self, home: Home) -> None:
        home.call("credentials", "store", "web/openid", "--file", home.secret("s", CLIENT_SECRET))
        gone = home.call("disconnect", "web/openid", "--yes")
        assert gone.exit_code == 0, gone.output
        assert "App registrations" in words(gone)
        assert "auth/clients" in where_to_revoke("web/openid")
        assert seen(home)[1][0] is Level.WARN


class TestTheDoctor:
    def test_it_asks_the_provider_and_names_who_is_left_out(self, home: Home) -> None:
        found = seen(home, SECRET)
        assert [level for level, _ in found] == [Level.OK, Level.OK]
        assert "with 1 key to check" in found[0][1]
        narrow = home.config.read_text().replace("ca_file", 'domains = ["maple.example"]\nca_file')
        home.config.write_text(narrow)
        assert seen(home, SECRET)[2:] == [
            (Level.WARN, "of another domain than Maple Accounts's accounts: kim@oak.example")
        ]

    def test_it_says_what_is_wrong_with_the_provider(self, home: Home, provider: OpenIdProvider) -> None:
        provider.turn_bad(document={"issuer": "https://evil.example"})
        try:
            level, said = seen(home, SECRET)[0]
        finally:
            provider.turn_bad()
        assert level is Level.WARN
        assert "another issuer's" in said

    def test_it_says_that_the_secret_lacks(self, home: Home) -> None:
        level, said = seen(home)[1]
        assert level is Level.WARN
        assert "there is no client secret" in said

    def test_it_says_that_the_certificate_cannot_be_used(self, home: Home) -> None:
        (home.folder / "authority.pem").write_text("no certificate")
        assert "web.openid.ca_file cannot be used" in seen(home, SECRET)[0][1]

    def test_a_school_without_a_provider_hears_nothing_of_it(self, home: Home) -> None:
        whole = home.config.read_text()
        home.config.write_text(whole[: whole.index("[web.openid]")] + whole[whole.index("[[staff]]") :])
        assert seen(home) == []


def test_a_client_secret_in_the_configuration_is_refused(home: Home) -> None:
    home.config.write_text(home.config.read_text().replace("client_id", 'client_secret = "x"\nclient_id'))
    refused = home.call("doctor")
    assert "secrets never stand in this file" in words(refused)
