"""What Exchange demands of its connector beyond the contract: who may sign in, what is odd, what breaks."""

import base64
import logging
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from config.secrets import Secrets
from config.settings import Exchange, MailboxSettings, Office, School, Settings
from connectors import exchange_changes
from connectors.contract import Reader
from connectors.contract.mails import FAMILY, family_id, family_mail, reply, reply_id
from connectors.contract.reader import message_id_of
from connectors.errors import (
    AuthenticationFailed,
    ConnectFailed,
    FetchFailed,
    InsecureConnection,
    MailboxError,
    MessageGone,
    PermissionDenied,
    SendUncertain,
    TagFailed,
    Throttled,
)
from connectors.exchange import ExchangeMailbox
from connectors.exchange_errors import ExchangeOnline
from connectors.labels import Label
from connectors.mailbox import DraftState
from connectors.mime import parse_message
from connectors.registry import open_mailbox
from tests.connectors.exchange_world import ExchangeWorld
from tests.servers import ews, network
from tests.servers.certificates import Certificates, make_certificates
from tests.servers.network import Fate, Fault

ADDRESS = "rivera@school.example"
BOX = MailboxSettings(address=ADDRESS, teacher="Ms. Rivera", connector="exchange")


@pytest.fixture
def server() -> Iterator[ews.ExchangeServer]:
    with ews.running() as running:
        yield running


@pytest.fixture
def world(server: ews.ExchangeServer) -> Iterator[ExchangeWorld]:
    made = ExchangeWorld(server)
    yield made
    made.close()


def settings(**exchange: object) -> Settings:
    return Settings(
        school=School(name="Maple", timezone="America/Chicago"),
        office=Office(address="office@school.example", phone="555 0100"),
        mailboxes=(BOX,),
        exchange=Exchange(**exchange),  # type: ignore[arg-type]
    )


