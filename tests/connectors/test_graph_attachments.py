"""Mail that is too large for one request to Microsoft Graph reaches the office all the same."""

from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract.reader import message_id_of, unwrapped
from connectors.errors import DraftFailed, InsecureConnection
from connectors.graph_attachments import LARGEST_REQUEST, lightened
from connectors.mailbox import DraftState
from tests.connectors.graph_world import GraphWorld
from tests.servers.graph import attachments as serving
from tests.servers.graph import running
from tests.servers.graph.wire import Answer

ID = "route-1@school.example"
PHOTO = bytes(range(256)) * 14_000
PIECE = "PUT /upload/{key}"


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


def files(mime: bytes) -> dict[str | None, bytes]:
    """The attachments of a mail, by name."""
    parts = message_from_bytes(mime, policy=policy.default).iter_attachments()
    return {part.get_filename(): part.get_content() for part in parts}


@pytest.fixture
def world() -> Iterator[GraphWorld]:
    with running() as server:
        server.upload_sessions = True
        world = GraphWorld(server)
        yield world
        world.close()


def test_a_mail_with_a_large_file_leaves_whole(world: GraphWorld) -> None:
    mailbox = world.open()
    draft = mailbox.save_draft(mail(b"small", PHOTO))
    assert world.server.count("PUT", "/upload/{key}") == 2
    assert world.open().save_draft(mail(b"small", PHOTO)) == draft
    mailbox.send_draft(draft)
    assert mailbox.draft_state(draft, ID) is DraftState.SENT
    (out,) = world.departed()
    assert files(out) == {"file 0.bin": b"small", "file 1.bin": PHOTO}
    sent = message_from_bytes(out, policy=policy.default)
    assert (sent["Message-ID"], sent["Auto-Submitted"]) == (f"<{ID}>", "auto-generated")
    assert "Please look at once." in sent.get_body().get_content()
    assert world.drafts() == []


def test_files_that_are_only_together_too_large_come_whole(world: GraphWorld) -> None:
    first, second = b"a" * 1_500_000, b"b" * 1_400_000
    world.open().save_draft(mail(first, second))
    assert world.server.count("PUT") == 0
    assert [files(kept) for kept in world.drafts()] == [{"file 0.bin": first, "file 1.bin": second}]


@pytest.mark.parametrize("after", [False, True], ids=["before it was done", "after it was done"])
@pytest.mark.parametrize("trouble", [{"status": 503}, {"status": 504}, {"cut": 0}], ids=str)
def test_an_upload_that_stumbles_goes_on(world: GraphWorld, trouble: dict[str, int], after: bool) -> None:
    world.server.fail(on=PIECE, after=after, **trouble)
    world.open().save_draft(mail(PHOTO))
    assert [files(kept) for kept in world.drafts()] == [{"file 0.bin": PHOTO}]


@pytest.mark.parametrize("status", [400, 416])
def test_a_draft_that_was_left_without_its_files_is_never_sent(world: GraphWorld, status: int) -> None:
    world.server.fail(status, on=PIECE)
    with pytest.raises(DraftFailed, match="attachment is refused"):
        world.open().save_draft(mail(PHOTO))
    assert [message_id_of(kept) for kept in world.drafts()] == [f"unfinished.{ID}"]
    assert world.open().draft_state("", ID) is DraftState.GONE
    world.open().save_draft(mail(PHOTO))
    assert [(message_id_of(kept), files(kept)) for kept in world.drafts()] == [(ID, {"file 0.bin": PHOTO})]


def test_a_cloud_without_upload_sessions_says_that_it_cannot(world: GraphWorld) -> None:
    world.server.upload_sessions = False
    with pytest.raises(DraftFailed, match="refused"):
        world.open().save_draft(mail(PHOTO))
    world.server.violations.clear()


def test_files_are_brought_nowhere_without_tls(world: GraphWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    evil = Answer(201, {"uploadUrl": "http://outlook.evil.example/x", "nextExpectedRanges": ["0-"]})
    monkeypatch.setattr(serving, "create_session", lambda *given: evil)
    with pytest.raises(InsecureConnection):
        world.open().save_draft(mail(PHOTO))


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
    assert files(rest) | {one.name: one.content for one in taken} == {
        f"file {number}.bin": content for number, content in enumerate(contents)
    }
    assert len(rest) <= 3000
    assert unwrapped(rest).startswith(unwrapped(mime)[:100])
