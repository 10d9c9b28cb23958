import pytest
from hypothesis import given
from hypothesis import strategies as st

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
