"""The service with parts that die of some messages as native code does: no `except` sees it, the process is no more.
Forked from a server that has the classifier loaded already."""

import os
import signal
from collections.abc import Mapping
from email.message import EmailMessage
from pathlib import Path

from autoresponder.replies import compose_reply
from autoresponder.routes import compose_route
from connectors.errors import MailboxError
from connectors.labels import Label
from connectors.maildir import MaildirMailbox
from connectors.message import Message
from connectors.mime import parse_message
from service import composing, following, pipeline, teachers_drafts
from service.assembly import Assembly
from service.cli import app
from service.commands import run as run_command
from service.commands import worker as worker_command
from tests.service.one_run import MODEL

KILLS, ABORTS, UNLUCKY = b"this mail kills", b"this mail aborts", b"this mail is unlucky"
"""Words of messages: the parser kills the process, or ends it as a failed assertion does; or, while the message is read
for the first two times, an administrator kills the process, who means nothing by it."""
WORDING_KILLS, UNLUCKY_WORDING = "wording the note kills", "wording the note is unlucky"
ATTACHING_KILLS, SENDING_KILLS = b"attaching this kills", b"sending this kills"
"""Words of messages that are read well: what kills is to word the family's note, to attach the message to a mail to the
office, or to hand over whatever mail it is attached to; in the other case, an administrator does."""
LABELLING_KILLS = b"labelling this kills"
FOLLOWING_KILLS = b"following this kills"
"""What kills is to read it once more, when the teacher has corrected its label."""
_UNLUCKY_TIMES = 2


class _Deaths:
    """The parts that die. `log` stands in the folder of the school."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._send_draft, self._tag_many = MaildirMailbox.send_draft, MaildirMailbox.tag_many

    def parse(self, raw: bytes, **more: object) -> Message:
        if KILLS in raw:
            _die()
        if ABORTS in raw:
            os.abort()
        if UNLUCKY in raw:
            self._die_of_an_administrator()
        return parse_message(raw, **more)  # type: ignore[arg-type]

    def parse_again(self, raw: bytes, **more: object) -> Message:
        if FOLLOWING_KILLS in raw:
            _die()
        return self.parse(raw, **more)

    def word(self, original: Message, *facts: object, **more: object) -> EmailMessage:
        if WORDING_KILLS in original.text:
            _die()
        if UNLUCKY_WORDING in original.text:
            self._die_of_an_administrator()
        return compose_reply(original, *facts, **more)  # type: ignore[arg-type]

    def attach(self, raw: bytes | None, *facts: object, **more: object) -> bytes:
        if raw is not None and ATTACHING_KILLS in raw:
            _die()
        return compose_route(raw, *facts, **more)  # type: ignore[arg-type]

    def send(self, mailbox: MaildirMailbox, draft_id: str) -> None:
        drafts = [path for path in self._log.parent.rglob(f"{draft_id}*") if path.parts[-3] == ".Drafts"]
        if any(SENDING_KILLS in path.read_bytes() for path in drafts):
            _die()
        self._send_draft(mailbox, draft_id)

    def label(self, mailbox: MaildirMailbox, wanted: Mapping[str, frozenset[Label]]) -> Mapping[str, MailboxError]:
        if any(LABELLING_KILLS in mailbox.fetch(message).raw for message in wanted):
            _die()
        return self._tag_many(mailbox, wanted)

    def _die_of_an_administrator(self) -> None:
        times = self._log.with_suffix(".unlucky")
        so_far = times.stat().st_size if times.exists() else 0
        if so_far < _UNLUCKY_TIMES:
            times.write_bytes(b"." * (so_far + 1))
            _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def perform(arguments: list[str], log: Path) -> None:
    """Runs the command `alliance` with these arguments."""
    with log.open("ab", buffering=0) as file:
        for number in (1, 2):
            os.dup2(file.fileno(), number)

    def assemble(settings, database, clock=None) -> Assembly:  # type: ignore[no-untyped-def]
        told = {} if clock is None else {"clock": clock}
        return Assembly.build(settings, database=database, model=MODEL, **told)

    def send_draft(mailbox: MaildirMailbox, draft_id: str) -> None:
        deaths.send(mailbox, draft_id)

    def tag_many(mailbox: MaildirMailbox, wanted: Mapping[str, frozenset[Label]]) -> Mapping[str, MailboxError]:
        return deaths.label(mailbox, wanted)

    deaths = _Deaths(log)
    for module in (composing, pipeline, teachers_drafts):
        module.parse_message = deaths.parse  # type: ignore[attr-defined]
    following.parse_message = deaths.parse_again  # type: ignore[assignment]
    composing.compose_reply, composing.compose_route = deaths.word, deaths.attach  # type: ignore[attr-defined]
    MaildirMailbox.send_draft, MaildirMailbox.tag_many = send_draft, tag_many  # type: ignore[method-assign]
    run_command.assemble = assemble  # type: ignore[assignment]
    worker_command.assemble = assemble
    app(arguments)
