"""What lies in a Maildir besides mail, what happens to it meanwhile, and what the disk and its rights do."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from config.secrets import Secrets
from config.settings import MailboxSettings, MaildirFolder, Office, School, Settings
from connectors.contract import Reader
from connectors.contract.mails import family_id, family_mail, reply, reply_id
from connectors.contract.reader import message_id_of
from connectors.errors import (
    ChangesFailed,
    ConnectFailed,
    DraftFailed,
    FetchFailed,
    MailboxError,
    MessageGone,
    TagFailed,
)
from connectors.labels import KEYWORDS, Label
from connectors.mailbox import Direction
from connectors.maildir import MaildirMailbox
from connectors.maildir.folder import Folder
from connectors.maildir.locks import dovecot_lock
from tests.connectors.maildir_world import ADDRESS, MaildirWorld, files_in, flags_of, make_maildir

URGENT = frozenset({Label.URGENT})


@pytest.fixture
def world(tmp_path: Path) -> MaildirWorld:
    return MaildirWorld(tmp_path)


def connected(world: MaildirWorld) -> Reader:
    reader = Reader(world.open())
    reader.sync()
    return reader


def told(reader: Reader) -> list[str]:
    return [message_id_of(message.raw) for message in reader.sync()]


class TestWhatIsNoMessage:
    """Other things in new and cur are left alone, and hold nothing up."""

    def test_a_pipe_a_folder_a_link_and_a_hidden_file_are_left_alone(self, world: MaildirWorld) -> None:
        secret = world.root.parent / "secret"
        secret.write_bytes(family_mail(9, ADDRESS))
        new = world.root / "new"
        os.mkfifo(new / "pipe")
        (new / "folder").mkdir()
        (new / "link").symlink_to(secret)
        (new / "dangling").symlink_to(world.root / "nowhere")
        (new / ".hidden").write_bytes(b"x")
        world.deliver(family_mail(1, ADDRESS))
        reader = connected(world)
        assert list(reader.message_ids.values()) == [family_id(1)]
        for name in ("pipe", "folder", "link", "dangling", ".hidden"):
            with pytest.raises(MessageGone):
                reader.mailbox.fetch(name)
            with pytest.raises(MessageGone):
                reader.mailbox.tag(name, URGENT)
        assert len(list(new.iterdir())) == 6

    def test_a_message_that_is_replaced_by_a_link_or_a_pipe_meanwhile_is_not_followed(
        self, world: MaildirWorld
    ) -> None:
        secret = world.root.parent / "secret"
        secret.write_bytes(b"Subject: secret\n\n")
        world.deliver(family_mail(1, ADDRESS), family_mail(2, ADDRESS), family_mail(3, ADDRESS))
        reader = connected(world)
        first, second = world.path_of(family_id(1)), world.path_of(family_id(2))
        for path in (first, second):
            path.unlink()
        first.symlink_to(secret)
        os.mkfifo(second)
        for number in (1, 2):
            with pytest.raises((FetchFailed, MessageGone)):
                reader.mailbox.fetch(reader.id_of(family_id(number)))
        assert told(reader) == []

    @pytest.mark.parametrize("part", ["cur", ".Sent", ".Sent/cur"])
    def test_a_folder_that_is_a_link_out_of_the_mailbox_is_refused(self, world: MaildirWorld, part: str) -> None:
        make_maildir(world.root / ".Sent")
        elsewhere = world.root.parent / "elsewhere"
        make_maildir(elsewhere)
        shutil.rmtree(world.root / part)
        (world.root / part).symlink_to(elsewhere)
        with pytest.raises(ChangesFailed, match="symbolic link"):
            world.open().changes(None)

    def test_names_with_odd_bytes_are_read_and_labelled_like_any_other(self, world: MaildirWorld) -> None:
        names = [b"\xff\xfe.odd", b"1.sp ace.h", b"2.new\nline", b"3.100%25", "4.ümläut".encode(), b"5.\xed\xb2\x80"]
        for number, name in enumerate(names):
            (world.root / "new" / os.fsdecode(name)).write_bytes(family_mail(number, ADDRESS))
        reader = connected(world)
        assert len(set(reader.recorded)) == len(names)
        for id_ in list(reader.recorded):
            assert id_.encode("ascii").decode("ascii").isprintable()
            reader.tag(id_, URGENT)
            assert reader.mailbox.fetch(id_).labels == URGENT
        assert told(reader) == []
        assert {os.fsencode(path.name).partition(b":")[0] for path in files_in(world.root)} == set(names)


class TestWhatHappensMeanwhile:
    """The store is asked between listing and reading: the moment in which other programs act in these tests."""

    def _page_while(self, reader: Reader, happens: Callable[[], object], limit: int = 200) -> list[str]:
        def known(ids: Sequence[str]) -> Mapping[str, frozenset[Label]]:
            happens()
            return reader.known(ids)

        page = reader.mailbox.changes(reader.cursor, known, limit=limit)
        reader.commit(page)
        return [message_id_of(message.raw) for message in page.messages]

    def test_mail_that_a_mail_program_moves_and_flags_is_read_all_the_same(self, world: MaildirWorld) -> None:
        reader = connected(world)
        world.deliver(*(family_mail(number, ADDRESS) for number in range(5)))

        def open_folder() -> None:
            for path in (world.root / "new").iterdir():
                path.rename(world.root / "cur" / f"{path.name}:2,S")

        assert self._page_while(reader, open_folder) == [family_id(number) for number in range(5)]
        assert told(reader) == []

    def test_mail_that_is_deleted_is_passed_over(self, world: MaildirWorld) -> None:
        reader = connected(world)
        world.deliver(*(family_mail(number, ADDRESS) for number in range(3)))
        found = self._page_while(reader, lambda: world.path_of(family_id(1)).unlink(missing_ok=True))
        assert found == [family_id(0), family_id(2)]
        assert told(reader) == []

    def test_mail_that_arrives_within_the_same_tick_of_the_clock_is_not_missed(self, world: MaildirWorld) -> None:
        reader = connected(world)
        world.deliver(family_mail(0, ADDRESS))
        before = (world.root / "new").stat()
        assert told(reader) == [family_id(0)]
        world.deliver(family_mail(1, ADDRESS))
        os.utime(world.root / "new", ns=(before.st_atime_ns, before.st_mtime_ns))
        assert told(reader) == [family_id(1)]

    def test_a_mailbox_at_rest_is_not_listed_again_even_after_a_restart(self, world: MaildirWorld) -> None:
        world.deliver(family_mail(0, ADDRESS))
        reader = connected(world)
        world.settle()
        reader.sync()
        with listings() as listed:
            reader.sync()
            reader = reader.restarted(world.open())
            reader.sync()
        assert listed == []
        world.deliver(family_mail(1, ADDRESS))
        assert told(reader) == [family_id(1)]

    def test_old_mail_is_listed_once_however_many_pages_it_fills(self, world: MaildirWorld) -> None:
        world.deliver(*(family_mail(number, ADDRESS) for number in range(20)))
        world.settle()
        reader = Reader(world.open())
        with listings() as listed:
            assert len(reader.sync(limit=2)) == 20
        assert len(listed) == 2, "new and cur, once each"

    def test_sizes_and_numbers_that_other_programs_add_to_names_make_no_new_mail(self, world: MaildirWorld) -> None:
        world.deliver(family_mail(0, ADDRESS))
        reader = connected(world)
        path = world.path_of(family_id(0))
        path.rename(world.root / "cur" / f"{path.name},S=300,W=310,U=7:2,S")
        assert told(reader) == []
        reader.tag(reader.id_of(family_id(0)), URGENT)
        assert world.marks(family_id(0)).labels == URGENT
        assert ",S=300,W=310,U=7:2," in world.path_of(family_id(0)).name

    def test_a_deleted_message_is_told_as_removed_once_the_folder_is_calm(self, world: MaildirWorld) -> None:
        world.deliver(family_mail(0, ADDRESS), family_mail(1, ADDRESS))
        reader = connected(world)
        gone = reader.id_of(family_id(0))
        world.delete(family_id(0))
        world.settle()
        removed = [id_ for page in reader.pages() for id_ in page.removed]
        assert removed == [gone]
        assert reader.look().removed == ()

    def test_somebody_elses_cursor_makes_an_instance_ask_the_store_again(self, world: MaildirWorld) -> None:
        one, two = connected(world), Reader(world.open())
        world.deliver(family_mail(0, ADDRESS), family_mail(1, ADDRESS))
        one.look()
        two.cursor, two.recorded, two.message_ids = one.cursor, one.recorded, one.message_ids
        two.commit(two.look(limit=1))
        one.cursor = two.cursor
        assert told(one) == [family_id(1)]

    def test_old_mail_dated_in_the_future_does_not_make_new_mail_old(self, world: MaildirWorld) -> None:
        world.deliver(family_mail(0, ADDRESS))
        tomorrow = datetime.now(UTC) + timedelta(days=1)
        os.utime(world.path_of(family_id(0)), (tomorrow.timestamp(), tomorrow.timestamp()))
        reader = connected(world)
        world.deliver(family_mail(1, ADDRESS))
        (found,) = reader.sync()
        assert not found.backfill

    def test_an_archive_filed_into_the_inbox_later_is_old_mail(self, world: MaildirWorld) -> None:
        reader = connected(world)
        world.deliver(family_mail(0, ADDRESS))
        last_year = datetime.now(UTC) - timedelta(days=365)
        os.utime(world.path_of(family_id(0)), (last_year.timestamp(), last_year.timestamp()))
        (found,) = reader.sync()
        assert found.backfill
        assert abs(found.received_at - last_year) < timedelta(seconds=1)

    def test_the_time_of_arrival_stays_when_the_message_is_flagged_and_labelled(self, world: MaildirWorld) -> None:
        world.deliver(family_mail(0, ADDRESS))
        reader = Reader(world.open())
        (found,) = reader.sync()
        world.teacher_marks(family_id(0))
        reader.tag(found.id, URGENT)
        assert reader.mailbox.fetch(found.id).received_at == found.received_at

    def test_sent_mail_can_be_fetched_and_has_letters_of_its_own_folder(self, world: MaildirWorld) -> None:
        make_maildir(world.root / ".Sent")
        (world.root / ".Sent" / "dovecot-keywords").write_text("0 $Forwarded\n")
        (world.root / "dovecot-keywords").write_text("0 AllianceGoodNews\n")
        world.teacher_sends(reply(1, ADDRESS))
        reader = Reader(world.open())
        (found,) = reader.sync()
        assert reader.mailbox.fetch(found.id).direction is Direction.SENT
        reader.tag(found.id, frozenset({Label.GOOD_NEWS}))
        lines = (world.root / ".Sent" / "dovecot-keywords").read_text().splitlines()
        assert lines[0] == "0 $Forwarded"
        (number,) = [line.split()[0] for line in lines if line.endswith(" AllianceGoodNews")]
        letter = "abcdefghijklmnopqrstuvwxyz"[int(number)]
        assert flags_of(world.path_of(reply_id(1))) == f"S{letter}" != "Sa"
        assert (world.root / "dovecot-keywords").read_text() == "0 AllianceGoodNews\n"


class TestLetters:
    """Labels as letters in file names, beside those of other programs."""

    def test_other_keywords_keep_their_letters(self, world: MaildirWorld) -> None:
        (world.root / "dovecot-keywords").write_text("0 $Junk\n3 Travel\n")
        world.deliver(family_mail(0, ADDRESS))
        reader = connected(world)
        reader.tag(reader.id_of(family_id(0)), URGENT)
        lines = (world.root / "dovecot-keywords").read_text().splitlines()
        assert {"0 $Junk", "3 Travel"} < set(lines)
        assert sorted(line.partition(" ")[2] for line in lines) == sorted({"$Junk", "Travel", *KEYWORDS.values()})

    def test_a_letter_that_stands_in_names_without_a_meaning_is_not_taken(self, world: MaildirWorld) -> None:
        world.deliver(family_mail(0, ADDRESS), family_mail(1, ADDRESS))
        first = world.path_of(family_id(0))
        first.rename(world.root / "cur" / f"{first.name}:2,Sab")
        reader = connected(world)
        reader.tag(reader.id_of(family_id(1)), frozenset(Label))
        assert world.marks(family_id(0)).labels == frozenset()
        assert flags_of(world.path_of(family_id(0))) == "Sab"

    def test_a_change_of_the_letters_file_is_noticed_by_its_time_in_seconds(self, world: MaildirWorld) -> None:
        path = world.root / "dovecot-keywords"
        path.write_text("0 Travel\n")
        later = int(path.stat().st_mtime) + 100
        os.utime(path, (later, later))
        world.deliver(family_mail(0, ADDRESS))
        reader = connected(world)
        reader.tag(reader.id_of(family_id(0)), URGENT)
        assert int(path.stat().st_mtime) > later

    def test_where_every_letter_is_taken_it_is_said_and_nothing_is_touched(self, world: MaildirWorld) -> None:
        lines = "".join(f"{number} Keyword{number}\n" for number in range(26))
        (world.root / "dovecot-keywords").write_text(lines)
        world.deliver(family_mail(0, ADDRESS))
        reader = connected(world)
        with pytest.raises(TagFailed, match="All 26 keyword letters"):
            reader.mailbox.tag(reader.id_of(family_id(0)), URGENT)
        assert (world.root / "dovecot-keywords").read_text() == lines
        assert flags_of(world.path_of(family_id(0))) == ""
        assert not (world.root / "dovecot-uidlist.lock").exists()

    @pytest.mark.parametrize(
        "lines",
        [
            b"\xff\xfe\x00 nonsense\n\n 1 x\n-1 AllianceUrgent\n99 AllianceUrgent\n1\n2 \n",
            "٣ AllianceUrgent\n".encode(),
            b"0 allianceurgent\n1 AllianceUrgent\n",
        ],
    )
    def test_a_damaged_letters_file_is_read_as_far_as_it_makes_sense(self, world: MaildirWorld, lines: bytes) -> None:
        (world.root / "dovecot-keywords").write_bytes(lines)
        world.deliver(family_mail(0, ADDRESS))
        reader = connected(world)
        for labels in (URGENT, frozenset({Label.CHECK, Label.ROUTINE}), frozenset[Label]()):
            reader.tag(reader.id_of(family_id(0)), labels)
            assert reader.mailbox.fetch(reader.id_of(family_id(0))).labels == labels

    def test_every_rename_in_cur_happens_under_dovecots_lock(self, world: MaildirWorld) -> None:
        world.deliver(family_mail(0, ADDRESS))
        reader = connected(world)
        draft = reader.mailbox.save_draft(reply(1, ADDRESS))
        locked = []

        def note(arguments: tuple[object, ...]) -> None:
            source = Path(str(arguments[0]))
            if source.is_relative_to(world.root) and source.parent.name != "tmp":
                folder = source.parent if source.name == "dovecot-keywords.alliance" else source.parent.parent
                locked.append((folder / "dovecot-uidlist.lock").exists())

        with audited(["os.rename"], note):
            reader.tag(reader.id_of(family_id(0)), URGENT)
            reader.mailbox.send_draft(draft)
        assert locked == [True, True, True], "the letters file, the label, the draft"

    def test_a_lock_whose_holder_is_dead_is_taken_over(
        self, world: MaildirWorld, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("connectors.maildir.locks._YOUNG_SECONDS", -60.0)  # instead of waiting
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        path = world.root / "dovecot-uidlist.lock"
        path.write_text(f"{ended.pid}:{os.uname().nodename}")
        world.deliver(family_mail(0, ADDRESS))
        reader = connected(world)
        reader.tag(reader.id_of(family_id(0)), URGENT)
        assert not path.exists()

    def test_a_lock_whose_holder_lives_is_respected(self, world: MaildirWorld) -> None:
        path = world.root / "dovecot-uidlist.lock"
        with (
            dovecot_lock(world.root),
            pytest.raises(TimeoutError, match="holds the lock"),
            dovecot_lock(world.root, patience_seconds=0.01),
        ):
            pass
        assert not path.exists()


class TestDiskAndRights:
    """Errors say what, where and what to do; nothing half-written stays."""

    def test_a_mailbox_that_is_not_there_is_told(self, tmp_path: Path) -> None:
        mailbox = MaildirMailbox(ADDRESS, Folder(tmp_path / "nowhere"))
        with pytest.raises(ConnectFailed, match=r"nowhere.*does not exist.*path"):
            mailbox.check()
        with pytest.raises(ChangesFailed, match=r"nowhere.*does not exist"):
            mailbox.changes(None)

    @pytest.mark.parametrize("part", ["", "new", "cur"])
    def test_a_folder_that_vanishes_is_told_and_its_return_is_noticed(self, world: MaildirWorld, part: str) -> None:
        world.deliver(family_mail(0, ADDRESS))
        reader = connected(world)
        away = world.root.parent / "away"
        (world.root / part).rename(away)
        for operation in (
            reader.look,
            reader.mailbox.check,
            lambda: reader.mailbox.tag("1.2.other", URGENT),
            lambda: reader.mailbox.fetch("1.2.other"),
        ):
            with pytest.raises(MailboxError):
                operation()
        away.rename(world.root / part)
        world.deliver(family_mail(1, ADDRESS))
        assert told(reader) == [family_id(1)]

    def test_settings_without_a_maildir_are_told(self) -> None:
        settings = Settings(
            school=School(name="Maple", timezone="America/Chicago"),
            office=Office(address="office@maple.example", phone="555 0100"),
            mailboxes=(MailboxSettings(address=ADDRESS, teacher="Ms. Rivera", connector="maildir"),),
        )
        with pytest.raises(ConnectFailed, match=r"rivera@maple.example.*no \[mailboxes.maildir\]"):
            MaildirMailbox.open(settings.mailboxes[0], settings, None)

    def test_settings_with_an_outgoing_folder_make_sending_certain(self, world: MaildirWorld) -> None:
        box = MailboxSettings(
            address=ADDRESS,
            teacher="Ms. Rivera",
            connector="maildir",
            maildir=MaildirFolder(path=world.root, outgoing=world.outgoing),
        )
        settings = Settings(
            school=School(name="Maple", timezone="America/Chicago"),
            office=Office(address="office@maple.example", phone="555 0100"),
            mailboxes=(box,),
        )
        mailbox = MaildirMailbox.open(box, settings, Secrets.in_memory())
        assert mailbox.atomic_send
        mailbox.send_draft(mailbox.save_draft(reply(1, ADDRESS)))
        assert [message_id_of(raw) for raw in world.departed()] == [reply_id(1)]

    def test_what_we_write_has_the_rights_of_the_folder_it_is_in(self, world: MaildirWorld) -> None:
        world.root.chmod(0o2750)
        world.open().save_draft(reply(1, ADDRESS))
        (draft,) = files_in(world.root / ".Drafts")
        assert stat.S_IMODE(draft.stat().st_mode) == 0o640
        assert stat.S_IMODE((world.root / ".Drafts" / "cur").stat().st_mode) == 0o750

    def test_without_the_right_to_read_a_message_the_others_come_and_it_comes_later(self) -> None:
        with as_nobody() as folder:
            world = MaildirWorld(folder)
            world.deliver(family_mail(0, ADDRESS), family_mail(1, ADDRESS))
            forbidden = world.path_of(family_id(0))
            forbidden.chmod(0)
            world.settle()
            reader = Reader(world.open())
            assert told(reader) == [family_id(1)]
            assert told(reader) == []
            forbidden.chmod(0o600)
            assert told(reader) == [family_id(0)]

    def test_without_the_right_to_write_labelling_and_drafts_say_so(self) -> None:
        with as_nobody() as folder:
            world = MaildirWorld(folder)
            world.deliver(family_mail(0, ADDRESS))
            reader = connected(world)
            for path in (world.root, world.root / "cur"):
                path.chmod(0o500)
            try:
                with pytest.raises(TagFailed, match=r"may not use .*Maildir.*user who owns"):
                    reader.mailbox.tag(reader.id_of(family_id(0)), URGENT)
                with pytest.raises(DraftFailed, match="may not use"):
                    reader.mailbox.save_draft(reply(1, ADDRESS))
                with pytest.raises(ConnectFailed, match="may not use"):
                    reader.mailbox.check()
            finally:
                for path in (world.root, world.root / "cur"):
                    path.chmod(0o700)

    def test_without_the_right_to_list_the_mailbox_reading_says_so(self) -> None:
        with as_nobody() as folder:
            world = MaildirWorld(folder)
            (world.root / "cur").chmod(0)
            with pytest.raises(ChangesFailed, match="may not use"):
                world.open().changes(None)
            (world.root / "cur").chmod(0o700)

    def test_a_full_disk_fails_a_draft_and_leaves_nothing_half_written(self) -> None:
        with small_disk() as folder:
            world = MaildirWorld(folder)
            big = reply(1, ADDRESS) + b"x" * 200_000
            mailbox = world.open()
            mailbox.save_draft(reply(2, ADDRESS))
            with pytest.raises(DraftFailed, match="no space is left"):
                mailbox.save_draft(big)
            assert [message_id_of(raw) for raw in world.drafts()] == [reply_id(2)]
            assert list((world.root / ".Drafts" / "tmp").iterdir()) == []


@contextmanager
def audited(events: Sequence[str], note: Callable[[tuple[object, ...]], object]) -> Iterator[None]:
    """Calls `note` with what the interpreter itself reports of `events`."""
    active = True

    def audit(event: str, arguments: tuple[object, ...]) -> None:
        if active and event in events:
            note(arguments)

    sys.addaudithook(audit)
    try:
        yield
    finally:
        active = False


@contextmanager
def listings() -> Iterator[list[object]]:
    """The folders that are listed meanwhile."""
    found: list[object] = []
    with audited(("os.scandir", "os.listdir"), lambda arguments: found.append(arguments[0])):
        yield found


@contextmanager
def as_nobody() -> Iterator[Path]:
    """A folder, and a user without root's right to everything."""
    folder = Path(tempfile.mkdtemp(prefix="maildir-"))
    root = os.geteuid() == 0
    if root:
        os.chown(folder, 65534, 65534)
        os.setegid(65534)
        os.seteuid(65534)
    try:
        yield folder
    finally:
        if root:
            os.seteuid(0)
            os.setegid(0)
        shutil.rmtree(folder)


@contextmanager
def small_disk() -> Iterator[Path]:
    """A file system of 128 KiB. Needs the right to mount."""
    folder = Path(tempfile.mkdtemp(prefix="small-"))
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        folder.rmdir()
        pytest.skip("a small file system can only be mounted by root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()
