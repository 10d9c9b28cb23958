"""Alive, ready, and counted: what machines ask this service."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Literal

import pytest
import structlog
from prometheus_client.parser import text_string_to_metric_families

from config.settings import Monitoring
from service.logs import configure
from service.notifications import serving
from service.operating.health import WELL, DatabaseCheck
from service.operating.monitor import Monitor, monitor_of, monitored
from service.runner import Runner
from service.watcher import Quiet
from store.database import Database, Shape
from tests.service.maple import OKAFOR, RIVERA, Maple


@pytest.fixture
def maple() -> Maple:
    return Maple()


def monitor(maple: Maple) -> Monitor:
    """A process that has just begun."""
    return monitor_of(maple.assembly(), "run", Quiet(), {})


@pytest.fixture
def served(maple: Maple) -> Iterator[tuple[Monitor, str]]:
    """A process, and where it tells of itself."""
    process = monitor(maple)
    with serving(process.app(), "127.0.0.1:0") as address:
        yield process, address


def get(url: str) -> tuple[int, str]:
    """Status and text of a page."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode()


def metrics(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every sample of a scrape, by its name and the values of its labels."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_process_is_ready_once_a_mailbox_was_read_and_alive_from_the_start(
    maple: Maple, served: tuple[Monitor, str]
) -> None:
    process, address = served
    assert get(f"{address}/livez")[0] == 200
    assert get(f"{address}/readyz")[0] == 503
    Runner(maple.assembly(), watcher=process.pulse).run_once()
    process.look()
    status, said = get(f"{address}/readyz")
    assert (status, json.loads(said)) == (200, {"ok": True, "checks": {"database": "ok", "sweeps": "ok"}})


def test_a_process_that_looks_at_nothing_any_more_is_not_ready_and_still_alive(
    maple: Maple, served: tuple[Monitor, str]
) -> None:
    process, address = served
    Runner(maple.assembly(), watcher=process.pulse).run_once()
    maple.clock.forward(minutes=11)
    process.look()
    status, said = get(f"{address}/readyz")
    assert status == 503
    assert json.loads(said)["checks"]["sweeps"] == "no mailbox was looked at lately"
    assert get(f"{address}/livez")[0] == 200


def test_a_process_in_which_nothing_ends_for_half_an_hour_is_not_alive(maple: Maple) -> None:
    process = monitor(maple)
    process.pulse._last_beat -= 1801
    (check,) = process.live().values()
    assert check() != WELL
    process.pulse.failed(RIVERA, "the mail server does not answer", 300)
    assert check() == WELL


def test_tables_of_another_version_are_not_ready_and_those_that_only_grew_are(maple: Maple) -> None:
    database = Database.in_memory()
    check = DatabaseCheck(database)
    assert check() == WELL
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'from-the-future'")
    assert check() == WELL
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE schema_floor SET revision = 'from-the-future'")
    assert check() == f"its tables are {Shape.NEWER.value}"
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0013'")
    assert check() == f"its tables are {Shape.OLDER.value}"


def test_a_database_that_hangs_is_not_waited_for_and_is_asked_once_however_many_ask() -> None:
    release, asked = threading.Event(), []

    class Hanging(Database):
        def shape(self) -> Shape:
            asked.append(1)
            release.wait(30)
            return Shape.CURRENT

    database = Database.in_memory()
    database.__class__ = Hanging
    check = DatabaseCheck(database, patience=0.01)
    assert {check() for _ in range(5)} == {"does not answer"}
    assert len(asked) == 1
    release.set()


def test_a_database_that_is_gone_is_said_by_the_metrics_and_looks_are_kept_until_it_is_back(maple: Maple) -> None:
    process = monitor(maple)
    Runner(maple.assembly(), watcher=process.pulse).run_once()
    note = process._looks.note

    def gone(_looked_at: object) -> None:
        raise OSError("gone")

    process._looks.note = gone  # type: ignore[assignment,method-assign]
    process.look()
    assert scraped(process)["alliance_database_up", ()] == 0
    process._looks.note = note  # type: ignore[method-assign]
    process.look()
    assert scraped(process)["alliance_database_up", ()] == 1
    assert set(process._looks.all()) == {RIVERA, OKAFOR}


