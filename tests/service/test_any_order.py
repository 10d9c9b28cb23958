"""The whole core under whatever order of events: mail, sweeps, crashes, faults, corrections, clocks, restored records.

Judged only by what the mail system shows: what left, what lies where, under which labels.
"""

import re
import sqlite3
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from connectors.errors import (
    AuthenticationFailed,
    ConnectFailed,
    DraftFailed,
    SendFailed,
    SendRejected,
    SendUncertain,
    TagFailed,
)
from connectors.labels import Label, Tag, tag_of
from tests.service.maple import OKAFOR, RIVERA, Maple

FAMILIES = ("ana@family.example", "bo@family.example", "carla@family.example")
ROBOT = "alerts@robot.example"
BOXES = ((RIVERA,), (OKAFOR,), (RIVERA, OKAFOR))
KINDS = ("urgent", "conflict", "routine", "urgent unsure", "conflict unsure")
MAILBOX_STEPS = (
    *("changes", "tag", "tag done", "draft_state", "fetch", "save_draft", "save_draft done"),
    *("send_draft", "send_draft handed over", "send_draft filed", "discard_draft"),
)
OUR_STEPS = (
    *("page planned", "page recorded", "tag written", "tag recorded", "claimed", "draft saved", "draft recorded"),
    *("sending recorded", "sent", "done recorded"),
)
FAULTS: dict[str, tuple[type[Exception], ...]] = {
    "changes": (ConnectFailed, AuthenticationFailed),
    "tag": (TagFailed, ConnectFailed, RuntimeError),
    "tag done": (TagFailed, ConnectFailed),
    "fetch": (ConnectFailed, RuntimeError),
    "draft_state": (DraftFailed, ConnectFailed, AuthenticationFailed, RuntimeError),
    "save_draft": (DraftFailed, ConnectFailed),
    "save_draft done": (DraftFailed, ConnectFailed, RuntimeError),
    "send_draft": (SendFailed, SendUncertain, SendRejected, ConnectFailed, AuthenticationFailed, RuntimeError),
    "send_draft handed over": (SendUncertain, RuntimeError),
    "send_draft filed": (SendUncertain, ConnectFailed),
    "discard_draft": (DraftFailed, ConnectFailed),
}
WINDOW_SCHOOL_DAYS = 4


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@dataclass
class Written:
    """A letter, and what makes it a case of its own."""

    subject: str
    sender: str
    raw: bytes
    boxes: set[str]
    old: bool = False
    robot: bool = False
    copied: bool = False
    by_teacher: bool = False
    """A teacher corrected, answered or deleted it: fewer mails are owed, and more only where one marked it urgent."""
    said: list[Label] = field(default_factory=list)
    """What teachers said it is, in whichever mailbox."""
    deleted: bool = False

    @property
    def urgent(self) -> bool:
        return self.subject.startswith("urgent")


