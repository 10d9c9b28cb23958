"""What became of labels and messages that are known already: told by the server where it keeps a history (RFC 7162),
found by comparing the newest messages with what was there last time where it does not."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from connectors.imap_answers import Listed, uid_sets
from connectors.imap_connection import Connection, FolderState
from connectors.imap_copies import copies_state, copy_tags
from connectors.imap_cursor import FolderCursor
from connectors.imap_folders import Folders
from connectors.imap_ids import Place
from connectors.imap_labels import Marking, labels_in
from connectors.labels import Label, Tag, tag_of
from connectors.mailbox import Known, LabelState

_COMPARED = 1000
"""How many of the newest messages are compared where the server keeps no history."""
_SENT_COMPARED = 200
"""The same for Sent, where that is done at every look."""
_WINDOW = 20_000
"""How many messages' flags are asked for at once,"""
_WINDOWS = 50
"""in at most so many commands where UIDs are sparse."""
_ASKED = 500
"""How many ids the store is asked about at once."""
_GONE_AT_ONCE = 100_000
"""How many UIDs that may have been deleted are looked up in one page."""
_GRAVE = (Tag.URGENT, Tag.CONFLICT)


@dataclass(frozen=True, slots=True)
class Marked:
    """Label changes, deletions, and what to remember for the next comparison."""

    labels: tuple[LabelState, ...] = ()
    removed: tuple[str, ...] = ()
    marks: str = ""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A folder then (`cursor`) and now (`state`, just opened), and how labels are written there."""

    connection: Connection
    folders: Folders
    marking: Marking
    cursor: FolderCursor
    state: FolderState
    known: Known

    def marked(self) -> Marked:
        """What changed among the messages that the store knows. May leave INBOX to be opened again."""
        changed, gone = self._history()
        if self.marking is Marking.FOLDERS:
            labels, marks = self._by_copies()
        elif self.state.modseq is not None and self.state.modseq == self.cursor.modseq:
            labels, marks = [], self.cursor.marks
        elif self.marking is Marking.FLAGGED:
            labels, marks = self._by_star()
        elif self.state.modseq is not None:
            labels, marks = self._differing(changed), ""
        else:
            labels, marks = self._by_window()
        return Marked(tuple(labels), tuple(self._removed(gone)), marks)

    def relabelled(self) -> Marked:
        """The labels alone, of a folder whose deletions are not told: Sent, where labels are keywords or nothing."""
        if self.state.modseq is None:
            # Compared with the store each time: what we wrote and the teacher took off again leaves no other trace.
            return Marked(tuple(self._differing(self._newest()[-_SENT_COMPARED:])))
        since = self.cursor.modseq
        if since is None or since == self.state.modseq:
            return Marked()
        return Marked(tuple(self._differing(self._changed_since(since))))

    def _changed_since(self, since: int) -> list[Listed]:
        changed: list[Listed] = []
        for low in range(1, self.state.exists + 1, _WINDOW):
            high = min(low + _WINDOW - 1, self.state.exists)
            changed += self.connection.flags_by_number(low, high, changed_since=since)
        return changed

    def _history(self) -> tuple[list[Listed], Iterable[int]]:
        """What the server itself tells: messages whose flags changed, and UIDs that may be gone, newest first."""
        since, now = self.cursor.modseq, self.state.modseq
        quick = "QRESYNC" in self.connection.capabilities and since is not None and now is not None
        missing = self.state.exists < self.cursor.exists + self.state.uidnext - self.cursor.horizon
        gone: Iterable[int] = self._missing() if missing and not quick else ()
        if since is None or now is None or since == now:
            return [], gone
        if not quick:
            return self._changed_since(since), gone
        changed: list[Listed] = []
        last = self.cursor.uidnext - 1
        ranges: list[tuple[int, int]] = []
        width = max(_WINDOW, last // _WINDOWS + 1)
        for low in range(1, last + 1, width):
            some, vanished = self.connection.changed_and_vanished(low, min(low + width - 1, last), since)
            changed += some
            ranges = vanished + ranges
        return changed, (uid for low, high in ranges for uid in range(high, low - 1, -1))

    def _by_window(self) -> tuple[list[LabelState], str]:
        newest = self._newest()
        text = ";".join(f"{m.uid}{','.join(sorted(labels_in(m.flags)))}" for m in newest if labels_in(m.flags))
        marks = hashlib.sha256(text.encode()).hexdigest()[:16]
        return ([] if marks == self.cursor.marks else self._differing(newest)), marks

    def _by_star(self) -> tuple[list[LabelState], str]:
        """A star that was there at the last look and is gone now means routine, where it stood for one of our tags."""
        starred = self.connection.search("FLAGGED")[-_COMPARED:]
        had = _numbers(self.cursor.marks)
        lost = self.connection.existing(sorted(had.difference(starred)))
        on_record = self._on_record([m.uid for m in lost])
        told = [
            LabelState(self._id(m.uid), frozenset({Label.ROUTINE}))
            for m in lost
            if tag_of(on_record.get(m.uid, frozenset())) in _GRAVE
        ]
        return told, ",".join(uid_sets(starred))

    def _by_copies(self) -> tuple[list[LabelState], str]:
        """A copy that moved to the other folder means that tag; one that was there and is gone means routine."""
        state = copies_state(self.connection, self.folders)
        was, _, sets = self.cursor.marks.partition("|")
        if state == was:
            return [], self.cursor.marks
        tags = copy_tags(self.connection, self.folders)
        had = {uid for part in sets.split("|") for uid in _numbers(part)}
        present = {m.uid for m in self.connection.existing(sorted(had))} | set(tags)
        on_record = self._on_record(sorted(present))
        told = []
        for uid, recorded in on_record.items():
            shown = tags.get(uid, Tag.ROUTINE)
            if tag_of(recorded) is not shown and (uid in tags or tag_of(recorded) in _GRAVE):
                told.append(LabelState(self._id(uid), frozenset({Label(shown)})))
        copied = (",".join(uid_sets(sorted(uid for uid in tags if tags[uid] is tag))) for tag in _GRAVE)
        return told, "|".join((state, *copied))

    def _differing(self, listed: Sequence[Listed]) -> list[LabelState]:
        on_record = self._on_record([message.uid for message in listed])
        return [
            LabelState(self._id(message.uid), labels)
            for message in listed
            if message.uid in on_record and (labels := labels_in(message.flags)) != on_record[message.uid]
        ]

    def _removed(self, gone: Iterable[int]) -> list[str]:
        removed: list[str] = []
        candidates = islice(gone, _GONE_AT_ONCE)
        while chunk := list(islice(candidates, _ASKED)):
            removed += self.known([self._id(uid) for uid in chunk])
        return removed

    def _missing(self) -> Iterator[int]:
        there = {message.uid for message in self._newest()}
        lowest = min(there) if len(there) == _COMPARED else 1
        return (uid for uid in range(self.cursor.uidnext - 1, lowest - 1, -1) if uid not in there)

    def _newest(self) -> list[Listed]:
        if not self.state.exists:
            return []
        return self.connection.flags_by_number(max(1, self.state.exists - _COMPARED + 1), self.state.exists)

    def _on_record(self, uids: Iterable[int]) -> Mapping[int, frozenset[Label]]:
        ids = {self._id(uid): uid for uid in uids}
        found: dict[int, frozenset[Label]] = {}
        rest = iter(ids)
        while chunk := list(islice(rest, _ASKED)):
            found |= {ids[id_]: labels for id_, labels in self.known(chunk).items()}
        return found

    def _id(self, uid: int) -> str:
        return Place(self.state.name, self.state.uidvalidity, uid).message_id()


def _numbers(text: str) -> set[int]:
    """The numbers of a set as `uid_sets` writes it."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        low, _, high = part.partition(":")
        found.update(range(int(low), int(high or low) + 1))
    return found