@contextmanager
def redirecting(certificates: Certificates, target: str) -> Iterator[tuple[str, list[str]]]:
    """An HTTPS server that sends everybody to `target`: its host and port, and the credentials it was given."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            asked.append(self.headers.get("Authorization", ""))
            self.send_response(302)
            self.send_header("Location", target)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificates.certificate, certificates.key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"localhost:{server.server_address[1]}", asked
    server.shutdown()
    server.server_close()


# Who is let in


@pytest.mark.parametrize("host", ["outlook.office365.com", "OUTLOOK.office.com", "eu.outlook.com"])
def test_an_exchange_online_address_says_that_ews_is_off_there_and_names_graph(host: str) -> None:
    secrets = Secrets.in_memory({f"password/{ADDRESS}": "x"})
    with pytest.raises(ExchangeOnline, match=r'2026-10-01.*connector = "graph".*microsoft-365\.md') as raised:
        open_mailbox(BOX, settings(endpoint=f"https://{host}/EWS/Exchange.asmx"), secrets)
    assert not raised.value.transient


def test_a_server_that_redirects_to_exchange_online_says_so_too(
    server: ews.ExchangeServer, world: ExchangeWorld
) -> None:
    away = (("Location", "https://outlook.office365.com/EWS/Exchange.asmx"),)
    server.order(ews.troubles.Status(302, away), times=None)
    with pytest.raises(ExchangeOnline):
        world.open().changes(None)


def test_without_a_password_nothing_is_tried_and_the_command_is_named(server: ews.ExchangeServer) -> None:
    given = settings(endpoint=server.url, allow_insecure=True)
    with pytest.raises(AuthenticationFailed, match=r"no password.*password/rivera@school\.example.*alliance connect"):
        open_mailbox(BOX, given, Secrets.in_memory())
    assert (server.requests, server.refused) == ([], 0)


@pytest.mark.parametrize("auth", ["ntlm", "basic"])
@pytest.mark.parametrize("own_user", [True, False], ids=["own user", "service account"])
def test_a_wrong_password_is_told_without_the_password(
    server: ews.ExchangeServer, auth: str, own_user: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    world = ExchangeWorld(server, auth=auth, own_user=own_user)  # type: ignore[arg-type]
    secret = "tulip-of-the-wrong-garden"
    world.secrets = Secrets.in_memory({"exchange/password": secret, f"password/{ADDRESS}": secret})
    with pytest.raises(AuthenticationFailed) as raised:
        world.open().check()
    told = str(raised.value) + caplog.text
    assert not isinstance(raised.value, PermissionDenied)
    assert secret not in told
    assert server.refused <= 3, "so often a wrong password is sent that the account gets locked"
    assert base64.b64encode(f"{ADDRESS}:{secret}".encode()).decode() not in told


@pytest.mark.parametrize(("ours", "theirs"), [("ntlm", "basic"), ("basic", "ntlm")])
def test_a_server_that_does_not_offer_our_way_of_signing_in_is_asked_some_times_and_then_believed(
    ours: str, theirs: str
) -> None:
    with ews.running(kinds=(theirs,)) as server:
        mailbox = ExchangeWorld(server, auth=ours).open()  # type: ignore[arg-type]
        errors = []
        for _ in range(3):
            with pytest.raises(MailboxError, match=f"(?i)offers {theirs}") as raised:
                mailbox.changes(None)
            errors.append(type(raised.value))
    assert errors[-1] is AuthenticationFailed
    assert AuthenticationFailed not in errors[:-1], "an offer that broke off on its way would park the mailbox"


def test_a_service_account_without_the_role_gets_the_command_that_gives_it(
    server: ews.ExchangeServer, world: ExchangeWorld
) -> None:
    server.service.impersonates = ()
    with pytest.raises(PermissionDenied) as raised:
        world.open().check()
    for words in ("New-ManagementRoleAssignment", "-Role ApplicationImpersonation", ews.SERVICE, ADDRESS):
        assert words in str(raised.value)


def test_a_mailbox_that_does_not_exist_is_named(server: ews.ExchangeServer) -> None:
    world = ExchangeWorld(server, "nobody@school.example")
    del server.mailboxes["nobody@school.example"]
    with pytest.raises(AuthenticationFailed, match=r"no mailbox nobody@school\.example"):
        world.open().changes(None)


def test_an_endpoint_without_tls_is_refused_unless_it_is_meant(
    server: ews.ExchangeServer, world: ExchangeWorld
) -> None:
    with pytest.raises(InsecureConnection):
        world.open(allow_insecure=False)
    assert server.requests == []


def test_each_mailbox_trusts_its_own_authority_and_no_other(tmp_path: Path) -> None:
    ours, theirs = make_certificates(tmp_path / "ours"), make_certificates(tmp_path / "theirs")
    with ews.running(certificates=ours) as server, ews.running(certificates=theirs) as other:
        one = ExchangeWorld(server, ca_file=ours.authority)
        two = ExchangeWorld(other, ca_file=theirs.authority)
        first, second = one.open(), two.open()
        assert first.changes(None).cursor
        assert second.changes(None).cursor
        for trusts in (theirs.authority, None):
            with pytest.raises(InsecureConnection, match="certificate of localhost"):
                one.open(ca_file=trusts).changes(None)
        assert first.changes(None).cursor, "another mailbox's authority got in the way"
        assert [mailbox.close() for mailbox in (first, second)] == [None, None]


def test_ntlm_is_bound_to_the_tls_connection_where_the_server_demands_it(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    with ews.running(kinds=("ntlm",), certificates=certificates, extended_protection=True) as server:
        world = ExchangeWorld(server, ca_file=certificates.authority)
        assert world.open().check()


def test_environment_variables_of_other_programs_do_not_change_what_is_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = make_certificates(tmp_path / "ours"), make_certificates(tmp_path / "theirs")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(theirs.authority))
    with ews.running(certificates=theirs) as server, pytest.raises(InsecureConnection):
        ExchangeWorld(server, ca_file=ours.authority).open().changes(None)


def test_autodiscover_finds_the_server_with_the_mailboxs_own_authority(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    with ews.running(certificates=certificates) as server:
        # The domain is where the stand-in listens: nothing else answers for a domain here.
        address = f"rivera@{server.url.split('/')[2]}"
        world = ExchangeWorld(server, address, ca_file=certificates.authority)
        facts = world.open(endpoint=None).check()
    assert any(server.url in fact for fact in facts)


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("https://outlook.office365.com/autodiscover/autodiscover.svc", ExchangeOnline),
        ("https://stranger.example/autodiscover/autodiscover.svc", ConnectFailed),
    ],
)
def test_autodiscover_takes_no_password_out_of_the_domain(
    tmp_path: Path, target: str, expected: type[MailboxError]
) -> None:
    certificates = make_certificates(tmp_path)
    with redirecting(certificates, target) as (host, asked), ews.running(certificates=certificates) as server:
        world = ExchangeWorld(server, f"rivera@{host}", ca_file=certificates.authority)
        with pytest.raises(expected, match=target.split("/")[2]):
            world.open(endpoint=None).changes(None)
    assert asked
    assert not any(asked), "a password went to a server that only redirects"


def test_basic_sends_its_password_only_where_it_is_asked_for(server: ews.ExchangeServer) -> None:
    world = ExchangeWorld(server, auth="basic")
    server.order(ews.unavailable(status=404), times=None)
    with pytest.raises(ConnectFailed):
        world.open().changes(None)
    server.behave()
    with ews.running(kinds=("ntlm",)) as other:
        with pytest.raises(MailboxError, match="offers NTLM"):
            world.open(endpoint=other.url).changes(None)
        assert not any(other.requests)


def test_an_address_without_autodiscover_asks_for_the_endpoint(server: ews.ExchangeServer) -> None:
    world = ExchangeWorld(server, "rivera@127.0.0.1:1")
    with pytest.raises(ConnectFailed, match="endpoint"):
        world.open(endpoint=None).changes(None)


def test_a_token_that_expires_in_the_middle_is_renewed_and_kept_in_the_vault(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    with ews.running(kinds=("bearer",), certificates=certificates) as server:
        world = ExchangeWorld(server, auth="oauth", ca_file=certificates.authority)
        reader = Reader(world.open())
        reader.sync()
        kept = world.secrets.get("exchange/cache")
        world.deliver(family_mail(1, ADDRESS))
        world.expire_token()
        assert [message_id_of(found.raw) for found in reader.sync()] == [family_id(1)]
        assert kept
        assert world.secrets.get("exchange/cache") not in {None, kept}


# A server that is busy


def test_the_pause_that_exchange_asks_for_is_kept(server: ews.ExchangeServer, world: ExchangeWorld) -> None:
    reader = Reader(world.open())
    reader.sync()
    world.deliver(family_mail(1, ADDRESS))
    server.order(ews.busy(5000), "SyncFolderItems")
    assert [message_id_of(found.raw) for found in reader.sync()] == [family_id(1)]
    assert world.slept == [5.0]


def test_a_pause_longer_than_a_call_may_take_is_left_to_the_runner(
    server: ews.ExchangeServer, world: ExchangeWorld
) -> None:
    server.order(ews.busy(300_000), times=None)
    with pytest.raises(Throttled) as raised:
        world.open().changes(None)
    assert (raised.value.retry_after, world.slept) == (300.0, [])


def test_sending_waits_for_no_busy_server_and_is_not_repeated(server: ews.ExchangeServer, world: ExchangeWorld) -> None:
    mailbox = world.open()
    draft = mailbox.save_draft(reply(1, ADDRESS))
    server.order(ews.busy(1000), "SendItem")
    with pytest.raises(Throttled):
        mailbox.send_draft(draft)
    assert (server.counts["SendItem"], world.slept) == (1, [])
    assert mailbox.draft_state(draft, reply_id(1)) is DraftState.DRAFT
    mailbox.send_draft(draft)
    assert len(world.departed()) == 1


def test_a_mailbox_on_the_move_to_another_database_is_tried_again(world: ExchangeWorld) -> None:
    world.box.trouble("ErrorMailboxMoveInProgress")
    with pytest.raises(ConnectFailed, match="being moved") as raised:
        world.open().changes(None)
    assert raised.value.transient
    world.box.trouble(None)
    assert world.open().changes(None).cursor


# Sending


@pytest.mark.parametrize("trouble", [ews.ACT_AND_CUT, ews.CUT, ews.CUT_IN_THE_MIDDLE], ids=lambda line: line.how)
def test_a_line_cut_while_sending_leaves_a_question_that_the_server_answers(
    server: ews.ExchangeServer, world: ExchangeWorld, trouble: ews.troubles.Line
) -> None:
    mailbox = world.open()
    draft = mailbox.save_draft(reply(1, ADDRESS))
    server.order(trouble, "SendItem")
    with pytest.raises(SendUncertain):
        mailbox.send_draft(draft)
    out = bool(world.departed())
    assert out is (trouble is not ews.CUT)
    assert world.open().draft_state(draft, reply_id(1)) is (DraftState.SENT if out else DraftState.DRAFT)
    world.open().send_draft(draft)
    assert [message_id_of(found) for found in world.departed()] == [reply_id(1)]
    assert server.counts["SendItem"] == (1 if out else 2)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_an_answer_from_something_in_between_leaves_the_same_question(
    server: ews.ExchangeServer, world: ExchangeWorld, status: int
) -> None:
    mailbox = world.open()
    draft = mailbox.save_draft(reply(1, ADDRESS))
    server.order(ews.unavailable(status=status), "SendItem")
    with pytest.raises(SendUncertain):
        mailbox.send_draft(draft)
    assert world.slept == []
    assert mailbox.draft_state(draft, reply_id(1)) is DraftState.DRAFT


def test_a_message_that_the_server_is_sending_is_not_sent_again(
    server: ews.ExchangeServer, world: ExchangeWorld
) -> None:
    mailbox = world.open()
    draft = mailbox.save_draft(reply(1, ADDRESS))
    server.slow_down()
    mailbox.send_draft(draft)
    with pytest.raises(MailboxError, match="sending it at this moment"):
        world.open().draft_state(draft, reply_id(1))
    with pytest.raises(SendUncertain):
        world.open().send_draft(draft)
    server.catch_up()
    assert world.open().draft_state(draft, reply_id(1)) is DraftState.SENT
    assert len(world.departed()) == 1


def test_a_draft_that_somebody_touches_meanwhile_is_sent_all_the_same(
    server: ews.ExchangeServer, world: ExchangeWorld
) -> None:
    mailbox = world.open()
    draft = mailbox.save_draft(reply(1, ADDRESS))
    server.order(ews.item_failing("ErrorStaleObject"), "SendItem")
    mailbox.send_draft(draft)
    assert (len(world.departed()), server.counts["SendItem"]) == (1, 2)


def test_what_was_sent_is_found_although_exchange_gave_it_another_message_id(
    server: ews.ExchangeServer, world: ExchangeWorld
) -> None:
    mailbox = world.open()
    draft = mailbox.save_draft(reply(1, ADDRESS))
    mailbox.send_draft(draft)
    (sent,) = world.box.folder("sentitems").messages
    sent.replace_mime(sent.mime.replace(reply_id(1).encode(), b"DB7PR03@mail.school.example"))
    assert world.open().draft_state("", reply_id(1)) is DraftState.SENT
    world.open().send_draft(draft)
    assert len(world.departed()) == 1


def test_a_draft_saved_before_the_line_broke_is_not_saved_twice(
    server: ews.ExchangeServer, world: ExchangeWorld
) -> None:
    server.order(ews.ACT_AND_CUT, "CreateItem")
    draft = world.open().save_draft(reply(1, ADDRESS))
    assert len(world.drafts()) == 1
    world.open().send_draft(draft)
    assert len(world.departed()) == 1


# Odd items


def test_a_message_that_exchange_cannot_convert_comes_with_its_headers_and_text(world: ExchangeWorld) -> None:
    reader = Reader(world.open())
    reader.sync()
    world.deliver(*(family_mail(n, ADDRESS, subject=f"Grüße אבא {n}", body="Schöne Grüße 🙂") for n in range(3)))
    world.box.unconvertible(family_id(1), "ErrorMimeContentConversionFailed")
    found = reader.sync()
    assert [message_id_of(message.raw) for message in found] == [family_id(n) for n in range(3)]
    for message in (found[1], reader.mailbox.fetch(found[1].id)):
        read = parse_message(message.raw, mailbox=ADDRESS, id=message.id, received_at=message.received_at)
        assert (read.subject, read.sender and read.sender.email) == ("Grüße אבא 1", FAMILY)
        assert "Schöne Grüße 🙂" in read.text
        assert not read.defects


def test_the_sender_of_such_a_message_within_the_school_gets_a_real_address(
    server: ews.ExchangeServer, world: ExchangeWorld
) -> None:
    colleague = server.person("Kim Lee", "lee@school.example")
    lines = (f"To: {ADDRESS}", "Subject: Lunch", "", "At noon?", "")
    for number in range(2):
        mime = "\r\n".join((f"Message-ID: <lunch-{number}@school.example>", *lines)).encode()
        world.deliver(mime)
        world.box.unconvertible(f"lunch-{number}@school.example")
        world.box.sender(f"lunch-{number}@school.example", colleague.name, colleague.ex)
    found = Reader(world.open()).sync()
    senders = {parse_message(m.raw, mailbox=ADDRESS, id=m.id, received_at=m.received_at).sender for m in found}
    assert [(sender.email, sender.name) for sender in senders if sender] == [("lee@school.example", "Kim Lee")]
    assert server.counts["ResolveNames"] == 1, "the directory is asked again for what it said"


INVITATION = "\r\n".join(
    (
        f"From: Mia Okafor <{FAMILY}>",
        f"To: {ADDRESS}",
        "Subject: Can we meet?",
        "Message-ID: <invitation@family.example>",
        "MIME-Version: 1.0",
        'Content-Type: text/calendar; charset=utf-8; method="REQUEST"',
        "",
        "BEGIN:VCALENDAR\r\nMETHOD:REQUEST\r\nEND:VCALENDAR",
        "",
    )
).encode()


@pytest.mark.parametrize("item_class", [None, "IPM.Post", "IPM.Contact", "IPM.Note.SMIME"])
@pytest.mark.parametrize("convertible", [True, False])
def test_what_is_no_plain_message_comes_and_takes_labels_like_any_other(
    world: ExchangeWorld, item_class: str | None, convertible: bool
) -> None:
    reader = Reader(world.open())
    reader.sync()
    world.deliver(INVITATION, family_mail(1, ADDRESS))
    if item_class is not None:
        world.box.item("invitation@family.example").item_class = item_class
    if not convertible:
        world.box.unconvertible("invitation@family.example")
    odd, good = reader.sync()
    assert message_id_of(good.raw) == family_id(1)
    assert b"Subject: Can we meet?" in odd.raw
    assert b"invitation@family.example" in reader.mailbox.fetch(odd.id).raw
    reader.tag(odd.id, frozenset({Label.ROUTINE}))
    assert world.marks("invitation@family.example").labels == {Label.ROUTINE}


def test_of_a_large_message_a_page_holds_the_text_and_the_names_of_what_is_attached(world: ExchangeWorld) -> None:
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"], mail["Subject"] = FAMILY, ADDRESS, "Pictures"
    mail["Message-ID"], mail["Auto-Submitted"] = "<pictures@family.example>", "auto-replied"
    mail.set_content("Here are the pictures.\n")
    picture = bytes(range(256)) * 12_000
    mail.add_attachment(picture, maintype="image", subtype="jpeg", filename="Klasse 3ä.jpg")
    reader = Reader(world.open())
    world.deliver(mail.as_bytes())
    (found,) = reader.sync()
    assert len(found.raw) < 64 * 1024 < found.size
    read = parse_message(found.raw, mailbox=ADDRESS, id=found.id, received_at=found.received_at, size=found.size)
    assert read.truncated
    assert "Here are the pictures." in read.text
    assert read.headers["Auto-Submitted"] == "auto-replied"
    assert [(one.filename, one.content_type) for one in read.attachments] == [("Klasse 3ä.jpg", "image/jpeg")]
    assert base64.b64encode(picture)[:60] in reader.mailbox.fetch(found.id).raw


def test_a_message_that_may_not_be_opened_is_no_lack_of_a_right_on_the_mailbox(
    server: ews.ExchangeServer, world: ExchangeWorld
) -> None:
    reader = Reader(world.open())
    reader.sync()
    world.deliver(family_mail(1, ADDRESS), family_mail(2, ADDRESS))
    sealed = world.box.item(family_id(1)).id
    server.order(ews.item_failing("ErrorAccessDenied", sealed), "GetItem", times=None)
    found = {message.id: message for message in reader.sync()}
    assert len(found) == 2
    assert (found[sealed].raw, found[sealed].size > 0) == (b"", True)
    with pytest.raises(FetchFailed):
        reader.mailbox.fetch(sealed)


def test_a_message_that_was_moved_is_gone_under_its_old_id(world: ExchangeWorld) -> None:
    reader = Reader(world.open())
    world.deliver(family_mail(1, ADDRESS), family_mail(2, ADDRESS))
    reader.sync()
    old = reader.id_of(family_id(1))
    world.move_away(family_id(1))
    for attempt in (reader.mailbox.fetch, lambda id_: reader.mailbox.tag(id_, frozenset())):
        with pytest.raises(MessageGone):
            attempt(old)
    assert reader.look().removed == (old,)


def test_old_mail_that_the_teacher_moves_in_is_recorded_and_not_acted_on(world: ExchangeWorld) -> None:
    reader = Reader(world.open())
    reader.sync()
    weeks_ago = datetime.now(UTC) - timedelta(days=20)
    world.box.deliver(family_mail(1, ADDRESS), received=weeks_ago)
    world.box.deliver(family_mail(2, ADDRESS), received=datetime.now(UTC) - timedelta(minutes=30))
    assert [(message_id_of(found.raw), found.backfill) for found in reader.sync()] == [
        (family_id(1), True),
        (family_id(2), False),
    ]


def test_a_line_that_breaks_over_many_messages_is_asked_for_fewer(
    server: ews.ExchangeServer, world: ExchangeWorld
) -> None:
    reader = Reader(world.open())
    reader.sync()
    world.deliver(*(family_mail(number, ADDRESS) for number in range(8)))
    server.order(ews.CUT, "GetItem", times=5)
    found = reader.sync()
    assert [message_id_of(message.raw) for message in found] == [family_id(number) for number in range(8)]


def test_a_line_that_breaks_over_every_message_is_the_lines_fault_and_sets_nothing_aside(
    server: ews.ExchangeServer, world: ExchangeWorld
) -> None:
    reader = Reader(world.open())
    reader.sync()
    world.deliver(*(family_mail(number, ADDRESS) for number in range(20)))
    server.order(ews.CUT, "GetItem", times=None)
    with pytest.raises(ConnectFailed):
        reader.look()
    server.behave()
    assert all(message.raw for message in reader.sync())


# Sync states


def test_labels_that_changed_while_a_sync_state_was_forgotten_are_told_and_nothing_is_read_again(
    server: ews.ExchangeServer, world: ExchangeWorld
) -> None:
    reader = Reader(world.open())
    world.deliver(*(family_mail(number, ADDRESS) for number in range(20)))
    reader.sync()
    world.teacher_labels(family_id(3), frozenset({Label.CONFLICT}))
    world.break_cursor()
    server.requests.clear()
    pages = reader.pages()
    assert pages[0].resync
    assert [message for page in pages for message in page.messages] == []
    assert reader.labels_of(family_id(3)) == {Label.CONFLICT}
    assert server.counts["GetItem"] == 0
    assert reader.sync() == []


@pytest.fixture
def small_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the mailbox were a thousand times as large."""
    monkeypatch.setattr(exchange_changes, "_MOST", 3)
    monkeypatch.setattr(exchange_changes, "_LISTED_AT_ONCE", 2)


