"""A new model from the corpus and a school's corrections, and how it does beside the one in use."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from classifier.comparison import Comparison, Pair, Ranking, Score
from classifier.decision import Question
from classifier.encoder import Encoder
from classifier.evaluation import figures
from classifier.examples import Example, Part
from classifier.features import Floats
from classifier.language import Languages
from classifier.lessons import Lesson, Lessons
from classifier.questions import FACTORY
from classifier.reader import Bearings, Classifier
from classifier.training import Progress, learn_linear, reading_of, train
from classifier.verdict import Letter, Verdict
from connectors.labels import Tag

_AT_ONCE = 64
"""Letters between two words of progress."""


def learn(examples: Sequence[Example], encoder: Encoder, lessons: Lessons, *, progress: Progress) -> Any:
    """A spaCy pipeline that learned from the corpus `examples` and from those of `lessons` that are not held back. The
    calibration and the thresholds come from the corpus alone, and `encoder` stays as it is.

    Raises ValueError where the corpus has too few examples.
    """
    taught = [lesson for lesson in lessons.letters if not lesson.held_back]
    return train(examples, encoder, lessons=Lessons(taught, lessons.calendar), progress=progress)


def compare(
    in_use: Classifier,
    nlp: Any,
    examples: Sequence[Example],
    lessons: Lessons,
    bearings: Bearings,
    *,
    progress: Progress,
) -> Comparison:
    """The model in use and the new one side by side, both with the school's own thresholds where it set some."""
    held_back = [example for example in examples if example.held_back]
    kept_back = [lesson for lesson in lessons.letters if lesson.held_back]
    learned = [lesson for lesson in lessons.letters if not lesson.held_back]
    new = Classifier(nlp, Languages(), bearings)
    # The corpus came to no school: it is read by the calendar that it was written for.
    usual = Bearings(sureness=bearings.sureness)

    def pair(name: str, labels: list[Tag], letters: list[Letter], at: Bearings) -> Pair:
        found = []
        for which, model in (("in use", in_use), ("new", new)):
            verdicts = _verdicts(model.at(at), letters, f"{name}, {which}", progress)
            found.append(_score(labels, verdicts))
        return Pair(in_use=found[0], new=found[1])

    def of_lessons(name: str, chosen: list[Lesson]) -> Pair:
        return pair(name, [each.label for each in chosen], [each.letter for each in chosen], bearings)

    progress("ranking: without the corrections")
    urgent = np.array([example.label is Tag.URGENT for example in held_back])
    readings = [reading_of(example) for example in held_back]
    alone = learn_linear([example for example in examples if example.part is Part.LEARNING])
    without, taught = (
        area_under_curve(linear.scores(readings)[list(Question).index(Question.URGENT)], urgent)
        for linear in (alone, nlp.get_pipe(FACTORY).linear)
    )
    return Comparison(
        corpus=pair("corpus", [each.label for each in held_back], [each.letter for each in held_back], usual),
        kept_back=of_lessons("corrections kept back", kept_back),
        learned=of_lessons("corrections", learned),
        ranking=Ranking(without=without, new=taught),
    )


def area_under_curve(scores: Floats, yes: npt.NDArray[np.bool_]) -> float:
    """How often a message whose answer is yes has a higher score than one whose answer is no; 1.0 where there are not
    both. Of equal scores neither is higher."""
    against = np.sort(scores[~yes])
    higher = np.searchsorted(against, scores[yes], side="left")
    pairs = len(against) * int(yes.sum())
    return float(higher.sum()) / pairs if pairs else 1.0


def _verdicts(model: Classifier, letters: Sequence[Letter], name: str, progress: Progress) -> list[Verdict]:
    verdicts: list[Verdict] = []
    for verdict in model.read(letters, batch_size=_AT_ONCE, explain=False):
        verdicts.append(verdict)
        if len(verdicts) % _AT_ONCE == 0:
            progress(f"{name}: {len(verdicts)} of {len(letters)} messages")
    return verdicts


def _score(labels: Sequence[Tag], verdicts: Sequence[Verdict]) -> Score:
    found = figures([Example(body="", label=label) for label in labels], verdicts, 0.0)
    urgent = found.tags[Tag.URGENT]
    return Score(n=found.n, urgent=urgent.n, urgent_recall=urgent.recall if urgent.n else None, macro_f1=found.macro_f1)
