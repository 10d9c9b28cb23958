"""The town around the school: its mail systems, its families, teachers and office, and what they do day after day.

Everything here acts by mail programs and mail systems; nothing knows of the service's database. `Town` may live in a
process of its own (`in_own_process`), so that what it keeps is not taken for memory of the service.
"""

import email
import email.policy
import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from email.message import EmailMessage
from email.utils import format_datetime, getaddresses
from functools import partial
from itertools import count
from multiprocessing import get_context
from multiprocessing.managers import BaseManager
from pathlib import Path
from random import Random

from connectors.contract.reader import message_id_of
from connectors.labels import Label, Tag
from connectors.message import MARKER
from service.sample.envelopes import DOMAIN
from service.sample.history.course import Course
from service.sample.history.people import Room
from service.sample.letters import SampleMail
from tests.soak.habits import Habits
from tests.soak.judge import Judge
from tests.soak.mail_systems import MailSystems, Systems
from tests.soak.program import Program, header_of
from tests.soak.year import (
    ALLIANCE,
    JOINER,
    LEADER,
    LEAVER,
    LEE,
    MOVED,
    OFFICE,
    PRINCIPAL,
    ZONE,
    Year,
    calendar_of,
    is_school_day,
    local,
)

_KEPT_IN_INBOX = timedelta(days=45)
_RETENTION = timedelta(days=120)
"""What is older the mail servers delete on the first Sunday of each month."""
_CORRECTED, _CLAIMED_BY_REPLY, _VACATIONS, _TO_TWO, _ANSWERS_DIGEST = 0.6, 0.5, 0.04, 0.04, 0.25
_ON_REAL_TIME = ("writing", "box", "transport", "call", "store")
"""Modules of the Exchange stand-in that ask the machine for the time."""


@dataclass(order=True)
class _Due:
    at: datetime
    number: int
    act: Callable[[], None] = field(compare=False)


