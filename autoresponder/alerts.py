"""What the administrator is told when the service itself needs somebody: words only, in the staff's language.

It says nothing of any family: the school's own mailboxes, times and counts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import TypeAlias

from autoresponder.note import Block, Link, Note, Paragraph, Row, Rows, Section
from autoresponder.wording import Wording

_Sentences: TypeAlias = tuple[str, str, tuple[str, ...]]
_LISTED = 20
"""Mailboxes that are named; of four hundred, the rest are counted."""


class AlertKind(StrEnum):
    """What the administrator has to know of, the gravest first."""

    GIVEN_UP = "given up"
    """Urgent mail that was given up after many tries."""
    URGENT_WAITS = "urgent waits"
    """Urgent mail does not reach the office."""
    UNCLAIMED = "unclaimed"
    """Urgent items that nobody took."""
    SILENT = "silent"
    """A mailbox could not be looked at for long."""
    NO_MAIL = "no mail"
    """No mail has come to a mailbox that gets some every day."""
    QUEUE = "queue"
    """Labels, answers or drafts that are due are not carried out."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One kind of trouble, as it is told."""

    kind: AlertKind
    since: datetime
    """Since when the first of it has been so; aware."""
    count: int = 1
    """How many messages or mailboxes it concerns."""
    mailboxes: tuple[str, ...] = ()
    """Which, where it is about mailboxes; none where it is about most of them."""


def alert_note(troubles: Sequence[Trouble], words: Wording, zone: tzinfo, *, product: str, queue: str = "") -> Note:
    """The mail that tells of `troubles`, at least one. `queue` is the address of the office's page."""
    _ = words.gettext
    grave = sorted(troubles, key=lambda trouble: list(AlertKind).index(trouble.kind))
    blocks: list[Block] = []
    for trouble in grave:
        blocks += _told(trouble, words, zone)
        if trouble.kind is AlertKind.UNCLAIMED and queue:
            blocks.append(Link(_("The office's list"), queue))
    blocks.append(Paragraph(_("You get this message once, and another when it is over.")))
    subject = f"{product}: {_subject(grave[0], words)}"
    return Note(title=subject, sections=(Section(words.language, words.direction, tuple(blocks)),))


def all_clear_note(troubles: Sequence[Trouble], words: Wording, zone: tzinfo, *, product: str) -> Note:
    """The mail that tells that `troubles`, at least one, are over; their `since` says since when."""
    _ = words.gettext
    blocks: list[Block] = [Paragraph(_("This is over. You need to do nothing."), strong=True)]
    for trouble in sorted(troubles, key=lambda each: list(AlertKind).index(each.kind)):
        rows = [Row(_("What it was"), (_subject(trouble, words),))]
        rows += _mailboxes(trouble, words)
        rows.append(Row(_("Over since"), (_when(trouble.since, words, zone),)))
        blocks.append(Rows(tuple(rows)))
    subject = _("{product}: all is well again").format(product=product)
    return Note(title=subject, sections=(Section(words.language, words.direction, tuple(blocks)),))


def _subject(trouble: Trouble, words: Wording) -> str:
    _ = words.gettext
    one = trouble.count == 1
    match trouble.kind:
        case AlertKind.GIVEN_UP:
            said = _("an urgent message was given up") if one else _("{count} urgent messages were given up")
        case AlertKind.URGENT_WAITS:
            said = _("urgent mail does not reach the office")
        case AlertKind.UNCLAIMED:
            said = _("nobody has taken urgent mail at the office")
        case AlertKind.SILENT:
            said = _("a mailbox cannot be looked at") if one else _("{count} mailboxes cannot be looked at")
        case AlertKind.NO_MAIL:
            one = trouble.mailboxes != ()
            said = _("a mailbox gets no mail any more") if one else _("most mailboxes get no mail any more")
        case AlertKind.QUEUE:
            said = _("labels and answers are late")
    return said.format(count=trouble.count)


def _told(trouble: Trouble, words: Wording, zone: tzinfo) -> Iterator[Block]:
    what, then, steps = _sentences(trouble, words)
    _ = words.gettext
    since = _when(trouble.since, words, zone)
    yield Paragraph(what.format(count=trouble.count, since=since), strong=True)
    if trouble.mailboxes:
        yield Rows(tuple(_mailboxes(trouble, words)))
    yield Paragraph(then)
    yield Rows((Row(_("What to do"), steps),))