@pytest.mark.usefixtures("small_answers")
def test_a_very_large_folder_is_listed_over_several_pages_and_nothing_is_lost_or_doubled(world: ExchangeWorld) -> None:
    world.deliver(*(family_mail(number, ADDRESS) for number in range(20)))
    reader = Reader(world.open())
    first = reader.look()
    assert (first.messages, first.more) == ((), True)
    reader.commit(first)
    world.deliver(family_mail(100, ADDRESS))
    reader = reader.restarted(world.open())
    found = reader.sync()
    assert sorted(message_id_of(message.raw) for message in found) == sorted(family_id(n) for n in (*range(20), 100))
    world.deliver(*(family_mail(number, ADDRESS) for number in range(200, 211)))
    world.teacher_labels(family_id(5), frozenset({Label.URGENT}))
    world.delete(family_id(6))
    gone = reader.id_of(family_id(6))
    pages = reader.pages(limit=4)
    told = [message_id_of(message.raw) for page in pages for message in page.messages]
    assert sorted(told) == [family_id(number) for number in range(200, 211)]
    assert reader.labels_of(family_id(5)) == {Label.URGENT}
    assert [id_ for page in pages for id_ in page.removed] == [gone]
    assert reader.sync() == []


def test_messages_that_go_between_being_listed_and_being_read_hold_up_none_of_the_others(
    server: ews.ExchangeServer,
) -> None:
    with network.running() as line:
        world = ExchangeWorld(server, network=line)
        reader = Reader(world.open())
        reader.sync()
        world.deliver(*(family_mail(number, ADDRESS) for number in range(9)))
        asked: list[int] = []

        def three_go(_: object) -> Fate:
            asked.append(1)
            if len(asked) == 3:  # both folders were listed
                for number in range(3):
                    world.delete(family_id(number))
            return Fate()

        line.weather = three_go
        found = [message_id_of(message.raw) for message in reader.sync(limit=3)]
        world.close()
    assert found == [family_id(number) for number in range(3, 9)]


