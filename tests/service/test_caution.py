"""A message that kills whoever reads it, past every `except`, or whoever carries out what was planned about it: real
processes die of it, a supervisor starts them again, and the office hears of it, once, while every other letter is
tagged and every family answered once."""

import email
import email.policy
import json
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from connectors.labels import KEYWORDS, Label
from service.cli import app
from store.database import Database
from store.queue_schema import QueueSchema
from tests.servers.postgres import postgres

RIVERA, OKAFOR = "rivera@maple.example", "okafor@maple.example"
BODY = "Could you tell me which pages are for homework this week? Thank you.\r\n"
LONG = BODY * 4
PATIENCE = 170.0
"""Seconds."""
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.service.one_run"])
_CONFIGURATION = """
[school]
name = "Maple Street School"
timezone = "America/Chicago"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
opens = 00:01:00
closes = 23:58:00
languages = ["en"]

[office]
address = "office@maple.example"
phone = "555 0100"

[digest]
enabled = false

[service]
database = "{database}"
poll_seconds = 1
settle_seconds = 0
lease_seconds = 60
"""
_MAILBOX = """
[[mailboxes]]
address = "{address}"
teacher = "Ms. {name}"
stage = "reply"
connector = "maildir"
maildir.path = "{folder}"
maildir.outgoing = "outgoing"
"""


def _perform(arguments: list[str], log: Path) -> None:
    from tests.service.deadly_process import perform  # noqa: PLC0415 - loaded by the fork server, not by the test

    perform(arguments, log)


