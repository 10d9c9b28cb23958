"""Who installs without an extra has everything else, and is told which extra is missing where it is needed."""

import json
import os
import re
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parent.parent
_WITHOUT = """
import sys
blocked = set(sys.argv.pop(1).split(","))
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked or name in blocked:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None
sys.meta_path.insert(0, Missing())
from service.cli import main
main()
"""
CONFIGURATION = """
[school]
name = "Maple"
timezone = "America/Chicago"
[office]
address = "office@maple.example"
phone = "555-0100"
[gmail]
[graph]
client_id = "00000000-0000-0000-0000-000000000000"
tenant = "maple.example"
[exchange]
endpoint = "https://mail.maple.example/EWS/Exchange.asmx"
username = "alliance"
[[mailboxes]]
address = "gail@maple.example"
teacher = "Ms. Gail"
connector = "gmail"
[[mailboxes]]
address = "grant@maple.example"
teacher = "Mr. Grant"
connector = "graph"
[[mailboxes]]
address = "exner@maple.example"
teacher = "Ms. Exner"
connector = "exchange"
[[mailboxes]]
address = "rivera@maple.example"
teacher = "Ms. Rivera"
stage = "tag"
connector = "maildir"
maildir.path = "mail"
maildir.outgoing = "outgoing"
"""


def locked(path: Path) -> set[str]:
    """Names of what a file locks."""
    return {canonicalize_name(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", path.read_text(), re.MULTILINE)}


def only_in_extras() -> set[str]:
    """Top-level modules of packages that an installation without any extra does not have."""
    beside = locked(ROOT / "requirements.txt") - locked(ROOT / "deploy" / "requirements" / "imap.txt")
    return {
        module
        for module, names in packages_distributions().items()
        if names and {canonicalize_name(name) for name in names} <= beside
    }


def without(modules: set[str], *words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    """`alliance` in a process where these modules do not exist."""
    command = [sys.executable, "-c", _WITHOUT, ",".join(sorted(modules)), *words]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    return subprocess.run(command, cwd=cwd, env=environ, check=False, capture_output=True, text=True)


def test_a_school_without_any_extra_works_and_each_mailbox_that_needs_one_names_it(tmp_path: Path) -> None:
    modules = only_in_extras()
    assert {"googleapiclient", "msal", "exchangelib", "psycopg"} <= modules
    for part in ("new", "cur", "tmp"):
        (tmp_path / "mail" / part).mkdir(parents=True)
        (tmp_path / "outgoing" / part).mkdir(parents=True)
    (tmp_path / "mail" / "new" / "1").write_text("From: ana@family.example\nSubject: Leo\n\nThank you.\n")
    (tmp_path / "alliance.toml").write_text(CONFIGURATION)
    ran = without(modules, "run", "--once", cwd=tmp_path)
    assert ran.returncode == 1, ran.stderr
    parked = [json.loads(line) for line in ran.stderr.splitlines() if '"a mailbox is parked"' in line]
    told = {line["mailbox"].partition("@")[0]: line["reason"] for line in parked}
    assert set(told) == {"gail", "grant", "exner"}, ran.stderr
    for name, extra in (("gail", "gmail"), ("grant", "graph"), ("exner", "exchange")):
        assert f"alliance-inbox[{extra}]" in told[name]
    assert list((tmp_path / "mail" / "cur").iterdir()) or list((tmp_path / "mail" / "new").iterdir())
    assert "Traceback" not in ran.stderr


def test_a_database_server_without_its_extra_is_told(tmp_path: Path) -> None:
    (tmp_path / "alliance.toml").write_text(
        CONFIGURATION + '[service]\ndatabase = "postgresql+psycopg://db/alliance"\n'
    )
    ran = without({"psycopg", "psycopg_binary"}, "status", cwd=tmp_path)
    assert ran.returncode == 2
    assert "alliance-inbox[postgresql]" in ran.stderr


@pytest.mark.parametrize("extra", ["imap", "gmail", "graph", "exchange", "postgresql"])
def test_the_smaller_locks_have_the_versions_and_hashes_of_the_whole_one(extra: str) -> None:
    whole = _entries((ROOT / "requirements.txt").read_text())
    some = _entries((ROOT / "deploy" / "requirements" / f"{extra}.txt").read_text())
    assert some.items() <= whole.items()
    needs = {"gmail": "google-auth", "graph": "msal", "exchange": "exchangelib", "postgresql": "psycopg"}
    for name, package in needs.items():
        assert (package in locked(ROOT / "deploy" / "requirements" / f"{extra}.txt")) == (
            name == extra or (name == "graph" and extra == "exchange")  # both sign in at Microsoft
        )


def _entries(lock: str) -> dict[str, frozenset[str]]:
    """Each locked requirement, with its hashes."""
    found = re.split(r"^(?=[A-Za-z0-9])", lock, flags=re.MULTILINE)[1:]
    return {each.partition(" ")[0].strip(): frozenset(re.findall(r"sha256:\w+", each)) for each in found}
