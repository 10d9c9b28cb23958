"""The end of `alliance demo`: what was done, how well it was understood, mails as they look, and where to go on."""

import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from autoresponder.guards import GUARDS, describe
from config.settings import Settings
from connectors.labels import Tag
from service.sample.ledger import Handled, Tally, Understanding
from service.sample.letters import SampleMail
from service.sample.school import SampleSchool
from service.sample.screen import COLOURS, tally_table

_MISSES_SHOWN = 12
_LINES_SHOWN = 30
_STAGES = {
    "stage observe": "The mailbox is in stage observe: nothing is written there.",
    "stage tag": "The mailbox is in stage tag: families are not answered yet.",
}


def show_what_was_new(console: Console, done: Tally, files_before: int, files_after: int, *, same: bool) -> None:
    """What another run over the same mailboxes did: nothing, and the Maildirs prove it."""
    _heading(console, "This time")
    console.print(
        Padding(
            f"{done.read} mails read, {done.answered} families answered, {done.routed} messages routed. "
            f"{files_before} mails lay in the Maildirs before and {files_after} lie there now"
            f"{', the same ones' if same else ''}.",
            (0, 1),
            expand=False,
        ),
        highlight=False,
    )
    console.print(Padding(Text("In all, with the first run:", "dim"), (1, 1, 0, 1), expand=False))


def show_result(console: Console, settings: Settings, tallies: Mapping[str, Tally], reasons: Counter[str]) -> None:
    """The numbers of the whole school, and why mail was left alone."""
    console.print()
    console.print(Padding(tally_table(settings, tallies, console.width), (0, 1), expand=False))
    _heading(console, "Left alone, and why")
    descriptions = dict(describe(guard)[:2] for guard in GUARDS) | _STAGES
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(justify="right")
    table.add_column(overflow="fold")
    for reason, count in reasons.most_common():
        table.add_row(str(count), descriptions.get(reason, reason))
    console.print(Padding(table, (0, 1), expand=False))


def show_understanding(console: Console, found: Understanding) -> None:
    """How many family messages were tagged as their authors meant; the misses by name."""
    meant, hit = sum(found.meant.values()), sum(found.hit.values())
    _heading(console, "Understood as meant")
    sentence = f"{hit} of {meant} family messages got the tag that their author meant. None was in the training."
    console.print(Padding(Text(sentence), (0, 1), expand=False))
    console.print(Padding(_confusion(found), (1, 1, 0, 1), expand=False))
    if not found.misses:
        return
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    for heading in ("meant", "tagged"):
        table.add_column(heading, no_wrap=True)
    table.add_column("message", no_wrap=True, overflow="ellipsis")
    gravest_first = sorted(found.misses, key=lambda miss: list(Tag).index(miss.mail.meant or Tag.ROUTINE))
    for miss in gravest_first[:_MISSES_SHOWN]:
        meant_tag = miss.mail.meant or Tag.ROUTINE
        said = Text(miss.tag.value if miss.tag else "not family mail", COLOURS[miss.tag] if miss.tag else "dim")
        said.append(" ?" if miss.unsure else "")
        message = f"{miss.mail.subject or '(no subject)'}, {miss.mail.sender}"
        table.add_row(Text(meant_tag.value, COLOURS[meant_tag]), said, Text(message, "dim"))
    console.print(Padding(table, (1, 1, 0, 1), expand=False))
    hidden = len(found.misses) - _MISSES_SHOWN
    note = 'A "?" means that the service was unsure and marked the message "check" for the teacher.'
    console.print(Padding(Text(f"and {hidden} more. {note}" if hidden > 0 else note, "dim"), (0, 1), expand=False))


def _confusion(found: Understanding) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column("meant", no_wrap=True)
    table.add_column("")
    said: tuple[Tag | None, ...] = (*Tag, None)
    for tag in said:
        table.add_column(f"tagged {tag.value}" if tag else "not family", justify="right")
    for meant in Tag:
        missed = Counter(miss.tag for miss in found.misses if miss.mail.meant is meant)
        counts = [found.hit.get(tag, 0) if tag is meant else missed[tag] for tag in said]
        cells = [
            Text(str(count) if count else "·", COLOURS[meant] if tag is meant and count else "dim")
            for tag, count in zip(said, counts, strict=True)
        ]
        table.add_row(Text(meant.value, COLOURS[meant]), str(found.meant.get(meant, 0)), *cells)
    return table


