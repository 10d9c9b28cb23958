"""Workers of a district as real processes, on a real PostgreSQL, over a real Dovecot: two at one mailbox on purpose,
one that is killed, one whose threads all hang, one that is stopped."""

import multiprocessing
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from service.cli import app
from store.database import Database
from store.workers import NOW
from tests.servers.postgres import Postgres
from tests.service.town import ANA, BO, CARLA, OKAFOR, RIVERA, Town, town
from tests.service.waiting import until

pytestmark = [pytest.mark.server("dovecot"), pytest.mark.server("postgres")]

URGENT = "Emergency: the bus left without her and she stands alone at the gate. Please call me right now!"
ROUTINE = "When is the book report due? Thank you and have a nice week."
REPLACED_WITHIN = 30.0
"""Seconds, from the issue that asked for workers."""
_PROCESSES = multiprocessing.get_context("forkserver")
_PROCESSES.set_forkserver_preload(["tests.service.one_run"])


def _perform(command: str, config: Path, log: Path) -> None:
    from tests.service.worker_process import perform  # noqa: PLC0415 - loaded by the fork server, not by the test

    perform(command, config, log)


class District:
    """A town whose school keeps its record in PostgreSQL, and its workers."""

    def __init__(self, place: Town, location: str) -> None:
        self.town = place
        self.database = Database.at(location)
        self._workers: list[ForkServerProcess] = []

    def configure(self, *changes: tuple[str, str], more: str = "") -> None:
        """The town's configuration with this database."""
        self.town.configure()
        written = self.town.config.read_text()
        location = self.database.url.render_as_string(hide_password=False)
        for old, new in (("alliance.db", location), *changes):
            assert old in written
            written = written.replace(old, new)
        self.town.config.write_text(written + more)

    def start(self) -> ForkServerProcess:
        """One more worker; returns when it lives."""
        before = len(self.alive())
        return self._start("worker", lambda _log: len(self.alive()) > before)

    def start_alone(self) -> ForkServerProcess:
        """`alliance run`; returns when it runs."""
        return self._start("run", lambda log: "running" in log.read_text())

    def _start(self, command: str, runs: Callable[[Path], bool]) -> ForkServerProcess:
        log = self.town.folder / f"{command}{len(self._workers)}.log"
        log.touch()
        process = _PROCESSES.Process(target=_perform, args=(command, self.town.config, log))
        process.start()
        self._workers.append(process)
        until(lambda: process.exitcode is not None or runs(log))
        assert process.exitcode is None, log.read_text()
        return process

    def say(self, statement: str, **values: object) -> list[tuple[object, ...]]:
        """One statement to the database, which tells the time as NOW."""
        with self.database.write() as connection:
            done = connection.execute(text(statement.replace("NOW", NOW)), values)
            return [tuple(row) for row in done] if done.returns_rows else []

    def alive(self) -> list[str]:
        """Names of the workers that live."""
        return [str(row[0]) for row in self.say("SELECT id FROM worker WHERE alive_until > NOW ORDER BY began_at")]

    def close(self) -> None:
        for process in self._workers:
            if process.exitcode is None:
                process.kill()
            process.join(30)
        self.database.close()


@pytest.fixture
def district(postgres_server: Postgres, tmp_path: Path) -> Iterator[District]:
    with town(tmp_path) as place:
        found = District(place, postgres_server.database())
        found.configure()
        assert CliRunner().invoke(app, ["migrate", "--check", "-c", str(place.config)]).exit_code == 1
        migrated = CliRunner().invoke(app, ["migrate", "-c", str(place.config)])
        assert migrated.exit_code == 0, migrated.output
        assert CliRunner().invoke(app, ["migrate", "--check", "-c", str(place.config)]).exit_code == 0
        yield found
        found.close()


@contextmanager
def everybody_at_every_mailbox(district: District) -> Iterator[set[tuple[object, ...]]]:
    """While the block runs, no mailbox is anybody's for longer than a moment: whoever asks gets it, whoever is still at
    it. Yields who was seen at which mailbox."""
    seen: set[tuple[object, ...]] = set()
    over = threading.Event()

    def meddle() -> None:
        while not over.is_set():
            seen.update(district.say("SELECT mailbox, holder FROM mailbox_turn WHERE holder IS NOT NULL"))
            district.say("UPDATE mailbox_turn SET holder = NULL, last_holder = NULL, due_at = NOW")
            over.wait(0.1)

    thread = threading.Thread(target=meddle)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def is_connected(district: District) -> bool:
    return bool(district.say("SELECT FROM mailbox WHERE cursor IS NOT NULL HAVING count(*) = 2"))


def test_two_workers_made_to_work_on_the_same_mailboxes_lose_nothing_and_answer_nobody_twice(
    district: District,
) -> None:
    for _ in range(2):
        district.start()
    until(lambda: is_connected(district))
    with everybody_at_every_mailbox(district) as seen:
        letters = two_rounds_of_letters(district.town)
        both = {(box, worker) for box in (RIVERA, OKAFOR) for worker in district.alive()}
        until(lambda: everything_is_done(district, letters) and both <= seen)
    nothing_is_lost_and_nothing_twice(district.town, letters)


def test_two_that_run_alone_beside_a_worker_lose_nothing_and_answer_nobody_twice(district: District) -> None:
    alone = [district.start_alone() for _ in range(2)]
    working = district.start()
    until(lambda: is_connected(district))
    letters = two_rounds_of_letters(district.town)
    until(lambda: everything_is_done(district, letters))
    # The worker goes first, then one of the others: what comes then is the last one's.
    for process in (working, alone[0]):
        process.terminate()
        process.join(60)
        assert process.exitcode == 0
    late = district.town.write(BO, OKAFOR, "Late", f"{URGENT} This is the last letter.")
    letters[late] = (OKAFOR, URGENT)
    until(lambda: everything_is_done(district, letters))
    nothing_is_lost_and_nothing_twice(district.town, letters)


