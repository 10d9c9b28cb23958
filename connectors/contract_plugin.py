"""The contract suite as a pytest plugin: a mark on its tests, and a summary of what each connector keeps.

Installed packages that test a connector get it by the entry point `alliance_contract`. It imports nothing of ours, so
that it costs nothing where no connector is tested.
"""

import sys
from collections import Counter, defaultdict

import pytest

MARK = "alliance_contract"


def pytest_configure(config: pytest.Config) -> None:
    """Declares the mark: `pytest -m alliance_contract` runs the contract and nothing else."""
    config.addinivalue_line("markers", f"{MARK}: a promise of connectors.mailbox.Mailbox, from connectors.contract")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests that a connector inherits from the contract."""
    contract = sys.modules.get("connectors.contract")
    if contract is None:
        return
    for item in items:
        if isinstance(item, pytest.Function) and item.cls and issubclass(item.cls, contract.MailboxContract):
            item.add_marker(MARK)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Says for each connector how many promises it keeps, and which its system does not know."""
    kept: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    unknown: dict[str, Counter[str]] = defaultdict(Counter)
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            if not isinstance(report, pytest.TestReport) or MARK not in report.keywords:
                continue
            connector = report.nodeid.rpartition("::")[0]
            kept[connector] += outcome == "passed"
            broken[connector] += outcome in {"failed", "error"}
            if outcome == "skipped":
                unknown[connector][_reason(report)] += 1
    if kept:
        terminalreporter.section("the contract of every mailbox")
    for connector in kept:
        rest = f", {broken[connector]} broken" if broken[connector] else ""
        terminalreporter.line(f"{connector}: {kept[connector]} promises kept{rest}")
        for reason, count in sorted(unknown[connector].items()):
            terminalreporter.line(f"  {count} not asked for: {reason}")


def _reason(report: pytest.TestReport) -> str:
    told = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return str(told).removeprefix("Skipped: ")
