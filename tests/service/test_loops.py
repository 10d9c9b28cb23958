"""Programs that answer mail, let loose on each other for simulated weeks: nobody gets more answers than is promised.

Two schools' services, families' and an office's real Sieve vacations, a list as Mailman keeps one, lists that leave no
mark on anything, robots, a ticket system, forwarders, bounces, notices: on a real Dovecot and a real SMTP server. What
is promised is worked out here from the norm's own words, not from the code that keeps it.
"""

import email
import email.policy
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from config.settings import Norm
from tests.servers import dovecot, smtp_sink
from tests.servers.dovecot import Dovecot
from tests.servers.required import free_ports, lacking
from tests.service.loop_world import (
    SIEVE,
    Delivered,
    Mail,
    OnServers,
    World,
    bare_list,
    bouncer,
    bouncer_in_words,
    forwarder,
    mailing_list,
    resender,
    robot,
    ticket_system,
    vacation_of,
)
from tests.service.maple import Clock, Maple

RIVERA, OFFICE = "rivera@maple.example", "office@maple.example"
BIRCH, OTHER_OFFICE = "birch@oak.example", "office@oak.example"
ANA, PAPA = "ana@family.example", "papa@family.example"
TEACHERS, OFFICES, AWAY = (RIVERA, BIRCH), (OFFICE, OTHER_OFFICE), (PAPA, OFFICE)
USERS = (*TEACHERS, OFFICE, OTHER_OFFICE, ANA, PAPA)
PARENTS, NEIGHBOURS, VILLAGE = "parents@lists.example", "neighbours@quiet.example", "village@quiet.example"
PAT, OLD, HELPFUL = "pat@robot.example", "old@home.example", "helpful@home.example"
GONE, ODD, TICKETS = "gone@nowhere.example", "odd@nowhere.example", "tickets.example"
CHICAGO = ZoneInfo("America/Chicago")
MONDAY = date(2026, 3, 2)
HOURS = (8, 13, 18)
MANY = 160
"""More answers than two mailboxes may give ten correspondents in three weeks, by the promise: two each, four times."""
NORM = Norm()
UNMARKED = ("person", "bare list", "robot", "ticket", "sent on")
"""What no program can tell from a person's mail: there the promise alone ends a loop."""


@dataclass
class Loops:
    """The world, and the two services in it."""

    world: World
    clock: Clock
    schools: tuple[Maple, ...]
    urgent: dict[str, list[str]] = field(default_factory=lambda: {RIVERA: [], BIRCH: []})
    """Message-IDs of a family's urgent letters, by teacher."""

    def live(self, weeks: int, letters: Callable[[date], Iterable[Mail]], *, most: int = 4) -> None:
        """`letters` are written in the morning of each day; programs answer all day long."""
        for day in (MONDAY + timedelta(days=number) for number in range(7 * weeks)):
            for hour in HOURS:
                self.clock.now = datetime.combine(day, time(hour), CHICAGO).astimezone(UTC)
                if hour == HOURS[0]:
                    self.world.post(*letters(day))
                self.exchange(most)

    def exchange(self, most: int) -> None:
        """Mail goes to and fro for a while; what has not come to rest goes on hours later."""
        for _ in range(most):
            moved = self.world.tick()
            for school in self.schools:
                school.round()
            self.clock.forward(minutes=3)
            assert len(self.world.answers) < MANY, "a loop"
            if not moved:
                return

    def weeks_of(self, day: date) -> Iterator[Mail]:
        """What people, and programs that nobody asked, send on a day."""
        write, number = self.world.write, (day - MONDAY).days
        for teacher in TEACHERS:
            yield from self._to(teacher, number)
            yield self._notice_to(teacher)
        if number % 3 == 0:
            yield write(ANA, PARENTS, f"routine bake sale {number}")
            yield write(ANA, NEIGHBOURS, f"routine garage sale {number}")
            yield write(PAPA, VILLAGE, f"conflict about parking {number}")
        if number % 7 == 2:  # a teacher is a parent at the other school
            yield write(RIVERA, BIRCH, f"routine question as a mother {number}")
            yield write(BIRCH, RIVERA, f"urgent matter as a father {number}")

    def _to(self, teacher: str, number: int) -> Iterator[Mail]:
        write = self.world.write
        if number % 2 == 0:
            yield write(ANA, teacher, f"routine question of day {number}")
        if number % 5 == 1:
            letter = write(ANA, teacher, f"urgent bus of day {number}", "Please call me before the bell.")
            self.urgent[teacher].append(str(letter.parsed["Message-ID"]).strip("<>"))
            yield letter
        if number % 7 == 3:
            yield write(PAPA, teacher, f"conflict about day {number}")
            yield from (write(teacher, each, "Our week", "We read about whales.") for each in (PAPA, GONE))
        if number % 6 == 0:
            yield write(PAT, teacher, f"routine offer {number}", kind="robot")
        if number % 4 == 0:
            yield from (write(each, teacher, f"routine hello {number}") for each in (GONE, ODD, OLD, HELPFUL))

    def _notice_to(self, teacher: str) -> Mail:
        """What the school's own service tells a teacher in the morning."""
        marks = {"Auto_Submitted": "auto-generated", "X_Alliance_Inbox": "digest"}
        return self.world.write(f"Alliance Inbox <{teacher}>", teacher, "urgent and more", kind="notice", **marks)


