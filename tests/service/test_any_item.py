"""The life of items under whatever order of mail, answers, corrections, claims by hand, clocks, crashes and restored
records. Judged by what left, by what the mail programs show, and by the record that is only added to.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from autoresponder.items import UNFINISHED, ItemState, Word
from connectors.errors import ConnectFailed, SendFailed, SendUncertain
from connectors.labels import Label, Tag
from store.items import Items, ItemView
from store.tables import EventKind
from tests.service.desks_of_maple import (
    LEE,
    NURSE,
    ON_CALL,
    PRINCIPAL,
    answers,
    got,
    items,
    maple_with_desks,
    text_of,
)
from tests.service.maple import ANA, BO, OFFICE, OKAFOR, RIVERA

STRANGER = "stranger@elsewhere.example"
STAFF = (NURSE, OFFICE, LEE, PRINCIPAL, ON_CALL)
WORDS = ("Taken", "me encargo", "Done", "Not urgent", "Back to the teacher", "What is this?", "Thanks")
STEPS = ("page planned", "page recorded", "claimed", "draft saved", "sending recorded", "sent", "done recorded")
STEP_EVENTS = {EventKind.NEXT_DESK, EventKind.ON_CALL, EventKind.REMINDED}
AT_REST = {EventKind.TAKEN, EventKind.DONE, EventKind.NOT_URGENT, EventKind.RETURNED, EventKind.CORRECTED}


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


@dataclass
class Letter:
    """What a family wrote."""

    message_id: str
    subject: str
    urgent: bool
    boxes: tuple[str, ...]
    corrected: bool = False


class AnyItem(RuleBasedStateMachine):
    """Two teachers, two families, a nurse, an office, a principal and somebody on call."""

    atomic = True

    def __init__(self) -> None:
        super().__init__()
        self.maple = maple_with_desks(routine_topics=("attendance",), atomic_send=self.atomic)
        self.letters: list[Letter] = []
        self.restored = False
        self.backup: sqlite3.Connection | None = None
        self.seen: dict[str, list[EventKind]] = {}
        self.not_urgent: set[str] = set()
        """Letters of items that the office called not urgent."""

    @initialize()
    def connect(self) -> None:
        self.maple.round()

    @rule(
        kind=st.sampled_from(("urgent", "urgent", "routine")),
        topic=st.sampled_from(("health", "safety", "pickup_transport", "attendance")),
        sender=st.sampled_from((ANA, BO)),
        boxes=st.sampled_from(((RIVERA,), (OKAFOR,), (RIVERA, OKAFOR))),
        follows=st.booleans(),
    )
    def family_writes(self, kind: str, topic: str, sender: str, boxes: tuple[str, ...], *, follows: bool) -> None:
        subject = f"{kind} {topic} {len(self.letters)}"
        earlier = f"<{self.letters[-1].message_id}>" if follows and self.letters else None
        message_id = self.maple.write(subject, sender, to=boxes, In_Reply_To=earlier)
        self.letters.append(Letter(message_id, subject, kind == "urgent", boxes))

    @rule(data=st.data(), words=st.sampled_from(WORDS), who=st.sampled_from((*STAFF, ANA, STRANGER)))
    def somebody_answers(self, data: st.DataObject, words: str, who: str) -> None:
        mail = data.draw(st.sampled_from([each for each in self.to_staff() if "X-Alliance-Inbox" in each] or [None]))
        if mail is not None:
            answers(self.maple, words, who, to=mail)

    @precondition(lambda self: items(self.maple))
    @rule(data=st.data(), word=st.sampled_from(Word), who=st.sampled_from(STAFF))
    def somebody_says_so_by_hand(self, data: st.DataObject, word: Word, who: str) -> None:
        view = data.draw(st.sampled_from(items(self.maple)))
        Items(self.maple.database).say(view.id, word, who, self.maple.clock())

    @precondition(lambda self: self.letters)
    @rule(data=st.data(), label=st.sampled_from((Label.ROUTINE, Label.URGENT, Label.CONFLICT)))
    def teacher_corrects(self, data: st.DataObject, label: Label) -> None:
        letter = data.draw(st.sampled_from(self.letters))
        for box in letter.boxes:
            self.maple.relabel(letter.message_id, label, address=box)
        letter.corrected = True

    @rule(minutes=st.sampled_from((1, 11, 16, 31, 200, 60 * 16)))
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
        seen = Counter[str]()

        def on_step(name: str, _delivery: int) -> None:
            seen[name] += 1
            if (name, seen[name]) == (step, number):
                raise Killed

        with suppress(Killed):
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

    @precondition(lambda self: self.backup is not None and not self.maple.unsent(RIVERA) + self.maple.unsent(OKAFOR))
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

    def to_staff(self) -> list[EmailMessage]:
        """What the staff got, each mail once."""
        found = {str(mail["Message-ID"]): mail for address in STAFF for mail in got(self.maple, address)}
        return list(found.values())

    @invariant()
    def what_happened_is_only_added_to(self) -> None:
        for view in items(self.maple):
            kinds = [event.kind for event in view.events]
            before = self.seen.get(view.item.reference, [])
            assert kinds[: len(before)] == before
            self.seen[view.item.reference] = kinds
            if EventKind.NOT_URGENT in kinds:
                self.not_urgent |= {str(message.rfc_message_id) for message in view.messages}

    @invariant()
    def what_somebody_has_goes_no_further(self) -> None:
        for view in items(self.maple):
            kinds = [event.kind for event in view.events]
            if EventKind.REOPENED in kinds:  # the teacher said that it is urgent after all: it begins anew
                kinds = kinds[len(kinds) - kinds[::-1].index(EventKind.REOPENED) :]
            taken = next((place for place, kind in enumerate(kinds) if kind in AT_REST), len(kinds))
            assert not STEP_EVENTS & set(kinds[taken:]), kinds
            assert (view.item.state is ItemState.OPEN) == (taken == len(kinds))
            assert view.item.holder is None or view.item.holder in STAFF, "a stranger has it"

    def teardown(self) -> None:
        """In the end, with everybody at work again, every promise is kept."""
        self.maple.rounds(4, minutes=20)
        self._no_urgent_letter_is_without_an_item()
        self._labels_follow_the_office()
        self.maple.rounds(6 * 8, hours=3)
        self.maple.rounds(2, minutes=1)
        self._nothing_that_is_open_is_forgotten()
        self._nobody_is_told_twice_alike()
        self._who_came_too_late_is_told()
        assert not self.maple.unsent(RIVERA) + self.maple.unsent(OKAFOR), "a mail nobody sends is left in Drafts"
        super().teardown()

    def _no_urgent_letter_is_without_an_item(self) -> None:
        held = Counter(message.rfc_message_id for view in items(self.maple) for message in view.messages)
        for letter in self.letters:
            assert held[letter.message_id] <= 1, f"{letter.subject} is in two items"
            # What the office called not urgent carries that label, which says so where the record was lost.
            waived = self.restored and letter.message_id in self.not_urgent
            if letter.urgent and not letter.corrected and not waived:
                assert held[letter.message_id] == 1, f"{letter.subject} is in no item"
        for view in items(self.maple):
            assert len({message.sender for message in view.messages}) == 1, "two families in one item"

    def _labels_follow_the_office(self) -> None:
        said = {letter.message_id: letter for letter in self.letters}
        for view in items(self.maple):
            for message in view.messages:
                letter = said[message.rfc_message_id or ""]
                if letter.corrected or view.item.tag is not Tag.URGENT or not letter.urgent:
                    continue
                shown = {box: self.maple.labels(letter.message_id, box) for box in letter.boxes}
                expected = {Label.ROUTINE} if view.item.state is ItemState.NOT_URGENT else {Label.URGENT}
                closed = any(event.kind is EventKind.DONE for event in view.events)
                if not self.restored:
                    assert all(labels - {Label.HANDLED} == expected for labels in shown.values()), (
                        letter.subject,
                        shown,
                    )
                    assert closed or not any(Label.HANDLED in labels for labels in shown.values()), "nobody closed it"
                    first = message is view.messages[0]  # what came after the closing is not handled by it
                    assert Label.HANDLED in shown[message.mailbox] or not (closed and first), "closed, and not marked"

    def _nothing_that_is_open_is_forgotten(self) -> None:
        for view in items(self.maple):
            if view.item.tag is not Tag.URGENT or view.item.state not in UNFINISHED:
                continue
            letters = [message.rfc_message_id for message in view.messages if message.tag is Tag.URGENT]
            if not self.restored:
                assert all(self._reached_somebody(letter) for letter in letters), "nobody got it"
            if view.item.state is ItemState.OPEN:
                self._goes_on(view)

    def _goes_on(self, view: ItemView) -> None:
        assert view.item.reminders >= 1, "an item that nobody took went silent"
        assert view.item.escalates_at is not None
        assert view.item.escalates_at > self.maple.clock() - timedelta(minutes=5), "it waits for nothing"

    def _reached_somebody(self, message_id: str | None) -> bool:
        return any(f"<{message_id}>".encode() in raw and b": route\r\n" in raw for _, raw in self.maple.system.departed)

    def _nobody_is_told_twice_alike(self) -> None:
        if not self.atomic or self.restored:
            return  # without atomic sending an urgent mail leaves again rather than not at all (decision 3)
        ids = Counter(_message_ids(self.maple.system.departed))
        assert not [each for each, times in ids.items() if times > 1], "one mail left twice"
        for address in STAFF:
            said = Counter(
                (str(mail["Subject"]), _original(mail)) for mail in got(self.maple, address) if _original(mail)
            )
            assert not [each for each, times in said.items() if times > 1], (
                f"{address} was told the same again and again"
            )

    def _who_came_too_late_is_told(self) -> None:
        refused = {event.by for view in items(self.maple) for event in view.events if event.kind is EventKind.REFUSED}
        for address in STAFF:
            told = [mail for mail in got(self.maple, address) if str(mail["X-Alliance-Inbox"]) == "tell"]
            assert address in refused or not told or self.restored
            assert all(re.search("so (you need not|there is nothing left to do)", text_of(mail)) for mail in told)


def _message_ids(departed: Sequence[tuple[str, bytes]]) -> list[bytes]:
    return [
        found[1] for _, raw in departed if (found := re.search(rb"^Message-ID: <(alliance\..*?)>", raw, re.MULTILINE))
    ]


def _original(mail: EmailMessage) -> str:
    attached = [part.get_payload(0) for part in mail.iter_attachments() if part.get_content_type() == "message/rfc822"]
    return str(attached[0]["Message-ID"]) if attached else ""  # type: ignore[index]


class AnyItemOverSmtp(AnyItem):
    """The same on a mail system that cannot say whether a draft was sent."""

    atomic = False


TestAtomic = AnyItem.TestCase
TestOverSmtp = AnyItemOverSmtp.TestCase
TestAtomic.settings = TestOverSmtp.settings = settings(max_examples=10, stateful_step_count=25)
