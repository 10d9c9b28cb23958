"""The parts of the Exchange connector by themselves: texts, times, categories, streams, cursors."""

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from connectors.errors import TagFailed
from connectors.exchange_cursor import Backlog, Cursor, FolderCursor, parse_cursor, second_after
from connectors.exchange_http import is_exchange_online
from connectors.exchange_items import UNKNOWN_TIME, T, moment
from connectors.exchange_labels import labels_in, with_labels, with_our_categories
from connectors.exchange_mime import built, with_missing_headers
from connectors.exchange_push import Chunks
from connectors.labels import NAMES, Label
from connectors.mime import parse_message

NOW = datetime(2026, 9, 7, 8, 0, tzinfo=UTC)
categories = st.lists(
    st.one_of(
        st.sampled_from(["Family", "alliance/urgent", *NAMES.values()]), st.text("abc/ ", min_size=1, max_size=6)
    ),
    unique_by=str.casefold,
    max_size=8,
)
labels = st.frozensets(st.sampled_from(list(Label)))
words = st.text("aZ09äßñé中文אבגعربي🚌,.!?-_()", max_size=60)


def item(headers: dict[str, str], body: str, **properties: str) -> etree._Element:
    """An item's element, as GetItem gives it."""
    made = etree.Element(f"{T}Message")
    for name, value in properties.items():
        etree.SubElement(made, f"{T}{name}").text = value
    etree.SubElement(made, f"{T}Body").text = body
    section = etree.SubElement(made, f"{T}InternetMessageHeaders")
    for name, value in headers.items():
        etree.SubElement(section, f"{T}InternetMessageHeader", HeaderName=name).text = value
    return made


@given(categories, labels)
def test_writing_labels_keeps_other_categories_in_their_order(before: list[str], wanted: frozenset[Label]) -> None:
    after = with_labels(before, wanted)
    ours = {name.casefold() for name in NAMES.values()}
    assert labels_in(after) == wanted
    assert [name for name in after if name.casefold() not in ours] == [n for n in before if n.casefold() not in ours]
    assert len({name.casefold() for name in after}) == len(after)
    assert with_labels(after, wanted) == after


@given(words, words)
def test_a_message_built_from_properties_says_what_they_say(subject: str, text: str) -> None:
    raw = built(item({}, text, Subject=subject, InternetMessageId="<a@family.example>"), lambda _: "")
    read = parse_message(raw, mailbox="t@school.example", id="1", received_at=NOW)
    assert read.message_id == "a@family.example"
    assert read.subject == subject
    assert read.text == text


@given(st.text(st.sampled_from("ab:\r\n\t ü"), max_size=40), st.text(st.sampled_from("X-aB:\r\n ü"), max_size=20))
def test_no_property_can_smuggle_a_header_in(value: str, name: str) -> None:
    raw = built(item({name: "x", "X-Kept": value}, "text", Subject=value), lambda _: "")
    head = raw.partition(b"\r\n\r\n")[0].decode()
    allowed = {"Subject", "Date", "X-Kept", "MIME-Version", "Content-Type", "Content-Transfer-Encoding", name}
    assert {line.partition(":")[0] for line in head.split("\r\n")} <= allowed


def test_headers_that_the_conversion_left_out_stand_in_front_of_those_that_are_there() -> None:
    arrived = {"Subject": "Hello", "Auto-Submitted": "auto-replied", "Content-Type": "text/html", "Bcc": "x@y.example"}
    mime = b"Subject: Hello\r\nContent-Type: text/plain\r\n\r\nText\r\n"
    assert with_missing_headers(mime, item(arrived, "")) == b"Auto-Submitted: auto-replied\r\n" + mime


