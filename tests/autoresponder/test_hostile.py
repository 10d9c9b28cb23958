"""Insults, threats of consequences and shouting are found, and plain complaints are not."""

import pytest

from autoresponder.hostile import reads_hostile

HOSTILE = {
    "en": "You are a liar, and my lawyer will hear of this.",
    "en-apostrophe": "You’ll regret this.",
    "es": "Es usted una mentirosa. ¡Qué vergüenza!",
    "zh-Hans": "你们太无能了，我要找律师。",
    "zh-Hant": "我會起訴學校。",
    "vi": "Thật đáng xấu hổ. Tôi sẽ gọi luật sư.",
    "ar": "عار عليكم، سأكلم المحامي.",
    "pt": "Que vergonha! Vou falar com meu advogado.",
    "ht": "Ou dwe wont. M ap rele avoka mwen.",
    "ru": "Как вам не стыдно! Я подам в суд.",
    "ko": "정말 무능합니다. 고소하겠습니다.",
    "tl": "Sinungaling kayo, magsisisi ka.",
    "fr": "C'est honteux, je vais porter plainte.",
    "shouting": "WHY DOES NOBODY AT THIS SCHOOL EVER LISTEN TO WHAT WE TELL YOU ABOUT OUR SON",
}
PLAIN = (
    "I do not agree with this grade, and I would like to talk about it.",
    "My son says that nobody listened to him. Please call me.",
    "PLEASE CALL ME",
    "Ms. Rivera, is the NAEP or the SAT on Friday?",
    "Điều kiện để tham gia sự kiện là gì ạ?",
    "Pitit mwen an gen yon bobo nan men li.",
    "Li fèk sòt lekòl.",
    "滚动的球很有趣。",
    "The pursuit of the ball was fun. Issue you found.",
    "",
)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_words_are_found_in_every_language(text: str) -> None:
    assert reads_hostile(text)


@pytest.mark.parametrize("text", PLAIN)
def test_a_complaint_in_plain_words_is_not_hostile(text: str) -> None:
    assert not reads_hostile(text)
