"""Microsoft School Data Sync's files."""

from datetime import date
from pathlib import Path

import pytest

from config import ConfigError
from scorecard.list_files import read_lists
from scorecard.school_lists import Care, Listed, Membership, PersonKind, SchoolClass, Term
from tests.scorecard.test_oneroster import folder

FILES = {
    "orgs": "sourcedId,name,type,parentSourcedId\nd,District,district,\no1,Maple School,school,d\n",
    "users": (
        "sourcedId,username,givenName,familyName,password,activeDirectoryMatchId,email,phone,sms\n"
        "s1,mia@maple.example,Mia,Lopez,secret,,,,\ng1,,Eva,Lopez,,,eva@home.example,,\n"
        "g2,,Dr.,House,,,house@clinic.example,,\nt1,rivera@maple.example,Ana,Rivera,,,,,\n"
    ),
    "roles": (
        "userSourcedId,orgSourcedId,role,sessionSourcedId,grade,isPrimary,roleStartDate,roleEndDate\n"
        "s1,o1,student,y,05,TRUE,8/24/2026,6/11/2027\nt1,o1,teacher,y,,TRUE,,\nt1,d,registrar,y,,FALSE,,\n"
    ),
    "classes": "sourcedId,orgSourcedId,title,sessionSourcedIds,courseSourcedId\nc1,o1,Science,y,\n",
    "enrollments": "classSourcedId,userSourcedId,role\nc1,s1,student\nc1,t1,teacher\nc9,s1,student\n",
    "academicSessions": "sourcedId,title,type,startDate,endDate\ny,2026,schoolYear,8/24/2026,6/11/2027\n",
    "relationships": (
        "userSourcedId,relationshipUserSourcedId,relationshipRole\ns1,g1,guardian\ns1,g2,doctor\ns1,g9,parent\n"
    ),
}


def test_the_files_are_read_whole(tmp_path: Path) -> None:
    lists = read_lists(folder(tmp_path, FILES))
    assert lists.complete == frozenset(Listed)
    assert lists.terms == [Term("y", "2026", date(2026, 8, 24), date(2027, 6, 11), is_year=True)]
    assert lists.classes == [SchoolClass("c1", "Science", "o1", (), ("y",))]
    assert lists.cares == [Care("s1", "g1")]
    assert lists.memberships == [Membership("c1 s1 student", "s1", "c1"), Membership("c1 t1 teacher", "t1", "c1")]
    mia, eva, house, rivera = lists.people
    assert (mia.kinds, mia.grades, mia.schools) == (frozenset({PersonKind.STUDENT}), ("05",), ("o1",))
    assert (eva.kinds, eva.addresses) == (frozenset({PersonKind.GUARDIAN}), ("eva@home.example",))
    assert house.kinds == frozenset()
    assert rivera.kinds == frozenset({PersonKind.TEACHER, PersonKind.STAFF})
    assert rivera.addresses == ("rivera@maple.example",)
    assert [(each.file, each.line, each.column) for each in lists.rejected] == [
        ("relationships.csv", 4, "relationshipUserSourcedId"),
        ("enrollments.csv", 4, "classSourcedId"),
    ]
    assert "secret" not in repr(lists)


def test_a_set_without_a_file_that_it_needs_is_refused(tmp_path: Path) -> None:
    files = {name: text for name, text in FILES.items() if name != "orgs"}
    with pytest.raises(ConfigError, match=r"orgs\.csv among the School Data Sync files"):
        read_lists(folder(tmp_path, files))


def test_a_file_without_a_column_that_it_needs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"enrollments\.csv:1: expected a column named userSourcedId"):
        read_lists(folder(tmp_path, FILES | {"enrollments": "classSourcedId,role\nc1,student\n"}))
