"""Who was sent to the OpenID provider and is expected back. What two workers share stands here."""

from datetime import datetime, timedelta

from sqlalchemy import and_, delete, insert, select, update
from sqlmodel import col

from store.access import digest
from store.database import Database
from store.web_tables import OpenIdTrip

_KEPT = timedelta(days=1)
"""How long a trip that has ended stays, before it is deleted."""


def set_out(database: Database, state: str, browser: str, *, destination: str, now: datetime, valid: timedelta) -> None:
    """Records that `browser` was sent off with `state`, a secret of 256 random bits, and is expected back within
    `valid`."""
    row = {"digest": digest(state), "browser": digest(browser), "destination": destination}
    with database.write() as connection:
        connection.execute(delete(OpenIdTrip).where(col(OpenIdTrip.expires_at) < now - _KEPT))
        connection.execute(insert(OpenIdTrip).values(**row, created_at=now, expires_at=now + valid))


def come_back(database: Database, state: str, browser: str, now: datetime) -> str | None:
    """Where the person behind `browser` wanted to go; None where nobody was sent off with `state` from this browser, or
    it is too late, or they are back already. Of several that come at once with one state, one gets an answer."""
    this = and_(
        col(OpenIdTrip.digest) == digest(state),
        col(OpenIdTrip.browser) == digest(browser),
        col(OpenIdTrip.used_at).is_(None),
        col(OpenIdTrip.expires_at) > now,
    )
    with database.write() as connection:
        if connection.execute(update(OpenIdTrip).where(this).values(used_at=now)).rowcount != 1:
            return None
        wanted = select(col(OpenIdTrip.destination)).where(col(OpenIdTrip.digest) == digest(state))
        return str(connection.execute(wanted).scalar_one())