def test_who_keeps_no_record_is_told_everything_once_all_the_same(world: ExchangeWorld) -> None:
    mailbox = world.open()
    cursor = mailbox.changes(None).cursor
    world.deliver(*(family_mail(number, ADDRESS) for number in range(7)))
    told: list[str] = []
    more = True
    while more:
        page = mailbox.changes(cursor, limit=3)
        told += [message_id_of(message.raw) for message in page.messages]
        cursor, more = page.cursor, page.more
    assert told == [family_id(number) for number in range(7)]


@pytest.mark.parametrize("part", [0.6, 0.75, 0.9, 0.99])
def test_an_answer_whose_end_lacks_loses_nothing(server: ews.ExchangeServer, part: float) -> None:
    with network.running() as line:
        world = ExchangeWorld(server, network=line)
        reader = Reader(world.open())
        reader.sync()
        world.deliver(*(family_mail(number, ADDRESS) for number in range(5)))
        # A look asks for the news of Sent, then for those of the Inbox: its sync state stands in front of its changes.
        fates = iter([Fate(), Fate(Fault.TRUNCATE, part=part)])
        line.weather = lambda _: next(fates, Fate())
        found = reader.sync()
        world.close()
    assert [message_id_of(message.raw) for message in found] == [family_id(number) for number in range(5)]
    assert [fate.fault for _, fate in line.happened] == [Fault.TRUNCATE]


