"""From two probabilities to one tag: urgent before conflict before routine (docs/labelling.md, "Where two apply")."""

import math
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from connectors.labels import Tag

SUPPORTED = ("en", "es", "zh", "vi", "ar", "pt", "ht", "ru", "ko", "tl")
"""The languages the model has learned, ISO 639-1 (639-3 where there is none)."""
UNDETERMINED = "und"


class Question(StrEnum):
    """What is asked of every message, each on its own."""

    URGENT = "urgent"
    CONFLICT = "conflict"


class Thresholds(BaseModel):
    """From which probability on a question is answered with yes, and how near to it a person is asked to check."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    urgent: float = Field(gt=0, lt=1)
    conflict: float = Field(gt=0, lt=1)
    doubt: float = Field(default=0.5, ge=0)
    """Distance in log odds on either side of a threshold within which the answer is unsure."""


def tag_of(urgent: float, conflict: float, thresholds: Thresholds) -> Tag:
    """The tag that follows from the two probabilities."""
    if urgent >= thresholds.urgent:
        return Tag.URGENT
    return Tag.CONFLICT if conflict >= thresholds.conflict else Tag.ROUTINE


def is_unsure(urgent: float, conflict: float, language: str, thresholds: Thresholds) -> bool:
    """True where a person should check: near a threshold that could change the tag, or a language not learned."""
    if language not in SUPPORTED:
        return True
    above = _log_odds(urgent) - _log_odds(thresholds.urgent)
    if abs(above) < thresholds.doubt:
        return True
    return above < 0 and abs(_log_odds(conflict) - _log_odds(thresholds.conflict)) < thresholds.doubt


def question_behind(urgent: float, conflict: float, thresholds: Thresholds) -> Question:
    """The question that decided the tag; for routine the one that came nearer to a yes."""
    tag = tag_of(urgent, conflict, thresholds)
    if tag is not Tag.ROUTINE:
        return Question(tag)
    urgent_above = _log_odds(urgent) - _log_odds(thresholds.urgent)
    conflict_above = _log_odds(conflict) - _log_odds(thresholds.conflict)
    return Question.URGENT if urgent_above >= conflict_above else Question.CONFLICT


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, 1e-9), 1 - 1e-9)
    return math.log(bounded / (1 - bounded))