class AnyOrder(RuleBasedStateMachine):
    """Two mailboxes, three families, a robot, and the service."""

    atomic = False

    def __init__(self) -> None:
        super().__init__()
        self.maple = Maple(atomic_send=self.atomic)
        self.letters: dict[str, Written] = {}
        self.backup: sqlite3.Connection | None = None
        self.restored = False

    @initialize(old=st.integers(0, 2))
    def connect(self, old: int) -> None:
        for _ in range(old):
            self.write("urgent", FAMILIES[0], BOXES[2], None)
        for letter in self.letters.values():
            letter.old = True
        self.maple.round()
        self.maple.clock.forward(days=1)
        self.earliest = self.maple.clock()

    @rule(
        kind=st.sampled_from(KINDS),
        sender=st.sampled_from(FAMILIES),
        boxes=st.sampled_from(BOXES),
        reuse=st.none() | st.integers(0, 3),
        named=st.booleans(),
    )
    def family_writes(self, kind: str, sender: str, boxes: tuple[str, ...], reuse: int | None, named: bool) -> None:
        reused = None if reuse is None or reuse >= len(self.letters) else list(self.letters.values())[reuse]
        message_id = re.search(rb"Message-ID: (<.*>)", reused.raw) if reused else None
        headers = {"Message_ID": message_id[1].decode() if message_id else None} if message_id or not named else {}
        self.write(kind, sender, boxes, headers)

    @rule(kind=st.sampled_from(KINDS), boxes=st.sampled_from(BOXES))
    def robot_writes(self, kind: str, boxes: tuple[str, ...]) -> None:
        self.write(kind, ROBOT, boxes, {"Auto_Submitted": "auto-generated"}).robot = True

    def write(self, kind: str, sender: str, boxes: tuple[str, ...], headers: dict[str, str | None] | None) -> Written:
        subject = f"{kind} {len(self.letters)}"
        self.maple.write(subject, sender, to=boxes, **(headers or {}))
        raw = list(self.maple.system.account(boxes[0]).inbox.values())[-1].raw
        self.letters[subject] = Written(subject, sender, raw, set(boxes))
        return self.letters[subject]

    @precondition(lambda self: self.letters)
    @rule(data=st.data(), box=st.sampled_from((RIVERA, OKAFOR)))
    def the_same_arrives_again(self, data: st.DataObject, box: str) -> None:
        letter = data.draw(st.sampled_from([each for each in self.letters.values() if not each.old] or [None]))
        if letter is not None:
            self.maple.system.deliver(letter.raw, box)
            letter.boxes.add(box)
            letter.copied = True

    @rule()
    def the_service_works(self) -> None:
        self.maple.round()

    @rule(step=st.sampled_from((*MAILBOX_STEPS, *OUR_STEPS)), number=st.integers(1, 4))
    def the_service_is_killed(self, step: str, number: int) -> None:
        seen = Counter[str]()

        def on_step(name: str, _delivery: int) -> None:
            seen[name] += 1
            if (name, seen[name]) == (step, number):
                raise Killed

        if step in MAILBOX_STEPS:
            self.maple.system.fail(step, Killed(), number=number)
        with suppress(Killed):
            self.maple.round(on_step=on_step)
        self.maple.system.heal()

    @rule(data=st.data(), step=st.sampled_from(sorted(FAULTS)), number=st.integers(1, 3), times=st.integers(1, 3))
    def something_fails(self, data: st.DataObject, step: str, number: int, times: int) -> None:
        error = data.draw(st.sampled_from(FAULTS[step]))
        self.maple.system.fail(step, error("scripted"), number=number, times=times)
        self.maple.round()
        self.maple.system.heal()

    @rule(minutes=st.sampled_from((1, 3, 20, 60, 60 * 26)))
    def time_passes(self, minutes: int) -> None:
        self.maple.clock.forward(minutes=minutes)

    @rule(minutes=st.sampled_from((2, 45, 150)))
    def the_clock_is_set_back(self, minutes: int) -> None:
        if self.maple.clock() - timedelta(minutes=minutes) > self.earliest - timedelta(hours=20):
            self.maple.clock.forward(minutes=-minutes)

    @rule(data=st.data(), box=st.sampled_from((RIVERA, OKAFOR)), label=st.sampled_from((Label.ROUTINE, Label.URGENT)))
    def teacher_corrects(self, data: st.DataObject, box: str, label: Label) -> None:
        account = self.maple.system.account(box)
        id_ = data.draw(st.sampled_from([id_ for id_ in account.inbox if self.of(account.inbox[id_].raw)] or [None]))
        if id_ is not None:
            self.maple.system.label(account, id_, frozenset({label}))
            account.inbox[id_] = replace(account.inbox[id_], marks=frozenset({label}))
            letter = self.letter_of(account.inbox[id_].raw)
            letter.by_teacher = True
            letter.said.append(label)

    @rule(data=st.data(), box=st.sampled_from((RIVERA, OKAFOR)))
    def teacher_answers(self, data: st.DataObject, box: str) -> None:
        letter = data.draw(st.sampled_from([x for x in self.letters.values() if b"Message-ID" in x.raw] or [None]))
        if letter is not None:
            message_id = re.search(rb"Message-ID: <(.*)>", letter.raw)
            assert message_id
            self.maple.teacher_answers(message_id[1].decode(), box)
            letter.by_teacher = True

    @rule(data=st.data(), box=st.sampled_from((RIVERA, OKAFOR)))
    def teacher_deletes(self, data: st.DataObject, box: str) -> None:
        account = self.maple.system.account(box)
        id_ = data.draw(st.sampled_from([*account.inbox] or [None]))
        if id_ is not None:
            letter = self.letter_of(account.inbox[id_].raw)
            letter.by_teacher = letter.deleted = True
            self.maple.system.remove(account, id_)

    @rule(box=st.sampled_from((RIVERA, OKAFOR)))
    def the_server_renumbers(self, box: str) -> None:
        self.maple.system.renumber(self.maple.system.account(box))

    @rule()
    def the_record_is_backed_up(self) -> None:
        self.backup = sqlite3.connect(":memory:", check_same_thread=False)
        self._record().backup(self.backup)

    @precondition(lambda self: self.backup is not None and not self.maple.unsent(RIVERA) + self.maple.unsent(OKAFOR))
    @rule()
    def the_record_is_restored(self) -> None:
        assert self.backup
        self.backup.backup(self._record())
        self.restored = True

    def _record(self) -> sqlite3.Connection:
        connection = self.maple.database.engine.raw_connection().driver_connection
        assert isinstance(connection, sqlite3.Connection)
        return connection

    def of(self, raw: bytes) -> Written | None:
        """The letter of a person that `raw` is."""
        letter = self.letter_of(raw)
        return None if letter.robot or letter.old else letter

    def letter_of(self, raw: bytes) -> Written:
        subject = re.search(rb"^Subject: (?:Re: )?(.*?)\r?$", raw, re.MULTILINE)
        assert subject
        return self.letters[subject[1].decode()]

    def teardown(self) -> None:
        """In the end, with everybody at work again, every promise is kept."""
        self.maple.rounds(12)
        self._urgent_mail_is_at_the_office()
        self._families_are_answered_once()
        self._letters_are_labelled()
        assert not self.maple.unsent(RIVERA) + self.maple.unsent(OKAFOR), "a note nobody sends is left in Drafts"
        super().teardown()

    def _urgent_mail_is_at_the_office(self) -> None:
        routed = Counter(self.maple.routed())
        for letter in self.letters.values():
            times = routed[letter.subject]
            marked = letter.said.count(Label.URGENT)
            if letter.old or letter.robot or not (letter.urgent or marked):
                assert not times, f"{letter.subject} went to the office"
            elif not letter.by_teacher:
                assert times, f"{letter.subject} never reached the office"
            elif marked and not letter.deleted and self._shown(letter) == {Tag.URGENT}:
                assert times, f"{letter.subject}, which a teacher marked as urgent, never reached the office"
            if self.atomic and not self._beyond_telling(letter):
                assert times <= 1 + marked, f"{letter.subject} went to the office {times} times"

    def _beyond_telling(self, letter: Written) -> bool:
        """A record that was taken back can ask the mailbox's own Sent about a letter, but not another mailbox's, nor
        about a copy of a letter."""
        return self.restored and (len(letter.boxes) > 1 or letter.copied)

    def _families_are_answered_once(self) -> None:
        answers: dict[tuple[str, str], list[tuple[datetime, bool]]] = {}
        by_letter = Counter[str]()
        for (box, raw), at in zip(self.maple.system.departed, self.maple.system.departed_at, strict=True):
            if b"Auto-Submitted: auto-replied" not in raw:
                continue
            letter = self.letter_of(raw)
            assert not letter.old, "old mail was answered"
            assert not letter.robot, "a robot was answered"
            by_letter[letter.subject] += 1
            answers.setdefault((box, letter.sender), []).append((at, letter.urgent))
        calendar = self.maple.assembly().calendar
        for letter in self.letters.values():
            if not self._beyond_telling(letter):
                assert by_letter[letter.subject] <= 1, f"{letter.subject} was answered twice"
        if self.restored:
            return  # which note a forgotten answer was, nobody can tell
        for given in answers.values():
            for number, (at, urgent) in enumerate(given):
                for earlier, was_urgent in given[:number]:
                    days = calendar.school_days_between(earlier.date(), at.date())
                    assert days >= WINDOW_SCHOOL_DAYS or (urgent and not was_urgent), "two answers of a kind"

    def _letters_are_labelled(self) -> None:
        for box in (RIVERA, OKAFOR):
            for stored in self.maple.system.account(box).inbox.values():
                letter = self.of(stored.raw)
                if letter is None:
                    continue
                assert stored.labels, f"{letter.subject} has no label"
                if stored.marks:
                    assert stored.labels <= set(letter.said), f"the teacher's word about {letter.subject} is forgotten"
                assert len(self._shown(letter)) == 1, f"{letter.subject} is one thing here and another there"

    def _shown(self, letter: Written) -> set[Tag | None]:
        """The tags that the copies of a letter show."""
        accounts = map(self.maple.system.account, (RIVERA, OKAFOR))
        copies = [each for account in accounts for each in account.inbox.values() if each.raw == letter.raw]
        return {tag_of(copy.labels) for copy in copies}


class AnyOrderWhereTheSystemCanTell(AnyOrder):
    """The same on a mail system that can say whether a draft was sent."""

    atomic = True


TestOverSmtp = AnyOrder.TestCase
TestAtomic = AnyOrderWhereTheSystemCanTell.TestCase
TestOverSmtp.settings = TestAtomic.settings = settings(max_examples=35, stateful_step_count=30)
