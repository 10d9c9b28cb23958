"""Sending from a Maildir: crashes at each step, into a folder and over SMTP."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from config.secrets import Secrets
from config.settings import MailboxSettings, MaildirFolder, Office, School, Settings
from connectors.contract.mails import FAMILY, reply, reply_id
from connectors.contract.reader import message_id_of
from connectors.contract.sending import SendingContract
from connectors.errors import DraftFailed, SendFailed, SendRejected, SendUncertain
from connectors.mailbox import DraftState
from connectors.maildir import MaildirMailbox
from connectors.maildir.folder import Folder
from tests.connectors.maildir_world import ADDRESS, MaildirWorld, files_in, make_maildir
from tests.servers import smtp_sink
from tests.servers.smtp_sink import SmtpSink


class Crash(BaseException):
    """The process ends here, as far as the connector can tell."""


def crash(*_: object) -> None:
    raise Crash


@pytest.fixture
def world(tmp_path: Path) -> MaildirWorld:
    return MaildirWorld(tmp_path)


def picked_up(world: MaildirWorld) -> list[str]:
    """The local mail system takes what lies in the outgoing Maildir's new, as it does at any moment."""
    found = []
    for path in list((world.outgoing / "new").iterdir()):
        found.append(message_id_of(path.read_bytes()))
        path.unlink()
    return found