class Town:
    """See above. `now` is the town's time; everything that is to happen up to a moment happens in `advance`."""

    def __init__(self, folder: Path, year: Year) -> None:
        """Starts the mail systems; `close` ends them."""
        self.year, self.folder = year, folder
        self.now = local(year.first, 5)
        self.judge = Judge()
        self._due: list[_Due] = []
        self._numbers = count(1)
        self._letters = count(1)
        self._written_to: set[str] = set()
        self._rooms: dict[str, Room] = {}
        self._retired: dict[str, Program] = {}
        self.did: Counter[str] = Counter()
        """What people did, for the final table."""
        self._systems = MailSystems(folder, year, lambda: self.now)
        self._programs = self._systems.programs()
        for address in self._programs:
            self.judge.connected(address, self.now)
        self._course: Course = year.course(calendar_of(year))
        self._waiting = [mail for mail in self._course.mails if f"{mail.mailbox}@{DOMAIN}" in self._systems.addresses]
        self._plans = list(self._course.plans)
        self._there = {mail.file_name: mail.message_id for mail in self._waiting}
        self._meant: dict[tuple[str, str], Tag] = {}
        self._urgent_at: list[datetime] = []
        self._habits = Habits(self._programs, self.judge, self._meant, self._written_to, self.did, lambda: self.now)

    # Whose mailboxes there are

    def systems(self) -> Systems:
        """Where the service finds the mail systems."""
        return self._systems.told()

    def moves(self) -> int:
        """A mailbox goes from Exchange to Microsoft 365. How many messages it held."""
        moved, program = self._systems.moves(f"{MOVED}@{DOMAIN}")
        self._programs[f"{MOVED}@{DOMAIN}"] = program
        return moved

    def leaves(self) -> None:
        """Somebody's mailbox is looked after no more; it goes on existing for a while."""
        address = f"{LEAVER}@{DOMAIN}"
        self._retired[address] = self._programs.pop(address)
        self.judge.retired(address, self._retired[address].shown(), self._retired[address].sent())

    def joins(self) -> None:
        """Somebody new has a mailbox."""
        address = f"{JOINER}@{DOMAIN}"
        self._programs[address] = self._systems.maildir(address)
        self.judge.connected(address, self.now)

    def rooms(self, rooms: Mapping[str, Room]) -> None:
        """Who is in which class now."""
        self._rooms = dict(rooms)

    # What happens

    def begin(self, day: date) -> None:
        """Makes up the day: mail, and what people do."""
        random = Random(f"day {self.year.seed} {day}")
        self._urgent_at = []
        while self._waiting and self._waiting[0].arrives.date() <= day:
            mail = self._waiting.pop(0)
            self._at(mail.arrives, partial(self._comes, mail))
            self._urgent_at += [mail.arrives] if mail.meant is Tag.URGENT else []
        while self._plans and self._plans[0].at.date() <= day:
            plan = self._plans.pop(0)
            self._at(
                plan.at, partial(self._habits.marks_plan, f"{plan.mailbox}@{DOMAIN}", self._there.get(plan.file_name))
            )
        self._noise(day, random)
        if day == self.year.moves_on:
            self._at(local(day, 5, 30), partial(self._before_the_move, random))
        if local(day, 0).utcoffset() != local(day + timedelta(days=1), 0).utcoffset():
            self._night_of_the_clocks(day, random)
        if is_school_day(day):
            self._at(local(day, 17, 10), partial(self._habits.correct, random))
            self._at(local(day, 17, 30), partial(self._habits.send_drafts, random))
            if random.random() < 0.3:
                self._at(local(day, 17, 40), partial(self._habits.untidy, random))
            if day.weekday() == 4:
                self._at(local(day, 18), partial(self._habits.tidy, random))
        if day.weekday() == 6 and day.day <= 7:
            self._at(local(day, 3), self._habits.expire)

    def urgent_looks(self) -> list[datetime]:
        """When today's mail arrives that cannot wait."""
        return sorted(self._urgent_at)

    def advance(self, now: datetime) -> set[str]:
        """Lives on until `now`. Which mailboxes got mail, or were changed, since this was last asked."""
        while self._due and self._due[0].at.timestamp() <= now.timestamp():
            due = heapq.heappop(self._due)
            self._set(max(due.at, self.now, key=datetime.timestamp).astimezone(ZONE))
            due.act()
        self._set(now)
        touched = set(self._written_to)
        self._written_to.clear()
        return touched

    def _set(self, now: datetime) -> None:
        self.now = now.astimezone(ZONE)
        self._systems.set_clock(now)

    def post(self) -> None:
        """Takes what the service, and teachers, sent to whom it is for."""
        for address, program in (*self._programs.items(), *self._retired.items()):
            for raw in program.departed():
                self._posted(address, raw)

    def _posted(self, mailbox: str, raw: bytes) -> None:
        named = getaddresses([header_of(raw, "To"), header_of(raw, "Cc")])
        to = [address.lower() for _, address in named if address]
        marker = header_of(raw, MARKER)
        self.judge.left(mailbox, raw, marker, to, self.now)
        random = Random(f"post {self.year.seed} {header_of(raw, 'Message-ID')}")
        for recipient in to:
            if recipient in self._programs:
                self._arrives(recipient, raw, "service", self.now)
                if marker == "notice" and recipient == mailbox and random.random() < _ANSWERS_DIGEST:
                    self._at(self.now + timedelta(minutes=25), partial(self._answers_digest, mailbox, raw, random))
        if marker == "route" and OFFICE in to and random.random() < _CLAIMED_BY_REPLY:
            self._office_says(mailbox, raw, "Taken, thank you.", timedelta(minutes=8))
            self._office_says(mailbox, raw, "Done.", timedelta(minutes=50))
        if marker == "reply" and random.random() < _VACATIONS:
            self._at(self.now + timedelta(minutes=1), partial(self._vacation, mailbox, raw, to[0]))

    def _at(self, at: datetime, act: Callable[[], None]) -> None:
        # In UTC: moments of one zone are compared by their digits, and on one day a year an hour comes twice (PEP 495).
        heapq.heappush(self._due, _Due(at.astimezone(UTC), next(self._numbers), act))

    def _comes(self, mail: SampleMail) -> None:
        address = f"{mail.mailbox}@{DOMAIN}"
        program = self._programs.get(address)
        if program is None:
            return
        self._written_to.add(address)
        if mail.sent:
            program.sends(mail.raw, self.now)
            self.judge.teacher_wrote(address, mail.raw, self.now)
            return
        if mail.meant is not None:
            self._meant[address, mail.message_id] = mail.meant
        self._arrives(address, mail.raw, "family" if mail.meant is not None else "robot", self.now)

    def _arrives(self, address: str, raw: bytes, kind: str, at: datetime) -> None:
        self._programs[address].deliver(raw, at)
        self._written_to.add(address)
        self.judge.arrived(address, raw, kind, at)
        self.did[f"mail: {kind}"] += 1

    def _noise(self, day: date, random: Random) -> None:
        """What comes beside families' letters."""
        addresses = sorted(set(self._programs) - {ALLIANCE})
        for address in addresses:
            if random.random() < 0.5:
                at = _moment(day, random)
                unsubscribe = {"List_Unsubscribe": "<mailto:leave@shop.example>"}
                news = self._mail(
                    "news@shop.example", [address], "This week's offers", "Read on.", random, at=at, **unsubscribe
                )
                self._at(at, partial(self._arrive, address, news, "robot"))
            if is_school_day(day) and random.random() < 0.4:
                colleague = random.choice(addresses)
                at = _moment(day, random)
                note = self._mail(colleague, [address], "Duty on Friday", "Could you swap with me?", random, at=at)
                self._at(at, partial(self._arrive, address, note, "staff"))
        if is_school_day(day) and random.random() < _TO_TWO * len(addresses):
            both = random.sample(addresses, 2)
            room = random.choice(list(self._rooms.values()))
            guardian = random.choice(random.choice(room.children).guardians)
            at = _moment(day, random)
            body = "What does my child need for the trip?"
            mail = self._mail(guardian.writes_from[0], both, "Trip on Thursday", body, random, at=at)
            for address in both:
                self._at(at, partial(self._arrive, address, mail, "family"))

    def _before_the_move(self, random: Random) -> None:
        """Mail that comes to Exchange and is first seen on Microsoft 365."""
        address = f"{MOVED}@{DOMAIN}"
        room = next(each for each in self._rooms.values() if f"{each.teacher.mailbox}@{DOMAIN}" == address)
        for child in room.children[:3]:
            sender = child.guardians[0].writes_from[0]
            mail = self._mail(sender, [address], "Monday", "When does the bus leave on Monday?", random)
            self._arrives(address, mail, "family", self.now)

    def _night_of_the_clocks(self, day: date, random: Random) -> None:
        """The clocks are changed tonight: families write before and after, and within the hour that comes twice."""
        for half_hours in range(8):
            at = local(day, 0).astimezone(UTC) + timedelta(minutes=15 + 30 * half_hours)
            room = random.choice(list(self._rooms.values()))
            guardian = random.choice(random.choice(room.children).guardians)
            address = f"{room.teacher.mailbox}@{DOMAIN}"
            mail = self._mail(
                guardian.writes_from[0], [address], "A question", "When is the next open house?", random, at=at
            )
            self._at(at, partial(self._arrive, address, mail, "family"))

    def _arrive(self, address: str, raw: bytes, kind: str) -> None:
        if address in self._programs:
            self._arrives(address, raw, kind, self.now)

    def _mail(
        self,
        sender: str,
        to: list[str],
        subject: str,
        body: str,
        random: Random,
        *,
        at: datetime | None = None,
        **headers: str,
    ) -> bytes:
        mail = EmailMessage(policy=email.policy.SMTP)
        mail["From"], mail["To"], mail["Subject"] = sender, ", ".join(to), subject
        domain = sender.partition("@")[2]
        mail["Message-ID"] = f"<town-{next(self._letters)}-{random.randrange(1 << 32):x}@{domain}>"
        for name, value in headers.items():
            mail[name.replace("_", "-")] = value
        mail["Date"] = format_datetime(at or self.now)
        mail.set_content(f"{body}\n")
        return mail.as_bytes()

    def _reply(self, raw: bytes, sender: str, to: str, body: str, **headers: str) -> bytes:
        random = Random(message_id_of(raw))
        original = header_of(raw, "Message-ID")
        references = f"{header_of(raw, 'References')} {original}".strip()
        subject = f"Re: {header_of(raw, 'Subject').removeprefix('Re: ')}"
        return self._mail(
            sender, [to], subject, body, random, In_Reply_To=original, References=references, **headers
        )  # fmt: skip

    def _vacation(self, mailbox: str, raw: bytes, family: str) -> None:
        """A family's mail program answers ours: nothing may come of it."""
        if mailbox in self._programs:
            answer = self._reply(raw, family, mailbox, "I am away.", Auto_Submitted="auto-replied")
            self._arrives(mailbox, answer, "robot", self.now)

    def _office_says(self, mailbox: str, raw: bytes, words: str, after: timedelta) -> None:
        at = self.now + after
        if at.time() < time(7, 40) or at.time() > time(16):
            at = local(at.date() + timedelta(days=at.time() > time(16)), 8, 20) + after
        self._at(at, partial(self._says, mailbox, raw, words))

    def _says(self, mailbox: str, raw: bytes, words: str) -> None:
        if mailbox in self._programs:
            self._arrives(mailbox, self._reply(raw, LEE, mailbox, words), "office", self.now)
            self.did["office says, by mail"] += 1

    def _answers_digest(self, mailbox: str, raw: bytes, random: Random) -> None:
        program = self._programs.get(mailbox)
        rooms = [room for room in self._rooms.values() if f"{room.teacher.mailbox}@{DOMAIN}" == mailbox]
        if program is None or not rooms:
            return
        child = random.choice(rooms[0].children)
        words = random.choice((f"Called the family of {child.name}, good news", "drafts please"))
        answer = self._reply(raw, mailbox, mailbox, words)
        program.sends(answer, self.now)
        self._arrives(mailbox, answer, "to oneself", self.now)
        self.did["digest answered"] += 1

    # Judging

    def judged(self, day: date) -> list[str]:
        """What is not as promised at the end of a day, a sentence each."""
        shown = {address: program.shown() for address, program in self._programs.items()}
        retired = {address: (each.shown(), each.sent()) for address, each in self._retired.items()}
        drafts = {address: program.drafts() for address, program in self._programs.items()}
        found = self.judge.day(day, shown, drafts, retired)
        return [*found, *self._systems.violations()]

    def counts(self) -> Counter[str]:
        """What happened so far."""
        return self.did + self.judge.counts

    def labels(self, address: str) -> Mapping[str, frozenset[Label]]:
        """What a teacher sees."""
        return self._programs[address].shown()

    def doubles_an_answer(self) -> None:
        """For a test of the judge: the last answer leaves once more."""
        mailbox, raw = self.judge.last_answer
        self._posted(mailbox, raw)

    def close(self) -> None:
        """Ends the mail systems."""
        self._systems.close()


def _moment(day: date, random: Random) -> datetime:
    return local(day, 6) + timedelta(seconds=random.randrange(15 * 3600))


class _Manager(BaseManager):
    """Runs a town in a process of its own."""


_Manager.register("Town", Town)


@contextmanager
def in_own_process(folder: Path, year: Year) -> Iterator[Town]:
    """A town in a process of its own, ended with the block."""
    with _Manager(ctx=get_context("spawn")) as manager:
        town: Town = manager.Town(folder, year)  # type: ignore[attr-defined]
        try:
            yield town
        finally:
            town.close()


@contextmanager
def in_this_process(folder: Path, year: Year) -> Iterator[Town]:
    """A town in this process: begins sooner, and its memory counts with the service's."""
    town = Town(folder, year)
    try:
        yield town
    finally:
        town.close()


__all__ = ["LEADER", "PRINCIPAL", "Systems", "Town", "in_own_process", "in_this_process"]
