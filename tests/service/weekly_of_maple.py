"""Maple Street School with a principal and an assistant principal, on a Monday morning in November."""

from collections.abc import Callable
from datetime import datetime
from email.message import EmailMessage

from config.settings import Role, Staff, Web
from scorecard.report import Report
from service.weekly import WeeklyMail
from store.database import Database
from tests.scorecard.sample_report import AS_OF, sample_report
from tests.service.desks_of_maple import got
from tests.service.maple import Maple

REED, HALE, ALLIANCE = "reed@maple.example", "hale@maple.example", "alliance@maple.example"
MONDAY = AS_OF
"""Five past seven in Chicago, on a school day; the first bell is at eight."""
STEPS = (
    "weekly mail decided",
    "notice taken",
    "notice draft saved",
    "notice handover recorded",
    "notice sent",
    "notice told",
)


class Crash(BaseException):
    """The process is gone."""


def led_maple(
    *, database: Database | None = None, atomic_send: bool = False, leaders: tuple[str, ...] = (REED,)
) -> Maple:
    """The school on that Monday."""
    maple = Maple(database=database, atomic_send=atomic_send, settings={"notices_from": ALLIANCE})
    staff = tuple(
        Staff(address=each, name=f"Dr. {each.partition('@')[0].title()}", role=Role.LEADER) for each in leaders
    )
    maple.settings = maple.settings.model_copy(update={"staff": staff, "web": Web(url="https://inbox.maple.example")})
    maple.clock.now = MONDAY
    return maple


def weekly(
    maple: Maple,
    *,
    report: Callable[[str, datetime], Report | None] | Report | None = None,
    die_at: str = "",
) -> WeeklyMail:
    """A fresh process's, which dies at a step if told so. It reads the sample's scorecard unless given another."""

    def step(name: str, _notice: int) -> None:
        if name == die_at:
            raise Crash

    def read(leader: str, now: datetime) -> Report | None:
        return report(leader, now) if callable(report) else report or sample_report()

    return WeeklyMail(maple.assembly(), environ={}, on_step=step, read=read)


def look(maple: Maple, *, report: Report | None = None, die_at: str = "") -> None:
    """Such a process looks after the mails of the week."""
    weekly(maple, report=report, die_at=die_at).tell()


def mails(maple: Maple, leader: str = REED) -> list[EmailMessage]:
    """What really left for a leader."""
    return got(maple, leader)
