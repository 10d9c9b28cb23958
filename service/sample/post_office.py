"""The sample school's post office: delivers mail into Maildirs, and takes outgoing mail where it belongs."""

import os
import shutil
from collections.abc import Collection
from datetime import datetime
from email import message_from_bytes, policy
from email.utils import getaddresses
from pathlib import Path
from string import ascii_lowercase

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
    """Moves every mail out of the Maildir `outgoing`: into the Maildir of each of its recipients in `offices` (by
    address), into `families` where it leaves the school. Answers how many."""
    moved = 0
    for file in sorted(path for part in ("new", "cur") for path in (outgoing / part).iterdir()):
        mime = message_from_bytes(file.read_bytes(), policy=policy.default)
        recipients = [address.lower() for _, address in getaddresses(mime.get_all("To", []))]
        first, *others = [offices[address] for address in recipients if address in offices] or [families]
        written = mime["Date"].datetime.timestamp()
        os.utime(file, (written, written))
        name = file.name.partition(":")[0]
        for folder in others:
            shutil.copy2(file, folder / "tmp" / name)
            (folder / "tmp" / name).rename(folder / "new" / name)
        file.rename(first / "new" / name)
        moved += 1
    return moved


def relabel(folder: Path, name: str, add: str, remove: Collection[str] = ()) -> bool:
    """Puts a keyword to a mail and takes others away, as a teacher's mail program does it: the letters of the keywords
    stand in `dovecot-keywords`, those of the mail in its file's name. Answers False where the mail or the letter of
    `add` is not there."""
    letters = _letters(folder)
    file = next((file for file in (folder / "cur").iterdir() if file.name.partition(":")[0] == name), None)
    if file is None or add not in letters:
        return False
    flags = set(file.name.partition(":2,")[2]) - {letters[word] for word in remove if word in letters} | {letters[add]}
    file.rename(file.with_name(f"{name}:2,{''.join(sorted(flags))}"))
    return True


def keywords(folder: Path) -> dict[str, frozenset[str]]:
    """The keywords of every mail in cur, by the mail's name."""
    words = {letter: word for word, letter in _letters(folder).items()}
    return {
        name: frozenset(words[flag] for flag in flags if flag in words)
        for name, _, flags in (file.name.partition(":2,") for file in (folder / "cur").iterdir())
    }


def _letters(folder: Path) -> dict[str, str]:
    path = folder / "dovecot-keywords"
    lines = path.read_text().splitlines() if path.exists() else []
    return {word: ascii_lowercase[int(number)] for number, _, word in (line.partition(" ") for line in lines)}
