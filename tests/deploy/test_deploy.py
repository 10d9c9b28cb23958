"""The files for operators fit the program: metrics exist, commands exist, settings are settings."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml

from config import load
from service.cli import app
from service.notifications import serving
from service.operating.monitor import Monitor
from service.runner import Runner
from tests.service.maple import SCHOOL_TOML, Maple
from tests.service.operating.test_health import get, monitor

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "alliance-rules.yml"
_METRIC = re.compile(r"\b(?:alliance|process)_[a-z_]+\b")
_MAILBOX = """
[[mailboxes]]
address = "rivera@maple.example"
teacher = "Ms. Rivera"
connector = "maildir"
maildir.path = "mail"
maildir.outgoing = "outgoing"
"""


@pytest.fixture(scope="module")
def scrape() -> str:
    """What a working process tells."""
    maple = Maple()
    process: Monitor = monitor(maple)
    Runner(maple.assembly(), watcher=process.pulse).run_once()
    process.look()
    with serving(process.app(), "127.0.0.1:0") as address:
        return get(f"{address}/metrics")[1]


def _names(scrape: str) -> set[str]:
    return {re.split(r"[{ ]", line)[0] for line in scrape.splitlines() if line and not line.startswith("#")}


def _expressions() -> Iterator[str]:
    for panel in json.loads((DEPLOY / "grafana" / "alliance.json").read_text())["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        yield from (rule["expr"] for rule in group["rules"])


def test_dashboard_and_rules_ask_for_metrics_that_there_are_and_labels_that_they_have(scrape: str) -> None:
    names = _names(scrape)
    asked = {name for each in _expressions() for name in _METRIC.findall(each)}
    assert len(asked) > 15
    assert asked - names == set()
    for expression in _expressions():
        for name, label, value in re.findall(r'(alliance_\w+)\{(\w+)=~?"([\w|]+)"', expression):
            for each in value.split("|"):
                if name != "alliance_build_info":
                    assert re.search(rf'^{name}{{[^}}]*{label}="{each}"', scrape, re.MULTILINE), (name, label, each)


def test_every_metric_of_ours_is_on_the_page_about_monitoring(scrape: str) -> None:
    page = (DEPLOY.parent / "docs" / "howto" / "monitoring.md").read_text()
    ours = {
        re.sub(r"_(total|bucket|sum|count|created)$", "", name)
        for name in _names(scrape)
        if name.startswith("alliance")
    }
    assert {name for name in ours if f"`{name}`" not in page} == set()


def test_prometheus_own_checker_finds_no_fault(scrape: str) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed; on Debian: apt-get install prometheus")
    subprocess.run([promtool, "check", "rules", str(RULES)], check=True, capture_output=True)
    subprocess.run([promtool, "check", "config", str(DEPLOY / "prometheus" / "prometheus.yml")], check=True)
    told = subprocess.run([promtool, "check", "metrics"], input=scrape, check=False, capture_output=True, text=True)
    ours = [line for line in (told.stdout + told.stderr).splitlines() if line.startswith("alliance")]
    assert ours == []


def _documents() -> list[dict[str, object]]:
    text = (DEPLOY / "kubernetes" / "alliance.yaml").read_text()
    return [document for document in yaml.safe_load_all(text) if document]


def _pods(value: object) -> Iterator[dict[str, object]]:
    """Every pod template's spec, wherever it stands."""
    if isinstance(value, dict):
        if "containers" in value:
            yield value
        for each in value.values():
            yield from _pods(each)
    elif isinstance(value, list):
        for each in value:
            yield from _pods(each)


def _containers() -> list[dict[str, object]]:
    return [container for pod in _pods(_documents()) for container in pod["containers"]]  # type: ignore[attr-defined]


def _compose() -> dict[str, dict[str, object]]:
    services: dict[str, dict[str, object]] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    return services


def _settings() -> Iterator[tuple[str, str]]:
    for container in _containers():
        for each in container["env"]:  # type: ignore[attr-defined]
            yield each["name"], each.get("value", "postgresql+psycopg://alliance@database/alliance")
    for service in _compose().values():
        for name, value in service.get("environment", {}).items():  # type: ignore[attr-defined]
            yield name, value
    for unit in (DEPLOY / "systemd").iterdir():
        for name, value in re.findall(r"^Environment=(\w+)=(.*)$", unit.read_text(), re.MULTILINE):
            yield name, value.replace("%i", "1")
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    yield from re.findall(r"(ALLIANCE_\w+)=(\S+)", dockerfile)


