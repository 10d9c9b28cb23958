"""What is installed is what was locked, and the wheel carries everything that the service needs at run time."""

import ast
import hashlib
import os
import re
import sqlite3
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from email.utils import format_datetime
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
LOCKS = ("requirements.txt", "requirements-dev.txt")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
ONLY_TO_TRAIN = ROOT / "classifier" / "encoder_training.py"
"""What it imports stands in the group `train`, which only `make encoder` installs."""


def _pins(lock: str) -> dict[str, Version]:
    """Name to version of every package in a lock file. Markers are left out: no package is locked twice."""
    pins: dict[str, Version] = {}
    for line in (ROOT / lock).read_text().splitlines():
        if line and line[0] not in "# ":
            requirement = Requirement(line.removesuffix("\\").strip())
            name = canonicalize_name(requirement.name)
            assert name not in pins, f"{name} is locked twice in {lock}"
            (pin,) = requirement.specifier
            assert pin.operator == "=="
            pins[name] = Version(pin.version)
    return pins


def _wanted() -> Iterator[Requirement]:
    """What an installation gets, and the build itself."""
    project = PROJECT["project"]
    groups = [
        project["dependencies"],
        *(project["optional-dependencies"][extra] for extra in ("gmail", "graph", "exchange", "postgresql")),
        PROJECT["dependency-groups"]["build"],
        PROJECT["build-system"]["requires"],
    ]
    return (Requirement(text) for group in groups for text in group)


def _modules() -> Iterator[Path]:
    for package in PACKAGES:
        yield from (ROOT / package).rglob("*.py")


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        yield from _imported(node)


def test_nothing_that_runs_at_a_school_imports_what_only_training_needs() -> None:
    assert "torch" in set(_imports(ONLY_TO_TRAIN))
    for path in _modules():
        assert path == ONLY_TO_TRAIN or "classifier.encoder_training" not in set(_imports(path)), path


def test_everything_the_project_asks_for_is_locked_at_a_version_it_accepts() -> None:
    pins = _pins("requirements.txt")
    for requirement in _wanted():
        assert pins[canonicalize_name(requirement.name)] in requirement.specifier


def test_every_tool_of_the_tests_is_locked_at_a_version_it_accepts() -> None:
    pins = _pins("requirements-dev.txt")
    contract = PROJECT["project"]["optional-dependencies"]["contract"]
    for requirement in map(Requirement, [*PROJECT["dependency-groups"]["dev"], *contract]):
        assert pins[canonicalize_name(requirement.name)] in requirement.specifier


def test_tests_run_against_the_versions_that_users_get() -> None:
    assert _pins("requirements.txt").items() <= _pins("requirements-dev.txt").items()


def test_every_package_that_the_code_imports_is_asked_for_by_name() -> None:
    """What comes along with another package may stop coming along."""
    imported = {name.partition(".")[0] for path in _modules() if path != ONLY_TO_TRAIN for name in _imports(path)}
    provider = packages_distributions()
    foreign = imported - set(sys.stdlib_module_names) - set(PACKAGES)
    contract = map(Requirement, PROJECT["project"]["optional-dependencies"]["contract"])
    asked_for = {canonicalize_name(requirement.name) for requirement in (*_wanted(), *contract)}
    lacking = {name for name in foreign if asked_for.isdisjoint(map(canonicalize_name, provider.get(name, [])))}
    assert lacking == set()


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_names_a_hash_for_every_package_and_no_download_address(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert not re.search(r"^-", text, flags=re.MULTILINE), "options such as --index-url belong to the machine"
    entries = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(entries) == len(_pins(lock))
    assert all("--hash=sha256:" in entry for entry in entries)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel as a release would build it."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("alliance_inbox-*.whl")
    return built


def _tracked(package: str) -> set[str]:
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", package],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return {name for name in listing.split("\0") if name and (ROOT / name).exists()}


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="what belongs to the project is asked of git")
@pytest.mark.parametrize("package", PACKAGES)
def test_the_wheel_carries_every_file_of_a_package(wheel: Path, package: str) -> None:
    """The model, the translations, the migrations, the sample school and py.typed are files like any other."""
    with zipfile.ZipFile(wheel) as archive:
        inside = {name for name in archive.namelist() if name.startswith(f"{package}/")}
    assert inside == _tracked(package)
    assert f"{package}/py.typed" in inside


def test_the_wheel_carries_nothing_that_is_not_the_service(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.partition("/")[0] for name in archive.namelist()}
    version = PROJECT["project"]["version"]
    assert tops == {*PACKAGES, f"alliance_inbox-{version}.dist-info"}


