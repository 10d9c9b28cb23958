"""What the administrator has to know of, from when it is noticed until its end is told: each once.

A trouble that ends before anybody was told of it is forgotten. One that comes back before its end was told is the same
one: what comes and goes fills nobody's inbox.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, and_, delete, insert, literal, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from autoresponder.alerts import AlertKind
from store.database import Database
from store.notices import Notices, write_notice
from store.operating_tables import Alert
from store.tables import Notice, NoticeKind

Subject = tuple[AlertKind, str]
"""What kind of trouble, and of what."""


@dataclass(frozen=True, slots=True)
class TakenAlerts:
    """A notice that this worker is to send, as of now, and the alerts it tells of."""

    notice: Notice
    alerts: tuple[Alert, ...]


class Alerts:
    """Records alerts and the notices about them."""

    def __init__(self, database: Database, lease: timedelta) -> None:
        """`lease` is how long one notice may take before another worker looks after it."""
        self._database = database
        self.notices = Notices(database, lease)
        """The notices themselves."""

    def observe(self, troubles: Mapping[Subject, datetime], now: datetime) -> None:
        """What is wrong now, each since when; everything else on record is over."""
        known = {(each.kind, each.subject): each for each in self.all()}
        new = [each for each in troubles if each not in known]
        back = [known[each] for each in troubles if each in known and known[each].over_at is not None]
        over = [alert for each, alert in known.items() if each not in troubles and alert.over_at is None]
        if not (new or back or over):
            return
        try:
            with self._database.write() as connection:
                for kind, subject in new:
                    values = {"kind": kind, "subject": subject, "since": troubles[kind, subject], "noticed_at": now}
                    connection.execute(insert(Alert).values(**values))
                for alert in back:
                    _back(connection, alert, troubles[alert.kind, alert.subject], now)
                for alert in over:
                    connection.execute(delete(Alert).where(_same(alert), col(Alert.told).is_(None)))
                    connection.execute(update(Alert).where(_same(alert)).values(over_at=now))
        except IntegrityError:
            return  # another worker noticed the same just now

    def all(self) -> list[Alert]:
        """Everything that is wrong, or whose end is not told yet; in order of kind and subject."""
        with self._database.read() as connection:
            return _alerts(connection)

    def announced_at(self, kind: NoticeKind) -> datetime | None:
        """When the latest notice of this kind was put on record."""
        made_at = col(Notice.created_at)
        query = select(made_at).where(col(Notice.kind) == kind).order_by(made_at.desc()).limit(1)
        with self._database.read() as connection:
            found: datetime | None = connection.execute(query).scalar()
        return found

    def announce(self, kind: NoticeKind, alerts: Sequence[Alert], rfc_message_id: str, now: datetime) -> bool:
        """Fixes one notice about these alerts. False where another worker was quicker, or one of them changed: nothing
        is on record then."""
        column, untold = _PLACE[kind]
        try:
            with self._database.write() as connection:
                number = write_notice(connection, kind, rfc_message_id, now)
                for alert in alerts:
                    done = connection.execute(update(Alert).where(_same(alert), untold).values({column: number}))
                    if done.rowcount != 1:
                        raise _Changed  # noqa: TRY301 - rolls the notice back with the rest
        except (IntegrityError, _Changed):
            return False
        return True

    def take(self, now: datetime) -> TakenAlerts | None:
        """A notice whose time has come, or whose worker has gone; it is this worker's until the lease ends."""
        notice = self.notices.take(col(Notice.kind).in_(_PLACE), now)
        if notice is None:
            return None
        about = or_(col(Alert.told) == notice.id, col(Alert.all_clear) == notice.id)
        with self._database.read() as connection:
            return TakenAlerts(notice, tuple(_alerts(connection, about)))

    def finish(self, taken: TakenAlerts, now: datetime, *, out: bool) -> None:
        """The notice is `out`, or tells of nothing any more. What it told the end of is forgotten, and what was over
        before anybody could be told. Raises LeaseLost."""
        told = or_(col(Alert.all_clear) == taken.notice.id, and_(col(Alert.told) == taken.notice.id, literal(not out)))
        over = and_(told, col(Alert.over_at).is_not(None))

        def forget(connection: Connection) -> None:
            connection.execute(delete(Alert).where(over))

        self.notices.finish(taken.notice, now, forget)


class _Changed(Exception):
    """What a notice was to tell is no longer so."""


_PLACE: Mapping[NoticeKind, tuple[str, Any]] = {
    NoticeKind.ALERT: ("told", and_(col(Alert.told).is_(None), col(Alert.over_at).is_(None))),
    NoticeKind.ALL_CLEAR: ("all_clear", and_(col(Alert.all_clear).is_(None), col(Alert.over_at).is_not(None))),
}
"""Where a notice's number is put down, and what it may be put down upon."""


def _back(connection: Connection, alert: Alert, since: datetime, now: datetime) -> None:
    """It is wrong again. Where its end may be known already, that is news."""
    handovers = select(col(Notice.handovers)).where(col(Notice.id) == alert.all_clear)
    if alert.all_clear is not None and connection.execute(handovers).scalar():
        news = {"told": None, "since": since, "noticed_at": now}
        connection.execute(update(Alert).where(_same(alert)).values(over_at=None, all_clear=None, **news))
    else:
        connection.execute(update(Alert).where(_same(alert)).values(over_at=None, all_clear=None))


def _same(alert: Alert) -> Any:
    return and_(col(Alert.id) == alert.id, col(Alert.noticed_at) == alert.noticed_at)


def _alerts(connection: Connection, where: Any = True) -> list[Alert]:
    with Session(bind=connection) as session:
        query = select(Alert).where(where).order_by(col(Alert.kind), col(Alert.subject))
        found = list(session.execute(query).scalars())
        session.expunge_all()
    return found
