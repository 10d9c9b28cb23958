"""A mailbox's week as its row keeps it: what it adds to which group's numbers, as JSON. Pure."""

import json
from collections.abc import Iterator

from scorecard.mailbox_weeks import CountedWeek, TallyKey
from store.scorecard_tables import Grouping, Measure


def week_as_text(week: CountedWeek) -> str:
    """The numbers by term and team, "" for none; the mailbox's own and everybody's follow from these."""
    teamed: dict[tuple[str, Measure], list[tuple[str, int]]] = {}
    for (term, grouping, key, measure), n in week.numbers.items():
        if grouping is Grouping.TEAM:
            teamed.setdefault((term, measure), []).append((key, n))
    found = []
    for (term, grouping, _key, measure), n in week.numbers.items():
        if grouping is Grouping.ALL:
            parts = teamed.get((term, measure), [])
            alone = n - sum(number for _team, number in parts)
            found += [(term, str(measure), team, number) for team, number in parts if number]
            found += [(term, str(measure), "", alone)] if alone else []
    return json.dumps(sorted(found), ensure_ascii=False, separators=(",", ":"))


def numbers_of_week(text: str, mailbox: str) -> Iterator[tuple[TallyKey, int]]:
    """What `week_as_text` wrote, group by group; of one group several where the team changed in the week."""
    for term, word, team, n in json.loads(text):
        measure = Measure(word)
        yield (term, Grouping.ALL, "", measure), n
        yield (term, Grouping.TEACHER, mailbox, measure), n
        if team:
            yield (term, Grouping.TEAM, team, measure), n
