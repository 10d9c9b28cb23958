"""How well verdicts agree with labels: plain counts, so that anybody can work them out again."""

from collections import Counter
from collections.abc import Iterable, Sequence
from time import perf_counter

from pydantic import BaseModel, ConfigDict

from classifier.examples import Example
from classifier.reader import Classifier
from classifier.verdict import Verdict
from connectors.labels import Tag


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TagFigures(_Frozen):
    """One tag. Precision and recall are 0 where nothing was, or should have been, tagged so."""

    precision: float
    recall: float
    f1: float
    n: int
    """Messages labelled so."""


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


def evaluate(classifier: Classifier, examples: Sequence[Example]) -> Figures:
    """Reads every example and counts. The first reading is not timed, so that the model is loaded and warm."""
    list(classifier.read(example.letter for example in examples[:1]))
    started = perf_counter()
    verdicts = list(classifier.read(example.letter for example in examples))
    return figures(examples, verdicts, perf_counter() - started)


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
    )


def _language(judged: Sequence[tuple[Tag, Tag]]) -> LanguageFigures:
    urgent = _tag_figures(Tag.URGENT, judged)
    return LanguageFigures(n=len(judged), macro_f1=_macro_f1(judged), urgent_recall=urgent.recall if urgent.n else None)


def _macro_f1(judged: Sequence[tuple[Tag, Tag]]) -> float:
    present = [tag for tag in Tag if any(label is tag for label, _ in judged)]
    return _ratio(sum(_tag_figures(tag, judged).f1 for tag in present), len(present))


def _tag_figures(tag: Tag, judged: Iterable[tuple[Tag, Tag]]) -> TagFigures:
    right = labelled = tagged = 0
    for label, given in judged:
        right += label is tag and given is tag
        labelled += label is tag
        tagged += given is tag
    return TagFigures(
        precision=_ratio(right, tagged),
        recall=_ratio(right, labelled),
        f1=_ratio(2 * right, labelled + tagged),
        n=labelled,
    )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else 0.0