def test_old_mail_of_one_second_is_read_completely_while_some_of_it_is_deleted(world: ExchangeWorld) -> None:
    world.box.deliver(
        *(family_mail(number, ADDRESS) for number in range(30)), received=datetime(2026, 3, 2, tzinfo=UTC)
    )
    reader = Reader(world.open())
    found: list[str] = []
    more, deleted = True, iter((29, 28, 3, 12, 11))
    while more:
        page = reader.look(limit=4)
        reader.commit(page)
        found += [message_id_of(message.raw) for message in page.messages]
        more = page.more
        if (number := next(deleted, None)) is not None:
            world.delete(family_id(number))
    missing = {family_id(number) for number in range(30)} - set(found)
    assert missing <= {family_id(number) for number in (3, 12, 11)}
    assert len(found) == len(set(found))


# Labels


def test_a_category_list_with_our_colours_is_made_once(server: ews.ExchangeServer, world: ExchangeWorld) -> None:
    reader = Reader(world.open())
    world.deliver(family_mail(1, ADDRESS))
    reader.sync()
    for labels in (frozenset({Label.URGENT}), frozenset({Label.ROUTINE})):
        reader.tag(reader.id_of(family_id(1)), labels)
    again = Reader(world.open())
    again.mailbox.tag(reader.id_of(family_id(1)), frozenset({Label.CHECK}))
    (held,) = world.box.mailbox.configurations.values()
    document = (held.xml_data or b"").decode()
    for name in ("Alliance/Urgent", "Alliance/Conflict", "Alliance/Routine", "Alliance/Please check"):
        assert document.count(f'name="{name}"') == 1
    assert server.counts["CreateUserConfiguration"] + server.counts["UpdateUserConfiguration"] == 1


