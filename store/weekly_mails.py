"""The principal's mails of the week: one decision per leader and school week, whoever takes it and however often.

Decision, figures and notice commit together, under a unique week: what the mail says is fixed before it is sent, so
that after a crash the next worker sends the same, and what was told is kept in the transaction that ends the notice.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import Connection, and_, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from store.database import Database
from store.notices import Notices, write_notice
from store.scorecard_tables import Grouping, Told
from store.tables import Notice, NoticeKind
from store.weekly_tables import WeeklyMailRecord


@dataclass(frozen=True, slots=True)
class Planned:
    """A mail that is to leave: its Message-ID, and the figures that it tells, as JSON."""

    rfc_message_id: str
    told: str


@dataclass(frozen=True, slots=True)
class Weekly:
    """A mail of the week that this worker is to bring on its way, or to give up."""

    leader: str
    monday: date
    told: str
    notice: Notice


@dataclass(frozen=True, slots=True)
class ToldFigure:
    """A figure as a mail told it."""

    term: str
    monday: date
    """Of the week that the mail told of."""
    measure: str
    value: float
    grouping: Grouping = Grouping.ALL
    key: str = ""


class WeeklyMails:
    """Records the mails of the week."""

    def __init__(self, database: Database, lease: timedelta) -> None:
        """`lease` is how long one mail may take before another worker looks after it."""
        self._database = database
        self.notices = Notices(database, lease)
        """The notices themselves."""

    def undecided(self, leaders: Sequence[str], monday: date) -> list[str]:
        """Those for whom nobody has decided this week."""
        query = select(col(WeeklyMailRecord.leader)).where(col(WeeklyMailRecord.monday) == monday)
        with self._database.read() as connection:
            decided = set(connection.execute(query).scalars())
        return [leader for leader in leaders if leader not in decided]

    def decide(self, monday: date, now: datetime, planned: Mapping[str, Planned | None]) -> bool:
        """Puts on record which mail each leader gets; None: that there is nothing to tell. False where another worker
        was quicker with one of them: nothing is written then."""
        try:
            with self._database.write() as connection:
                for leader, plan in planned.items():
                    number = plan and write_notice(connection, NoticeKind.WEEKLY, plan.rfc_message_id, now)
                    values = {"leader": leader, "monday": monday, "decided_at": now, "notice_id": number}
                    told = plan.told if plan else ""
                    connection.execute(insert(WeeklyMailRecord).values(**values, told=told))
        except IntegrityError:
            return False
        return True

    def take(self, now: datetime) -> Weekly | None:
        """A mail whose time has come, or whose worker has gone; it is this worker's until the lease ends."""
        mine = select(col(WeeklyMailRecord.notice_id)).where(col(WeeklyMailRecord.notice_id).is_not(None))
        notice = self.notices.take(and_(col(Notice.told_at).is_(None), col(Notice.id).in_(mine)), now)
        if notice is None:
            return None
        row = select(col(WeeklyMailRecord.leader), col(WeeklyMailRecord.monday), col(WeeklyMailRecord.told)).where(
            col(WeeklyMailRecord.notice_id) == notice.id
        )
        with self._database.read() as connection:
            leader, monday, told = connection.execute(row).one()
        return Weekly(leader, monday, told, notice)

    def finish(self, weekly: Weekly, now: datetime, told: Sequence[ToldFigure], *, out: bool) -> None:
        """The mail is `out`, or is not sent any more. `told` are the figures that somebody may have read by it: they
        are kept in the same transaction, each as it was first told. Raises LeaseLost."""

        def note(connection: Connection) -> None:
            this = col(WeeklyMailRecord.notice_id) == weekly.notice.id
            connection.execute(update(WeeklyMailRecord).where(this).values(sent_at=now if out else None))
            for each in told:
                _keep(connection, each, now)

        self.notices.finish(weekly.notice, now, note)

    def next_attempt_at(self) -> datetime | None:
        """When a mail that was put off is tried again; None where none waits."""
        due = func.min(
            col(Notice.next_attempt_at),
            type_=Notice.__table__.c.next_attempt_at.type,  # type: ignore[attr-defined]
        )
        query = (
            select(due)
            .join(WeeklyMailRecord, col(WeeklyMailRecord.notice_id) == col(Notice.id))
            .where(col(Notice.told_at).is_(None))
        )
        with self._database.read() as connection:
            found: datetime | None = connection.execute(query).scalar()
        return found


def _keep(connection: Connection, told: ToldFigure, now: datetime) -> None:
    # Two leaders' mails tell the same figure, and two workers may end them at one time.
    dialect: Callable[[type[Told]], postgresql.Insert | sqlite.Insert]
    dialect = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = dialect(Told).values(
        term=told.term,
        grouping=told.grouping,
        key=told.key,
        monday=told.monday,
        measure=told.measure,
        value=told.value,
        told_at=now,
    )
    connection.execute(row.on_conflict_do_nothing())
