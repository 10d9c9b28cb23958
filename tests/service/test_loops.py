"""Programs that answer mail, let loose on each other for simulated weeks: nobody gets more answers than is promised.

Two schools' services, families' and an office's real Sieve vacations, a list as Mailman keeps one, lists that leave no
mark on anything, robots, a ticket system, forwarders, bounces, the services' own notices and morning mails, and for
each mark that a guard knows a program that bears it alone: on a real Dovecot and a real SMTP server. What is promised
is worked out here from the norm's own words, not from the code that keeps it: no answer at all to what shows that it
is a program's, and few to whom nothing tells from a person. That somebody had an answer lately is no excuse for a
guard: each kind that gets none comes also from somebody who had none.
"""

import email
import email.policy
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from autoresponder.guards import GUARDS, Case
from autoresponder.plan import History
from config.settings import MailboxSettings, Norm
from connectors.mime import parse_message
from service.digest import MorningMail
from service.notices import compose_notice, notice_message_id
from store.parking import Taken
from store.tables import Notice, NoticeKind, Parking
from tests.servers import dovecot, smtp_sink
from tests.servers.dovecot import Dovecot
from tests.servers.required import free_ports, lacking
from tests.service.loop_programs import (
    ONE_MARK,
    address_of_marked,
    bare_list,
    bouncer,
    bouncer_in_words,
    forwarder,
    kind_of_marked,
    mailing_list,
    marked,
    resender,
    robot,
    stand_in,
    ticket_system,
    write_marked,
)
from tests.service.loop_world import SIEVE, Delivered, Mail, OnServers, World, vacation_of
from tests.service.maple import Clock, Maple

RIVERA, OFFICE = "rivera@maple.example", "office@maple.example"
BIRCH, OTHER_OFFICE = "birch@oak.example", "office@oak.example"
ANA, PAPA, MAMA = "ana@family.example", "papa@family.example", "mama@family.example"
TEACHERS, OFFICES, AWAY = (RIVERA, BIRCH), (OFFICE, OTHER_OFFICE), (PAPA, MAMA, OFFICE)
USERS = (*TEACHERS, OFFICE, OTHER_OFFICE, ANA, PAPA, MAMA)
PARENTS, NEIGHBOURS, VILLAGE = "parents@lists.example", "neighbours@quiet.example", "village@quiet.example"
STRIPPED = "circle@quiet.example"
PAT, OLD, HELPFUL = "pat@robot.example", "old@home.example", "helpful@home.example"
GONE, ODD, TICKETS = "gone@nowhere.example", "odd@nowhere.example", "tickets.example"
CHICAGO = ZoneInfo("America/Chicago")
MONDAY = date(2026, 3, 2)
HOURS = (7, 13, 18)
"""The first is the hour before school, in which the services write their morning mails."""
WEEKS = int(os.environ.get("ALLIANCE_LOOP_WEEKS", "3"))
"""How long it goes on. Three weeks hold three of the norm's windows and the beginning of a fourth."""
NORM = Norm()
UNMARKED = frozenset({"person", "bare list", "robot", "ticket", "sent on"})
"""What no program can tell from a person's mail: there the promise alone ends a loop."""
ANSWERABLE = frozenset({ANA, PAPA, PAT, OLD, HELPFUL, GONE, ODD, VILLAGE, *TEACHERS})
"""Who writes what is answered."""
NEVER = (
    *("vacation", "list", "stripped list", "bounce", "notice", "passed on", "ours: reply"),
    *map(kind_of_marked, ONE_MARK),
)
"""Programs' mail that shows it: none of it is ever answered."""


