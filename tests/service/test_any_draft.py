"""Drafts under whatever order of events: mail, wishes, crashes, faults, and a teacher who edits, deletes and sends.

Judged only by what the mail system shows: what lies in Drafts, under which labels mail lies, what left.
"""

import email
import email.policy
from contextlib import suppress
from email.message import Message

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from connectors.errors import ConnectFailed, DraftFailed, FetchFailed, TagFailed
from connectors.labels import Label
from tests.service.maple import ANA, BO, RIVERA, Maple

OUR_STEPS = (
    *("page planned", "page recorded", "claimed", "saving recorded", "draft saved", "draft recorded"),
    *("label taken away", "done recorded"),
)
MAILBOX_STEPS = ("fetch", "draft_state", "save_draft", "save_draft done", "unmark", "unmark done", "tag")
FAULTS = (ConnectFailed, DraftFailed, FetchFailed, TagFailed, RuntimeError)


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it."""


class AnyDraft(RuleBasedStateMachine):
    """One teacher, two families."""

    @initialize()
    def connected(self) -> None:
        self.maple = Maple(teachers=(RIVERA,))
        self.maple.round()
        self.maple.clock.forward(minutes=15)
        self.account = self.maple.system.account(RIVERA)
        self.wishes = 0
        self.quarrels = 0
        self.names: set[str] = set()
        """Message-IDs of all drafts that ever lay there."""
        self.touched: set[str] = set()
        """Those that the teacher edited, deleted or sent."""

    @rule(
        kind=st.sampled_from(("conflict grades", "routine homework", "urgent bus")), family=st.sampled_from((ANA, BO))
    )
    def a_family_writes(self, kind: str, family: str) -> None:
        self.maple.write(kind, family)
        self.quarrels += kind.startswith("conflict")
        self.maple.clock.forward(minutes=1)

    @rule(data=st.data())
    def the_teacher_asks_or_thinks_better_of_it(self, data: st.DataObject) -> None:
        id_ = data.draw(st.sampled_from([*self.account.inbox] or [None]))
        if id_ is not None:
            labels = self.account.inbox[id_].labels
            self.wishes += Label.ANOTHER_DRAFT not in labels
            self.maple.system.label(self.account, id_, labels ^ {Label.ANOTHER_DRAFT})

    @rule(data=st.data(), act=st.sampled_from(("edits", "deletes", "sends")))
    def the_teacher_works_on_a_draft(self, data: st.DataObject, act: str) -> None:
        id_ = data.draw(st.sampled_from(sorted(self.ours()) or [None]))
        if id_ is None:
            return
        mail = email.message_from_bytes(self.account.drafts.pop(id_).raw, policy=email.policy.SMTP)
        self.touched.add(mail["Message-ID"])
        if act == "edits":
            mail.replace_header("Message-ID", f"<edited-{len(self.touched)}@maple.example>")
            self.touched.discard(mail["Message-ID"])
            self.edited(mail)
        elif act == "sends":
            self.maple.system.put(self.account, "sent", mail.as_bytes())

    def edited(self, mail: Message) -> None:
        """What the mail program saves is the teacher's from then on."""
        del mail["X-Alliance-Inbox"]
        self.maple.system.put(self.account, "drafts", mail.as_bytes())

    @rule()
    def the_service_works(self) -> None:
        self.maple.round()

    @rule(step=st.sampled_from((*OUR_STEPS, *MAILBOX_STEPS)), number=st.integers(1, 3))
    def the_service_is_killed(self, step: str, number: int) -> None:
        seen = 0

        def on_step(name: str, _delivery: int) -> None:
            nonlocal seen
            seen += name == step
            if name == step and seen == number:
                raise Killed

        self.maple.system.fail(step, Killed(), number=number)
        with suppress(Killed):
            self.maple.round(on_step=on_step)
        self.maple.system.heal()

    @rule(step=st.sampled_from(MAILBOX_STEPS), error=st.sampled_from(FAULTS), times=st.sampled_from((1, 2, 9)))
    def the_mail_system_fails(self, step: str, error: type[Exception], times: int) -> None:
        self.maple.system.fail(step, error("scripted"), times=times)
        self.maple.round()
        self.maple.system.heal()

    @rule(minutes=st.sampled_from((1, 10, 45, 60 * 20)))
    def time_passes(self, minutes: int) -> None:
        self.maple.clock.forward(minutes=minutes)

    @rule()
    def the_server_renumbers(self) -> None:
        self.maple.system.renumber(self.account)

    def ours(self) -> dict[str, str]:
        """Message-IDs of the untouched drafts, by the server's id."""
        parsed = {id_: email.message_from_bytes(stored.raw) for id_, stored in self.account.drafts.items()}
        return {id_: mail["Message-ID"] for id_, mail in parsed.items() if mail["X-Alliance-Inbox"] == "draft"}

    @invariant()
    def what_the_teacher_touched_stays_as_they_left_it(self) -> None:
        found = [*self.ours().values()]
        assert len(found) == len(set(found)), "one draft lies there twice"
        assert not self.touched.intersection(found), "a draft came back that the teacher had edited, deleted or sent"
        self.names.update(found)

    @invariant()
    def there_are_no_more_than_conflicts_and_wishes(self) -> None:
        assert len(self.names) <= self.quarrels + self.wishes

    @invariant()
    def none_leaves_by_itself(self) -> None:
        assert not [raw for _, raw in self.maple.system.departed if b"\nX-Alliance-Inbox: draft" in raw]

    def teardown(self) -> None:
        """In the end, with everybody at work again, no wish is left standing."""
        self.maple.rounds(10)
        self.what_the_teacher_touched_stays_as_they_left_it()
        self.there_are_no_more_than_conflicts_and_wishes()
        asked = [stored for stored in self.account.inbox.values() if Label.ANOTHER_DRAFT in stored.labels]
        assert not asked, "a teacher who asked was forgotten"
        super().teardown()


TestAnyDraft = AnyDraft.TestCase
TestAnyDraft.settings = settings(max_examples=20, stateful_step_count=20)
