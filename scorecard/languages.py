"""The language of a home, as schools write it."""

from functools import cache

from babel import Locale

_SPOKEN_AT_HOME = (
    *("en", "es", "fr", "pt", "de", "it", "ru", "uk", "pl"),
    *("vi", "zh", "ar", "ko", "ja", "so", "fil", "fa", "ur"),
)


def language_code(written: str) -> str | None:
    """`es`, `es-MX`, `Spanish` or `español` as an ISO 639 code; None where it is none that is known."""
    wanted = written.strip().casefold()
    code = wanted.replace("_", "-").partition("-")[0]
    return code if code in Locale("en").languages else _languages_by_name().get(wanted)


@cache
def _languages_by_name() -> dict[str, str]:
    """Language codes by the language's name, in English and, for those that schools meet most, in itself."""
    english = {name.casefold(): code for code, name in Locale("en").languages.items() if "_" not in code}
    own = {(Locale(code).get_language_name() or code).casefold(): code for code in _SPOKEN_AT_HOME}
    return english | own
