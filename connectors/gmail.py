"""Mailboxes on Google Workspace and Gmail, over the Gmail API: `GmailMailbox`. To connect: docs/connect/gmail.md."""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from config.secrets import Secrets
from config.settings import Gmail, MailboxSettings, Settings
from connectors import bells
from connectors.away import Absence
from connectors.errors import (
    AuthenticationFailed,
    ChangesFailed,
    ConnectFailed,
    DraftFailed,
    FetchFailed,
    MailboxError,
    MessageGone,
    TagFailed,
)
from connectors.gmail_access import access_for, project_of, pubsub_access
from connectors.gmail_calls import Calls
from connectors.gmail_changes import PageReader
from connectors.gmail_drafts import Drafts
from connectors.gmail_errors import Refused
from connectors.gmail_http import AnswerTooLarge, Authority
from connectors.gmail_labels import Labels
from connectors.gmail_mail import AWAY, SENT, Reading
from connectors.gmail_push import ROOT as PUBSUB_ROOT
from connectors.gmail_push import Channel, Puller, Watch, puller_of
from connectors.gmail_quota import Pace, pace_of
from connectors.gmail_tagging import Tagging
from connectors.gmail_vacation import vacation
from connectors.labels import NAMES, Label, Relabelling, taken_away, written
from connectors.mailbox import Changes, Direction, DraftState, Known, RawMessage, nothing_known

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_UNREADABLE = (KeyError, ValueError, TypeError, AttributeError, OverflowError)
"""What reading an answer of Google's runs into where it is not what Google documents."""


