"""Which language a message is written in: the ten that the model has learned, another one, or not to be told."""

import unicodedata
from collections import Counter
from typing import Any

from py3langid.langid import LanguageIdentifier

from classifier.decision import SUPPORTED, UNDETERMINED

READ = 200
"""Characters that are looked at; more make it slower and no surer."""
_SHORT = 25
"""Letters below which a Latin text tells little: only a learned language is believed then."""
_SURE_OTHER = 0.9
"""How probable a language that the model has not learned must be before it is believed."""
_SURE_SHORT = 0.35

# Other languages that families in US schools write, and neighbours of the ten that would be taken for them.
# fmt: off
OTHERS = (
    "fr", "de", "it", "nl", "pl", "uk", "ro", "sq", "sr", "hr", "bs", "bg", "mk", "cs", "sk", "hu", "el", "tr", "sv",
    "no", "da", "fi", "lt", "lv", "et", "hy", "ka", "fa", "ps", "ku", "he", "ur", "hi", "bn", "pa", "gu", "ta", "te",
    "ml", "kn", "ne", "si", "th", "km", "lo", "my", "mn", "ja", "id", "ms", "so", "sw", "am", "ha", "ig", "yo", "rw",
    "ln", "uz", "kk", "az", "be", "ca", "gl", "eu",
)
# fmt: on
_SCRIPTS = {
    "CJK": "zh",
    "HANGUL": "ko",
    "ARABIC": "ar",
    "CYRILLIC": "ru",
    "HIRAGANA": "ja",
    "KATAKANA": "ja",
}
_OF_SCRIPT = {
    "zh": {"zh"},
    "ko": {"ko"},
    "ja": {"ja"},
    "ar": {"ar", "fa", "ur", "ps", "ku"},
    "ru": {"ru", "uk", "bg", "mk", "sr", "mn", "kk", "be"},
}


class Languages:
    """py3langid, asked only for languages that can occur, with its doubts heard. Safe to call from several threads."""

    def __init__(self) -> None:
        """Loads the identifier's model (some tenths of a second)."""
        self._identifier: Any = LanguageIdentifier.from_model_file("data/model.npz.xz", norm_probs=True)
        self._identifier.set_languages([*SUPPORTED, *OTHERS])

    def of(self, text: str) -> str:
        """The language of `text`: ISO 639-1 (639-3 where there is none), "und" where it could not be told."""
        read = text[:READ]
        letters = [character for character in read if character.isalpha()]
        if not letters:
            return UNDETERMINED
        if read.isascii():
            return self._latin(read, len(letters))
        script = _script(letters)
        if script is None:
            return self._latin(read, len(letters))
        ranked = [(code, sure) for code, sure in self._identifier.rank(read) if code in _OF_SCRIPT[script]]
        best, sure = ranked[0]
        total = sum(probability for _, probability in ranked) or 1.0
        return best if best in SUPPORTED or sure / total >= _SURE_OTHER else script

    def _latin(self, read: str, letters: int) -> str:
        best, sure = self._identifier.classify(read)
        if best in SUPPORTED and (letters >= _SHORT or sure >= _SURE_SHORT):
            return str(best)
        if best not in SUPPORTED and letters >= _SHORT and sure >= _SURE_OTHER:
            return str(best)
        learned, probability = next((code, p) for code, p in self._identifier.rank(read) if code in SUPPORTED)
        return str(learned) if probability >= _SURE_SHORT / 2 else UNDETERMINED


def _script(letters: list[str]) -> str | None:
    """The language that stands for the commonest script of `letters`, None for Latin and every other alphabet."""
    names = Counter(unicodedata.name(letter, "").split(" ")[0].split("-")[0] for letter in letters)
    name, count = names.most_common(1)[0]
    if name == "CJK" and names["HIRAGANA"] + names["KATAKANA"] > len(letters) // 20:
        return "ja"
    return _SCRIPTS.get(name) if 2 * count >= len(letters) or name in ("CJK", "HANGUL") else None
