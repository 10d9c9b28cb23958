"""Who may come in: sign-in links, sessions, and how often somebody has tried. What two workers share stands here.

Every act commits together with its entry in the audit log.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, delete, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col

from store import audit
from store.database import Database
from store.pages import Pages
from store.web_tables import SignInLink, Throttle, WebSession

_SEEN_AGAIN_AFTER = timedelta(minutes=1)
"""A session's last page is recorded this coarsely: reading a page must not be a write each time."""
_KEPT = timedelta(days=1)
"""How long what has run out stays, before it is deleted."""


class TooMany(Exception):
    """Somebody tried too often. `again_at` says from when on they may try again."""

    def __init__(self, again_at: datetime) -> None:
        """`again_at` is aware."""
        super().__init__(f"too many tries; again at {again_at.isoformat()}")
        self.again_at = again_at


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `tries` in each stretch of `window`."""

    name: str
    tries: int
    window: timedelta


@dataclass(frozen=True, slots=True)
class Attempt:
    """Somebody, told apart by `whose`, tries what `limit` limits."""

    limit: Limit
    whose: str


def new_secret() -> str:
    """A fresh random secret of 256 bits, for a link or a cookie."""
    return secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """How a secret of 256 random bits stands in the database: nobody can guess it back, so no salt is needed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


class Access:
    """Links and sessions of one installation. Threads share it."""

    def __init__(self, database: Database) -> None:
        """Keys for digests come from the installation's own secret."""
        self._database = database
        self._key = Pages(database).fingerprint_key()

    def key_for(self, purpose: str) -> bytes:
        """A key for one purpose, the same in every worker."""
        return hmac.digest(self._key, f"alliance-inbox web {purpose}".encode(), "sha256")

    def ask(
        self,
        secret: str,
        person: str | None,
        *,
        destination: str,
        attempts: tuple[Attempt, ...],
        now: datetime,
        valid: timedelta,
    ) -> None:
        """Records that a link with `secret` was asked for; `person` is None for an address that nobody has. Raises
        `TooMany`: then nothing is recorded but the try."""
        self.try_once(attempts, now)
        row = {"digest": digest(secret), "person": person, "destination": destination}
        with self._database.write() as connection:
            _forget_old(connection, now)
            connection.execute(insert(SignInLink).values(**row, created_at=now, expires_at=now + valid))

    def link_sent(self, person: str, now: datetime) -> None:
        """Puts on record that a link is on its way to somebody."""
        with self._database.write() as connection:
            audit.append(connection, at=now, person=person, act="was sent a sign-in link")

    def look(self, secret: str, now: datetime) -> SignInLink | None:
        """The link, where it can still be used. Changes nothing."""
        with self._database.read() as connection, Session(bind=connection) as session:
            found = session.execute(select(SignInLink).where(_usable(secret, now))).scalar_one_or_none()
            if found is not None:
                session.expunge(found)
        return found

    def redeem(self, secret: str, session_secret: str, *, now: datetime, lasting: timedelta) -> SignInLink | None:
        """Uses the link up and begins a session under `session_secret`, in one commit; None where it cannot be used
        (any more). Of several that come at once with one link, one gets a session. Whatever other links the same
        person has are used up too."""
        with self._database.write() as connection:
            used = connection.execute(update(SignInLink).where(_usable(secret, now)).values(used_at=now))
            if used.rowcount != 1:
                return None
            with Session(bind=connection) as session:
                link = session.get_one(SignInLink, digest(secret))
                session.expunge(link)
            person = link.person or ""
            others = and_(col(SignInLink.person) == person, col(SignInLink.used_at).is_(None))
            connection.execute(update(SignInLink).where(others).values(used_at=now))
            _begin(connection, session_secret, person, "by link", now=now, lasting=lasting)
        return link

    def admit(self, person: str, session_secret: str, way: str, *, now: datetime, lasting: timedelta) -> None:
        """Begins a session of somebody for whom another has vouched; `way` says who, e.g. "with Google"."""
        with self._database.write() as connection:
            _begin(connection, session_secret, person, way, now=now, lasting=lasting)

    def turned_away(self, person: str | None, way: str, now: datetime) -> None:
        """Puts on record that somebody came, and got no session. `person` is None where it is none of the staff: who
        they are is not kept."""
        with self._database.write() as connection:
            audit.append(connection, at=now, person=person, act="was not let in", about=way)

    def session(self, secret: str, *, now: datetime, idle: timedelta, used: bool = True) -> WebSession | None:
        """The session, where it lasts still; being `used` keeps it from growing idle."""
        lasts = and_(
            col(WebSession.digest) == digest(secret),
            col(WebSession.expires_at) > now,
            col(WebSession.seen_at) > now - idle,
        )
        with self._database.read() as connection, Session(bind=connection) as session:
            found = session.execute(select(WebSession).where(lasts)).scalar_one_or_none()
            if found is not None:
                session.expunge(found)
        if used and found is not None and found.seen_at <= now - _SEEN_AGAIN_AFTER:
            with self._database.write() as connection:
                connection.execute(update(WebSession).where(lasts).values(seen_at=now))
        return found

    def sessions_of(self, person: str, *, now: datetime, idle: timedelta) -> int:
        """With how many browsers somebody is signed in."""
        theirs = and_(
            col(WebSession.person) == person, col(WebSession.expires_at) > now, col(WebSession.seen_at) > now - idle
        )
        with self._database.read() as connection:
            return len(connection.execute(select(col(WebSession.digest)).where(theirs)).all())

    def end(self, secret: str, person: str, now: datetime) -> None:
        """Signs this browser out."""
        with self._database.write() as connection:
            if connection.execute(delete(WebSession).where(col(WebSession.digest) == digest(secret))).rowcount:
                audit.append(connection, at=now, person=person, act="signed out")

    def end_everywhere(self, person: str, now: datetime) -> None:
        """Signs somebody out of every browser, and makes links that are on their way to them useless."""
        with self._database.write() as connection:
            connection.execute(delete(WebSession).where(col(WebSession.person) == person))
            waiting = and_(col(SignInLink.person) == person, col(SignInLink.used_at).is_(None))
            connection.execute(update(SignInLink).where(waiting).values(used_at=now))
            audit.append(connection, at=now, person=person, act="signed out everywhere")

    def try_once(self, attempts: tuple[Attempt, ...], now: datetime) -> None:
        """Counts one try for each of `attempts`. Raises `TooMany` where one of them was one too many."""
        again_at: datetime | None = None
        with self._database.write() as connection:
            for attempt in attempts:
                begins = _window(attempt.limit, now)
                if _count(connection, self._bucket(attempt), begins) > attempt.limit.tries:
                    ends = begins + attempt.limit.window
                    again_at = ends if again_at is None else max(again_at, ends)
        if again_at is not None:
            raise TooMany(again_at)

    def _bucket(self, attempt: Attempt) -> str:
        """The database need not know which address tried: a digest tells them apart as well."""
        whose = hmac.new(self.key_for("throttle"), attempt.whose.encode("utf-8", "surrogatepass"), "sha256")
        return f"{attempt.limit.name} {whose.hexdigest()[:32]}"


