"""Monsters lie between ordinary letters, in a real Dovecot and in a Maildir: the service reads on, answers the
families, and its memory stays bounded."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import pytest

from tests.hostile.monsters import monster
from tests.servers.dovecot import PASSWORD
from tests.service.town import BO, RIVERA, town

ROUTINE = b"Could you tell me which pages are for homework this week? Thank you.\r\n"
MEBIBYTES = 1_000
"""What the process may hold at its peak beyond what it holds with empty mailboxes: two mailboxes are read at once, each
may have a mail of 50 MB in hand, and the mail that carries it to the office, several times that."""
MONSTERS = (
    "50 MB of attachment",
    "50 MB in one line",
    "a million headers",
    "100,000 messages in each other",
)
"""Those that are largest, cut off, or odd within a letter; `test_monsters` reads all of them."""
PARK = "park@maple.example"
MAILDIR = f"""
[[mailboxes]]
address = "{PARK}"
teacher = "Ms. Park"
stage = "reply"
connector = "maildir"
maildir.path = "park"
maildir.outgoing = "outgoing"
"""
_RUN = "import sys; from service.cli import main; sys.argv = ['alliance', 'run', '--once']; main()"


def put(folder: Path, mail: bytes, number: int) -> None:
    """A mail arrives in a Maildir, by another program's hand."""
    (folder / "new").mkdir(parents=True, exist_ok=True)
    (folder / "new" / f"1800000000.M{number}P1.other").write_bytes(mail)


def ordinary(to: str, number: int) -> bytes:
    return (
        f"From: Bo <bo{number}@family.example>\r\nTo: {to}\r\nSubject: homework {number}\r\n"
        f"Message-ID: <ordinary{number}@family.example>\r\nDate: {format_datetime(datetime.now(UTC))}\r\n\r\n"
    ).encode() + ROUTINE


@pytest.mark.server("dovecot")
def test_ordinary_letters_among_monsters_are_tagged_and_answered(tmp_path: Path) -> None:
    with town(tmp_path) as place:
        place.config.write_text(place.config.read_text() + MAILDIR)
        park, rivera = tmp_path / "park", place.dovecot.maildir(RIVERA)
        for part in ("new", "cur", "tmp"):
            (park / part).mkdir(parents=True)
            (tmp_path / "outgoing" / part).mkdir(parents=True)
        before = run(place.folder)  # connects the mailboxes
        letters = []
        for number, name in enumerate(MONSTERS):
            put(park, monster(name).replace(b"rivera@", b"park@"), 2 * number)
            put(rivera, monster(name), 2 * number)
            if number % 2 == 0:
                put(park, ordinary(PARK, number), 2 * number + 1)
                letters.append(place.write(BO, RIVERA, f"homework {number}", ROUTINE.decode()))
        place.dovecot.own(place.dovecot.home(RIVERA))
        peak = run(place.folder)
        print(f"{before} MiB with empty mailboxes, {peak} MiB with {len(MONSTERS)} monsters in each")
        assert peak < before + MEBIBYTES
        tagged = place.keywords(RIVERA)
        assert all("AllianceRoutine" in tagged[letter] for letter in letters)
        assert len(place.answers(BO)) == 1  # one family, answered once
        written = {path.name.partition(":2,")[2] for path in (park / "cur").iterdir()}
        assert written  # what was read is no longer new
        outgoing = [path.read_bytes() for path in (tmp_path / "outgoing").rglob("*") if path.is_file()]
        for number in range(0, len(MONSTERS), 2):
            assert (
                sum(f"bo{number}@family.example".encode() in mail.partition(b"\r\n\r\n")[0] for mail in outgoing) == 1
            )


def run(folder: Path) -> int:
    """Runs the service once. Returns the MiB that it held at its peak."""
    log = folder / "run.log"
    with log.open("ab") as said:
        process = subprocess.Popen(
            [sys.executable, "-c", _RUN], cwd=folder, env={**os.environ, "PASSWORD": PASSWORD}, stdout=said, stderr=said
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, log.read_text()[-3000:]
    return used.ru_maxrss // 1024
