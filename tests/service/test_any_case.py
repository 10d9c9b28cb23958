"""The life of cases under whatever order of mail, answers, labels, words in the page, clocks, crashes, two workers at
once and restored records. Judged by what left, by what was written, and by the record that is only added to.
"""

import sqlite3
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from sqlalchemy import select
from sqlmodel import col

from autoresponder.cases import CaseState, CaseWord
from connectors.errors import ConnectFailed, SendFailed, SendUncertain
from connectors.labels import Label, Tag
from connectors.mailbox import Direction
from store.case_tables import CaseEventKind
from store.cases import Cases, CaseView
from store.tables import Correction
from tests.service.cases_of_maple import COACH, cases, half_sent, maple_with_coach, teacher_writes, told
from tests.service.desks_of_maple import text_of
from tests.service.maple import ANA, BO, OKAFOR, RIVERA

TEACHERS, FAMILIES = (RIVERA, OKAFOR), (ANA, BO)
BODIES = ("It is not fair.", "That works, see you Thursday.", "You are a liar. My lawyer will call.")
LABELS = (
    frozenset({Label.ROUTINE}),
    frozenset({Label.CONFLICT}),
    frozenset({Label.CONFLICT, Label.PLAN_AGREED}),
    frozenset({Label.ROUTINE, Label.PLAN_AGREED}),
    frozenset({Label.URGENT}),
    frozenset[Label](),
)
STEPS = ("page planned", "page recorded", "claimed", "draft saved", "sending recorded", "sent", "done recorded")
ENDINGS = {CaseEventKind.AGREED, CaseEventKind.NO_CONFLICT}


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@dataclass
class Letter:
    """What a family wrote, and to whom."""

    message_id: str
    sender: str
    boxes: tuple[str, ...]
    at: datetime
    conflict: bool


@dataclass
class Between:
    """What happened between a teacher and a family."""

    answers: list[datetime] = field(default_factory=list)
    ended: int = 0
    """How often the teacher said something that may end a case."""
    reopened: int = 0
    """How often something was said that may open one again."""


