"""The stand-in for Microsoft Graph keeps what Microsoft documents: what a client of it may believe, it may believe."""

import base64
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from typing import Any

import httpx
import jwt
import msal
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from connectors.contract.mails import family_id, family_mail, reply, reply_id
from tests.servers import graph
from tests.servers.graph import Box, GraphServer

A, B = "t1@maple.example", "t2@maple.example"
IMMUTABLE = {"Prefer": 'IdType="ImmutableId"'}
USER = f"/users/{A}"


@pytest.fixture
def server() -> Iterator[GraphServer]:
    with graph.running(A, B) as server:
        yield server


@pytest.fixture
def box(server: GraphServer) -> Box:
    return server.box(A)


@pytest.fixture
def client(server: GraphServer) -> Iterator[httpx.Client]:
    with _client(server, server.login.token()) as client:
        yield client


def _client(server: GraphServer, token: str) -> httpx.Client:
    return httpx.Client(
        base_url=f"{server.url}/v1.0", headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=30
    )


@contextmanager
def violating(server: GraphServer, words: str = "") -> Iterator[None]:
    """What happens inside must be noticed as a violation, which is then forgiven."""
    before = len(server.violations)
    yield
    assert any(words in one for one in server.violations[before:]), server.violations
    del server.violations[before:]


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def delta(client: httpx.Client, link: str, page: int = 100, **options: str) -> tuple[list[dict[str, Any]], str]:
    """Everything up to the next delta link, and that link."""
    found: list[dict[str, Any]] = []
    prefer = {"Prefer": f'IdType="ImmutableId", odata.maxpagesize={page}'}
    while True:
        answer = client.get(link, headers=prefer, params=options or None)
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["value"]) <= page
        found += answer.json()["value"]
        if "@odata.deltaLink" in answer.json():
            return found, answer.json()["@odata.deltaLink"]
        link, options = answer.json()["@odata.nextLink"], {}


