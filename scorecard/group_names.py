"""What groups are called, and what they are parts of."""

from collections.abc import Mapping
from dataclasses import dataclass

from autoresponder.wording import Wording
from scorecard.places import EVERYBODY, GroupKey
from scorecard.report import Group
from store.scorecard_tables import Grouping

_BEFORE_FIRST = ("IT", "PR", "PK", "TK", "K", "KG")


@dataclass(frozen=True, slots=True)
class GroupNames:
    """What is known of groups. Pure."""

    school: str
    """The whole school's name."""
    schools: Mapping[str, str]
    """Names by identifier."""
    teachers: Mapping[str, str]
    """Names by mailbox."""
    teams: Mapping[str, str]
    """Team by mailbox, in the term; "" for none."""
    words: Wording

    def group(self, group: GroupKey) -> Group:
        """The group with its title."""
        grouping, key = group
        match grouping:
            case Grouping.ALL:
                return Group(grouping, key, self.school)
            case Grouping.SCHOOL:
                return Group(grouping, key, self.schools.get(key, key), EVERYBODY)
            case Grouping.GRADE:
                school, _, grade = key.rpartition("/")
                title = grade_title(grade, self.words)
                if school and len(self.schools) > 1:
                    title = f"{title}, {self.schools.get(school, school)}"
                return Group(grouping, key, title, within(group, self.teams))
            case Grouping.TEAM:
                return Group(grouping, key, key, EVERYBODY)
            case Grouping.TEACHER:
                return Group(grouping, key, self.teachers.get(key, key), within(group, self.teams))


def within(group: GroupKey, teams: Mapping[str, str]) -> GroupKey | None:
    """What a group is a part of (`Group.within`). `teams` are those of the mailboxes in the term, "" for none."""
    grouping, key = group
    if grouping is Grouping.ALL:
        return None
    school = key.rpartition("/")[0] if grouping is Grouping.GRADE else ""
    if school:
        return Grouping.SCHOOL, school
    team = teams.get(key, "") if grouping is Grouping.TEACHER else ""
    return (Grouping.TEAM, team) if team else EVERYBODY


def grade_title(grade: str, words: Wording) -> str:
    """A grade as people say it, from the codes that rosters use (Common Education Data Standards: "05", "KG", "PK")."""
    _ = words.gettext
    known = {
        "KG": _("Kindergarten"),
        "K": _("Kindergarten"),
        "TK": _("Transitional kindergarten"),
        "PK": _("Prekindergarten"),
        "PR": _("Preschool"),
    }
    number = grade.lstrip("0") or grade
    return known.get(grade.upper()) or _("Grade {grade}").format(grade=number)


def grade_order(key: str) -> str:
    """Sorts the keys of grades: the years before the first grade, then by number, then whatever else a school has."""
    school, _, grade = key.rpartition("/")
    place = _BEFORE_FIRST.index(grade.upper()) if grade.upper() in _BEFORE_FIRST else len(_BEFORE_FIRST)
    return f"{school}/{place}/{grade.zfill(4) if grade.isdecimal() else grade}"
