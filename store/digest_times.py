"""As of when a teacher was told how things stand."""

from datetime import date, datetime

from sqlalchemy import Connection, or_, select
from sqlmodel import col

from store.digest_tables import DigestRecord


def told_before(connection: Connection, mailbox: str, day: date) -> datetime | None:
    """On a day before `day`: by a mail that is out, or by none because there was nothing to tell; None where never."""
    told = or_(col(DigestRecord.sent_at).is_not(None), col(DigestRecord.notice_id).is_(None))
    query = (
        select(col(DigestRecord.decided_at))
        .where(col(DigestRecord.mailbox) == mailbox, col(DigestRecord.day) < day, told)
        .order_by(col(DigestRecord.day).desc())
        .limit(1)
    )
    found: datetime | None = connection.execute(query).scalar()
    return found