@pytest.fixture
def loops() -> Iterator[Loops]:
    with _running(NORM) as made:
        yield made


@contextmanager
def _running(norm: Norm) -> Iterator[Loops]:
    if shutil.which("sievec") is None:
        lacking("Dovecot's Sieve is not installed; on Debian: apt-get install dovecot-sieve")
    (port,) = free_ports(1)
    with dovecot.running(users=USERS, extra=SIEVE.format(port=port)) as imap:
        for address in AWAY:
            _goes_away(imap, address)
        clock = Clock()
        world = World(imap, clock)
        with smtp_sink.running(port=port, then=world.take) as smtp:
            servers = OnServers(imap, smtp, clock)
            schools = tuple(_school(*each, servers, clock, norm) for each in zip(TEACHERS, OFFICES, strict=True))
            _introduce(world)
            for school in schools:
                school.round()
            yield Loops(world, clock, schools)
            servers.close()


def _goes_away(imap: Dovecot, address: str) -> None:
    script = imap.home(address) / ".dovecot.sieve"
    script.write_text(vacation_of(address))
    imap.own(imap.home(address))


def _school(teacher: str, office: str, servers: OnServers, clock: Clock, norm: Norm) -> Maple:
    school = Maple(teachers=(teacher,), office={"address": office, "minutes": None}, norm=norm)
    school.system, school.clock = servers, clock  # type: ignore[assignment]
    return school


def _introduce(world: World) -> None:
    everybody = (*TEACHERS, ANA, PAPA, PAT)
    world.correspondents |= {
        PARENTS: mailing_list(world, PARENTS, everybody),
        NEIGHBOURS: bare_list(world, NEIGHBOURS, (*TEACHERS, ANA, PAPA)),
        VILLAGE: bare_list(world, VILLAGE, (*TEACHERS, ANA, PAPA), hides_authors=True),
        PAT: robot(world, PAT),
        f"@{TICKETS}": ticket_system(world, TICKETS),
        OLD: forwarder(world, OLD, BIRCH),
        HELPFUL: resender(world, HELPFUL, RIVERA),
        GONE: bouncer(world, GONE),
        ODD: bouncer_in_words(world, ODD),
    }


def school_days_after(first: date, last: date) -> int:
    """School days from the day after `first` to `last`, weekends left out."""
    days = (first + timedelta(days=number) for number in range(1, (last - first).days + 1))
    return sum(day.weekday() < 5 for day in days)


