"""The worked example of docs/write-a-connector.md: installed as its readers install it, it does what the page says."""

import importlib
import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from uv import find_uv_bin

from config.secrets import Secrets
from config.settings import MailboxSettings, Office, School, Settings
from connectors.errors import AuthenticationFailed, ConnectFailed
from connectors.mailbox import Mailbox
from connectors.registry import available, open_mailbox
from tests.connectors.jmap_example import EXAMPLE

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "write-a-connector.md").read_text("utf-8")
LACKING = MailboxSettings(address="rivera@maple.example", teacher="Ms. Rivera", connector="jmap")
BOX = LACKING.model_copy(update={"options": {"url": "https://mail.maple.example/.well-known/jmap"}})
SETTINGS = Settings(
    school=School(name="Maple", timezone="America/Chicago"),
    office=Office(address="office@maple.example", phone="+1 555 0100"),
    mailboxes=[BOX],
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the package is installed."""
    site = tmp_path_factory.mktemp("site")
    install = ["pip", "install", "--quiet", "--offline", "--no-deps", "--no-build-isolation", "--target", str(site)]
    subprocess.run([find_uv_bin(), *install, "--python", sys.executable, str(EXAMPLE)], check=True)
    return site


@pytest.fixture
def installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is installed here."""
    monkeypatch.syspath_prepend(site)
    importlib.invalidate_caches()


@pytest.mark.usefixtures("installed")
def test_its_entry_point_opens_the_mailbox_that_the_settings_describe() -> None:
    assert available()["jmap"] == "package alliance-inbox-jmap"
    mailbox = open_mailbox(BOX, SETTINGS, Secrets.in_memory({"password/rivera@maple.example": "token"}))
    assert isinstance(mailbox, Mailbox)
    assert type(mailbox).__name__ == "JmapMailbox"
    assert mailbox.address == "rivera@maple.example"


@pytest.mark.usefixtures("installed")
def test_what_its_settings_lack_is_said_before_anything_connects() -> None:
    with pytest.raises(ConnectFailed, match=r"options\.url"):
        open_mailbox(LACKING, SETTINGS, Secrets.in_memory())
    with pytest.raises(AuthenticationFailed, match="token"):
        open_mailbox(BOX, SETTINGS, Secrets.in_memory())


def test_its_own_tests_run_the_whole_contract_and_say_what_it_keeps(site: Path) -> None:
    plugin = [] if entry_points(group="pytest11", name="alliance_contract") else ["-p", "connectors.contract_plugin"]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin, "-m", "alliance_contract", "."],
        cwd=EXAMPLE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(site), str(ROOT)))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    told = re.search(r"^tests/test_jmap\.py::TestJmap: (\d+) promises kept$", run.stdout, re.MULTILINE)
    assert told, run.stdout
    assert f"::TestJmap: {told[1]} promises kept" in PAGE
    assert "not asked for: labels have no other names on this system" in run.stdout


def test_all_code_of_the_page_stands_in_the_examples_files_word_for_word() -> None:
    blocks = re.findall(r"^```(?:python|toml)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    files = [_words(path.read_text("utf-8")) for path in (*EXAMPLE.rglob("*.py"), EXAMPLE / "pyproject.toml")]
    assert len(blocks) > 8
    assert [block for block in blocks if not any(_words(block) in text for text in files)] == []


def _words(code: str) -> str:
    """Code without its white space: a method shown alone stands further left, and the formatter breaks it elsewhere."""
    return "".join(code.split())


def test_the_plugin_costs_nothing_where_no_connector_is_tested() -> None:
    code = "import sys, pytest, connectors.contract_plugin; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=ROOT).stdout
    ours = {name for name in loaded.split() if name.split(".")[0] in {"config", "connectors", "pydantic", "httpx"}}
    assert ours == {"connectors", "connectors.contract_plugin"}
