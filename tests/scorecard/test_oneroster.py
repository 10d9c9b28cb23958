"""OneRoster files as they come: by the book, untidy, damaged, hostile."""

import zipfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import ConfigError
from scorecard.list_files import read_lists
from scorecard.school_lists import Care, Listed, Membership, PersonKind, RoleChange, School, SchoolClass, Term

USERS = (
    "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,givenName,familyName,email,"
    "agentSourcedIds,grades"
)
ONE_POINT_ONE = {
    "manifest": (
        "propertyName,value\nmanifest.version,1.0\noneroster.version,1.1\nfile.orgs,bulk\nfile.users,bulk\n"
        "file.academicSessions,bulk\nfile.classes,bulk\nfile.enrollments,bulk\nfile.demographics,absent\n"
    ),
    "orgs": "sourcedId,status,dateLastModified,name,type,identifier,parentSourcedId\no1,,,Maple School,school,,\n",
    "academicSessions": (
        "sourcedId,status,dateLastModified,title,type,startDate,endDate,parentSourcedId,schoolYear\n"
        "y,,,2026-27,schoolYear,2026-08-17,2027-06-04,,2027\nf,,,Fall,semester,2026-08-17,2026-12-18,y,2027\n"
    ),
    "classes": (
        "sourcedId,status,dateLastModified,title,grades,courseSourcedId,classCode,classType,location,schoolSourcedId,"
        'termSourcedIds,subjects\nc1,,,Science 5,"05",k1,S5,scheduled,,o1,"f,s",\n'
    ),
    "users": (
        f"{USERS}\nt1,,,true,o1,teacher,t,Ana,Rivera,rivera@maple.example,,\n"
        's1,,,true,o1,student,s,Mia,Lopez,,"g1,g2",05\n'
        "g1,,,true,o1,parent,g,Eva,Lopez,EVA@home.example;eva@work.example,,\n"
        "g2,,,true,o1,guardian,g,Luis,Lopez,luis@home.example,,\n"
    ),
    "enrollments": (
        "sourcedId,status,dateLastModified,classSourcedId,schoolSourcedId,userSourcedId,role,primary,beginDate,endDate\n"
        "e1,,,c1,o1,s1,student,,2026-08-17,2026-12-18\ne2,,,c1,o1,t1,teacher,true,,\n"
    ),
}