class School:
    """Two teachers' Maildirs, and a supervisor."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder, self.log, self._letters = folder, folder / "service.log", 0
        self.config = folder / "alliance.toml"
        written = _CONFIGURATION.format(database=database)
        for address in (RIVERA, OKAFOR):
            name = address.partition("@")[0]
            written += _MAILBOX.format(address=address, name=name.title(), folder=folder / name)
            for part in ("new", "cur", "tmp"):
                (folder / name / part).mkdir(parents=True)
        written = written.replace('"outgoing"', f'"{folder / "outgoing"}"')
        self.config.write_text(written)
        for part in ("new", "cur", "tmp"):
            (folder / "outgoing" / part).mkdir(parents=True)

    def write(self, to: str, body: str = BODY, sender: str = "") -> str:
        """A mail arrives. Returns its subject, which no other has."""
        self._letters += 1
        subject = f"letter {self._letters} of this week"
        mail = (
            f"From: {sender or f'family{self._letters}@family.example'}\r\nTo: {to}\r\nSubject: {subject}\r\n"
            f"Message-ID: <letter{self._letters}@family.example>\r\nDate: {format_datetime(datetime.now(UTC))}\r\n"
            f"\r\n{body}"
        )
        name = f"{1_800_000_000 + self._letters}.M{self._letters}P1.other"
        inbox = self.folder / to.partition("@")[0] / "new"
        (inbox.parent / "tmp" / name).write_bytes(mail.encode())
        (inbox.parent / "tmp" / name).rename(inbox / name)
        return subject

    def labels(self, to: str) -> dict[str, set[Label]]:
        """What a teacher's mail program shows, by subject."""
        inbox = self.folder / to.partition("@")[0]
        letters = inbox / "dovecot-keywords"
        rows = [line.split(" ") for line in letters.read_text().splitlines()] if letters.exists() else []
        meaning = {"abcdefghijklmnopqrstuvwxyz"[int(number)]: keyword for number, keyword in rows}
        words = {keyword: label for label, keyword in KEYWORDS.items()}
        found = {}
        for path in [*(inbox / "new").iterdir(), *(inbox / "cur").iterdir()]:
            flags = path.name.partition(":2,")[2]
            subject = path.read_bytes().partition(b"Subject: ")[2].partition(b"\r\n")[0].decode()
            found[subject] = {words[meaning[flag]] for flag in flags if flag in meaning}
        return found

    def relabel(self, to: str, subject: str, label: Label) -> None:
        """The teacher gives a letter another label, in their own mail program."""
        inbox = self.folder / to.partition("@")[0]
        (path,) = [
            path for path in (inbox / "cur").iterdir() if f"Subject: {subject}\r\n".encode() in path.read_bytes()
        ]
        rows = [line.split(" ") for line in (inbox / "dovecot-keywords").read_text().splitlines()]
        (number,) = [int(number) for number, keyword in rows if keyword == KEYWORDS[label]]
        path.rename(path.with_name(f"{path.name.partition(':2,')[0]}:2,{'abcdefghijklmnopqrstuvwxyz'[number]}"))

    def sent(self) -> list[bytes]:
        """What left the school."""
        return [path.read_bytes() for path in sorted((self.folder / "outgoing").rglob("*")) if path.is_file()]

    def at_the_office(self, subject: str) -> int:
        """How often the office got a letter, as it came or sealed."""
        line = f"Subject: {subject}\r\n".encode()
        parts = [part for mail in self._to_the_office() for part in mail.iter_attachments()]
        return sum(line in part.as_bytes(policy=email.policy.SMTP) or line in _sealed(part) for part in parts)

    def answers(self, family: str) -> int:
        """How often a family was answered."""
        heads = [mail.partition(b"\r\n\r\n")[0] for mail in self.sent()]
        return sum(f"To: {family}".encode() in head for head in heads)

    def told(self) -> list[str]:
        """Subjects of what the office got without any letter."""
        return [mail["Subject"] for mail in self._to_the_office() if not list(mail.iter_attachments())]

    def outbox(self, *shown: str) -> list[dict[str, str]]:
        """The deliveries, as the administrator sees them."""
        said = CliRunner().invoke(app, ["outbox", "-c", str(self.config), "--json", *shown]).output
        deliveries: list[dict[str, str]] = json.loads(said)["deliveries"]
        return deliveries

    def once(self) -> int:
        """`alliance run --once`. Returns how it ended."""
        process = self._process(["run", "--once"])
        process.start()
        process.join(PATIENCE)
        assert process.exitcode is not None
        return process.exitcode

    def wait_for_leases(self) -> None:
        """Time passes until what somebody left may be taken up."""
        database = Database.at(str(self.folder / "alliance.db"))
        with database.write() as connection:
            connection.exec_driver_sql("UPDATE delivery SET lease_until = created_at WHERE state = 'working'")
        database.close()

    def supervised(self, commands: Sequence[Sequence[str]], until: Callable[[], bool]) -> int:
        """Runs these commands, each again whenever it dies, until that is so. Returns how often one died."""
        running: list[ForkServerProcess] = []
        deaths, end = 0, time.monotonic() + PATIENCE
        try:
            running = [self._process(list(command)) for command in commands]
            for process in running:
                process.start()
            while not until():
                assert time.monotonic() < end, self.log.read_text(errors="replace")[-6000:]
                for number, process in enumerate(running):
                    if process.exitcode is not None:
                        assert process.exitcode < 0, self.log.read_text(errors="replace")[-6000:]
                        deaths += 1
                        running[number] = self._process(list(commands[number]))
                        running[number].start()
                time.sleep(0.1)
        finally:
            for process in running:
                if process.pid is not None and process.exitcode is None:
                    process.terminate()
            for process in running:
                process.join(30)
        assert all(process.exitcode in (0, -signal.SIGTERM) for process in running)
        return deaths

    def _to_the_office(self) -> list[EmailMessage]:
        mails = [email.message_from_bytes(mail, policy=email.policy.default) for mail in self.sent()]
        return [mail for mail in mails if mail["To"] == "office@maple.example"]

    def _process(self, arguments: list[str]) -> ForkServerProcess:
        command = [*arguments, "--config", str(self.config)]
        return _PROCESSES.Process(target=_perform, args=(command, self.log))


def _sealed(part: EmailMessage) -> bytes:
    content = part.get_content() if part.get_content_type() == "application/octet-stream" else b""
    return bytes(content)


@pytest.fixture
def school(tmp_path: Path) -> School:
    school = School(tmp_path, str(tmp_path / "alliance.db"))
    assert school.once() == 0
    return school


def tagged(school: School, to: str, subjects: Sequence[str]) -> bool:
    labels = school.labels(to)
    return all(Label.ROUTINE in labels[subject] for subject in subjects)


