"""Whatever happens, in whatever order: a leader has at most one mail a week, before the first bell, and what was told
is what a mail said."""

import email
import email.policy
from collections import Counter
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage

from hypothesis import given, settings
from hypothesis import strategies as st
from sqlmodel import Session, select

from config import SchoolCalendar
from connectors.errors import ConnectFailed, SendFailed, SendUncertain
from scorecard.report import Report
from service.digest import before_school
from store.marks import monday_of
from store.scorecard_tables import Told
from tests.scorecard.sample_report import EVERYBODY, figures, sample_report
from tests.service.maple import Maple
from tests.service.weekly_of_maple import ALLIANCE, HALE, MONDAY, REED, STEPS, Crash, led_maple, look

happenings = st.one_of(
    st.tuples(st.just("passes"), st.sampled_from([1, 4, 9, 35, 60, 600, 24 * 60 - 30, 24 * 60, 6 * 24 * 60])),
    st.tuples(st.just("set back"), st.sampled_from([2, 15, 90])),
    st.tuples(st.just("changes"), st.integers(10, 95)),
    st.tuples(st.just("looks"), st.just("")),
    st.tuples(st.just("dies"), st.sampled_from(STEPS)),
    st.tuples(
        st.just("breaks"),
        st.sampled_from(["draft_state", "save_draft", "save_draft done", "send_draft", "send_draft filed"]),
    ),
    st.tuples(st.just("refuses"), st.sampled_from([SendFailed("busy"), ConnectFailed("gone"), SendUncertain("?")])),
)


def report_of(maple: Maple, good: int) -> Report:
    """The scorecard as it would stand now, with so many percent of good news."""
    report = sample_report()
    whole = figures(EVERYBODY, 200, good=good)
    by = monday_of(maple.clock.now.date()) - timedelta(weeks=1) - whole.weeks[-1].monday
    weeks = [replace(each, monday=each.monday + by) for each in whole.weeks]
    return replace(report, groups=[replace(whole, weeks=weeks, by_week={})], groups_before=(), restated=())


@given(st.lists(happenings, min_size=5, max_size=20), st.booleans())
@settings(max_examples=15, deadline=None)
def test_a_leader_has_at_most_one_mail_a_week_and_never_after_the_first_bell(
    story: list[tuple[str, object]], atomic: bool
) -> None:
    maple, good = led_maple(atomic_send=atomic, leaders=(REED, HALE)), 50
    maple.clock.now = MONDAY - timedelta(minutes=10)
    for what, how in story:
        match what:
            case "passes":
                maple.clock.forward(minutes=int(str(how)))
            case "set back":
                maple.clock.forward(minutes=-int(str(how)))
            case "changes":
                good = int(str(how))
            case "dies":
                with suppress(Crash):
                    look(maple, report=report_of(maple, good), die_at=str(how))
            case "breaks":
                maple.system.fail(str(how), Crash(), mailbox=ALLIANCE)
            case "refuses":
                maple.system.fail("send_draft handed over", how, mailbox=ALLIANCE)  # type: ignore[arg-type]
        with suppress(Crash):
            look(maple, report=report_of(maple, good))
        maple.system.heal()
    maple.clock.forward(days=1)  # whatever was left in Drafts is found and taken away
    maple.clock.now = maple.clock.now.replace(hour=20)
    look(maple, report=report_of(maple, good))
    assert maple.drafts(ALLIANCE) == []
    calendar = SchoolCalendar.of(maple.settings.school)
    weeks: Counter[tuple[str, object]] = Counter()
    subjects = set()
    for (_, raw), at in zip(maple.system.departed, maple.system.departed_at, strict=True):
        mail = email.message_from_bytes(raw, _class=EmailMessage, policy=email.policy.default)
        day = at.astimezone(calendar.zone).date()
        before = before_school(day, maple.settings, calendar)
        assert before is not None
        assert before.holds(at)
        weeks[str(mail["To"]), monday_of(day)] += 1
        subjects.add((monday_of(day), str(mail["Subject"])))
    assert max(weeks.values(), default=0) <= 1
    with Session(maple.database.engine) as session:
        told = {each.monday: each.value for each in session.exec(select(Told)) if each.measure == "first_contact"}
    for monday, subject in subjects:
        value = told[monday - timedelta(weeks=1)]
        assert f"good news {round(100 * value)}%" in subject
