"""The queue as one reader sees it: which items are theirs to see, and each of them in words. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from autoresponder.desks import members_of
from autoresponder.items import UNFINISHED, ItemState
from autoresponder.wording import Wording
from classifier.reasons import topic_in_words
from config.calendar import SchoolCalendar
from config.settings import OFFICE_DESK, Role, Settings
from connectors.labels import Tag
from scorecard.roster import Roster
from service.web.people import People, Person
from service.web.waiting import Wait, lasting, wait_of
from store.queue import Queued
from store.tables import EventKind, ItemEvent, MessageRecord

_SOON = timedelta(hours=2)


class Part(StrEnum):
    """What an item is to somebody."""

    OFFICE = "office"
    """It came to them by mail, or to a shared mailbox that they read: theirs to see to."""
    TEACHER = "teacher"
    """A message of it came to their mailbox: theirs to follow."""


def part_of(person: Person, queued: Queued, settings: Settings) -> Part | None:
    """What an item is to somebody; None where it is none of their business, as the matter of their own family is.

    The page shows an item to whoever got it by mail, and to nobody else: what the counselor alone got stays with the
    counselor. Somebody of the office who belongs to no other desk reads the front office's mail.
    """
    if person.address in queued.families:
        return None
    if person.address in members_of(queued.told, settings):
        return Part.OFFICE
    if _at_the_front(person, settings) and settings.office.address in queued.told:
        return Part.OFFICE
    own = person.mailbox is not None and any(each.mailbox == person.address for each in queued.messages)
    return Part.TEACHER if own else None


def messages_for(person: Person, part: Part, queued: Queued) -> tuple[MessageRecord, ...]:
    """The messages of an item that somebody may read: a teacher those of their own mailbox."""
    if part is Part.OFFICE:
        return queued.messages
    return tuple(each for each in queued.messages if each.mailbox == person.address)


@dataclass(frozen=True, slots=True)
class Numbers:
    """How many items there are, for those who count and read none."""

    waiting: int
    late: int
    taken: int
    settled: int


def numbers_of(items: Sequence[Queued], settings: Settings, calendar: SchoolCalendar, now: datetime) -> Numbers:
    """Counts the items of a listing."""
    waits = [each for each in items if each.item.state is ItemState.OPEN]
    return Numbers(
        waiting=len(waits),
        late=sum(wait_of(each, settings.norm, calendar, now).late for each in waits),
        taken=sum(each.item.state is ItemState.CLAIMED for each in items),
        settled=sum(each.item.state not in UNFINISHED for each in items),
    )


@dataclass(frozen=True, slots=True)
class Row:
    """One item in words."""

    reference: str
    version: str
    number: int
    part: Part
    state: ItemState
    chip: str
    """The state in a word or two."""
    late: bool
    urgent: bool
    mine: bool
    """Whether the reader has it."""
    title: str
    """What it is about."""
    students: tuple[str, ...]
    senders: tuple[str, ...]
    teachers: tuple[str, ...]
    desk: str
    mails: int
    came_at: datetime
    last_at: datetime
    holder: str
    """Name of who has it, or closed it; empty where nobody does."""
    changed_at: datetime
    standing: str
    """How it stands against the norm, a sentence."""
    age: str
    wait: Wait | None
    """None where it is settled."""
    unsure: bool
    unverified: bool

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to do."""
        return self.state not in UNFINISHED