def two_rounds_of_letters(place: Town) -> dict[str, tuple[str, str]]:
    """What every family writes to both teachers, twice: teacher and text by Message-ID."""
    letters = {}
    for round_ in range(2):
        for teacher in (RIVERA, OKAFOR):
            for family, body in ((ANA, ROUTINE), (BO, URGENT), (CARLA, URGENT)):
                # Each letter is another one: of copies the office gets one.
                said = f"{body} This is number {round_} for {teacher}."
                letters[place.write(family, teacher, f"Letter {round_} to {teacher}", said)] = (teacher, body)
    return letters


def urgent_of(letters: dict[str, tuple[str, str]]) -> list[str]:
    return sorted(letter for letter, (_, body) in letters.items() if body == URGENT)


def everything_is_done(district: District, letters: dict[str, tuple[str, str]]) -> bool:
    return set(urgent_of(letters)) <= set(district.town.routed()) and nothing_is_left(district)


def nothing_is_lost_and_nothing_twice(place: Town, letters: dict[str, tuple[str, str]]) -> None:
    for teacher in (RIVERA, OKAFOR):
        tagged = place.keywords(teacher)
        assert all(tagged[letter] for letter, (whose, _) in letters.items() if whose == teacher)
    for family in (ANA, BO, CARLA):
        answered = [(mail["From"], mail["In-Reply-To"]) for mail in place.answers(family)]
        assert answered
        assert len(answered) == len(set(answered))
        # One answer a family and teacher within four school days, however many letters, and however many workers.
        assert len(answered) == len({teacher for teacher, _ in answered})
    assert sorted(place.routed()) == urgent_of(letters)


def nothing_is_left(district: District) -> bool:
    return not district.say("SELECT FROM delivery WHERE state IN ('waiting', 'working')")


def test_what_a_killed_worker_had_in_hand_is_worked_on_by_another_within_thirty_seconds(district: District) -> None:
    killed = district.start()
    (name,) = district.alive()
    district.start()
    until(lambda: is_connected(district))
    killed.kill()
    killed.join(30)
    # It died with everything in its hands.
    district.say("UPDATE mailbox_turn SET holder = :id, last_holder = :id, taken_at = NOW", id=name)
    wrote = ((BO, RIVERA), (CARLA, OKAFOR))
    letters = sorted(district.town.write(family, teacher, f"Bus of {family}", URGENT) for family, teacher in wrote)
    until(lambda: sorted(district.town.routed()) == letters, REPLACED_WITHIN)


@contextmanager
def silent_server() -> Iterator[int]:
    """A server that takes every connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        held: list[socket.socket] = []

        def take() -> None:
            with suppress(OSError):
                while True:
                    held.append(listening.accept()[0])

        threading.Thread(target=take, daemon=True).start()
        yield listening.getsockname()[1]
        for each in held:
            each.close()


def test_urgent_mail_that_somebody_else_planned_goes_out_while_every_thread_hangs(district: District) -> None:
    with silent_server() as port:
        district.town.write(BO, RIVERA, "Bus", URGENT)
        assert district.town.run() == 0  # connects the mailboxes
        hangs = f'\n[mailboxes.imap]\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\nallow_insecure = true\n'
        district.configure(more=hangs + "timeout_seconds = 120\n[worker]\nthreads = 1\n")
        district.say(
            "INSERT INTO mailbox_turn (mailbox, system, pace, due_at, woken, number, failures)"
            " SELECT mailbox, 'imap', 'live', NOW + wait, false, 0, 0"
            " FROM (VALUES (:hangs, interval '0'), (:other, interval '1 hour')) AS new (mailbox, wait)",
            hangs=OKAFOR,
            other=RIVERA,
        )
        district.start()
        # The only thread hangs before there is anything urgent: the worker hears of urgent mail sooner than of turns.
        until(lambda: (OKAFOR,) in held(district))
        letter = district.town.write(BO, RIVERA, "Bus again", URGENT)
        assert district.town.run(die_at="page recorded") != 0
        until(lambda: letter in district.town.routed())
        assert (OKAFOR,) in held(district)


def held(district: District) -> list[tuple[object, ...]]:
    """The mailboxes that are in a worker's hands."""
    return district.say("SELECT mailbox FROM mailbox_turn WHERE holder IS NOT NULL")


def test_a_worker_that_is_stopped_gives_everything_back_and_ends_well(district: District) -> None:
    working = district.start()
    until(lambda: is_connected(district))
    working.terminate()
    working.join(60)
    assert working.exitcode == 0
    assert district.alive() == []
    assert district.say("SELECT FROM mailbox_turn WHERE holder IS NOT NULL") == []


def test_a_worker_says_what_it_lacks_and_does_not_start(district: District, tmp_path: Path) -> None:
    config = tmp_path / "alone.toml"
    config.write_text(
        district.town.config.read_text().replace(
            district.database.url.render_as_string(hide_password=False), "alliance.db"
        )
    )
    alone = CliRunner().invoke(app, ["worker", "-c", str(config)])
    assert alone.exit_code == 2
    assert "workers share a PostgreSQL" in alone.output
    district.say("DELETE FROM queue_migration WHERE name = '03.04.00_01_pre_add_retry_failed_job_procedure'")
    older = CliRunner().invoke(app, ["worker", "-c", str(district.town.config)])
    assert older.exit_code == 2
    assert "alliance migrate" in older.output
