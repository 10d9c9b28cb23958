"""Our stand-in for Microsoft Graph answers as an emulator that others wrote, wherever both know the answer.

Each test does the same to both and compares statuses, shapes and what happened. Where they differ the test says so,
with Microsoft's page that the stand-in follows.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from service.notifications import create_app, serving
from tests.servers import graph, microsoft_emulator

TEACHER = "rivera@maple.example"
FAMILY = {"emailAddress": {"address": "mia.okafor@family.example", "name": "Mia Okafor"}}
SEEDED = {
    "id": "seeded",
    "subject": "Bus money",
    "body_content": "Who takes the bus money?",
    "body_content_type": "text",
    "from": {"address": "mia.okafor@family.example", "name": "Mia Okafor"},
    "to_recipients": [{"address": TEACHER}],
}
MIME = (
    f"From: Mia Okafor <mia.okafor@family.example>\r\nTo: {TEACHER}\r\nSubject: Bus money\r\n"
    "Message-ID: <bus@family.example>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
    "Who takes the bus money?\r\n"
).encode()
OPEN = frozenset({"attachments"})
"""What the emulator shows unasked, and Graph only under $expand:
https://learn.microsoft.com/graph/api/resources/message#relationships."""


class Pair:
    """The emulator and the stand-in, each with the family's message in the inbox."""

    def __init__(self, theirs: httpx.Client, ours: httpx.Client, server: graph.GraphServer) -> None:
        self.theirs, self.ours, self.server = theirs, ours, server

    def same(self, method: str, path: str | tuple[str, str], body: Any = None) -> tuple[Any, Any]:
        """Asks both, and returns their JSON once their statuses are equal. `path` may differ by ids."""
        their_path, our_path = (path, path) if isinstance(path, str) else path
        their = self.theirs.request(method, their_path, json=body)
        our = self.ours.request(method, our_path, json=body)
        assert (method, path, our.status_code) == (method, path, their.status_code), our.text
        return (their.json() if their.content else None), (our.json() if our.content else None)

    def message(self) -> tuple[str, str]:
        """The family's message in both."""
        their, our = self.same("GET", "/me/mailFolders/inbox/messages?$top=50")
        return tuple(
            next(one["id"] for one in found["value"] if one["subject"] == "Bus money") for found in (their, our)
        )


@pytest.fixture(scope="module")
def emulator() -> Iterator[microsoft_emulator.MicrosoftEmulator]:
    with microsoft_emulator.running(TEACHER, messages=[SEEDED]) as emulator:
        yield emulator


@pytest.fixture
def pair(emulator: microsoft_emulator.MicrosoftEmulator) -> Iterator[Pair]:
    with graph.running(TEACHER) as server:
        rights = frozenset({"Mail.ReadWrite", "Mail.Send", "MailboxSettings.ReadWrite", "User.Read"})
        tokens = emulator.tokens[TEACHER], server.login.token(TEACHER, rights)
        server.box(TEACHER).deliver(MIME)
        with (
            _client(emulator.url, tokens[0]) as theirs,
            _client(server.url, tokens[1]) as ours,
        ):
            yield Pair(theirs, ours, server)


def _client(url: str, token: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=f"{url}/v1.0", headers=headers, trust_env=False, timeout=30)


