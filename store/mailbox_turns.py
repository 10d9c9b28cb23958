"""Whose turn it is: workers take mailboxes whose time has come, a batch at a time, and give them back.

This is for speed and fairness only. Two workers at one mailbox, as when one was taken for dead, do no harm: cursors
are compared when a page is recorded, and mail is sent under the outbox's leases (decision 2 of the design). PostgreSQL
only.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import Any

from sqlalchemy import ARRAY, Boolean, Float, Integer, String, bindparam, text

from store.caution import suspect
from store.database import Database
from store.worker_tables import Pace
from store.workers import NOW

LONGEST_TURN = timedelta(minutes=10)
"""A turn that takes longer is somebody else's too: its worker lives, but that thread may not."""
_LEFT_TO_THE_LAST = timedelta(seconds=3)
"""So long a mailbox that is due is left to the worker that may have a connection to it."""
_HASTENED_AFTER = timedelta(seconds=3)
"""So long after a turn began it is not asked for again on behalf of what comes due: it may be about it."""
_FORGOTTEN_AFTER = timedelta(days=1)
_URGENT_AFTER = timedelta(seconds=2)
"""So long urgent mail is left to whoever planned it, since they deliver it at once."""

_ADD = text(
    f"""
    INSERT INTO mailbox_turn (mailbox, system, pace, due_at, woken, number, failures)
    SELECT new.mailbox, new.system, 'live', {NOW} + new.seconds * interval '1 second', false, 0, 0
    FROM unnest(:mailboxes, :systems, :seconds) AS new (mailbox, system, seconds)
    ON CONFLICT (mailbox) DO UPDATE SET system = EXCLUDED.system WHERE mailbox_turn.system <> EXCLUDED.system
    """  # noqa: S608 - a constant, as below
).bindparams(
    bindparam("mailboxes", type_=ARRAY(String)),
    bindparam("systems", type_=ARRAY(String)),
    bindparam("seconds", type_=ARRAY(Float)),
)
_FREE = f"""
    (turn.holder IS NULL OR turn.taken_at < {NOW} - :longest
     OR NOT EXISTS (SELECT FROM worker WHERE worker.id = turn.holder AND worker.alive_until > {NOW}))
"""
_BY_NOW = f"(SELECT {NOW})"
"""The same, asked once in a statement: so an index finds the few that are due. A clock that is asked for each row is no
limit that an index knows."""
# A clock that jumps ahead ends the life of every worker at once, on record: who has not said since that it lives would
# take again and again what it has in hand.
_TAKE = text(
    f"""
    WITH due AS (
        SELECT turn.mailbox, turn.holder AS gone FROM mailbox_turn AS turn
        WHERE turn.system = :system AND turn.due_at <= {_BY_NOW} AND turn.pace = ANY(:paces) AND {_FREE}
          AND EXISTS (SELECT FROM worker WHERE worker.id = :worker AND worker.alive_until > {NOW})
          AND (turn.last_holder IS NULL OR turn.last_holder = :worker OR turn.due_at <= {NOW} - :left_to_the_last
               OR NOT EXISTS (SELECT FROM worker WHERE worker.id = turn.last_holder AND worker.alive_until > {NOW}))
          AND NOT (turn.mailbox = ANY(:strangers))
        ORDER BY turn.due_at LIMIT :most FOR UPDATE OF turn SKIP LOCKED
    )
    UPDATE mailbox_turn AS turn
    SET holder = :worker, last_holder = :worker, number = turn.number + 1, taken_at = {NOW}, woken = false
    FROM due WHERE turn.mailbox = due.mailbox
    RETURNING turn.mailbox, turn.number, turn.pace, turn.failures,
              extract(epoch FROM {NOW} - turn.due_at)::float AS late, due.gone, {NOW} AS now
    """  # noqa: S608
).bindparams(bindparam("paces", type_=ARRAY(String)), bindparam("strangers", type_=ARRAY(String)))
_GIVE_BACK = text(
    f"""
    UPDATE mailbox_turn AS turn
    SET holder = NULL, pace = ended.pace, failures = ended.failures, woken = false,
        due_at = CASE
            WHEN turn.woken OR ended.at_once THEN {NOW}
            WHEN ended.pace = 'live' THEN greatest({NOW}, turn.due_at + ended.seconds * interval '1 second')
            ELSE {NOW} + ended.seconds * interval '1 second' END
    FROM unnest(:mailboxes, :numbers, :paces, :failures, :seconds, :at_once)
         AS ended (mailbox, number, pace, failures, seconds, at_once)
    WHERE turn.mailbox = ended.mailbox AND turn.number = ended.number AND turn.holder = :worker
    """  # noqa: S608
).bindparams(
    bindparam("mailboxes", type_=ARRAY(String)),
    bindparam("numbers", type_=ARRAY(Integer)),
    bindparam("paces", type_=ARRAY(String)),
    bindparam("failures", type_=ARRAY(Integer)),
    bindparam("seconds", type_=ARRAY(Float)),
    bindparam("at_once", type_=ARRAY(Boolean)),
)
_WAKE = text(
    f"""
    UPDATE mailbox_turn SET due_at = least(due_at, {NOW}), woken = holder IS NOT NULL
    WHERE mailbox = ANY(:mailboxes) AND failures = 0
    """  # noqa: S608
).bindparams(bindparam("mailboxes", type_=ARRAY(String)))
# What the index of open deliveries holds is said word for word, so that it answers.
_OPEN = "state IN ('waiting', 'working', 'set aside', 'uncertain')"
_HASTEN = text(
    f"""
    UPDATE mailbox_turn AS turn SET due_at = {NOW}
    WHERE turn.holder IS NULL AND turn.failures = 0 AND turn.due_at > {NOW}
      AND (turn.taken_at IS NULL OR turn.taken_at < {NOW} - :hastened_after)
      AND turn.mailbox IN (
        SELECT mailbox FROM delivery WHERE {_OPEN} AND state = 'waiting' AND next_attempt_at <= {NOW}
        UNION SELECT mailbox FROM delivery WHERE {_OPEN} AND state = 'working' AND lease_until <= {NOW}
      )
    """  # noqa: S608
)
_URGENT = text(
    f"""
    WITH waiting AS (
        SELECT mailbox FROM delivery
        WHERE {_OPEN} AND kind IN ('route', 'escalate')
          AND (state = 'waiting' AND next_attempt_at <= {NOW} - :urgent_after
               OR state = 'working' AND lease_until <= {NOW} - :urgent_after)
        UNION SELECT mailbox FROM item WHERE state = 'open' AND escalates_at <= {NOW} - :urgent_after
    )
    SELECT waiting.mailbox FROM waiting JOIN mailbox_turn AS turn ON turn.mailbox = waiting.mailbox
    WHERE turn.failures = 0 OR turn.due_at <= {NOW}
    """  # noqa: S608
)
_WAITING = text(
    f"""
    SELECT turn.system, count(*) AS due FROM mailbox_turn AS turn
    WHERE turn.due_at <= {_BY_NOW} AND {_FREE} AND NOT (turn.mailbox = ANY(:strangers)) GROUP BY turn.system
    """  # noqa: S608
).bindparams(bindparam("strangers", type_=ARRAY(String)))
_FORGET = text(
    f"""
    DELETE FROM mailbox_turn AS turn WHERE turn.mailbox = ANY(:strangers) AND turn.due_at < {NOW} - :forgotten_after
    """  # noqa: S608
).bindparams(bindparam("strangers", type_=ARRAY(String)))