def test_a_category_list_that_may_not_be_written_keeps_no_label_from_a_message(
    server: ews.ExchangeServer, world: ExchangeWorld
) -> None:
    server.order(ews.item_failing("ErrorAccessDenied"), "GetUserConfiguration", times=None)
    reader = Reader(world.open())
    world.deliver(family_mail(1, ADDRESS))
    reader.sync()
    for labels in (frozenset({Label.URGENT}), frozenset({Label.ROUTINE, Label.CHECK})):
        reader.tag(reader.id_of(family_id(1)), labels)
        assert world.marks(family_id(1)).labels == labels
    assert server.counts["GetUserConfiguration"] == 1


def test_a_teacher_who_changes_a_message_at_the_same_time_loses_nothing(server: ews.ExchangeServer) -> None:
    with network.running() as line:
        world = ExchangeWorld(server, network=line)
        reader = Reader(world.open())
        world.deliver(family_mail(1, ADDRESS))
        reader.sync()
        reader.tag(reader.id_of(family_id(1)), frozenset({Label.ROUTINE}))
        asked: list[int] = []

        def teacher_is_quicker(_: object) -> Fate:
            asked.append(1)
            if len(asked) == 2:  # the categories were read, and are about to be written
                world.box.set_categories(family_id(1), ["Field trip", "alliance/ROUTINE"])
            return Fate()

        line.weather = teacher_is_quicker
        reader.tag(reader.id_of(family_id(1)), frozenset({Label.URGENT}))
        world.close()
    assert world.box.categories_of(family_id(1)) == {"Field trip", "Alliance/Urgent"}


