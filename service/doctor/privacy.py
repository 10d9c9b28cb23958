"""Proves that the database keeps no text of any message (decision 1), by its columns and by looking for sentences.

Two questions, because each alone can be fooled: does a column exist that nobody has vouched for, and do the words of
messages that were recorded stand anywhere in it?
"""

import json
import mmap
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from sqlalchemy import Connection, LargeBinary, MetaData, String, func, inspect, select, types

from connectors.message import Message
from store.database import Database

KEPT: Mapping[str, str] = MappingProxyType(
    {
        "alembic_version.version_num": "which version the tables have",
        "installation.key": "a random key that fingerprints are made with",
        "mailbox.address": "the teacher's address",
        "mailbox.cursor": "how far the mailbox was read, in the mail server's own numbers",
        "message.mailbox": "the teacher's address",
        "message.provider_id": "the mail server's identifier",
        "message.direction": "received or sent",
        "message.rfc_message_id": "the Message-ID",
        "message.fingerprint": "a keyed checksum, to recognise a message that has no Message-ID",
        "message.thread": "the Message-ID that its thread began with",
        "message.sender": "the sender's address",
        "message.family": "a keyed checksum of the family, made of no text of theirs",
        "message.subject": "the subject, only where service.keep_subjects is on",
        "message.tag": "urgent, conflict or routine",
        "message.language": "a language code",
        "message.model": "the classifier's version",
        "message.labels": "the labels it carries",
        "message.guard": "the name of the guard that kept it from being answered",
        "message.set_aside": "why it could not be read, in this program's words",
        "delivery.mailbox": "the teacher's address",
        "delivery.kind": "tag, route, reply, escalate, tell or remind",
        "delivery.state": "where the delivery stands",
        "delivery.step": "how far sending has come",
        "delivery.dedupe_key": "what keeps the same thing from being delivered twice, made of identifiers",
        "delivery.facts": "tags, times and languages that the mail is worded from",
        "delivery.recipient": "the addresses it goes to",
        "delivery.rfc_message_id": "the Message-ID it goes under",
        "delivery.draft_id": "the mail server's identifier of the draft",
        "delivery.lease_holder": "which worker is at it",
        "delivery.last_error": "what the mail server answered when it failed",
        "correction.mailbox": "the teacher's address",
        "correction.from_tag": "the tag before",
        "correction.to_tag": "the tag after",
        "parking.mailbox": "the teacher's address",
        "parking.reason": "why its server refused this service, in this program's and the server's words",
        "item.reference": "the checksum of the message that the item opened with",
        "item.mailbox": "the teacher's address",
        "item.family": "a keyed checksum of the family, made of no text of theirs",
        "item.topic": "what the item is about, one of a fixed list",
        "item.tag": "urgent or routine",
        "item.state": "open, claimed, done, not urgent or returned",
        "item.holder": "the address of who at the school has it",
        "item.path": "the names of the desks that have had it, from the configuration",
        "item_event.kind": "what happened to the item, one of a fixed list",
        "item_event.desk": "the name of the desk it came to, from the configuration",
        "item_event.by": "the address of who at the school said so",
        "notice.kind": "parked, lifted, stopped, digest, weekly, alert or all clear",
        "weekly_mail.leader": "the address of who leads the school, or a team",
        "weekly_mail.told": "the figures of a weekly mail: shares of groups of enough families",
        "worker.id": "which worker of a district: host, process number and random digits",
        "worker.version": "the version of this program that it runs",
        "mailbox_turn.mailbox": "the teacher's address",
        "mailbox_turn.system": "which kind of mail system it is",
        "mailbox_turn.pace": "live, backlog or failing",
        "mailbox_turn.holder": "which worker is at it",
        "mailbox_turn.last_holder": "which worker was at it last",
        "allowance.name": "what is shared among workers: a provider's quota, or a chore",
        "connection_share.server": "a mail server's name",
        "connection_share.worker": "which worker has the share",
        "push_ticket.ticket": "a random word that Microsoft's notifications come with",
        "push_ticket.mailbox": "the teacher's address",
        "push_ticket.digest": "a checksum of the secret that they come with",
        "careful_mailbox.mailbox": "the teacher's address",
        "reading_trace.mailbox": "the teacher's address",
        "reading_trace.message": "the mail server's identifier",
        "reading_trace.digest": "a keyed checksum, to recognise copies of a message that ends the service",
        "reading_trace.process": "which process is at it: host, process number and random digits",
        "queue_migration.name": "which step of the queue's tables was taken",
        "notice.rfc_message_id": "the Message-ID that the notice to the administrator or the teacher goes under",
        "look.mailbox": "the teacher's address",
        "running_process.name": "the machine and the number of a process of this service",
        "running_process.role": "run, worker or web",
        "running_process.version": "the version of this program",
        "alert.kind": "what the administrator is told of, one of a fixed list",
        "alert.subject": "the teacher's address, or a number",
        "schema_floor.revision": "how old a program may be to work with these tables",
        "digest.mailbox": "the teacher's address",
        "conflict_case.mailbox": "the teacher's address",
        "conflict_case.reference": "the checksum of the message that the case opened with",
        "conflict_case.family": "a keyed checksum of the family, made of no text of theirs",
        "conflict_case.state": "open, agreed or no conflict",
        "conflict_case.agreed_by": "the address of who said in the page that a plan is agreed",
        "case_event.kind": "what happened to the case, one of a fixed list",
        "case_event.by": "the address of who said so in the page",
        "teacher_letter.family": "a keyed checksum of the family that a mail of the teacher's went to",
        "answer_let_out.mailbox": "the teacher's address",
        "answer_let_out.person": "the address that the answer goes to",
        "answer_stop.mailbox": "the teacher's address",
        "answer_stop.cause": "why the mailbox's answers stopped, one of a fixed list",
        "own_answer.mailbox": "the teacher's address",
        "sign_in_link.digest": "a checksum of what stands in a sign-in link",
        "sign_in_link.person": "the address of who asked for it",
        "sign_in_link.destination": "the page that was asked for first",
        "web_session.digest": "a checksum of what stands in a browser's cookie",
        "web_session.person": "the address of who is signed in",
        "openid_trip.digest": "a checksum of what somebody was sent to the OpenID provider with",
        "openid_trip.browser": "a checksum of what stands in a browser's cookie",
        "openid_trip.destination": "the page that was asked for first",
        "throttle.bucket": "what is counted, and a keyed checksum of whose tries they are",
        "audit.person": "the address of who did it",
        "audit.act": "what was done, in this program's words",
        "audit.about": "what it was done to: an address, a number, a page",
        "audit.digest": "a checksum of the entry and of the one before it",
        "audit_head.digest": "the checksum of the last entry",
        "roster_person.id": "the identifier that the school's system gives somebody",
        "roster_person.kinds": "student, guardian, teacher or staff",
        "roster_person.given_name": "the given name on the school's roster",
        "roster_person.family_name": "the family name on the school's roster",
        "roster_person.schools": "identifiers of schools",
        "roster_person.language": "a language code",
        "roster_grade.student": "the identifier of a student",
        "roster_grade.grade": "the grade, as the school writes it",
        "roster_grade.schools": "identifiers of schools",
        "roster_family.student": "the identifier of a student",
        "roster_family.family": "a random identifier of a family",
        "roster_address.address": "an address on the school's roster",
        "roster_address.person": "the identifier of whose it is",
        "roster_care.student": "the identifier of a student",
        "roster_care.guardian": "the identifier of a guardian",
        "roster_school.id": "the identifier of a school",
        "roster_school.name": "the name of a school",
        "roster_term.id": "the identifier of a term",
        "roster_term.title": "what the school calls the term",
        "roster_class.id": "the identifier of a class",
        "roster_class.title": "what the school calls the class",
        "roster_class.school": "the identifier of its school",
        "roster_class.grades": "its grades",
        "roster_class.terms": "identifiers of its terms",
        "roster_membership.id": "the identifier of a place in a class",
        "roster_membership.person": "the identifier of who has it",
        "roster_membership.school_class": "the identifier of the class",
        "roster_match.address": "an address that the school said whose it is",
        "roster_match.person": "the identifier of whom the school named",
        "roster_import.digest": "a checksum of the files that were imported",
        "letter_recipient.address": "the address that a teacher wrote to",
        "tombstone.digest": "a keyed checksum of a message, an address or an identifier that was forgotten",
        "past_answer.mailbox": "the teacher's address",
        "past_answer.person": "a keyed checksum of the address that an answer went to",
        "past_answer.tag": "what the answer was about: urgent, conflict or routine",
        "carried_week.mailbox": "the teacher's address",
        "carried_week.numbers": "counts of records that were erased",
        "erasure.reference": "a random reference of a receipt",
        "erasure.act": "forget or purge",
        "erasure.counts": "how many rows were erased, by table",
        "audit_name.token": "a random word that stands in the audit log for a name",
        "audit_name.name": "an address, or an identifier that the school's system gives somebody",
        "judgement.model": "the classifier's version",
        "judgement.by": "the address of who overruled it",
        "contact.reference": "the identifier of a contact in the school's list, or a checksum",
        "contact.mailbox": "the address of the teacher",
        "contact.student": "the identifier of a student",
        "contact.kind": "call, text, note or meeting",
        "contact.tone": "good news, neutral or concern",
        "contact.source": "file, reply or page",
        "contact.logged_by": "the address of who logged it",
        "contact.withdrawn_by": "the address of who withdrew it",
        "heard_reply.mailbox": "the teacher's address",
        "heard_reply.fingerprint": "a keyed checksum of the teacher's answer to the morning mail",
        "heard_reply.doubts": "numbers of lines that nothing could be made of, and why, in this program's words",
        "incident.reference": "the identifier of an incident in the school's list, or a checksum",
        "incident.student": "the identifier of a student",
        "incident.kind": "the school's own short word for the incident",
        "glow_draft.mailbox": "the teacher's address",
        "glow_draft.term": "the identifier of a term",
        "glow_draft.family": "a random identifier of a family",
        "glow_draft.asked_by": "the address of who asked for the draft",
        "glow_draft.state": "where the draft stands",
        "glow_draft.rfc_message_id": "the Message-ID that the draft is saved under",
        "glow_draft.reason": "why there is no draft, or why it waits, in this program's words",
        "glow_wish.mailbox": "the teacher's address",
        "home_helper.mailbox": "the teacher's address",
        "home_helper.family": "a random identifier of a family",
        "home_helper.said_by": "the address of who put the family on the list of helpers",
        "scorecard_mark.kind": "what the scorecard has to count again",
        "scorecard_mark.key": "an address, a number or an identifier of it",
        "address_spelling.spelling": "the sender's address as it stands on mail, with what they add behind a plus",
        "address_spelling.address": "the sender's address",
        "scorecard_state.settings": "a checksum of settings",
        "scorecard_state.rests_on": "terms, mailboxes with their teams, and a checksum of the calendar",
        "team_record.mailbox": "the teacher's address",
        "team_record.team": "the teacher's team",
        "scorecard_family.family": "a random identifier of a family",
        "scorecard_family.term": "the identifier of a term",
        "scorecard_family.standings": "names or identifiers of groups, with days",
        "scorecard_case.term": "the identifier of a term",
        "scorecard_case.groups": "names or identifiers of groups",
        "scorecard_incident.term": "the identifier of a term",
        "scorecard_incident.student": "the identifier of a student",
        "scorecard_incident.groups": "names or identifiers of groups",
        "scorecard_tally.term": "the identifier of a term",
        "scorecard_tally.grouping": "by what it is grouped",
        "scorecard_tally.key": "the name or identifier of the group",
        "scorecard_tally.numbers": "counts",
        "scorecard_withholding.term": "the identifier of a term",
        "scorecard_withholding.rests_on": "a checksum of a setting and of teams",
        "scorecard_withholding.withheld": "names or identifiers of groups",
        "scorecard_told.term": "the identifier of a term",
        "scorecard_told.grouping": "by what it is grouped",
        "scorecard_told.key": "the name or identifier of the group",
        "scorecard_told.measure": "what was counted",
        "scorecard_week.mailbox": "the teacher's address",
        "scorecard_week.numbers": "counts",
    }
)
"""What every column that could hold text does hold. A column that is not listed here fails the check."""

