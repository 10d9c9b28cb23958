"""Judges a day by what lies in the mailboxes and what left for families and office, and by nothing else."""

import email
import email.policy
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from email.utils import parseaddr

from connectors.contract.reader import message_id_of
from connectors.labels import Label, Tag, tag_of
from connectors.message import MARKER, REACTION
from tests.soak.program import header_of
from tests.soak.year import ALLIANCE, LEADER, OFFICE, ZONE, is_school_day, school_days_after

Shown = Mapping[str, frozenset[Label]]
_WINDOW = 4
"""School days in which a sender has one answer (`norm.answer_again_after_school_days`)."""
_SETTLED_BY = time(21, 30)
"""What comes later in a day is judged on the next one: the service's last look is at half past ten."""
_CROWD = ("staff", "robot")
"""Nobody's families, but their mail may be an emergency all the same: then the teacher is asked to check."""
_MORNING = "Good morning"
"""How the subject of a morning mail begins."""
_CRISIS = b"988"
"""Stands in the note that may follow an urgent one."""


@dataclass
class Came:
    """A mail that came into a mailbox."""

    message_id: str
    at: datetime
    kind: str
    """Who sent it: a family, a robot, staff, the office, the service, the teacher to themselves."""
    sender: str
    opens: bool
    """Whether it answers nothing."""
    text: bytes
    tag: Tag | None = None
    """What its label said when it was first judged."""
    corrected: Tag | None = None
    touched: bool = False
    """Whether the teacher renamed, moved or deleted it."""


@dataclass(frozen=True)
class Answered:
    """An automatic answer that left."""

    mailbox: str
    to: str
    answered: str
    """Message-ID of what it answers."""
    at: datetime
    crisis: bool