@dataclass(frozen=True, slots=True)
class Reader:
    """Words items for one reader at one moment."""

    person: Person
    words: Wording
    settings: Settings
    calendar: SchoolCalendar
    roster: Roster
    people: People
    now: datetime

    def row(self, queued: Queued, part: Part) -> Row:
        """One item."""
        item, settled = queued.item, queued.item.state not in UNFINISHED
        wait = None if settled else wait_of(queued, self.settings.norm, self.calendar, self.now)
        messages = messages_for(self.person, part, queued)
        came_at = min((each.received_at for each in messages), default=item.opened_at)
        senders = tuple(dict.fromkeys(each.sender for each in messages if each.sender))
        students = dict.fromkeys(name for sender in senders for name in self.roster.students_of(sender))
        return Row(
            reference=item.reference,
            version=queued.version,
            number=queued.number,
            part=part,
            state=item.state,
            chip=self._chip(queued, wait),
            late=wait is not None and wait.late,
            urgent=item.tag is Tag.URGENT,
            mine=item.holder == self.person.address,
            title=self.title(item.topic),
            students=tuple(students),
            senders=senders,
            teachers=tuple(dict.fromkeys(self.teacher(each.mailbox) for each in messages)),
            desk=self.desk(queued.path[-1]),
            mails=len(messages),
            came_at=came_at,
            last_at=max((each.received_at for each in messages), default=item.opened_at),
            holder=self.name(item.holder),
            changed_at=item.changed_at,
            standing=self._standing(queued, wait),
            age=lasting(self.words, wait.age) if wait else "",
            wait=wait,
            unsure=queued.unsure and item.tag is Tag.URGENT,
            unverified=queued.unverified,
        )

    def summary(self, waiting: Sequence[Row], taken: Sequence[Row]) -> str:
        """How the queue stands, in a line: what is read out when it changes, and only then."""
        _ = self.words.gettext
        said = [
            _("Open: {open}. Taken: {taken}.").format(open=len(waiting), taken=len(taken))
            if waiting or taken
            else _("Nothing waits at the office.")
        ]
        if waiting:
            last = max(waiting, key=lambda row: row.last_at)
            latest = _("The latest came at {time}: {title}.")
            said.append(latest.format(time=self.moment(last.last_at), title=last.title))
        return " ".join(said)

    def title(self, topic: str) -> str:
        """What an item is about: "Pickup or transport"."""
        said = topic_in_words(topic, self.words.language)
        return said[:1].upper() + said[1:]

    def name(self, address: str | None) -> str:
        """What colleagues call somebody."""
        person = self.people.find(address) if address else None
        return person.name if person else address or ""

    def teacher(self, mailbox: str) -> str:
        """Whose mailbox it is."""
        return next((box.teacher for box in self.settings.mailboxes if box.address == mailbox), mailbox)

    def desk(self, name: str) -> str:
        """What the staff calls a desk."""
        return self.words.gettext("the front office") if name == OFFICE_DESK else name

    def moment(self, at: datetime) -> str:
        """A time of today, or a day and a time."""
        local, today = at.astimezone(self.calendar.zone), self.now.astimezone(self.calendar.zone)
        clock = self.words.clock(local)
        return clock if local.date() == today.date() else f"{self.words.day(local.date())}, {clock}"

    def event(self, event: ItemEvent) -> str:
        """What happened, a sentence; empty for what this version does not know."""
        _ = self.words.gettext
        sentences = {
            EventKind.OPENED: _("It came to {desk}."),
            EventKind.ADDED: _("The family wrote once more."),
            EventKind.NEXT_DESK: _("Nobody had taken it, so it went on to {desk}."),
            EventKind.ON_CALL: _("The office was closed, so it went to whoever is on call."),
            EventKind.REMINDED: _("Nobody had taken it, so everybody who had it was reminded."),
            EventKind.TAKEN: _("{who} took it."),
            EventKind.REFUSED: _("{who} wanted it too, and was told who has it."),
            EventKind.DONE: _("{who} closed it: done."),
            EventKind.NOT_URGENT: _("{who} closed it: not urgent."),
            EventKind.RETURNED: _("{who} gave it back to the teacher."),
            EventKind.CORRECTED: _("The teacher said that it is not urgent."),
            EventKind.REOPENED: _("The teacher said that it is urgent."),
            EventKind.UNCLEAR: _("{who} replied, and the reply was not understood. It changed nothing."),
        }
        who = self.name(event.by) or _("Somebody")
        return sentences.get(event.kind, "").format(who=who, desk=self.desk(event.desk or OFFICE_DESK))

    def _chip(self, queued: Queued, wait: Wait | None) -> str:
        _ = self.words.gettext
        match queued.item.state:
            case ItemState.OPEN:
                return _("Late") if wait is not None and wait.late else _("Open")
            case ItemState.CLAIMED:
                return _("Taken")
            case ItemState.DONE:
                return _("Done")
            case ItemState.NOT_URGENT:
                return _("Not urgent")
            case ItemState.RETURNED:
                return _("Back to the teacher")

    def _standing(self, queued: Queued, wait: Wait | None) -> str:
        if wait is None or wait.due is None:
            return ""
        if queued.item.state is ItemState.OPEN and queued.item.escalates_at is not None:
            return self._goes_on(queued, wait, wait.due)
        _ = self.words.gettext
        if wait.left.total_seconds() <= 0:
            return _("The family was promised an answer by {when}.").format(when=self.moment(wait.due))
        return _("The family is promised an answer by {when}.").format(when=self.moment(wait.due))

    def _goes_on(self, queued: Queued, wait: Wait, due: datetime) -> str:
        _ = self.words.gettext
        if wait.left.total_seconds() <= 0:
            return _("Nobody has taken it in time. It is going to others now.")
        if wait.left >= _SOON:
            return _("If nobody takes it, it goes to others: {when}.").format(when=self.moment(due))
        left = lasting(self.words, wait.left)
        if queued.item.steps:
            return _("Nobody took it in time. It goes to others again in {time}.").format(time=left)
        return _("If nobody takes it, it goes to others in {time}.").format(time=left)


def _at_the_front(person: Person, settings: Settings) -> bool:
    """Whether somebody reads the front office's mail: office by role, and named at no other desk."""
    if Role.OFFICE not in person.roles:
        return False
    elsewhere = {address for desk in settings.desks for address in (*desk.recipients, *desk.members)}
    return person.address not in elsewhere or person.address in settings.office.members
