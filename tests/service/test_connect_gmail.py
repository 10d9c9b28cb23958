"""`alliance connect gmail`: a service account's key, or each teacher's consent, against an emulator and our front."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from typer.testing import Result

from tests.connectors.gmail_world import GmailWorld, google
from tests.servers.gmail_front import GmailFront
from tests.service.connecting_home import Home, Terminal, marks, words
from tests.service.test_connect import ALL, LETTER

RIVERA, OKAFOR = "rivera@maple.example", "okafor@maple.example"
ALL_BUT_NEWS = {**dict.fromkeys(ALL, "✓"), "hear of new mail": "–"}
MAILBOX = f"""
[gmail]
endpoint = "{{url}}"

[[mailboxes]]
address = "{RIVERA}"
teacher = "Ms. Rivera"
connector = "gmail"
"""


@pytest.fixture
def front() -> Iterator[GmailFront]:
    with google([RIVERA, OKAFOR]) as front:
        yield front


@pytest.fixture
def world(front: GmailFront) -> GmailWorld:
    made = GmailWorld(front, RIVERA)
    made.deliver(LETTER % RIVERA.encode())
    return made


@pytest.fixture
def home(tmp_path: Path, front: GmailFront, world: GmailWorld) -> Home:
    made = Home(tmp_path)
    made.configure(MAILBOX.format(url=front.url))
    made.secret("key.json", front.key())
    made.secret("client.json", front.client())
    return made


def secrets_in(text: str) -> list[str]:
    """What of a key or client must be seen nowhere."""
    found = json.loads(text)
    found = found.get("installed", found)
    private = [line for line in found.get("private_key", "").splitlines() if len(line) > 60]
    return [*private, *filter(None, [found.get("client_secret")])]


def connect(home: Home, *arguments: str) -> Result:
    return home.call("connect", "gmail", "--yes", *arguments)


class TestServiceAccount:
    def test_the_whole_way(self, home: Home, front: GmailFront, world: GmailWorld) -> None:
        run = connect(home, "--key-file", str(home.folder / "key.json"))
        assert run.exit_code == 0, run.output
        assert marks(run) == ALL_BUT_NEWS
        said = words(run)
        assert json.loads(front.key())["client_id"] in said
        assert "https://www.googleapis.com/auth/gmail.modify" in said
        assert "Manage Domain Wide Delegation" in said
        assert {"Alliance/Urgent", "Alliance/Conflict", "Alliance/Routine", "Alliance/Please check"} <= set(
            world.labels()
        )
        assert world.marks("leo@family.example").labels == frozenset()
        assert (world.drafts(), world.departed()) == ([], [])
        assert home.call("run", "--once").exit_code == 0
        assert home.leaks(*secrets_in(front.key()), *front.tokens) == []

    def test_a_key_that_may_not_act_for_the_teacher_is_told_the_page_and_what_to_enter(
        self, home: Home, front: GmailFront
    ) -> None:
        front.delegated_scopes.clear()
        run = connect(home, "--key-file", str(home.folder / "key.json"))
        assert run.exit_code == 1
        assert marks(run)["list the inbox"] == "✗"
        said = words(run)
        assert f"client ID {json.loads(front.key())['client_id']}" in said
        assert "admin.google.com" in said
        assert "Stored encrypted: gmail/service-account" in said

    def test_a_key_that_was_deleted_is_told_and_not_stored(self, home: Home, front: GmailFront) -> None:
        front.key_works = False
        run = connect(home, "--key-file", str(home.folder / "key.json"))
        assert run.exit_code == 1
        assert marks(run) == {"sign in": "✗", "the rest": "–"}
        assert "https://console.cloud.google.com/iam-admin/serviceaccounts" in words(run)
        assert "Not stored, since it was refused: gmail/service-account" in words(run)

    def test_a_file_that_is_no_key_is_refused_before_anything_is_tried(self, home: Home, front: GmailFront) -> None:
        run = connect(home, "--key-file", str(home.folder / "client.json"))
        assert run.exit_code == 2
        assert "not a service account's key" in words(run)
        assert home.leaks(*secrets_in(front.client())) == []


class TestConsent:
    @pytest.fixture(autouse=True)
    def _insecure(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The front is this machine's own, without TLS."""
        monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")

    def test_a_teacher_agrees_in_the_browser_of_this_machine(
        self, home: Home, front: GmailFront, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        front.consenting = RIVERA
        visits: list[threading.Thread] = []

        def browser(url: str) -> int:
            visits.append(threading.Thread(target=httpx.get, args=(url,), kwargs={"follow_redirects": True}))
            visits[-1].start()
            return 0

        monkeypatch.setattr("service.connecting.gmail.typer.launch", browser)
        run = connect(home, "--auth", "oauth", "--client-file", str(home.folder / "client.json"))
        for visit in visits:
            visit.join()
        assert run.exit_code == 0, run.output
        assert marks(run) == ALL_BUT_NEWS
        assert f"gmail/token/{RIVERA}" in words(run)
        assert home.leaks(*secrets_in(front.client()), *front.tokens, *front.refresh_tokens) == []
        assert connect(home).exit_code == 0  # not asked again

    def paste(self, home: Home, front: GmailFront) -> Terminal:
        """A person opens the address that is shown, agrees, and pastes where the browser ends."""
        arguments = ("--auth", "oauth", "--client-file", str(home.folder / "client.json"), "--no-browser")
        with home.terminal("connect", "gmail", *arguments) as terminal:
            url = terminal.wait_for(r"^(http://127\.0\.0\.1:\S+/auth\?\S+)$")[1]
            terminal.wait_for("shows no page: $")
            terminal.type(httpx.get(url).headers["Location"])
            terminal.wait_for(r"Write it there\? \[[yY]/[nN]\]: $")
            terminal.type("")
            terminal.end()
        return terminal

    def test_without_a_browser_the_address_that_it_ends_at_is_pasted(self, home: Home, front: GmailFront) -> None:
        front.consenting = RIVERA
        shown = self.paste(home, front).shown
        assert "It works." in shown
        assert f"gmail/token/{RIVERA}" in " ".join(shown.split())
        assert home.leaks(*secrets_in(front.client()), *front.tokens, *front.refresh_tokens) == []

    def test_somebody_elses_consent_opens_nothing_and_is_not_stored(self, home: Home, front: GmailFront) -> None:
        front.consenting = OKAFOR
        shown = " ".join(self.paste(home, front).shown.split())
        assert f"the credentials of {RIVERA} open the mailbox {OKAFOR}" in shown
        assert f"Not stored, since it was refused: gmail/token/{RIVERA}" in shown
        assert GmailWorld(front, OKAFOR).labels().keys().isdisjoint({"Alliance/Urgent"})
        assert f"gmail/token/{RIVERA}" not in home.call("credentials", "list").output