_SHORTEST = 24
"""Characters below which a line proves nothing: a greeting or a name stands in addresses too."""
_ROWS = 2000


@dataclass(frozen=True, slots=True)
class Column:
    """A column that could hold text. `holds` is None where nobody has vouched for it."""

    name: str
    holds: str | None


@dataclass(frozen=True, slots=True)
class Search:
    """What was looked for, and in which of the searched places it was found."""

    sentences: int
    bytes_searched: int
    found_in: tuple[str, ...]


def text_columns(connection: Connection) -> tuple[Column, ...]:
    """Every column of the database that could hold text, as the database itself declares them."""
    inspector = inspect(connection)
    return tuple(
        Column(name, KEPT.get(name))
        for table in inspector.get_table_names()
        for column in inspector.get_columns(table)
        if isinstance(column["type"], (String, LargeBinary, types.JSON, types.NullType))
        for name in (f"{table}.{column['name']}",)
    )


def subjects_kept(connection: Connection) -> int:
    """How many recorded messages have their subject in the database."""
    table = _reflected(connection).tables["message"]
    return connection.execute(select(func.count()).where(table.c.subject.is_not(None))).scalar_one()


def sentences(message: Message, *, subject: bool) -> tuple[str, ...]:
    """The lines of a message that would give it away: long enough to stand in no address or identifier.

    With `subject`, the subject is one of them.
    """
    lines = [line.strip() for line in message.text.splitlines()]
    if subject:
        lines.append(message.subject.strip())
    telling = [line for line in lines if len(line) >= _SHORTEST and len(re.findall(r"\w+", line)) >= 4]
    return tuple(dict.fromkeys(telling))


