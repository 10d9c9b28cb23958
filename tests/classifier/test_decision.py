from hypothesis import given
from hypothesis import strategies as st

from classifier.decision import SUPPORTED, Thresholds, is_unsure, question_behind, tag_of
from connectors.labels import Tag

chance = st.floats(0, 1)
between = st.floats(0.01, 0.99)
limits = st.builds(Thresholds, urgent=between, conflict=between, doubt=st.floats(0, 2))


@given(chance, chance, limits)
def test_the_tag_follows_from_the_probabilities_urgent_first(urgent: float, conflict: float, found: Thresholds) -> None:
    tag = tag_of(urgent, conflict, found)
    assert (tag is Tag.URGENT) == (urgent >= found.urgent)
    assert (tag is Tag.CONFLICT) == (urgent < found.urgent and conflict >= found.conflict)


@given(chance, chance, chance, limits)
def test_more_urgent_never_lowers_a_tag(urgent: float, conflict: float, more: float, found: Thresholds) -> None:
    order = list(Tag)
    low, high = sorted((urgent, more))
    assert order.index(tag_of(high, conflict, found)) <= order.index(tag_of(low, conflict, found))


@given(chance, chance, limits, st.sampled_from(["und", "fr", "pl", "xx"]))
def test_a_language_not_learned_is_always_unsure(urgent: float, conflict: float, found: Thresholds, code: str) -> None:
    assert is_unsure(urgent, conflict, code, found)


@given(chance, limits, st.sampled_from(SUPPORTED))
def test_on_a_threshold_it_is_unsure(conflict: float, found: Thresholds, code: str) -> None:
    if found.doubt > 0.01:
        assert is_unsure(found.urgent, conflict, code, found)
        assert is_unsure(0.0, found.conflict, code, found)


@given(limits, st.sampled_from(SUPPORTED))
def test_far_from_every_threshold_it_is_sure(found: Thresholds, code: str) -> None:
    assert not is_unsure(0.0, 0.0, code, found)
    assert not is_unsure(1.0, found.conflict, code, found)


@given(chance, chance, limits)
def test_the_question_behind_a_tag_is_the_one_that_decided_it(
    urgent: float, conflict: float, found: Thresholds
) -> None:
    tag, question = tag_of(urgent, conflict, found), question_behind(urgent, conflict, found)
    assert tag is Tag.ROUTINE or question.value == tag.value
