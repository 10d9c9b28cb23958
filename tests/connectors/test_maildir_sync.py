"""Reading a Maildir while families write, the teacher works in it, and the service restarts, in any order."""

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, rule

from connectors.contract import Reader
from connectors.contract.mails import family_id, family_mail, reply, reply_id
from connectors.contract.reader import message_id_of
from connectors.errors import MessageGone
from connectors.labels import Label
from connectors.mailbox import Changes
from tests.connectors.maildir_world import ADDRESS, MaildirWorld, files_in, flags_of

LABELS = st.frozensets(st.sampled_from(Label))


class MaildirUnderWay(RuleBasedStateMachine):
    """Each message is told as new exactly once, and the record comes to hold the labels that the mailbox shows."""

    mails = Bundle("mails")

    @initialize(old=st.integers(0, 5), limit=st.integers(1, 4))
    def begin(self, old: int, limit: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="maildir-"))
        self.world = MaildirWorld(self.folder)
        self.reader = Reader(self.world.open())
        self.limit = limit
        self.count = 0
        self.old = {family_id(self._arrive()) for _ in range(old)}
        self.there = set(self.old)
        self.gone: set[str] = set()
        self.told: list[str] = []
        self._take(self.reader.look(self.limit))

    def _arrive(self) -> int:
        self.world.deliver(family_mail(self.count, ADDRESS))
        self.count += 1
        return self.count - 1

    def _take(self, page: Changes) -> None:
        self.told += [message_id_of(message.raw) for message in page.messages]
        for message in page.messages:
            assert message.backfill == (message_id_of(message.raw) in self.old)
        self.reader.commit(page)

    @rule(target=mails)
    def a_family_writes(self) -> str:
        id_ = family_id(self._arrive())
        self.there.add(id_)
        return id_

    @rule()
    def the_teacher_writes(self) -> None:
        self.world.teacher_sends(reply(self.count, ADDRESS))
        self.there.add(reply_id(self.count))
        self.count += 1

    @rule(mail=mails)
    def the_mail_program_reads(self, mail: str) -> None:
        if mail in self.there:
            self.world.teacher_marks(mail)

    @rule()
    def the_mail_program_opens_the_folder(self) -> None:
        for path in (self.world.root / "new").iterdir():
            path.rename(self.world.root / "cur" / f"{path.name}:2,")

    @rule(mail=mails, labels=LABELS)
    def the_teacher_labels(self, mail: str, labels: frozenset[Label]) -> None:
        if mail in self.there:
            self.world.teacher_labels(mail, labels)

    @rule(mail=consumes(mails))
    def the_teacher_deletes(self, mail: str) -> None:
        self.world.delete(mail)
        self.there.discard(mail)
        self.gone.add(mail)

    @rule()
    def time_passes(self) -> None:
        self.world.settle()

    @rule()
    def a_page_is_committed(self) -> None:
        self._take(self.reader.look(self.limit))

    @rule()
    def a_page_is_lost(self) -> None:
        self.reader.look(self.limit)

    @rule()
    def the_service_restarts(self) -> None:
        self.reader = self.reader.restarted(self.world.open())

    @rule(labels=LABELS, which=st.randoms(use_true_random=False))
    def we_label(self, labels: frozenset[Label], which: object) -> None:
        received = sorted(id_ for id_ in self.reader.recorded if not id_.startswith("Sent/"))
        if received:
            id_ = which.choice(received)  # type: ignore[attr-defined]
            gone = self.reader.message_ids[id_] in self.gone
            try:
                self.reader.tag(id_, labels)
                assert not gone
            except MessageGone:
                assert gone

    @invariant()
    def nothing_is_told_twice(self) -> None:
        assert len(self.told) == len(set(self.told))

    def teardown(self) -> None:
        if not hasattr(self, "reader"):
            return
        for page in self.reader.pages(self.limit):
            self.told += [message_id_of(message.raw) for message in page.messages]
        self.nothing_is_told_twice()
        assert self.there <= set(self.told) <= self.there | self.gone
        shown = {message_id_of(path.read_bytes()): flags_of(path) for path in files_in(self.world.root)}
        for message_id in shown:
            assert self.reader.labels_of(message_id) == self.world.marks(message_id).labels
        self.world.settle()
        self.reader.pages()
        known = {id_ for id_ in self.reader.message_ids.values() if id_ not in self.gone}
        assert known == self.there
        settled = self.reader.cursor
        assert self.reader.look() == Changes(cursor=str(settled)), "a mailbox at rest is not read again"
        shutil.rmtree(self.folder)


TestMaildirUnderWay = MaildirUnderWay.TestCase
TestMaildirUnderWay.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