def test_a_mail_that_kills_goes_to_the_office_and_all_others_are_read(school: School) -> None:
    deadly = f"this mail kills\r\n{LONG}"
    before = [school.write(RIVERA) for _ in range(3)]
    killing = school.write(RIVERA, deadly)
    behind = [school.write(RIVERA, sender="ana@family.example") for _ in range(2)]
    others = [school.write(OKAFOR)]
    copy = school.write(OKAFOR, deadly)
    others.append(school.write(OKAFOR))

    def all_is_done() -> bool:
        done = tagged(school, RIVERA, [*before, *behind]) and tagged(school, OKAFOR, others)
        done = done and school.at_the_office(killing) > 0 and school.at_the_office(copy) > 0
        # What a process that died was sending is taken up when its lease is over.
        done = done and all(school.answers(f"family{number}@family.example") for number in (1, 2, 3, 7, 9))
        return done and all(Label.CHECK in school.labels(to)[mail] for to, mail in ((RIVERA, killing), (OKAFOR, copy)))

    assert school.supervised([["run"]], all_is_done) == 3
    assert school.once() == 0
    assert [school.at_the_office(mail) for mail in (killing, copy)] == [1, 1]
    assert [school.at_the_office(mail) for mail in (*before, *behind, *others)] == [0] * 7
    assert school.answers("ana@family.example") == 1
    assert [school.answers(f"family{number}@family.example") for number in (1, 2, 3, 7, 9)] == [1] * 5
    assert [school.answers(f"family{number}@family.example") for number in (4, 8)] == [0, 0]
    said = CliRunner().invoke(app, ["outbox", "-c", str(school.config), "--json"]).output
    assert said.count("reading it ended the service") == 2
    shown = json.loads(CliRunner().invoke(app, ["status", "-c", str(school.config), "--json"]).output)
    assert shown["queue"]["unread"] == 2


def test_the_command_for_one_round_gets_by_it_too_and_what_comes_later_is_read_without_care(school: School) -> None:
    killing = school.write(RIVERA, "this mail aborts")
    letter = school.write(RIVERA)
    assert [school.once() for _ in range(4)] == [-signal.SIGABRT] * 3 + [0]
    assert (school.at_the_office(killing), tagged(school, RIVERA, [letter])) == (1, True)
    later = school.write(RIVERA)
    assert school.once() == 0
    assert tagged(school, RIVERA, [later])
    assert school.at_the_office(killing) == 1
    with Database.at(str(school.folder / "alliance.db")).read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM careful_mailbox").scalar() == 0
        assert connection.exec_driver_sql("SELECT count(*) FROM reading_trace").scalar() == 1


def test_a_letter_in_which_an_administrator_killed_the_service_twice_is_read(school: School) -> None:
    unlucky, letter = school.write(RIVERA, "this mail is unlucky\r\n" + BODY), school.write(RIVERA)
    assert [school.once() for _ in range(3)] == [-signal.SIGKILL] * 2 + [0]
    assert tagged(school, RIVERA, [unlucky, letter])
    assert school.at_the_office(unlucky) == 0
    assert school.answers("family1@family.example") == 1


URGENT = "Leo did not come home from school and I cannot reach him. Please call me at once, it is an emergency.\r\n"
KILLED = -signal.SIGKILL


def test_a_note_that_kills_whoever_words_it_is_left_and_the_office_asks_somebody_to_answer(school: School) -> None:
    school.write(RIVERA, f"wording the note kills\r\n{BODY}")
    behind = [school.write(RIVERA), school.write(OKAFOR)]
    assert [school.once() for _ in range(4)] == [KILLED] * 3 + [0]
    assert school.once() == 0
    assert [school.answers(f"family{number}@family.example") for number in (1, 2, 3)] == [0, 1, 1]
    assert tagged(school, RIVERA, [behind[0]])
    assert tagged(school, OKAFOR, [behind[1]])
    assert school.told() == ["Please look: a family that wrote to Ms. Rivera got no note"]
    (left,) = school.outbox()
    assert left["kind"] == "reply"
    assert left["state"] == "set aside"
    assert left["error"] == "carrying it out ended the service 3 times"


@pytest.mark.parametrize("kills", ["attaching this kills", "sending this kills"])
def test_urgent_mail_that_kills_on_its_way_reaches_the_office_in_its_simplest_form(school: School, kills: str) -> None:
    urgent = school.write(RIVERA, f"{URGENT}{kills}\r\n")
    behind = school.write(OKAFOR, URGENT)
    for _ in range(3):
        assert school.once() == KILLED
        school.wait_for_leases()
    assert school.once() == 0
    assert school.once() == 0
    assert school.told() == ["Urgent: a message from family1@family.example for Ms. Rivera"]
    assert [school.at_the_office(urgent), school.at_the_office(behind)] == [0, 1]
    assert [school.answers(f"family{number}@family.example") for number in (1, 2)] == [1, 1]
    assert [each["state"] for each in school.outbox("--all")].count("done") == 6


