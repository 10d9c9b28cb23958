"""The parts of the Gmail connector by themselves: history folded, quota paced, cursors and refusals read."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.backoff import Busy
from connectors.errors import MailboxError
from connectors.gmail_cursor import Backlog, Cursor, parse_cursor
from connectors.gmail_drafts import Place, parse_place
from connectors.gmail_errors import meaning, read_refusal
from connectors.gmail_history import Folding
from connectors.gmail_http import Beginning, _beginning
from connectors.gmail_labels import COLORS
from connectors.gmail_mail import Record, encoded
from connectors.gmail_quota import UNITS, Pace, pace_of
from connectors.labels import Label
from tests.servers.google_discovery import discovery

NOW = datetime(2026, 9, 7, 8, 0, tzinfo=UTC)


# History

ids = st.sampled_from([f"m{number}" for number in range(12)])
labels = st.frozensets(st.sampled_from(["INBOX", "UNREAD", "DRAFT", "TRASH", "SPAM", "Label_1"]), max_size=3)


@st.composite
def histories(draw: Callable[..., object]) -> list[Record]:
    """Records with several messages each, as Gmail writes them when many are moved or marked at once."""
    fresh = iter(range(1000))
    records = []
    for number in range(draw(st.integers(1, 8))):
        added = tuple((f"new{next(fresh)}", draw(labels)) for _ in range(draw(st.integers(0, 5))))
        records.append(
            Record(
                id=str(100 + number),
                added=added,
                deleted=tuple(draw(st.lists(ids, max_size=2, unique=True))),
                labelled=tuple((draw(ids), draw(labels)) for _ in range(draw(st.integers(0, 3)))),
                unlabelled=tuple((draw(ids), draw(labels)) for _ in range(draw(st.integers(0, 3)))),
            )
        )
    return records


def pages_of(records: list[Record], limit: int) -> list[Folding]:
    """What is told, page by page, each beginning where the one before it ended."""
    pages: list[Folding] = []
    reached, within = "0", 0
    while True:
        folding = Folding(reached, within, limit)
        folding.take(record for record in records if int(record.id) > int(reached))
        pages.append(folding)
        assert len(pages) < 100, "the same page comes for ever"
        reached, within = folding.reached, folding.within
        if not folding.more:
            return pages


@given(histories(), st.integers(1, 6))
def test_pages_of_history_tell_each_arrival_once_and_lose_nothing(records: list[Record], limit: int) -> None:
    pages = pages_of(records, limit)
    arrived = [touched.id for page in pages for touched in page.touched if touched.added]
    added = [id_ for record in records for id_, carried in record.added if not carried & {"DRAFT", "CHAT"}]
    assert arrived == added
    assert all(sum(touched.arrived for touched in page.touched) <= limit for page in pages)
    assert pages[-1].reached == records[-1].id
    deleted = {touched.id for page in pages for touched in page.touched if touched.deleted}
    assert deleted == {id_ for record in records for id_ in record.deleted}
    relabelled = {touched.id for page in pages for touched in page.touched if touched.relabelled}
    assert relabelled == {id_ for record in records for id_, _ in (*record.labelled, *record.unlabelled)}


@given(histories(), st.integers(1, 6))
def test_what_comes_out_of_spam_or_trash_arrives_again(records: list[Record], limit: int) -> None:
    back = {id_ for record in records for id_, lost in record.unlabelled if lost & {"SPAM", "TRASH"}}
    arrived = {touched.id for page in pages_of(records, limit) for touched in page.touched if touched.arrived}
    assert back <= arrived


# Quota


class Clock:
    """A clock that is moved by who sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([1, 5, 50, 100, 250])), min_size=1, max_size=200))
def test_no_minute_ever_spends_more_than_google_allows(requests: list[tuple[str, int]]) -> None:
    clock = Clock()
    pace = Pace(per_minute=1500, per_minute_per_user=1000, clock=clock)
    spent: list[tuple[float, str, int]] = []
    for user, units in requests:
        clock.now += pace.take(user, units)
        spent.append((clock.now, user, units))
    for start, _, _ in spent:
        minute = [(user, units) for at, user, units in spent if start <= at < start + 60]
        # What is asked for at once may be more than a burst holds: one request's worth on top.
        assert sum(units for _, units in minute) <= 1500 + 250
        for one in "ab":
            assert sum(units for user, units in minute if user == one) <= 1000 + 250


def test_a_mailbox_that_needs_little_never_waits() -> None:
    clock = Clock()
    pace = Pace(per_minute=1_200_000, per_minute_per_user=6000, clock=clock)
    for _ in range(1000):
        assert pace.take("a", 2) == 0
        clock.now += 5
    assert pace.spent("a") == 2000


def test_one_busy_mailbox_takes_no_turn_of_another() -> None:
    pace = Pace(per_minute=1_200_000, per_minute_per_user=6000, clock=Clock())
    for _ in range(100):
        pace.take("busy", 100)
    assert pace.wait("busy", 5) > 30
    assert pace.wait("quiet", 5) == 0


