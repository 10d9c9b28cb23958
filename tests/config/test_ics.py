"""Days without school from iCalendar files, well made and hostile."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import ConfigError
from config.ics import LARGEST_FILE, MOST_EVENTS, MOST_RULES, HolidayFile, read_holidays


def event(*lines: str) -> str:
    return "\r\n".join(["BEGIN:VEVENT", "UID:1", *lines, "END:VEVENT", ""])


def calendar(*events: str) -> str:
    return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\n" + "".join(events) + "END:VCALENDAR\r\n"


@pytest.fixture
def read(tmp_path):
    def reads(text: str | bytes) -> HolidayFile:
        path = tmp_path / "holidays.ics"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return read_holidays(path)

    return reads


@pytest.mark.parametrize(
    ("lines", "first", "last"),
    [
        (["DTSTART;VALUE=DATE:20261126"], date(2026, 11, 26), date(2026, 11, 26)),
        (["DTSTART;VALUE=DATE:20261126", "DTEND;VALUE=DATE:20261127"], date(2026, 11, 26), date(2026, 11, 26)),
        (["DTSTART;VALUE=DATE:20261221", "DTEND;VALUE=DATE:20270104"], date(2026, 12, 21), date(2027, 1, 3)),
        (["DTSTART;VALUE=DATE:20261126", "DTEND;VALUE=DATE:20261126"], date(2026, 11, 26), date(2026, 11, 26)),
        (["DTSTART;VALUE=DATE:20261126", "DURATION:P2D"], date(2026, 11, 26), date(2026, 11, 27)),
        (["DTSTART;VALUE=DATE:20261126", "DURATION:P1W"], date(2026, 11, 26), date(2026, 12, 2)),
        (
            ["SUMMARY:Winter\r\n break: DTSTART;x", "DTSTART;VALUE=DATE:20261126"],
            date(2026, 11, 26),
            date(2026, 11, 26),
        ),
    ],
    ids=["one day", "its end is not part of it", "two weeks", "empty", "duration", "week", "folded"],
)
def test_an_all_day_event_is_days_without_school(read, lines, first, last):
    assert read(calendar(event(*lines))).stretches == ((first, last),)


def test_events_with_a_time_and_cancelled_events_do_not_count(read):
    meeting = event("DTSTART:20261126T190000Z", "DTEND:20261126T200000Z")
    cancelled = event("DTSTART;VALUE=DATE:20261127", "STATUS:CANCELLED")
    file = read(calendar(meeting, cancelled))
    assert file.stretches == ()
    assert "no day without school" in file.warnings[0]
    assert "1 events have a time of day" in file.warnings[0]


def test_a_byte_order_mark_and_bare_line_feeds_are_read(read):
    text = "\ufeff" + calendar(event("DTSTART;VALUE=DATE:20261126")).replace("\r\n", "\n")
    assert len(read(text).stretches) == 1


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=YEARLY;COUNT=3", ["2026-12-25", "2027-12-25", "2028-12-25"]),
        ("FREQ=YEARLY;UNTIL=20271231", ["2026-12-25", "2027-12-25"]),
        ("FREQ=YEARLY;UNTIL=20271225T000000Z", ["2026-12-25", "2027-12-25"]),
        ("FREQ=WEEKLY;COUNT=2", ["2026-12-25", "2027-01-01"]),
        ("FREQ=DAILY;INTERVAL=2;COUNT=2", ["2026-12-25", "2026-12-27"]),
        ("FREQ=MONTHLY;BYDAY=-1FR;COUNT=2", ["2026-12-25", "2027-01-29"]),
    ],
)
def test_simple_rules_are_followed(read, rule, expected):
    file = read(calendar(event("DTSTART;VALUE=DATE:20261225", f"RRULE:{rule}")))
    assert [str(first) for first, _ in file.stretches] == expected


def test_a_yearly_rule_from_long_ago_holds_for_the_rest_of_the_century(read):
    thanksgiving = event("DTSTART;VALUE=DATE:19701126", "RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=4TH")
    stretches = read(calendar(thanksgiving)).stretches
    assert (date(2026, 11, 26), date(2026, 11, 26)) in stretches
    assert (date(2098, 11, 27), date(2098, 11, 27)) in stretches


def test_exceptions_additions_and_moved_days_are_honoured(read):
    yearly = event(
        "DTSTART;VALUE=DATE:20261225",
        "RRULE:FREQ=YEARLY;COUNT=3",
        "EXDATE;VALUE=DATE:20271225",
        "RDATE;VALUE=DATE:20270401",
    )
    moved = event("RECURRENCE-ID;VALUE=DATE:20281225", "DTSTART;VALUE=DATE:20281226")
    days = [str(first) for first, _ in read(calendar(yearly, moved)).stretches]
    assert days == ["2026-12-25", "2027-04-01", "2028-12-26"]


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("hello\nworld", 1, "BEGIN:VCALENDAR"),
        ("", 1, "BEGIN:VCALENDAR"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;VALUE=DATE:20261126\n", 2, "END:VEVENT"),
        ("BEGIN:VCALENDAR\nBEGIN:VEVENT\nEND:VCALENDAR\n", 3, "END:VEVENT"),
        ("END:VCALENDAR\n", 1, "BEGIN:VCALENDAR"),
        (calendar(event("DTSTART;VALUE=DATE:2026112x")), 5, "RFC 5545"),
        (calendar(event("SUMMARY:x")), 3, "DTSTART"),
        (calendar(event("DTSTART;VALUE=DATE:20261126", "DTEND;VALUE=DATE:20261101")), 6, "DTEND after DTSTART"),
        (calendar(event("DTSTART;VALUE=DATE:20261126", "DURATION:-P1D")), 6, "DURATION"),
        (calendar(event("DTSTART;VALUE=DATE:20261126"), event("DTSTART;VALUE=DATE:2026-1")), 9, "RFC 5545"),
        (calendar(event("DTSTART;VALUE=DATE:20261126", "DTSTART;VALUE=DATE:20261127")), 5, "at most one DTSTART"),
        (calendar(event("DTSTART;VALUE=DATE:20261126", "RDATE;VALUE=PERIOD:20261126T000000Z/P1D")), 6, "date"),
        (calendar(event("DTSTART;VALUE=PERIOD:20261126T000000Z/P1D")), 5, "date"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_line(read, tmp_path, text, line, expected):
    with pytest.raises(ConfigError) as error:
        read(text)
    assert f"{tmp_path / 'holidays.ics'}:{line}: " in str(error.value)
    assert expected in str(error.value)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=DAILY",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=YEARLY;BYSETPOS=1;BYDAY=MO",
        "FREQ=MONTHLY;BYDAY=1MO;BYMONTHDAY=31",
        "FREQ=MONTHLY;BYDAY=6MO",
        "FREQ=YEARLY;BYDAY=99MO",
        "FREQ=YEARLY;BYMONTH=13",
        "FREQ=WEEKLY;COUNT=100000;BYDAY=MO,TU,WE,TH,FR",
        "FREQ=YEARLY;INTERVAL=0",
        "FREQ=YEARLY;BYMONTH=5L",
        "COUNT=3",
    ],
)
def test_rules_that_are_not_simple_or_never_end_are_refused_at_once(read, rule):
    with pytest.raises(ConfigError) as error:
        read(calendar(event("DTSTART;VALUE=DATE:20260101", f"RRULE:{rule}")))
    assert "holidays.ics:6: expected" in str(error.value)


def test_huge_files_and_swarms_of_events_are_refused(read):
    with pytest.raises(ConfigError, match="bytes"):
        read(b"BEGIN:VCALENDAR\r\n" + b"X:" + b"y" * LARGEST_FILE)
    rules = [event("DTSTART;VALUE=DATE:20260101", "RRULE:FREQ=YEARLY")] * (MOST_RULES + 1)
    with pytest.raises(ConfigError, match="repeating events"):
        read(calendar(*rules))
    with pytest.raises(ConfigError, match="events"):
        read(calendar(*["BEGIN:VEVENT\nEND:VEVENT\n"] * (MOST_EVENTS + 1)))


def test_a_file_that_is_not_there_or_not_utf8_is_a_clear_error(read, tmp_path):
    with pytest.raises(ConfigError, match=r"UTF-8"):
        read(b"BEGIN:VCALENDAR\r\nSUMMARY:\xff\r\nEND:VCALENDAR")
    with pytest.raises(ConfigError, match="readable iCalendar file"):
        read_holidays(tmp_path)


_fragments = st.sampled_from(
    [
        "BEGIN:VCALENDAR", "END:VCALENDAR", "BEGIN:VEVENT", "END:VEVENT", "BEGIN:VALARM", "END:VALARM", "UID:2",
        "DTSTART;VALUE=DATE:20261126", "DTSTART:20261126T080000Z", "DTSTART;TZID=Nowhere/Land:20261126T080000",
        "DTSTART;VALUE=DATE:99991231", "DTSTART;VALUE=DATE:00010101", "DTEND;VALUE=DATE:20261128",
        "DURATION:P3D", "DURATION:PT99999999999999H", "RRULE:FREQ=YEARLY", "RRULE:FREQ=WEEKLY;UNTIL=19000101", "RRULE:",
        "RRULE:FREQ=YEARLY;INTERVAL=99999999999999999999", "EXDATE:20261126,x", "EXDATE;VALUE=DATE:20261126",
        "RDATE;VALUE=PERIOD:20261126T000000Z/P1D", "RECURRENCE-ID;VALUE=DATE:20261126", "RECURRENCE-ID:x", "\x00",
        "RRULE:FREQ=YEARLY;BYDAY=XX", "RRULE:FREQ=YEARLY;BYMONTHDAY=0", "STATUS:CANCELLED", "DTSTART:", "DTSTART;=:1",
        "DTEND:20261128T000000Z", ";:=", " folded",
    ]
)  # fmt: skip


@given(st.lists(st.one_of(_fragments, _fragments, st.text(max_size=20)), max_size=12), st.booleans())
def test_no_file_does_worse_than_a_clear_error(tmp_path_factory, lines, framed):
    path = tmp_path_factory.getbasetemp() / "hostile.ics"
    body = ["BEGIN:VCALENDAR", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR"] if framed else lines
    path.write_text("\n".join(body), encoding="utf-8", errors="replace")
    try:
        file = read_holidays(path)
    except ConfigError as error:
        assert "hostile.ics" in str(error)  # noqa: PT017
    else:
        assert all(last - first >= timedelta(0) for first, last in file.stretches)
