"""What each half of the model can do alone, what both can do together, and what a cascade would save.

`python -m benchmarks.halves` calibrates the n-grams alone, the encoder alone and both on the calibration part of the
corpus, sets the thresholds by the same rule, and asks each about the messages held back and about those of other hands
(`classifier/validation`). Then it counts the messages that the n-grams alone are sure are routine: what a cascade would
spare the encoder, and what it would miss.
"""

from collections.abc import Mapping, Sequence

from classifier import blend
from classifier.decision import Question, Thresholds, tag_of
from classifier.evaluation import figures
from classifier.examples import CORPUS, Example, Part, read_examples
from classifier.features import Floats
from classifier.lean_spacy import spacy
from classifier.opening import SHIPPED
from classifier.questions import FACTORY
from classifier.training import calibrated, scores_of
from classifier.verdict import Verdict
from connectors.labels import Tag

VALIDATION = CORPUS.parent / "validation"
SURE_ROUTINE = ((0.02, 0.05), (0.05, 0.10), (0.08, 0.20))
"""Below which P(urgent) and P(conflict) of the n-grams a cascade would not ask the encoder."""


def main() -> None:
    """Prints the figures."""
    component = spacy.load(SHIPPED, exclude=["vocab"]).get_pipe(FACTORY)
    corpus = list(read_examples(CORPUS))
    calibration = [example for example in corpus if example.part is Part.CALIBRATION]
    learned = scores_of(component.linear, component.encoder, calibration)
    sets = _sets(corpus)
    asked = {name: scores_of(component.linear, component.encoder, examples) for name, examples in sets.items()}
    print(f"{'':34}{'messages':>9}" + "".join(f"{half:>26}" for half in ("n-grams", "encoder", "both")))
    print(f"{'':43}" + f"{'macro-F1  recall  precision':>26}" * 3)
    alone = {}
    for half, (quick, slow) in {"n-grams": (1, 0), "encoder": (0, 1), "both": (1, 1)}.items():
        alone[half] = (calibrated(learned[0] * quick, learned[1] * slow, calibration), quick, slow)
    for name, examples in sets.items():
        line = f"{name:34}{len(examples):9}"
        for answers, quick, slow in alone.values():
            first, second = asked[name]
            sure = _probabilities(answers.blend, examples, first * quick, second * slow)
            line += _judged(examples, sure, answers.thresholds)
        print(line)
    fitted = alone["n-grams"][0].blend
    print("\na cascade: messages that the n-grams alone call routine, and what hides among them")
    for low_urgent, low_conflict in SURE_ROUTINE:
        print(f"P(urgent) < {low_urgent}, P(conflict) < {low_conflict}")
        for name, examples in sets.items():
            urgent, conflict = _probabilities(fitted, examples, asked[name][0], asked[name][1] * 0)
            spared = (urgent < low_urgent) & (conflict < low_conflict)
            hidden = sum(example.label is Tag.URGENT for example, sure in zip(examples, spared, strict=True) if sure)
            print(f"  {name:32} spares {spared.mean():4.0%} of {len(examples)}, {hidden} of them urgent")


def _sets(corpus: Sequence[Example]) -> Mapping[str, Sequence[Example]]:
    """Messages that neither half has learned from and no threshold was set on."""
    found = {"corpus, held back": [example for example in corpus if example.held_back]}
    names = {
        "en14": "other hands: hard English",
        "es4": "other hands: hard Spanish",
        "en10": "other hands: notes and letters",
        "pairs4": "other hands: pairs",
    }
    for file in sorted(VALIDATION.glob("*.jsonl")):
        name = names.get(file.stem, "other hands: eight languages")
        found.setdefault(name, []).extend(read_examples(file))
    return found


def _probabilities(fitted: blend.Blend, examples: Sequence[Example], quick: Floats, slow: Floats) -> list[Floats]:
    languages = [example.lang for example in examples]
    return [
        fitted.probabilities(question, quick[index], slow[index], languages) for index, question in enumerate(Question)
    ]


def _judged(examples: Sequence[Example], sure: Sequence[Floats], thresholds: Thresholds) -> str:
    verdicts = [
        Verdict(float(urgent), float(conflict), tag_of(urgent, conflict, thresholds), False, "")
        for urgent, conflict in zip(*sure, strict=True)
    ]
    found = figures(examples, verdicts, 1.0)
    urgent = found.tags[Tag.URGENT]
    return f"{found.macro_f1:10.3f}{urgent.recall:8.3f}{urgent.precision:8.3f}"


if __name__ == "__main__":
    main()
