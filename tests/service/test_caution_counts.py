"""What counts as a death of a message's reader, and what does not."""

from datetime import UTC, datetime, timedelta

import pytest

from connectors.mailbox import Direction, RawMessage
from service.caution import Cautious, after_unclean_ends
from service.process_name import has_ended, process_name
from store.caution import WITH_CARE, Caution, Trace
from store.database import Database
from store.operating_tables import RunningProcess
from store.processes import Processes

NOW = datetime(2026, 11, 16, 15, 0, tzinfo=UTC)
RIVERA, OKAFOR = "rivera@maple.example", "okafor@maple.example"
DEAD, ELSEWHERE = "elsewhere.7.aaaa", "elsewhere.8.bbbb"
RAW = RawMessage("m1", Direction.RECEIVED, b"Subject: x\r\n\r\n" + b"word " * 60, 314, NOW)


@pytest.fixture
def database() -> Database:
    return Database.in_memory()


def runs(database: Database, name: str, seen_at: datetime = NOW) -> None:
    process = RunningProcess(name=name, role="run", version="1", began_at=seen_at, seen_at=seen_at)
    Processes(database).is_there(process)


def left_by(database: Database, *processes: str, message: str = "m1", digest: str | None = None) -> None:
    for process in processes:
        Caution(database).begin(Trace(RIVERA, message, digest, process, NOW))
        Caution(database).died(process)


def told(database: Database, raw: RawMessage = RAW, mailbox: str = RIVERA) -> str | None:
    with Cautious(database, b"key", lambda: NOW).reading(mailbox) as care:
        return care.begin(raw)


def test_two_that_died_with_it_in_hand_are_enough(database: Database) -> None:
    left_by(database, DEAD)
    assert told(database) is None
    left_by(database, DEAD, ELSEWHERE)
    assert told(database) == "reading it ended the service 2 times; it is not read any more"


def test_a_copy_in_another_mailbox_is_known_by_its_body(database: Database) -> None:
    caution, others = Cautious(database, b"key", lambda: NOW), Caution(database)
    for process in (DEAD, ELSEWHERE):
        with caution.reading(RIVERA) as care:
            care.begin(RAW)
            with database.write() as connection:
                connection.exec_driver_sql(f"UPDATE reading_trace SET process = '{process}'")
        others.died(process)
    other = RawMessage("m9", Direction.RECEIVED, b"To: okafor\r\n\r\n" + b"word " * 60, 314, NOW)
    assert told(database, other, OKAFOR) is not None
    short = RawMessage("m10", Direction.RECEIVED, b"To: okafor\r\n\r\nword", 14, NOW)
    assert told(database, short, OKAFOR) is None


def test_a_process_that_lives_counts_for_nothing_however_often(database: Database) -> None:
    runs(database, ELSEWHERE)
    left_by(database, DEAD)
    Caution(database).begin(Trace(RIVERA, "m1", None, ELSEWHERE, NOW))
    assert told(database) is None


def test_one_of_another_machine_that_said_nothing_for_long_is_dead(database: Database) -> None:
    runs(database, ELSEWHERE, NOW - timedelta(minutes=3))
    left_by(database, DEAD)
    Caution(database).begin(Trace(RIVERA, "m1", None, ELSEWHERE, NOW))
    assert told(database) is not None


def read_in_vain(database: Database) -> None:
    with Cautious(database, b"key", lambda: NOW).reading(RIVERA) as care:
        care.begin(RAW)
        raise OSError("the server is gone")


def test_what_was_recorded_or_failed_in_ones_own_hands_leaves_no_death(database: Database) -> None:
    for _ in range(3):
        with pytest.raises(OSError, match="the server is gone"):
            read_in_vain(database)
    assert Caution(database).in_hands("somebody else") == []
    assert told(database) is None


def test_a_process_of_this_machine_is_known_to_be_dead_at_once_and_this_one_to_live(database: Database) -> None:
    host, number, _ = process_name().rsplit(".", 2)
    assert has_ended(process_name()) is False
    assert has_ended(f"{host}.{number}.feed") is True  # number one of a container, the time before
    assert has_ended(f"{host}.1.feed") is False
    assert has_ended(DEAD) is None
    assert has_ended("of an older version:12:2026-11-16T15:00:00.5+00:00") is None


def test_after_an_unclean_end_every_mailbox_is_read_with_care_and_after_a_clean_one_none(database: Database) -> None:
    after_unclean_ends(database, [RIVERA, OKAFOR], NOW)
    assert careful(database) == {}
    host, number, _ = process_name().rsplit(".", 2)
    runs(database, f"{host}.{number}.feed")
    runs(database, ELSEWHERE)
    after_unclean_ends(database, [RIVERA, OKAFOR], NOW)
    assert careful(database) == {RIVERA: WITH_CARE, OKAFOR: WITH_CARE}
    assert [each.name for each in Processes(database).running(NOW)] == [ELSEWHERE]
    Caution(database).over(RIVERA, NOW)
    after_unclean_ends(database, [RIVERA, OKAFOR], NOW)  # the one elsewhere lives
    assert careful(database) == {OKAFOR: WITH_CARE}


def careful(database: Database) -> dict[str, int]:
    with database.read() as connection:
        rows = connection.exec_driver_sql('SELECT mailbox, "left" FROM careful_mailbox').all()
    return {row[0]: row[1] for row in rows}
