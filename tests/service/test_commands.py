"""`alliance run`, `preview`, `outbox`, `retry`, `scorecard`, as an administrator calls them, on a Maildir school."""

import email
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.policy import SMTP
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner, Result

import classifier
from classifier.errors import ModelError
from connectors.errors import ConnectFailed, SendRejected
from connectors.maildir import MaildirMailbox
from service.cli import app
from tests.connectors.maildir_world import files_in, flags_of, make_maildir
from tests.servers.required import free_ports
from tests.service.maple import ANA, BO, OFFICE, OKAFOR, RIVERA, letter

ROOT = Path(__file__).parents[2]
ALLIANCE = (sys.executable, "-c", "from service.cli import main; main()")
URGENT = "Please do not let Leo get on the bus today. His father may not pick him up, call me before the bell rings."
ROUTINE = "Could you tell me which pages are for homework this week? Thank you."
GRAPH = """
[graph]
tenant = "t"
client_id = "c"
notification_url = "https://inbox.maple.example/told"
"""
_CONFIGURATION = """
[school]
name = "Maple Street School"
timezone = "America/Chicago"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
[office]
address = "office@maple.example"
phone = "555 0100"
[digest]
enabled = false
[service]
poll_seconds = 3600
[[mailboxes]]
address = "rivera@maple.example"
teacher = "Ms. Rivera"
team = "Comets"
connector = "maildir"
stage = "reply"
maildir = { path = "rivera", outgoing = "outgoing" }
[[mailboxes]]
address = "okafor@maple.example"
teacher = "Mr. Okafor"
team = "Rockets"
connector = "maildir"
stage = "tag"
maildir = { path = "okafor", outgoing = "outgoing" }
"""


