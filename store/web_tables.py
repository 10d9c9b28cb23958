"""The tables of the web pages: who may still use which link, who is signed in, how often somebody tried, who did what.

Links and sessions stand here as digests: who reads the database can sign in with none of them.
"""

from datetime import datetime

from sqlalchemy import Index, Text, UniqueConstraint
from sqlmodel import Field, SQLModel

from store.tables import UtcDateTime


class SignInLink(SQLModel, table=True):
    """A link that was asked for. One for an address that nobody has is recorded too, and can never be used: asking
    takes as long for the one as for the other."""

    __tablename__ = "sign_in_link"

    digest: str = Field(primary_key=True)
    """SHA-256 of what stands in the link, hexadecimal."""
    person: str | None = None
    """Address of who signs in with it; None where nobody does."""
    destination: str = Field(default="/", sa_type=Text)
    """Path of the page that was asked for first."""
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class WebSession(SQLModel, table=True):
    """Somebody is signed in with one browser."""

    __tablename__ = "web_session"
    __table_args__ = (Index("ix_web_session_person", "person"),)

    digest: str = Field(primary_key=True)
    """SHA-256 of what stands in the cookie, hexadecimal."""
    person: str
    created_at: datetime = Field(sa_type=UtcDateTime)
    seen_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)


class OpenIdTrip(SQLModel, table=True):
    """Somebody was sent to the OpenID provider, and is expected back with the same browser, once."""

    __tablename__ = "openid_trip"

    digest: str = Field(primary_key=True)
    """SHA-256 of the `state` that they were sent with, hexadecimal."""
    browser: str
    """SHA-256 of what this browser is told apart by, hexadecimal."""
    destination: str = Field(default="/", sa_type=Text)
    """Path of the page that was asked for first."""
    created_at: datetime = Field(sa_type=UtcDateTime)
    expires_at: datetime = Field(sa_type=UtcDateTime)
    used_at: datetime | None = Field(default=None, sa_type=UtcDateTime)


class Throttle(SQLModel, table=True):
    """How often something was tried within one stretch of time."""

    __tablename__ = "throttle"

    bucket: str = Field(primary_key=True)
    """What is counted, and a keyed digest of whose tries they are."""
    begins_at: datetime = Field(primary_key=True, sa_type=UtcDateTime)
    count: int


class AuditEntry(SQLModel, table=True):
    """One thing that somebody saw or did. Never changed, never deleted; the next entry's digest covers this one's."""

    __tablename__ = "audit"
    __table_args__ = (UniqueConstraint("digest"), Index("ix_audit_person", "person"))

    number: int = Field(primary_key=True, sa_column_kwargs={"autoincrement": False})
    """Counts from 1 without a gap."""
    at: datetime = Field(sa_type=UtcDateTime)
    person: str | None = None
    """Address of who did it; None where it was nobody that we know."""
    act: str
    """What was done, in this program's words."""
    about: str = Field(default="", sa_type=Text)
    """What it was done to: an address, a number, a page; no words of any message."""
    digest: str
    """SHA-256 of the entry before and of everything above, hexadecimal."""


class AuditHead(SQLModel, table=True):
    """One row: the last entry. Whoever appends takes this row first, so entries stand one behind the other."""

    __tablename__ = "audit_head"

    id: int = Field(default=1, primary_key=True)
    number: int
    digest: str
