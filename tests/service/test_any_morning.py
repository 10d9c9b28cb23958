"""Whatever happens, in whatever order: a teacher has at most one morning mail a school day, before the first bell."""

from collections import Counter
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from config import SchoolCalendar
from config.settings import Holiday
from connectors.errors import ConnectFailed, SendFailed, SendUncertain
from service.digest import before_school
from tests.service.cases_of_maple import teacher_writes
from tests.service.maple import ANA, BO, RIVERA, Maple
from tests.service.test_digest import STEPS, Crash, change, look, mails

BEFORE_THE_BELL = datetime(2026, 3, 5, 13, 50, tzinfo=UTC)
"""Ten minutes before school opens in Chicago, on a Thursday."""

happenings = st.one_of(
    st.tuples(st.just("passes"), st.sampled_from([1, 4, 9, 35, 60, 600, 24 * 60 - 30, 24 * 60, 3 * 24 * 60])),
    st.tuples(st.just("set back"), st.sampled_from([2, 15, 90])),
    st.tuples(st.just("writes"), st.sampled_from([ANA, BO])),
    st.tuples(st.just("answers"), st.sampled_from([ANA, BO])),
    st.tuples(st.just("looks"), st.just("")),
    st.tuples(st.just("dies"), st.sampled_from(STEPS)),
    st.tuples(
        st.just("breaks"),
        st.sampled_from(["draft_state", "save_draft", "save_draft done", "send_draft", "send_draft filed"]),
    ),
    st.tuples(st.just("refuses"), st.sampled_from([SendFailed("busy"), ConnectFailed("gone"), SendUncertain("?")])),
)


def happen(maple: Maple, what: str, how: object) -> None:
    match what:
        case "passes":
            maple.clock.forward(minutes=int(str(how)))
        case "set back":
            maple.clock.forward(minutes=-int(str(how)))
        case "writes":
            maple.write(sender=str(how))
        case "answers":
            teacher_writes(maple, str(how))
        case "dies":
            with suppress(Crash):
                look(maple, die_at=str(how))
        case "breaks":
            maple.system.fail(str(how), Crash(), mailbox=RIVERA)
        case "refuses":
            maple.system.fail("send_draft handed over", how, mailbox=RIVERA)  # type: ignore[arg-type]
    with suppress(Crash):
        maple.round()
        look(maple)
    maple.system.heal()


@given(st.lists(happenings, min_size=5, max_size=25), st.booleans())
@settings(max_examples=20)
def test_a_teacher_has_at_most_one_morning_mail_a_school_day_and_never_after_the_first_bell(
    story: list[tuple[str, object]], atomic: bool
) -> None:
    maple = change(Maple(atomic_send=atomic), school={"holidays": (Holiday(first=date(2026, 3, 9)),)})
    maple.round()
    maple.write()
    maple.clock.now = BEFORE_THE_BELL - timedelta(minutes=50)
    for what, how in story:
        happen(maple, what, how)
    maple.clock.forward(days=1)  # whatever was left in Drafts is found and taken away
    maple.clock.now = maple.clock.now.replace(hour=20)
    maple.round()
    look(maple)
    assert maple.drafts() == []
    calendar = SchoolCalendar.of(maple.settings.school)
    sent = [
        at for (_, raw), at in zip(maple.system.departed, maple.system.departed_at, strict=True) if _is_morning(raw)
    ]
    assert len(sent) == len(mails(maple))
    for at in sent:
        before = before_school(at.astimezone(calendar.zone).date(), maple.settings, calendar)
        assert before is not None
        assert before.holds(at)
    assert max(Counter(at.astimezone(calendar.zone).date() for at in sent).values(), default=0) <= 1


def _is_morning(raw: bytes) -> bool:
    return b"\r\nSubject: Good morning" in raw