def test_every_variable_is_one_that_the_program_knows(tmp_path: Path) -> None:
    (tmp_path / "alliance.toml").write_text(
        SCHOOL_TOML
        + _MAILBOX
        + '[web]\nurl = "https://inbox.maple.example"\n[service]\nnotices_from = "a@maple.example"\n'
    )
    seen = set()
    for name, value in _settings():
        if "__" in name:
            seen.add(name)
            load(tmp_path / "alliance.toml", {name: value})  # raises where it is no setting
        elif name.startswith("ALLIANCE"):
            assert name in {"ALLIANCE_CONFIG", "ALLIANCE_VAULT_KEY_FILE"}
    assert {"ALLIANCE_MONITORING__LISTEN", "ALLIANCE_SERVICE__DATABASE", "ALLIANCE_WEB__LISTEN"} <= seen


def test_every_command_is_one_that_the_program_has() -> None:
    known = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    asked = {str(container["args"][0]) for container in _containers()}  # type: ignore[index]
    asked |= {str(service["command"][0]) for service in _compose().values() if "command" in service}  # type: ignore[index]
    for unit in (DEPLOY / "systemd").iterdir():
        asked |= set(re.findall(r"^ExecStart=\S+/alliance (\w+)$", unit.read_text(), re.MULTILINE))
    assert {"run", "web", "worker", "migrate", "backup"} == asked
    assert asked - known == set()


def test_nothing_runs_as_root_or_may_write_where_it_need_not() -> None:
    for pod in _pods(_documents()):
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True  # type: ignore[index]
    for container in _containers():
        confined = container["securityContext"]
        assert confined["readOnlyRootFilesystem"] is True  # type: ignore[index]
        assert confined["allowPrivilegeEscalation"] is False  # type: ignore[index]
        assert confined["capabilities"] == {"drop": ["ALL"]}  # type: ignore[index]
    for name, service in _compose().items():
        if name != "database":
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
    users = re.findall(r"^USER (.*)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)
    assert users == ["10001:10001"]


def test_a_disruption_budget_selects_the_pods_of_its_deployment() -> None:
    by_kind: dict[str, list[dict[str, object]]] = {}
    for document in _documents():
        by_kind.setdefault(str(document["kind"]), []).append(document)
    selectors = [each["spec"]["selector"] for each in by_kind["PodDisruptionBudget"]]  # type: ignore[index]
    for deployment in by_kind["Deployment"]:
        labels = deployment["spec"]["template"]["metadata"]["labels"]  # type: ignore[index]
        assert deployment["spec"]["selector"]["matchLabels"] == labels  # type: ignore[index]
        assert {"matchLabels": labels} in selectors


def test_what_the_image_copies_is_in_its_context_and_every_package_is_copied() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    allowed = (DEPLOY.parent / ".dockerignore").read_text().splitlines()
    copied = re.findall(r"^COPY (?!--from)(\w+)/ \1/$", dockerfile, re.MULTILINE)
    packages = {path.parent.name for path in DEPLOY.parent.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert set(copied) == packages
    assert {f"!{name}" for name in copied} <= set(allowed)
    assert "--require-hashes" in dockerfile


@pytest.mark.parametrize("unit", sorted((DEPLOY / "systemd").iterdir()), ids=lambda path: path.name)
def test_systemd_reads_the_unit_without_a_word(unit: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    name = unit.name.replace("@", "@1")
    for each in unit.parent.iterdir():  # they name each other
        text = re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", each.read_text(), flags=re.MULTILINE)
        (tmp_path / each.name.replace("@", "@1")).write_text(text)
    environ = {"SYSTEMD_UNIT_PATH": f"{tmp_path}:", "PATH": "/usr/bin:/bin"}
    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(tmp_path / name)],
        check=False,
        capture_output=True,
        text=True,
        env=environ,
    )
    assert [line for line in told.stderr.splitlines() if "alliance" in line] == []
    exposure = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=20", str(tmp_path / name)],
        check=False,
        capture_output=True,
        text=True,
        env=environ,
    )
    assert exposure.returncode == 0, exposure.stdout[-200:]