class School:
    """A folder with a configuration, two Maildirs, and one for what is sent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("rivera", "okafor", "outgoing"):
            make_maildir(folder / name)
        (folder / "alliance.toml").write_text(_CONFIGURATION)
        self._letters = 0

    def call(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, [*arguments, "--config", str(self.folder / "alliance.toml")])

    def write(self, body: str, sender: str = ANA, to: str = RIVERA, *, ago: timedelta = timedelta()) -> None:
        self._letters += 1
        at = datetime.now(UTC) - ago
        mail = letter(self._letters, f"Letter {self._letters}", sender, [to], body, at, {})
        new = self.folder / to.partition("@")[0] / "new"
        path = new / f"{int(at.timestamp())}.M{self._letters}P1.maple"
        path.write_bytes(mail.as_bytes(policy=SMTP))
        os.utime(path, (at.timestamp(), at.timestamp()))

    def outgoing(self, recipient: str) -> int:
        mails = (email.message_from_bytes(path.read_bytes()) for path in files_in(self.folder / "outgoing"))
        return sum(mail["To"] == recipient for mail in mails)

    def everything(self) -> dict[str, tuple[int, bytes]]:
        files = (path for path in self.folder.rglob("*") if path.is_file())
        return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


@pytest.fixture(scope="module", autouse=True)
def _model() -> Iterator[None]:
    """The model is loaded once for all of these."""
    loaded = classifier.load()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(classifier, "load", lambda *_: loaded)
        yield


@pytest.fixture
def school(tmp_path: Path) -> School:
    return School(tmp_path)


@pytest.fixture
def connected(school: School) -> School:
    assert school.call("run", "--once").exit_code == 0
    return school


class TestRun:
    def test_once_tags_answers_and_routes_as_each_stage_allows_and_a_second_time_does_nothing(
        self, connected: School
    ) -> None:
        connected.write(URGENT)
        connected.write(ROUTINE, BO, OKAFOR)
        for _ in range(3):
            ran = connected.call("run", "--once")
            assert ran.exit_code == 0, ran.output
        assert (connected.outgoing(ANA), connected.outgoing(BO), connected.outgoing(OFFICE)) == (1, 0, 1)
        assert [bool(flags_of(path)) for box in ("rivera", "okafor") for path in files_in(connected.folder / box)] == [
            True,
            True,
        ]

    def test_a_mailbox_that_fails_makes_the_run_fail_and_is_named(self, connected: School) -> None:
        (connected.folder / "okafor").rename(connected.folder / "moved")
        connected.write(ROUTINE)
        ran = connected.call("run", "--once")
        assert ran.exit_code == 1
        assert OKAFOR in ran.stderr
        assert connected.outgoing(ANA) == 1

    def test_a_term_signal_ends_a_waiting_service_with_success(self, connected: School) -> None:
        connected.write(ROUTINE)
        config = str(connected.folder / "alliance.toml")
        command = [*ALLIANCE, "run", "--config", config]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as running:
            assert running.stderr is not None
            lines = []
            for line in running.stderr:
                lines.append(json.loads(line))
                if lines[-1]["event"] == "delivered":
                    running.send_signal(signal.SIGTERM)
            assert running.wait(60) == 0
        assert lines[-1]["event"] == "stopped"
        assert connected.outgoing(ANA) == 1
        assert not any(ANA in json.dumps(line) or "homework" in json.dumps(line) for line in lines)

    def test_a_running_service_answers_microsofts_question_whether_somebody_is_there(self, connected: School) -> None:
        (port,) = free_ports(1)
        config = connected.folder / "alliance.toml"
        config.write_text(config.read_text() + f'\n{GRAPH}notification_listen = "127.0.0.1:{port}"\n')
        command = [*ALLIANCE, "run", "--config", str(config)]
        answers = []
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=ROOT) as running:
            assert running.stderr is not None
            for line in running.stderr:
                if json.loads(line)["event"] == "running":
                    answers.append(httpx.post(f"http://127.0.0.1:{port}/told?validationToken=here%3F"))
                    running.send_signal(signal.SIGTERM)
            assert running.wait(60) == 0
        assert [(answer.status_code, answer.text) for answer in answers] == [(200, "here?")]

    def test_an_address_that_is_taken_is_a_clear_error(self, connected: School) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            config = connected.folder / "alliance.toml"
            listen = f"127.0.0.1:{taken.getsockname()[1]}"
            config.write_text(config.read_text() + f'\n{GRAPH}notification_listen = "{listen}"\n')
            ran = connected.call("run")
        assert ran.exit_code == 2
        assert "graph.notification_listen" in ran.stderr


class TestPreview:
    def test_as_json_it_tells_each_message_and_touches_nothing(self, school: School) -> None:
        school.write(URGENT, ago=timedelta(days=2))
        school.write(ROUTINE, BO, ago=timedelta(days=1))
        school.write(ROUTINE, BO, OKAFOR, ago=timedelta(days=30))
        before = school.everything()
        told = school.call("preview", "--json", "--days", "7")
        assert told.exit_code == 0, told.output
        first, second = (json.loads(line) for line in told.stdout.splitlines())
        assert (first["mailbox"], first["from"], first["tag"], first["routed"], first["answered"]) == (
            *(RIVERA, ANA, "urgent"),
            *(True, True),
        )
        assert (second["from"], second["tag"], second["routed"], second["answered"]) == (BO, "routine", False, True)
        assert school.everything() == before

    def test_for_people_it_sums_up(self, school: School) -> None:
        school.write(URGENT, ago=timedelta(days=2))
        told = school.call("preview", "-m", RIVERA)
        assert "1 answered, 1 to the office" in " ".join(told.stdout.split())
        assert "Okafor" not in told.stdout

    def test_an_unknown_mailbox_is_refused_with_those_there_are(self, school: School) -> None:
        told = school.call("preview", "--mailbox", "nobody@maple.example")
        assert told.exit_code == 2
        assert RIVERA in told.stderr

    def test_a_mailbox_that_cannot_be_read_is_named_and_the_other_is_shown(self, school: School) -> None:
        (school.folder / "rivera").rename(school.folder / "moved")
        school.write(ROUTINE, BO, OKAFOR)
        told = school.call("preview", "--json")
        assert told.exit_code == 1
        assert RIVERA in told.stderr
        assert BO in told.stdout


class TestOutbox:
    def set_aside(self, school: School, monkeypatch: pytest.MonkeyPatch) -> None:
        """A reply that the mail server refused."""
        school.write(ROUTINE)

        def refuses(*_: object) -> None:
            raise SendRejected("550 5.7.1 refused for good")

        with monkeypatch.context() as patched:
            patched.setattr(MaildirMailbox, "send_draft", refuses)
            school.call("run", "--once")

    def test_what_was_set_aside_is_shown_with_its_reason_and_sent_on_retry(
        self, connected: School, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.set_aside(connected, monkeypatch)
        (shown,) = json.loads(connected.call("outbox", "--json").stdout)["deliveries"]
        assert (shown["kind"], shown["state"], shown["error"]) == ("reply", "set aside", "550 5.7.1 refused for good")
        assert "set aside" in connected.call("outbox").stdout
        retried = connected.call("retry", str(shown["number"]))
        assert (retried.exit_code, retried.stdout.split()[0]) == (0, "1")
        connected.call("run", "--once")
        assert connected.outgoing(ANA) == 1
        assert json.loads(connected.call("outbox", "--json").stdout)["deliveries"] == []
        assert "done" in connected.call("outbox", "--all", "--json").stdout

    def test_an_empty_outbox_says_so(self, connected: School) -> None:
        assert "Nothing waits" in connected.call("outbox").stdout

    def test_a_message_that_could_not_be_read_is_shown_and_read_again(
        self, connected: School, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patched:
            patched.setattr("service.pipeline.parse_message", lambda *_, **__: 1 / 0)
            connected.write(URGENT)
            connected.call("run", "--once")
        assert len(json.loads(connected.call("outbox", "--json").stdout)["messages_set_aside"]) == 1
        assert connected.outgoing(OFFICE) == 1, "it may be urgent: the office has it as it came"
        retried = connected.call("retry", "--all")
        assert retried.exit_code == 0, retried.output
        assert f"{RIVERA}: 1 messages read again, 0 still set aside" in retried.stdout
        connected.call("run", "--once")
        assert connected.outgoing(OFFICE) == 1

    def test_a_mailbox_that_cannot_be_opened_makes_the_retry_fail(
        self, connected: School, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with monkeypatch.context() as patched:
            patched.setattr("service.pipeline.parse_message", lambda *_, **__: 1 / 0)
            connected.write(URGENT)
            connected.call("run", "--once")

        def fails(*_: object) -> None:
            raise ConnectFailed("no route to host")

        monkeypatch.setattr(MaildirMailbox, "fetch", fails)
        retried = connected.call("retry", "--all")
        assert retried.exit_code == 1
        assert f"{RIVERA}: no route to host" in retried.stderr

    @pytest.mark.parametrize(("arguments", "code"), [((), 2), (("77",), 1), (("x",), 2)])
    def test_what_cannot_be_retried_is_said(self, connected: School, arguments: tuple[str, ...], code: int) -> None:
        assert connected.call("retry", *arguments).exit_code == code


class TestScorecard:
    def test_it_counts_the_mail_of_everybody_of_teams_and_of_teachers(self, connected: School) -> None:
        connected.write(URGENT)
        connected.write(ROUTINE, BO)
        connected.write(ROUTINE, BO, OKAFOR)
        connected.call("run", "--once")
        groups = json.loads(connected.call("scorecard", "--json", "--by", "team", "--by", "teacher").stdout)["groups"]
        counts = {row["title"]: row["counts"] for row in groups}
        assert {name: counts["Ms. Rivera"][name] for name in ("urgent", "routine", "answered", "routed")} == {
            "urgent": 1,
            "routine": 1,
            "answered": 2,
            "routed": 1,
        }
        assert (counts["Rockets"]["routine"], counts["Rockets"]["answered"]) == (1, 0)
        assert (counts["Maple Street School"]["routine"], counts["Maple Street School"]["urgent"]) == (2, 1)
        shown = connected.call("scorecard").stdout
        assert "Comets" in shown
        assert "No families are on the roster" in shown

    def test_before_the_first_message_it_says_so(self, connected: School) -> None:
        assert "Nothing to count yet" in connected.call("scorecard").stdout


COMMANDS = (("run", "--once"), ("preview",), ("outbox",), ("retry", "--all"), ("scorecard",))


class TestWhatIsWrong:
    """One clear sentence on standard error, exit code 2, no traceback."""

    @pytest.mark.parametrize("command", COMMANDS)
    def test_a_fault_in_the_configuration_is_named_with_its_line(
        self, school: School, command: tuple[str, ...]
    ) -> None:
        config = school.folder / "alliance.toml"
        config.write_text(config.read_text().replace('phone = "555 0100"', "fone = 1"))
        told = school.call(*command)
        assert told.exit_code == 2
        assert "fone" in told.stderr
        assert "Traceback" not in told.output

    @pytest.mark.parametrize("command", COMMANDS)
    def test_a_configuration_that_is_not_there_is_named(self, tmp_path: Path, command: tuple[str, ...]) -> None:
        told = CliRunner().invoke(app, [*command, "--config", str(tmp_path / "nothing.toml")])
        assert told.exit_code == 2
        assert "nothing.toml" in told.stderr

    @pytest.mark.parametrize("command", [command for command in COMMANDS if command != ("preview",)])
    def test_a_database_that_is_none_is_named_and_left_alone(self, school: School, command: tuple[str, ...]) -> None:
        (school.folder / "alliance.db").write_text("Dear Ms. Rivera, " * 100)
        told = school.call(*command)
        assert told.exit_code == 2
        assert "alliance.db" in told.stderr
        assert (school.folder / "alliance.db").read_text().startswith("Dear Ms. Rivera")

    def test_a_preview_needs_no_database(self, school: School) -> None:
        (school.folder / "alliance.db").write_text("Dear Ms. Rivera, " * 100)
        assert school.call("preview").exit_code == 0

    def test_a_database_that_fails_half_way_is_reported_without_a_word_of_what_it_holds(
        self, connected: School
    ) -> None:
        connected.write(ROUTINE)
        connected.call("run", "--once")
        with sqlite3.connect(connected.folder / "alliance.db") as database:
            database.execute("ALTER TABLE scorecard_tally RENAME TO elsewhere")
        command = [*ALLIANCE, "scorecard", "--config", str(connected.folder / "alliance.toml")]
        told = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
        assert told.returncode == 1
        assert told.stderr.startswith("The database refused: no such table: scorecard_tally")
        assert "Traceback" not in told.stderr

    def test_a_model_that_is_missing_is_said(self, school: School, monkeypatch: pytest.MonkeyPatch) -> None:
        def missing(*_: object) -> None:
            raise ModelError("there is no model; `alliance train` makes one")

        monkeypatch.setattr(classifier, "load", missing)
        told = school.call("run", "--once")
        assert told.exit_code == 2
        assert "alliance train" in told.stderr