@pytest.fixture(scope="module")
def elsewhere(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a fresh environment with the wheel in it, and the locked dependencies within reach."""
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder, with_pip=False)
    lib = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = folder / "lib" / lib / "site-packages"
    here = [path for path in sys.path if path.endswith("site-packages")]
    install = [sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python"), "install", "-qq"]
    subprocess.run([*install, "--no-deps", "--no-index", str(wheel)], check=True, capture_output=True)
    # Paths from a .pth file come last, and its lines are not searched for .pth files in turn: the editable install of
    # this repository stays out of sight.
    (site / "locked.pth").write_text("\n".join(here))
    return folder / "bin"


def _said(program: Path, *arguments: str, cwd: Path) -> str:
    """What a program of that environment prints, started without anything that this process was told."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(cwd), "COLUMNS": "120"}
    run = subprocess.run([program, *arguments], cwd=cwd, env=environment, check=True, capture_output=True, text=True)
    return run.stdout


def test_the_wheel_runs_in_another_environment_from_another_folder(elsewhere: Path, tmp_path: Path) -> None:
    where = _said(elsewhere / "python", "-c", "import service.cli; print(service.cli.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(elsewhere.parent)
    help_page = _said(elsewhere / "alliance", "--help", cwd=tmp_path)
    assert {name for name in ("classify", "demo", "doctor", "guard", "init", "run") if name not in help_page} == set()


def test_the_installed_wheel_finds_its_model(elsewhere: Path, tmp_path: Path) -> None:
    letter = tmp_path / "letter.eml"
    letter.write_text(
        "From: Ana <ana@family.example>\nSubject: Leo\n\nLeo is not home and does not answer his phone.\n"
    )
    assert "urgent" in _said(elsewhere / "alliance", "classify", str(letter), cwd=tmp_path)


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source as a release would pack it, unpacked."""
    folder = tmp_path_factory.mktemp("sdist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (packed,) = folder.glob("alliance_inbox-*.tar.gz")
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    return folder / packed.name.removesuffix(".tar.gz")


def _digests(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {
            name: hashlib.sha256(archive.read(name)).digest()
            for name in archive.namelist()
            if not name.endswith("/RECORD")
        }


def test_the_source_archive_makes_the_same_wheel_far_from_this_checkout(
    wheel: Path, sdist: Path, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=sdist, check=True, capture_output=True)
    (again,) = tmp_path.glob("alliance_inbox-*.whl")
    assert _digests(again) == _digests(wheel)


def test_the_source_archive_has_what_an_operator_needs_and_nothing_of_a_machine(sdist: Path) -> None:
    names = {path.relative_to(sdist).as_posix() for path in sdist.rglob("*") if path.is_file()}
    assert {"requirements.txt", "deploy/Dockerfile", "deploy/systemd/alliance.service", "docs/index.md"} <= names
    assert {name for name in names if name.endswith((".pyc", ".db", ".secret", ".key"))} == set()


_SCHOOL = """
[school]
name = "Maple"
timezone = "America/Chicago"
[office]
address = "office@maple.example"
phone = "555-0100"
[[mailboxes]]
address = "rivera@maple.example"
teacher = "Ms. Rivera"
stage = "tag"
connector = "maildir"
maildir.path = "mail"
maildir.outgoing = "outgoing"
"""


def test_the_installed_wheel_looks_after_a_mailbox_from_another_folder(elsewhere: Path, tmp_path: Path) -> None:
    for name in ("mail", "outgoing"):
        for part in ("new", "cur", "tmp"):
            (tmp_path / name / part).mkdir(parents=True)
    (tmp_path / "alliance.toml").write_text(_SCHOOL)
    _said(elsewhere / "alliance", "run", "--once", cwd=tmp_path)
    assert _said(elsewhere / "alliance", "--version", cwd=tmp_path).strip() == PROJECT["project"]["version"]
    assert "made-up school" in _said(elsewhere / "alliance", "demo", "--help", cwd=tmp_path)
    now = datetime.now(UTC)
    (tmp_path / "mail" / "new" / "1").write_text(
        "From: Ana <ana@family.example>\nTo: rivera@maple.example\nMessage-ID: <1@family.example>\n"
        f"Subject: Leo\nDate: {format_datetime(now)}\n\nLeo is not home and does not answer his phone.\n"
    )
    _said(elsewhere / "alliance", "run", "--once", cwd=tmp_path)
    with closing(sqlite3.connect(tmp_path / "alliance.db")) as database:
        assert database.execute("SELECT tag FROM message WHERE sender = 'ana@family.example'").fetchall() == [
            ("urgent",)
        ]
    assert len(list((tmp_path / "outgoing" / "new").iterdir())) == 1