def is_urgent(answered: Delivered) -> bool:
    """Whether a mail gets the urgent note: by its subject, behind the names of lists, as our reader has it."""
    return answered.subject.rpartition("] ")[2].startswith("urgent")


def check_the_promise(world: World) -> None:
    """One answer to a sender within four school days, and an urgent one after another; never two alike."""
    given: dict[tuple[str, str], list[tuple[date, bool]]] = {}
    for answer in world.answers:
        day = answer.at.astimezone(CHICAGO).date()
        given.setdefault((answer.mailbox, answer.to), []).append((day, is_urgent(world.delivered[answer.answered])))
    for pair, answers in given.items():
        for number, (day, urgent) in enumerate(answers):
            for earlier, was_urgent in answers[:number]:
                days = school_days_after(earlier, day)
                assert days >= NORM.answer_again_after_school_days or (urgent and not was_urgent), (pair, earlier, day)


def originals_at(office: str, loops: Loops) -> Counter[str]:
    """Message-IDs of the letters that lie, attached, in an office's mailbox."""
    with loops.world.dovecot.client(office) as client:
        client.select_folder("INBOX", readonly=True)
        found = client.fetch(client.search(), ["BODY.PEEK[]"])
    mails = (email.message_from_bytes(each[b"BODY[]"], policy=email.policy.default) for each in found.values())
    attached = (
        part.get_payload(0) for mail in mails for part in mail.walk() if part.get_content_type() == "message/rfc822"
    )
    return Counter(str(original["Message-ID"]).strip("<>") for original in attached)


def test_programs_that_answer_programs_get_no_more_than_is_promised(loops: Loops) -> None:
    loops.live(3, loops.weeks_of)
    world = loops.world
    programs = ("vacation", "list", "bare list", "robot", "bounce", "bounce in words", "sent on", "notice")
    assert all(world.seen[kind] > 3 for kind in programs), world.seen
    assert {world.delivered[answer.answered].kind for answer in world.answers} <= set(UNMARKED)
    check_the_promise(world)
    for teacher, office in zip(TEACHERS, OFFICES, strict=True):
        at_office = originals_at(office, loops)
        assert all(at_office[letter] == 1 for letter in loops.urgent[teacher]), "an urgent letter is lost, or doubled"
        urgent = [each for each in world.answers if (each.mailbox, each.to) == (teacher, ANA)]
        assert len(urgent) > 3, "families are answered all the time"


def test_a_ticket_system_of_ever_new_addresses_is_stopped_and_urgent_mail_goes_on_all_the_while() -> None:
    """No guard can see this loop: each mail is new, from somebody new, and marked by nothing."""
    hour, pause = 6, timedelta(hours=24)
    with _running(Norm(answers_per_hour=hour, answers_pause_hours=24)) as loops:
        world = loops.world

        def letters(day: date) -> Iterator[Mail]:
            for teacher in TEACHERS:
                yield world.write(f"case.{day.day}@{TICKETS}", teacher, "routine ticket", kind="ticket")
                if day.weekday() == 2:
                    letter = world.write(ANA, teacher, "urgent bus", "Please call me before the bell.")
                    loops.urgent[teacher].append(str(letter.parsed["Message-ID"]).strip("<>"))
                    yield letter

        loops.live(1, letters, most=18)
        for teacher, office in zip(TEACHERS, OFFICES, strict=True):
            ours = [answer for answer in world.answers if answer.mailbox == teacher]
            tickets = [answer.at for answer in ours if answer.to.endswith(TICKETS)]
            assert len(tickets) > hour, "it goes on by itself after the pause"
            for number, at in enumerate(tickets[hour:]):
                assert at - tickets[number] >= pause, "more than an hour may hold, and no pause after it"
            assert [answer.answered for answer in ours if answer.to == ANA] == loops.urgent[teacher]
            assert originals_at(office, loops) == Counter(loops.urgent[teacher])