def _begin(
    connection: Connection, session_secret: str, person: str, way: str, *, now: datetime, lasting: timedelta
) -> None:
    begun = {"person": person, "created_at": now, "seen_at": now, "expires_at": now + lasting}
    connection.execute(insert(WebSession).values(digest=digest(session_secret), **begun))
    audit.append(connection, at=now, person=person, act="signed in", about=way)


def _usable(secret: str, now: datetime) -> ColumnElement[bool]:
    return and_(
        col(SignInLink.digest) == digest(secret),
        col(SignInLink.person).is_not(None),
        col(SignInLink.used_at).is_(None),
        col(SignInLink.expires_at) > now,
    )


def _window(limit: Limit, now: datetime) -> datetime:
    seconds = limit.window.total_seconds()
    return datetime.fromtimestamp(now.timestamp() // seconds * seconds, UTC)


def _count(connection: Connection, bucket: str, begins: datetime) -> int:
    """Counts one more, and says how many that makes. The update locks the row, so that two workers count both."""
    this = and_(col(Throttle.bucket) == bucket, col(Throttle.begins_at) == begins)
    more = update(Throttle).where(this).values(count=col(Throttle.count) + 1)
    if connection.execute(more).rowcount == 0:
        try:
            with connection.begin_nested():
                connection.execute(insert(Throttle).values(bucket=bucket, begins_at=begins, count=1))
        except IntegrityError:  # another worker was quicker
            connection.execute(more)
    return int(connection.execute(select(col(Throttle.count)).where(this)).scalar_one())


def _forget_old(connection: Connection, now: datetime) -> None:
    old = now - _KEPT
    connection.execute(delete(SignInLink).where(col(SignInLink.expires_at) < old))
    connection.execute(delete(Throttle).where(col(Throttle.begins_at) < old))
    connection.execute(
        delete(WebSession).where(
            or_(col(WebSession.expires_at) < old, col(WebSession.seen_at) < now - timedelta(days=7))
        )
    )
