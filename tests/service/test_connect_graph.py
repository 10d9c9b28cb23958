"""`alliance connect graph` against the stand-in for Microsoft 365: the whole way, and what is said of rights."""

import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import Result

from connectors import graph_http
from tests.connectors.test_graph_access import certificate
from tests.servers import graph as microsoft
from tests.servers.graph import GraphServer
from tests.service.connecting_home import Home, marks, words
from tests.service.test_connect import ALL, LETTER

RIVERA, OKAFOR, IT = "rivera@maple.example", "okafor@maple.example", "it@maple.example"
SECRET = "right~secret"
MAILBOXES = f"""
# Microsoft 365; the addresses are those of a stand-in.
[graph]
tenant = "unknown"
client_id = "unknown"   # from the Overview page
endpoint = "{{url}}"
authority = "{{url}}"

[[mailboxes]]
address = "{RIVERA}"
teacher = "Ms. Rivera"
connector = "graph"
"""
ALL_BUT_NEWS = {**dict.fromkeys(ALL, "✓"), "hear of new mail": "–"}


@pytest.fixture
def server() -> Iterator[GraphServer]:
    with microsoft.running(RIVERA, OKAFOR) as running:
        running.box(RIVERA).deliver(LETTER % RIVERA.encode())
        yield running


@pytest.fixture
def home(tmp_path: Path, server: GraphServer) -> Home:
    made = Home(tmp_path)
    made.configure(MAILBOXES.format(url=server.url))
    made.secret("secret", SECRET + "\n")
    return made


def connect(home: Home, server: GraphServer, *arguments: str) -> Result:
    ids = ("--tenant", server.login.tenant, "--client-id", server.login.client_id)
    return home.call("connect", "graph", "--yes", *ids, *arguments)


def test_the_whole_way_with_a_secret(home: Home, server: GraphServer) -> None:
    run = connect(home, server, "--secret-file", str(home.folder / "secret"))
    assert run.exit_code == 0, run.output
    assert marks(run) == ALL_BUT_NEWS
    box = server.box(RIVERA)
    assert (box.drafts(), list(box.departed), box.categories_of("leo@family.example")) == ([], [], [])
    assert "# from the Overview page" in home.config.read_text()
    assert server.login.tenant in home.config.read_text()
    assert home.call("run", "--once").exit_code == 0
    tokens = [token for token in server.login.tokens if len(token) > 40]
    assert tokens
    assert home.leaks(SECRET, *tokens) == []


