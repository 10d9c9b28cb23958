"""The sample school's post office: delivers mail into Maildirs, and takes outgoing mail where it belongs."""

import os
from datetime import datetime
from email import message_from_bytes, policy
from email.utils import getaddresses
from pathlib import Path

SUBFOLDERS = ("new", "cur", "tmp")


def make_maildir(folder: Path) -> None:
    """Makes a Maildir (https://cr.yp.to/proto/maildir.html), and what lacks above it."""
    for subfolder in SUBFOLDERS:
        (folder / subfolder).mkdir(parents=True, exist_ok=True)


def deliver(folder: Path, name: str, raw: bytes, at: datetime, *, seen: bool = False) -> bool:
    """Delivers a mail as the Maildir format wants it: written to tmp, then renamed, so that nobody meets half a file.

    `at` (aware) becomes its time of arrival. A mail that lies there already, under whatever flags, is left alone: then
    the answer is False. `seen` puts it into cur, read.
    """
    if any(file.name.partition(":")[0] == name for part in ("new", "cur") for file in (folder / part).iterdir()):
        return False
    temporary = folder / "tmp" / name
    temporary.write_bytes(raw)
    os.utime(temporary, (at.timestamp(), at.timestamp()))
    temporary.rename(folder / "cur" / f"{name}:2,S" if seen else folder / "new" / name)
    return True


def collect(outgoing: Path, offices: dict[str, Path], families: Path) -> int:
    """Moves every mail out of the Maildir `outgoing`: into the Maildir of its recipient in `offices` (by address), into
    `families` where it leaves the school. Answers how many."""
    moved = 0
    for file in sorted(path for part in ("new", "cur") for path in (outgoing / part).iterdir()):
        mime = message_from_bytes(file.read_bytes(), policy=policy.default)
        recipients = [address.lower() for _, address in getaddresses(mime.get_all("To", []))]
        target = next((offices[address] for address in recipients if address in offices), families)
        written = mime["Date"].datetime.timestamp()
        os.utime(file, (written, written))
        file.rename(target / "new" / file.name.partition(":")[0])
        moved += 1
    return moved
