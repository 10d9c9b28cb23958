"""The languages that we write, and how each says a sentence, a day and a time.

The sentences stand in the code in English; `locale/<code>/LC_MESSAGES/autoresponder.po` translates them. The .po files
are read as they are: there is no build step that could be forgotten (`docs/howto/wording.md`).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path

from babel import Locale
from babel.dates import format_date, format_time
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

SOURCE_LANGUAGE = "en"
"""The language of the sentences in the code."""
LANGUAGES = ("en", "es")
"""The languages that we write, ISO 639-1."""
DOMAIN = "autoresponder"
LOCALE_FOLDER = Path(__file__).parent / "locale"


def written_languages(wanted: Iterable[str | None]) -> tuple[str, ...]:
    """Those of `wanted` that we write, each once, in that order; English where there is none. A regional code such as
    `es-MX` counts as its language."""
    codes = (code.lower().replace("_", "-").partition("-")[0] for code in wanted if code)
    return tuple(dict.fromkeys(code for code in codes if code in LANGUAGES)) or (SOURCE_LANGUAGE,)


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
        return format_date(day, _("EEEE, MMMM d"), locale=self.locale)

    def clock(self, at: time | datetime) -> str:
        """A time of day: "3:30 PM"."""
        _ = self.gettext
        # Translators: a time pattern of Unicode TR 35, such as 3:30 PM.
        said = format_time(at.timetz() if isinstance(at, datetime) else at, _("h:mm a"), locale=self.locale)
        return said.replace("\u202f", "\u00a0")  # The narrow blank of "p. m." is missing from many fonts.


@cache
def wording(language: str) -> Wording:
    """The wording of one of `LANGUAGES`. Raises KeyError for another."""
    if language not in LANGUAGES:
        raise KeyError(language)
    return Wording(language, Locale(language), _translations(language))


def catalogue_path(language: str) -> Path:
    """Where the translations of `language` stand."""
    return LOCALE_FOLDER / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def _translations(language: str) -> NullTranslations:
    if language == SOURCE_LANGUAGE:
        return NullTranslations()
    with catalogue_path(language).open("rb") as lines:
        catalogue = read_po(lines, locale=language, domain=DOMAIN, abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return GNUTranslations(compiled)
