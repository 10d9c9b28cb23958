"""A Maildir and the people around it, for tests: families, the teacher with a mail program, a local mail system."""

import os
import shutil
import socket
import time
from pathlib import Path

from connectors.contract import MailboxWorld, Marks
from connectors.contract.reader import message_id_of
from connectors.labels import KEYWORDS, Label
from connectors.maildir import MaildirMailbox
from connectors.maildir.folder import Folder

ADDRESS = "rivera@maple.example"


class MaildirWorld(MailboxWorld):
    """`connectors.contract.MailboxHarness` for Maildirs. The mail program here goes by the format's own rules, with
    code of its own; what it shares with the connector is the disk."""

    address = ADDRESS
    push = False
    exact_labels = True

    def __init__(self, folder: Path) -> None:
        self.root = folder / "Maildir"
        self.outgoing = folder / "outgoing"
        for path in (self.root, self.outgoing):
            make_maildir(path)
        self._delivered = 0

    def open(self) -> MaildirMailbox:
        return MaildirMailbox(ADDRESS, Folder(self.root), outgoing=Folder(self.outgoing))

    def deliver(self, *mimes: bytes) -> None:
        for mime in mimes:
            self._drop(mime, self.root / "new", "")

    def teacher_sends(self, mime: bytes) -> None:
        make_maildir(self.root / ".Sent")
        self._drop(mime, self.root / ".Sent" / "cur", ":2,S")

    def teacher_labels(self, message_id: str, labels: frozenset[Label]) -> None:
        path = self.path_of(message_id)
        letters = self._letters(path)
        kept = [letter for letter in flags_of(path) if letter not in letters.values()]
        self._flag(path, "".join([*kept, *(letters[label] for label in labels)]))

    def teacher_marks(self, message_id: str) -> None:
        path = self.path_of(message_id)
        self._flag(path, flags_of(path) + "FSz")

    def delete(self, message_id: str) -> None:
        self.path_of(message_id).unlink()

    def move_away(self, message_id: str) -> None:
        make_maildir(self.root / ".Archive")
        path = self.path_of(message_id)
        path.rename(self.root / ".Archive" / "cur" / path.name)

    def move_back(self, message_id: str) -> None:
        archive = files_in(self.root / ".Archive")
        path = next(path for path in archive if message_id_of(path.read_bytes()) == message_id)
        path.rename(self.root / "cur" / path.name)

    def break_cursor(self) -> None:
        """Restored from a backup that gave every message a new name and lost the cursor's folder."""
        restored = self.root.with_name("restored")
        shutil.copytree(self.root, restored)
        for number, path in enumerate(sorted(restored.glob("*/*"))):
            path.rename(path.with_name(f"{number}.restored" + path.name[path.name.find(":") :] * (":" in path.name)))
        shutil.rmtree(self.root)
        restored.rename(self.root)

    def marks(self, message_id: str) -> Marks:
        path = self.path_of(message_id)
        letters, flags = self._letters(path), flags_of(path)
        labels = frozenset(label for label, letter in letters.items() if letter in flags)
        return Marks(labels, frozenset(flags) - set(letters.values()))

    def drafts(self) -> list[bytes]:
        return [path.read_bytes() for path in files_in(self.root / ".Drafts")]

    def sent(self) -> list[bytes]:
        return [path.read_bytes() for path in files_in(self.root / ".Sent")]

    def departed(self) -> list[bytes]:
        return [path.read_bytes() for path in files_in(self.outgoing)]

    def path_of(self, message_id: str) -> Path:
        """The file of a message in the inbox or in Sent."""
        files = [*files_in(self.root), *files_in(self.root / ".Sent")]
        return next(path for path in files if message_id_of(path.read_bytes()) == message_id)

    def settle(self) -> None:
        """Lets a minute pass as far as the folders can tell."""
        for path in self.root.glob("**/"):
            before = path.stat()
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns - 60_000_000_000))

    def _drop(self, mime: bytes, where: Path, info: str) -> None:
        # Time, a part that is unique, host: https://cr.yp.to/proto/maildir.html
        self._delivered += 1
        now = time.time_ns()
        unique = f"M{now // 1000 % 1_000_000}P{os.getpid()}Q{self._delivered}"
        name = f"{now // 1_000_000_000}.{unique}.{socket.gethostname()}{info}"
        staged = where.parent / "tmp" / name
        staged.write_bytes(mime)
        staged.rename(where / name)

    def _flag(self, path: Path, flags: str) -> None:
        base = path.name.partition(":")[0]
        path.rename(path.parent.parent / "cur" / f"{base}:2,{''.join(sorted(set(flags)))}")

    def _letters(self, message: Path) -> dict[Label, str]:
        """The letter of each label in the message's folder; the teacher's mail server adds those that lack, as Dovecot
        does."""
        path = message.parent.parent / "dovecot-keywords"
        lines = path.read_text().splitlines() if path.exists() else []
        numbers = {name: int(number) for number, _, name in (line.partition(" ") for line in lines)}
        for keyword in KEYWORDS.values():
            if keyword not in numbers:
                numbers[keyword] = max(numbers.values(), default=-1) + 1
        path.with_suffix(".new").write_text("".join(f"{number} {name}\n" for name, number in numbers.items()))
        path.with_suffix(".new").rename(path)
        return {label: chr(ord("a") + numbers[keyword]) for label, keyword in KEYWORDS.items()}


def make_maildir(path: Path) -> None:
    """An empty Maildir folder."""
    for name in ("new", "cur", "tmp"):
        (path / name).mkdir(parents=True, exist_ok=True)


def files_in(path: Path) -> list[Path]:
    """The messages of a Maildir folder, by name."""
    return sorted((*path.glob("new/*"), *path.glob("cur/*")), key=lambda found: found.name)


def flags_of(path: Path) -> str:
    """The flags in a file's name."""
    return path.name.partition(":2,")[2]
