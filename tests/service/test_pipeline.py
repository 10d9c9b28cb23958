"""What is read, judged and planned, whatever arrives, whoever else reads, and whatever the record looks like."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from email.policy import SMTP
from pathlib import Path
from pkgutil import resolve_name

import pytest

from config.settings import Stage
from connectors.errors import ConnectFailed, FetchFailed, MessageGone
from connectors.labels import Label, Tag
from connectors.mailbox import Direction
from store.database import Database
from store.tables import DeliveryKind, DeliveryState
from tests.service.maple import ANA, BO, OKAFOR, RIVERA, Maple, letter

ROUTE, REPLY, TAG = DeliveryKind.ROUTE, DeliveryKind.REPLY, DeliveryKind.TAG
PRIVATE = "Leo wets his bed"


@pytest.fixture
def maple() -> Maple:
    return connected()


def connected(**given: object) -> Maple:
    maple = Maple(**({"teachers": (RIVERA,)} | given))  # type: ignore[arg-type]
    maple.round()
    maple.clock.forward(minutes=15)
    return maple


def in_file(path: Path, **given: object) -> Maple:
    """A school whose record is a file, as several workers need it."""
    return connected(database=Database.open(str(path)), **given)


class TestHostileMail:
    """One message never stops a mailbox: it is set aside, visibly, and read again on request."""

    @pytest.mark.parametrize(
        "part",
        [
            "service.pipeline.parse_message",
            "service.pipeline.fingerprint",
            "service.pipeline.make_plan",
            "service.entries.reply_message_id",
        ],
    )
    def test_a_message_that_any_part_chokes_on_is_set_aside_and_the_others_are_not(
        self, maple: Maple, part: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        genuine: Callable[..., object] = resolve_name(part)

        def chokes(first: object, *rest: object, **named: object) -> object:
            subject = first if isinstance(first, bytes) else first.subject.encode()  # type: ignore[attr-defined]
            if b"poison" in subject:
                raise ValueError(f"a part that quotes the family: {PRIVATE}")
            return genuine(first, *rest, **named)

        monkeypatch.setattr(part, chokes)
        poison = maple.write("poison", body=PRIVATE)
        urgent = maple.write("urgent bus", BO)
        maple.rounds(2)
        assert maple.labels(poison) == {Label.CHECK}
        assert maple.labels(urgent) == {Label.URGENT}
        assert maple.routed() == ["poison", "urgent bus"]
        assert maple.answers() == []
        aside = maple.assembly().pages.set_aside()
        assert {record.sender for record in aside if record.direction is Direction.RECEIVED} <= {ANA, None}
        assert PRIVATE not in str([record.set_aside for record in aside])

    def test_a_message_that_the_model_chokes_on_is_set_aside_and_the_page_is_judged(self, maple: Maple) -> None:
        poison = maple.write("choke", body=PRIVATE)
        urgent = maple.write("urgent bus", BO)
        maple.rounds(2)
        assert maple.labels(poison) == {Label.CHECK}
        assert maple.labels(urgent) == {Label.URGENT}
        assert PRIVATE not in str([record.set_aside for record in maple.records()])

    def test_a_long_message_that_always_breaks_the_connection_is_set_aside_in_the_end(self, maple: Maple) -> None:
        long = maple.write("routine", body="word " * 40_000)
        urgent = maple.write("urgent bus", BO)
        maple.system.fail("fetch", ConnectFailed("the server hung up"), times=3)
        pipeline = maple.assembly().pipeline
        for _ in range(3):
            with suppress(ConnectFailed):
                list(pipeline.sweep(maple.box(), maple.mailbox()))
        maple.deliver()
        assert maple.labels(long) == {Label.CHECK}
        assert maple.labels(urgent) == {Label.URGENT}

    @pytest.mark.parametrize("header", ["Message_ID", "From", "Subject", "References", "In_Reply_To", "Date"])
    @pytest.mark.parametrize(
        "value",
        [
            "=?utf-8?b?7aC9?= <x@y>",
            "<" + "é" * 900 + "@family.example>",
            "\x00\x01",
            "=?x?q?=ff?=",
            "<>",
            "@",
            "<" * 999,
        ],
    )
    def test_a_header_of_any_kind_is_recorded_or_set_aside(self, maple: Maple, header: str, value: str) -> None:
        raw = f"{header.replace('_', '-')}: {value}\r\nTo: {RIVERA}\r\n\r\nHello\r\n"
        maple.system.deliver(raw.encode("utf-8", "surrogatepass"), RIVERA)
        urgent = maple.write("urgent bus", BO)
        maple.rounds(2)
        assert maple.labels(urgent) == {Label.URGENT}
        assert len(maple.records()) - len(maple.system.departed) == 2

    def test_two_thousand_messages_of_one_sender_are_all_labelled_and_answered_once(self, tmp_path: Path) -> None:
        maple = in_file(tmp_path / "a.db")
        flood = [maple.write(f"routine {number}") for number in range(2000)]
        maple.round()
        assert all(maple.labels(message) == {Label.ROUTINE} for message in (flood[0], flood[999], flood[-1]))
        assert maple.states(TAG) == [DeliveryState.DONE] * 2000
        assert len(maple.answers()) == 1

    def test_a_message_id_that_another_sender_used_before_hides_nothing(self, maple: Maple) -> None:
        first = maple.write("routine", ANA)
        maple.round()
        maple.write("urgent bus", BO, Message_ID=f"<{first}>")
        maple.rounds(2)
        assert maple.routed() == ["urgent bus"]
        assert len(maple.answers(ANA)) == len(maple.answers(BO)) == 1

    def test_a_message_id_that_comes_with_other_content_is_another_message(self, maple: Maple) -> None:
        first = maple.write("routine", ANA)
        maple.round()
        maple.clock.forward(minutes=1)
        maple.write("urgent bus", ANA, body="Other words.", Message_ID=f"<{first}>")
        maple.rounds(2)
        assert maple.routed() == ["urgent bus"]

    def test_messages_without_a_message_id_are_told_apart_and_answered(self, maple: Maple) -> None:
        maple.write("urgent bus", ANA, Message_ID=None)
        maple.write("urgent field trip", BO, Message_ID=None)
        maple.rounds(2)
        assert maple.routed() == ["urgent bus", "urgent field trip"]
        assert len(maple.answers(ANA)) == len(maple.answers(BO)) == 1

    def test_a_server_that_tells_one_message_twice_in_a_page_stops_nothing(
        self, maple: Maple, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        urgent = maple.write("urgent bus")
        mailbox = maple.mailbox()
        changes = mailbox.changes

        def twice(*given: object, **named: object) -> object:
            page = changes(*given, **named)  # type: ignore[arg-type]
            return type(page)(page.cursor, page.messages * 2, page.labels, page.removed, page.more, page.resync)

        monkeypatch.setattr(mailbox, "changes", twice)
        list(maple.assembly().pipeline.sweep(maple.box(), mailbox))
        maple.deliver()
        assert maple.labels(urgent) == {Label.URGENT}
        assert maple.routed() == ["urgent bus"]


class TestSetAside:
    """What could not be read is labelled "please check" and can be read again."""

    def reread(self, maple: Maple) -> None:
        assembly = maple.assembly()
        assembly.pipeline.reread(maple.box(), maple.mailbox(), assembly.pages.set_aside())

    def aside(self, maple: Maple, subject: str = "urgent bus") -> str:
        """A message that the server could not hand over at first."""
        message = maple.write(subject, body="word " * 40_000)
        maple.system.fail("fetch", FetchFailed("not now"))
        maple.rounds(1, minutes=1)
        assert maple.labels(message) == {Label.CHECK}
        return message

    def test_once_it_can_be_read_it_is_treated_as_any_message(self, maple: Maple) -> None:
        message = self.aside(maple)
        self.reread(maple)
        maple.rounds(2)
        assert maple.labels(message) == {Label.URGENT}
        assert maple.routed() == ["urgent bus"]
        assert len(maple.answers()) == 1
        assert maple.assembly().pages.set_aside() == []

    def test_our_own_check_mark_is_not_taken_for_the_teachers_correction(self, maple: Maple) -> None:
        message = self.aside(maple)
        self.reread(maple)
        account = maple.system.account(RIVERA)
        account.history.append(("labels", maple.system.id_of(account, message)))  # the server tells the marks once more
        maple.rounds(2)
        assert maple.routed() == ["urgent bus"]
        assert maple.labels(message) == {Label.URGENT}

    def test_a_tag_that_the_teacher_gave_meanwhile_is_obeyed(self, maple: Maple) -> None:
        message = self.aside(maple)
        maple.relabel(message, Label.ROUTINE)
        maple.round()
        self.reread(maple)
        maple.rounds(2)
        assert maple.labels(message) == {Label.ROUTINE}
        assert maple.routed() == ["urgent bus"]  # while nobody knew what it says

    def test_one_that_is_gone_does_not_keep_the_others(self, maple: Maple) -> None:
        gone = self.aside(maple)
        other = self.aside(maple, "urgent other")
        maple.delete(gone)
        self.reread(maple)
        maple.rounds(2)
        assert maple.routed() == ["urgent bus", "urgent other"]
        assert maple.labels(other) == {Label.URGENT}
        assert maple.assembly().pages.set_aside() == []

    def test_one_that_still_cannot_be_read_stays_set_aside_and_does_not_keep_the_others(self, maple: Maple) -> None:
        self.aside(maple)
        other = self.aside(maple, "urgent other")
        maple.system.fail("fetch", FetchFailed("still not"))
        self.reread(maple)
        maple.rounds(2)
        assert len(maple.assembly().pages.set_aside()) == 1
        assert maple.labels(other) == {Label.URGENT}

    def test_a_service_that_reads_the_mailbox_meanwhile_is_no_hindrance(self, maple: Maple) -> None:
        self.aside(maple)
        maple.write("routine", BO)
        interrupted = False

        def meanwhile(_mailbox: str, step: str) -> None:
            nonlocal interrupted
            if step == "fetch" and not interrupted:
                interrupted = True
                maple.sweep()

        maple.system.hooks.append(meanwhile)
        self.reread(maple)
        maple.rounds(2)
        assert maple.routed() == ["urgent bus"]
        assert len(maple.answers(BO)) == 1


class TestTwoWorkers:
    """Two workers on one mailbox, in any order, are as good as one."""

    def test_a_page_read_ahead_is_dropped_where_another_worker_went_on_from_it(self, tmp_path: Path) -> None:
        maple = in_file(tmp_path / "a.db", settings={"batch": 2})
        for number in range(4):
            maple.write("routine", f"family{number}@family.example")
        slow = maple.assembly().pipeline.sweep(maple.box(), maple.mailbox())
        next(slow)  # and has the second page in hand
        late = maple.write("urgent bus")
        maple.sweep()
        maple.relabel(late, Label.CONFLICT)
        maple.sweep()
        cursor = maple.assembly().pages.connect(RIVERA, maple.clock()).cursor
        list(slow)
        assert maple.assembly().pages.connect(RIVERA, maple.clock()).cursor == cursor
        assert len(maple.records()) == 5

    def test_two_workers_in_turn_answer_and_route_once(self, tmp_path: Path) -> None:
        maple = in_file(tmp_path / "a.db", settings={"batch": 3})
        for number in range(5):
            maple.write(f"urgent bus {number}")
        first = maple.assembly().pipeline.sweep(maple.box(), maple.mailbox())
        second = maple.assembly().pipeline.sweep(maple.box(), maple.mailbox())
        next(first)
        list(second)
        list(first)
        maple.rounds(2)
        assert len(maple.answers()) == 1
        assert len(maple.routed()) == 5


class TestTheTeachersWord:
    """A correction is recorded, obeyed, and nothing of ours is mistaken for one."""

    def test_a_correction_before_our_label_is_written_stands(self, maple: Maple) -> None:
        message = maple.write("urgent bus")
        maple.sweep()
        maple.relabel(message, Label.ROUTINE)
        maple.rounds(3)
        assert maple.labels(message) == {Label.ROUTINE}
        assert maple.routed() == []
        assert maple.answers() == []
        assert [record.tag for record in maple.records()] == [Tag.ROUTINE]

    def test_a_correction_after_it_is_recorded_with_both_tags(self, maple: Maple) -> None:
        message = maple.write("conflict about grades")
        maple.round()
        maple.relabel(message, Label.ROUTINE)
        maple.rounds(2)
        with maple.database.read() as connection:
            rows = connection.exec_driver_sql("SELECT from_tag, to_tag FROM correction").all()
        assert rows == [("conflict", "routine")]

    def test_a_message_that_carries_a_tag_when_it_is_first_seen_keeps_it(self, maple: Maple) -> None:
        """The teacher was faster, or an older record was restored over a newer one."""
        message = maple.write("urgent bus")
        maple.relabel(message, Label.ROUTINE)
        maple.rounds(3)
        assert maple.labels(message) == {Label.ROUTINE}
        assert maple.routed() == []
        assert [record.tag for record in maple.records()] == [Tag.ROUTINE]

    def test_new_ids_for_old_messages_are_no_corrections(self, maple: Maple) -> None:
        """Nor are labels that a server lost with its numbers, or cannot show (a star stands for them)."""
        message = maple.write("urgent bus")
        maple.sweep()
        account = maple.system.account(RIVERA)
        maple.system.renumber(account)
        maple.rounds(1)
        maple.system.label(account, maple.system.id_of(account, message), frozenset())
        account.history.clear()
        account.history.append(("inbox", maple.system.id_of(account, message)))
        account.epoch += 1
        maple.rounds(2)
        with maple.database.read() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM correction").scalar() == 0
        assert maple.routed() == ["urgent bus"]

    def test_a_message_that_comes_back_is_there_again(self, maple: Maple) -> None:
        message = maple.write("routine")
        account = maple.system.account(RIVERA)
        maple.rounds(1)
        id_ = maple.system.id_of(account, message)
        stored = account.inbox[id_]
        maple.system.remove(account, id_)
        maple.sweep()
        assert maple.records()[0].removed_at is not None
        account.inbox[id_] = stored
        account.history.append(("inbox", id_))
        maple.sweep()
        assert maple.records()[0].removed_at is None


class TestOwnMail:
    """What this service sent is told from what the teacher wrote, also where a server gave it another Message-ID."""

    @pytest.mark.parametrize(("mark", "answered"), [("route", 1), ("reply", 0), ("draft", 0), (None, 0)])
    def test_own_mail_under_another_id_is_no_word_of_the_teachers(
        self, maple: Maple, mark: str | None, answered: int
    ) -> None:
        """A reply of ours counts as the answer that it is; what the teacher made of a draft is the teacher's."""
        message = maple.write("routine question")
        sent = letter(900, "Re: routine question", RIVERA, [ANA], "Noted.", maple.clock(), {"X-Alliance-Inbox": mark})
        sent["In-Reply-To"] = sent["References"] = f"<{message}>"
        maple.system.put(maple.system.account(RIVERA), "sent", sent.as_bytes(policy=SMTP))
        maple.rounds(2)
        assert len(maple.answers()) == answered
        own = [record.own for record in maple.records() if record.rfc_message_id == "letter-900@maple.example"]
        assert own == [mark in {"route", "reply"}]

    def test_nobody_is_believed_who_writes_our_mark_on_their_mail(self, maple: Maple) -> None:
        maple.write("urgent bus", X_Alliance_Inbox="route")
        maple.round()
        assert [record.own for record in maple.records()] == [False]


