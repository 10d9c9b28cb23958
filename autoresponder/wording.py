"""The languages that we write, and how each says a sentence, a day and a time.

The sentences stand in the code in English; `locale/<code>/LC_MESSAGES/families.po` translates what families read,
`conversation.po` what a teacher may write to them, `office.po` what the staff reads. They are read as they are: there
is no build step that could be forgotten (`docs/howto/wording.md`).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.dates import format_date, format_time
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

SOURCE_LANGUAGE = "en"
"""The language of the sentences in the code."""
LANGUAGES = ("en", "es", "zh-Hans", "zh-Hant", "vi", "ar", "pt", "ht", "ru", "ko", "tl", "fr")
"""The languages that families are written to in: ISO 639-1, Chinese with its script (RFC 5646)."""
STAFF_LANGUAGES = ("en", "es")
"""Those that the staff is written to in."""
FAMILIES, OFFICE, CONVERSATION = "families", "office", "conversation"
"""The catalogues: what we write to families, what the staff reads, and what a teacher may write to a family."""
LOCALE_FOLDER = Path(__file__).parent / "locale"
_ALSO_CALLED = {"fil": "tl"}
_SIMPLIFIED = frozenset("们这会来说时过对学没让请谢问师吗给孩为还后开关车边迟点发动课业长见听话电书写样")
_TRADITIONAL = frozenset("們這會來說時過對學沒讓請謝問師嗎給孩為還後開關車邊遲點發動課業長見聽話電書寫樣")
# CLDR has only French names for the days and months of Haitian Creole.
_DAYS = {"ht": ("lendi", "madi", "mèkredi", "jedi", "vandredi", "samdi", "dimanch")}
# fmt: off
_MONTHS = {"ht": (
    "janvye", "fevriye", "mas", "avril", "me", "jen", "jiyè", "out", "septanm", "oktòb", "novanm", "desanm",
)}
# fmt: on


def written_languages(wanted: Iterable[str | None], written: Sequence[str] = LANGUAGES) -> tuple[str, ...]:
    """Those of `wanted` that we write, each once, in that order; English where there is none. A regional code such as
    `es-MX` counts as its language; Chinese without a script or region as simplified."""
    codes = (_as_written(code) for code in wanted if code)
    return tuple(dict.fromkeys(code for code in codes if code in written)) or (SOURCE_LANGUAGE,)


def is_written(code: str) -> bool:
    """Whether families are written to in this language."""
    return _as_written(code) in LANGUAGES


def script_of(chinese: str) -> str:
    """`zh-Hans` or `zh-Hant`: the script that a Chinese text is written in, as far as its commonest characters tell."""
    traditional = sum(character in _TRADITIONAL for character in chinese)
    return "zh-Hant" if traditional > sum(character in _SIMPLIFIED for character in chinese) else "zh-Hans"


def _as_written(code: str) -> str:
    language, *rest = code.lower().replace("_", "-").split("-")
    if language == "zh":
        return "zh-Hant" if {"hant", "tw", "hk", "mo"} & set(rest) else "zh-Hans"
    return _ALSO_CALLED.get(language, language)


@dataclass(frozen=True, slots=True)
class Wording:
    """One language: its translations, and its dates and times in words."""

    language: str
    locale: Locale
    translations: NullTranslations

    @property
    def direction(self) -> str:
        """`ltr` or `rtl`, as HTML's dir attribute wants it."""
        return "rtl" if self.locale.text_direction == "rtl" else "ltr"

    def gettext(self, sentence: str) -> str:
        """`sentence` in this language."""
        return self.translations.gettext(sentence)

    def day(self, day: date) -> str:
        """A day for the middle of a sentence: "Thursday, March 5", "jueves 5 de marzo"."""
        _ = self.gettext
        # Translators: a date pattern of Unicode TR 35, for the middle of a sentence, such as Thursday, March 5.
        pattern = _("EEEE, MMMM d")
        if self.language in _DAYS:
            named = {"EEEE": _DAYS[self.language][day.weekday()], "MMMM": _MONTHS[self.language][day.month - 1]}
            pattern = re.sub("EEEE|MMMM", lambda field: f"'{named[field[0]]}'", pattern)
        return format_date(day, pattern, locale=self.locale)

    def clock(self, at: time | datetime) -> str:
        """A time of day: "3:30 PM"."""
        _ = self.gettext
        # Translators: a time pattern of Unicode TR 35, such as 3:30 PM.
        said = format_time(at.timetz() if isinstance(at, datetime) else at, _("h:mm a"), locale=self.locale)
        # The narrow blank of "p. m." is missing from many fonts. No line may end between "3:30" and "PM", except in
        # Chinese, where this blank is the only one in a long sentence.
        said = said.replace("\u202f", "\u00a0")
        return said if self.locale.language == "zh" else said.replace(" ", "\u00a0")

    def weekday(self, number: int) -> str:
        """A weekday's name, Monday is 0."""
        if self.language in _DAYS:
            return _DAYS[self.language][number]
        return str(self.locale.days["stand-alone"]["wide"][number])

    def sentences(self, each: Sequence[str]) -> str:
        """Sentences as one paragraph: Chinese puts no blank between them."""
        return ("" if self.locale.language == "zh" else " ").join(each)

    def span(self, begins: datetime, ends: datetime) -> str:
        """A stretch of one day, for the middle of a sentence: "on Thursday, March 5, from 12:10 PM to 12:40 PM"."""
        _ = self.gettext
        sentence = _("on {day} from {opens} to {closes}")
        return sentence.format(day=self.day(begins.date()), opens=self.clock(begins), closes=self.clock(ends))

    def list(self, things: Sequence[str], *, either: bool = False) -> str:
        """Several things as one phrase: "the name, the day and the time", or with "or" where `either`."""
        _ = self.gettext
        if len(things) == 1:
            return things[0]
        # Translators: how two things are joined, the last two where there are more. {before} may be a list itself.
        last = _("{before} or {last}") if either else _("{before} and {last}")
        # Translators: what stands between things of a list, before the last two.
        return last.format(before=_(", ").join(things[:-1]), last=things[-1])