class AnyCase(RuleBasedStateMachine):
    """Two teachers, two families and a coach who hears of harsh messages at once."""

    atomic = True

    def __init__(self) -> None:
        super().__init__()
        self.maple = maple_with_coach(early=True, repeated=2, one_matter_days=3, atomic_send=self.atomic)
        self.letters: list[Letter] = []
        self.between = {(box, sender): Between() for box in TEACHERS for sender in FAMILIES}
        self.seen: dict[tuple[str, str], list[CaseEventKind]] = {}
        self.left = 0
        self.restored = False
        self.backup: sqlite3.Connection | None = None

    @initialize()
    def connect(self) -> None:
        self.maple.round()

    @rule(
        kind=st.sampled_from(("conflict", "conflict", "conflict", "routine", "urgent")),
        body=st.sampled_from(BODIES),
        sender=st.sampled_from(FAMILIES),
        boxes=st.sampled_from(((RIVERA,), (OKAFOR,), TEACHERS)),
        follows=st.booleans(),
    )
    def family_writes(self, kind: str, body: str, sender: str, boxes: tuple[str, ...], *, follows: bool) -> None:
        earlier = f"<{self.letters[-1].message_id}>" if follows and self.letters else None
        subject = f"{kind} grades {len(self.letters)}"
        message_id = self.maple.write(subject, sender, to=boxes, body=body, In_Reply_To=earlier)
        self.letters.append(Letter(message_id, sender, boxes, self.maple.clock(), kind == "conflict"))

    @rule(box=st.sampled_from(TEACHERS), sender=st.sampled_from(FAMILIES), data=st.data())
    def teacher_answers(self, box: str, sender: str, data: st.DataObject) -> None:
        theirs = [each.message_id for each in self.letters if each.sender == sender and box in each.boxes]
        follows = data.draw(st.sampled_from([None, *theirs]))
        teacher_writes(self.maple, sender, address=box, follows=follows)
        self.between[box, sender].answers.append(self.maple.clock())

    @precondition(lambda self: self.letters)
    @rule(data=st.data(), labels=st.sampled_from(LABELS))
    def teacher_labels(self, data: st.DataObject, labels: frozenset[Label]) -> None:
        letter = data.draw(st.sampled_from(self.letters))
        box = data.draw(st.sampled_from(letter.boxes))
        self.maple.relabel(letter.message_id, *labels, address=box)
        for each in letter.boxes:  # what a teacher says of a tag holds for every copy
            self.between[each, letter.sender].ended += 1
            self.between[each, letter.sender].reopened += 1

    @precondition(lambda self: cases(self.maple))
    @rule(data=st.data(), word=st.sampled_from(CaseWord))
    def teacher_says_so_in_the_page(self, data: st.DataObject, word: CaseWord) -> None:
        view = data.draw(st.sampled_from(cases(self.maple)))
        sender = _sender(view)
        copies = TEACHERS if word is CaseWord.NO_CONFLICT else (view.case.mailbox,)
        for box in copies:
            self.between[box, sender].ended += 1
            self.between[box, sender].reopened += 1
        Cases(self.maple.database).say(view.id, word, view.case.mailbox, self.maple.clock())

    @rule(minutes=st.sampled_from((11, 200, 60 * 16, 60 * 24, 60 * 24 * 4)))
    def time_passes(self, minutes: int) -> None:
        self.maple.clock.forward(minutes=minutes)

    @rule(minutes=st.sampled_from((5, 45)))
    def the_clock_is_set_back(self, minutes: int) -> None:
        self.maple.clock.forward(minutes=-minutes)

    @rule()
    def the_service_works(self) -> None:
        self.maple.round()

    @rule(step=st.sampled_from(STEPS), number=st.integers(1, 4))
    def the_service_is_killed(self, step: str, number: int) -> None:
        happened = Counter[str]()

        def on_step(name: str, _delivery: int) -> None:
            happened[name] += 1
            if (name, happened[name]) == (step, number):
                raise Killed

        with suppress(Killed):
            self.maple.round(on_step=on_step)

    @rule(step=st.sampled_from(("page planned", "claimed", "draft saved")))
    def another_worker_is_there_at_the_same_time(self, step: str) -> None:
        there = False

        def on_step(name: str, _delivery: int) -> None:
            nonlocal there
            if name == step and not there:
                there = True
                self.maple.round()

        self.maple.round(on_step=on_step)

    @rule(error=st.sampled_from((SendFailed, SendUncertain, ConnectFailed)), number=st.integers(1, 3))
    def something_fails(self, error: type[Exception], number: int) -> None:
        self.maple.system.fail("send_draft", error("scripted"), number=number)
        self.maple.round()
        self.maple.system.heal()

    @rule()
    def the_record_is_backed_up(self) -> None:
        self.backup = sqlite3.connect(":memory:", check_same_thread=False)
        self._record().backup(self.backup)

    @precondition(lambda self: self.backup is not None and not half_sent(self.maple, *TEACHERS))
    @rule()
    def the_record_is_restored(self) -> None:
        assert self.backup
        self.backup.backup(self._record())
        self.restored = True
        self.seen.clear()

    def _record(self) -> sqlite3.Connection:
        connection = self.maple.database.engine.raw_connection().driver_connection
        assert isinstance(connection, sqlite3.Connection)
        return connection

    @invariant()
    def each_conflict_message_is_in_exactly_one_case(self) -> None:
        held = Counter(message.id for view in cases(self.maple) for message in view.messages)
        for record in self.maple.records():
            assert held[record.id] <= 1
            conflict = record.tag is Tag.CONFLICT and record.direction is Direction.RECEIVED and not record.backfill
            if conflict and not self._still_to_follow(record.id):
                assert held[record.id] == 1, (record.rfc_message_id, record.mailbox)

    @invariant()
    def no_matter_is_open_twice(self) -> None:
        threads = Counter(
            (view.case.mailbox, view.case.family, thread)
            for view in cases(self.maple)
            if view.case.state is CaseState.OPEN
            for thread in {message.thread for message in view.messages}
        )
        assert all(times == 1 for times in threads.values()), threads

    @invariant()
    def no_case_ends_without_a_word_of_the_teacher(self) -> None:
        for view in cases(self.maple):
            kinds = [event.kind for event in view.events]
            key = (view.case.mailbox, view.case.reference)
            before = self.seen.get(key, [])
            assert kinds[: len(before)] == before, "what happened is only added to"
            self.seen[key] = kinds
            if ENDINGS & set(kinds) and not self.restored:
                assert self.between[view.case.mailbox, _sender(view)].ended, kinds

    @invariant()
    def nobody_is_reminded_of_what_is_answered(self) -> None:
        new, self.left = self.maple.system.departed[self.left :], len(self.maple.system.departed)
        reminders = {str(mail["Message-ID"]) for box in TEACHERS for mail in told(self.maple, box)}
        for box, raw in new:
            for mail in told(self.maple, box):
                if str(mail["Message-ID"]) in reminders and str(mail["Message-ID"]).encode() in raw:
                    sender = next(each for each in FAMILIES if each in text_of(mail))
                    answered = max(self.between[box, sender].answers, default=None)
                    waiting = [each.at for each in self.letters if each.sender == sender and box in each.boxes]
                    assert answered is None or any(at > answered for at in waiting), "a reminder after the answer"

    def teardown(self) -> None:
        """In the end, with everybody at work again, every promise is kept."""
        self.maple.rounds(3, minutes=20)
        self.maple.rounds(7 * 4, hours=6)
        self.maple.rounds(3, minutes=20)
        self.each_conflict_message_is_in_exactly_one_case()
        self._what_waits_is_known_to_teacher_and_coach()
        self._nobody_is_told_twice_alike()
        self._the_coach_learns_of_no_family()
        assert not half_sent(self.maple, *TEACHERS), "a mail nobody sends is left in Drafts"
        super().teardown()

    def _still_to_follow(self, message_id: int | None) -> bool:
        """Whether what follows from a correction of this message is planned in the next round."""
        query = select(col(Correction.id)).where(
            col(Correction.message_id) == message_id, col(Correction.followed_at).is_(None)
        )
        with self.maple.database.read() as connection:
            return connection.execute(query).first() is not None

    def _what_waits_is_known_to_teacher_and_coach(self) -> None:
        for view in cases(self.maple):
            if view.case.state is CaseState.OPEN and view.case.waiting_since is not None:
                assert view.case.reminded_at is not None, "a family was forgotten"
                assert view.case.coach_told_at is not None
                letters = [each for each in self.letters if each.sender == _sender(view)]
                answers = self.between[view.case.mailbox, _sender(view)].answers
                assert any(not answers or each.at > max(answers) for each in letters), "an answer was overlooked"

    def _nobody_is_told_twice_alike(self) -> None:
        for address in (*TEACHERS, COACH):
            times = Counter(str(mail["Message-ID"]) for mail in told(self.maple, address))
            assert all(number == 1 for number in times.values()), "one mail left twice"
        for box in TEACHERS:
            for sender in FAMILIES:
                reminders = sum(sender in text_of(mail) for mail in told(self.maple, box))
                between = self.between[box, sender]
                matters = sum(view.case.mailbox == box and _sender(view) == sender for view in cases(self.maple))
                if not self.restored:
                    assert reminders <= matters + len(between.answers) + between.reopened, "nagged"

    def _the_coach_learns_of_no_family(self) -> None:
        for mail in told(self.maple, COACH):
            assert not [word for word in (*FAMILIES, *BODIES) if word in mail.as_string()]


def _sender(view: CaseView) -> str:
    """The family of a case, told by the mails that it ever had."""
    (sender,) = set(view.senders) or {ANA}
    return sender


class AnyCaseOverSmtp(AnyCase):
    """The same on a mail system that cannot say whether a draft was sent."""

    atomic = False


TestAtomic = AnyCase.TestCase
TestOverSmtp = AnyCaseOverSmtp.TestCase
TestAtomic.settings = TestOverSmtp.settings = settings(max_examples=6, stateful_step_count=20)
