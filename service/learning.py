"""Learning from corrections: the letters come from the mailboxes, live in memory, and leave nothing but numbers."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

import classifier
from classifier import Bearings, Classifier
from classifier.comparison import Comparison, objections
from classifier.encoder import Encoder
from classifier.errors import ModelError
from classifier.examples import Example
from classifier.learning import compare
from classifier.learning import learn as learn_model
from classifier.lessons import Lesson, Lessons
from classifier.models import SHIPPED_NAME, Learned, Models, NothingNew
from classifier.opening import SHIPPED
from classifier.questions import FACTORY
from classifier.training import Progress, save
from config import ConfigError
from config.settings import MailboxSettings, Settings
from connectors.errors import FetchFailed, MailboxError, MessageGone
from connectors.mailbox import Mailbox
from connectors.mime import parse_message
from service.letters import letter_of
from service.models import in_use
from store.corrections import Contradicted, Judged

SURE = 0.9
"""A probability of urgent, calibrated: of a hundred such messages some five are not urgent."""
_CONTRADICTED_AT_MOST, _CONTRADICTED_FEW = 0.2, 5
"""What share of such messages teachers may call something else, from so many on."""

OpenMailbox = Callable[[MailboxSettings], Mailbox]


class LeftOut(StrEnum):
    """Why nothing is learned from a message that a teacher judged."""

    GONE = "gone from the mailbox"
    UNREADABLE = "could not be read"
    NO_TAG = "the label was only taken away"
    NO_MAILBOX = "its mailbox is left out"


class Unreached(Exception):
    """Mailboxes could not be read: reason by address. Their corrections would be forgotten, so nothing is learned."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        """`reasons` by address."""
        super().__init__("; ".join(f"{address}: {reason}" for address, reason in reasons.items()))
        self.reasons = reasons


@dataclass(frozen=True, slots=True)
class Gathered:
    """The letters that can be learned from, and how many cannot, by reason."""

    lessons: Sequence[Lesson]
    left_out: Mapping[LeftOut, int]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of learning. `version` is None where the model in use stays: `against` says why, or it is the same."""

    comparison: Comparison
    against: Sequence[str] = ()
    version: str | None = None


def gather(
    judged: Sequence[Judged], settings: Settings, open_mailbox: OpenMailbox, *, without: Sequence[str] = ()
) -> Gathered:
    """Fetches the letters that teachers judged, mailbox by mailbox, except from those `without`. Raises Unreached."""
    left_out: Counter[LeftOut] = Counter()
    boxes = {box.address: box for box in settings.mailboxes if box.address not in without}
    by_mailbox: dict[str, list[Judged]] = {}
    for each in judged:
        if each.tag is None:
            left_out[LeftOut.NO_TAG] += 1
        elif each.mailbox not in boxes:
            left_out[LeftOut.NO_MAILBOX] += 1
        elif each.gone:
            left_out[LeftOut.GONE] += 1
        else:
            by_mailbox.setdefault(each.mailbox, []).append(each)
    lessons: list[Lesson] = []
    unreached: dict[str, str] = {}
    for address, here in by_mailbox.items():
        try:
            with closing(open_mailbox(boxes[address])) as mailbox:
                for each in here:
                    found = _lesson(each, mailbox, settings)
                    if isinstance(found, LeftOut):
                        left_out[found] += 1
                    else:
                        lessons.append(found)
        except (ConfigError, MailboxError) as error:
            unreached[address] = str(error)
    if unreached:
        raise Unreached(unreached)
    return Gathered(lessons, left_out)


def _lesson(judged: Judged, mailbox: Mailbox, settings: Settings) -> Lesson | LeftOut:
    try:
        raw = mailbox.fetch(judged.provider_id)
    except MessageGone:
        return LeftOut.GONE
    except FetchFailed:
        return LeftOut.UNREADABLE
    try:
        message = parse_message(raw.raw, mailbox=judged.mailbox, id=raw.id, received_at=raw.received_at, size=raw.size)
        letter = letter_of(message, settings.school.zone)
    except Exception:  # noqa: BLE001 - one message that cannot be parsed must not stop the others; it is counted
        return LeftOut.UNREADABLE
    if judged.tag is None or not f"{letter.subject}{letter.body}".strip():
        return LeftOut.UNREADABLE
    return Lesson(key=judged.original, family=(judged.sender or "").lower(), letter=letter, label=judged.tag)


def doubts(found: Contradicted) -> tuple[str, ...]:
    """What speaks against the corrections themselves, a sentence each: whatever they do to the figures, labels that say
    no again and again where the model has every reason to be sure are looked at by a person first."""
    if found.contradicted < _CONTRADICTED_FEW or found.contradicted <= _CONTRADICTED_AT_MOST * found.sure:
        return ()
    sentence = (
        f"Teachers called {found.contradicted} of {found.sure} messages something else of which the service was sure "
        f"({SURE:.0%}) that they are urgent. Look at these labels first; --without leaves a mailbox out."
    )
    return (sentence,)


def learn(
    gathered: Gathered,
    corpus: Sequence[Example],
    models: Models,
    bearings: Bearings,
    *,
    now: datetime,
    doubtful: Sequence[str] = (),
    dry_run: bool = False,
    progress: Progress,
) -> Outcome:
    """Learns, compares, and keeps the new model where nothing speaks against it, `doubtful` included. The caller holds
    `models.learning()`.

    Raises ModelError where the shipped model does not load or the new one cannot be written, ValueError where the
    corpus has too few examples.
    """
    before = in_use(models)
    shipped = classifier.load(None, bearings)
    baseline = _opened(models, before, bearings, shipped)
    lessons = Lessons(gathered.lessons, bearings.calendar)
    nlp = learn_model(corpus, Encoder(SHIPPED / FACTORY), lessons, progress=progress)
    comparison = compare(baseline, nlp, corpus, lessons, bearings, progress=progress)
    against = (*doubtful, *objections(comparison))
    if against or dry_run:
        return Outcome(comparison, against)
    progress("writing")

    def write(folder: Path) -> None:
        save(nlp, folder)

    learned = Learned(at=now, corrections=comparison.learned.new.n, shipped=shipped.version, comparison=comparison)
    try:
        return Outcome(comparison, version=models.keep(write, learned, instead_of=before))
    except NothingNew:
        return Outcome(comparison)


def _opened(models: Models, version: str, bearings: Bearings, shipped: Classifier) -> Classifier:
    """The model in use; where it is damaged the shipped one, as in `alliance run`."""
    if version == SHIPPED_NAME:
        return shipped
    try:
        return classifier.load(models.path(version), bearings)
    except ModelError:
        return shipped
