"""`alliance guard` judges mail files: may a robot answer? `alliance guards` prints the rules it goes by."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from service.options import load_settings

if TYPE_CHECKING:
    from autoresponder.guards import Case
    from config import SchoolCalendar, Settings
    from config.settings import MailboxSettings

_LARGEST = 64 * 1024 * 1024
"""Bytes that are read of one file; what follows would be attachments."""
_MBOX_SUFFIXES = frozenset({".mbox", ".mbx"})


def register(app: typer.Typer) -> None:
    """Adds both commands."""
    app.command("guard")(_guard)
    app.command("guards")(_guards)


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What is known besides the mail itself."""

    settings: "Settings | None"
    calendar: "SchoolCalendar | None"
    mailbox: "MailboxSettings | None"
    now: datetime | None

    def case(self, raw: bytes, name: str) -> "Case":
        """The case of the mail `raw`: with no `now`, as if it had just arrived in a mailbox connected long ago."""
        from autoresponder.guards import Case, written_at
        from autoresponder.plan import History
        from config.settings import Norm
        from connectors.mime import parse_message

        clock = self.now or datetime.now(UTC)
        address = self.mailbox.address if self.mailbox else ""
        message = parse_message(raw, mailbox=address, id=name, received_at=clock)
        arrived = written_at(message, clock) or clock
        message = replace(message, received_at=min(arrived, clock))
        own = frozenset({address.rpartition("@")[2]} if address else ())
        return Case(
            message=message,
            history=History(connected_at=datetime(1970, 1, 2, tzinfo=UTC)),
            norm=self.settings.norm if self.settings else Norm(),
            now=self.now or message.received_at,
            mailbox=self.mailbox,
            staff_domains=self.settings.staff_domains if self.settings else own,
            calendar=self.calendar,
        )


def _guard(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Mail files, folders of them, or - for input.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per mail and line.")] = False,
    mailbox: Annotated[
        str | None, typer.Option("--mailbox", "-m", metavar="ADDRESS", help="The mailbox that the mail came to.")
    ] = None,
    config: Annotated[
        Path | None, typer.Option("--config", "-c", metavar="FILE", help="A configuration: staff, norm, calendar.")
    ] = None,
    now: Annotated[
        str | None, typer.Option("--now", metavar="TIME", help="Judge as of this time (ISO 8601), not as of arrival.")
    ] = None,
) -> None:
    """Say for each mail whether it would be answered, and if not, which guard objects and why.

    Each mail is judged as if it had just arrived and nobody had been answered before. Without --mailbox and --config,
    guards that need to know the school have no objection. A file called .mbox is taken apart into its mails. Exits with
    2 when a file could not be read; the others are judged all the same.
    """
    from autoresponder.guards import check

    surroundings = _surroundings(mailbox, config, now)
    unreadable = False
    for name, raw in _mails(paths):
        if isinstance(raw, OSError):
            unreadable = True
            reply, reason = False, f"cannot be read: {raw.strerror or raw}"
        else:
            objection = check(surroundings.case(raw, name))
            reply = objection is None
            reason = "no guard objects" if objection is None else f"{objection.guard}: {objection.reason}"
        if as_json:
            typer.echo(json.dumps({"file": name, "reply": reply, "reason": reason}, ensure_ascii=False))
        else:
            typer.echo(f"{'reply' if reply else 'leave':6} {name}  {reason}")
    if unreadable:
        raise typer.Exit(2)


def _surroundings(mailbox: str | None, config: Path | None, now: str | None) -> _Surroundings:
    from pydantic import ValidationError

    from config import SchoolCalendar
    from config.settings import MailboxSettings

    settings = load_settings(config) if config is not None else None
    box = None
    if mailbox is not None:
        try:
            box = settings.mailbox(mailbox) if settings else MailboxSettings(address=mailbox, teacher="the teacher")
        except KeyError:
            _refuse(f"--mailbox {mailbox}: the configuration has no mailbox of this address")
        except ValidationError:
            _refuse(f"--mailbox {mailbox}: an address such as rivera@maple.example is expected")
    return _Surroundings(
        settings=settings,
        calendar=SchoolCalendar.of(settings.school, settings.office) if settings else None,
        mailbox=box,
        now=_moment(now) if now is not None else None,
    )


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        _refuse(f"--now {text}: a time such as 2026-03-02T09:30:00-06:00 is expected")
    return (moment if moment.tzinfo else moment.astimezone()).astimezone(UTC)


def _refuse(sentence: str) -> NoReturn:
    typer.echo(sentence, err=True)
    raise typer.Exit(2)


def _mails(paths: list[str]) -> Iterator[tuple[str, "bytes | OSError"]]:
    """Every mail under `paths` with the name it is reported by, or why it could not be read."""
    for path in paths:
        if path == "-":
            yield path, sys.stdin.buffer.read(_LARGEST)
            continue
        for file in _files(Path(path)):
            try:
                with file.open("rb") as stream:
                    raw = stream.read(_LARGEST)
            except OSError as error:
                yield str(file), error
                continue
            if file.suffix.lower() in _MBOX_SUFFIXES:
                yield from _taken_apart(str(file), raw)
            else:
                yield str(file), raw


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file()) if path.is_dir() else [path]


def _taken_apart(name: str, raw: bytes) -> Iterator[tuple[str, bytes]]:
    """The mails of an mbox (RFC 4155 appendix A): each begins with a line "From " after an empty line."""
    mails = [part for part in raw.replace(b"\r\n", b"\n").split(b"\n\nFrom ") if part.strip()]
    for number, mail in enumerate(mails, 1):
        yield (name if len(mails) == 1 else f"{name}:{number}"), (mail if number == 1 else b"From " + mail)


def _guards(
    *, as_json: Annotated[bool, typer.Option("--json", help="One JSON object per guard and line.")] = False
) -> None:
    """Print the guards in the order in which they are asked: name, what it is about, and the rule behind it."""
    from autoresponder.guards import GUARDS, describe

    described = [describe(guard) for guard in GUARDS]
    if as_json:
        for name, description, rule in described:
            typer.echo(json.dumps({"name": name, "description": description, "rule": rule}, ensure_ascii=False))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("Guard", "No answer to", "Rule", show_lines=True)
    for row in described:
        table.add_row(*row)
    Console().print(table)