class TestDelta:
    URL = f"{USER}/mailFolders/inbox/messages/delta"

    def test_the_first_round_tells_everything_and_the_next_only_what_happened(
        self, client: httpx.Client, box: Box
    ) -> None:
        ids = box.deliver(*(family_mail(number, A) for number in range(5)))
        first, link = delta(client, self.URL, page=2)
        assert [one["id"] for one in first] == ids
        assert delta(client, link)[0] == []
        box.deliver(family_mail(5, A))
        box.set_categories(family_id(1), ["Family"])
        box.delete(family_id(2))
        box.move(family_id(3), "archive")
        told, link = delta(client, link)
        assert [one["id"] for one in told[1:]] == [ids[1], ids[2], ids[3]]
        assert told[0]["internetMessageId"] == f"<{family_id(5)}>"
        assert told[1]["categories"] == ["Family"]
        assert [one.get("@removed") for one in told[2:]] == [{"reason": "deleted"}] * 2
        assert delta(client, link)[0] == []

    def test_a_page_can_be_asked_for_again(self, client: httpx.Client, box: Box) -> None:
        _, link = delta(client, self.URL)
        box.deliver(*(family_mail(number, A) for number in range(3)))
        assert delta(client, link, page=2)[0] == delta(client, link, page=2)[0]

    def test_what_was_only_read_comes_without_its_other_properties(self, client: httpx.Client, box: Box) -> None:
        (id_,) = box.deliver(family_mail(1, A))
        _, link = delta(client, self.URL)
        box.mark(family_id(1), read=True)
        (told,) = delta(client, link)[0]
        assert (told["id"], told["isRead"]) == (id_, True)
        assert "categories" not in told

    def test_what_came_and_went_between_two_rounds_is_not_told(self, client: httpx.Client, box: Box) -> None:
        _, link = delta(client, self.URL)
        box.deliver(family_mail(1, A))
        box.delete(family_id(1))
        assert delta(client, link)[0] == []

    def test_a_message_that_was_moved_away_and_back_is_told_as_there(self, client: httpx.Client, box: Box) -> None:
        box.deliver(family_mail(1, A))
        _, link = delta(client, self.URL)
        box.move(family_id(1), "archive")
        box.move(family_id(1), "inbox")
        (told,) = delta(client, link)[0]
        assert "@removed" not in told

    def test_what_the_first_request_asked_for_holds_for_every_later_round(self, client: httpx.Client, box: Box) -> None:
        box.deliver(family_mail(1, A))
        first, link = delta(client, self.URL, **{"$select": "categories", "changeType": "created"})
        box.deliver(family_mail(2, A))
        box.set_categories(family_id(1), ["Family"])
        later, _ = delta(client, link)
        assert [set(one) for one in (*first, *later)] == [{"@odata.type", "@odata.etag", "id", "categories"}] * 2

    def test_only_messages_since_a_time_are_told_where_a_filter_says_so(self, client: httpx.Client, box: Box) -> None:
        box.deliver(family_mail(1, A), received=datetime(2026, 1, 1, tzinfo=UTC))
        box.deliver(family_mail(2, A), received=datetime(2026, 3, 1, tzinfo=UTC))
        told, link = delta(client, self.URL, **{"$filter": "receivedDateTime ge 2026-02-01T00:00:00Z"})
        assert [one["internetMessageId"] for one in told] == [f"<{family_id(2)}>"]
        box.set_categories(family_id(1), ["Family"])
        assert delta(client, link)[0] == []

    @pytest.mark.parametrize("code_", ["SyncStateNotFound", "resyncRequired"])
    def test_forgotten_tokens_are_gone(self, client: httpx.Client, box: Box, code_: str) -> None:
        box.deliver(family_mail(1, A), family_mail(2, A))
        page = client.get(self.URL, headers={"Prefer": "odata.maxpagesize=1"}).json()
        _, link = delta(client, self.URL)
        box.forget_delta_tokens(code_)
        assert code(client.get(page["@odata.nextLink"])) == (410, code_)
        assert code(client.get(link)) == (410, code_)
        assert len(delta(client, self.URL)[0]) == 2

    def test_pages_may_come_in_no_order(self, client: httpx.Client, box: Box) -> None:
        ids = box.deliver(*(family_mail(number, A) for number in range(9)))
        box.scrambled = True
        told = [one["id"] for one in delta(client, self.URL, page=2)[0]]
        assert told != ids
        assert sorted(told) == sorted(ids)

    def test_a_token_that_never_was_is_refused(self, client: httpx.Client) -> None:
        assert code(client.get(f"{self.URL}?$deltatoken=garbage")) == (400, "BadRequest")

    def test_a_link_with_options_added_is_a_violation(self, server: GraphServer, client: httpx.Client) -> None:
        _, link = delta(client, self.URL)
        with violating(server, "$select"):
            assert client.get(f"{link}&$select=subject").status_code == 400

    @pytest.mark.parametrize("query", ["$search=x", "$orderby=subject", "$filter=isRead eq false", "$top=x&$skip=1"])
    def test_what_delta_does_not_know_is_a_violation(
        self, server: GraphServer, client: httpx.Client, query: str
    ) -> None:
        with violating(server):
            assert client.get(f"{self.URL}?{query}").status_code == 400


