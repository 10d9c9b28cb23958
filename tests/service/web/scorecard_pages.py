"""The pages of a school whose scorecard is made by hand: leaders, teachers, and what each may see."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from config.settings import MailboxSettings, Role, Staff, Term
from scorecard.events import Behind, FamilyEvent
from scorecard.readers import Reader
from scorecard.report import Report, SchoolTerm
from service.web import scorecard, scorecard_events
from store.scorecard_tables import Grouping
from tests.scorecard.sample_report import AS_OF, FALL, OKAFOR, RIVERA, SPRING, sample_report
from tests.service.web.office_pages import REED
from tests.service.web.school_pages import ALLIANCE, LEE, PARK, SchoolPages, school_pages, settings_of


@dataclass
class Scores:
    """The school's pages, and the scorecard that they read."""

    pages: SchoolPages
    report: Report | None
    events: list[FamilyEvent] = field(default_factory=list)
    """What stands behind every figure."""
    asked: list[dict[str, Any]] = field(default_factory=list)
    """With what it was read."""

    def read(self, *arguments: Any, **named: Any) -> Report | None:
        """Stands in for `read_report`: keeps to itself what `Reader` may not see."""
        reader: Reader = arguments[4]
        self.asked.append({"reader": reader, **named})
        if self.report is None:
            return None
        groups = [each for each in self.report.groups if self._theirs(each.group, reader)]
        if named.get("term") == SPRING.id:
            return replace(self.report, term=SPRING, before=None, groups=groups, groups_before=())
        return replace(self.report, groups=groups)

    def behind(self, *arguments: Any, **named: Any) -> Behind | None:
        """Stands in for `events_behind`."""
        reader, group, indicator = arguments[4:7]
        self.asked.append({"reader": reader, "group": group, **named})
        figures = self.report.of(*group) if self.report else None
        if figures is None or figures.withheld or not self._theirs(figures.group, reader):
            return None
        first, most = named["first"], named["most"]
        return Behind(FALL, figures, indicator, True, len(self.events), self.events[first : first + most])

    @staticmethod
    def _theirs(group: Any, reader: Reader) -> bool:
        if reader.leads_everybody or group.grouping in {Grouping.ALL, Grouping.SCHOOL}:
            return True
        return group.grouping is Grouping.TEACHER and group.key == reader.mailbox


@contextmanager
def score_pages(monkeypatch: pytest.MonkeyPatch | None = None, report: Report | None = None) -> Iterator[Scores]:
    """Maple Street School's, on the Monday of the sample."""
    settings = settings_of(
        staff=(
            Staff(address=REED, name="Dr. Reed", role=Role.LEADER),
            Staff(address=LEE, name="Sam Lee", role=Role.OFFICE),
            Staff(address=PARK, name="Kim Park", role=Role.ADMINISTRATOR),
        ),
        mailboxes=(
            MailboxSettings(address=RIVERA.key, teacher="Ms. Rivera", connector="memory", team="Blue team"),
            MailboxSettings(address=OKAFOR.key, teacher="Ms. Okafor", connector="memory", team="Blue team"),
            MailboxSettings(address=ALLIANCE, teacher="Alliance Inbox", connector="memory"),
        ),
        terms=tuple(Term(title=each.title, first=each.first, last=each.last) for each in (SPRING, FALL)),
    )
    patch = monkeypatch or pytest.MonkeyPatch()
    with school_pages(settings) as pages:
        pages.clock.now = AS_OF
        scores = Scores(pages, report or sample_report())
        patch.setattr(scorecard, "read_report", scores.read)
        patch.setattr(scorecard, "terms_of", _terms)
        patch.setattr(scorecard_events, "events_behind", scores.behind)
        try:
            yield scores
        finally:
            if monkeypatch is None:
                patch.undo()


def _terms(*_: object) -> list[SchoolTerm]:
    return [SPRING, FALL]
