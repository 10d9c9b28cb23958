"""How far two labellers agree, as Cohen's kappa (Cohen 1960).

`python -m benchmarks.agreement` compares labels and topics as they stand in `classifier/validation` and in
`classifier/corpus` with those that a second reader gave the same messages without seeing them (`second/labels.jsonl` in
each). All of the validation set was read twice; of the corpus, the files that came after the first model. Messages that
were taken out because the two differed (`second/disputed.jsonl`) count as well.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sklearn.metrics import cohen_kappa_score

from classifier.examples import CORPUS, Example, read_examples


@dataclass(frozen=True, slots=True)
class Reading:
    """What the second reader said of one message."""

    label: str
    topic: str


def main() -> None:
    """Prints the figures."""
    for folder in (CORPUS.parent / "validation", CORPUS):
        files = [*sorted(folder.glob("*.jsonl")), *folder.glob("second/disputed.jsonl")]
        messages = {example.id: (file, example) for file in files for example in read_examples(file)}
        second = _second(folder / "second" / "labels.jsonl")
        if gone := second.keys() - messages.keys():
            raise SystemExit(f"{folder}: labelled a second time, but not there: {', '.join(sorted(gone)[:5])}")
        read = {messages[id_][0] for id_ in second}
        if once := [id_ for id_, (file, _) in messages.items() if file in read and id_ not in second]:
            raise SystemExit(f"{folder}: {len(once)} messages were labelled once only: {', '.join(once[:5])}")
        print(f"\n{folder.name}: {len(second)} messages, each labelled twice")
        _compare([messages[id_][1] for id_ in second], list(second.values()))


def _second(file: Path) -> dict[str, Reading]:
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    found = {row["id"]: Reading(row["label"], row["topic"]) for row in rows}
    if len(found) < len(rows):
        raise SystemExit(f"{file}: an id is there twice")
    return found


def _compare(first: Sequence[Example], second: Sequence[Reading]) -> None:
    for what, ones, others in (
        ("label", [example.label.value for example in first], [reading.label for reading in second]),
        ("topic", [example.topic for example in first], [reading.topic for reading in second]),
    ):
        pairs = list(zip(ones, others, strict=True))
        agreed = sum(one == other for one, other in pairs)
        print(f"{what}: agreed on {agreed} ({agreed / len(pairs):.1%}), kappa {cohen_kappa_score(ones, others):.3f}")
        for (one, other), count in Counter(pair for pair in pairs if pair[0] != pair[1]).most_common(5):
            print(f"  {count:3} {one} / {other}")


if __name__ == "__main__":
    main()
