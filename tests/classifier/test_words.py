from hypothesis import given
from hypothesis import strategies as st

from classifier.words import MAX_CHARACTERS, lowered, split, tidy

anything = st.text(max_size=200) | st.text(alphabet=" \n\t.a界한'’İß٣😀", max_size=60)


@given(anything)
def test_words_and_spaces_put_together_are_the_text(text: str) -> None:
    read = tidy(text)
    words, spaces = split(read)
    assert "".join(word + " " * space for word, space in zip(words, spaces, strict=True)) == read
    assert all(words)


@given(anything)
def test_lower_case_keeps_every_place(text: str) -> None:
    assert len(lowered(text)) == len(text)


@given(anything)
def test_tidying_twice_changes_nothing_more(text: str) -> None:
    assert tidy(tidy(text)) == tidy(text)


@given(st.text(alphabet="ab \nﷺ", min_size=1, max_size=50))
def test_however_long_a_text_is_what_is_read_is_bounded(text: str) -> None:
    assert len(tidy(text * 3000)) <= 2 * MAX_CHARACTERS


def test_chinese_characters_are_words_of_their_own() -> None:
    assert split("今天at 3点").words == ["今", "天", "at", "3", "点"]
