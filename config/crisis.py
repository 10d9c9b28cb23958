"""Emergency and crisis numbers by country: whom a family in need can reach at any hour.

Public numbers, free to call. A school checks them (`alliance reply show --tag urgent --crisis` shows what families are
told) and can replace them in [crisis]. A country that is not here gets no number: a wrong one is worse than none.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from config.settings import Crisis, CrisisLine, Settings


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a family in a crisis is told. `emergency` is None where nobody said."""

    emergency: str | None
    lines: tuple[CrisisLine, ...] = ()


def _line(name: str, phone: str, *, text: bool = False) -> CrisisLine:
    return CrisisLine(name=name, phone=phone, text=text)


BY_COUNTRY: Mapping[str, Numbers] = MappingProxyType(
    {
        "US": Numbers(
            "911",
            (
                _line("988 Suicide & Crisis Lifeline", "988", text=True),
                _line("Childhelp National Child Abuse Hotline", "1-800-422-4453", text=True),
            ),
        ),
        "CA": Numbers("911", (_line("9-8-8", "988", text=True), _line("Kids Help Phone", "1-800-668-6868"))),
        "GB": Numbers("999", (_line("Samaritans", "116 123"), _line("Childline", "0800 1111"))),
        "IE": Numbers("112", (_line("Samaritans", "116 123"), _line("Childline", "1800 66 66 66"))),
        "AU": Numbers("000", (_line("Lifeline", "13 11 14"), _line("Kids Helpline", "1800 55 1800"))),
        "NZ": Numbers("111", (_line("1737, need to talk?", "1737", text=True),)),
        "MX": Numbers("911", (_line("Línea de la Vida", "800 911 2000"),)),
        "ES": Numbers("112", (_line("Línea 024", "024"), _line("ANAR", "116 111"))),
        "FR": Numbers("112", (_line("3114", "3114"), _line("Allô Enfance en Danger", "119"))),
        "DE": Numbers("112", (_line("TelefonSeelsorge", "0800 111 0 111"), _line("Nummer gegen Kummer", "116 111"))),
    }
)


def numbers_of(settings: Settings) -> Numbers:
    """The numbers that a school's families are told: those in [crisis], else those of its country."""
    crisis: Crisis = settings.crisis
    usual = BY_COUNTRY.get(settings.school.country or "", Numbers(None))
    return Numbers(crisis.emergency or usual.emergency, usual.lines if crisis.lines is None else crisis.lines)
