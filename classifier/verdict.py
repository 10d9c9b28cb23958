"""What the classifier is asked, and what it answers."""

from dataclasses import dataclass
from datetime import datetime

from classifier.decision import SUPPORTED
from connectors.labels import Label, Tag, labels_for


@dataclass(frozen=True, slots=True)
class Letter:
    """What the classifier reads of a message: the subject, the newest text and when it came.

    `received` is in the school's local time, aware or naive; None where unknown. The body may hold quoted history;
    it is cut off before reading.
    """

    subject: str
    body: str
    received: datetime | None = None
    only_newest: bool = False
    """True where the history has been cut off `body` already."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why: a cue named in the staff's words, and the sentence of the message it stands in."""

    cue: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to two independent questions, and the one tag that follows: urgent before conflict before routine.

    `urgent` and `conflict` are probabilities, 0 to 1. `unsure` means that the tag is the likely one and a person is
    asked to check. `language` is an ISO 639-1 code (639-3 where there is none), "und" where it could not be told;
    `topic` is what the message is about (docs/labelling.md, "Topics"). `otherwise` is the tag that holds once a person
    finds that it is not urgent.
    """

    urgent: float
    conflict: float
    tag: Tag
    unsure: bool
    language: str
    topic: str = "other"
    reasons: tuple[Reason, ...] = ()
    otherwise: Tag = Tag.ROUTINE

    @property
    def labels(self) -> frozenset[Label]:
        """The labels that tell the teacher this verdict. What nobody understood is never called routine: of a language
        that the model has not learned, "please check" stands alone."""
        if self.tag is Tag.ROUTINE and self.language not in SUPPORTED:
            return frozenset({Label.CHECK})
        return labels_for(self.tag, unsure=self.unsure)


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the classifier says of a teacher's own mail to a family: is it good news (classifier/goodnews)?"""

    score: float
    """The probability that it is, 0 to 1."""
    positive: bool
    """Whether that is sure enough to count."""
    model: str
    """Version of the model that judged."""
