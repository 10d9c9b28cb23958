"""Whatever Microsoft Graph, or a store, hands over: it is read, or refused by name, and smuggles nothing in."""

from base64 import b64encode
from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.errors import ConnectFailed
from connectors.graph_cursor import Backlog, Cursor, Stream, digest, parse_cursor
from connectors.graph_drafts import Draft, draft_of
from connectors.graph_entries import SIZE, Entry, is_id, message_path, read_entry, read_page
from connectors.graph_errors import failure_of
from connectors.graph_mime import _mime
from connectors.graph_rebuilt import rebuilt
from connectors.mime import parse_message

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=20,
)
NOW = datetime(2026, 9, 7, 8, 0, tzinfo=UTC)


def cursor(**update: object) -> Cursor:
    given_ = {"connected": NOW, "read": NOW, "inbox": Stream(link="/a"), "sent": Stream(link="/b"), "sent_since": NOW}
    return Cursor.model_validate(given_ | update)


class TestCursors:
    @given(st.text(max_size=200) | JSON.map(str))
    def test_any_text_is_a_cursor_or_none(self, text: str) -> None:
        parse_cursor(text)

    @given(st.frozensets(st.text(max_size=20), max_size=30), st.integers(min_value=0, max_value=10**6))
    def test_a_cursor_comes_back_as_it_was(self, words: frozenset[str], done: int) -> None:
        marks = frozenset(digest(word) for word in words)
        backlog = Backlog(stream=Stream(link="/c", told=marks), young=marks, done=done, total=done)
        before = cursor(backlog=backlog, inbox=Stream(link="/users('x')/delta?$deltatoken=%2B~y", told=marks))
        assert parse_cursor(before.text()) == before

    @pytest.mark.parametrize("link", ["", "a", "https://evil.example/v1.0/x", "/a b", "/a\n", "/ü", "/" + "x" * 40_000])
    def test_a_link_that_is_no_path_is_no_link(self, link: str) -> None:
        with pytest.raises(ValidationError):
            Stream(link=link)

    def test_half_a_digest_makes_a_cursor_useless(self) -> None:
        whole = cursor(inbox=Stream(link="/a", told=frozenset({digest("x")}))).text()
        assert parse_cursor(whole) is not None
        assert parse_cursor(whole.replace('"told":"', '"told":"AAAA')) is None


class TestIds:
    @given(st.text(max_size=60))
    def test_no_id_leaves_its_place_in_the_path(self, text: str) -> None:
        path = message_path(text).removeprefix("/messages/")
        assert "/" not in path
        if is_id(text):
            assert path.replace("%2F", "/") == text

    @given(st.from_regex(r"[A-Za-z0-9_=+-]{1,80}", fullmatch=True), st.text(max_size=60))
    def test_the_id_of_a_draft_holds_its_message_id(self, id_: str, rfc_message_id: str) -> None:
        assert draft_of(Draft(id_, rfc_message_id).text()) == Draft(id_, rfc_message_id)

    @given(st.text(max_size=80))
    def test_any_text_is_a_draft_or_none(self, text: str) -> None:
        found = draft_of(text)
        assert found is None or is_id(found.id)


class TestAnswers:
    @given(JSON)
    def test_any_json_is_a_page_and_an_entry_or_refused_by_name(self, body: object) -> None:
        for read in (read_page, read_entry):
            try:
                read(body)
            except ConnectFailed as error:
                assert "what is no" in str(error)  # noqa: PT017 - that nothing else is raised is the point

    def test_what_an_answer_holds_never_stands_in_an_error(self) -> None:
        with pytest.raises(ConnectFailed) as caught:
            read_page({"value": [{"id": 7, "subject": "my child is ill"}]})
        assert "child" not in str(caught.value)

    @pytest.mark.parametrize(
        ("told", "size"),
        [("Integer 0xe08", 5), ("Integer 0x0E08", 5), ("Long 0xE08", 5), ("Integer 0xe07", None), ("odd", None)],
    )
    def test_the_size_is_found_however_graph_writes_its_tag(self, told: str, size: int | None) -> None:
        entry = Entry.model_validate({"id": "a", "singleValueExtendedProperties": [{"id": told, "value": "5"}]})
        assert (entry.size, SIZE) == (size, "Integer 0x0E08")

    @given(st.integers(min_value=100, max_value=599), JSON, JSON)
    def test_of_an_error_only_a_code_is_quoted(self, status: int, code: object, request_id: object) -> None:
        failure = failure_of(status, code, request_id, None)
        assert all(character.isalnum() or character in " _.-,:" for character in str(failure))

    @given(st.binary(max_size=300))
    def test_mime_in_base64_comes_back_byte_for_byte(self, raw: bytes) -> None:
        assert _mime(b64encode(raw).decode()) == raw


class TestRebuilding:
    @given(JSON)
    def test_any_json_is_a_message_or_a_value_error(self, body: object) -> None:
        try:
            raw = rebuilt(body)
        except ValueError:
            return
        assert b"\r\n\r\n" in raw

    @given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=200))
    def test_no_value_adds_a_header_field_or_a_body(self, subject: str, name: str, text: str) -> None:
        raw = rebuilt(
            {
                "subject": subject,
                "from": {"emailAddress": {"name": name, "address": f"a@family.example{name}"}},
                "internetMessageHeaders": [{"name": "X-One", "value": f"{name}\r\nBcc: evil@example"}],
                "body": {"contentType": "text", "content": text},
            }
        )
        fields = [line.partition(b":")[0] for line in raw.partition(b"\r\n\r\n")[0].split(b"\r\n")]
        assert set(fields) <= {b"X-One", b"From", b"Subject", b"MIME-Version", b"Content-Type"} | {
            b"Content-Transfer-Encoding"
        }
        assert message_from_bytes(raw, policy=policy.compat32).get_payload(decode=True) == text.encode(
            "utf-8", "replace"
        )

    def test_headers_of_the_original_go_before_what_graph_makes_of_them(self) -> None:
        raw = rebuilt(
            {
                "subject": "Fwd",
                "internetMessageId": "<graph@example>",
                "internetMessageHeaders": [
                    {"name": "Message-ID", "value": "<original@family.example>"},
                    {"name": "Auto-Submitted", "value": "auto-replied"},
                    {"name": "Content-Type", "value": "multipart/mixed; boundary=x"},
                ],
                "body": {"contentType": "html", "content": "<p>Guten Tag</p>"},
                "sentDateTime": "2026-09-07T08:00:00Z",
                "toRecipients": [{"emailAddress": {"name": 'Ms. "Rivera"', "address": "rivera@school.example"}}],
            }
        )
        message = parse_message(raw, mailbox="rivera@school.example", id="x", received_at=NOW)
        assert (message.message_id, message.subject, message.date) == ("original@family.example", "Fwd", NOW)
        assert message.headers["Auto-Submitted"] == "auto-replied"
        assert [one.email for one in message.to] == ["rivera@school.example"]
        assert message.newest.strip() == "Guten Tag"