class TestReading:
    def test_messages_are_found_by_their_message_id(self, client: httpx.Client, box: Box) -> None:
        box.deliver(family_mail(1, A), family_mail(2, A))
        query = {"$filter": f"internetMessageId eq '<{family_id(2)}>'", "$select": "id,internetMessageId"}
        (found,) = client.get(f"{USER}/messages", params=query).json()["value"]
        assert found["internetMessageId"] == f"<{family_id(2)}>"

    def test_lists_go_on_under_the_next_link(self, client: httpx.Client, box: Box) -> None:
        box.deliver(*(family_mail(number, A) for number in range(5)))
        url: str | None = f"{USER}/mailFolders/inbox/messages?$top=2&$count=true&$orderby=receivedDateTime asc"
        found: list[str] = []
        pages = []
        while url:
            pages.append(client.get(url).json())
            found += [one["internetMessageId"] for one in pages[-1]["value"]]
            url = pages[-1].get("@odata.nextLink")
        assert sorted(found) == [f"<{family_id(number)}>" for number in range(5)]
        assert [len(page["value"]) for page in pages] == [2, 2, 1]
        assert pages[0]["@odata.count"] == 5

    def test_sorting_by_what_is_not_filtered_first_is_too_complex(self, client: httpx.Client) -> None:
        query = {"$filter": "isRead eq false", "$orderby": "receivedDateTime desc"}
        assert code(client.get(f"{USER}/messages", params=query)) == (400, "InefficientFilter")

    def test_mime_comes_byte_for_byte(self, client: httpx.Client, box: Box) -> None:
        mime = family_mail(1, A, subject="Über אבא 🚌") + bytes(range(256))
        (id_,) = box.deliver(mime)
        answer = client.get(f"{USER}/messages/{id_}/$value")
        assert (answer.content, answer.headers["content-type"]) == (mime, "text/plain")

    def test_mime_can_fail_while_the_rest_is_shown(self, client: httpx.Client, box: Box) -> None:
        (id_,) = box.deliver(family_mail(1, A), mime_fails=True)
        assert code(client.get(f"{USER}/messages/{id_}/$value")) == (500, "ErrorMimeContentConversionFailed")
        assert client.get(f"{USER}/messages/{id_}").json()["subject"] == "Question 1"

    def test_extended_properties_tell_the_size(self, client: httpx.Client, box: Box) -> None:
        mime = family_mail(1, A)
        (id_,) = box.deliver(mime)
        expand = "singleValueExtendedProperties($filter=id eq 'Integer 0x0E08')"
        found = client.get(f"{USER}/messages/{id_}", params={"$select": "id", "$expand": expand}).json()
        assert found["singleValueExtendedProperties"] == [{"id": "Integer 0x0E08", "value": str(len(mime))}]

    def test_extended_properties_of_many_values_tell_the_categories(self, client: httpx.Client, box: Box) -> None:
        (id_,) = box.deliver(family_mail(1, A))
        box.set_categories(family_id(1), ["One", "Two"])
        tag = "StringArray {00020329-0000-0000-C000-000000000046} Name Keywords"
        expand = f"multiValueExtendedProperties($filter=id eq '{tag}')"
        found = client.get(f"{USER}/messages/{id_}", params={"$expand": expand}).json()
        assert found["multiValueExtendedProperties"] == [{"id": tag, "value": ["One", "Two"]}]

    def test_ids_change_when_a_message_moves_unless_they_are_immutable(self, client: httpx.Client, box: Box) -> None:
        (id_,) = box.deliver(family_mail(1, A))
        before = client.get(f"{USER}/messages/{id_}").json()["id"]
        moved = client.post(f"{USER}/messages/{before}/move", json={"destinationId": "archive"})
        assert moved.status_code == 201
        assert moved.json()["id"] not in (before, id_)
        assert code(client.get(f"{USER}/messages/{before}")) == (404, "ErrorItemNotFound")
        assert client.get(f"{USER}/messages/{id_}", headers=IMMUTABLE).json()["id"] == id_

    @pytest.mark.parametrize("id_", ["no-such-message", "%00", "..%2F..%2Fetc", "é" * 60])
    def test_an_id_that_is_none_is_malformed(self, client: httpx.Client, id_: str) -> None:
        assert code(client.get(f"{USER}/messages/{id_}")) == (400, "ErrorInvalidIdMalformed")

    def test_folders_have_well_known_names(self, client: httpx.Client, box: Box) -> None:
        box.deliver(family_mail(1, A))
        inbox = client.get(f"{USER}/mailFolders/inbox").json()
        assert (inbox["displayName"], inbox["totalItemCount"], inbox["unreadItemCount"]) == ("Inbox", 1, 1)
        assert inbox == client.get(f"{USER}/mailFolders/{inbox['id']}").json()
        listed = client.get(f"{USER}/mailFolders?$top=50").json()["value"]
        assert {"Inbox", "Drafts", "Sent Items", "Deleted Items", "Archive"} <= {one["displayName"] for one in listed}

    @pytest.mark.parametrize(
        "path", ["/messages?$unknown=1", "/messages?$select=nonsense", "/messages//$value", "/mailFolders/inbox/rules"]
    )
    def test_what_is_not_documented_is_a_violation(self, server: GraphServer, client: httpx.Client, path: str) -> None:
        with violating(server):
            assert client.get(USER + path).status_code in (400, 404)

    def test_a_violation_fails_the_run(self) -> None:
        with pytest.raises(AssertionError, match="unknown"), graph.running(A) as server:
            _client(server, server.login.token()).get(f"{USER}/messages?$unknown=1")