@dataclass
class Judge:
    """What the town saw, and whether it is as promised."""

    counts: Counter[str] = field(default_factory=Counter)
    archived: dict[str, list[str]] = field(default_factory=dict)
    last_answer: tuple[str, bytes] = ("", b"")
    _came: dict[str, dict[str, Came]] = field(default_factory=lambda: defaultdict(dict))
    _by_day: dict[tuple[str, date], list[str]] = field(default_factory=lambda: defaultdict(list))
    _answers: dict[tuple[str, str], list[Answered]] = field(default_factory=lambda: defaultdict(list))
    """By mailbox and whom they went to."""
    _answered: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By whom they went to and what they answer."""
    _wrote: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """When a teacher answered a message, by mailbox and Message-ID."""
    _at_office: Counter[str] = field(default_factory=Counter)
    _digests: Counter[tuple[str, date]] = field(default_factory=Counter)
    _weekly: Counter[tuple[str, date]] = field(default_factory=Counter)
    _connected: dict[str, datetime] = field(default_factory=dict)
    _retired: dict[str, tuple[Shown, int]] = field(default_factory=dict)
    _found: list[str] = field(default_factory=list)
    _judged: set[tuple[str, str]] = field(default_factory=set)

    # What the town tells

    def connected(self, mailbox: str, at: datetime) -> None:
        """The service looks after a mailbox from now on."""
        self._connected[mailbox] = at

    def retired(self, mailbox: str, shown: Shown, sent: int) -> None:
        """The service looks after it no more: it stays as it is."""
        self._retired[mailbox] = (shown, sent)

    def arrived(self, mailbox: str, raw: bytes, kind: str, at: datetime) -> None:
        """A mail came."""
        message_id = message_id_of(raw)
        opens = not header_of(raw, "In-Reply-To")
        sender = _address(header_of(raw, "From"))
        text = raw if kind == "family" else b""
        self._came[mailbox][message_id] = Came(message_id, at, kind, sender, opens, text)
        self._by_day[mailbox, at.astimezone(ZONE).date()].append(message_id)

    def teacher_wrote(self, mailbox: str, raw: bytes, at: datetime) -> None:
        """A teacher sent something."""
        for message_id in header_of(raw, "References").split() + header_of(raw, "In-Reply-To").split():
            self._wrote.setdefault((mailbox, message_id.strip("<>")), at)
        self.counts["mail: teachers' own"] += 1

    def corrected(self, mailbox: str, message_id: str, was: Tag | None, tag: Tag) -> None:
        """A teacher set a tag right."""
        came = self._came[mailbox][message_id]
        came.tag, came.corrected = came.tag or was, tag

    def touched(self, mailbox: str, *message_ids: str) -> None:
        """A teacher did something to messages after which their labels say nothing."""
        for message_id in message_ids:
            self._came[mailbox][message_id].touched = True

    def moved_away(self, mailbox: str, message_ids: Sequence[str]) -> None:
        """A teacher moved messages into the archive."""
        self.archived.setdefault(mailbox, []).extend(message_ids)
        self.touched(mailbox, *message_ids)

    def expired(self, mailbox: str, before: datetime) -> None:
        """The server deleted what came before."""
        there = self.archived.get(mailbox, [])
        self.archived[mailbox] = [each for each in there if each in self._came[mailbox]]
        for came in self._came[mailbox].values():
            if came.at < before:
                came.touched = True

    def left(self, mailbox: str, raw: bytes, marker: str, to: Sequence[str], at: datetime) -> None:
        """A mail left."""
        day = at.astimezone(ZONE).date()
        self.counts[f"left: {marker or 'teachers'}"] += 1
        if mailbox in self._retired:
            self._found.append(f"{mailbox} sent a mail after the service was to leave it alone")
        if marker == "reply":
            answered = header_of(raw, "In-Reply-To").strip("<>")
            self.last_answer = (mailbox, raw)
            self._answer(Answered(mailbox, _address(to[0]), answered, at, _CRISIS in raw))
        elif marker == "route" and header_of(raw, "In-Reply-To"):
            self.counts["left: route that nobody took, to the next desk"] += 1
        elif marker == "route" and OFFICE in to:
            self._at_office.update(_originals(raw))
            self._found += [f"the office has {each} twice" for each in _originals(raw) if self._at_office[each] > 1]
        elif marker == "notice" and to == [mailbox] and not header_of(raw, "Subject").startswith(_MORNING):
            self.counts["left: reminder of a case"] += 1
        elif marker == "notice" and to == [mailbox] and mailbox != ALLIANCE:
            self._digests[mailbox, day] += 1
            self._found += self._about_morning(f"the morning mail of {mailbox}", self._digests[mailbox, day], at)
        elif marker == "notice" and LEADER in to:
            monday = day - timedelta(days=day.weekday())
            self._weekly[LEADER, monday] += 1
            self._found += self._about_morning("the mail of the week", self._weekly[LEADER, monday], at)
        elif marker == "notice":
            self._found.append(f"the administrator is told of trouble: {header_of(raw, 'Subject')}")

    @staticmethod
    def _about_morning(what: str, number: int, at: datetime) -> Iterable[str]:
        moment = at.astimezone(ZONE)
        if number > 1:
            yield f"{what} of {moment.date()} left {number} times"
        if not is_school_day(moment.date()):
            yield f"{what} left on {moment.date()}, on which there is no school"
        elif not time(7) <= moment.time() < time(8):
            yield f"{what} of {moment.date()} left at {moment:%H:%M}, not in the hour before school"

    def _answer(self, answer: Answered) -> None:
        self._answered[answer.to, answer.answered] += 1
        if self._answered[answer.to, answer.answered] > 1:
            self._found.append(f"{answer.to} was answered twice on {answer.answered}")
        came = self._came[answer.mailbox].get(answer.answered)
        if came is None:
            self._found.append(f"{answer.mailbox} answered {answer.answered}, which never came there")
        elif came.kind != "family":
            self._found.append(f"{answer.mailbox} answered {answer.answered}, which a {came.kind} sent")
        elif came.at < self._connected[answer.mailbox] or answer.at - came.at > timedelta(hours=72):
            self._found.append(f"{answer.mailbox} answered {answer.answered}, which is old mail")
        self._answers[answer.mailbox, answer.to].append(answer)

    # What the town asks

    def arrived_on(self, mailbox: str, day: date) -> list[str]:
        """The Message-IDs of what came on a day."""
        return list(self._by_day.get((mailbox, day), ()))

    def is_family(self, mailbox: str, message_id: str) -> bool:
        """Whether a family wrote it."""
        came = self._came[mailbox].get(message_id)
        return came is not None and came.kind == "family"

    def older(self, mailbox: str, than: datetime) -> set[str]:
        """What came before then."""
        return {each.message_id for each in self._came[mailbox].values() if each.at < than}

    # Judging

    def day(
        self,
        day: date,
        shown: Mapping[str, Shown],
        drafts: Mapping[str, Sequence[bytes]],
        retired: Mapping[str, tuple[Shown, int]],
    ) -> list[str]:
        """What is not as promised at the end of a day."""
        found, self._found = self._found, []
        for mailbox, labels in shown.items():
            if mailbox != ALLIANCE:
                found += self._mailbox(mailbox, labels, day)
        for mailbox, raws in drafts.items():
            ours = [raw for raw in raws if header_of(raw, MARKER) not in ("", "draft")]
            found += [f"{mailbox}: a mail of the service's own lies in Drafts" for _ in ours]
        for mailbox, now in retired.items():
            if now != self._retired[mailbox]:
                found.append(f"{mailbox} was changed after the service was to leave it alone")
                self._retired[mailbox] = now
        self.counts["messages judged"] += sum(len(each) for each in shown.values())
        return found

    def _mailbox(self, mailbox: str, labels: Shown, day: date) -> Iterable[str]:
        until = datetime.combine(day, _SETTLED_BY, ZONE)
        for message_id, said in labels.items():
            came = self._came[mailbox].get(message_id)
            if came is None or came.at >= until:
                continue
            if came.kind == "family" and REACTION.encode() not in came.text:
                yield from self._family(mailbox, came, said)
            elif came.kind in _CROWD and said == {Label.URGENT, Label.CHECK}:
                self.counts["labelled urgent, to be checked: no family"] += came.tag is None
                came.tag = Tag.URGENT
            elif tag_of(said) is not None and not came.touched:
                yield f"{mailbox}: a mail of {came.kind}, {message_id}, is labelled {tag_of(said)}"

    def _family(self, mailbox: str, came: Came, said: frozenset[Label]) -> Iterable[str]:
        tag = tag_of(said)
        if not came.touched:
            if tag is None:
                yield f"{mailbox}: {came.message_id} of a family is not labelled"
            elif came.corrected is not None and tag is not came.corrected:
                yield f"{mailbox}: {came.message_id} is {tag}, though the teacher said {came.corrected}"
            elif came.corrected is None and came.tag not in (None, tag):
                yield f"{mailbox}: {came.message_id} was {came.tag} and is {tag}, though nobody changed it"
            urgent = Tag.URGENT in (tag, came.tag)
            times = self._at_office[came.message_id]
            if urgent and times != 1:
                yield f"{mailbox}: {came.message_id} is urgent, and at the office {times} times"
            if times and not urgent:
                yield f"{mailbox}: {came.message_id} is at the office and nobody called it urgent"
        if (mailbox, came.message_id) in self._judged or tag is None:
            return
        self._judged.add((mailbox, came.message_id))
        came.tag = came.tag or tag
        self.counts[f"labelled {tag}"] += 1
        yield from self._answer_of(mailbox, came, tag)

    def _answer_of(self, mailbox: str, came: Came, tag: Tag) -> Iterable[str]:
        """The first time that a message is judged: its answer keeps to the promise, or something excuses that it has
        none."""
        mine = [each for each in self._answers[mailbox, came.sender] if each.answered == came.message_id]
        others = [each for each in self._answers[mailbox, came.sender] if each.answered != came.message_id]
        if mine:
            answer = mine[0]
            for earlier in others:
                if earlier.at > answer.at or self._over(earlier.at, answer.at):
                    continue
                before = self._came[mailbox][earlier.answered].tag
                graver = tag is Tag.URGENT and (before is not Tag.URGENT or answer.crisis > earlier.crisis)
                if not graver:
                    yield f"{mailbox}: {came.sender} was answered on {came.message_id} soon after {earlier.answered}"
            return
        excused = (
            not came.opens
            or any(not self._over(each.at, came.at) for each in others)
            or self._answered[came.sender, came.message_id]
            or (mailbox, came.message_id) in self._wrote
        )
        self.counts["not answered, excused" if excused else "not answered"] += 1
        if not excused:
            yield f"{mailbox}: {came.message_id} of {came.sender} was not answered, and nothing excuses that"

    @staticmethod
    def _over(since: datetime, now: datetime) -> bool:
        return school_days_after(since.astimezone(ZONE).date(), now.astimezone(ZONE).date()) >= _WINDOW


def _originals(raw: bytes) -> list[str]:
    """Message-IDs of the mails that are attached."""
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    attached = (part.get_payload(0) for part in mail.walk() if part.get_content_type() == "message/rfc822")
    return [str(original["Message-ID"]).strip("<>") for original in attached]


def _address(field_value: str) -> str:
    """The address in a From field, as answers are counted: lower case, without a plus tag."""
    local, _, domain = parseaddr(field_value)[1].lower().partition("@")
    return f"{local.partition('+')[0]}@{domain}"