@dataclass
class Loops:
    """The world, and the two services in it."""

    world: World
    clock: Clock
    schools: tuple[Maple, ...]
    urgent: dict[str, list[str]] = field(default_factory=lambda: {RIVERA: [], BIRCH: []})
    """Message-IDs of a family's urgent letters, by teacher."""

    def live(self, weeks: int, letters: Callable[[date], Iterable[Mail]], *, answers: int, ticks: int = 4) -> None:
        """`letters` are written in the morning of each day; programs answer all day long. More than so many `answers`
        are a loop that the promise does not allow, and it need not be watched to its end."""
        for day in (MONDAY + timedelta(days=number) for number in range(7 * weeks)):
            for hour in HOURS:
                self.clock.now = datetime.combine(day, time(hour), CHICAGO).astimezone(UTC)
                if hour == HOURS[0]:
                    self.world.post(*letters(day))
                self._exchange(ticks)
                assert len(self.world.answers) <= answers, "a loop"

    def _exchange(self, ticks: int) -> None:
        """Mail goes to and fro for a while; what has not come to rest goes on hours later."""
        for _ in range(ticks):
            moved = self.world.tick()
            for school, teacher in zip(self.schools, TEACHERS, strict=True):
                school.round()
                MorningMail(school.assembly()).look_after(school.box(teacher), school.mailbox(teacher))
            self.clock.forward(minutes=3)
            if not moved:
                return

    def weeks_of(self, day: date) -> Iterator[Mail]:
        """What people, and programs that nobody asked, send on a day."""
        write, number = self.world.write, (day - MONDAY).days
        for teacher in TEACHERS:
            yield from self._to(teacher, number)
        if number % 3 == 0:
            yield write(ANA, PARENTS, f"routine bake sale {number}")
            yield write(f"neighbour.{number}@family.example", PARENTS, f"routine swap of boots {number}")
            yield write(ANA, NEIGHBOURS, f"routine garage sale {number}")
            yield write(PAPA, VILLAGE, f"conflict about parking {number}")
            yield write(f"friend.{number}@family.example", STRIPPED, f"urgent call for helpers {number}")
        # A teacher is a parent at the other school. Weeks lie between, so that no answer hides the other's answer.
        if number % 14 == 2:
            yield write(RIVERA, BIRCH, f"routine question as a mother {number}")
        if number % 14 == 9:
            yield write(BIRCH, RIVERA, f"urgent matter as a father {number}")
        if number % 7 == 4:
            yield self._notice(BIRCH, RIVERA)

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
            readers = (PAPA, MAMA, GONE, *map(address_of_marked, ONE_MARK))
            yield from (write(teacher, each, "Our week", "We read about whales.") for each in readers)
        if number % 6 == 0:
            yield write(PAT, teacher, f"routine offer {number}", kind="robot")
        if number % 4 == 0:
            yield from (write(each, teacher, f"routine hello {number}") for each in (GONE, ODD, OLD, HELPFUL))

    def _notice(self, sender: str, administrator: str) -> Mail:
        """What the service at the other school tells its administrator, who teaches here."""
        now, (*_, other) = self.clock(), self.schools
        parked = (Parking(mailbox=sender, since=now, reason="urgent: the server refuses the password"),)
        name = notice_message_id(NoticeKind.PARKED, parked, sender)
        notice = Notice(kind=NoticeKind.PARKED, rfc_message_id=name, created_at=now, next_attempt_at=now)
        raw = compose_notice(
            Taken(notice, parked), other.settings, parked=1, sender=sender, recipient=administrator, now=now
        )
        assert raw is not None
        return Mail(sender, administrator, raw, "notice")


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
        STRIPPED: bare_list(world, STRIPPED, everybody, path="circle-bounces@quiet.example"),
        VILLAGE: bare_list(world, VILLAGE, (*TEACHERS, ANA, PAPA), hides_authors=True),
        PAT: robot(world, PAT),
        f"@{TICKETS}": ticket_system(world, TICKETS),
        OLD: forwarder(world, OLD, BIRCH),
        HELPFUL: resender(world, HELPFUL, RIVERA),
        GONE: bouncer(world, GONE),
        ODD: bouncer_in_words(world, ODD),
        BIRCH: stand_in(RIVERA),
        **{address_of_marked(guard): marked(world, guard) for guard in ONE_MARK},
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
        given.setdefault((answer.mailbox, answer.to), []).append(
            (day, is_urgent(world.delivered[answer.mailbox, answer.answered]))
        )
    for pair, answers in given.items():
        for number, (day, urgent) in enumerate(answers):
            for earlier, was_urgent in answers[:number]:
                days = school_days_after(earlier, day)
                assert days >= NORM.answer_again_after_school_days or (urgent and not was_urgent), (pair, earlier, day)


