"""The independent checker: reads the mail servers, imports nothing of the service, judges what families were promised.

What a letter is stands in the letter itself (`X-Letter`), and when the mail server took a mail in the mail
(`X-Taken-At`): the checker needs no record of what was done, and looks at no database.
"""

import email
import email.policy
import imaplib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import EmailMessage
from functools import cached_property, lru_cache
from itertools import pairwise

TAGS = {"AllianceUrgent": "urgent", "AllianceConflict": "conflict", "AllianceRoutine": "routine"}
SETTLING = 2.0
"""Seconds from when the mail server took a mail to when that is on record, at the latest: the stated window."""
_FLAGS = re.compile(rb"FLAGS \(([^)]*)\)")


@dataclass(frozen=True)
class School:
    """Where to look."""

    host: str
    port: int
    password: str
    teachers: Sequence[str]
    office: str
    families: Sequence[str]
    stage: str
    """What the school's mailboxes may do: observe, tag or reply."""


@dataclass(frozen=True)
class Expected:
    """What the run owes, and what it excuses."""

    answered: Sequence[str] = ()
    """Families that nothing can have kept from their answer: those that wrote after everything was mended."""
    troubled: Sequence[tuple[float, float]] = ()
    """When something was wrong, from and to, in seconds since 1970. A mail that a server took at such a time may be at
    the office twice: SMTP cannot say that it was taken."""
    blinded: Sequence[tuple[float, float]] = ()
    """When the service could not go by what lies in Sent. At any other time a mail that lies there is out: no trouble
    excuses that it was sent once more."""


@dataclass
class Judgement:
    """What is wrong. Each a sentence; none where all promises were kept."""

    owed: list[str] = field(default_factory=list)
    """What may still come, as long as the service runs."""
    broken: list[str] = field(default_factory=list)
    """What nothing can mend any more."""
    letters: int = 0
    answers: int = 0
    routes: int = 0
    excused: int = 0
    """Routes that were at the office twice within the stated window."""
    drafts: list[str] = field(default_factory=list)
    """Answers and routes that were left in Drafts. What is there for the teacher to send is none."""

    @property
    def kept(self) -> bool:
        """Whether every promise was kept."""
        return not self.owed and not self.broken


class _Content:
    """What a mail says. It is the same at every look: what was read once is not read again."""

    def __init__(self, raw: bytes) -> None:
        self._message: EmailMessage = email.message_from_bytes(raw, policy=email.policy.default)  # type: ignore[assignment]

    @cached_property
    def id(self) -> str:
        return _bare(self._message["Message-ID"])

    @cached_property
    def answered(self) -> str:
        """The mail that it answers."""
        return _bare(self._message["In-Reply-To"])

    @cached_property
    def kind(self) -> str:
        """What its writer meant: urgent, conflict, routine; robot; old, for what was there before the service."""
        return str(self._message["X-Letter"] or "").strip()

    @cached_property
    def sender(self) -> str:
        return str(self._message["From"]).rpartition("<")[2].strip("<> ").lower()

    @cached_property
    def of_teacher(self) -> bool:
        """Whether it is the teacher's to send: their own, or one that the service wrote for them."""
        return str(self._message["X-Alliance-Inbox"] or "draft").strip() == "draft"

    @cached_property
    def automatic(self) -> bool:
        return str(self._message["Auto-Submitted"] or "no").strip().lower() != "no"

    @cached_property
    def taken_at(self) -> float:
        return float(str(self._message["X-Taken-At"] or 0))

    @cached_property
    def letters(self) -> Sequence[str]:
        """The letters that a mail to the office brings."""
        parts = [part for part in self._message.walk() if part.get_content_type() == "message/rfc822"]
        return [_bare(part.get_payload(0)["Message-ID"]) for part in parts]  # type: ignore[index]

    @cached_property
    def words(self) -> str:
        body = self._message.get_body(("plain",))
        return " ".join(body.get_content().split()) if body is not None else ""


_content = lru_cache(maxsize=4096)(_Content)


@dataclass(frozen=True)
class _Mail:
    content: _Content
    flags: frozenset[str]


def judge(school: School, expected: Expected, *, in_full: bool = True) -> Judgement:
    """Reads every mailbox of the school and of its families, and judges. Where something is owed at the school already,
    families' mailboxes are read only if it is to be judged `in_full`."""
    found = Judgement()
    inboxes = {teacher: _folder(school, teacher) for teacher in school.teachers}
    _letters_seen(school, inboxes, found)
    if found.owed and not in_full:
        return found
    _urgent_at_office(school, inboxes, _folder(school, school.office), expected, found)
    if found.owed and not in_full:
        return found
    drafts = [mail for teacher in school.teachers for mail in _folder(school, teacher, "Drafts")]
    found.drafts = [mail.content.id for mail in drafts if not mail.content.of_teacher]
    families = {family: _folder(school, family) for family in school.families}
    _answered_once(school, families, inboxes, expected, found)
    return found


