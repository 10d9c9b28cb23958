"""`alliance connect exchange` against the stand-in for Exchange Server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import Result

from tests.servers import ews
from tests.servers.certificates import make_certificates
from tests.servers.ews import CLIENT, PASSWORD, SECRET, SERVICE, ExchangeServer
from tests.service.connecting_home import Home, marks, words
from tests.service.test_connect import ALL, LETTER

RIVERA, OKAFOR = "rivera@school.example", "okafor@school.example"
MAILBOX = f"""
[exchange]
endpoint = "{{url}}"
allow_insecure = true

[[mailboxes]]
address = "{RIVERA}"
teacher = "Ms. Rivera"
connector = "exchange"
"""


@pytest.fixture
def server() -> Iterator[ExchangeServer]:
    with ews.running(RIVERA, OKAFOR) as running:
        running.box(RIVERA).deliver(LETTER % RIVERA.encode())
        yield running


@pytest.fixture
def home(tmp_path: Path, server: ExchangeServer) -> Home:
    made = Home(tmp_path)
    made.configure(MAILBOX.format(url=server.url))
    made.secret("password", PASSWORD)
    return made


def connect(home: Home, *arguments: str) -> Result:
    return home.call("connect", "exchange", "--yes", *arguments)


def test_a_service_account_opens_every_mailbox_with_one_password(home: Home, server: ExchangeServer) -> None:
    run = connect(home, "--username", SERVICE, "--password-file", str(home.folder / "password"))
    assert run.exit_code == 0, run.output
    assert marks(run) == dict.fromkeys(ALL, "✓")
    box = server.box(RIVERA)
    assert (box.drafts(), box.departed, box.categories_of("leo@family.example")) == ([], [], set())
    assert f'username = "{SERVICE}"' in home.config.read_text()
    assert "exchange/password" in words(home.call("credentials", "list"))
    assert home.call("run", "--once").exit_code == 0
    assert home.leaks(PASSWORD) == []


def test_a_mailboxs_own_password_will_do(home: Home) -> None:
    run = connect(home, "--password-file", str(home.folder / "password"))
    assert run.exit_code == 0, run.output
    assert f"Stored encrypted: password/{RIVERA}" in words(run)


def test_an_application_signs_in_with_its_secret(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path / "tls")
    with ews.running(RIVERA, version="SE", kinds=("bearer",), certificates=certificates) as server:
        server.box(RIVERA).deliver(LETTER % RIVERA.encode())
        home = Home(tmp_path)
        home.configure(MAILBOX.format(url=server.url).replace("allow_insecure = true", ""))
        application = ("--auth", "oauth", "--tenant", "tenant", "--client-id", CLIENT, "--authority", server.authority)
        authority = ("--ca-file", str(certificates.authority))
        run = connect(home, *application, *authority, "--secret-file", home.secret("secret", SECRET))
        assert run.exit_code == 0, run.output
        assert marks(run) == dict.fromkeys(ALL, "✓")
        assert connect(home).exit_code == 0
    assert home.leaks(SECRET) == []


def test_a_service_account_without_the_role_is_told_the_command_that_gives_it(
    home: Home, server: ExchangeServer
) -> None:
    server.service.impersonates = ()
    run = connect(home, "--username", SERVICE, "--password-file", str(home.folder / "password"))
    assert run.exit_code == 1
    assert "New-ManagementRoleAssignment" in words(run)
    assert "ApplicationImpersonation" in words(run)
    assert "Stored encrypted: exchange/password" in words(run)


def test_a_wrong_password_is_told_and_not_stored(home: Home) -> None:
    run = connect(home, "--username", SERVICE, "--password-file", home.secret("wrong", "swordfish"))
    assert run.exit_code == 1
    assert marks(run)["sign in"] == "✗"
    assert "Not stored, since it was refused: exchange/password" in words(run)
    assert home.leaks("swordfish") == []


def test_exchange_online_is_told_that_it_is_off_there_and_how_to_connect_by_graph(home: Home) -> None:
    endpoint = "https://outlook.office365.com/EWS/Exchange.asmx"
    password = str(home.folder / "password")
    run = connect(home, "--endpoint", endpoint, "--username", SERVICE, "--password-file", password)
    assert run.exit_code == 1
    said = words(run)
    assert "switched Exchange Web Services off" in said
    assert 'connector = "graph"' in said
    assert "docs/connect/microsoft-365.md" in said


def test_an_endpoint_in_clear_is_refused_before_anything_is_tried(home: Home) -> None:
    home.config.write_text(home.config.read_text().replace("allow_insecure = true\n", ""))
    run = connect(home, "--endpoint", "http://mail.maple.example/EWS/Exchange.asmx", "--password-file", "-")
    assert run.exit_code == 2
    assert "https" in run.output