def scraped(process: Monitor) -> dict[tuple[str, tuple[str, ...]], float]:
    """What a scrape says now."""
    with serving(process.app(), "127.0.0.1:0") as address:
        return metrics(get(f"{address}/metrics")[1])


def test_what_was_done_and_how_things_stand_is_counted_without_naming_anybody(
    maple: Maple, served: tuple[Monitor, str]
) -> None:
    process, address = served
    Runner(maple.assembly(), watcher=process.pulse).run_once()
    maple.write("urgent where is he")
    maple.write("conflict about the grade", "bo@family.example")
    maple.write("routine question", "cy@family.example")
    maple.clock.forward(seconds=42)
    Runner(maple.assembly(), watcher=process.pulse).run_once()
    maple.clock.forward(minutes=2)
    maple.write("urgent again", "bo@family.example")
    maple.sweep()
    process.look()
    text = get(f"{address}/metrics")[1]
    seen = metrics(text)
    assert seen["alliance_messages_total", ("urgent",)] == 1
    assert seen["alliance_messages_total", ("conflict",)] == 1
    assert seen["alliance_message_delay_seconds_count", ()] == 3
    assert seen["alliance_message_delay_seconds_sum", ()] == 3 * 42
    assert seen["alliance_deliveries_total", ("route",)] == 1
    assert seen["alliance_deliveries_total", ("tag",)] == 3
    assert seen["alliance_sweeps_total", ("imap", "ok")] == 4
    assert seen["alliance_outbox_deliveries", ("route", "waiting")] == 1
    assert seen["alliance_items_unclaimed", ()] == 2
    assert seen["alliance_mailboxes", ("reply",)] == 2
    assert seen["alliance_newest_look_timestamp_seconds", ()] == (maple.clock() - timedelta(minutes=2)).timestamp()
    assert "family.example" not in text
    assert "maple.example" not in text


def test_ten_thousand_mailboxes_make_no_more_series_than_two(maple: Maple) -> None:
    many = Maple(teachers=[f"teacher{number}@maple.example" for number in range(10_000)])
    few, lots = monitor(maple), monitor(many)
    few.look()
    lots.look()
    assert set(scraped(few)) == set(scraped(lots))
    assert len([name for name, _ in scraped(lots) if name.startswith("alliance_")]) < 150


def test_a_school_that_asks_for_it_sees_each_mailbox(maple: Maple) -> None:
    maple.settings = maple.settings.model_copy(update={"monitoring": Monitoring(mailbox_labels=True)})
    process = monitor(maple)
    Runner(maple.assembly(), watcher=process.pulse).run_once()
    process.look()
    assert scraped(process)["alliance_mailbox_look_timestamp_seconds", (RIVERA,)] == maple.clock().timestamp()


def test_mail_comes_first_where_another_program_has_the_address(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    maple = Maple(database=Database.open(str(tmp_path / "a.db")))  # a file, as threads need it
    with serving(monitor(maple).app(), "127.0.0.1:0") as taken:
        maple.settings = maple.settings.model_copy(
            update={"monitoring": Monitoring(listen=taken.removeprefix("http://"))}
        )
        configure(style="json")
        with monitored(maple.assembly(), "run", Quiet(), {}) as pulse:
            failures = Runner(maple.assembly(), watcher=pulse).run_once()
    maple.database.close()
    assert failures == {}
    assert "health and metrics are not served from here" in capsys.readouterr().err


@pytest.mark.parametrize(("style", "as_json"), [("text", False), ("auto", True), ("json", True)])
def test_log_lines_are_written_as_the_configuration_says(
    capsys: pytest.CaptureFixture[str], style: Literal["text", "auto", "json"], *, as_json: bool
) -> None:
    configure(style=style)
    structlog.get_logger().info("stopped")
    line = capsys.readouterr().err
    assert line.startswith("{") == as_json
    assert "\x1b[" not in line
    assert "stopped" in line