def test_a_certificate_signs_in_and_stands_nowhere_in_clear(
    home: Home, server: GraphServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    trusted = ssl.create_default_context(cafile=str(server.certificates.authority))
    monkeypatch.setattr(graph_http, "_trusted", lambda: trusted)
    home.configure(MAILBOXES.format(url=server.secure_url))
    private, public = certificate()
    server.login.certificates.append(public)
    server.login.secret = None
    pem = home.secret("app.pem", private)
    run = connect(home, server, "--certificate-file", pem)
    assert run.exit_code == 0, run.output
    assert marks(run) == ALL_BUT_NEWS
    assert "graph/certificate" in words(home.call("credentials", "list"))
    assert home.leaks(*[line for line in private.splitlines() if len(line) > 60]) == []


def test_a_file_that_is_no_certificate_is_refused_before_anything_is_tried(home: Home, server: GraphServer) -> None:
    run = connect(home, server, "--certificate-file", str(home.folder / "secret"))
    assert run.exit_code == 2
    assert "the private key and the certificate" in words(run)
    assert home.leaks(SECRET) == []


@pytest.mark.parametrize(
    ("lacking", "failing"),
    [
        ({"Mail.Send"}, {"send"}),
        ({"Mail.ReadWrite"}, {"list the inbox", "look into Sent", "save a draft"}),
    ],
)
def test_a_right_that_lacks_is_named_with_the_command_that_gives_it(
    home: Home, server: GraphServer, lacking: set[str], failing: set[str]
) -> None:
    server.login.rights -= lacking
    run = connect(home, server, "--secret-file", str(home.folder / "secret"))
    assert run.exit_code == 1
    assert {name for name, mark in marks(run).items() if mark == "✗"} == failing
    said = words(run)
    for right in lacking:
        assert right in said
    assert "New-ManagementRoleAssignment" in said
    assert "entra.microsoft.com" in said
    assert "Stored encrypted: graph/secret" in said  # the secret itself is right
    server.login.rights |= lacking
    server.login.revoke()
    assert connect(home, server).exit_code == 0


def test_rights_to_read_alone_let_it_read_and_nothing_else(home: Home, server: GraphServer) -> None:
    server.login.rights.remove("Mail.ReadWrite")
    server.login.rights.add("Mail.Read")
    run = connect(home, server, "--secret-file", str(home.folder / "secret"))
    assert [marks(run)[name] for name in ALL[:4]] == ["✓"] * 4
    assert {name for name, mark in marks(run).items() if mark == "✗"} == {"put labels on", "save a draft"}
    assert run.output.count("New-ManagementRoleAssignment") == 1  # each trouble is told once


def test_a_wrong_secret_is_told_and_not_hidden_by_a_token_that_is_still_good(home: Home, server: GraphServer) -> None:
    assert connect(home, server, "--secret-file", str(home.folder / "secret")).exit_code == 0
    run = connect(home, server, "--secret-file", home.secret("wrong", "swordfish~x"))
    assert run.exit_code == 1
    assert marks(run) == {"sign in": "✗", "the rest": "–"}
    assert "Certificates & secrets" in words(run)
    assert "Not stored, since it was refused: graph/secret" in words(run)
    assert connect(home, server).exit_code == 0
    assert home.leaks("swordfish~x", SECRET) == []


def test_a_test_mail_is_sent_once_and_only_there(home: Home, server: GraphServer) -> None:
    run = connect(home, server, "--secret-file", str(home.folder / "secret"), "--send-test", IT)
    assert run.exit_code == 0, run.output
    (mail,) = server.box(RIVERA).departed
    assert f"To: {IT}".encode() in mail
    assert server.box(RIVERA).drafts() == []


class TestDeviceCode:
    def sign_in(self, home: Home, server: GraphServer, user: str, *arguments: str) -> Result:
        """Somebody types the code as soon as it is shown."""
        done = threading.Event()

        def approve() -> None:
            while not done.wait(0.02):
                if server.login.codes:
                    server.login.approve(user)
                    return

        teacher = threading.Thread(target=approve)
        teacher.start()
        try:
            return connect(home, server, "--auth", "device-code", *arguments)
        finally:
            done.set()
            teacher.join()

    def test_a_teacher_signs_in_and_needs_no_secret_of_the_school(self, home: Home, server: GraphServer) -> None:
        run = self.sign_in(home, server, RIVERA)
        assert run.exit_code == 0, run.output
        assert marks(run) == ALL_BUT_NEWS
        assert server.login.codes[-1].user_code in run.output
        assert f"Stored encrypted: graph/token/{RIVERA}" in words(run)
        assert 'auth = "device-code"' in home.config.read_text()
        assert home.leaks(*server.login.refreshable, *server.login.tokens) == []
        again = connect(home, server)
        assert again.exit_code == 0
        assert len(server.login.codes) == 1

    def test_somebody_else_who_signs_in_is_refused_and_nothing_is_stored(self, home: Home, server: GraphServer) -> None:
        run = self.sign_in(home, server, OKAFOR)
        assert run.exit_code == 1
        assert marks(run) == {"sign in": "✗", "the rest": "–"}
        assert OKAFOR in run.output
        assert "Nothing is stored" in home.call("credentials", "list").output


def test_without_a_secret_and_nobody_to_ask_it_says_which_option_lacks(home: Home, server: GraphServer) -> None:
    run = connect(home, server)
    assert run.exit_code == 2
    assert "--secret-file" in run.output


def test_a_person_is_led_through_it(home: Home, server: GraphServer) -> None:
    home.configure(
        f'[graph]\ntenant = "{server.login.tenant}"\nclient_id = "{server.login.client_id}"\n'
        f'endpoint = "{server.url}"\nauthority = "{server.url}"\n[[mailboxes]]\naddress = "{RIVERA}"\n'
        'teacher = "Ms. Rivera"\nconnector = "graph"\n'
    )
    run = home.call("connect", typed=f"\n\n{SECRET}\n")
    assert run.exit_code == 0, run.output
    assert "Certificates & secrets" in words(run)
    assert home.leaks(SECRET) == []
