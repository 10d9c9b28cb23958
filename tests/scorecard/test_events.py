"""Every figure opens to its events, and is computed again from nothing but these; on random histories, through the
writers that the service itself uses. The threshold holds for lists as for figures."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from statistics import mean, median
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from sqlalchemy import select

from config.settings import Scorecard
from scorecard.events import Behind, events_behind
from scorecard.keeping import bring_up_to_date
from scorecard.places import GroupKey
from scorecard.plain import events_as_json, report_as_json
from scorecard.readers import LEADER, Reader
from scorecard.reading import read_report
from scorecard.report import Indicator, Report
from store.contact_tables import Contact, ContactTone, Judgement
from store.scorecard_tables import Grouping
from store.tables import MessageRecord
from tests.scorecard.figures_of_maple import CHEN, FALL, NOW, OKAFOR, RIVERA, Figures, grade, with_
from tests.scorecard.history import HISTORIES, History
from tests.scorecard.spare import empty_database
from tests.scorecard.test_truth import take

Rows = Sequence[Mapping[str, Any]]


def day(written: str | None) -> date | None:
    return date.fromisoformat(written) if written else None


def again(events: Rows, indicator: Indicator, term: Mapping[str, str], today: date, history: History) -> dict[str, Any]:
    """A figure by hand, as docs/scorecard.md says at its end, from the JSON that the command prints."""
    if indicator is Indicator.FIRST_CONTACT:
        last = min(term["fourth_week_ends"], term["last"])
        met = {row["family"] for row in events if row["positive"] and row["positive"] <= last}
        return {"met": len(met), "of": len({row["family"] for row in events})}
    if indicator is Indicator.TWO_WAY:
        written = {row["family"] for row in events if row["written"]}
        return {"met": len({row["family"] for row in events if row["answered"]}), "of": len(written)}
    if indicator is Indicator.RESOLUTION:
        lasted = []
        for row in events:
            if row["agreed"]:
                opened, agreed = date.fromisoformat(row["opened"]), date.fromisoformat(row["agreed"])
                days = [opened + timedelta(days=ahead) for ahead in range(1, (agreed - opened).days + 1)]
                lasted.append(sum(history.calendar.is_school_day(each) for each in days))
        return {
            "resolved": len(lasted),
            "open": len(events) - len(lasted),
            "mean": mean(lasted) if lasted else None,
            "median": median(lasted) if lasted else None,
        }
    by_student: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in events:
        by_student[row["student"]].append(row)
    met = of = 0
    two_weeks = timedelta(days=14)
    for rows in by_student.values():
        over = [row for row in rows if today > date.fromisoformat(row["day"]) + two_weeks]
        if over:
            of += 1
            latest = max(row["day"] for row in over)
            limit = date.fromisoformat(latest) + two_weeks
            judged = [(day(row["baseline"]), day(row["again"])) for row in over if row["day"] == latest]
            met += all(
                (back <= limit) if back is not None else (next_ is None or next_ > limit) for back, next_ in judged
            )
    return {"met": met, "of": of, "pending": len(by_student) - of}


def opened(
    history: History, group: GroupKey, indicator: Indicator, term: str, reader: Reader = LEADER
) -> Behind | None:
    with history.database.read() as connection:
        return events_behind(
            connection, history.settings, history.calendar, history.now, reader, group, indicator, term=term
        )


def read(history: History, term: str | None = None) -> Report | None:
    with history.database.read() as connection:
        return read_report(connection, history.settings, history.calendar, history.now, LEADER, term=term)


@examples(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(HISTORIES)
@pytest.mark.parametrize("threshold", [1, 2])
def test_after_any_history_a_figure_is_what_its_events_come_to(threshold: int, steps: list[tuple[str, Any]]) -> None:
    with empty_database() as database:
        history = History(database)
        for step, said in steps:
            take(history, step, said)
        few = Scorecard.model_construct(smallest_group=threshold)
        history.settings = history.settings.model_copy(update={"scorecard": few})
        bring_up_to_date(database, history.settings, history.calendar, history.now)
        report = read(history)
        if report is None:
            return
        today = history.now.astimezone(history.calendar.zone).date()
        for printed in report_as_json(report, report.groups)["groups"]:
            group = Grouping(printed["grouping"]), printed["key"]
            for indicator in Indicator:
                behind = opened(history, group, indicator, report.term.id)
                assert (behind is None) == (printed[indicator] is None)
                if behind is not None:
                    said = events_as_json(behind)
                    figure = again(said["events"], indicator, said["term"], today, history)
                    assert {name: printed[indicator][name] for name in figure} == pytest.approx(figure)
                    if behind.named:
                        assert_on_record(history, said["events"])


def assert_on_record(history: History, events: Rows) -> None:
    """Each record that is named is there, was on that day, and is what it counted as."""
    zone = history.calendar.zone
    with history.database.read() as connection:
        mail = {row.id: row for row in connection.execute(select(MessageRecord.__table__))}  # type: ignore[attr-defined]
        contacts = {row.id: row for row in connection.execute(select(Contact.__table__))}  # type: ignore[attr-defined]
        good = set(connection.execute(select(Judgement.message_id).where(Judgement.positive)).scalars())  # type: ignore[arg-type]
    for row in events:
        for name in ("positive", "written", "answered"):
            if not row.get(name):
                continue
            kind, _, number = row[f"{name}_record"].partition(" ")
            record = (mail if kind == "message" else contacts)[int(number)]
            on = record.received_at.astimezone(zone).date() if kind == "message" else record.on_day
            assert on.isoformat() <= row[name]
            assert name == "answered" or on.isoformat() == row[name]
            if name == "positive":
                assert record.id in good if kind == "message" else record.tone is ContactTone.GOOD_NEWS


class TestWhatIsWithheld:
    @pytest.fixture
    def maple(self) -> Any:
        with empty_database() as database:
            figures = Figures(database)
            figures.families(20, grade("03"), *with_(RIVERA), introduced=9, written=8, answered=3)
            figures.families(8, grade("04"), *with_(OKAFOR), introduced=2, written=2)
            figures.families(20, grade("05"), *with_(CHEN), introduced=4)
            yield figures

    def behind(self, maple: Figures, group: GroupKey, indicator: Indicator, reader: Reader = LEADER) -> Behind | None:
        with maple.database.read() as connection:
            return events_behind(connection, maple.settings, maple.calendar, NOW, reader, group, indicator)

    @pytest.mark.parametrize("group", [grade("04"), grade("03"), (Grouping.TEACHER, OKAFOR)])
    def test_a_withheld_group_opens_to_nothing(self, maple: Figures, group: GroupKey) -> None:
        assert all(self.behind(maple, group, indicator) is None for indicator in Indicator)

    def test_nor_does_one_that_there_is_not(self, maple: Figures) -> None:
        assert self.behind(maple, grade("12"), Indicator.TWO_WAY) is None

    def test_a_list_with_families_of_a_withheld_group_names_none(self, maple: Figures) -> None:
        # By name, everybody less the fifth grade would be the two grades that are withheld, family by family.
        behind = self.behind(maple, (Grouping.ALL, ""), Indicator.FIRST_CONTACT)
        assert behind is not None
        assert (behind.named, behind.total) == (False, 48)
        said = events_as_json(behind)["events"]
        assert [row["family"] for row in said] == [str(number) for number in range(1, 49)]  # type: ignore[attr-defined]
        assert not any(row["positive_record"] for row in said)  # type: ignore[attr-defined]
        assert sum(bool(row["positive"]) for row in said) == 15  # type: ignore[attr-defined]

    def test_a_list_without_them_names_its_families(self, maple: Figures) -> None:
        behind = self.behind(maple, grade("05"), Indicator.FIRST_CONTACT)
        assert behind is not None
        assert behind.named
        assert all(len(event.family) == 6 for event in behind.events)  # type: ignore[union-attr]

    def test_a_list_comes_page_by_page(self, maple: Figures) -> None:
        whole = self.behind(maple, grade("05"), Indicator.FIRST_CONTACT)
        assert whole is not None
        with maple.database.read() as connection:
            one = (connection, maple.settings, maple.calendar, NOW, LEADER, grade("05"), Indicator.FIRST_CONTACT)
            pages = [events_behind(*one, first=first, most=8) for first in (0, 8, 16)]
        assert [event for page in pages if page for event in page.events] == list(whole.events)
        assert {page.total for page in pages if page} == {20}

    def test_a_teacher_opens_what_is_theirs_and_nothing_of_others(self, maple: Figures) -> None:
        mine, others = Reader(OKAFOR), Reader(CHEN)
        own = (Grouping.TEACHER, OKAFOR)
        behind = self.behind(maple, own, Indicator.FIRST_CONTACT, mine)
        assert behind is not None
        assert behind.total == 8
        assert self.behind(maple, own, Indicator.FIRST_CONTACT, others) is None
        assert self.behind(maple, (Grouping.TEACHER, RIVERA), Indicator.FIRST_CONTACT, mine) is None

    def test_students_and_cases_of_withheld_figures_are_not_named(self, maple: Figures) -> None:
        for number in range(20):
            maple.incident(f"s{number}", date(2026, 9, 1), None, grade("05" if number < 10 else "03"))
        for number in range(6):
            maple.case(date(2026, 9, 1), date(2026, 9, 2 + number), grade("05" if number < 3 else "03"))
        whole = (Grouping.ALL, "")
        students, cases = (self.behind(maple, whole, each) for each in (Indicator.RECOVERY, Indicator.RESOLUTION))
        assert students is not None
        assert cases is not None
        assert (students.named, cases.named) == (False, False)
        assert {event.student for event in students.events} == {str(number) for number in range(1, 21)}  # type: ignore[union-attr]
        assert [event.case for event in cases.events] == ["1", "2", "3", "4", "5", "6"]  # type: ignore[union-attr]
        named = self.behind(maple, grade("05"), Indicator.RECOVERY)
        assert named is not None
        assert named.named
        assert {event.student for event in named.events} == {f"s{number}" for number in range(10)}  # type: ignore[union-attr]


def test_the_term_is_the_one_that_was_asked_for() -> None:
    with empty_database() as database:
        figures = Figures(database)
        figures.families(12, introduced=3)
        with database.read() as connection:
            one = (connection, figures.settings, figures.calendar, NOW, LEADER, (Grouping.ALL, ""))
            behind = events_behind(*one, Indicator.FIRST_CONTACT, term=FALL.id)
            assert behind is not None
            assert behind.total == 12
            assert events_behind(*one, Indicator.FIRST_CONTACT, term="settings:Spring") is not None
            assert events_behind(*one, Indicator.FIRST_CONTACT, term="settings:Winter") is None
