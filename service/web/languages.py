"""Which language a page is in: what was chosen, else what the browser asks for, else the school's own. Pure."""

from collections.abc import Iterator, Sequence

from autoresponder.wording import STAFF_LANGUAGES, written_languages

_MOST = 20
"""Languages of a header that are looked at."""


def language_of(chosen: str | None, remembered: str | None, accepted: str | None, school: Sequence[str]) -> str:
    """One of `STAFF_LANGUAGES`: of the page's address (`chosen`), of the cookie (`remembered`), of the header
    Accept-Language (RFC 9110 §12.5.4), or of the school."""
    for said in (chosen, remembered):
        if said in STAFF_LANGUAGES:
            return said
    return written_languages([*_in_order(accepted or ""), *school], STAFF_LANGUAGES)[0]


def _in_order(accepted: str) -> list[str]:
    """The languages of the header, the dearest first."""
    weighed = [(weight, code) for weight, code in _weighed(accepted) if weight > 0]
    return [code for _, code in sorted(weighed, key=lambda pair: -pair[0])]


def _weighed(accepted: str) -> Iterator[tuple[float, str]]:
    for part in accepted.split(",")[:_MOST]:
        code, _, parameter = part.partition(";")
        name, _, value = parameter.strip().partition("=")
        try:
            weight = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            continue
        yield weight, code.strip()
