"""`alliance doctor`: checks everything that a run depends on, and says how to fix what fails."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from service.options import DEFAULT_CONFIG, ConfigOption

if TYPE_CHECKING:
    from service.doctor.finding import Finding


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command("doctor")(_doctor)


def _doctor(
    config: ConfigOption = DEFAULT_CONFIG,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check configuration, credentials, servers, folders, clock, calendar and database, and say how to fix what fails.

    Writes nothing anywhere. Exits with 1 when something fails.
    """
    from service.doctor.examination import examine
    from service.doctor.finding import Level

    examination = examine(config, os.environ, datetime.now(UTC))
    findings = list(examination) if as_json else _told(examination)
    failed = any(finding.level is Level.FAIL for finding in findings)
    if as_json:
        _print_json(findings, healthy=not failed)
    if failed:
        raise typer.Exit(1)


_COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def _told(findings: "Iterable[Finding]") -> "list[Finding]":
    """Prints each finding as it comes, under what it is about."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    from service.doctor.privacy import KEPT

    console = Console(highlight=False)
    told: list[Finding] = []
    for finding in findings:
        if not told or told[-1].about != finding.about:
            console.print(Text(finding.about, style="bold"))
        line = Text(f"{finding.level.value:5}", style=_COLOURS[finding.level.value]).append(
            finding.seen, style="default"
        )
        console.print(Padding(line, (0, 0, 0, 2), expand=False))
        if finding.fix:
            console.print(Padding(Text(f"→ {finding.fix}", style="cyan"), (0, 0, 0, 7), expand=False))
        told.append(finding)
    if told[-1].about == "privacy":
        console.print(Text("what the database keeps", style="bold"))
        for table in dict.fromkeys(name.partition(".")[0] for name in KEPT):
            columns = (
                f"{name.partition('.')[2]} ({holds})" for name, holds in KEPT.items() if name.startswith(f"{table}.")
            )
            console.print(Padding(Text(f"{table}: " + "; ".join(columns), style="dim"), (0, 0, 0, 2), expand=False))
    counts = {level: sum(finding.level.value == level for finding in told) for level in _COLOURS}
    console.print(Text(f"{counts['ok']} ok, {counts['warn']} to look at, {counts['fail']} failing", style="bold"))
    return told


def _print_json(findings: "Sequence[Finding]", *, healthy: bool) -> None:
    from service.doctor.privacy import KEPT

    report = {"healthy": healthy, "findings": [asdict(finding) for finding in findings], "kept": dict(KEPT)}
    typer.echo(json.dumps(report, indent=2, ensure_ascii=False))