def folder(path: Path, files: Mapping[str, str | bytes]) -> Path:
    """The files as a system writes them."""
    path.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (path / f"{name}.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_version_1_1_is_read_whole(tmp_path: Path) -> None:
    lists = read_lists(folder(tmp_path, ONE_POINT_ONE))
    assert lists.rejected == []
    assert lists.complete == frozenset(Listed)
    assert lists.schools == [School("o1", "Maple School")]
    assert lists.terms == [
        Term("y", "2026-27", date(2026, 8, 17), date(2027, 6, 4), is_year=True),
        Term("f", "Fall", date(2026, 8, 17), date(2026, 12, 18)),
    ]
    assert lists.classes == [SchoolClass("c1", "Science 5", "o1", ("05",), ("f", "s"))]
    assert [(person.id, set(person.kinds), person.name) for person in lists.people] == [
        ("t1", {PersonKind.TEACHER}, "Ana Rivera"),
        ("s1", {PersonKind.STUDENT}, "Mia Lopez"),
        ("g1", {PersonKind.GUARDIAN}, "Eva Lopez"),
        ("g2", {PersonKind.GUARDIAN}, "Luis Lopez"),
    ]
    assert lists.people[2].addresses == ("eva@home.example", "eva@work.example")
    assert lists.cares == [Care("s1", "g1"), Care("s1", "g2")]
    assert lists.memberships == [
        Membership("e1", "s1", "c1", date(2026, 8, 17), date(2026, 12, 18)),
        Membership("e2", "t1", "c1"),
    ]


def test_version_1_2_says_in_roles_what_somebody_is(tmp_path: Path) -> None:
    users = (
        "sourcedId,status,dateLastModified,enabledUser,username,givenName,familyName,email,agentSourcedIds,grades\n"
        "a,,,true,a,Ana,Rivera,rivera@maple.example,,\nb,,,true,b,Mia,Lopez,,a,05\n"
    )
    roles = (
        "sourcedId,status,dateLastModified,userSourcedId,roleType,role,beginDate,endDate,orgSourcedId\n"
        "1,,,a,primary,teacher,,,o1\n2,,,a,secondary,parent,,,o1\n3,,,b,primary,student,,,o1\n4,,,b,primary,wizard,,,o1\n"
    )
    manifest = "propertyName,value\noneroster.version,1.2\nfile.users,bulk\nfile.roles,bulk\n"
    lists = read_lists(folder(tmp_path, {"manifest": manifest, "users": users, "roles": roles}))
    assert [set(person.kinds) for person in lists.people] == [
        {PersonKind.TEACHER, PersonKind.GUARDIAN},
        {PersonKind.STUDENT},
    ]
    assert lists.cares == [Care("b", "a")]
    assert [str(each) for each in lists.rejected] == ["roles.csv:5: role: wizard is no role of OneRoster"]


def test_a_delta_says_what_is_no_more_and_claims_nothing_about_the_rest(tmp_path: Path) -> None:
    users = f"{USERS}\ns1,tobedeleted,2026-10-01T00:00:00Z,true,o1,student,s,Mia,Lopez,,,\n"
    manifest = "propertyName,value\nfile.users,delta\n"
    lists = read_lists(folder(tmp_path, {"manifest": manifest, "users": users}))
    assert lists.complete == frozenset()
    assert lists.gone == {Listed.PEOPLE: frozenset({"s1"})}
    assert lists.people == []


def test_a_guardian_whose_row_names_the_students_looks_after_them(tmp_path: Path) -> None:
    users = f'{USERS}\np,,,true,o1,parent,p,Eva,Lopez,eva@home.example,"s1,s2",\ns1,,,true,o1,student,s,Mia,Lopez,,,\n'
    lists = read_lists(folder(tmp_path, {"users": users}))
    assert lists.cares == [Care("s1", "p", by_guardian=True)]
    assert [str(each) for each in lists.rejected] == ["users.csv:2: agentSourcedIds: there is no person s2"]


def test_what_a_row_refers_to_must_be_there_or_known_from_before(tmp_path: Path) -> None:
    files = ONE_POINT_ONE | {
        "enrollments": (
            "sourcedId,status,classSourcedId,userSourcedId,role\n"
            "1,active,c1,s1,student\n2,active,c9,s1,student\n3,active,c1,s9,student\n"
        ),
        "classes": "sourcedId,title,schoolSourcedId\nc1,Science,o1\nc2,Art,o9\n",
    }
    path = folder(tmp_path, files)
    lists = read_lists(path)
    assert [membership.id for membership in lists.memberships] == ["1"]
    assert [(each.file, each.line, each.column) for each in lists.rejected] == [
        ("classes.csv", 3, "schoolSourcedId"),
        ("enrollments.csv", 3, "classSourcedId"),
        ("enrollments.csv", 4, "userSourcedId"),
    ]
    known = {Listed.CLASSES: {"c9"}, Listed.PEOPLE: {"s9"}, Listed.SCHOOLS: {"o9"}}
    assert len(read_lists(path, known).memberships) == 1  # known before, and not on the whole lists: no more
    folder(path, {"manifest": "propertyName,value\nfile.users,delta\nfile.enrollments,delta\n"})
    folder(path, {"users": "sourcedId,status,role\ns1,active,student\n"})
    assert len(read_lists(path, known | {Listed.CLASSES: {"c1", "c9"}}).memberships) == 3


def test_a_zip_of_a_folder_is_read_as_the_folder_is(tmp_path: Path) -> None:
    source = folder(tmp_path / "lists", ONE_POINT_ONE)
    with zipfile.ZipFile(tmp_path / "lists.zip", "w") as archive:
        for file in source.iterdir():
            archive.write(file, f"export/{file.name}")
    assert read_lists(tmp_path / "lists.zip").people == read_lists(source).people


def test_a_cell_that_makes_no_sense_costs_the_cell_and_one_that_is_needed_the_row(tmp_path: Path) -> None:
    files = ONE_POINT_ONE | {
        "users": f"{USERS}\ng,,,true,o1,parent,g,Eva,Lopez,not an address,,\n,,,true,o1,student,s,Mia,Lopez,,,\n",
        "academicSessions": "sourcedId,title,type,startDate,endDate\nf,Fall,term,17.08.2026,2026-12-18\n",
    }
    lists = read_lists(folder(tmp_path, files))
    assert [person.id for person in lists.people] == ["g"]
    assert lists.terms == []
    assert [(each.file, each.line, each.column) for each in lists.rejected][:3] == [
        ("academicSessions.csv", 2, "startDate"),
        ("users.csv", 2, "email"),
        ("users.csv", 3, "sourcedId"),
    ]


def test_of_two_rows_with_one_identifier_the_first_counts(tmp_path: Path) -> None:
    users = f"{USERS}\nx,,,true,o1,student,s,Mia,Lopez,,,\nx,,,true,o1,student,s,Noa,Levi,,,\n"
    lists = read_lists(folder(tmp_path, {"users": users}))
    assert [person.name for person in lists.people] == ["Mia Lopez"]
    assert [(each.line, each.column) for each in lists.rejected] == [(3, "sourcedId")]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"orgs": ONE_POINT_ONE["orgs"]}, "users.csv"),
        ({"users": "name\nMia\n"}, "users.csv:1: expected a column named sourcedId"),
        ({"users": f'{USERS}\n"open'}, "users.csv:2"),
        ({"users": f"{USERS}\ns1,,\n".encode() + b"\xff\n"}, "users.csv:3: expected UTF-8"),
        ({"users": USERS, "manifest": "propertyName,value\noneroster.version,3.0\n"}, "found 3.0"),
        ({"users": USERS, "manifest": "propertyName,value\nfile.users,bulk\nfile.orgs,bulk\n"}, "orgs.csv, which"),
        ({"users": USERS, "manifest": "propertyName,value\nfile.users,some\n"}, "found some"),
    ],
)
def test_a_set_that_cannot_be_used_says_which_file_and_why(
    files: dict[str, str | bytes], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as error:
        read_lists(folder(tmp_path, files))
    assert said in str(error.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 but no more", b"sourcedId\n"])
def test_a_file_that_is_no_archive_says_so(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "lists.zip").write_bytes(content)
    with pytest.raises(ConfigError, match="a folder of CSV files, or a zip archive"):
        read_lists(tmp_path / "lists.zip")


@given(st.text(alphabet=st.characters(codec="utf-8")))
def test_whatever_stands_in_a_file_is_read_or_refused_with_words(text: str) -> None:
    with TemporaryDirectory() as place:
        path = folder(Path(place), {"users": f"{USERS}\n{text}"})
        try:
            lists = read_lists(path)
        except ConfigError as error:
            said = str(error)
        else:
            said = "users.csv"
            assert all(person.id for person in lists.people)
        assert "users.csv" in said


def test_schools_come_from_the_users_or_their_roles_and_a_district_is_nobodys(tmp_path: Path) -> None:
    orgs = "sourcedId,name,type\nd,District,district\no1,Maple School,school\n"
    users = f'{USERS}\ns1,,,true,"d,o1",student,s,Mia,Lopez,,,\n'
    assert read_lists(folder(tmp_path / "a", {"orgs": orgs, "users": users})).people[0].schools == ("o1",)
    roles = "sourcedId,userSourcedId,role,orgSourcedId\n1,s1,student,o1\n2,s1,student,d\n"
    users = "sourcedId,givenName,familyName\ns1,Mia,Lopez\n"
    lists = read_lists(folder(tmp_path / "b", {"orgs": orgs, "users": users, "roles": roles}))
    assert lists.people[0].schools == ("o1",)


def test_roles_that_come_and_go_one_by_one_are_changes(tmp_path: Path) -> None:
    manifest = "propertyName,value\noneroster.version,1.2\nfile.users,delta\nfile.roles,delta\n"
    roles = "sourcedId,status,userSourcedId,role,orgSourcedId\n1,active,a,aide,o1\n2,tobedeleted,a,teacher,o1\n"
    users = "sourcedId,status,givenName,familyName,agentSourcedIds\ns1,active,Mia,Lopez,g1\n"
    path = folder(tmp_path, {"manifest": manifest, "users": users, "roles": roles})
    lists = read_lists(path, {Listed.PEOPLE: {"g1", "s1"}}, {"s1"})
    assert lists.role_changes == [
        RoleChange("a", PersonKind.STAFF, "o1"),
        RoleChange("a", PersonKind.TEACHER, "o1", gone=True),
    ]
    assert lists.cares == [Care("s1", "g1")]


def test_a_class_takes_from_its_course_what_it_does_not_say(tmp_path: Path) -> None:
    files = {
        "users": USERS,
        "courses": "sourcedId,title,grades\nk,Science,05\n",
        "classes": "sourcedId,title,grades,courseSourcedId,schoolSourcedId\na,,,k,o\nb,Art,06,k,o\n",
    }
    lists = read_lists(folder(tmp_path, files))
    assert lists.classes == [SchoolClass("a", "Science", "o", ("05",)), SchoolClass("b", "Art", "o", ("06",))]


def test_an_end_on_which_the_next_term_begins_is_the_day_after_the_last(tmp_path: Path) -> None:
    sessions = (
        "sourcedId,title,type,startDate,endDate\na,Fall,semester,2026-08-17,2027-01-04\n"
        "b,Spring,semester,2027-01-04,2027-06-04\nc,Odd,semester,2027-06-04,2027-01-01\n"
    )
    lists = read_lists(folder(tmp_path, {"users": USERS, "academicSessions": sessions}))
    assert [(term.id, term.ends) for term in lists.terms] == [("a", date(2027, 1, 3)), ("b", date(2027, 6, 3))]
    assert [(each.line, each.column) for each in lists.rejected] == [(4, "endDate")]
    assert lists.unread == {Listed.TERMS: frozenset({"c"})}


def test_a_row_that_cannot_be_used_is_not_taken_for_one_that_is_gone(tmp_path: Path) -> None:
    files = ONE_POINT_ONE | {
        "users": ONE_POINT_ONE["users"].replace("parent", "wizard"),
        "classes": "sourcedId,title,schoolSourcedId\nc1,Science,o9\n",
    }
    known = {Listed.PEOPLE: {"g1"}, Listed.CLASSES: {"c1"}}
    lists = read_lists(folder(tmp_path, files), known)
    assert lists.unread == {Listed.PEOPLE: frozenset({"g1"}), Listed.CLASSES: frozenset({"c1"})}
    assert lists.cares == [Care("s1", "g1"), Care("s1", "g2")]
    assert len(lists.memberships) == 2


@pytest.mark.parametrize("ending", ["\r", "\n", "\r\n"])
def test_lines_may_end_as_on_any_system(ending: str, tmp_path: Path) -> None:
    text = ONE_POINT_ONE["users"].replace("\n", ending)
    path = folder(tmp_path, {"users": b"\xef\xbb\xbf" + text.encode()})
    assert [person.id for person in read_lists(path).people] == ["t1", "s1", "g1", "g2"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "a column named sourcedId"),
        (USERS.encode("utf-16"), "UTF-8"),
        (b"sourcedId\n" + b"x" * (2 << 20), "lines of less than"),
        (b"sourcedId\n" + b"\r\r" + b"x" * (2 << 20), "lines of less than"),
        (b"sourcedId,givenName\nx," + b"y" * 200_000, "comma-separated values"),
    ],
)
def test_files_that_no_system_writes_are_refused_with_words(content: bytes, said: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=said):
        read_lists(folder(tmp_path, {"users": content}))