@pytest.mark.parametrize("mime", [b"", b"just a line\r\n", b"\x00\x01\x02"])
def test_what_is_no_mail_gets_no_headers(mime: bytes) -> None:
    assert with_missing_headers(mime, item({"X-Odd": "1"}, "")) == mime


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=8), st.lists(st.integers(1, 7), max_size=60))
def test_chunks_come_apart_wherever_the_line_breaks_them(chunks: list[bytes], cuts: list[int]) -> None:
    coded = b"".join(b"%x;ext=1\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    reader, found, at = Chunks(), b"", 0
    for cut in [*cuts, len(coded)]:
        found += reader.feed(coded[at : at + cut])
        at += cut
    assert found == b"".join(chunks)


@given(st.integers(0, 4_000_000_000), st.integers(-14 * 60, 14 * 60))
def test_times_of_every_zone_are_read_in_utc(seconds: int, minutes: int) -> None:
    meant = datetime.fromtimestamp(seconds, UTC)
    assert moment(meant.astimezone(timezone(timedelta(minutes=minutes))).isoformat()) == meant
    assert moment(meant.replace(tzinfo=None).isoformat()) == meant, "a time without a zone is in UTC"
    assert second_after(meant) - meant == timedelta(seconds=1)


@pytest.mark.parametrize("text", [None, "", "yesterday", "2026-13-45T00:00:00Z"])
def test_a_time_that_cannot_be_read_is_long_ago(text: str | None) -> None:
    assert moment(text) == UNKNOWN_TIME


@given(st.text(max_size=200))
def test_any_text_is_a_cursor_or_none(text: str) -> None:
    assert parse_cursor(text) is None or text


def test_a_cursor_comes_back_as_it_was() -> None:
    backlog = Backlog(before=NOW, skip=3, last="ab", since=NOW, missed=True, done=5, total=9)
    cursor = Cursor(
        connected=NOW,
        read=NOW.date(),
        inbox=FolderCursor(state="SGVs" * 5000, told=7, listed=True, compare=True, backlog=backlog),
    )
    assert parse_cursor(cursor.text()) == cursor


def test_the_list_of_categories_keeps_what_is_in_it_and_gets_ours_once() -> None:
    before = (
        b'<?xml version="1.0"?><categories default="Red" lastSavedSession="5" xmlns="CategoryList.xsd">'
        b'<category name="Family" color="7" guid="{1}"/><category name="ALLIANCE/urgent" color="9" guid="{2}"/>'
        b"</categories>"
    )
    after = with_our_categories(before, NOW)
    assert after is not None
    named = {each.get("name"): each.get("color") for each in etree.fromstring(after)}
    assert named == {
        "Family": "7",
        "ALLIANCE/urgent": "9",
        "Alliance/Conflict": "1",
        "Alliance/Routine": "4",
        "Alliance/Please check": "3",
        "Alliance/Plan agreed": "8",
        "Alliance/Another draft": "7",
        "Alliance/Handled by office": "12",
        "Alliance/Good news": "5",
    }
    assert with_our_categories(after, NOW) is None


@pytest.mark.parametrize(
    "document", [b"no xml", b"<other/>", b'<!DOCTYPE x [<!ENTITY a "b">]><categories>&a;</categories>']
)
def test_what_is_no_list_of_categories_is_left_alone(document: bytes) -> None:
    with pytest.raises(TagFailed):
        with_our_categories(document, NOW)


@pytest.mark.parametrize(
    ("url", "online"),
    [
        ("https://outlook.office365.com/EWS/Exchange.asmx", True),
        ("https://OUTLOOK.OFFICE365.COM./EWS/Exchange.asmx", True),
        ("https://autodiscover-s.outlook.com/autodiscover/autodiscover.svc", True),
        ("https://mail.maple.example/EWS/Exchange.asmx", False),
        ("https://outlook.office365.com.maple.example/EWS/Exchange.asmx", False),
        ("https://notoutlook.com/EWS/Exchange.asmx", False),
    ],
)
def test_microsofts_cloud_is_told_from_a_schools_server(url: str, online: bool) -> None:
    assert is_exchange_online(url) is online


def test_every_category_has_the_words_that_the_docs_promise() -> None:
    assert [re.sub("^Alliance/", "", name) for name in NAMES.values()] == [
        "Urgent",
        "Conflict",
        "Routine",
        "Please check",
        "Plan agreed",
        "Another draft",
        "Handled by office",
        "Good news",
    ]
