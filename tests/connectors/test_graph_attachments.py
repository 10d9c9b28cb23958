"""Mail that is too large for one request to Microsoft Graph reaches the office all the same."""

import threading
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract.reader import message_id_of, unwrapped
from connectors.errors import DraftFailed, InsecureConnection
from connectors.graph_attachments import LARGEST_REQUEST, lightened
from connectors.mailbox import DraftState
from tests.connectors.graph_world import GraphWorld
from tests.servers.graph import Box, running
from tests.servers.graph import server as serving
from tests.servers.graph.wire import Answer, Request

ID = "route-1@school.example"


def mail(*attachments: bytes, text: str = "Please look at once.") -> bytes:
    """A mail to the office with files of these contents."""
    message = EmailMessage(policy=policy.SMTP)
    message["From"] = "rivera@school.example"
    message["To"] = "office@school.example"
    message["Subject"] = "Urgent"
    message["Message-ID"] = f"<{ID}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    for number, content in enumerate(attachments):
        message.add_attachment(content, maintype="application", subtype="octet-stream", filename=f"file {number}.bin")
    return message.as_bytes()


class Uploads:
    """What Graph does of attachments: files that come whole, and upload sessions on a host of their own."""

    def __init__(self) -> None:
        self.url = ""
        self.attached: dict[str, bytes] = {}
        self.ranges: list[str] = []
        self.keys: list[str | None] = []
        """The Authorization field of each upload."""
        self.answers: list[int] = []
        """Statuses of the next uploads instead of what is right; 504 comes after the work was done."""
        self._session = SimpleNamespace(name="", content=b"")

    def attach(self, request: Request, box: Box, id_: str) -> Answer:
        given = request.json()
        box.item(id_)
        self.attached[given["name"]] = b64decode(given["contentBytes"])
        return Answer(201, {"id": "attachment"})

    def create_session(self, request: Request, box: Box, id_: str) -> Answer:
        item = request.json()["AttachmentItem"]
        assert (item["attachmentType"], box.item(id_).is_draft) == ("file", True)
        self._session = SimpleNamespace(name=item["name"], size=item["size"], content=b"")
        return Answer(201, {"uploadUrl": f"{self.url}/upload?authtoken=key", "nextExpectedRanges": ["0-"]})

    def put(self, range_: str, key: str | None, content: bytes) -> int:
        self.ranges.append(range_)
        self.keys.append(key)
        status = self.answers.pop(0) if self.answers else 200
        if status in (400, 416, 503):
            return status
        if int(range_.removeprefix("bytes ").partition("-")[0]) != len(self._session.content):
            return 416
        self._session.content += content
        if len(self._session.content) == self._session.size:
            self.attached[self._session.name] = self._session.content
            return max(status, 201)
        return status


@contextmanager
def listening(uploads: Uploads) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            status = uploads.put(self.headers["Content-Range"], self.headers.get("Authorization"), content)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    uploads.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def uploads(monkeypatch: pytest.MonkeyPatch) -> Iterator[Uploads]:
    uploads = Uploads()
    write = frozenset({"Mail.ReadWrite"})
    for template, work in (
        ("/messages/{id}/attachments", uploads.attach),
        ("/messages/{id}/attachments/createUploadSession", uploads.create_session),
    ):
        handler = lambda server, request, box, keys, work=work: work(request, box, keys["id"])  # noqa: E731
        monkeypatch.setitem(serving._ROUTES, ("POST", template), (write, handler))
        monkeypatch.setitem(serving._SPLIT, template, tuple(template.split("/")[1:]))
    with listening(uploads):
        yield uploads


@pytest.fixture
def world() -> Iterator[GraphWorld]:
    with running() as server:
        world = GraphWorld(server)
        yield world
        world.close()


def test_a_large_file_is_brought_up_in_pieces_without_our_token(world: GraphWorld, uploads: Uploads) -> None:
    photo = bytes(range(256)) * 14_000
    mailbox = world.open()
    draft = mailbox.save_draft(mail(b"small", photo))
    assert uploads.attached == {"file 1.bin": photo}
    assert uploads.ranges[0] == f"bytes 0-3276799/{len(photo)}"
    assert uploads.ranges[-1].endswith(f"-{len(photo) - 1}/{len(photo)}")
    assert set(uploads.keys) == {None}
    (kept,) = world.drafts()
    assert message_id_of(kept) == ID
    parts = message_from_bytes(kept, policy=policy.default)
    assert parts["Auto-Submitted"] == "auto-generated"
    assert [part.get_filename() for part in parts.iter_attachments()] == ["file 0.bin"]
    assert "Please look at once." in parts.get_body().get_content()
    assert world.open().save_draft(mail(b"small", photo)) == draft
    mailbox.send_draft(draft)
    assert mailbox.draft_state(draft, ID) is DraftState.SENT