def test_a_cell_with_a_character_that_no_database_takes_is_left_out(tmp_path: Path) -> None:
    users = f"{USERS}\ns1,,,true,o1,student,s,Mi\0a,Lopez,,,\ns\0,,,true,o1,student,s,Mia,Lopez,,,\n"
    lists = read_lists(folder(tmp_path, {"users": users}))
    assert [(person.id, person.name) for person in lists.people] == [("s1", "Lopez")]
    assert [(each.line, each.column) for each in lists.rejected] == [(2, "givenName"), (3, "sourcedId")]


class TestArchives:
    """Zip archives that are not what they seem."""

    def test_files_deep_inside_or_outside_are_not_looked_at(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "lists.zip", "w") as archive:
            for name in ("../users.csv", "/etc/users.csv", "a/b/users.csv", "__MACOSX/users.csv"):
                archive.writestr(name, USERS)
        with pytest.raises(ConfigError, match=r"users\.csv among"):
            read_lists(tmp_path / "lists.zip")
        assert [file.name for file in tmp_path.iterdir()] == ["lists.zip"]

    def test_a_small_archive_of_a_very_large_file_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("scorecard.csv_package.LARGEST_FILE", 1000)
        with zipfile.ZipFile(tmp_path / "lists.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("users.csv", f"{USERS}\n" + "x,\n" * 1000)
        with pytest.raises(ConfigError, match="at most 1,000 bytes"):
            read_lists(tmp_path / "lists.zip")

    def test_one_that_is_damaged_inside_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "lists.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("users.csv", ONE_POINT_ONE["users"] * 50)
        raw = bytearray(path.read_bytes())
        raw[60:90] = bytes(30)
        path.write_bytes(raw)
        with pytest.raises(ConfigError, match=r"users\.csv"):
            read_lists(path)

    def test_the_same_file_twice_is_refused(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "lists.zip", "w") as archive:
            archive.writestr("users.csv", USERS)
            archive.writestr("export/Users.csv", USERS)
        with pytest.raises(ConfigError, match="one file named"):
            read_lists(tmp_path / "lists.zip")