class TestRenumbering:
    """A resync recognises what is on record."""

    def test_nobody_is_answered_and_nothing_routed_again(self, maple: Maple) -> None:
        for number in range(5):
            maple.write("urgent bus", f"family{number}@family.example")
        maple.rounds(2)
        for _ in range(3):
            maple.system.renumber(maple.system.account(RIVERA))
            maple.rounds(1)
        assert len(maple.routed()) == 5
        assert len(maple.system.departed) == 10
        assert len(maple.records()) == 15

    def test_a_new_message_under_an_old_message_id_is_not_mistaken_for_the_old_one(self, maple: Maple) -> None:
        first = maple.write("routine", ANA)
        maple.rounds(1)
        maple.write("urgent bus", BO, Message_ID=f"<{first}>")
        maple.system.renumber(maple.system.account(RIVERA))
        maple.rounds(3)
        assert maple.routed() == ["urgent bus"]


class TestRestoredRecord:
    """A backup of the database is older than the mailbox: Sent tells who was answered."""

    def restored(self, path: Path, happened: Callable[[Maple], None], *, atomic: bool) -> Maple:
        """A school whose record was taken back to before `happened`."""
        maple = in_file(path / "a.db", atomic_send=atomic)
        with sqlite3.connect(path / "a.db") as source, sqlite3.connect(path / "backup.db") as backup:
            source.backup(backup)
        happened(maple)
        maple.database.close()
        for name in ("a.db", "a.db-wal", "a.db-shm"):
            (path / name).unlink(missing_ok=True)
        (path / "backup.db").rename(path / "a.db")
        maple.database = Database.open(str(path / "a.db"))
        return maple

    @pytest.mark.parametrize("atomic", [True, False])
    def test_nobody_is_answered_and_nothing_routed_a_second_time(self, tmp_path: Path, atomic: bool) -> None:
        def happened(maple: Maple) -> None:
            maple.write("urgent bus")
            maple.write("routine", BO)
            maple.rounds(2)

        maple = self.restored(tmp_path, happened, atomic=atomic)
        maple.rounds(3)
        assert maple.routed() == ["urgent bus"]
        assert len(maple.answers(ANA)) == len(maple.answers(BO)) == 1

    def test_a_family_that_was_answered_is_not_answered_again_for_its_next_letter(self, tmp_path: Path) -> None:
        def happened(maple: Maple) -> None:
            first = maple.write("routine")
            maple.rounds(2)
            maple.delete(first)

        maple = self.restored(tmp_path, happened, atomic=False)
        maple.write("another routine letter")
        maple.rounds(3)
        assert len(maple.answers()) == 1

    def test_even_an_empty_record_knows_from_sent_whom_it_answered(self, tmp_path: Path) -> None:
        maple = in_file(tmp_path / "a.db")
        maple.write("routine")
        maple.rounds(2)
        maple.database = Database.open(str(tmp_path / "new.db"))
        account = maple.system.account(RIVERA)
        account.history.sort(key=lambda entry: entry[0] != "sent")
        maple.rounds(1)
        maple.write("another routine letter")
        maple.rounds(3)
        assert len(maple.answers()) == 1

    def test_an_urgent_letter_after_a_restored_routine_answer_is_answered(self, tmp_path: Path) -> None:
        def happened(maple: Maple) -> None:
            maple.write("routine")
            maple.rounds(2)

        maple = self.restored(tmp_path, happened, atomic=False)
        maple.write("urgent bus")
        maple.rounds(3)
        assert len(maple.answers()) == 2
        assert maple.routed() == ["urgent bus"]

    @pytest.mark.parametrize("deleted", [True, False])
    def test_after_a_restored_urgent_answer_an_urgent_letter_is_routed_and_gets_no_same_words_again(
        self, tmp_path: Path, deleted: bool
    ) -> None:
        def happened(maple: Maple) -> None:
            first = maple.write("urgent bus")
            maple.rounds(2)
            if deleted:
                maple.delete(first)

        maple = self.restored(tmp_path, happened, atomic=False)
        maple.write("urgent train")
        maple.rounds(3)
        assert maple.routed() == ["urgent bus", "urgent train"]
        assert len(maple.answers()) == 1


