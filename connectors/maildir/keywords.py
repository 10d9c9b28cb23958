"""Labels as letters: the file dovecot-keywords says which small letter in a file name stands for which IMAP keyword.

Each line is `<number> <keyword>`; 0 is the letter a, 25 the letter z. It is read without a lock, replaced by rename
under Dovecot's lock on dovecot-uidlist, and its modification time, in seconds, must grow with every change, since
Dovecot goes by that (https://doc.dovecot.org/2.3/admin_manual/mailbox_formats/maildir/, "IMAP Keywords").
"""

import os
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from string import ascii_lowercase

from connectors.labels import KEYWORDS, Label
from connectors.maildir.folder import give, sync_directory

_BY_KEYWORD = {keyword.lower(): label for label, keyword in KEYWORDS.items()}


class NoLetterLeft(Exception):
    """All 26 letters stand for other keywords."""


class Keywords:
    """The letters of one folder. Methods raise OSError."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "dovecot-keywords"
        self._stamp: tuple[int, int, int] | None = None
        self._names: dict[str, str] = {}
        self._labels: dict[str, Label] = {}
        self._sets: dict[str, frozenset[Label]] = {}

    @property
    def stamp(self) -> int:
        """Changes whenever letters may have changed their meaning; -1 where no letter has one yet."""
        status = self._status()
        return -1 if status is None else status.st_mtime_ns

    def refresh(self) -> None:
        """Reads the file where it changed."""
        status = self._status()
        stamp = None if status is None else (status.st_mtime_ns, status.st_size, status.st_ino)
        if stamp == self._stamp and stamp is not None:
            return
        text = "" if status is None else self._path.read_text("utf-8", "surrogateescape")
        self._names = dict(_parsed(text))
        # IMAP keywords are the same in any case (RFC 3501 §2.3.2); the first line of a name counts, as for Dovecot.
        self._labels = {
            letter: label
            for letter, name in self._names.items()
            if (label := _BY_KEYWORD.get(name.lower())) is not None
        }
        self._sets = {}
        self._stamp = stamp

    def labels(self, flags: str) -> frozenset[Label]:
        """The labels among flag letters."""
        known = self._sets.get(flags)
        if known is None:
            known = self._sets[flags] = frozenset(self._labels[letter] for letter in flags if letter in self._labels)
        return known

    def relabelled(self, flags: str, labels: Collection[Label]) -> str:
        """`flags` with exactly `labels`, every other letter kept. All `labels` must have letters."""
        kept = "".join(letter for letter in flags if letter not in self._labels)
        letters = {label: letter for letter, label in reversed(self._labels.items())}
        return kept + "".join(letters[label] for label in labels)

    def missing(self, labels: Collection[Label]) -> bool:
        """Whether some of `labels` have no letter yet."""
        return not set(labels) <= set(self._labels.values())

    def add_all(self, used: Iterable[str]) -> None:
        """Gives every label that has none a letter. `used` are the flags of the folder's files: a letter that a file
        carries without a meaning is not taken, or that message would be labelled by accident. Dovecot's lock must be
        held. Raises `NoLetterLeft`."""
        self.refresh()
        taken = {letter for flags in used for letter in flags} | set(self._names)
        free = [letter for letter in ascii_lowercase if letter not in taken]
        names = dict(self._names)
        for label in Label:
            if label not in self._labels.values():
                if not free:
                    raise NoLetterLeft
                names[free.pop(0)] = KEYWORDS[label]
        self._write(names)
        self.refresh()

    def _write(self, names: Mapping[str, str]) -> None:
        before = self._status()
        temporary = self._path.with_name("dovecot-keywords.alliance")
        with suppress(FileNotFoundError):
            temporary.unlink()
        lines = "".join(f"{ord(letter) - ord('a')} {name}\n" for letter, name in sorted(names.items()))
        descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(lines.encode("utf-8", "surrogateescape"))
                file.flush()
                give(descriptor, before or self._path.parent.stat())
                if before is not None and int(os.fstat(descriptor).st_mtime) <= int(before.st_mtime):
                    os.utime(descriptor, (before.st_mtime + 1, int(before.st_mtime) + 1))
                os.fsync(descriptor)
            temporary.rename(self._path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        sync_directory(self._path.parent)

    def _status(self) -> os.stat_result | None:
        try:
            return self._path.stat()
        except FileNotFoundError:
            return None


def _parsed(text: str) -> Iterable[tuple[str, str]]:
    seen: set[str] = set()
    for line in text.splitlines():
        number, space, name = line.partition(" ")
        valid = space and name and number.isascii() and number.isdecimal() and int(number) < len(ascii_lowercase)
        if valid and name.lower() not in seen:
            seen.add(name.lower())
            yield ascii_lowercase[int(number)], name