@dataclass(frozen=True, slots=True)
class Turn:
    """A mailbox that is this worker's, until it is given back or the worker is taken for dead."""

    mailbox: str
    number: int
    pace: Pace
    failures: int
    late: float
    """Seconds by which it had its turn too late."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a turn ended."""

    turn: Turn
    pace: Pace
    seconds: float
    """Until the next: after the time that this one was due where its pace is live, otherwise from now on."""
    failures: int = 0
    at_once: bool = False


class MailboxTurns:
    """Hands out turns."""

    def __init__(self, database: Database, worker: str) -> None:
        """`worker` is the name of the one that takes them (`store.workers`)."""
        self._database = database
        self._worker = worker

    def add(self, systems: Mapping[str, str], spread: float) -> None:
        """Mailboxes that are to have turns, with their systems; those that have none yet get their first ones within
        `spread` seconds, evenly."""
        boxes = sorted(systems)
        values = {
            "mailboxes": boxes,
            "systems": [systems[box] for box in boxes],
            "seconds": [spread * number / len(boxes) for number in range(len(boxes))],
        }
        with self._database.write() as connection:
            connection.execute(_ADD, values)

    def strangers(self, known: Collection[str]) -> list[str]:
        """Mailboxes that have turns and are not among `known`: another worker's configuration has them."""
        with self._database.glance() as connection:
            found = connection.execute(text("SELECT mailbox FROM mailbox_turn")).scalars()
            return [mailbox for mailbox in found if mailbox not in known]

    def take(self, system: str, most: int, paces: Iterable[Pace], strangers: Sequence[str] = ()) -> list[Turn]:
        """At most so many mailboxes of a system whose time has come, the longest due first. `strangers` are left to
        others. Those in which another worker's turn did not come to an end are read with care from now on."""
        values = {
            "system": system,
            "worker": self._worker,
            "most": most,
            "paces": [pace.value for pace in paces],
            "strangers": list(strangers),
            "longest": LONGEST_TURN,
            "left_to_the_last": _LEFT_TO_THE_LAST,
        }
        with self._database.write() as connection:
            rows = connection.execute(_TAKE, values).all()
            unfinished = [row.mailbox for row in rows if row.gone is not None]
            if unfinished:
                suspect(connection, unfinished, rows[0].now.replace(tzinfo=UTC))
        turns = [Turn(row.mailbox, row.number, Pace(row.pace), row.failures, row.late) for row in rows]
        return sorted(turns, key=lambda turn: -turn.late)

    def give_back(self, ended: Sequence[Ended]) -> int:
        """Ends turns. Returns how many were still this worker's."""
        if not ended:
            return 0
        values: dict[str, Any] = {
            "worker": self._worker,
            "mailboxes": [each.turn.mailbox for each in ended],
            "numbers": [each.turn.number for each in ended],
            "paces": [each.pace.value for each in ended],
            "failures": [each.failures for each in ended],
            "seconds": [each.seconds for each in ended],
            "at_once": [each.at_once for each in ended],
        }
        with self._database.write() as connection:
            return int(connection.execute(_GIVE_BACK, values).rowcount)

    def wake(self, mailboxes: Iterable[str]) -> None:
        """Something changed in these mailboxes: they have their turn now, and one whose turn is under way has another
        right after it. One that cannot be worked on waits for its pause to end."""
        with self._database.write() as connection:
            connection.execute(_WAKE, {"mailboxes": sorted(set(mailboxes))})

    def hasten(self) -> int:
        """Mailboxes with deliveries that have come due have their turn now. Returns how many."""
        with self._database.write() as connection:
            return int(connection.execute(_HASTEN, {"hastened_after": _HASTENED_AFTER}).rowcount)

    def urgent(self) -> list[str]:
        """Mailboxes with urgent mail that nobody is bringing on its way, or with items that nobody took in time."""
        with self._database.glance() as connection:
            return list(connection.execute(_URGENT, {"urgent_after": _URGENT_AFTER}).scalars())

    def forget(self, strangers: Sequence[str]) -> None:
        """Of `strangers`, those that no worker has come to for a day have no turns any more: nobody's configuration has
        them."""
        with self._database.write() as connection:
            connection.execute(_FORGET, {"strangers": list(strangers), "forgotten_after": _FORGOTTEN_AFTER})

    def waiting(self, strangers: Sequence[str] = ()) -> Mapping[str, int]:
        """How many mailboxes of each system are due and in nobody's hands, `strangers` left out."""
        with self._database.glance() as connection:
            rows = connection.execute(_WAITING, {"longest": LONGEST_TURN, "strangers": list(strangers)})
            return {row.system: int(row.due) for row in rows}