class TestWriting:
    def draft(self, client: httpx.Client, number: int = 1) -> str:
        headers = IMMUTABLE | {"Content-Type": "text/plain"}
        answer = client.post(f"{USER}/messages", content=base64.b64encode(reply(number, A)), headers=headers)
        assert answer.status_code == 201
        assert answer.json()["isDraft"]
        return str(answer.json()["id"])

    def test_a_draft_from_mime_is_that_mime(self, client: httpx.Client, box: Box) -> None:
        self.draft(client)
        assert box.drafts() == [reply(1, A)]
        assert box.departed == []

    def test_a_sent_draft_keeps_its_immutable_id(self, client: httpx.Client, box: Box) -> None:
        id_ = self.draft(client)
        changing = client.get(f"{USER}/messages/{id_}").json()["id"]
        answer = client.post(f"{USER}/messages/{id_}/send")
        assert (answer.status_code, answer.content) == (202, b"")
        assert (box.drafts(), box.sent(), box.departed) == ([], [reply(1, A)], [reply(1, A)])
        assert client.get(f"{USER}/messages/{id_}").json()["isDraft"] is False
        assert code(client.get(f"{USER}/messages/{changing}")) == (404, "ErrorItemNotFound")
        assert client.post(f"{USER}/messages/{id_}/send").status_code == 400
        assert box.departed == [reply(1, A)]

    def test_sending_can_take_its_time_while_the_draft_is_still_one(self, client: httpx.Client, box: Box) -> None:
        id_ = self.draft(client)
        box.hold_sending("draft")
        assert client.post(f"{USER}/messages/{id_}/send").status_code == 202
        assert client.get(f"{USER}/messages/{id_}").json()["isDraft"] is True
        assert box.departed == []
        box.release_sending()
        assert client.get(f"{USER}/messages/{id_}").json()["isDraft"] is False
        assert box.departed == [reply(1, A)]

    def test_sending_can_take_its_time_while_the_message_is_nowhere(self, client: httpx.Client, box: Box) -> None:
        id_ = self.draft(client)
        box.hold_sending("nowhere")
        client.post(f"{USER}/messages/{id_}/send")
        assert code(client.get(f"{USER}/messages/{id_}")) == (404, "ErrorItemNotFound")
        assert (box.drafts(), box.sent(), box.departed) == ([], [], [])
        box.release_sending()
        assert (box.sent(), box.departed) == ([reply(1, A)], [reply(1, A)])
        assert client.get(f"{USER}/messages/{id_}").json()["isDraft"] is False

    def test_a_reply_goes_to_the_sender_in_the_same_conversation(self, client: httpx.Client, box: Box) -> None:
        (id_,) = box.deliver(family_mail(1, A))
        original = client.get(f"{USER}/messages/{id_}").json()
        draft = client.post(f"{USER}/messages/{id_}/createReply", json={"comment": "Thank you."}).json()
        assert draft["conversationId"] == original["conversationId"]
        assert [one["emailAddress"]["address"] for one in draft["toRecipients"]] == ["mia.okafor@family.example"]
        assert f"In-Reply-To: <{family_id(1)}>".encode() in box.drafts()[0]

    def test_a_reply_from_mime_is_that_mime_in_the_thread(self, client: httpx.Client, box: Box) -> None:
        (id_,) = box.deliver(family_mail(1, A))
        headers = {"Content-Type": "text/plain"}
        content = base64.b64encode(reply(1, A))
        answer = client.post(f"{USER}/messages/{id_}/createReply", content=content, headers=headers)
        assert answer.status_code == 201
        assert answer.json()["internetMessageId"] == f"<{reply_id(1)}>"
        assert box.drafts()[0].endswith(reply(1, A))

    def test_drafts_can_be_rewritten_and_other_messages_cannot(self, client: httpx.Client, box: Box) -> None:
        (id_,) = box.deliver(family_mail(1, A))
        draft = self.draft(client)
        change = {"internetMessageId": "<new@maple.example>", "subject": "Anew"}
        changed = client.patch(f"{USER}/messages/{draft}", json=change).json()
        assert {name: changed[name] for name in change} == change
        assert b"Message-ID: <new@maple.example>" in box.drafts()[0]
        assert code(client.patch(f"{USER}/messages/{id_}", json=change)) == (400, "ErrorInvalidPropertySet")

    def test_categories_and_read_marks_are_written(self, client: httpx.Client, box: Box) -> None:
        (id_,) = box.deliver(family_mail(1, A))
        client.patch(f"{USER}/messages/{id_}", json={"categories": ["One", "Two"], "isRead": True})
        assert box.categories_of(family_id(1)) == ["One", "Two"]
        assert client.get(f"{USER}/messages/{id_}").json()["isRead"] is True

    def test_a_change_under_an_old_etag_is_a_conflict(self, client: httpx.Client, box: Box) -> None:
        (id_,) = box.deliver(family_mail(1, A))
        url = f"{USER}/messages/{id_}"
        etag = client.get(url).json()["@odata.etag"]
        assert client.patch(url, json={"categories": ["One"]}, headers={"If-Match": etag}).status_code == 200
        refused = client.patch(url, json={"categories": ["Two"]}, headers={"If-Match": etag})
        assert code(refused) == (412, "ErrorIrresolvableConflict")
        assert box.categories_of(family_id(1)) == ["One"]

    def test_deleting_goes_by_way_of_the_bin(self, client: httpx.Client, box: Box) -> None:
        id_ = self.draft(client)
        assert client.delete(f"{USER}/messages/{id_}").status_code == 204
        assert (box.drafts(), box.contents("deleteditems")) == ([], [reply(1, A)])
        assert client.delete(f"{USER}/messages/{id_}").status_code == 204
        assert box.contents("deleteditems") == []

    def test_send_mail_leaves_a_copy(self, client: httpx.Client, box: Box) -> None:
        message = {
            "subject": "Hello",
            "body": {"contentType": "text", "content": "Hi"},
            "toRecipients": [{"emailAddress": {"address": "mia@family.example"}}],
        }
        assert client.post(f"{USER}/sendMail", json={"message": message}).status_code == 202
        assert b"Subject: Hello" in box.sent()[0]
        assert len(box.departed) == 1

    def test_files_are_attached_to_drafts_whole_or_in_pieces(
        self, server: GraphServer, client: httpx.Client, box: Box
    ) -> None:
        server.upload_sessions = True
        url = f"{USER}/messages/{self.draft(client)}/attachments"
        small = {"@odata.type": "#microsoft.graph.fileAttachment", "name": "a.txt", "contentBytes": "c21hbGw="}
        assert client.post(url, json=small).status_code == 201
        item = {"attachmentType": "file", "name": "b.bin", "size": 10, "contentType": "application/pdf"}
        session = client.post(f"{url}/createUploadSession", json={"AttachmentItem": item}).json()

        def put(content: bytes, range_: str, **headers: str) -> int:
            where = {"Content-Range": range_, **headers}
            return httpx.put(session["uploadUrl"], content=content, headers=where, trust_env=False).status_code

        with violating(server, "Authorization"):
            assert put(b"large ", "bytes 0-5/10", Authorization="Bearer x") == 400
        assert put(b"file", "bytes 6-9/10") == 416
        assert put(b"large ", "bytes 0-5/10") == 200
        assert put(b"file", "bytes 6-9/10") == 201
        assert put(b"file", "bytes 6-9/10") == 404
        (draft,) = box.drafts()
        files = message_from_bytes(draft, policy=policy.default).iter_attachments()
        assert [(file.get_filename(), file.get_content()) for file in files] == [
            ("a.txt", b"small"),
            ("b.bin", b"large file"),
        ]

    def test_what_is_no_mime_and_no_base64_is_refused(self, server: GraphServer, client: httpx.Client) -> None:
        headers = {"Content-Type": "text/plain"}
        with violating(server, "base64"):
            answer = client.post(f"{USER}/messages", content=b"From: x", headers=headers)
        assert code(answer) == (400, "ErrorMimeContentInvalidBase64String")
        answer = client.post(f"{USER}/messages", content=base64.b64encode(b"\n\nno header"), headers=headers)
        assert code(answer) == (400, "ErrorMimeContentInvalid")

    def test_more_than_four_megabytes_are_refused(self, client: httpx.Client) -> None:
        answer = client.post(f"{USER}/messages", content=b"A" * 5_000_000, headers={"Content-Type": "text/plain"})
        assert code(answer) == (413, "RequestEntityTooLarge")

    @pytest.mark.parametrize("body", [{"labels": []}, {"categories": "One"}, {"isRead": "yes"}, {"id": "x"}])
    def test_a_body_with_unknown_or_wrong_properties_is_a_violation(
        self, server: GraphServer, client: httpx.Client, box: Box, body: dict[str, Any]
    ) -> None:
        (id_,) = box.deliver(family_mail(1, A))
        with violating(server):
            assert client.patch(f"{USER}/messages/{id_}", json=body).status_code == 400

    def test_categories_have_colours_and_no_doubles(self, server: GraphServer, client: httpx.Client) -> None:
        url = f"{USER}/outlook/masterCategories"
        made = client.post(url, json={"displayName": "Alliance/Urgent", "color": "preset0"})
        assert made.status_code == 201
        assert client.get(url).json()["value"] == [made.json()]
        assert client.post(url, json={"displayName": "alliance/urgent", "color": "preset1"}).status_code == 409
        with violating(server, "preset99"):
            client.post(url, json={"displayName": "New", "color": "preset99"})


