"""The real command: it tells how it is where the configuration says, beside the pages, and logs as it is told."""

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.required import free_ports
from tests.service.waiting import until

ROOT = str(Path(__file__).parents[3])
CONFIGURATION = """
[school]
name = "Maple"
timezone = "America/Chicago"
[office]
address = "office@maple.example"
phone = "555-0100"
[service]
notices_from = "alliance@maple.example"
poll_seconds = 1
[monitoring]
listen = "127.0.0.1:{health}"
logs = "json"
[web]
url = "https://inbox.maple.example"
listen = "127.0.0.1:{web}"
[[mailboxes]]
address = "alliance@maple.example"
teacher = "Alliance Inbox"
connector = "maildir"
maildir.path = "mail"
maildir.outgoing = "outgoing"
"""
PATIENCE = 90.0


def configured(folder: Path) -> tuple[Path, str, str]:
    """A configuration, and where health and pages will be."""
    health, web = free_ports(2)
    for name in ("mail", "outgoing"):
        for part in ("new", "cur", "tmp"):
            (folder / name / part).mkdir(parents=True)
    (folder / "alliance.toml").write_text(CONFIGURATION.format(health=health, web=web))
    return folder / "alliance.toml", f"http://127.0.0.1:{health}", f"http://127.0.0.1:{web}"


@contextmanager
def running(config: Path, *words: str) -> Iterator["subprocess.Popen[str]"]:
    """`alliance` with these words."""
    command = [sys.executable, "-c", "from service.cli import main; main()", *words, "--config", str(config)]
    environ = {**os.environ, "PYTHONPATH": ROOT}
    process = subprocess.Popen(command, cwd=config.parent, env=environ, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE)


def status_of(url: str) -> int:
    """The status of a page; 0 where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refused:
        return refused.code
    except OSError:
        return 0


def test_a_running_service_tells_machines_how_it_is_and_its_pages_do_too(tmp_path: Path) -> None:
    config, health, web = configured(tmp_path)
    with running(config, "run") as process:
        until(lambda: status_of(f"{health}/readyz") == 200, PATIENCE)
        assert status_of(f"{health}/livez") == 200
        assert status_of(f"{web}/readyz") == 200
        assert status_of(f"{web}/livez") == 200
        assert status_of(f"{web}/metrics") == 421, "numbers are no business of whoever finds the pages"
        with urllib.request.urlopen(f"{health}/metrics", timeout=10) as answer:
            assert b"alliance_sweeps_total" in answer.read()
        ask = [sys.executable, "-c", "from service.cli import main; main()", "status", "--json", "-c", str(config)]
        said = subprocess.run(ask, env={**os.environ, "PYTHONPATH": ROOT}, capture_output=True, text=True, check=False)
        assert said.returncode == 0, said.stderr
        assert [each["role"] for each in json.loads(said.stdout)["processes"]] == ["run"]
    assert process.stderr is not None
    lines = [json.loads(line) for line in process.stderr.read().splitlines() if line.startswith("{")]
    assert {"event", "level", "timestamp"} <= set(lines[0])
    assert health in {line.get("listen") for line in lines}
    again = subprocess.run(ask, env={**os.environ, "PYTHONPATH": ROOT}, capture_output=True, text=True, check=False)
    assert json.loads(again.stdout)["processes"] == [], "it says so when it ends"
