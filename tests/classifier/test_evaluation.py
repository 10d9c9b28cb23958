import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.decision import Question
from classifier.evaluation import figures
from classifier.examples import Example
from classifier.verdict import Verdict
from connectors.labels import Tag

judged = st.lists(
    st.tuples(st.sampled_from(list(Tag)), st.sampled_from(list(Tag)), st.sampled_from(["en", "es", ""])), min_size=1
)


def f1_slowly(label: Tag, pairs: list[tuple[Tag, Tag]]) -> tuple[float, float, float]:
    """Precision, recall and f1 from their definitions, one message after another."""
    hits = len([1 for wanted, given_tag in pairs if wanted == given_tag == label])
    tagged = len([1 for _, given_tag in pairs if given_tag == label])
    wanted = len([1 for wanted, _ in pairs if wanted == label])
    precision = hits / tagged if tagged > 0 else 0.0
    recall = hits / wanted if wanted > 0 else 0.0
    return precision, recall, 2 * precision * recall / (precision + recall) if precision + recall > 0 else 0.0


def macro_slowly(pairs: list[tuple[Tag, Tag]]) -> float:
    present = {wanted for wanted, _ in pairs}
    return sum(f1_slowly(label, pairs)[2] for label in present) / len(present)


@settings(max_examples=40)  # each draws a thousand times
@given(judged)
def test_figures_agree_with_their_definitions(rows: list[tuple[Tag, Tag, str]]) -> None:
    examples = [Example(id=str(n), lang=lang, body="", label=label) for n, (label, _, lang) in enumerate(rows)]
    verdicts = [Verdict(0.5, 0.5, tag, False, "en") for _, tag, _ in rows]
    found = figures(examples, verdicts, 2.0)
    pairs = [(label, tag) for label, tag, _ in rows]
    assert found.n == len(rows)
    assert found.messages_per_second == len(rows) / 2
    assert found.accuracy == pytest.approx(sum(label == tag for label, tag in pairs) / len(pairs))
    assert found.macro_f1 == pytest.approx(macro_slowly(pairs))
    for label in Tag:
        one = found.tags[label]
        assert (one.precision, one.recall, one.f1) == pytest.approx(f1_slowly(label, pairs))
        assert one.n == sum(found.confusion[label].values()) == sum(wanted == label for wanted, _ in pairs)
        assert all(found.confusion[label][tag] == pairs.count((label, tag)) for tag in Tag)
    assert sum(language.n for language in found.languages.values()) == len(rows)
    for code, language in found.languages.items():
        own = [(label, tag) for label, tag, lang in rows if (lang or "und") == code]
        assert language.n == len(own)
        assert language.macro_f1 == pytest.approx(macro_slowly(own))
        if any(label == Tag.URGENT for label, _ in own):
            assert language.urgent_recall == pytest.approx(f1_slowly(Tag.URGENT, own)[1])
        else:
            assert language.urgent_recall is None


def verdict(tag: Tag, urgent: float = 0.5, conflict: float = 0.5, *, unsure: bool = False, topic: str = "") -> Verdict:
    return Verdict(urgent, conflict, tag, unsure, "en", topic)


def test_conflict_is_judged_only_where_the_label_is_not_urgent() -> None:
    examples = [Example(body="", label=label) for label in (Tag.URGENT, Tag.CONFLICT, Tag.ROUTINE)]
    verdicts = [verdict(Tag.URGENT, 1, 1), verdict(Tag.CONFLICT, 0, 1), verdict(Tag.ROUTINE, 0, 0.5)]
    error = figures(examples, verdicts, 1).calibration_error
    assert error == {Question.URGENT: 0, Question.CONFLICT: 0.25}
    assert figures(examples[:1], verdicts[:1], 1).calibration_error[Question.CONFLICT] is None


def test_the_share_to_be_checked_by_a_person_is_counted() -> None:
    examples = [Example(body="", label=Tag.ROUTINE)] * 4
    verdicts = [verdict(Tag.ROUTINE, unsure=unsure) for unsure in (True, False, False, False)]
    assert figures(examples, verdicts, 1).unsure_rate == 0.25


def test_topics_have_figures_of_their_own_and_a_message_without_one_is_left_out() -> None:
    wanted, given_topics = ["health", "health", "grades", ""], ["health", "grades", "grades", "grades"]
    examples = [Example(body="", label=Tag.ROUTINE, topic=topic) for topic in wanted]
    topics = figures(examples, [verdict(Tag.ROUTINE, topic=topic) for topic in given_topics], 1).topics
    assert list(topics) == ["grades", "health"]
    assert (topics["health"].n, topics["health"].precision, topics["health"].recall) == (2, 1, 0.5)
    assert (topics["grades"].n, topics["grades"].precision, topics["grades"].recall) == (1, 0.5, 1)


def test_a_pair_counts_as_right_only_where_both_messages_are() -> None:
    rows = [("p", True), ("q", True), ("p", True), ("q", False), ("alone", True), (None, False)]
    examples = [Example(body="", label=Tag.URGENT, pair=pair) for pair, _ in rows]
    found = figures(examples, [verdict(Tag.URGENT if right else Tag.ROUTINE) for _, right in rows], 1)
    assert found.pairs is not None
    assert (found.pairs.n, found.pairs.both_right) == (2, 0.5)
    assert json.loads(found.model_dump_json())["pairs"] == {"n": 2, "both_right": 0.5}


def test_without_pairs_there_is_no_word_of_them() -> None:
    found = figures([Example(body="", label=Tag.URGENT)], [verdict(Tag.URGENT)], 1)
    assert found.pairs is None
    assert "pairs" not in json.loads(found.model_dump_json())
