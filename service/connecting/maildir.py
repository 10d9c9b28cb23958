"""Connecting a Maildir: a path, and nothing secret unless its mail leaves over SMTP."""

from collections.abc import Sequence

from config.secrets import Secrets
from config.settings import MailboxSettings, MaildirFolder, Settings
from connectors.errors import MailboxError
from connectors.smtp import SmtpSender
from service.connecting.asking import Asking, NotPossible, Wanted, readable
from service.connecting.imap import passwords
from service.connecting.trying import Means


class Maildir:
    """See `System`."""

    name = "maildir"

    def wanted(self, ask: Asking, boxes: tuple[MailboxSettings, ...]) -> Wanted:
        """See `System.wanted`."""
        return Wanted({}, tuple(self._with_folder(ask, box, len(boxes)) for box in boxes))

    def _with_folder(self, ask: Asking, box: MailboxSettings, count: int) -> MailboxSettings:
        if box.maildir is not None and ask.given.maildir is None:
            return box
        if ask.given.maildir is not None and count > 1:
            raise NotPossible("--maildir is one mailbox's: name that one with --address")
        path = ask.questions.answer("--maildir", f"Maildir of {box.address}", readable, given=ask.given.maildir)
        outgoing = readable(ask.given.outgoing) if ask.given.outgoing else None
        return box.model_copy(update={"maildir": MaildirFolder(path=path, outgoing=outgoing)})

    def credentials(self, ask: Asking, settings: Settings, boxes: Sequence[MailboxSettings], secrets: Secrets) -> None:
        """See `System.credentials`."""
        signing_in = [
            box
            for box in boxes
            if box.maildir is not None
            and box.maildir.outgoing is None
            and (server := box.smtp or settings.smtp) is not None
            and server.authenticate
        ]
        passwords(ask, signing_in, secrets)

    def means(self, settings: Settings, box: MailboxSettings, secrets: Secrets) -> Means:
        """See `System.means`."""
        can_send, cannot_send = _sending(settings, box, secrets)
        return Means(can_send=can_send, cannot_send=cannot_send, poll_seconds=settings.service.poll_seconds)


def _sending(settings: Settings, box: MailboxSettings, secrets: Secrets) -> tuple[str, str]:
    """What proves that its mail can leave, or why it cannot."""
    if box.maildir is not None and box.maildir.outgoing is not None:
        return f"mail may be put into {box.maildir.outgoing}", ""
    server = box.smtp or settings.smtp
    if server is None:
        return "", ""
    try:
        SmtpSender(server, box.address, box.username or box.address, secrets.password(box)).check()
    except MailboxError as error:
        return "", str(error)
    return f"{server.host} takes mail from it; nothing was sent", ""
