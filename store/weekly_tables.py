"""The table behind the principal's mail of the week."""

from datetime import date, datetime

from sqlalchemy import UniqueConstraint
from sqlmodel import Field, SQLModel

from store.tables import UtcDateTime


class WeeklyMailRecord(SQLModel, table=True):
    """That it was decided, once a school week and leader, what to tell them, and what came of it."""

    __tablename__ = "weekly_mail"
    __table_args__ = (UniqueConstraint("leader", "monday"),)

    id: int | None = Field(default=None, primary_key=True)
    leader: str
    """Their address."""
    monday: date
    """Of the week in which the mail is sent; the week that it tells of is over."""
    decided_at: datetime = Field(sa_type=UtcDateTime)
    notice_id: int | None = Field(default=None, foreign_key="notice.id")
    """The mail; None where there was nothing to tell."""
    told: str = ""
    """The figures that it tells, as JSON (`scorecard.weekly_mail.Week`): groups of enough families, and no person."""
    sent_at: datetime | None = Field(default=None, sa_type=UtcDateTime)