class GmailMailbox:
    """`connectors.mailbox.Mailbox` over the Gmail API."""

    atomic_send = True

    def __init__(
        self,
        address: str,
        authority: Authority,
        *,
        settings: Gmail | None = None,
        secrets: Secrets | None = None,
        pace: Pace | None = None,
        push: Puller | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Connects at the first use. `authority` signs in; `secrets` keep the ids of labels; `push` pulls notifications
        for all mailboxes of the process; `sleep` pauses where Google asks for it; `clock` tells the time, aware."""
        settings = settings or Gmail()
        self.address = address.lower()
        self._clock = clock
        self._calls = Calls(
            self.address,
            authority,
            pace or Pace(settings.units_per_minute, settings.units_per_minute_per_user),
            root=settings.endpoint,
            timeout=settings.timeout_seconds,
            sleep=sleep,
        )
        self._reading = Reading(self._calls)
        self._labels = Labels(self._calls, secrets)
        self._tagging = Tagging(self._calls, self._labels, self._reading)
        self._drafts = Drafts(self._calls, self._reading)
        self._push = push
        self._watch = Watch(self._calls, settings.topic) if push is not None and settings.topic else None

    @classmethod
    def open(cls, box: MailboxSettings, settings: Settings, secrets: Secrets) -> "GmailMailbox":
        """The mailbox that the settings describe, not connected yet. Raises AuthenticationFailed where what signs in
        lacks or is unusable."""
        gmail = settings.gmail or Gmail()
        push = None
        if gmail.topic and gmail.subscription:
            channel = Channel(gmail.topic, gmail.subscription, gmail.pubsub_endpoint or PUBSUB_ROOT)
            push = puller_of(channel, lambda: pubsub_access(secrets))
        return cls(
            box.address,
            access_for(box.address, gmail, secrets),
            settings=gmail,
            secrets=secrets,
            pace=pace_of(project_of(gmail, secrets), gmail.units_per_minute, gmail.units_per_minute_per_user),
            push=push,
        )

    def check(self) -> Sequence[str]:
        """See `Mailbox.check`."""
        with self._failing_as(ChangesFailed):
            profile = self._reading.profile()
            if profile.address != self.address:
                raise AuthenticationFailed(
                    f"the credentials of {self.address} open the mailbox {profile.address}: connect the right account, "
                    "or name the mailbox by its primary address"
                )
            self._labels.look()
            lacking = [name for label, name in NAMES.items() if label not in self._labels.ids]
            self._reading.history(profile.history, 1)
            pace = self._calls.pace
            return [
                f"Incoming and outgoing mail: Gmail API at {self._calls.root}, signed in for {profile.address}.",
                f"The mailbox holds {profile.total} messages.",
                f"Will be created when needed: the labels {', '.join(lacking)}."
                if lacking
                else f"All {len(NAMES)} labels are there.",
                f"At most {pace.per_minute_per_user} quota units a minute are used for it, {pace.per_minute} for all.",
                self._push_fact(),
            ]

    def changes(self, cursor: str | None, known: Known = nothing_known, *, limit: int = 200) -> Changes:
        """See `Mailbox.changes`."""
        with self._failing_as(ChangesFailed):
            return PageReader(self._reading, self._labels, known, limit, self._clock()).read(cursor, self.address)

    def absence(self) -> Absence | None:
        """See `connectors.away.TellsAbsence`: Gmail's vacation responder."""
        with self._failing_as(ChangesFailed):
            return vacation(self._calls)

    def fetch(self, message_id: str) -> RawMessage:
        """See `Mailbox.fetch`."""
        if not _ID.fullmatch(message_id):
            raise MessageGone("there is no message with this id")
        with self._failing_as(FetchFailed):
            mail = self._reading.whole(message_id)
            self._labels.look_for(mail.stored.labels)
            if mail.stored.labels & AWAY:
                raise MessageGone(f"{self.address}: the message {message_id} was moved to Spam or Trash")
            return RawMessage(
                id=mail.stored.id,
                direction=Direction.SENT if SENT in mail.stored.labels else Direction.RECEIVED,
                raw=mail.raw,
                size=mail.size,
                received_at=mail.stored.received_at,
                labels=self._labels.read(mail.stored.labels),
            )

    def tag(self, message_id: str, labels: frozenset[Label]) -> None:
        """See `Mailbox.tag`."""
        self._change(message_id, written(labels))

    def unmark(self, message_id: str, labels: frozenset[Label]) -> None:
        """See `Mailbox.unmark`."""
        self._change(message_id, taken_away(labels))

    def tag_many(self, wanted: Mapping[str, frozenset[Label]]) -> Mapping[str, MailboxError]:
        """See `Mailbox.tag_many`."""
        failed: dict[str, MailboxError] = {
            id_: MessageGone("there is no message with this id") for id_ in wanted if not _ID.fullmatch(id_)
        }
        asked = {id_: written(labels) for id_, labels in wanted.items() if id_ not in failed}
        try:
            with self._failing_as(TagFailed):
                return failed | self._tagging.change_many(asked)
        except MailboxError as error:
            return failed | dict.fromkeys(asked, error)

    def save_draft(self, mime: bytes) -> str:
        """See `Mailbox.save_draft`."""
        with self._failing_as(DraftFailed):
            return self._drafts.save(mime)

    def draft_state(self, draft_id: str, rfc_message_id: str) -> DraftState:
        """See `Mailbox.draft_state`."""
        with self._failing_as(DraftFailed):
            return self._drafts.state(draft_id, rfc_message_id)

    def send_draft(self, draft_id: str) -> None:
        """See `Mailbox.send_draft`."""
        with self._failing_as(DraftFailed):
            self._drafts.send(draft_id)

    def discard_draft(self, draft_id: str) -> None:
        """See `Mailbox.discard_draft`."""
        with self._failing_as(DraftFailed):
            self._drafts.discard(draft_id)

    def wait(self, seconds: float) -> bool:
        """See `Mailbox.wait`. Without a topic, or where Google does not tell it, there is no push."""
        return self.listen() and bells.wait(self.address, seconds)

    def listen(self) -> bool:
        """See `connectors.bells.Ringing`."""
        if self._push is None or self._watch is None:
            return False
        with self._failing_as(ConnectFailed):
            if not self._watch.keep(self._clock()):
                return False
        self._push.join(id(self))
        return not self._push.trouble

    def interrupt(self) -> None:
        """See `Mailbox.interrupt`."""
        if self._push is not None:
            bells.interrupt(self.address)

    def close(self) -> None:
        """See `Mailbox.close`."""
        if self._push is not None:
            self._push.leave(id(self))
        self._calls.close()

    def _change(self, message_id: str, wanted: Relabelling) -> None:
        if not _ID.fullmatch(message_id):
            raise MessageGone("there is no message with this id")
        with self._failing_as(TagFailed):
            self._tagging.change(message_id, wanted)

    def _push_fact(self) -> str:
        if self._push is None or self._watch is None:
            return "New mail is polled (no Pub/Sub topic is set)."
        if not self._watch.keep(self._clock()):
            return f"New mail is polled: {self._watch.trouble}."
        if trouble := self._push.try_out():
            return f"New mail is polled: {trouble}."
        return "New mail is told at once (Pub/Sub)."

    @contextmanager
    def _failing_as(self, error_class: type[MailboxError]) -> Iterator[None]:
        """Names what a module below could not name: whatever was asked for, it failed at this operation."""
        try:
            yield
        except Refused as error:
            if error.status in {404, 410} and error_class is FetchFailed:
                raise MessageGone(f"{self.address}: the message was deleted") from error
            raise error_class(str(error)) from error
        except AnswerTooLarge as error:
            raise error_class(f"{self.address}: Google's answer is larger than any mail that Gmail takes in") from error
        except _UNREADABLE as error:
            raise error_class(
                f"{self.address}: Google's answer is not what the Gmail API documents ({type(error).__name__})"
            ) from error