def shape(value: Any) -> Any:
    """The types of a JSON value; None fits every type, and of a list its first element speaks."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value).__name__


def fits(their: Any, our: Any, at: str = "") -> list[str]:
    """The places of what they have and we lack, or have in another type."""
    if isinstance(their, dict) and isinstance(our, dict):
        lacking = [f"{at}{name}" for name in their if name not in our and name not in OPEN]
        return lacking + [
            place for name in their if name in our for place in fits(their[name], our[name], f"{at}{name}.")
        ]
    if isinstance(their, list) and isinstance(our, list):
        return fits(their[0], our[0], at) if their and our else []
    return [] if their is None or our is None or type(their) is type(our) else [at.rstrip(".")]


def test_the_user_is_described_alike(pair: Pair) -> None:
    their, our = pair.same("GET", "/me")
    names = ("mail", "userPrincipalName", "@odata.context")
    assert {name: our[name].rpartition("/v1.0")[2] for name in names} == {
        name: their[name].rpartition("/v1.0")[2] for name in names
    }
    assert shape(our["id"]) == shape(their["id"])


def test_messages_are_listed_in_the_same_shape(pair: Pair) -> None:
    their, our = pair.same("GET", "/me/mailFolders/inbox/messages?$top=50")
    their_one, our_one = (
        next(one for one in found["value"] if one["subject"] == "Bus money") for found in (their, our)
    )
    assert fits(their_one, our_one) == []
    for name in ("subject", "isRead", "isDraft", "importance", "categories", "from", "hasAttachments"):
        assert our_one[name] == their_one[name], name
    assert our_one["body"]["content"].strip() == their_one["body"]["content"]


def test_lists_go_on_by_skipping(pair: Pair) -> None:
    pair.server.box(TEACHER).deliver(MIME.replace(b"bus@", b"second@"), MIME.replace(b"bus@", b"third@"))
    their, our = pair.same("GET", "/me/messages?$top=2")
    assert (len(their["value"]), len(our["value"])) == (2, 2)
    assert "$skip=2" in httpx.URL(their["@odata.nextLink"]).query.decode().replace("%24", "$")
    assert "$skip=2" in httpx.URL(our["@odata.nextLink"]).query.decode().replace("%24", "$")


def test_one_message_is_got_in_the_same_shape(pair: Pair) -> None:
    their_id, our_id = pair.message()
    their, our = pair.same("GET", (f"/me/messages/{their_id}", f"/me/messages/{our_id}"))
    assert fits(their, our) == []
    assert our["from"] == their["from"]


def test_a_message_that_is_not_there_is_refused_alike(pair: Pair) -> None:
    their, our = pair.same("GET", f"/me/messages/{'x' * 80}")
    assert our["error"]["code"] == their["error"]["code"] == "ErrorItemNotFound"
    assert fits(their, our) == []


def test_a_request_without_a_good_token_is_refused_alike(pair: Pair) -> None:
    pair.theirs.headers.pop("Authorization")
    pair.ours.headers.pop("Authorization")
    their, our = pair.same("GET", "/me/messages")
    assert fits(their["error"], our["error"]) == []


@pytest.mark.parametrize("name", ["inbox", "sentitems", "drafts", "deleteditems", "archive"])
def test_folders_are_found_under_the_same_names(pair: Pair, name: str) -> None:
    their, our = pair.same("GET", f"/me/mailFolders/{name}")
    assert our["displayName"] == their["displayName"]
    # The emulator adds what only Graph's beta version has.
    assert fits(their, our) == ["wellKnownName", "childFolders"]


def test_folders_are_listed_alike(pair: Pair) -> None:
    their, our = pair.same("GET", "/me/mailFolders")
    assert {one["displayName"] for one in their["value"]} <= {one["displayName"] for one in our["value"]}


def test_categories_are_created_once_and_listed(pair: Pair) -> None:
    url = "/me/outlook/masterCategories"
    name = "Alliance/Urgent"
    their, our = pair.same("POST", url, {"displayName": name, "color": "preset0"})
    assert {key: our[key] for key in ("displayName", "color")} == {key: their[key] for key in ("displayName", "color")}
    assert shape(our) == shape(their)
    pair.same("POST", url, {"displayName": name, "color": "preset1"})  # a double: both refuse it
    for found in pair.same("GET", url):
        assert name in [one["displayName"] for one in found["value"]]


def test_a_message_takes_categories_and_read_marks_alike(pair: Pair) -> None:
    ids = pair.message()
    paths = (f"/me/messages/{ids[0]}", f"/me/messages/{ids[1]}")
    for body in ({"categories": ["Alliance/Urgent", "Family"], "isRead": True}, {"categories": [], "isRead": False}):
        their, our = pair.same("PATCH", paths, body)
        assert {name: our[name] for name in body} == {name: their[name] for name in body} == body
        their, our = pair.same("GET", paths)
        assert {name: our[name] for name in body} == {name: their[name] for name in body} == body


def test_a_reply_is_a_draft_to_the_sender_in_the_conversation(pair: Pair) -> None:
    ids = pair.message()
    originals = pair.same("GET", (f"/me/messages/{ids[0]}", f"/me/messages/{ids[1]}"))
    drafts = pair.same("POST", (f"/me/messages/{ids[0]}/createReply", f"/me/messages/{ids[1]}/createReply"))
    assert fits(*drafts) == []
    for original, draft in zip(originals, drafts, strict=True):
        assert draft["isDraft"] is True
        assert draft["conversationId"] == original["conversationId"]
        assert draft["subject"].lower() == "re: bus money"
        assert draft["toRecipients"] == [FAMILY]


def test_a_draft_is_created_changed_and_deleted_alike(pair: Pair) -> None:
    content = {"subject": "Hello", "body": {"contentType": "text", "content": "Hi"}, "toRecipients": [FAMILY]}
    drafts = pair.same("POST", "/me/messages", content)
    assert fits(*drafts) == []
    paths = (f"/me/messages/{drafts[0]['id']}", f"/me/messages/{drafts[1]['id']}")
    their, our = pair.same("PATCH", paths, {"subject": "Hello again"})
    assert our["subject"] == their["subject"] == "Hello again"
    pair.same("DELETE", paths)
    for found in pair.same("GET", "/me/mailFolders/deleteditems/messages?$top=50"):
        assert "Hello again" in [one["subject"] for one in found["value"]]


def test_a_sent_draft_lies_in_sent_items_and_is_no_draft(pair: Pair) -> None:
    content = {"subject": "On its way", "body": {"contentType": "text", "content": "Hi"}, "toRecipients": [FAMILY]}
    theirs, ours = pair.same("POST", "/me/messages", content)
    their = pair.theirs.post(f"/me/messages/{theirs['id']}/send")
    our = pair.ours.post(f"/me/messages/{ours['id']}/send")
    # The emulator answers 200 with the message; Graph 202 with nothing: learn.microsoft.com/graph/api/message-send.
    assert (their.status_code, our.status_code, our.content) == (200, 202, b"")
    for found in pair.same("GET", "/me/mailFolders/sentitems/messages?$top=50"):
        (sent,) = (one for one in found["value"] if one["subject"] == "On its way")
        assert sent["isDraft"] is False
    for found in pair.same("GET", "/me/mailFolders/drafts/messages?$top=50"):
        assert "On its way" not in [one["subject"] for one in found["value"]]


def test_mail_is_sent_in_one_request_alike(pair: Pair) -> None:
    content = {"subject": "At once", "body": {"contentType": "text", "content": "Hi"}, "toRecipients": [FAMILY]}
    assert pair.same("POST", "/me/sendMail", {"message": content}) == (None, None)
    for found in pair.same("GET", "/me/mailFolders/sentitems/messages?$top=50"):
        assert "At once" in [one["subject"] for one in found["value"]]


def test_subscriptions_are_created_and_deleted_alike(pair: Pair, receiver: str) -> None:
    pair.server.subscriptions.reachable["https://alliance.maple.example/graph"] = receiver
    expires = pair.server.now().strftime("%Y-%m-%dT23:59:59Z")
    body = {
        "changeType": "created",
        "notificationUrl": "https://alliance.maple.example/graph",
        "resource": "me/mailFolders('inbox')/messages",
        "expirationDateTime": expires,
        "clientState": "a secret",
    }
    their, our = pair.same("POST", "/subscriptions", body)
    # The emulator shows the client state again, which Graph does not: it stays between the two who know it.
    assert (fits(their, our), our["clientState"]) == ([], None)
    for name in ("changeType", "notificationUrl", "resource", "expirationDateTime"):
        assert our[name] == their[name]
    pair.same("DELETE", (f"/subscriptions/{their['id']}", f"/subscriptions/{our['id']}"))


@pytest.fixture
def receiver() -> Iterator[str]:
    """Somebody who answers validation requests."""
    with serving(create_app("https://alliance.maple.example/graph"), "127.0.0.1:0") as url:
        yield f"{url}/graph"


def test_a_move_is_carried_out_in_a_batch_alike(pair: Pair) -> None:
    content = {"subject": "To be moved", "body": {"contentType": "text", "content": "Hi"}, "toRecipients": [FAMILY]}
    ids = [found["id"] for found in pair.same("POST", "/me/messages", content)]
    answers: list[Mapping[str, Any]] = []
    for client, id_ in zip((pair.theirs, pair.ours), ids, strict=True):
        part = {
            "id": "1",
            "method": "POST",
            "url": f"/me/messages/{id_}/move",
            "headers": {"Content-Type": "application/json"},
            "body": {"destinationId": "archive"},
        }
        answer = client.post("/$batch", json={"requests": [part]})
        assert answer.status_code == 200
        answers.append(answer.json()["responses"][0])
    # Graph creates the message in the other folder (201): learn.microsoft.com/graph/api/message-move.
    assert [answer["status"] for answer in answers] == [200, 201]
    assert [answer["id"] for answer in answers] == ["1", "1"]
    assert fits(answers[0]["body"], answers[1]["body"]) == []