def _sentences(trouble: Trouble, words: Wording) -> _Sentences:
    """What is wrong, what it means, and what helps."""
    if trouble.kind in {AlertKind.SILENT, AlertKind.NO_MAIL}:
        return _of_mailboxes(trouble, words)
    return _of_messages(trouble, words)


def _of_messages(trouble: Trouble, words: Wording) -> _Sentences:
    _ = words.gettext
    one = trouble.count == 1
    match trouble.kind:
        case AlertKind.GIVEN_UP:
            return (
                _("An urgent message that came on {since} could not be brought to the office, and was given up.")
                if one
                else _(
                    "{count} urgent messages could not be brought to the office, and were given up. The first came "
                    "on {since}."
                ),
                _("The teacher sees it in the mailbox, marked as urgent. The office does not know of it."),
                (
                    _("Please tell the office and the teacher now."),
                    _("“alliance outbox” says which message it is and why; “alliance retry” tries again."),
                ),
            )
        case AlertKind.URGENT_WAITS:
            return (
                _("Urgent mail has been waiting since {since}, and has not reached the office."),
                _("The service tries again every few minutes. Teachers see the messages, marked as urgent."),
                (
                    _("If it lasts, please tell the office and the teachers."),
                    _("“alliance outbox” says what the mail server answers."),
                ),
            )
        case AlertKind.UNCLAIMED:
            return (
                _("Nobody has taken the urgent mail that reached the office on {since}."),
                _("It is at the office, by mail and on its page; nobody has said that they look after it."),
                (
                    _("Please ask at the office whether somebody does. A reply with the word “taken” is enough."),
                    _("If your office does not work that way, unclaimed_minutes = 0 turns these messages off."),
                ),
            )
        case _:
            return (
                _("Labels, answers or drafts that were due on {since} have not been carried out."),
                _("Urgent mail goes before them, and is not late."),
                (
                    _("“alliance status” says what runs, and “alliance outbox” what waits and why."),
                    _("If it happens in busy hours, the machine or the number of workers is too small."),
                ),
            )


def _of_mailboxes(trouble: Trouble, words: Wording) -> _Sentences:
    _ = words.gettext
    one = trouble.count == 1
    match trouble.kind:
        case AlertKind.SILENT:
            return (
                _("This mailbox could not be looked at since {since}.")
                if one
                else _("These {count} mailboxes could not be looked at, the first since {since}."),
                _(
                    "Mail arrives there as always, and none of it is lost. But nothing urgent reaches the office from "
                    "there until it works again."
                ),
                (
                    _(
                        "“alliance doctor” says what is in the way. Most often a mail server or the network is down, "
                        "and the service goes on by itself afterwards."
                    ),
                    _("If it lasts, please tell the office and the teachers."),
                ),
            )
        case AlertKind.NO_MAIL if not trouble.mailboxes:
            return (
                _("No mail has come to most of the mailboxes since {since}."),
                _("If the school was closed, all is well. If it was not, mail is held up before it gets here."),
                (
                    _("Was the school closed? Then add the days to the holidays in the configuration."),
                    _("If not, send a mail to a mailbox from outside, and ask whoever runs the mail system."),
                ),
            )
        case _:
            return (
                _("No mail has come to this mailbox since {since}. It otherwise gets some on almost every school day.")
                if one
                else _(
                    "No mail has come to these {count} mailboxes, to the first since {since}. They otherwise get some "
                    "on almost every school day."
                ),
                _("That may be right: somebody has left, or has mail sent elsewhere."),
                (
                    _("If not, send a mail there from outside, and see whether it arrives."),
                    _("Who has left can be taken out of the configuration."),
                ),
            )


def _mailboxes(trouble: Trouble, words: Wording) -> Iterator[Row]:
    _ = words.gettext
    if not trouble.mailboxes:
        return
    more = len(trouble.mailboxes) - _LISTED
    named = trouble.mailboxes[:_LISTED]
    if more > 0:
        named = (*named, _("and {count} more, which “alliance status” names").format(count=more))
    yield Row(_("Mailbox") if len(trouble.mailboxes) == 1 else _("Mailboxes"), named)


def _when(at: datetime, words: Wording, zone: tzinfo) -> str:
    _ = words.gettext
    local = at.astimezone(zone)
    return _("{day}, {time}").format(day=words.day(local.date()), time=words.clock(local))
