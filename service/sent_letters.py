"""What a mail in Sent says to families: to whom it went, and whether it is good news. Decides; the store carries it
out with the page."""

from dataclasses import replace
from typing import Protocol

import structlog

from autoresponder.family import person
from autoresponder.glow import is_unfilled
from classifier.verdict import Letter, Opinion
from config.settings import MailboxSettings, Settings, Stage
from connectors.labels import Label
from connectors.message import Message
from service.case_parts import is_automatic
from service.entries import Candidate, labelled_good_news
from service.letters import letter_of
from service.logs import place
from store.letters import FamilyLetter
from store.pages import Entry

log = structlog.get_logger()

MOST_RECIPIENTS = 1000
"""Families' addresses of one mail that are put on record; more than any school writes to at once by hand."""


class GoodNewsReader(Protocol):
    """What is needed of the model that tells good news."""

    def read(self, letter: Letter) -> Opinion | None:
        """What the model says of a mail; None where it has no words."""
        ...


class SentLetters:
    """Finds what mail in Sent says to families. One instance serves all threads."""

    def __init__(self, settings: Settings, judge: GoodNewsReader | None) -> None:
        """Without a `judge`, only who was written to goes on record."""
        self._settings = settings
        self._judge = judge

    def of_teacher(self, entry: Entry, candidate: Candidate, box: MailboxSettings) -> Entry:
        """The entry of a sent message, with what it says to families where the teacher wrote it to any: in every stage,
        and of old mail too, since teachers wrote before they were connected. The label "good news" is planned where the
        stage lets us write and the mail is not old."""
        record, message = entry.record, candidate.message
        if message is None or record.own or is_automatic(message):
            return entry
        recipients = self._recipients(message, box)
        if not recipients:
            return entry
        opinion = self._opinion(message, box)
        labelled = Label.GOOD_NEWS in candidate.raw.labels
        positive = opinion is not None and opinion.positive
        entry = replace(entry, letter=FamilyLetter(recipients, opinion, labelled=labelled and not positive))
        silent = record.backfill or labelled or box.stage is Stage.OBSERVE
        return labelled_good_news(entry) if positive and not silent else entry

    def _recipients(self, message: Message, box: MailboxSettings) -> tuple[str, ...]:
        """The families' addresses, each once, in the mail's order."""
        named = (each for each in (*message.to, *message.cc, *message.bcc) if each.email)
        outside = (each.email for each in named if each.domain not in self._settings.staff_domains)
        found = tuple(dict.fromkeys(map(person, outside)))
        if len(found) > MOST_RECIPIENTS:
            log.warning(
                "a mail went to more addresses than are put on record",
                mailbox=box.address,
                addresses=len(found),
                recorded=MOST_RECIPIENTS,
            )
        return found[:MOST_RECIPIENTS]

    def _opinion(self, message: Message, box: MailboxSettings) -> Opinion | None:
        """What the model says; nothing of a draft of good news that was sent without the good news, and nothing where
        it chokes on the mail: the page is not lost for that, and a mail that nobody judged counts as no good news until
        the teacher says so."""
        if self._judge is None or message.is_reaction or is_unfilled(message.newest):
            return None
        try:
            return self._judge.read(letter_of(message, self._settings.school.zone))
        except Exception as error:  # noqa: BLE001 - one message must never stop the mailbox
            log.error("a sent mail could not be judged", mailbox=box.address, message=message.id, error=place(error))
            return None