class TestBatch:
    def batch(self, client: httpx.Client, *requests: dict[str, Any]) -> dict[str, dict[str, Any]]:
        answer = client.post("/$batch", json={"requests": list(requests)})
        assert answer.status_code == 200, answer.text
        return {one["id"]: one for one in answer.json()["responses"]}

    def test_parts_are_answered_each_with_its_status(self, client: httpx.Client, box: Box) -> None:
        (id_,) = box.deliver(family_mail(1, A))
        json = {"Content-Type": "application/json"}
        answers = self.batch(
            client,
            {"id": "1", "method": "GET", "url": f"{USER}/messages/{id_}/$value"},
            {"id": "2", "method": "GET", "url": f"{USER}/messages/{'x' * 80}"},
            {"id": "3", "method": "PATCH", "url": f"{USER}/messages/{id_}", "headers": json, "body": {"isRead": True}},
        )
        assert base64.b64decode(answers["1"]["body"]) == family_mail(1, A)
        assert (answers["2"]["status"], answers["2"]["body"]["error"]["code"]) == (404, "ErrorItemNotFound")
        assert answers["3"]["body"]["isRead"] is True

    def test_what_depends_on_a_failure_fails(self, client: httpx.Client) -> None:
        answers = self.batch(
            client,
            {"id": "1", "method": "GET", "url": f"{USER}/messages/{'x' * 80}"},
            {"id": "2", "method": "GET", "url": USER, "dependsOn": ["1"]},
        )
        assert answers["2"]["status"] == 424

    def test_single_parts_are_throttled(self, server: GraphServer, client: httpx.Client) -> None:
        server.throttle(retry_after="7", on="GET /users/{user}/messages")
        part = {"method": "GET", "url": f"{USER}/messages"}
        answers = self.batch(client, {"id": "1"} | part, {"id": "2"} | part)
        assert {one["status"] for one in answers.values()} == {200, 429}
        assert {one["headers"].get("Retry-After") for one in answers.values()} == {"7", None}

    def test_parts_to_one_mailbox_can_overrun_it_unless_they_wait_for_each_other(
        self, server: GraphServer, client: httpx.Client
    ) -> None:
        server.batches_overrun = True
        parts = [{"id": str(number), "method": "GET", "url": f"{USER}/messages"} for number in range(6)]
        answers = self.batch(client, *parts)
        assert sorted(one["status"] for one in answers.values()) == [200] * 4 + [429] * 2
        chained = [part | ({"dependsOn": [str(number - 1)]} if number else {}) for number, part in enumerate(parts)]
        assert {one["status"] for one in self.batch(client, *chained).values()} == {200}

    def test_more_than_twenty_parts_are_a_violation(self, server: GraphServer, client: httpx.Client) -> None:
        parts = [{"id": str(number), "method": "GET", "url": USER} for number in range(21)]
        with violating(server, "20"):
            assert client.post("/$batch", json={"requests": parts}).status_code == 400

    @pytest.mark.parametrize(
        "part",
        [
            {"id": "1", "method": "GET", "url": "https://graph.microsoft.com/v1.0/me"},
            {"id": "1", "method": "PATCH", "url": f"{USER}/messages/x", "body": {}},
            {"id": 1, "method": "GET", "url": USER},
            {"id": "1", "method": "GET", "url": USER, "dependsOn": ["2"]},
        ],
    )
    def test_a_part_that_is_not_as_documented_is_a_violation(
        self, server: GraphServer, client: httpx.Client, part: dict[str, Any]
    ) -> None:
        with violating(server, "$batch"):
            assert client.post("/$batch", json={"requests": [part]}).status_code == 400


