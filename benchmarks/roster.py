"""How long a district's roster takes to import, and how much memory: 50,000 students, 90,000 guardians, 350,000 places
in classes, as OneRoster CSV, into SQLite; then the same again, and with a thousandth of it changed."""

import hashlib
import resource
import time
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from scorecard.list_files import read_lists
from scorecard.roster_import import Imported, import_lists
from scorecard.school_lists import SchoolLists
from store.database import Database

STUDENTS, GUARDIANS, PLACES, TEACHERS, CLASSES, SCHOOLS = 50_000, 90_000, 350_000, 3_000, 12_000, 60
_USERS = (
    "sourcedId,status,dateLastModified,enabledUser,orgSourcedIds,role,username,givenName,familyName,email,"
    "agentSourcedIds,grades"
)


def write_district(folder: Path, *, moved: int = 0) -> None:
    """The district's files; `moved` students have another grade and another class than in the others."""
    files = {"manifest": ["propertyName,value", "oneroster.version,1.1"]}
    kinds = {"orgs": "sourcedId,name,type", "classes": "sourcedId,title,grades,schoolSourcedId,termSourcedIds"}
    kinds |= {"users": _USERS, "academicSessions": "sourcedId,title,type,startDate,endDate"}
    kinds |= {"enrollments": "sourcedId,classSourcedId,schoolSourcedId,userSourcedId,role,beginDate,endDate"}
    for name, columns in kinds.items():
        files["manifest"].append(f"file.{name},bulk")
        files[name] = [columns]
    files["orgs"] += [f"school-{n},School {n},school" for n in range(SCHOOLS)]
    files["academicSessions"].append("fall,Fall,semester,2026-08-17,2026-12-18")
    files["classes"] += [f"class-{n},Class {n},{n % 12:02d},school-{n % SCHOOLS},fall" for n in range(CLASSES)]
    users = files["users"]
    users += [
        f"teacher-{n},,,true,school-{n % SCHOOLS},teacher,,T,{n},t{n}@district.example,," for n in range(TEACHERS)
    ]
    users += [f"guardian-{n},,,true,,parent,,G,{n},g{n}@home.example,," for n in range(GUARDIANS)]
    for n in range(STUDENTS):
        home = n // 5 * 9 % GUARDIANS + n % 5  # some siblings, mostly two guardians
        grade = (n + (n < moved)) % 12
        guardians = f"guardian-{home},guardian-{(home + 4) % GUARDIANS}"
        users.append(f'student-{n},,,true,school-{n % SCHOOLS},student,,S,{n},,"{guardians}",{grade:02d}')
    for n in range(PLACES):
        student = n % STUDENTS
        of = (n * 7 + (student < moved)) % CLASSES
        files["enrollments"].append(f"place-{n},class-{of},school-0,student-{student},student,2026-08-17,2026-12-18")
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in files.items():
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Prints the figures."""
    with TemporaryDirectory() as place:
        whole, changed = Path(place, "whole"), Path(place, "changed")
        write_district(whole)
        write_district(changed, moved=STUDENTS // 1000)
        database = Database.open(str(Path(place, "district.db")))
        for name, folder in (("first import", whole), ("the same again", whole), ("a thousandth changed", changed)):
            began = time.perf_counter()
            lists = read_lists(folder)
            read = time.perf_counter()
            done = _import(database, lists, name)
            seconds = time.perf_counter()
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(
                f"{name}: {read - began:.1f} s to read, {seconds - read:.1f} s to import, {peak:.0f} MiB at most; "
                f"added {sum(done.added.values())}, changed {sum(done.changed.values())}, "
                f"ended {sum(done.ended.values())}, left out {len(done.rejected)}"
            )
        database.close()


def _import(database: Database, lists: SchoolLists, name: str) -> Imported:
    digest = hashlib.sha256(name.encode()).hexdigest()
    return import_lists(database, lists, digest=digest, now=datetime.now(UTC), today=date(2026, 10, 1))


if __name__ == "__main__":
    main()