def test_a_label_that_kills_whoever_writes_it_is_left_and_all_others_are_written(school: School) -> None:
    killing, letter = school.write(RIVERA, f"{BODY}labelling this kills\r\n"), school.write(RIVERA)
    assert [school.once() for _ in range(4)] == [KILLED] * 3 + [0]
    assert school.once() == 0
    assert tagged(school, RIVERA, [letter])
    assert school.labels(RIVERA)[killing] == set()
    assert school.told() == ["Please look: a message for Ms. Rivera has no label"]
    assert [school.answers(f"family{number}@family.example") for number in (1, 2)] == [1, 1]


def test_a_corrected_letter_that_kills_whoever_reads_it_again_goes_to_the_office_all_the_same(school: School) -> None:
    corrected, others = school.write(RIVERA, f"{BODY}following this kills\r\n"), [school.write(RIVERA)]
    assert school.once() == 0
    school.relabel(RIVERA, corrected, Label.URGENT)
    others += [school.write(RIVERA), school.write(OKAFOR)]
    assert [school.once() for _ in range(4)] == [KILLED] * 3 + [0]
    assert school.once() == 0
    assert [school.at_the_office(mail) for mail in (corrected, *others)] == [1, 0, 0, 0]
    assert [school.answers(f"family{number}@family.example") for number in (1, 2, 3, 4)] == [1] * 4


def test_a_note_over_which_an_administrator_killed_the_service_twice_leaves(school: School) -> None:
    school.write(RIVERA, f"wording the note is unlucky\r\n{BODY}")
    assert [school.once() for _ in range(3)] == [KILLED] * 2 + [0]
    assert school.answers("family1@family.example") == 1
    assert school.told() == []


@pytest.fixture
def district(tmp_path: Path) -> Iterator[School]:
    with postgres(settings=("fsync=off",)) as server:
        location = server.database()
        database = Database.open(location)
        QueueSchema(database).migrate(finish=True)
        database.close()
        school = School(tmp_path, location)
        assert school.once() == 0
        yield school


@pytest.mark.server("postgres")
def test_two_workers_die_of_it_and_then_go_on(district: School) -> None:
    letters = [district.write(RIVERA)]
    killing = district.write(RIVERA, f"this mail kills\r\n{LONG}")
    letters.append(district.write(RIVERA))
    other = district.write(OKAFOR)

    def all_is_done() -> bool:
        done = tagged(district, RIVERA, letters) and tagged(district, OKAFOR, [other])
        done = done and all(district.answers(f"family{number}@family.example") for number in (1, 3, 4))
        return done and district.at_the_office(killing) > 0 and Label.CHECK in district.labels(RIVERA)[killing]

    assert district.supervised([["worker"], ["worker"]], all_is_done) == 3
    assert [district.at_the_office(mail) for mail in (killing, *letters, other)] == [1, 0, 0, 0]
    assert [district.answers(f"family{number}@family.example") for number in (1, 2, 3, 4)] == [1, 0, 1, 1]


@pytest.mark.server("postgres")
def test_two_workers_die_of_what_they_deliver_and_then_go_on(district: School) -> None:
    urgent = district.write(RIVERA, f"{URGENT}attaching this kills\r\n")
    district.write(OKAFOR, f"wording the note kills\r\n{BODY}")
    letters = [district.write(RIVERA), district.write(OKAFOR)]

    def all_is_done() -> bool:
        done = tagged(district, RIVERA, letters[:1]) and tagged(district, OKAFOR, letters[1:])
        done = done and all(district.answers(f"family{number}@family.example") for number in (1, 3, 4))
        return done and len(district.told()) == 2

    assert district.supervised([["worker"], ["worker"]], all_is_done) in (5, 6)
    assert sorted(district.told()) == [
        "Please look: a family that wrote to Ms. Okafor got no note",
        "Urgent: a message from family1@family.example for Ms. Rivera",
    ]
    assert district.at_the_office(urgent) == 0
    assert [district.answers(f"family{number}@family.example") for number in (1, 2, 3, 4)] == [1, 0, 1, 1]
