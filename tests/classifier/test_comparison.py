"""The gate: which new model may take the place of the one in use."""

import pytest

from classifier.comparison import MARGIN, RANKING_MARGIN, Comparison, Pair, Ranking, Score, objections

SETS = ("corpus", "kept_back", "learned")


def score(recall: float | None = 0.9, macro_f1: float = 0.8) -> Score:
    return Score(n=100, urgent=0 if recall is None else 40, urgent_recall=recall, macro_f1=macro_f1)


def comparison(*, ranking: float = 0.9, **changed: Pair) -> Comparison:
    same = Pair(in_use=score(), new=score())
    pairs = {name: changed.get(name, same) for name in SETS}
    return Comparison.model_validate(pairs | {"ranking": Ranking(without=0.9, new=ranking)})


def test_a_model_that_does_as_well_everywhere_may_be_used() -> None:
    assert objections(comparison()) == ()


@pytest.mark.parametrize("where", SETS)
def test_urgent_recall_may_fall_nowhere_not_by_one_message(where: str) -> None:
    worse = Pair(in_use=score(0.9), new=score(0.875, macro_f1=0.99))
    (sentence,) = objections(comparison(**{where: worse}))
    assert "0.900 to 0.875" in sentence


def test_a_rise_of_recall_in_one_place_makes_up_for_no_fall_in_another() -> None:
    better, worse = Pair(in_use=score(0.5), new=score(1.0)), Pair(in_use=score(0.9), new=score(0.875))
    assert len(objections(comparison(learned=better, kept_back=better, corpus=worse))) == 1


def test_macro_f1_may_fall_by_the_margin_on_the_corpus_and_no_further() -> None:
    assert not objections(comparison(corpus=Pair(in_use=score(), new=score(macro_f1=0.8 - MARGIN + 1e-9))))
    (sentence,) = objections(comparison(corpus=Pair(in_use=score(), new=score(macro_f1=0.8 - MARGIN - 1e-6))))
    assert sentence.startswith("Macro-F1")


def test_corrections_that_spoil_the_ranking_of_urgent_mail_are_refused_though_the_other_half_makes_up_for_it() -> None:
    better = Pair(in_use=score(0.9), new=score(1.0, macro_f1=0.95))
    assert not objections(comparison(ranking=0.9 - RANKING_MARGIN + 1e-9, corpus=better))
    (sentence,) = objections(comparison(ranking=0.9 - RANKING_MARGIN - 1e-6, corpus=better))
    assert "teach that urgent mail is something else" in sentence


def test_corrections_without_an_urgent_message_say_nothing_about_recall() -> None:
    none = Pair(in_use=score(None), new=score(None, macro_f1=0.1))
    assert objections(comparison(kept_back=none, learned=none)) == ()