class TestFaults:
    def test_a_fault_hits_as_often_as_ordered_and_where_ordered(
        self, server: GraphServer, client: httpx.Client
    ) -> None:
        server.fail(504, "UnknownError", mailbox=A, times=2)
        statuses = [client.get(f"/users/{who}/messages").status_code for who in (B, A, A, A)]
        assert statuses == [200, 504, 504, 200]

    @pytest.mark.parametrize("after", ["3", None])
    def test_throttling_names_a_pause_or_not(
        self, server: GraphServer, client: httpx.Client, after: str | None
    ) -> None:
        server.throttle(A, retry_after=after)
        answer = client.get(f"{USER}/messages")
        assert code(answer) == (429, "ApplicationThrottled")
        assert answer.headers.get("Retry-After") == after

    def test_an_answer_can_be_lost_after_the_work_was_done(
        self, server: GraphServer, client: httpx.Client, box: Box
    ) -> None:
        id_ = TestWriting().draft(client)
        server.cut(0, on="POST /users/{user}/messages/{id}/send", after=True)
        with pytest.raises(httpx.RemoteProtocolError):
            client.post(f"{USER}/messages/{id_}/send")
        assert box.departed == [reply(1, A)]

    def test_an_answer_can_break_off(self, server: GraphServer, client: httpx.Client) -> None:
        server.cut(300, on="GET /users/{user}/messages")
        with pytest.raises(httpx.RemoteProtocolError):
            client.get(f"{USER}/messages")
        assert client.get(f"{USER}/messages").status_code == 200

    def test_a_fifth_request_at_a_time_is_throttled(self, server: GraphServer, client: httpx.Client, box: Box) -> None:
        statuses: list[int] = []
        one_answered = threading.Event()

        def ask() -> None:
            statuses.append(client.get(f"{USER}/messages", timeout=30).status_code)
            one_answered.set()

        threads = [threading.Thread(target=ask) for _ in range(5)]
        with box.held_requests():
            for thread in threads:
                thread.start()
            assert one_answered.wait(10), "the one that is too many waits with the others"
        for thread in threads:
            thread.join(30)
        assert sorted(statuses) == [200] * 4 + [429]

    def test_the_log_tells_requests_and_parts(self, server: GraphServer, client: httpx.Client) -> None:
        TestBatch().batch(client, {"id": "1", "method": "GET", "url": f"{USER}/messages"})
        client.get(f"{USER}/messages")
        assert server.count("GET", "/users/{user}/messages") == 2
        assert server.count(parts=False) == 2