def search(database: Database, wanted: Sequence[str]) -> Search:
    """Looks for every sentence in the whole database: on SQLite in the bytes of its files, so also in what was deleted
    and not yet overwritten; elsewhere in every column that could hold text."""
    needles = _spellings(wanted)
    searched, found = 0, set[str]()
    for place, text in _places(database):
        searched += len(text)
        found |= {place for needle in needles if text.find(needle) >= 0}
    return Search(len(wanted), searched, tuple(sorted(found)))


def _spellings(wanted: Iterable[str]) -> tuple[bytes, ...]:
    """Each sentence as it would stand in a text column and as JSON would escape it."""
    spelt = (spelling for text in wanted for spelling in (text, json.dumps(text)[1:-1]))
    return tuple(dict.fromkeys(spelling.encode("utf-8", "surrogatepass") for spelling in spelt))


def _places(database: Database) -> Iterator[tuple[str, bytes | mmap.mmap]]:
    if database.file is not None:
        for path in (database.file, Path(f"{database.file}-wal")):
            if path.exists() and path.stat().st_size:
                with path.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as pages:
                    yield path.name, pages
        return
    with database.read() as connection:
        tables = _reflected(connection).tables
        for column in text_columns(connection):
            table, _, name = column.name.partition(".")
            values = connection.execute(select(tables[table].c[name]).execution_options(yield_per=_ROWS)).scalars()
            for chunk in values.partitions():
                yield column.name, b"\n".join(str(value).encode("utf-8", "surrogatepass") for value in chunk)


def _reflected(connection: Connection) -> MetaData:
    metadata = MetaData()
    metadata.reflect(connection)
    return metadata