class TestPrivacy:
    """No word of a message is on record or in a log."""

    def test_the_database_holds_no_word_that_a_family_wrote(
        self, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        maple = in_file(tmp_path / "a.db")
        for subject in ("urgent Zebrafish", "conflict Zebrafish", "routine Zebrafish", "choke Zebrafish"):
            maple.write(subject, body="My Wolverine cannot come today.", Comments="Albatross")
            maple.clock.forward(minutes=1)
        maple.system.fail("send_draft", RuntimeError("Zebrafish in a fault"))
        maple.system.fail("tag", RuntimeError("Wolverine in a fault"))
        maple.rounds(4)
        maple.database.close()
        kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
        out, err = capfd.readouterr()
        for word in ("Zebrafish", "Wolverine", "Albatross"):
            assert word.encode() not in kept
            assert word not in out + err

    def test_a_stage_that_only_observes_writes_nothing_in_the_mailbox(self) -> None:
        maple = connected(stage=Stage.OBSERVE)
        message = maple.write("urgent bus")
        maple.rounds(3)
        assert maple.labels(message) == set()
        assert maple.system.departed == []
        assert [record.tag for record in maple.records()] == [Tag.URGENT]

    def test_old_mail_is_on_record_and_nothing_else(self) -> None:
        maple = Maple(teachers=(RIVERA,))
        old = maple.write("urgent bus", at=maple.clock() - timedelta(minutes=1))
        maple.rounds(3)
        assert maple.labels(old) == set()
        assert maple.system.departed == []
        assert [record.tag for record in maple.records()] == [Tag.URGENT]

    def test_a_message_that_goes_between_listing_and_reading_is_set_aside_and_forgotten(self, maple: Maple) -> None:
        maple.write("routine", body="word " * 40_000)
        maple.system.fail("fetch", MessageGone("moved away"))
        urgent = maple.write("urgent bus", OKAFOR.replace("maple", "family"))
        maple.rounds(2)
        assert maple.labels(urgent) == {Label.URGENT}
