"""`alliance run` serves the pages too, and reads mail whether or not it can."""

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.servers.required import free_ports

CONFIGURATION = """
[school]
name = "Maple"
timezone = "America/Chicago"
[office]
address = "office@maple.example"
phone = "555-0100"
[service]
notices_from = "alliance@maple.example"
[web]
url = "https://inbox.maple.example"
listen = "127.0.0.1:{port}"
[[mailboxes]]
address = "rivera@maple.example"
teacher = "Ms. Rivera"
connector = "maildir"
maildir.path = "mail"
[[mailboxes]]
address = "alliance@maple.example"
teacher = "Alliance Inbox"
connector = "maildir"
maildir.path = "mail"
maildir.outgoing = "outgoing"
"""
PATIENCE = 90.0
ROOT = str(Path(__file__).parents[3])


def configured(folder: Path, port: int) -> Path:
    folder.mkdir(exist_ok=True)
    for name in ("mail", "outgoing"):
        for part in ("new", "cur", "tmp"):
            (folder / name / part).mkdir(parents=True)
    (folder / "alliance.toml").write_text(CONFIGURATION.format(port=port))
    return folder / "alliance.toml"


@contextmanager
def running(command: str, config: Path) -> Iterator["subprocess.Popen[str]"]:
    arguments = [sys.executable, "-c", "from service.cli import main; main()", command, "--config", str(config)]
    process = subprocess.Popen(
        arguments, stderr=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": ROOT, "COLUMNS": "200"}
    )
    patience = threading.Timer(PATIENCE, process.kill)  # what says nothing is not waited for
    patience.start()
    try:
        yield process
    finally:
        patience.cancel()
        process.kill()
        process.communicate()


def hears(process: "subprocess.Popen[str]", *words: str) -> str:
    """What the process says, up to the first line with one of `words`."""
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if any(word in line for word in words):
            return "".join(said)
    raise AssertionError("".join(said))


def test_run_serves_the_pages_and_web_beside_it_says_that_it_is_not_needed(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    config = configured(tmp_path / "school", port)
    with running("run", config) as service:
        hears(service, "mailboxes")
        answer = httpx.get(
            f"http://127.0.0.1:{port}/items",
            headers={"Host": "inbox.maple.example"},
            trust_env=False,
            timeout=PATIENCE,
        )
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=%2Fitems")
        with running("web", config) as web:
            _, said = web.communicate(timeout=PATIENCE)
            assert web.returncode == 2
            assert "web.listen: expected a free address" in said
            assert "`alliance run` serves the pages itself" in said
        service.send_signal(signal.SIGTERM)
        assert service.wait(PATIENCE) == 0


def test_run_reads_mail_also_where_something_else_listens_at_the_pages_address(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = configured(tmp_path / "school", taken.getsockname()[1])
        with running("run", config) as service:
            said = hears(service, "mailboxes")
            assert "the web pages are not served from here" in said
            service.send_signal(signal.SIGTERM)
            assert service.wait(PATIENCE) == 0