class TestAccess:
    def test_without_a_token_or_with_an_old_one_nothing_is_told(
        self, server: GraphServer, client: httpx.Client
    ) -> None:
        assert client.get(f"{USER}/messages").status_code == 200
        server.login.expire_tokens()
        refused = client.get(f"{USER}/messages")
        assert code(refused) == (401, "InvalidAuthenticationToken")
        assert "Bearer" in refused.headers["WWW-Authenticate"]
        assert code(client.post("/$batch", json={"requests": []})) == (401, "InvalidAuthenticationToken")
        assert code(_client(server, "nonsense").get(USER)) == (401, "InvalidAuthenticationToken")

    def test_an_application_has_no_mailbox_of_its_own(self, client: httpx.Client) -> None:
        assert code(client.get("/me/messages")) == (400, "BadRequest")

    def test_a_teachers_token_opens_their_own_mailbox_only(self, server: GraphServer) -> None:
        client = _client(server, server.login.token(A, frozenset({"Mail.ReadWrite", "User.Read"})))
        assert client.get("/me").json()["mail"] == A
        assert client.get("/me/messages").status_code == 200
        assert code(client.get(f"/users/{B}/messages")) == (403, "ErrorAccessDenied")
        assert code(client.post(f"/me/messages/{'x' * 80}/send")) == (403, "ErrorAccessDenied")

    def test_mailboxes_can_be_excluded_lacking_or_unknown(self, server: GraphServer, client: httpx.Client) -> None:
        server.box(B).excluded = True
        assert code(client.get(f"/users/{B}/messages")) == (403, "ErrorAccessDenied")
        server.box(B).excluded, server.box(B).enabled = False, False
        assert code(client.get(f"/users/{B}/messages")) == (404, "MailboxNotEnabledForRESTAPI")
        assert code(client.get("/users/nobody@maple.example/messages")) == (404, "ErrorInvalidUser")
        assert code(client.get("/users/nobody@maple.example")) == (404, "Request_ResourceNotFound")