@cache
def wording(language: str, catalogue: str = FAMILIES) -> Wording:
    """The wording of one of `LANGUAGES`, or, for the catalogue `OFFICE`, of `STAFF_LANGUAGES`. `CONVERSATION` knows the
    sentences of `FAMILIES`, too. Raises KeyError for another language."""
    if language not in (STAFF_LANGUAGES if catalogue == OFFICE else LANGUAGES):
        raise KeyError(language)
    locale = Locale.parse(language, sep="-")
    return Wording(language, locale, _translations(language, locale, catalogue))


def catalogue_path(language: str, catalogue: str = FAMILIES) -> Path:
    """Where the translations of `language` stand."""
    return LOCALE_FOLDER / language.replace("-", "_") / "LC_MESSAGES" / f"{catalogue}.po"


@cache
def sentences_in(catalogue: str) -> tuple[str, ...]:
    """The English sentences of a catalogue, in its order."""
    every = _read(LANGUAGES[1], Locale.parse(LANGUAGES[1]), catalogue)
    return tuple(str(message.id) for message in every if message.id)


def _translations(language: str, locale: Locale, name: str) -> NullTranslations:
    if language == SOURCE_LANGUAGE:
        return NullTranslations()
    compiled = BytesIO()
    write_mo(compiled, _read(language, locale, name))
    compiled.seek(0)
    translations = GNUTranslations(compiled)
    if name == CONVERSATION:
        translations.add_fallback(_translations(language, locale, FAMILIES))
    return translations


def _read(language: str, locale: Locale, name: str) -> Catalog:
    with catalogue_path(language, name).open("rb") as lines:
        return read_po(lines, locale=locale, domain=name, abort_invalid=True)
