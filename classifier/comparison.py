"""Whether a model that learned from corrections may take the place of the one in use: urgent mail comes first."""

from pydantic import BaseModel, ConfigDict

MARGIN = 0.005
"""How much macro-F1 on the corpus's held-back messages may fall: what a teacher's school gains may cost strangers a
message in two hundred, not more."""


RANKING_MARGIN = 0.002
"""How much worse the quick half may rank urgent mail for its lessons. Of 973 messages taken out of the corpus, honest
corrections of up to 224 moved it by -0.0003 to +0.0015; urgent ones called routine by -0.0007 (60 of them), -0.0052
(160) and -0.0085 (320)."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Score(_Frozen):
    """How well one model did on one set of messages."""

    n: int
    urgent: int
    """Messages labelled urgent."""
    urgent_recall: float | None
    """None where no message is labelled urgent."""
    macro_f1: float


class Pair(_Frozen):
    """Two models on the same messages: the one in use, and the new one."""

    in_use: Score
    new: Score


class Ranking(_Frozen):
    """How well the quick half alone tells urgent mail from other mail, on the corpus's held-back messages: how often it
    ranks an urgent message above another one (the area under the ROC curve)."""

    without: float
    """Learned from the corpus alone."""
    new: float
    """Learned from the corrections, too."""


class Comparison(_Frozen):
    """Two models side by side."""

    corpus: Pair
    """On the messages of the corpus that are held back."""
    kept_back: Pair
    """On the corrections that the new model did not learn from."""
    learned: Pair
    """On those that it did learn from."""
    ranking: Ranking


def objections(comparison: Comparison) -> tuple[str, ...]:
    """What speaks against the new model, a sentence each; empty where it may be used."""
    found = []
    for name, pair in (
        ("the corpus's held-back messages", comparison.corpus),
        ("the corrections that were kept back", comparison.kept_back),
        ("the corrections that it learned from", comparison.learned),
    ):
        before, after = pair.in_use.urgent_recall or 0.0, pair.new.urgent_recall or 0.0
        if after < before:
            found.append(f"Urgent recall on {name} would fall from {before:.3f} to {after:.3f}.")
    before, after = comparison.corpus.in_use.macro_f1, comparison.corpus.new.macro_f1
    if after < before - MARGIN:
        found.append(f"Macro-F1 on the corpus's held-back messages would fall from {before:.3f} to {after:.3f}.")
    without, new = comparison.ranking.without, comparison.ranking.new
    if new < without - RANKING_MARGIN:
        found.append(
            "The corrections teach that urgent mail is something else: what they taught ranks urgent messages of the "
            f"corpus above others in {new:.1%} of cases, without it {without:.1%}."
        )
    return tuple(found)