def test_a_message_that_is_changed_all_the_time_is_tagged_later(
    server: ews.ExchangeServer, world: ExchangeWorld
) -> None:
    reader = Reader(world.open())
    world.deliver(family_mail(1, ADDRESS))
    reader.sync()
    server.order(ews.item_failing("ErrorIrresolvableConflict"), "UpdateItem", times=None)
    with pytest.raises(TagFailed) as raised:
        reader.mailbox.tag(reader.id_of(family_id(1)), frozenset({Label.URGENT}))
    assert raised.value.transient


def test_many_labels_cost_two_requests(server: ews.ExchangeServer, world: ExchangeWorld) -> None:
    reader = Reader(world.open())
    world.deliver(*(family_mail(number, ADDRESS) for number in range(60)))
    reader.sync()
    reader.tag(reader.id_of(family_id(0)), frozenset({Label.URGENT}))
    server.requests.clear()
    failed = reader.mailbox.tag_many({id_: frozenset({Label.ROUTINE}) for id_ in reader.recorded})
    assert failed == {}
    assert [asked.operation for asked in server.requests] == ["GetItem", "UpdateItem"]
    assert all(world.marks(family_id(number)).labels == {Label.ROUTINE} for number in range(60))


# Notifications


def test_a_poll_without_news_costs_two_small_requests(server: ews.ExchangeServer, world: ExchangeWorld) -> None:
    reader = Reader(world.open())
    world.deliver(family_mail(1, ADDRESS))
    reader.sync()
    server.requests.clear()
    reader.sync()
    assert [asked.operation for asked in server.requests] == ["SyncFolderItems", "SyncFolderItems"]