def _letters_seen(school: School, inboxes: Mapping[str, Iterable[_Mail]], found: Judgement) -> None:
    """No message unseen: every letter of a family carries the tag that its writer meant, and only that one."""
    for teacher, mails in inboxes.items():
        for mail in mails:
            tags = sorted(TAGS[flag] for flag in mail.flags & TAGS.keys())
            named = f"{mail.content.kind} {mail.content.id} in the mailbox of {teacher}"
            if mail.content.kind in {"", "robot"}:
                continue
            found.letters += 1
            if mail.content.kind == "old" or school.stage == "observe":
                if tags:
                    found.broken.append(f"{named} carries {tags}, and nothing was to be written to it")
            elif not tags:
                found.owed.append(f"{named} carries no tag: nobody has seen it")
            elif tags != [mail.content.kind]:
                found.owed.append(f"{named} carries {tags}")


def _urgent_at_office(
    school: School,
    inboxes: Mapping[str, Iterable[_Mail]],
    office: Sequence[_Mail],
    expected: Expected,
    found: Judgement,
) -> None:
    """Each urgent letter at the office at least once; twice only where the first was taken in the stated window."""
    taken: dict[str, list[float]] = defaultdict(list)
    for mail in office:
        for letter in mail.content.letters:
            taken[letter].append(mail.content.taken_at)
    found.routes = sum(map(len, taken.values()))
    urgent = {mail.content.id for mails in inboxes.values() for mail in mails if mail.content.kind == "urgent"}
    owed = urgent if school.stage != "observe" else set()
    found.owed += [f"urgent {each} never came to the office" for each in sorted(owed - taken.keys())]
    old = {mail.content.id for mails in inboxes.values() for mail in mails if mail.content.kind in {"old", "robot"}}
    unasked = taken.keys() & (old | urgent - owed)
    found.broken += [f"{each} came to the office, and was not to" for each in sorted(unasked)]
    twice = any(len(times) > 1 for times in taken.values())
    sent = [mail for teacher in school.teachers for mail in _folder(school, teacher, "Sent")] if twice else []
    in_sent = Counter(letter for mail in sent for letter in mail.content.letters)
    for letter, times in sorted(taken.items()):
        for earlier, later in pairwise(sorted(times)):
            blinded = any(begin <= later and earlier <= end for begin, end in expected.blinded)
            if in_sent[letter] > 1 and not blinded:
                found.broken.append(f"{letter} came to the office again after {later - earlier:.1f} s, and lay in Sent")
            elif any(begin <= min(earlier + SETTLING, later) and earlier <= end for begin, end in expected.troubled):
                found.excused += 1
            else:
                windows = ", ".join(f"{begin - earlier:.1f} to {end - earlier:.1f}" for begin, end in expected.troubled)
                found.broken.append(
                    f"{letter} came to the office again after {later - earlier:.1f} s, with nothing in the way "
                    f"(trouble, in seconds from the first: {windows or 'none'})"
                )


def _answered_once(
    school: School,
    families: Mapping[str, Sequence[_Mail]],
    inboxes: Mapping[str, Iterable[_Mail]],
    expected: Expected,
    found: Judgement,
) -> None:
    """No family answered twice alike: not twice about one letter, not twice by one teacher in the same words."""
    ours = {mail.content.id: mail.content.kind for mails in inboxes.values() for mail in mails if mail.content.kind}
    for family, mails in families.items():
        answers = [mail.content for mail in mails if mail.content.automatic]
        found.answers += len(answers)
        about, alike = defaultdict(list), defaultdict(list)
        for answer in answers:
            original = answer.answered
            about[original].append(answer.id)
            alike[answer.sender, answer.words].append(answer.id)
            if ours.get(original) in {"old", "robot"}:
                found.broken.append(f"{family} got an answer to {original}, which was not to be answered")
        found.broken += [
            f"{family} got {len(ids)} answers to {each}: {ids}" for each, ids in about.items() if len(ids) > 1
        ]
        found.broken += [
            f"{family} got the same words {len(ids)} times from {sender}: {ids}"
            for (sender, _), ids in alike.items()
            if len(ids) > 1
        ]
        if answers and school.stage != "reply":
            found.broken.append(f"{family} got an answer from mailboxes in stage {school.stage}")
        if family in expected.answered and school.stage == "reply" and not answers:
            found.owed.append(f"{family} wrote when all was well, and got no answer")


def _folder(school: School, user: str, folder: str = "INBOX") -> list[_Mail]:
    """Every mail of a folder, with its flags; none where there is no such folder."""
    client = imaplib.IMAP4(school.host, school.port, timeout=30)
    try:
        client.login(user, school.password)
        if client.select(f'"{folder}"', readonly=True)[0] != "OK":
            return []
        told = client.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")[1]
        mails = []
        for head, content in (each for each in told if isinstance(each, tuple)):
            flags = _FLAGS.search(head)
            named = flags[1].decode().split() if flags else []
            mails.append(_Mail(_content(content), frozenset(named)))
        return mails
    finally:
        client.logout()


def _bare(identifier: object) -> str:
    return str(identifier or "").strip().strip("<>")