class TestLogin:
    SCOPE = "https://graph.microsoft.com/.default"

    @pytest.fixture
    def http(self, server: GraphServer) -> Iterator[httpx.Client]:
        context = ssl.create_default_context(cafile=str(server.certificates.authority))
        with httpx.Client(verify=context, trust_env=False, timeout=30) as http:
            yield http

    def application(
        self, server: GraphServer, http: httpx.Client, credential: Any
    ) -> msal.ConfidentialClientApplication:
        return msal.ConfidentialClientApplication(
            server.login.client_id,
            authority=server.authority,
            client_credential=credential,
            instance_discovery=False,
            http_client=_Sending(http),
        )

    def test_a_secret_gets_a_token(self, server: GraphServer, http: httpx.Client) -> None:
        found = self.application(server, http, server.login.secret).acquire_token_for_client([self.SCOPE])
        assert _client(server, found["access_token"]).get(f"{USER}/messages").status_code == 200

    @pytest.mark.parametrize(("expired", "number"), [(False, 7000215), (True, 7000222)])
    def test_a_wrong_or_expired_secret_gets_none(
        self, server: GraphServer, http: httpx.Client, expired: bool, number: int
    ) -> None:
        server.login.expired_secret = expired
        found = self.application(server, http, "wrong").acquire_token_for_client([self.SCOPE])
        assert (found["error"], found["error_codes"]) == ("invalid_client", [number])

    def test_a_certificate_gets_a_token_and_another_one_does_not(self, server: GraphServer, http: httpx.Client) -> None:
        server.login.secret = None
        key, certificate = certified()
        other_key, _ = certified()
        server.login.certificates = [certificate]
        pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
        right, wrong = (
            self.application(server, http, {"private_key": one, "public_certificate": pem}).acquire_token_for_client(
                [self.SCOPE]
            )
            for one in (key, other_key)
        )
        assert _client(server, right["access_token"]).get(f"{USER}/messages").status_code == 200
        assert (wrong["error"], wrong["error_codes"]) == ("invalid_client", [700027])

    @pytest.mark.parametrize(
        ("wrong", "number"),
        [({"aud": "https://elsewhere.example"}, 700027), ({"exp": 1}, 700027), ({"sub": "another"}, 700027)],
    )
    def test_an_assertion_for_elsewhere_or_another_time_is_refused(
        self, server: GraphServer, http: httpx.Client, wrong: dict[str, Any], number: int
    ) -> None:
        key, certificate = certified()
        server.login.certificates = [certificate]
        url = f"{server.authority}/oauth2/v2.0/token"
        client = server.login.client_id
        claims = {"aud": url, "iss": client, "sub": client, "jti": "1", "exp": datetime.now(UTC) + timedelta(minutes=5)}
        thumbprint = base64.urlsafe_b64encode(certificate.fingerprint(hashes.SHA256())).decode().rstrip("=")

        def ask(**changed: Any) -> httpx.Response:
            form = {
                "grant_type": "client_credentials",
                "client_id": client,
                "scope": self.SCOPE,
                "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                "client_assertion": jwt.encode(claims | changed, key, "PS256", {"x5t#S256": thumbprint}),
            }
            return http.post(url, data=form)

        assert ask().status_code == 200
        assert (ask(**wrong).status_code, ask(**wrong).json()["error_codes"]) == (401, [number])

    def test_a_teacher_signs_in_by_device_code_and_stays_signed_in_until_revoked(
        self, server: GraphServer, http: httpx.Client
    ) -> None:
        app = msal.PublicClientApplication(
            server.login.client_id, authority=server.authority, instance_discovery=False, http_client=_Sending(http)
        )
        flow = app.initiate_device_flow(["https://graph.microsoft.com/Mail.ReadWrite"])
        assert app.acquire_token_by_device_flow(flow, exit_condition=lambda _: True)["error"] == "authorization_pending"
        server.login.approve(A)
        found = app.acquire_token_by_device_flow(flow)
        assert _client(server, found["access_token"]).get("/me/messages").status_code == 200
        (account,) = app.get_accounts()
        assert account["username"] == A
        server.login.expire_tokens()
        scopes = ["https://graph.microsoft.com/Mail.ReadWrite"]
        fresh = app.acquire_token_silent_with_error(scopes, account, force_refresh=True)
        assert _client(server, fresh["access_token"]).get("/me/messages").status_code == 200
        server.login.revoke()
        refused = app.acquire_token_silent_with_error(scopes, account, force_refresh=True)
        assert (refused["error"], refused["error_codes"]) == ("invalid_grant", [50173])

    def test_another_tenant_or_application_is_unknown(self, server: GraphServer, http: httpx.Client) -> None:
        elsewhere = http.get(f"{server.secure_url}/elsewhere.example/v2.0/.well-known/openid-configuration")
        assert elsewhere.json()["error_codes"] == [90002]
        form = {"grant_type": "client_credentials", "client_id": "another", "client_secret": "x"}
        assert http.post(f"{server.authority}/oauth2/v2.0/token", data=form).json()["error_codes"] == [700016]


class _Sending:
    """msal's HTTP by httpx; msal writes some fields of a form as bytes."""

    def __init__(self, http: httpx.Client) -> None:
        self.get = http.get
        self.close = http.close
        self._http = http

    def post(self, url: str, data: dict[str, Any], **more: Any) -> httpx.Response:
        form = {name: value.decode() if isinstance(value, bytes) else value for name, value in data.items()}
        return self._http.post(url, data=form, **more)


def certified() -> tuple[str, x509.Certificate]:
    """A private key as PEM, and its own certificate."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alliance.example")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(*form).decode(), certificate
