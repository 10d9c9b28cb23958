"""Contacts under whatever order of answers, undo, clicks, family mail, crashes, two workers at once and restored
records: what was said is on record once, and a case waits exactly where the talks that stand leave it waiting.
"""

import sqlite3
from collections import Counter
from contextlib import suppress
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from autoresponder.contacts import ContactKind
from connectors.mailbox import Direction
from store.contact_tables import Contact, ContactSource
from store.contacts import Contacts
from tests.service.cases_of_maple import cases
from tests.service.maple import ANA, BO, RIVERA, Maple
from tests.service.roster_of_maple import LEO, MAYA, THEO, fill_roster
from tests.service.test_contact_answers import DAY, talk
from tests.service.test_digest import SEVEN, look
from tests.service.test_digest_replies import WEDNESDAY, reply

FAMILY_OF = {MAYA.id: ANA, LEO.id: ANA, THEO.id: BO}
LINES = {
    "called the family of Maya Lopez, good news": MAYA.id,
    "met with Theo's mother": THEO.id,
    "left a message for the family of Leo Lopez": LEO.id,
    "called the Diaz family": None,
}
STEPS = ("page planned", "page recorded")


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


class AnyContact(RuleBasedStateMachine):
    """A teacher with a morning mail, and two families."""

    def __init__(self) -> None:
        super().__init__()
        self.maple = Maple()
        fill_roster(self.maple.database)
        self.said: list[tuple[str, ...]] = []
        self.undone = False
        self.noted = 0
        self.backup: sqlite3.Connection | None = None

    @initialize()
    def begin(self) -> None:
        self.maple.round()
        self.maple.write()
        self.maple.round()
        self.maple.clock.now = SEVEN
        look(self.maple)
        self.maple.round()

    @rule(sender=st.sampled_from((ANA, BO)))
    def family_writes(self, sender: str) -> None:
        self.maple.write(f"conflict grades {len(self.maple.records())}", sender)

    @rule(
        lines=st.lists(st.sampled_from(sorted(LINES)), min_size=1, max_size=3, unique=True),
        sent=st.booleans(),
    )
    def teacher_answers(self, lines: list[str], *, sent: bool) -> None:
        self.maple.clock.forward(seconds=1)
        self.said.append(tuple(lines))
        reply(self.maple, "\n".join(lines), sent=sent)

    @rule()
    def teacher_undoes(self) -> None:
        self.maple.clock.forward(seconds=1)
        self.undone = True
        reply(self.maple, "undo")

    @rule(student=st.sampled_from(sorted(FAMILY_OF)), reached=st.booleans())
    def teacher_clicks(self, student: str, *, reached: bool) -> None:
        talk(self.maple, student, day=DAY + timedelta(days=1), reached=reached)
        self.noted += 1

    @precondition(lambda self: self._contacts())
    @rule(data=st.data())
    def teacher_takes_back(self, data: st.DataObject) -> None:
        contact = data.draw(st.sampled_from(self._contacts()))
        Contacts(self.maple.database).withdraw(contact.id or 0, RIVERA, self.maple.clock(), mailbox=RIVERA)
        self.undone = True

    @rule(minutes=st.sampled_from((1, 30, 300)))
    def time_passes(self, minutes: int) -> None:
        self.maple.clock.forward(minutes=minutes)

    @rule()
    def the_service_works(self) -> None:
        self.maple.round()

    @rule(step=st.sampled_from(STEPS))
    def the_service_is_killed(self, step: str) -> None:
        def on_step(name: str, _delivery: int) -> None:
            if name == step:
                raise Killed

        with suppress(Killed):
            self.maple.round(on_step=on_step)

    @rule()
    def another_worker_is_there_at_the_same_time(self) -> None:
        there = False

        def on_step(name: str, _delivery: int) -> None:
            nonlocal there
            if name == "page planned" and not there:
                there = True
                self.maple.round()

        self.maple.round(on_step=on_step)

    @rule()
    def the_record_is_backed_up(self) -> None:
        self.backup = sqlite3.connect(":memory:", check_same_thread=False)
        self._record().backup(self.backup)

    @precondition(lambda self: self.backup is not None)
    @rule()
    def the_record_is_restored(self) -> None:
        assert self.backup
        self.backup.backup(self._record())

    @invariant()
    def a_case_waits_exactly_where_no_letter_and_no_talk_that_stands_answers_it(self) -> None:
        senders = {each.id: each.sender for each in self.maple.records() if each.direction is Direction.RECEIVED}
        talks = [
            (FAMILY_OF[each.student], each.over_at)
            for each in self._contacts()
            if each.reached and each.withdrawn_at is None and each.kind in (ContactKind.CALL, ContactKind.MEETING)
        ]
        for view in cases(self.maple):
            (sender,) = {senders[each.id] for each in view.messages}
            over = [at for family, at in talks if family == sender and at is not None and at >= view.case.opened_at]
            last = max(over, default=None)
            waiting = [each.received_at for each in view.messages if last is None or each.received_at > last]
            assert view.case.waiting_since == min(waiting, default=None)

    @invariant()
    def each_answer_is_heard_at_most_once(self) -> None:
        heard = Counter(each.student for each in self._contacts() if each.source is ContactSource.REPLY)
        said = Counter(LINES[line] for lines in self.said for line in lines)
        assert all(heard[student] <= said[student] for student in heard), (heard, said)

    def teardown(self) -> None:
        """In the end everything that was said is on record, once, whatever happened in between."""
        self.maple.rounds(2)
        heard = Counter(each.student for each in self._contacts() if each.source is ContactSource.REPLY)
        said = Counter(student for lines in self.said for line in lines if (student := LINES[line]) is not None)
        assert heard == said
        if not self.undone:
            assert all(each.withdrawn_at is None for each in self._contacts())
        assert len([each for each in self._contacts() if each.source is ContactSource.PAGE]) <= self.noted
        super().teardown()

    def _contacts(self) -> list[Contact]:
        return Contacts(self.maple.database).listing(mailbox=RIVERA)

    def _record(self) -> sqlite3.Connection:
        connection = self.maple.database.engine.raw_connection().driver_connection
        assert isinstance(connection, sqlite3.Connection)
        return connection


TestAnyContact = AnyContact.TestCase
TestAnyContact.settings = settings(max_examples=8, stateful_step_count=20)
assert DAY + timedelta(days=1) == WEDNESDAY
