"""What the safety net finds and what it cries wolf at, measured on its own, and what it adds to the model.

`python -m benchmarks.safety_net` prints, for the corpus (the parts that phrases are written from), for its held-back
part and for `classifier/validation`, per language: of the urgent messages about health, safety, wellbeing and
whereabouts how many it finds, and of all that it raises how many are urgent. `--model` reads the held-back part and the
validation with the shipped model as well, with the net and without it.
"""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from classifier import load
from classifier.examples import CORPUS, Example, Part, read_examples
from classifier.raising import NET_CUES
from classifier.safety_net import Alarm, SafetyNet
from classifier.text import text_of
from classifier.words import split
from connectors.labels import Tag

VALIDATION = Path(__file__).parents[1] / "classifier" / "validation"
TOPICS = ("health", "safety", "wellbeing", "whereabouts")


def main() -> None:
    """Prints the figures."""
    corpus, validation = list(read_examples(CORPUS)), list(read_examples(VALIDATION))
    held_back = [example for example in corpus if example.held_back]
    _measure("corpus, learning and calibration", [example for example in corpus if example.part is not Part.HELD_BACK])
    _measure("corpus, held back", held_back)
    _measure("validation", validation)
    if "--model" in sys.argv:
        _beside_the_model("corpus, held back", held_back)
        _beside_the_model("validation", validation)


def _measure(what: str, examples: Sequence[Example]) -> None:
    net = SafetyNet()
    found = [(example, _first(net, example)) for example in examples]
    print(f"\n{what}: {len(examples)} messages")
    for language in [*sorted({example.lang for example in examples}), "all"]:
        mine = [(example, alarm) for example, alarm in found if language in (example.lang, "all")]
        hoped = [alarm for example, alarm in mine if example.label is Tag.URGENT and example.topic in TOPICS]
        raised = Counter(example.label for example, alarm in mine if alarm is not None)
        print(
            f"  {language:3} finds {sum(alarm is not None for alarm in hoped):4} of {len(hoped):4}"
            f"   raises {raised.total():4}, urgent {raised[Tag.URGENT]:4}, conflict {raised[Tag.CONFLICT]:3},"
            f" routine {raised[Tag.ROUTINE]:3}   precision {_share(raised[Tag.URGENT], raised.total())}"
        )
    by_kind = Counter((alarm.kind, example.label is Tag.URGENT) for example, alarm in found if alarm is not None)
    for kind in sorted({kind for kind, _ in by_kind}):
        right, wrong = by_kind[kind, True], by_kind[kind, False]
        print(f"  {kind:13} raises {right + wrong:4}   precision {_share(right, right + wrong)}")
    for topic in TOPICS:
        alarms = [alarm for example, alarm in found if example.label is Tag.URGENT and example.topic == topic]
        print(f"  {topic:13} finds {sum(alarm is not None for alarm in alarms):4} of {len(alarms):4} urgent")


def _first(net: SafetyNet, example: Example) -> Alarm | None:
    text = text_of(example.letter)
    return net.first_alarm(text, split(text), example.lang)


def _beside_the_model(what: str, examples: Sequence[Example]) -> None:
    classifier = load()
    verdicts = list(classifier.read(example.letter for example in examples))
    with_net = [verdict.tag is Tag.URGENT for verdict in verdicts]
    # The net raises the probability just to the threshold and says so first; a model that came as far alone is left.
    added = [
        verdict.unsure and verdict.urgent == classifier.thresholds.urgent and verdict.reasons[0].cue.endswith(NET_CUES)
        for verdict in verdicts
    ]
    alone = [urgent and not mine for urgent, mine in zip(with_net, added, strict=True)]
    truth = [example.label is Tag.URGENT for example in examples]
    print(f"\nthe model on {what}")
    for name, tags in (("alone", alone), ("with the net", with_net)):
        right = sum(tag and true for tag, true in zip(tags, truth, strict=True))
        print(f"  {name:13} urgent recall {_share(right, sum(truth))}, precision {_share(right, sum(tags))}")


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.3f}" if whole else "-"


if __name__ == "__main__":
    main()
