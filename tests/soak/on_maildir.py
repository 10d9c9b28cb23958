"""A teacher's mail program on a Maildir, by the format's own rules."""

import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

from connectors.contract.reader import message_id_of
from connectors.labels import KEYWORDS, Label
from tests.connectors.maildir_world import files_in, make_maildir
from tests.soak.program import OWN_NAME

_OF_KEYWORD = {keyword: label for label, keyword in KEYWORDS.items()}


class MaildirProgram:
    """A Maildir, by the format's own rules."""

    def __init__(self, root: Path, outgoing: Path) -> None:
        self.root, self.outgoing = root, outgoing
        for path in (root, root / ".Sent", root / ".Archive", outgoing):
            make_maildir(path)
        self._ids: dict[str, str] = {}
        """Message-ID by what stands before the flags of a file's name."""
        self._numbers = 0

    def deliver(self, raw: bytes, at: datetime) -> None:
        self._drop(self.root / "new", "", raw, at)

    def sends(self, raw: bytes, at: datetime) -> None:
        self._drop(self.root / ".Sent" / "cur", ":2,S", raw, at)

    def shown(self) -> Mapping[str, frozenset[Label]]:
        words = {letter: _OF_KEYWORD.get(word) for word, letter in self._letters().items()}
        found = {}
        for path in files_in(self.root):
            labels = (words.get(flag) for flag in path.name.partition(":2,")[2] if flag.islower())
            found[self._id(path)] = frozenset(label for label in labels if label is not None)
        return found

    def label(self, message_id: str, labels: frozenset[Label]) -> None:
        self._keywords(message_id, [KEYWORDS[label] for label in labels])

    def rename(self, message_id: str) -> None:
        self._keywords(message_id, [OWN_NAME])

    def delete(self, message_ids: Iterable[str]) -> None:
        for path in self._paths(message_ids):
            self._forget(path)

    def archive(self, message_ids: Iterable[str]) -> None:
        for path in self._paths(message_ids):
            path.rename(self.root / ".Archive" / "cur" / path.name)

    def bring_back(self, message_id: str) -> None:
        path = next(path for path in files_in(self.root / ".Archive") if self._id(path) == message_id)
        path.rename(self.root / "cur" / path.name)

    def empty_archive(self) -> None:
        for path in files_in(self.root / ".Archive"):
            self._forget(path)

    def expire(self, before: datetime) -> int:
        old = [
            path
            for folder in (self.root, self.root / ".Sent")
            for path in files_in(folder)
            if path.stat().st_mtime < before.timestamp()
        ]
        for path in old:
            self._forget(path)
        return len(old)

    def drafts(self) -> Sequence[bytes]:
        return [path.read_bytes() for path in files_in(self.root / ".Drafts")]

    def sends_draft(self, message_id: str) -> bytes:
        drafts = files_in(self.root / ".Drafts")
        path = next(path for path in drafts if message_id_of(path.read_bytes()) == message_id)
        raw = path.read_bytes()
        path.rename(self.root / ".Sent" / "cur" / f"{path.name.partition(':')[0]}:2,S")
        return raw

    def departed(self) -> list[bytes]:
        found = []
        for path in files_in(self.outgoing):
            found.append(path.read_bytes())
            path.unlink()
        return found

    def sent(self) -> int:
        return len(files_in(self.root / ".Sent"))

    def _drop(self, where: Path, info: str, raw: bytes, at: datetime) -> None:
        self._numbers += 1
        name = f"{int(at.timestamp())}.Q{self._numbers}.maple"
        staged = where.parent / "tmp" / name
        staged.write_bytes(raw)
        os.utime(staged, (at.timestamp(), at.timestamp()))
        staged.rename(where / f"{name}{info}")

    def _id(self, path: Path) -> str:
        name = path.name.partition(":")[0]
        if name not in self._ids:
            self._ids[name] = message_id_of(path.read_bytes())
        return self._ids[name]

    def _forget(self, path: Path) -> None:
        self._ids.pop(path.name.partition(":")[0], None)
        path.unlink()

    def _paths(self, message_ids: Iterable[str]) -> list[Path]:
        wanted = set(message_ids)
        return [path for path in files_in(self.root) if self._id(path) in wanted]

    def _letters(self) -> dict[str, str]:
        path = self.root / "dovecot-keywords"
        lines = path.read_text().splitlines() if path.exists() else []
        return {word: chr(ord("a") + int(number)) for number, _, word in (line.partition(" ") for line in lines)}

    def _keywords(self, message_id: str, words: Sequence[str]) -> None:
        letters = self._letters()
        for word in words:
            letters.setdefault(word, chr(ord("a") + len(letters)))
        text = "".join(f"{ord(letter) - ord('a')} {word}\n" for word, letter in letters.items())
        (self.root / "dovecot-keywords.new").write_text(text)
        (self.root / "dovecot-keywords.new").rename(self.root / "dovecot-keywords")
        (path,) = self._paths([message_id])
        name, _, flags = path.name.partition(":2,")
        theirs = {letters[word] for word in (*KEYWORDS.values(), OWN_NAME) if word in letters}
        kept = sorted((set(flags) - theirs) | {letters[word] for word in words})
        path.rename(self.root / "cur" / f"{name}:2,{''.join(kept)}")
