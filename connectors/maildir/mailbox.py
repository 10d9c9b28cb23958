"""`MaildirMailbox`: the contract of `connectors.mailbox.Mailbox` on a Maildir."""

import os
import time
from collections.abc import Callable, Mapping, Sequence

from config.secrets import Secrets
from config.settings import MailboxSettings, Settings
from connectors.errors import ChangesFailed, ConnectFailed, FetchFailed, MailboxError, MessageGone, TagFailed
from connectors.labels import Label, Relabelling, taken_away, written
from connectors.mailbox import Changes, DraftState, Known, RawMessage, nothing_known, tag_each
from connectors.maildir.folder import Folder, Place, failing_as
from connectors.maildir.keywords import Keywords, NoLetterLeft
from connectors.maildir.locks import dovecot_lock
from connectors.maildir.names import Name, flags_of
from connectors.maildir.reading import Reading
from connectors.maildir.sending import Sending
from connectors.smtp import SmtpSender


class MaildirMailbox:
    """One teacher's mailbox as a Maildir. The provider id of a message is its unique base name."""

    def __init__(
        self,
        address: str,
        folder: Folder,
        *,
        outgoing: Folder | None = None,
        post: SmtpSender | None = None,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        """`outgoing` takes what is sent, `post` sends it over SMTP where there is no `outgoing`. `clock` tells the time
        in nanoseconds since 1970."""
        self.address = address
        self.atomic_send = outgoing is not None
        self._inbox = folder
        self._sent = Folder(folder.path / ".Sent")
        self._outgoing = outgoing
        self._post = post
        self._keywords = Keywords(folder.path)
        self._reading = Reading(self._inbox, self._sent, self._keywords, Keywords(self._sent.path), clock)
        self._sending = Sending(folder.path, Folder(folder.path / ".Drafts"), self._sent, outgoing, post)

    @classmethod
    def open(cls, box: MailboxSettings, settings: Settings, secrets: Secrets) -> "MaildirMailbox":
        """The mailbox that the settings describe. Nothing is touched yet. Raises ConnectFailed where the settings name
        no Maildir."""
        if box.maildir is None:
            raise ConnectFailed(f'{box.address} has connector = "maildir" but no [mailboxes.maildir] with its path.')
        outgoing = Folder(box.maildir.outgoing) if box.maildir.outgoing else None
        server = box.smtp or settings.smtp
        post = None
        if outgoing is None and server is not None:
            post = SmtpSender(server, box.address, box.username or box.address, secrets.password(box))
        return cls(box.address, Folder(box.maildir.path), outgoing=outgoing, post=post)

    def check(self) -> Sequence[str]:
        """Looks at the folders and at the rights on them. Raises ConnectFailed."""
        facts = []
        for folder, what in ((self._inbox, "Maildir"), (self._outgoing, "outgoing Maildir")):
            if folder is not None:
                with failing_as(ConnectFailed, f"opening the {what} {folder.path}"):
                    count = sum(regular for _, regular in folder.entries())
                    _demand_rights(folder)
                facts.append(f"{what} {folder.path} can be read and written; messages in it: {count}.")
        with failing_as(ConnectFailed, "reading which letters stand for labels"):
            self._keywords.refresh()
        if self._keywords.missing(frozenset(Label)):
            facts.append("Labels have no letters in dovecot-keywords yet; they get some with the first label.")
        if self._outgoing is None and self._post is None:
            facts.append("Nothing can be sent: there is neither [smtp] nor outgoing under [mailboxes.maildir].")
        return facts

    def changes(self, cursor: str | None, known: Known = nothing_known, *, limit: int = 200) -> Changes:
        """See `Mailbox.changes`. Messages are new where neither `known` nor this instance has met them. A deletion is
        told by the instance that met the message; one that happens while the service is down is not."""
        with failing_as(ChangesFailed, f"reading {self._inbox.path}"):
            return self._reading.changes(cursor, known, limit)

    def fetch(self, message_id: str) -> RawMessage:
        """See `Mailbox.fetch`."""
        with failing_as(FetchFailed, f"reading a message of {self.address}"):
            self._reading.refresh()
            found = self._reading.message(message_id)
        if found is None:
            raise self._gone(message_id)
        return found

    def tag(self, message_id: str, labels: frozenset[Label]) -> None:
        """See `Mailbox.tag`. The letters of the labels go into the file's name; a message in new moves to cur, unread,
        since names in new carry no flags."""
        self._change(message_id, written(labels))

    def unmark(self, message_id: str, labels: frozenset[Label]) -> None:
        """See `Mailbox.unmark`."""
        self._change(message_id, taken_away(labels))

    def tag_many(self, wanted: Mapping[str, frozenset[Label]]) -> Mapping[str, MailboxError]:
        """See `Mailbox.tag_many`."""
        return tag_each(self, wanted)

    def save_draft(self, mime: bytes) -> str:
        """See `Mailbox.save_draft`."""
        return self._sending.save(mime)

    def draft_state(self, draft_id: str, rfc_message_id: str) -> DraftState:
        """See `Mailbox.draft_state`."""
        return self._sending.state(draft_id, rfc_message_id)

    def send_draft(self, draft_id: str) -> None:
        """See `Mailbox.send_draft`."""
        self._sending.send(draft_id)

    def discard_draft(self, draft_id: str) -> None:
        """See `Mailbox.discard_draft`."""
        self._sending.discard(draft_id)

    def wait(self, seconds: float) -> bool:
        """A folder does not push: False at once."""
        del seconds
        return False

    def interrupt(self) -> None:
        """Nothing ever waits here."""

    def close(self) -> None:
        """Gives the memory back; no file is held open between calls."""
        self._reading.forget()

    def _change(self, message_id: str, change: Relabelling) -> None:
        with failing_as(TagFailed, f"labelling a message of {self.address}"):
            if self._reading.locate(message_id) is None:
                raise self._gone(message_id)
            keywords = self._reading.letters_of(message_id)
            with dovecot_lock(self._reading.folder_of(message_id).path):
                there = self._reading.at_its_place(
                    message_id, lambda folder, place: _relabelled(folder, keywords, place, change)
                )
            if there is None:
                raise self._gone(message_id)
            self._reading.tagged(message_id, change, there)

    def _gone(self, id_: str) -> MessageGone:
        return MessageGone(f"The message {id_[:100]!a} is no longer in {self._reading.folder_of(id_).path}.")


def _relabelled(folder: Folder, keywords: Keywords, place: Place, change: Relabelling) -> Place:
    """Renames the file so that its name says the labels; returns where it lies now."""
    keywords.refresh()
    name = Name.parse(place.name)
    carried = keywords.labels(name.flags)
    labels = change.of(carried)
    if carried == labels:
        folder.modified_ns(place)  # nothing to rename, but it must still be there
        return place
    if keywords.missing(labels):
        try:
            keywords.add_all(flags_of(found.name) for found, _ in folder.entries())
        except NoLetterLeft:
            raise TagFailed(
                f"All 26 keyword letters of {folder.path} are taken. Remove keywords that nobody uses from "
                "dovecot-keywords, with the mail server stopped."
            ) from None
    there = Place("cur", name.flagged(keywords.relabelled(name.flags, labels)))
    folder.move(place, folder, there)
    return there


def _demand_rights(folder: Folder) -> None:
    for path in (folder.path, *(folder.path / name for name in ("new", "cur", "tmp"))):
        effective = os.access in os.supports_effective_ids
        if not os.access(path, os.R_OK | os.W_OK | os.X_OK, effective_ids=effective):
            raise PermissionError(13, "no right to read and write", str(path))
