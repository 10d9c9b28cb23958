"""What an instance remembers between pages, so that the store is not asked for a whole mailbox each time.

It may only believe in a page that was committed, and learns that from the next cursor: the cursor of the page means
yes, the cursor before it means no, and any other means that somebody else read the mailbox meanwhile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from connectors.labels import Label, Relabelling
from connectors.maildir.position import Arrival


@dataclass(slots=True)
class Told:
    """What a page told, until it is known whether the page was committed."""

    messages: dict[str, frozenset[Label]] = field(default_factory=dict)
    labels: dict[str, frozenset[Label]] = field(default_factory=dict)
    removed: tuple[str, ...] = ()


@dataclass(slots=True)
class Memory:
    """What the store has, what it lacks, and what it does not know yet."""

    seen: dict[str, frozenset[Label]] = field(default_factory=dict)
    """Messages that the store has, with the labels that it has for them."""
    live: list[Arrival] = field(default_factory=list)
    """Mail to be told, oldest first."""
    old: list[Arrival] = field(default_factory=list)
    """Old mail to be told, newest last."""
    waiting: set[str] = field(default_factory=set)
    """The ids in `live` and `old`."""
    relabelled: dict[str, frozenset[Label]] = field(default_factory=dict)
    """Changes of labels to be told."""
    removed: list[str] = field(default_factory=list)
    """Deletions to be told."""
    listed: tuple[int, ...] | None = None
    """The settled stamps that all this was listed under; None where it must be listed again."""
    before: str | None = None
    """The cursor that the last page was asked with."""
    after: str | None = None
    """The cursor that the last page ended with."""
    told: Told = field(default_factory=Told)

    def follows(self, cursor: str | None) -> bool:
        """Whether this memory holds good at `cursor`, after taking over the last page if it was committed."""
        if cursor is None or cursor not in (self.before, self.after):
            return False
        if cursor == self.after:
            self._commit()
        self.told = Told()
        return True

    def _commit(self) -> None:
        told = self.told
        self.seen |= told.messages
        self.waiting.difference_update(told.messages)
        while self.old and self.old[-1].id in told.messages:
            self.old.pop()
        self.live = [arrival for arrival in self.live if arrival.id not in told.messages]
        for id_, labels in told.labels.items():
            if id_ in self.seen:
                self.seen[id_] = labels
            if self.relabelled.get(id_) == labels:
                del self.relabelled[id_]
        for id_ in told.removed:
            self.seen.pop(id_, None)
        self.removed = [id_ for id_ in self.removed if id_ not in told.removed]

    def tagged(self, id_: str, change: Relabelling) -> None:
        """We changed these labels ourselves: no news to the store. The teacher's mark beside them still is."""
        for place in (self.seen, self.told.messages, self.told.labels):
            if id_ in place:
                place[id_] = change.of(place[id_])
        self.relabelled.pop(id_, None)

    def listing(self, labels: Mapping[str, frozenset[Label]], *, certain: bool) -> None:
        """Compares with what lies in the mailbox: the `labels` of each message. `certain` says that a message that is
        not listed is really gone."""
        self.relabelled = {id_: now for id_, now in labels.items() if self.seen.get(id_, now) != now}
        gone = self.waiting.difference(labels)
        if gone:
            self.drop(gone)
        self.removed = [id_ for id_ in self.seen if id_ not in labels] if certain else []

    def drop(self, ids: set[str]) -> None:
        """Forgets messages that wait to be told; they are found again where they still exist."""
        self.waiting -= ids
        self.live = [arrival for arrival in self.live if arrival.id not in ids]
        self.old = [arrival for arrival in self.old if arrival.id not in ids]

    def add(self, arrivals: Sequence[Arrival], boundary: tuple[int, int, int, str] | None) -> None:
        """Messages that nobody was told of yet; up to `boundary` they are old."""
        if arrivals:
            self.waiting.update(arrival.id for arrival in arrivals)
            for arrival in arrivals:
                (self.old if boundary is not None and arrival <= boundary else self.live).append(arrival)
            self.live.sort()
            self.old.sort()
