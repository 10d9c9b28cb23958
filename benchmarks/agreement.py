"""How far the two labellers of `classifier/validation` agree, as Cohen's kappa (Cohen 1960).

`python -m benchmarks.agreement` compares the labels and topics in the files with those that a second reader gave the
same messages without seeing them (`second/labels.jsonl`).
"""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sklearn.metrics import cohen_kappa_score

VALIDATION = Path(__file__).parents[1] / "classifier" / "validation"


def main() -> None:
    """Prints the figures."""
    first = {row["id"]: row for file in sorted(VALIDATION.glob("*.jsonl")) for row in _rows(file)}
    second = {row["id"]: row for row in _rows(VALIDATION / "second" / "labels.jsonl")}
    if first.keys() != second.keys():
        raise SystemExit(f"not every message was labelled twice: {sorted(first.keys() ^ second.keys())[:5]} ...")
    print(f"{len(first)} messages, each labelled twice")
    for what in ("label", "topic"):
        pairs = [(first[id_][what], second[id_][what]) for id_ in first]
        agreed = sum(one == other for one, other in pairs)
        kappa = cohen_kappa_score(*zip(*pairs, strict=True))
        print(f"{what}: agreed on {agreed} ({agreed / len(pairs):.1%}), kappa {kappa:.3f}")
        for (one, other), count in Counter(pair for pair in pairs if pair[0] != pair[1]).most_common(5):
            print(f"  {count:3} {one} / {other}")


def _rows(file: Path) -> Sequence[dict[str, str]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


if __name__ == "__main__":
    main()