@pytest.mark.parametrize(
    ("step", "state"),
    [
        ("stage", DraftState.DRAFT),
        ("move", DraftState.DRAFT),
        ("unstage", DraftState.SENT),
    ],
)
def test_a_crash_before_each_step_of_sending_is_told_and_the_mail_leaves_once(
    world: MaildirWorld, step: str, state: DraftState
) -> None:
    draft = world.open().save_draft(reply(1, ADDRESS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Folder, step, crash)
        with pytest.raises(Crash):
            world.open().send_draft(draft)
    left = picked_up(world)
    after_crash = world.open()
    assert after_crash.draft_state(draft, reply_id(1)) is state
    left += picked_up(world)
    after_crash.send_draft(draft)
    left += picked_up(world)
    world.open().send_draft(draft)
    left += picked_up(world)
    assert left == [reply_id(1)]
    assert [message_id_of(raw) for raw in world.sent()] == [reply_id(1)]
    assert world.drafts() == []
    assert list((world.outgoing / "tmp").iterdir()) == []


def test_a_crash_after_the_last_step_sends_nothing_again(world: MaildirWorld) -> None:
    draft = world.open().save_draft(reply(1, ADDRESS))
    world.open().send_draft(draft)
    assert picked_up(world) == [reply_id(1)]
    after_crash = world.open()
    assert after_crash.draft_state("", reply_id(1)) is DraftState.SENT
    after_crash.send_draft(draft)
    assert picked_up(world) == []


def test_a_crash_while_saving_leaves_no_draft_that_could_be_sent_in_half(world: MaildirWorld) -> None:
    mailbox = world.open()
    mailbox.save_draft(reply(2, ADDRESS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Folder, "unstage", crash)
        with pytest.raises(Crash):
            mailbox.save_draft(reply(1, ADDRESS))
    assert world.open().draft_state("", reply_id(1)) is DraftState.GONE
    assert len(world.drafts()) == 1


def test_a_draft_discarded_after_a_crash_leaves_nothing_staged(world: MaildirWorld) -> None:
    draft = world.open().save_draft(reply(1, ADDRESS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Folder, "move", crash)
        with pytest.raises(Crash):
            world.open().send_draft(draft)
    world.open().discard_draft(draft)
    assert (world.drafts(), world.departed()) == ([], [])
    assert list((world.outgoing / "tmp").iterdir()) == []


def test_many_instances_that_send_the_same_mail_at_once_send_it_once(world: MaildirWorld) -> None:
    draft = world.open().save_draft(reply(1, ADDRESS))
    barrier = threading.Barrier(4)

    def send(_: int) -> None:
        mailbox = world.open()
        barrier.wait(30)
        mailbox.send_draft(draft)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(send, range(4)))
    assert [message_id_of(raw) for raw in world.departed()] == [reply_id(1)]
    assert [message_id_of(raw) for raw in world.sent()] == [reply_id(1)]


def test_many_instances_that_save_the_same_mail_at_once_save_it_once(world: MaildirWorld) -> None:
    barrier = threading.Barrier(4)

    def save(_: int) -> str:
        mailbox = world.open()
        barrier.wait(30)
        return mailbox.save_draft(reply(1, ADDRESS))

    with ThreadPoolExecutor(4) as threads:
        assert len(set(threads.map(save, range(4)))) == 1
    assert len(world.drafts()) == 1


def test_a_drafts_folder_that_is_a_link_out_of_the_mailbox_is_refused(world: MaildirWorld, tmp_path: Path) -> None:
    make_maildir(tmp_path / "elsewhere")
    (world.root / ".Drafts").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DraftFailed, match="symbolic link"):
        world.open().save_draft(reply(1, ADDRESS))
    assert files_in(tmp_path / "elsewhere") == []


def test_a_draft_that_the_teacher_deletes_is_gone(world: MaildirWorld) -> None:
    mailbox = world.open()
    draft = mailbox.save_draft(reply(1, ADDRESS))
    for path in files_in(world.root / ".Drafts"):
        path.unlink()
    assert mailbox.draft_state(draft, reply_id(1)) is DraftState.GONE


def test_without_an_outgoing_folder_sending_fails_and_the_draft_stays(world: MaildirWorld) -> None:
    mailbox = world.open()
    draft = mailbox.save_draft(reply(1, ADDRESS))
    for name in ("new", "cur", "tmp"):
        (world.outgoing / name).rmdir()
    with pytest.raises(SendFailed, match="outgoing"):
        mailbox.send_draft(draft)
    assert mailbox.draft_state(draft, reply_id(1)) is DraftState.DRAFT
    make_maildir(world.outgoing)
    mailbox.send_draft(draft)
    assert picked_up(world) == [reply_id(1)]


def test_without_any_way_to_send_it_is_said_and_the_draft_stays(world: MaildirWorld) -> None:
    mailbox = MaildirMailbox(ADDRESS, Folder(world.root))
    draft = mailbox.save_draft(reply(1, ADDRESS))
    with pytest.raises(SendFailed, match=r"\[smtp\].*outgoing"):
        mailbox.send_draft(draft)
    assert any("Nothing can be sent" in fact for fact in mailbox.check())
    assert mailbox.draft_state(draft, reply_id(1)) is DraftState.DRAFT


class SmtpWorld(MaildirWorld):
    """A Maildir whose mail leaves over SMTP."""

    def __init__(self, folder: Path, sink: SmtpSink) -> None:
        super().__init__(folder)
        self.sink = sink

    def open(self) -> MaildirMailbox:
        box = MailboxSettings(
            address=ADDRESS,
            teacher="Ms. Rivera",
            connector="maildir",
            maildir=MaildirFolder(path=self.root),
            smtp=self.sink.settings(),
        )
        settings = Settings(
            school=School(name="Maple", timezone="America/Chicago"),
            office=Office(address="office@maple.example", phone="555 0100"),
            mailboxes=(box,),
        )
        return MaildirMailbox.open(box, settings, Secrets.in_memory())

    def departed(self) -> list[bytes]:
        return [message.content for message in self.sink.arrived]


@pytest.fixture(scope="module")
def sink() -> Iterator[SmtpSink]:
    with smtp_sink.running() as sink:
        yield sink


class TestOverSmtp(SendingContract):
    """The sending part of the contract, and what SMTP adds to it."""

    @pytest.fixture
    def harness(self, tmp_path: Path, sink: SmtpSink) -> SmtpWorld:
        sink.arrived.clear()
        sink.behave()
        return SmtpWorld(tmp_path, sink)

    def test_it_says_that_it_cannot_tell_for_certain(self, harness: SmtpWorld) -> None:
        assert not harness.open().atomic_send

    def test_the_family_gets_it(self, harness: SmtpWorld) -> None:
        mailbox = harness.open()
        mailbox.send_draft(mailbox.save_draft(reply(1, ADDRESS)))
        assert [message.recipients for message in harness.sink.arrived] == [(FAMILY,)]

    @pytest.mark.parametrize(
        ("answer", "error"), [("451 4.3.0 later", SendFailed), ("550 5.7.1 no", SendRejected), ("close", SendUncertain)]
    )
    def test_what_the_server_does_not_take_stays_a_draft(
        self, harness: SmtpWorld, answer: str, error: type[Exception]
    ) -> None:
        harness.sink.say("end", answer)
        mailbox = harness.open()
        draft = mailbox.save_draft(reply(1, ADDRESS))
        with pytest.raises(error):
            mailbox.send_draft(draft)
        assert harness.open().draft_state(draft, reply_id(1)) is DraftState.DRAFT
        assert harness.sent() == []

    def test_a_message_that_is_out_but_cannot_be_moved_to_sent_is_uncertain(self, harness: SmtpWorld) -> None:
        mailbox = harness.open()
        draft = mailbox.save_draft(reply(1, ADDRESS))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Folder, "move", _full_disk)
            with pytest.raises(SendUncertain, match="is out"):
                mailbox.send_draft(draft)
        assert len(harness.departed()) == 1


def _full_disk(*_: object) -> None:
    raise OSError(28, "No space left on device")
