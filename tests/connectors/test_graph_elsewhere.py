"""The connector against an emulator of Microsoft Graph that others wrote, for what that has: folders, messages,
categories, drafts, sending.

It takes no MIME and has no delta queries, and of batches it knows only moves. So a small server stands before it that
takes batches apart, and passes everything on.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from config.secrets import Secrets
from config.settings import Graph
from connectors.backoff import Patience
from connectors.errors import DraftFailed, MessageGone
from connectors.graph import GraphMailbox
from connectors.graph_client import GraphClient
from connectors.graph_clouds import cloud_of
from connectors.graph_drafts import Draft
from connectors.graph_entries import message_path, read_page
from connectors.graph_quota import Budget
from connectors.graph_rebuilt import rebuilt
from connectors.labels import NAMES, Label
from connectors.mailbox import DraftState
from connectors.mime import parse_message
from tests.servers import microsoft_emulator

TEACHER = "rivera@maple.example"
SEEDED = {
    "id": "seeded",
    "subject": "Bus money",
    "body_content": "Who takes the bus money?",
    "body_content_type": "text",
    "from": {"address": "mia.okafor@family.example", "name": "Mia Okafor"},
    "to_recipients": [{"address": TEACHER}],
    "categories": ["Family"],
}


class Given:
    """A token that somebody else got."""

    delegated = True

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self, patience: Patience, rejected: str | None = None) -> str:
        return self._token


@contextmanager
def unbatching(url: str) -> Iterator[str]:
    """A server that passes every request on to `url`, the parts of a batch one by one."""
    client = httpx.Client(trust_env=False, timeout=30)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name: self.headers[name] for name in ("Authorization", "Content-Type") if name in self.headers}
            if self.path == "/v1.0/$batch":
                parts = [self.part(one, headers) for one in json.loads(body)["requests"]]
                self.answer(200, json.dumps({"responses": parts}).encode())
            else:
                found = client.request(self.command, url + self.path, headers=headers, content=body)
                self.answer(found.status_code, found.content)

        do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 - names of the standard library

        def part(self, one: dict[str, object], headers: dict[str, str]) -> dict[str, object]:
            given = {"Authorization": headers["Authorization"]}
            found = client.request(str(one["method"]), f"{url}/v1.0{one['url']}", headers=given, json=one.get("body"))
            body = found.json() if found.headers.get("content-type", "").startswith("application/json") else None
            return {"id": one["id"], "status": found.status_code, "headers": {}, "body": body}

        def answer(self, status: int, content: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        client.close()


@pytest.fixture(scope="module")
def emulator() -> Iterator[tuple[str, str]]:
    with microsoft_emulator.running(TEACHER, messages=[SEEDED]) as running, unbatching(running.url) as url:
        yield url, running.tokens[TEACHER]


@pytest.fixture
def graph(emulator: tuple[str, str]) -> Graph:
    return Graph(tenant="t", client_id="c", auth="device-code", endpoint=emulator[0])


@pytest.fixture
def mailbox(emulator: tuple[str, str], graph: Graph) -> Iterator[GraphMailbox]:
    mailbox = GraphMailbox(TEACHER, graph, Given(emulator[1]), Secrets.in_memory(), sleep=lambda _: None)
    yield mailbox
    mailbox.close()


@pytest.fixture
def client(emulator: tuple[str, str], graph: Graph) -> GraphClient:
    return GraphClient(TEACHER, cloud_of(graph), Given(emulator[1]), timeout=30, patience=Patience(), budget=Budget(""))


def seeded(client: GraphClient) -> str:
    """The id of the family's message."""
    found = client.get("/mailFolders/inbox/messages", {"$top": "50"})["value"]
    return next(str(one["id"]) for one in found if one["subject"] == "Bus money")


def test_the_mailbox_is_checked(mailbox: GraphMailbox) -> None:
    facts = mailbox.check()
    assert "reads Inbox" in facts[0]


def test_labels_are_categories_beside_the_teachers_own(mailbox: GraphMailbox, client: GraphClient) -> None:
    id_ = seeded(client)
    for labels in (frozenset({Label.URGENT, Label.CHECK}), frozenset({Label.ROUTINE})):
        mailbox.tag(id_, labels)
        shown = client.get(message_path(id_))
        assert set(shown["categories"]) == {"Family", *(NAMES[label] for label in labels)}
        assert shown["isRead"] is False
    assert mailbox.tag_many({id_: frozenset()}) == {}
    assert client.get(message_path(id_))["categories"] == ["Family"]
    with pytest.raises(MessageGone):
        mailbox.tag("nobody-has-this-id", frozenset({Label.URGENT}))


def test_our_categories_get_their_colours(mailbox: GraphMailbox, client: GraphClient) -> None:
    mailbox.tag(seeded(client), frozenset({Label.URGENT}))
    colours = {one["displayName"]: one["color"] for one in client.get("/outlook/masterCategories")["value"]}
    assert colours["Alliance/Urgent"] == "preset0"
    assert set(NAMES.values()) <= set(colours)


def test_a_reply_is_created_in_the_conversation_and_sent_once(mailbox: GraphMailbox, client: GraphClient) -> None:
    id_ = seeded(client)
    reply = client.once(message_path(id_) + "/createReply")
    assert reply["conversationId"] == client.get(message_path(id_))["conversationId"]
    draft = Draft(reply["id"], "").text()
    assert mailbox.draft_state(draft, "") is DraftState.DRAFT
    mailbox.send_draft(draft)
    mailbox.send_draft(draft)
    assert mailbox.draft_state(draft, "") is DraftState.SENT
    mailbox.discard_draft(draft)
    sent = read_page(client.get("/mailFolders/sentitems/messages", {"$top": "50"})).value
    assert [one.id for one in sent].count(reply["id"]) == 1


def test_a_discarded_draft_goes_to_deleted_items_and_is_never_sent(mailbox: GraphMailbox, client: GraphClient) -> None:
    made = client.once("/messages", b'{"subject": "Hello"}', "application/json")
    draft = Draft(made["id"], "").text()
    mailbox.discard_draft(draft)
    mailbox.discard_draft(draft)
    mailbox.send_draft(draft)  # the emulator takes whatever leaves Drafts for sent; Graph keeps isDraft
    deleted = client.get("/mailFolders/deleteditems")["id"]
    assert client.get(message_path(made["id"]))["parentFolderId"] == deleted


def test_where_no_message_id_is_kept_nothing_is_sent(mailbox: GraphMailbox, client: GraphClient) -> None:
    before = read_page(client.get("/mailFolders/drafts/messages", {"$top": "50"})).value
    with pytest.raises(DraftFailed, match="does not keep the Message-ID"):
        mailbox.save_draft(b"Message-ID: <a@maple.example>\r\nTo: mia.okafor@family.example\r\n\r\nHello\r\n")
    assert read_page(client.get("/mailFolders/drafts/messages", {"$top": "50"})).value == before


def test_a_message_can_be_rebuilt_from_its_properties(client: GraphClient) -> None:
    raw = rebuilt(client.get(message_path(seeded(client))))
    message = parse_message(raw, mailbox=TEACHER, id="x", received_at=datetime.now(UTC))
    assert (message.subject, message.newest.strip()) == ("Bus money", "Who takes the bus money?")
    assert message.sender is not None
    assert message.sender.email == "mia.okafor@family.example"
