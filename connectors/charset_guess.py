"""Guessing the charset of text whose label is missing or wrong, among those that families' programs used before UTF-8.

General detectors take Spanish for Turkish and know nothing of Big5 on texts as short as mail. Here the question is
narrower: it is Western European unless, read in another charset, the text shows that language's everyday characters.
"""

import re

_SAMPLE = 4_096
_ENOUGH = 5
"""High bytes below which nothing can be told."""
_HIGH = re.compile(rb"[\x80-\xff]")
_RUN = re.compile(rb"[\x80-\xff]{3,}")

_CHINESE = frozenset(
    "的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么"
    "心多天而能好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长知"
    "這來國個說們為時會過學對裡後麼沒於還發當無開見經頭從動兩長師請謝妳給您老师请谢给今明早晚上课校课，。！？"
)
_KOREAN = frozenset(
    "이다는을가에의하고지은도로기한서사어나자리대를시니습아해라인게들그수만있제일면정선생님요주보전오안부습"
)
_RUSSIAN = frozenset("оеаинтсрвл")
_ARABIC = frozenset("اليمنورتبه")
# Python's name of the charset, its everyday characters, and about how much of a text they make up.
_WIDE = (("gb18030", _CHINESE, 0.45), ("big5hkscs", _CHINESE, 0.45), ("cp949", _KOREAN, 0.55))
_NARROW = (
    ("koi8-r", _RUSSIAN, 0.68),
    ("cp1251", _RUSSIAN, 0.68),
    ("iso8859-5", _RUSSIAN, 0.68),
    ("cp1256", _ARABIC, 0.7),
)
_LIKELY = 0.55
_OTHER_CASE = 0.8
"""What a capital counts for: in a wrong Cyrillic charset the cases change places."""


def guess(raw: bytes) -> str:
    """Python's name for the charset that `raw`, which is neither ASCII nor UTF-8, is most likely in."""
    sample = raw[:_SAMPLE]
    high = len(_HIGH.findall(sample))
    if high < _ENOUGH:
        return "cp1252"
    candidates = list(_WIDE)
    # Western accents stand alone among plain letters; words in Cyrillic or Arabic are runs of high bytes.
    if sum(map(len, _RUN.findall(sample))) >= high * 0.4:
        candidates += _NARROW
    score, name = max((_share(sample, name, frequent) / usual, name) for name, frequent, usual in candidates)
    return name if score >= _LIKELY else "cp1252"


def _share(sample: bytes, name: str, frequent: frozenset[str]) -> float:
    """How much of what is not ASCII is an everyday character, were `sample` in the charset `name`."""
    text = [character for character in sample.decode(name, "replace") if character > "\x7f"]
    found = 0.0
    for character in text:
        if character in frequent:
            found += 1
        elif character.lower() in frequent:
            found += _OTHER_CASE
    return found / (len(text) or 1)