def most_answers(weeks: int) -> int:
    """More answers than the promise allows two mailboxes to give: to each sender two in each window, the urgent one
    after the other."""
    windows = -(-5 * weeks // NORM.answer_again_after_school_days)
    return len(TEACHERS) * len(ANSWERABLE) * windows * 2


def nothing_hides(kind: str, world: World) -> bool:
    """Whether a teacher got a mail of this kind from somebody who had no answer from there within the window."""
    came = [each for each in world.delivered.values() if each.kind == kind and each.mailbox in TEACHERS]
    given = {(answer.mailbox, answer.to) for answer in world.answers}
    return any((each.mailbox, each.sender) not in given or _had_none_lately(each, world) for each in came)


def _had_none_lately(came: Delivered, world: World) -> bool:
    days = (
        school_days_after(answer.at.astimezone(CHICAGO).date(), came.at.astimezone(CHICAGO).date())
        for answer in world.answers
        if (answer.mailbox, answer.to) == (came.mailbox, came.sender) and answer.at <= came.at
    )
    return all(each >= NORM.answer_again_after_school_days for each in days)


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
    loops.live(WEEKS, loops.weeks_of, answers=most_answers(WEEKS))
    world = loops.world
    answered = Counter(world.delivered[answer.mailbox, answer.answered].kind for answer in world.answers)
    assert set(answered) <= UNMARKED, "a program that says that it is one had an answer"
    assert {answer.to for answer in world.answers} <= ANSWERABLE
    check_the_promise(world)
    assert [kind for kind in NEVER if not nothing_hides(kind, world)] == [], "only an earlier answer keeps these quiet"
    assert all(answered[kind] > 3 for kind in ("person", "robot")), answered
    programs = (*NEVER, *UNMARKED - {"ticket"}, "bounce in words", "forwarded ours: reply", "ours: route")
    assert [kind for kind in programs if world.seen[kind] < 2] == [], "the world is poorer than it should be"
    for teacher, office in zip(TEACHERS, OFFICES, strict=True):
        at_office = originals_at(office, loops)
        assert all(at_office[letter] == 1 for letter in loops.urgent[teacher]), "an urgent letter is lost, or doubled"
        urgent = [each for each in world.answers if (each.mailbox, each.to) == (teacher, ANA)]
        assert len(urgent) > 3, "families are answered all the time"


@pytest.mark.parametrize("guard", ONE_MARK)
def test_a_program_with_one_mark_is_known_by_one_guard_alone(guard: str, tmp_path: Path) -> None:
    """So in the world above nothing else keeps it quiet, and the mark's guard is missed there."""
    clock = Clock()
    mail = write_marked(World(Dovecot(tmp_path), clock), guard, RIVERA)
    case = Case(
        message=parse_message(
            f"Return-Path: <{mail.sender}>\r\n".encode() + mail.raw, mailbox=RIVERA, id="1", received_at=clock.now
        ),
        history=History(connected_at=clock.now - timedelta(days=1)),
        norm=NORM,
        now=clock.now,
        mailbox=MailboxSettings(address=RIVERA, teacher="Ms. Rivera"),
    )
    assert [each.__name__ for each in GUARDS if each(case) is not None] == [guard]


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

        loops.live(1, letters, answers=len(TEACHERS) * 7 * (hour + 1), ticks=18)
        for teacher, office in zip(TEACHERS, OFFICES, strict=True):
            ours = [answer for answer in world.answers if answer.mailbox == teacher]
            tickets = [answer.at for answer in ours if answer.to.endswith(TICKETS)]
            assert len(tickets) > hour, "it goes on by itself after the pause"
            for number, at in enumerate(tickets[hour:]):
                assert at - tickets[number] >= pause, "more than an hour may hold, and no pause after it"
            assert [answer.answered for answer in ours if answer.to == ANA] == loops.urgent[teacher]
            assert originals_at(office, loops) == Counter(loops.urgent[teacher])
