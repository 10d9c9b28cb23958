"""How many figures are written into one column: as JSON, the same text for the same figures. Pure."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import lru_cache
from typing import TypeAlias

from scorecard.places import GroupKey
from scorecard.standings import Stands
from store.scorecard_tables import Grouping, Measure

Numbers: TypeAlias = Counter[tuple[Measure, str]]
"""By what is counted, and what it is counted by (`Measure`)."""
_GROUPINGS = {str(each): each for each in Grouping}
_MEASURES = {str(each): each for each in Measure}


def packed_standings(standings: Mapping[GroupKey, Stands]) -> str:
    """How a family stands with its groups, those in order: a list for each of grouping, key, whether it is enrolled,
    and three days as far as there are any."""
    return "[" + ",".join([_listed(group, standings[group]) for group in sorted(standings)]) + "]"


def standings_in(text: str) -> dict[GroupKey, Stands]:
    """What `packed_standings` wrote."""
    return {
        (_GROUPINGS[grouping], key): Stands(bool(enrolled), *map(_day, days))
        for grouping, key, enrolled, *days in json.loads(text)
    }


def packed_groups(groups: Iterable[GroupKey]) -> str:
    """Groups in order, each once."""
    return _json([[str(grouping), key] for grouping, key in sorted(set(groups))])


def groups_in(text: str) -> frozenset[GroupKey]:
    """What `packed_groups` wrote, and the groups of what `packed_standings` wrote."""
    return frozenset((_GROUPINGS[grouping], key) for grouping, key, *_rest in json.loads(text))


@lru_cache(maxsize=20_000)
def named_in(group: GroupKey) -> str:
    """A piece of text that stands in what was packed of this group, and hardly in what was not."""
    grouping, key = group
    return _json([str(grouping), key])[:-1]


def packed_numbers(numbers: Mapping[tuple[Measure, str], int]) -> str:
    """A group's numbers, without those that are nothing. Empty where none is left."""
    found: dict[str, dict[str, int]] = {}
    for (measure, by), n in sorted(numbers.items()):
        if n:
            found.setdefault(str(measure), {})[by] = n
    return _json(found) if found else ""


def numbers_in(text: str) -> Numbers:
    """What `packed_numbers` wrote."""
    return Counter({(measure, by): n for measure, each in measures_in(text) for by, n in each.items()})


def measures_in(text: str) -> Iterator[tuple[Measure, Mapping[str, int]]]:
    """The same, measure by measure."""
    loaded: dict[str, dict[str, int]] = json.loads(text) if text else {}
    return ((_MEASURES[measure], each) for measure, each in loaded.items())


def _listed(group: GroupKey, stands: Stands) -> str:
    days: list[date | None] = [stands.positive_on, stands.written_on, stands.answered_on]
    while days and days[-1] is None:
        days.pop()
    written = "".join([",null" if day is None else f',"{day.isoformat()}"' for day in days])
    return f"{named_in(group)},{int(stands.enrolled)}{written}]"


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
