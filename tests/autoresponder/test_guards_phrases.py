"""The quick look for fixed words never hides a phrase from the pattern that looks for it."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoresponder.guards.phrases import LEAVING

# Letters that Python's IGNORECASE takes for others (dotless i, long s, the Kelvin sign): no mail program writes them.
_LETTERS = st.characters(exclude_characters="ıİſK", exclude_categories=("Cs",))


@pytest.mark.parametrize("number", range(len(LEAVING)))
@given(data=st.data())
def test_whatever_a_pattern_finds_holds_one_of_its_stems(number: int, data: st.DataObject) -> None:
    phrases = LEAVING[number]
    found = data.draw(st.from_regex(re.compile(phrases.pattern.pattern, re.IGNORECASE), alphabet=_LETTERS))
    folded = found.casefold()
    if phrases.pattern.search(folded):
        assert phrases.stand_in(folded)