def test_files_that_are_only_together_too_large_come_whole(world: GraphWorld, uploads: Uploads) -> None:
    first, second = b"a" * 1_500_000, b"b" * 1_400_000
    world.open().save_draft(mail(first, second))
    assert uploads.attached == {"file 0.bin": first}
    assert uploads.ranges == []
    assert len(world.drafts()) == 1


@pytest.mark.parametrize("answers", [[503], [504], [200, 503, 503], [200, 504]], ids=str)
def test_an_upload_that_stumbles_goes_on(world: GraphWorld, uploads: Uploads, answers: list[int]) -> None:
    uploads.answers = answers
    world.open().save_draft(mail(b"x" * 3_600_000))
    assert uploads.attached == {"file 0.bin": b"x" * 3_600_000}
    assert [message_id_of(kept) for kept in world.drafts()] == [ID]


@pytest.mark.parametrize("status", [400, 416])
def test_a_draft_that_a_crash_left_without_its_files_is_never_sent(
    world: GraphWorld, uploads: Uploads, status: int
) -> None:
    uploads.answers = [status]
    with pytest.raises(DraftFailed, match="attachment is refused"):
        world.open().save_draft(mail(b"x" * 3_000_000))
    assert [message_id_of(kept) for kept in world.drafts()] == [f"unfinished.{ID}"]
    assert world.open().draft_state("", ID) is DraftState.GONE
    world.open().save_draft(mail(b"x" * 3_000_000))
    assert [message_id_of(kept) for kept in world.drafts()] == [ID]
    assert uploads.attached == {"file 0.bin": b"x" * 3_000_000}


def test_a_cloud_without_upload_sessions_says_that_it_cannot(world: GraphWorld) -> None:
    with pytest.raises(DraftFailed):
        world.open().save_draft(mail(b"x" * 3_000_000))
    world.server.violations.clear()


def test_files_are_brought_nowhere_without_tls(world: GraphWorld, uploads: Uploads) -> None:
    uploads.url = "http://outlook.evil.example"
    with pytest.raises(InsecureConnection):
        world.open().save_draft(mail(b"x" * 3_000_000))


@pytest.mark.parametrize("attachments", [(), (b"small",)])
def test_a_mail_that_is_large_without_attachments_is_refused_before_anything_is_sent(
    world: GraphWorld, attachments: tuple[bytes, ...]
) -> None:
    mime = mail(*attachments).replace(b"Please look at once.", b"x" * LARGEST_REQUEST)
    with pytest.raises(DraftFailed, match="without"):
        world.open().save_draft(mime)
    assert world.drafts() == []


def test_an_original_is_taken_out_byte_for_byte() -> None:
    original = b"From: a@family.example\r\nSubject: \xc3\xbc\r\n\r\n--not a boundary\r\n" + b"y" * 3_000_000 + b"\r\n"
    mime = (
        b'Message-ID: <a@b>\r\nContent-Type: multipart/mixed; boundary="b-1"\r\n\r\n--b-1\r\n\r\nhello\r\n'
        b'--b-1\r\nContent-Type: message/rfc822; name="m.eml"\r\nContent-Transfer-Encoding: 8bit\r\n'
        b'Content-Disposition: attachment; filename="m.eml"\r\n\r\n' + original + b"\r\n--b-1--\r\n"
    )
    rest, (taken,) = lightened(mime)
    assert (taken.name, taken.content_type, taken.content) == ("m.eml", "message/rfc822", original)
    assert message_from_bytes(rest, policy=policy.default).get_body().get_content().strip() == "hello"


@given(st.lists(st.binary(max_size=4000), min_size=1, max_size=5))
def test_whatever_is_taken_out_and_what_stays_are_together_the_mail(contents: list[bytes]) -> None:
    mime = mail(*contents)
    rest, taken = lightened(mime, 3000)
    kept = {part.get_filename(): part.get_content() for part in _files(rest)}
    assert kept | {one.name: one.content for one in taken} == {
        f"file {number}.bin": content for number, content in enumerate(contents)
    }
    assert len(rest) <= 3000
    assert unwrapped(rest).startswith(unwrapped(mime)[:100])


def _files(mime: bytes) -> list[EmailMessage]:
    return list(message_from_bytes(mime, policy=policy.default).iter_attachments())