def test_waiting_again_uses_the_stream_that_is_open_and_misses_nothing_in_between(
    server: ews.ExchangeServer, world: ExchangeWorld
) -> None:
    reader = Reader(world.open())
    reader.sync()
    assert reader.mailbox.wait(0.05) is False
    world.deliver(family_mail(1, ADDRESS))
    assert reader.mailbox.wait(30) is True
    reader.sync()
    assert server.counts["Subscribe"] == 1


def test_news_come_over_tls_too_also_while_nobody_waits(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    with ews.running(certificates=certificates) as server:
        world = ExchangeWorld(server, ca_file=certificates.authority)
        reader = Reader(world.open())
        reader.sync()
        assert reader.mailbox.wait(0.05) is False
        for number in range(30):  # more than one TLS record, and more than is read ahead
            world.deliver(family_mail(number, ADDRESS))
            world.box.mark(family_id(number), read=True)
        assert reader.mailbox.wait(30) is True
        assert len(reader.sync()) == 30
        assert server.counts["Subscribe"] == 1
        world.close()


@pytest.mark.parametrize("ending", ["end_streams", "forget_subscriptions", "hang_up"])
def test_a_stream_that_ends_is_opened_again(server: ews.ExchangeServer, world: ExchangeWorld, ending: str) -> None:
    reader = Reader(world.open())
    reader.sync()
    reader.mailbox.wait(0.05)
    server.wait_for_stream()
    getattr(server, ending)()
    assert reader.mailbox.wait(0.3) is False
    world.deliver(family_mail(1, ADDRESS))
    assert reader.mailbox.wait(30) is True
    assert server.counts["Subscribe"] == 2


def test_a_server_that_opens_no_stream_is_polled(server: ews.ExchangeServer, world: ExchangeWorld) -> None:
    server.order(ews.item_failing("ErrorSubscriptionAccessDenied"), "Subscribe", times=None)
    mailbox = world.open()
    assert [mailbox.wait(30), mailbox.wait(30)] == [False, False]
    assert server.counts["Subscribe"] == 2, "a server that refuses is asked again and again"
    assert any("polled" in fact for fact in mailbox.check())


def test_closing_leaves_no_subscription_on_the_server(server: ews.ExchangeServer, world: ExchangeWorld) -> None:
    mailbox = world.open()
    mailbox.wait(0.05)
    mailbox.close()
    assert server.counts["Unsubscribe"] == 1


# Privacy


def test_neither_text_nor_password_gets_into_a_log(
    server: ews.ExchangeServer, world: ExchangeWorld, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    mailbox: ExchangeMailbox = world.open()
    server.order(ews.CUT, "CreateItem", times=None)
    with pytest.raises(MailboxError) as raised:
        mailbox.save_draft(reply(1, ADDRESS))
    words = caplog.text + str(raised.value)
    for secret in ("answers message", base64.b64encode(b"Dear Mia")[:10].decode(), ews.PASSWORD):
        assert secret not in words
