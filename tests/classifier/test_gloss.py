import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.decision import SUPPORTED
from classifier.gloss import LEXICONS, UNKNOWN, Lexicon, lexicon

OTHERS = [code for code in SUPPORTED if code != "en"]


def made_of(language: str, *lines: str) -> Lexicon:
    return Lexicon(iter(line.replace(" = ", "\t") for line in lines), language)


def test_the_longest_phrase_wins() -> None:
    glosses = made_of("es", "no = not", "no sé = I do not know", "sé = know", "si = if")
    assert glosses.gloss("No sé si no.") == "I do not know if not."


def test_a_stem_stands_for_every_word_that_begins_with_it() -> None:
    glosses = made_of("ru", "лекарств* = medicine", "не = not", "он = he", "принял* = took")
    assert glosses.gloss("Он не принял лекарства!") == "he not took medicine!"


def test_a_phrase_may_end_in_a_stem() -> None:
    glosses = made_of("ko", "가지 않* = not go", "가지 = eggplant", "학교* = school", "+에 = to")
    assert glosses.gloss("학교에 가지 않았어요") == "school to not go"


def test_arabic_prefixes_and_endings_come_off_only_where_the_word_is_unknown() -> None:
    glosses = made_of("ar", "و+ = and", "ال+ = ", "بيت = house", "ابن* = son", "+ي = my", "ولد = boy")
    assert glosses.gloss("وابني") == "and son my"
    assert glosses.gloss("البيت") == "house"
    assert glosses.gloss("ولد") == "boy"


def test_arabic_is_read_without_its_signs() -> None:
    assert made_of("ar", "أمّي = my mother").gloss("امي") == "my mother"


def test_chinese_needs_no_spaces() -> None:
    glosses = made_of("zh", "今天 = today", "不 = not", "不去 = does not go", "学校 = school")
    assert glosses.gloss("今天不去学校。") == "today does not go school 。"


def test_what_is_not_known_is_passed_over_and_latin_names_stay() -> None:
    assert made_of("ru", "не = not").gloss("Фрося не Maya 123") == f"{UNKNOWN} not maya 123"


@pytest.mark.parametrize("line", ["no tab", "\tgloss", "*\tgloss"])
def test_a_line_that_is_no_entry_is_named(line: str) -> None:
    with pytest.raises(ValueError, match="line 2: expected SOURCE<TAB>GLOSS"):
        Lexicon(iter(["a\tb", line]), "es")


@pytest.mark.parametrize("language", OTHERS)
def test_every_language_but_english_has_a_lexicon_with_what_turns_a_sentence_round(language: str) -> None:
    glosses = lexicon(language)
    assert glosses is not None
    assert len(glosses) > 2000
    english = {word for line in lines_of(language) for word in re.findall(r"[a-z]+", line.split("\t")[1].lower())}
    missing = {"not", "today", "tomorrow", "yesterday", "if", "never", "nobody", "medicine", "bus", "hurt"} - english
    assert not missing


def lines_of(language: str) -> list[str]:
    file = Path(LEXICONS) / f"{language}.tsv"
    return [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip() and not line.startswith("#")]


def test_english_is_read_as_it_is() -> None:
    assert lexicon("en") is None


@pytest.mark.parametrize("language", OTHERS)
@given(st.data())
def test_any_text_has_a_gloss(language: str, data: st.DataObject) -> None:
    glosses = lexicon(language)
    assert glosses is not None
    text = data.draw(st.text(max_size=80) | st.text(alphabet="".join(lines_of(language)[:40]), max_size=80))
    assert "\t" not in glosses.gloss(text.replace("\t", " "))