def show_examples(
    console: Console, school: SampleSchool, mails: Sequence[SampleMail], records: Sequence[Handled]
) -> None:
    """A few mails as their readers got them."""
    _heading(console, "As they were sent")
    for title, mime in _examples(school, mails, records):
        console.print(Padding(_panel(title, mime, min(console.width - 2, 84)), (0, 1), expand=False))


def _examples(
    school: SampleSchool, mails: Sequence[SampleMail], records: Sequence[Handled]
) -> Iterator[tuple[str, EmailMessage]]:
    answered, routed = _by_answered(school.families), _by_enclosed(school.office)
    meant = {mail.message_id: mail.meant for mail in mails}
    for title, language, tag in (
        ("A family that writes Spanish, answered", "es", Tag.ROUTINE),
        ("A family that disputes something, answered", "en", Tag.CONFLICT),
        ("A family that cannot wait, answered", "en", Tag.URGENT),
    ):
        for record in records:
            understood = record.tag is tag and meant.get(record.message_id) is tag
            fits = understood and record.language == language and record.message_id in answered
            if fits and (tag is not Tag.URGENT or record.message_id in routed):
                yield title, answered[record.message_id]
                if tag is Tag.URGENT:
                    yield "The same message, at the office", routed[record.message_id]
                break


def _by_answered(families: Path) -> dict[str, EmailMessage]:
    """What families got, by the Message-ID that it answers."""
    return {str(mime["In-Reply-To"]).strip().strip("<>"): mime for mime in _mails(families)}


def _by_enclosed(office: Path) -> dict[str, EmailMessage]:
    """What the office got, by the Message-ID of the mail enclosed in it."""
    return {
        str(enclosed["Message-ID"]).strip().strip("<>"): mime
        for mime in _mails(office)
        for part in mime.iter_attachments()
        if part.get_content_type() == "message/rfc822"
        for enclosed in [part.get_content()]
    }


def _mails(maildir: Path) -> list[EmailMessage]:
    files = sorted(file for part in ("new", "cur") for file in (maildir / part).iterdir())
    return [message_from_bytes(file.read_bytes(), policy=policy.default) for file in files]


def _panel(title: str, mime: EmailMessage, width: int) -> RenderableType:
    fields = Text()
    for name in ("From", "To", "Subject"):
        fields.append(f"{name}: ", "dim")
        fields.append(f"{mime[name]}\n")
    body = mime.get_body(("plain",))
    lines = str(body.get_content()).strip().splitlines() if body is not None else []
    text = Text("\n".join(lines[:_LINES_SHOWN]))
    if len(lines) > _LINES_SHOWN:
        text.append("\n… and so on", "dim")
    enclosed = [str(part.get_filename() or part.get_content_type()) for part in mime.iter_attachments()]
    if enclosed:
        text.append(f"\n\nEnclosed: {', '.join(enclosed)}", "dim")
    return Panel(Group(fields, text), title=title, title_align="left", border_style="dim", width=width, padding=(0, 1))


def show_paths(console: Console, school: SampleSchool) -> None:
    """Where everything lies, and what to try next."""
    _heading(console, "Where to look")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(overflow="fold", style="cyan")
    table.add_column(overflow="fold")
    table.add_row(f"{school.folder}/mail/rivera", "a teacher's mailbox (Maildir); ten more beside it")
    table.add_row(
        f"{school.office}",
        f"the office's mailbox: {len(_mails(school.office))} mails on urgent messages, each with it whole",
    )
    table.add_row(f"{school.families}", f"what families got: {len(_mails(school.families))} answers")
    table.add_row(f"{school.config}", "the configuration, which is yours to change")
    console.print(Padding(table, (0, 1), expand=False))
    _heading(console, "What to try next")
    program = "alliance" if shutil.which("alliance") else sys.argv[0]
    commands = (
        (f"{program} scorecard -c {school.config}", "the numbers by teacher and week"),
        (f"{program} guard {school.mailbox('okafor')}/new", "what is not answered, and why"),
        (f"{program} demo --dir {school.folder}", "again: nothing is done twice"),
        (f"{program} init", "your own school"),
    )
    for command, remark in commands:
        # Whole on one line, however long: it is there to be copied.
        console.print(Text.assemble(" ", (command, "cyan"), (f"   {remark}", "dim")), soft_wrap=True)


def _heading(console: Console, text: str) -> None:
    console.print()
    console.print(Padding(Text(text, "bold"), (0, 1), expand=False))
