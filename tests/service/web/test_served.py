"""`alliance web` serves the pages behind a proxy; settings that cannot work are refused in one sentence."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from fastapi import Request

from config import ConfigError, load
from config.settings import MailboxSettings, MaildirFolder, Settings, Stage
from service.doctor.finding import Level
from service.doctor.mailboxes import notices
from service.notifications import serving
from service.web.sign_in import PER_CLIENT, client_of
from tests.servers.required import free_ports
from tests.service.web.school_pages import ALLIANCE, RIVERA, URL, form_at, school_pages, settings_of

CONFIGURATION = """
[school]
name = "Maple"
timezone = "America/Chicago"
[office]
address = "office@maple.example"
phone = "555-0100"
[service]
notices_from = "alliance@maple.example"
[imap]
host = "imap.maple.example"
[smtp]
host = "smtp.maple.example"
[web]
url = "https://inbox.maple.example"
listen = "127.0.0.1:8766"
[[staff]]
address = "lee@maple.example"
name = "Sam Lee"
role = "office"
[[staff]]
address = "lee@maple.example"
name = "Sam Lee"
role = "leader"
[[mailboxes]]
address = "rivera@maple.example"
teacher = "Ms. Rivera"
"""
PATIENCE = 60.0
HOST = {"Host": "inbox.maple.example"}


@contextmanager
def running(config: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", "from service.cli import main; main()", "web", "--config", str(config)]
    root = str(Path(__file__).parents[3])
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, cwd=root, env={**os.environ, "PYTHONPATH": root}
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_command_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    config = tmp_path / "alliance.toml"
    config.write_text(CONFIGURATION.replace("8766", str(port)))
    with running(config) as process:
        assert process.stderr is not None
        said = next(line for line in process.stderr if "the web pages are served" in line)
        assert f"127.0.0.1:{port}" in said
        answer = httpx.get(f"http://127.0.0.1:{port}/sign-in", headers=HOST, trust_env=False, timeout=PATIENCE)
        assert (answer.status_code, "server" in answer.headers) == (200, False)
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('notices_from = "alliance@maple.example"', "", "notices_from: expected the mailbox that sign-in links"),
        ("https://inbox", "http://inbox", "web.url"),
        ("inbox.maple.example", "inbox.maple.example/pages", "web.url"),
        ('role = "office"', 'role = "nurse"', 'staff[1].role: expected "teacher", "office", "leader" or'),
        ('"lee@maple.example"\nname = "Sam Lee"\nrole = "leader"', '"lee@maple.example"\nname = "S"\nrole = "leader"',
         "staff[2].name: expected one name for one address (it is Sam Lee above)"),
        ('"lee@maple.example"\nname = "Sam Lee"\nrole = "office"', '"office@maple.example"\nname="x"\nrole = "office"',
         "staff[1].address: expected an address that one person alone reads"),
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    config = tmp_path / "alliance.toml"
    config.write_text(CONFIGURATION)
    assert load(config, {}).web is not None
    config.write_text(CONFIGURATION.replace(old, new, 1) if old in CONFIGURATION else "")
    with pytest.raises(ConfigError) as refused:
        load(config, {})
    assert sentence in str(refused.value)


@pytest.mark.parametrize("believed", [True, False])
def test_only_the_proxy_is_believed_about_a_visitor_s_address(believed: bool) -> None:
    """Whoever may choose their own address can try as often as they like."""
    proxies = ("127.0.0.1",) if believed else ("192.0.2.1",)
    with school_pages() as pages, serving(pages.app, "127.0.0.1:0", setting="web.listen", proxies=proxies) as address:
        limit = PER_CLIENT.tries
        statuses = []
        with httpx.Client(base_url=address, headers=HOST, trust_env=False, timeout=PATIENCE) as http:
            shown = http.get("/sign-in")
            visit = shown.headers["set-cookie"].partition(";")[0]
            form = form_at(shown.text, "/sign-in")
            for number in range(limit + 1):
                headers = {"X-Forwarded-For": f"203.0.113.{number}", "Cookie": visit, "Origin": URL}
                sent = {**form, "address": f"nobody{number}@elsewhere.example"}
                statuses.append(http.post("/sign-in", data=sent, headers=headers).status_code)
    assert set(statuses[:limit]) == {303}
    assert statuses[limit] == (303 if believed else 429)


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("not an address", "unknown"),
    ],
)
def test_a_client_is_an_address_or_a_household_s_network(host: str, client: str) -> None:

    assert client_of(Request({"type": "http", "client": (host, 1), "headers": []})) == client


class TestTheDoctor:
    def of(self, folder: Path, *, listed: bool) -> Settings:
        for name in ("alliance", "outgoing"):
            for part in ("new", "cur", "tmp"):
                (folder / name / part).mkdir(parents=True, exist_ok=True)
        maildir = MaildirFolder(path=folder / "alliance", outgoing=folder / "outgoing")
        own = MailboxSettings(address=ALLIANCE, teacher="x", connector="maildir", maildir=maildir, stage=Stage.TAG)
        teacher = own.model_copy(update={"address": RIVERA})
        return settings_of(mailboxes=(own,) if listed else (teacher,))

    def test_it_tries_the_mailbox_that_links_are_sent_from(self, tmp_path: Path) -> None:
        settings = self.of(tmp_path, listed=True)
        (found,) = notices(settings, {})
        assert (found.level, found.seen) == (Level.OK, f"sign-in links for the web pages are sent from {ALLIANCE}")
        shutil.rmtree(tmp_path / "alliance")
        (found,) = notices(settings, {})
        assert found.level is Level.FAIL
        assert "no sign-in link can be sent" in found.seen

    def test_it_says_where_no_mailbox_is_there_to_send_from(self, tmp_path: Path) -> None:
        (found,) = notices(self.of(tmp_path, listed=False), {})
        assert found.level is Level.FAIL
        assert ALLIANCE in found.seen
