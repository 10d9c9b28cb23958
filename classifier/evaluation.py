"""How well verdicts agree with labels: plain counts, so that anybody can work them out again."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from classifier.calibration import Bin, expected_error, reliability
from classifier.decision import Question
from classifier.examples import Example
from classifier.intervals import Intervals, bootstrap
from classifier.reader import Classifier
from classifier.verdict import Verdict
from connectors.labels import Tag


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TagFigures(_Frozen):
    """One tag, or one topic. Precision and recall are 0 where nothing was, or should have been, tagged so."""

    precision: float
    recall: float
    f1: float
    n: int
    """Messages labelled so."""


class PairFigures(_Frozen):
    """Counterfactual pairs: two messages, nearly the same, with different labels."""

    n: int
    """Pairs of which both messages were asked."""
    both_right: float
    """Share of them, 0 to 1, of which both messages got the right tag; 0 where there is none."""


class LanguageFigures(_Frozen):
    """One language, as the examples name it ("und" where they do not)."""

    n: int
    macro_f1: float
    urgent_recall: float | None
    """None where no message of the language is labelled urgent."""


class Figures(_Frozen):
    """What `alliance evaluate` reports. `macro_f1` is the mean f1 of the tags that occur among the labels."""

    n: int
    accuracy: float
    macro_f1: float
    tags: dict[Tag, TagFigures]
    confusion: dict[Tag, dict[Tag, int]]
    """Counts by label, then by the tag that was given."""
    languages: dict[str, LanguageFigures]
    messages_per_second: float
    calibration_error: dict[Question, float | None]
    """Expected calibration error of each question, ten bins. Conflict is judged on the messages not labelled urgent:
    whether an urgent one is a conflict too is not recorded. None where there is no message to judge it on."""
    unsure_rate: float
    """Share of the messages, 0 to 1, that a person is asked to check."""
    topics: dict[str, TagFigures]
    """By the topics that occur among the labels; messages without a topic are left out."""
    intervals: Intervals | None
    """95 % confidence intervals; None where there is no message."""
    pairs: PairFigures | None = None
    """None where no message belongs to a pair, and then left out of the JSON."""

    @model_serializer(mode="wrap")
    def _without_pairs(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = serialize(self)
        if self.pairs is None:
            del found["pairs"]
        return found


@dataclass(frozen=True, slots=True)
class Judged:
    """Examples, and what the classifier made of them in so many seconds."""

    examples: Sequence[Example]
    verdicts: Sequence[Verdict]
    seconds: float

    @property
    def figures(self) -> Figures:
        """How good that was."""
        return figures(self.examples, self.verdicts, self.seconds)

    @property
    def reliability(self) -> dict[Question, tuple[Bin, ...]]:
        """By question, how often what was given about the same probability was so indeed."""
        return {question: _reliability(question, self.examples, self.verdicts) for question in Question}


def judge(classifier: Classifier, examples: Sequence[Example]) -> Judged:
    """Reads every example. The first reading is not timed, so that the model is loaded and warm."""
    list(classifier.read(example.letter for example in examples[:1]))
    started = perf_counter()
    verdicts = list(classifier.read(example.letter for example in examples))
    return Judged(examples, verdicts, perf_counter() - started)


def evaluate(classifier: Classifier, examples: Sequence[Example]) -> Figures:
    """The figures of reading every example."""
    return judge(classifier, examples).figures


def figures(examples: Sequence[Example], verdicts: Sequence[Verdict], seconds: float) -> Figures:
    """The figures of `verdicts` on `examples`, which took `seconds` to read."""
    judged = [(example.label, verdict.tag) for example, verdict in zip(examples, verdicts, strict=True)]
    counts = Counter(judged)
    by_language: dict[str, list[tuple[Tag, Tag]]] = {}
    for example, pair in zip(examples, judged, strict=True):
        by_language.setdefault(example.lang or "und", []).append(pair)
    return Figures(
        n=len(judged),
        accuracy=sum(counts[tag, tag] for tag in Tag) / len(judged) if judged else 0.0,
        macro_f1=_macro_f1(judged),
        tags={tag: _tag_figures(tag, judged) for tag in Tag},
        confusion={label: {tag: counts[label, tag] for tag in Tag} for label in Tag},
        languages={code: _language(by_language[code]) for code in sorted(by_language)},
        messages_per_second=len(judged) / seconds if seconds > 0 else 0.0,
        calibration_error={
            question: expected_error(_reliability(question, examples, verdicts)) for question in Question
        },
        unsure_rate=_ratio(sum(verdict.unsure for verdict in verdicts), len(judged)),
        topics=_topics(examples, verdicts),
        intervals=bootstrap(judged, [example.pair for example in examples]) if judged else None,
        pairs=_pairs(examples, judged),
    )


def _reliability(question: Question, examples: Sequence[Example], verdicts: Sequence[Verdict]) -> tuple[Bin, ...]:
    asked = [
        (verdict.urgent if question is Question.URGENT else verdict.conflict, example.label == question.value)
        for example, verdict in zip(examples, verdicts, strict=True)
        if question is Question.URGENT or example.label is not Tag.URGENT
    ]
    return reliability([probability for probability, _ in asked], [answer for _, answer in asked])


def _topics(examples: Sequence[Example], verdicts: Sequence[Verdict]) -> dict[str, TagFigures]:
    judged = [
        (example.topic, verdict.topic) for example, verdict in zip(examples, verdicts, strict=True) if example.topic
    ]
    return {topic: _tag_figures(topic, judged) for topic in sorted({topic for topic, _ in judged})}


def _pairs(examples: Sequence[Example], judged: Sequence[tuple[Tag, Tag]]) -> PairFigures | None:
    right: dict[str, list[bool]] = {}
    for example, (label, tag) in zip(examples, judged, strict=True):
        if example.pair is not None:
            right.setdefault(example.pair, []).append(label is tag)
    if not right:
        return None
    whole = [members for members in right.values() if len(members) > 1]
    return PairFigures(n=len(whole), both_right=_ratio(sum(all(members) for members in whole), len(whole)))


def _language(judged: Sequence[tuple[Tag, Tag]]) -> LanguageFigures:
    urgent = _tag_figures(Tag.URGENT, judged)
    return LanguageFigures(n=len(judged), macro_f1=_macro_f1(judged), urgent_recall=urgent.recall if urgent.n else None)


def _macro_f1(judged: Sequence[tuple[Tag, Tag]]) -> float:
    present = [tag for tag in Tag if any(label is tag for label, _ in judged)]
    return _ratio(sum(_tag_figures(tag, judged).f1 for tag in present), len(present))


def _tag_figures(tag: str, judged: Iterable[tuple[str, str]]) -> TagFigures:
    right = labelled = tagged = 0
    for label, given in judged:
        right += label == tag == given
        labelled += label == tag
        tagged += given == tag
    return TagFigures(
        precision=_ratio(right, tagged),
        recall=_ratio(right, labelled),
        f1=_ratio(2 * right, labelled + tagged),
        n=labelled,
    )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
