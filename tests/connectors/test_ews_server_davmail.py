"""The stand-in for Exchange Server through Debian's DavMail: another client, written by others in another language."""

from collections.abc import Iterator
from email import message_from_bytes

import pytest

from tests.connectors.ews_client import TEACHER, answer, mail, mail_id
from tests.servers.davmail import DavMail, davmail
from tests.servers.ews import PASSWORD, Box, ExchangeServer, running

pytestmark = pytest.mark.server("davmail")


@pytest.fixture(scope="module", params=["basic", "ntlm"])
def world(request: pytest.FixtureRequest) -> Iterator[tuple[ExchangeServer, DavMail, str]]:
    """A server that offers one way to sign in, a DavMail before it, and how the teacher calls themselves there."""
    user = TEACHER if request.param == "basic" else r"SCHOOL\rivera"
    with running(TEACHER, kinds=(request.param,)) as server, davmail(server.url) as gateway:
        yield server, gateway, user


@pytest.fixture
def box(world: tuple[ExchangeServer, DavMail, str]) -> Box:
    server = world[0]
    with server.lock:
        found = server.box(TEACHER)
        for item in list(found.mailbox.items.values()):
            found.mailbox.delete(item)
    return found


def test_davmail_lists_reads_and_marks_mail(world: tuple[ExchangeServer, DavMail, str], box: Box) -> None:
    _, gateway, user = world
    box.deliver(mail(1), mail(2, Subject="=?utf-8?q?Gr=C3=BC=C3=9Fe?="))
    with gateway.imap(user, PASSWORD) as client:
        assert {name for _, _, name in client.list_folders()} >= {"INBOX", "Sent", "Drafts", "Trash"}
        client.select_folder("INBOX")
        first, second = client.search()
        fetched = client.fetch([first, second], ["BODY.PEEK[]", "FLAGS"])
        assert [fetched[uid][b"BODY[]"] for uid in (first, second)] == box.messages()
        client.add_flags([first], [rb"\Seen", rb"\Flagged", b"urgent"])
        assert (box.is_read(mail_id(1)), box.is_flagged(mail_id(1))) == (True, True)
        assert box.categories_of(mail_id(1)) == {"urgent"}
        assert not box.is_read(mail_id(2))
        assert client.search(["HEADER", "Message-ID", f"<{mail_id(2)}>"]) == [second]
        client.move([second], "Trash")
        assert [message_from_bytes(mime)["Message-ID"] for mime in box.messages("deleteditems")] == [f"<{mail_id(2)}>"]


def test_davmail_sees_what_the_teacher_and_the_families_do(
    world: tuple[ExchangeServer, DavMail, str], box: Box
) -> None:
    _, gateway, user = world
    box.deliver(mail(1), mail(2))
    with gateway.imap(user, PASSWORD) as client:
        client.select_folder("INBOX")
        first, second = client.search()
        box.set_categories(mail_id(1), ["Family"])
        box.mark(mail_id(1), read=True)
        box.delete(mail_id(2))
        box.deliver(mail(3))
        client.select_folder("INBOX")
        (kept, new) = client.search()
        assert (kept, new > second) == (first, True)
        assert set(client.get_flags([first])[first]) >= {rb"\Seen", b"Family"}


def test_davmail_saves_drafts_and_sends_mail(world: tuple[ExchangeServer, DavMail, str], box: Box) -> None:
    _, gateway, user = world
    with gateway.imap(user, PASSWORD) as client:
        client.append("Drafts", answer(), [rb"\Draft"])
        assert [message_from_bytes(mime)["Message-ID"] for mime in box.drafts()] == ["<answer@school.example>"]
    before = len(box.departed)
    gateway.send(answer(Message_ID="<sent@school.example>"), user, PASSWORD, "mia@family.example")
    assert [message_from_bytes(mime)["Message-ID"] for mime in box.departed[before:]] == ["<sent@school.example>"]
    assert [message_from_bytes(mime)["Message-ID"] for mime in box.sent()] == ["<sent@school.example>"]


def test_davmail_is_not_let_in_with_a_wrong_password(world: tuple[ExchangeServer, DavMail, str]) -> None:
    _, gateway, user = world
    with (
        pytest.raises(Exception, match=r"(?i)invalid user or password|login failed"),
        gateway.imap(user, "wrong horse"),
    ):
        pass