def test_all_mailboxes_of_a_project_share_one_pace() -> None:
    assert pace_of("maple", 1000, 100) is pace_of("maple", 1000, 100)
    assert pace_of("maple", 1000, 100) is not pace_of("oak", 1000, 100)


def test_a_quota_that_google_calls_used_up_is_left_alone_for_a_while() -> None:
    clock = Clock()
    pace = Pace(per_minute=60_000, per_minute_per_user=6000, clock=clock)
    pace.refused("a", 20)
    assert pace.free("a") == 0
    assert 10 <= pace.wait("a", 1000) <= 20.1
    clock.now += 20
    assert pace.wait("a", 5) == 0


def test_every_method_that_costs_units_is_one_of_the_gmail_api() -> None:
    known = {method.id for found in discovery("gmail", "v1")._methods.values() for method in found}
    assert set(UNITS) <= known


# What is read from outside

REASONS = st.sampled_from(["rateLimitExceeded", "userRateLimitExceeded", "forbidden", "notFound", "", "backendError"])


@given(
    st.integers(300, 599),
    st.binary(max_size=200),
    st.sampled_from(["", "7", "-1", "soon", "Mon, 07 Sep 2026 08:00:30 GMT"]),
)
def test_any_refusal_means_one_of_our_errors(status: int, body: bytes, after: str) -> None:
    error = meaning(read_refusal(status, {"retry-after": after}, body, NOW), "t1@school.example")
    assert isinstance(error, MailboxError | Busy)


@given(
    st.integers(300, 599),
    st.recursive(
        st.none() | st.booleans() | st.text() | REASONS,
        lambda each: (
            st.lists(each)
            | st.dictionaries(st.sampled_from(["error", "errors", "reason", "message", "status", "details"]), each)
        ),
        max_leaves=8,
    ),
)
def test_any_json_in_a_refusal_means_one_of_our_errors(status: int, body: object) -> None:
    error = meaning(read_refusal(status, {}, json.dumps(body).encode(), NOW), "t1@school.example")
    assert isinstance(error, MailboxError | Busy)


@pytest.mark.parametrize(
    ("status", "reason", "text", "header", "seconds"),
    [
        (429, "rateLimitExceeded", "", "12", 12.0),
        (403, "userRateLimitExceeded", "", None, None),
        (429, "", "User-rate limit exceeded.  Retry after 2026-09-07T08:01:30.500Z", None, 90.5),
        (503, "", "", "Mon, 07 Sep 2026 08:00:30 GMT", 30.0),
        (500, "backendError", "", None, None),
    ],
)
def test_a_pause_that_google_asks_for_is_understood(
    status: int, reason: str, text: str, header: str | None, seconds: float | None
) -> None:
    body = json.dumps({"error": {"code": status, "message": text, "errors": [{"reason": reason}]}}).encode()
    error = meaning(read_refusal(status, {"retry-after": header} if header else {}, body, NOW), "t1@school.example")
    assert isinstance(error, Busy)
    assert error.after == seconds


@given(st.text(max_size=300) | st.from_regex(r"r-?\d+/thr\w+/[0-9a-f]*/[^/]+@\w+", fullmatch=True))
def test_any_text_may_be_given_as_a_drafts_id(text: str) -> None:
    place = parse_place(text)
    assert place is None or place.text() == text


def test_a_message_id_with_a_slash_survives_in_a_drafts_id() -> None:
    place = Place("r-1", "thr1", "", "a/b/c@school.example")
    assert parse_place(place.text()) == place


@given(st.text(max_size=300))
def test_any_text_may_be_given_as_a_cursor(text: str) -> None:
    cursor = parse_cursor(text)
    assert cursor is None or parse_cursor(cursor.text()) == cursor


def test_a_cursor_keeps_all_it_knows_and_stays_small() -> None:
    cursor = Cursor(
        connected=NOW,
        history="12345678901234567890",
        within=3,
        ahead="12345678901234567999",
        day=date(2026, 9, 7),
        labels={label: f"Label_{number}" for number, label in enumerate(Label)},
        backlogs=(
            Backlog(sent=False, second=1, read=("a", "b"), done=7, total=9),
            Backlog(sent=True, since=5, resync=True),
        ),
    )
    assert parse_cursor(cursor.text()) == cursor
    assert len(cursor.text()) < 600


@given(st.binary(max_size=5000), st.integers(1, 6000), st.integers(1, 700), st.booleans())
def test_the_beginning_of_a_message_is_read_from_any_pieces_of_an_answer(
    mail: bytes, keep: int, piece: int, padded: bool
) -> None:
    text = encoded(mail) if padded else encoded(mail).rstrip("=")
    answer = b'{\n  "raw" : "' + text.encode() + b'"\n}\n'
    pieces = iter([answer[at : at + piece] for at in range(0, len(answer), piece)])
    assert _beginning(pieces, keep) == Beginning(mail[:keep], len(mail))


def test_our_colours_are_in_the_palette_that_gmail_allows() -> None:
    allowed = discovery("gmail", "v1").schemas["LabelColor"]["properties"]["textColor"]["description"]
    assert set(COLORS) == set(Label)
    assert all(color in allowed for pair in COLORS.values() for color in pair)
