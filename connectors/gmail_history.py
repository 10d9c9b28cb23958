"""Gmail's history, folded: what several records say of one message, said once. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from connectors.gmail_mail import AWAY, NO_MAIL, Record

_TOUCHED_AT_MOST = 1000
"""So many messages make a page full, also where only their labels changed: each costs a request."""


@dataclass(slots=True)
class Touched:
    """What became of one message."""

    id: str
    arrived: bool = False
    """It is new in the mailbox, or came back from Spam or Trash."""
    added: bool = False
    """It is new in the mailbox."""
    deleted: bool = False
    relabelled: bool = False
    """Its labels changed, or it went to Spam or Trash."""
    labels: set[str] = field(default_factory=set)
    """Labels that it was said to carry, to get or to lose."""


class Folding:
    """Takes records in until a page is full. A record that holds more messages than a page is taken in parts."""

    def __init__(self, start: str, within: int, limit: int) -> None:
        """`start` is the last record that was told, `within` how many messages of the next one were; `limit` is how
        many messages the page may hold."""
        self.reached = start
        """The last record that was taken in wholly."""
        self.within = within
        """How many messages of the one after it were."""
        self.more = False
        """Whether a record was left out, or a part of one."""
        self.room = limit
        """How many messages the page may still hold."""
        self._touched: dict[str, Touched] = {}

    @property
    def full(self) -> bool:
        """Whether nothing more is taken in."""
        return self.more or self.room == 0 or len(self._touched) >= _TOUCHED_AT_MOST

    @property
    def touched(self) -> tuple[Touched, ...]:
        """What became of each message, in the order in which they were first heard of."""
        return tuple(self._touched.values())

    def take(self, records: Iterable[Record]) -> None:
        """Takes in what has room."""
        for record in records:
            if self.full:
                self.more = True
                return
            self._take(record)

    def _take(self, record: Record) -> None:
        left = list(dict.fromkeys(_arrivals(record)))[self.within :]
        taken = left[: self.room]
        for id_ in taken:
            self._of(id_).arrived = True
        for id_, labels in record.added:
            if id_ in taken:
                self._of(id_).added = True
                self._of(id_).labels |= labels
        self.room -= len(taken)
        if len(taken) < len(left):
            self.within += len(taken)
            self.more = True
            return
        for id_ in record.deleted:
            self._of(id_).deleted = True
        for id_, labels in (*record.labelled, *record.unlabelled):
            self._of(id_).relabelled = True
            self._of(id_).labels |= labels
        self.reached, self.within = record.id, 0

    def _of(self, id_: str) -> Touched:
        return self._touched.setdefault(id_, Touched(id_))


def _arrivals(record: Record) -> Iterator[str]:
    for id_, labels in record.added:
        if not labels & NO_MAIL:
            yield id_
    for id_, labels in record.unlabelled:
        if labels & AWAY:
            yield id_
