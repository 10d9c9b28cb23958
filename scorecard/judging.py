"""What of a term is withheld, decided on all groups of the installation at once, whoever asks and whatever is shown: no
two pages, mails or lists withhold different groups, so that none tells what another keeps to itself.

It is decided where figures are kept, after they changed, and put on record with what it rests on. Who finds that it
does not rest on the figures of this moment, decides for themselves.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import Connection, select
from sqlmodel import col

from scorecard.group_names import within
from scorecard.guarding import Kept, kept
from scorecard.packing import groups_in
from scorecard.places import GroupKey
from scorecard.report import Group, Indicator
from scorecard.tally_rows import TallyRows, cases_in, incidents_in
from scorecard.term_figures import families_of
from store.database import dialect_of
from store.scorecard_tables import FamilyStanding, Grouping, Measure, Withholding

_GROUPINGS = {str(each): each for each in Grouping}
_ALL_OF_IT, _COUNTS = "groups", "counts"


@dataclass(frozen=True, slots=True)
class Judge:
    """Decides on terms. `threshold` is that of the settings."""

    connection: Connection
    threshold: int

    def kept(self, term: str, teams: Mapping[str, str]) -> Kept:
        """What of a term is withheld: as it is on record, where that rests on the figures as they are. `teams` are
        those of the mailboxes in the term, "" for none."""
        of = Withholding
        query = select(col(of.changed), col(of.judged), col(of.rests_on), col(of.withheld))
        row = self.connection.execute(query.where(col(of.term) == term)).first()
        if row is not None and row.judged == row.changed and row.rests_on == self._rests_on(teams):
            return _from_record(row.withheld)
        return self.decide(term, teams)

    def undecided(self, teams: Mapping[str, Mapping[str, str]]) -> list[str]:
        """The terms of which what is on record does not rest on the figures as they are. `teams` by term."""
        of = Withholding
        query = select(col(of.term), col(of.changed), col(of.judged), col(of.rests_on))
        rows = {row.term: row for row in self.connection.execute(query)}
        return [
            term
            for term, each in teams.items()
            if term not in rows
            or rows[term].judged != rows[term].changed
            or rows[term].rests_on != self._rests_on(each)
        ]

    def decision(self, term: str, teams: Mapping[str, str]) -> dict[str, object]:
        """What is to be put on record of a term (`record`)."""
        changed = self.connection.execute(
            select(col(Withholding.changed)).where(col(Withholding.term) == term)
        ).scalar()
        values = {"changed": changed or 0, "judged": changed or 0, "rests_on": self._rests_on(teams)}
        return {"term": term, "withheld": _for_record(self.decide(term, teams)), **values}

    def decide(self, term: str, teams: Mapping[str, str]) -> Kept:
        """What of a term is withheld, from its figures."""
        numbers = TallyRows(self.connection, [term]).numbers()[term]
        known = {key: Group(*key, within=within(key, teams)) for key in {(Grouping.ALL, ""), *numbers}}
        sizes = {group: families_of(numbers.get(key, {}), self.threshold) for key, group in known.items()}
        students: dict[str, set[Group]] = defaultdict(set)
        for incident, groups in incidents_in(self.connection, term):
            students[incident.student].update(known[key] for key in groups)
        judged = {known[key]: sum(each.get(Measure.JUDGED, {}).values()) for key, each in numbers.items()}
        return kept(
            sizes,
            self.threshold,
            self._families(term, known, sizes),
            [_known(groups, known) for _case, groups in cases_in(self.connection, term)],
            list(map(frozenset, students.values())),
            judged,
            teams,
        )

    def _families(
        self, term: str, known: Mapping[GroupKey, Group], sizes: Mapping[Group, int]
    ) -> Sequence[frozenset[Group]]:
        """The groups of each family; none where no group is small, or everybody is."""
        small = {key for key, group in known.items() if 0 < sizes[group] < self.threshold}
        if not small or (Grouping.ALL, "") in small:
            return ()
        query = select(col(FamilyStanding.standings)).where(col(FamilyStanding.term) == term)
        return [_known(groups_in(text), known) for text in self.connection.execute(query).scalars()]

    def _rests_on(self, teams: Mapping[str, str]) -> str:
        return hashlib.sha256(json.dumps([self.threshold, sorted(teams.items())]).encode()).hexdigest()


def record(connection: Connection, decisions: Sequence[dict[str, object]]) -> None:
    """Puts decisions on record. The caller sees to it that no figure has changed since."""
    statement = dialect_of(connection).insert(Withholding)
    values = {name: statement.excluded[name] for name in ("changed", "judged", "rests_on", "withheld")}
    connection.execute(statement.on_conflict_do_update(index_elements=["term"], set_=values), list(decisions))


def _known(groups: Iterable[GroupKey], known: Mapping[GroupKey, Group]) -> frozenset[Group]:
    return frozenset(known[key] for key in groups if key in known)


def _for_record(kept_: Kept) -> str:
    parts: dict[str, Collection[Group]] = {_ALL_OF_IT: kept_.groups, _COUNTS: kept_.counts}
    parts |= {str(indicator): groups for indicator, groups in kept_.indicators.items()}
    named = {part: [[str(each.grouping), each.key] for each in sorted(groups)] for part, groups in parts.items()}
    return json.dumps(named, ensure_ascii=False, separators=(",", ":"))


@lru_cache(maxsize=64)
def _from_record(text: str) -> Kept:
    parts = {
        part: frozenset(Group(_GROUPINGS[grouping], key) for grouping, key in groups)
        for part, groups in json.loads(text).items()
    }
    groups, counts = parts.pop(_ALL_OF_IT), parts.pop(_COUNTS)
    return Kept(groups, {Indicator(each): hidden for each, hidden in parts.items()}, counts)
