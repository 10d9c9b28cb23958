"""What teachers do in their own mail programs: set tags right, mark plans, send drafts, and tidy up."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

from connectors.labels import Label, Tag, tag_of
from connectors.message import MARKER
from tests.soak.judge import Judge
from tests.soak.program import Program, header_of, teachers_word
from tests.soak.year import ALLIANCE

_KEPT_IN_INBOX = timedelta(days=45)
_RETENTION = timedelta(days=120)
"""What is older the mail servers delete on the first Sunday of each month."""
_CORRECTED = 0.6


class Habits:
    """The teachers of a town, which shares with them whose programs there are and what families meant; `changed` takes
    the mailboxes that they touched."""

    def __init__(
        self,
        programs: dict[str, Program],
        judge: Judge,
        meant: dict[tuple[str, str], Tag],
        changed: set[str],
        did: Counter[str],
        clock: Callable[[], datetime],
    ) -> None:
        self._programs, self._judge, self._meant = programs, judge, meant
        self._written_to, self._did, self._clock = changed, did, clock

    def marks_plan(self, address: str, message_id: str | None) -> None:
        program = self._programs.get(address)
        if program is None or message_id is None:
            return
        labels = program.shown().get(message_id)
        if labels is not None:
            program.label(message_id, labels | {Label.PLAN_AGREED})
            self._written_to.add(address)
            self._did["plan agreed"] += 1

    def correct(self, random: Random) -> None:
        """Sets some of today's tags right, and at times one that was right after all."""
        for address, program in self._programs.items():
            today = self._judge.arrived_on(address, self._clock().date())
            if not today:
                continue
            shown = program.shown()
            for message_id in today:
                labels, meant = shown.get(message_id), self._meant.get((address, message_id))
                said = tag_of(labels) if labels else None
                if labels is None or said is None or meant is None:
                    continue
                if said is not meant and random.random() < _CORRECTED:
                    self._sets(address, program, message_id, labels, meant)
                elif said is Tag.ROUTINE and random.random() < 0.01:
                    self._sets(address, program, message_id, labels, Tag.URGENT)

    def _sets(self, address: str, program: Program, message_id: str, labels: frozenset[Label], tag: Tag) -> None:
        program.label(message_id, teachers_word(labels, Label(tag)))
        self._written_to.add(address)
        self._judge.corrected(address, message_id, tag_of(labels), tag)
        self._did["correction"] += 1

    def untidy(self, random: Random) -> None:
        """One mailbox: labels are renamed, a mail comes back from the archive, a few are deleted."""
        address = random.choice(sorted(set(self._programs) - {ALLIANCE}))
        program = self._programs[address]
        shown = program.shown()
        family = [each for each in shown if self._judge.is_family(address, each)]
        if family:
            renamed, *gone = random.sample(family, min(3, len(family)))
            program.rename(renamed)
            program.delete(gone)
            self._judge.touched(address, renamed, *gone)
            self._did["label renamed"] += 1
            self._did["deleted"] += len(gone)
        back = self._judge.archived.get(address, [])
        if back:
            message_id = back.pop(random.randrange(len(back)))
            program.bring_back(message_id)
            self._did["brought back"] += 1
        self._written_to.add(address)

    def tidy(self, random: Random) -> None:
        """On Fridays: what is old goes into the archive, and the archive of some is emptied."""
        for address, program in self._programs.items():
            if address == ALLIANCE:
                continue
            old = self._judge.older(address, self._clock() - _KEPT_IN_INBOX)
            there = [each for each in program.shown() if each in old]
            program.archive(there)
            self._judge.moved_away(address, there)
            self._did["archived"] += len(there)
            if random.random() < 0.2:
                program.empty_archive()
                self._judge.archived[address] = []
                self._did["archive emptied"] += 1
            self._written_to.add(address)

    def send_drafts(self, random: Random) -> None:
        """Drafts of good news, and of answers, are sent by the teacher at times, or lie there."""
        for address, program in self._programs.items():
            for raw in program.drafts():
                if header_of(raw, MARKER) == "draft" and random.random() < 0.4:
                    sent = program.sends_draft(header_of(raw, "Message-ID").strip("<>"))
                    self._judge.teacher_wrote(address, sent, self._clock())
                    self._written_to.add(address)
                    self._did["draft sent by the teacher"] += 1

    def expire(self) -> None:
        for address, program in self._programs.items():
            self._did["expired"] += program.expire(self._clock() - _RETENTION)
            self._judge.expired(address, self._clock() - _RETENTION)
            self._written_to.add(address)
