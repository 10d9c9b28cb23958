"""What the messages of a page mean to the cases of their mailbox. Decides; the store carries it out with the page."""

from collections.abc import Callable
from dataclasses import replace

from autoresponder.agreement import reads_like_agreement
from autoresponder.cases import CaseRules
from autoresponder.family import family_key
from autoresponder.guards import past, senders
from autoresponder.hostile import reads_hostile
from config.settings import MailboxSettings, Settings, Stage
from connectors.labels import Label
from connectors.message import Message
from service.entries import Candidate
from store.case_life import FamilySays, TeacherWrites
from store.pages import Entry

_TO_SOMEBODY = 3
"""A mail to more families than these is a circular, and answers nobody."""


class CaseParts:
    """Finds what a message means to the cases. One instance serves all threads."""

    def __init__(self, settings: Settings, family_of: Callable[[str], str | None], key: bytes) -> None:
        """`family_of` is the roster's, `key` the installation's secret."""
        self._settings = settings
        self._family_of = family_of
        self._key = key

    def rules(self, box: MailboxSettings) -> CaseRules | None:
        """How conflict mail of a mailbox is made into cases; None where it is only observed."""
        return None if box.stage is Stage.OBSERVE else CaseRules.of(self._settings)

    def of_family(self, entry: Entry, candidate: Candidate, box: MailboxSettings) -> Entry:
        """The entry of a received message, with its family, and with its part where it is family mail from after the
        mailbox was connected."""
        record, message, rules = entry.record, candidate.message, self.rules(box)
        if record.tag is None or message is None:
            return entry
        record.family = self._family(record.sender or "", alone="" if record.sender else record.fingerprint)
        if rules is None or record.backfill or record.guard == past.before_connection.__name__:
            return entry
        verified = record.guard != senders.spoofed.__name__
        part = FamilySays(
            rules=rules,
            hostile=reads_hostile(message.newest),
            consents=verified and reads_like_agreement(message.newest),
            marked=Label.PLAN_AGREED in candidate.raw.labels,
        )
        return replace(entry, part=part)

    def of_teacher(self, entry: Entry, candidate: Candidate, box: MailboxSettings) -> Entry:
        """The entry of a sent message, with its part where the teacher wrote it to somebody in particular."""
        record, message = entry.record, candidate.message
        if message is None or record.own or record.backfill or box.stage is Stage.OBSERVE or is_automatic(message):
            return entry
        addresses = dict.fromkeys(each.email for each in (*message.to, *message.cc) if each.email)
        staff = self._settings.staff_domains
        families = {self._family(email) for email in addresses if email.rpartition("@")[2] not in staff}
        if len(families) > _TO_SOMEBODY:
            return entry
        marked = Label.PLAN_AGREED in candidate.raw.labels
        return replace(entry, part=TeacherWrites(tuple(sorted(families)), marked=marked))

    def _family(self, email: str, *, alone: str = "") -> str:
        return family_key(self._family_of(email), email, self._key, alone=alone)


def is_automatic(message: Message) -> bool:
    """Whether a program wrote it in the teacher's name (RFC 3834 §5): an out-of-office answer answers nobody."""
    return message.headers.get("auto-submitted", "no").partition(";")[0].strip().lower() != "no"
