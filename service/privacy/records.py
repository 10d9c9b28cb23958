"""Reads the records of one family, kind by kind, and nobody else's."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select
from sqlmodel import SQLModel, col

from connectors.mailbox import Direction
from scorecard.household import Household
from service.privacy.copies import Row, Section
from store.case_tables import CaseEvent, CaseMail, ConflictCase
from store.chunks import chunks
from store.contact_tables import Contact, Incident, Judgement, LetterRecipient
from store.glow_tables import GlowDraft, HomeHelper
from store.roster_tables import (
    RosterAddress,
    RosterCare,
    RosterClass,
    RosterFamily,
    RosterGrade,
    RosterMatch,
    RosterMembership,
    RosterPerson,
)
from store.scorecard_tables import FamilyStanding
from store.tables import Correction, Delivery, Item, ItemEvent, ItemMail, MessageRecord
from store.web_tables import AuditEntry


@dataclass(frozen=True, slots=True)
class RecordReader:
    """Of one household."""

    connection: Connection
    household: Household
    zone: ZoneInfo

    def letters(self) -> list[tuple[str, str]]:
        """What they wrote and what they were written, by mailbox and identifier."""
        of = MessageRecord
        rows = self._rows(MessageRecord, of.id, self._received() | self._sent())
        return sorted((row.mailbox, row.provider_id) for row in rows if row.removed_at is None)

    def sections(self) -> Iterable[Section]:
        """All of them, also the empty ones."""
        people, students = self.household.people, self.household.students
        received, sent = self._received(), self._sent()
        items, cases = self._wholes(ItemMail, "item_id", received), self._wholes(CaseMail, "case_id", received)
        yield self._section(
            "People",
            "As the school's student system names them.",
            RosterPerson,
            RosterPerson.id,
            people,
            "id kinds given_name family_name schools language since until",
        )
        yield self._section("Addresses", "", RosterAddress, RosterAddress.person, people, "address person since until")
        yield self._section(
            "Addresses that the school matched by hand",
            "",
            RosterMatch,
            RosterMatch.person,
            people,
            "address person matched_at unmatched_at",
        )
        yield Section(
            "Who looks after whom",
            "",
            [
                row
                for row in self._told(
                    self._rows(RosterCare, RosterCare.student, students), "student guardian since until"
                )
                if row["guardian"] in people
            ],
        )
        yield self._section(
            "Grades", "", RosterGrade, RosterGrade.student, students, "student grade schools since until"
        )
        yield self._section("Family", "", RosterFamily, RosterFamily.student, students, "student family since until")
        yield self._classes(people)
        yield self._section(
            "Letters from the family",
            "The text is in the teacher's mailbox. The label was given by a program on the school's own machine; "
            "'urgent' and 'conflict' are its probabilities, between 0 and 1.",
            MessageRecord, MessageRecord.id, received,
            "mailbox sender subject received_at tag urgent conflict unsure language labels guard rfc_message_id "
            "removed_at",
        )  # fmt: skip
        yield self._section(
            "What was done about them",
            "",
            Delivery,
            Delivery.message_id,
            received,
            "mailbox kind state created_at finished_at recipient",
        )
        yield self._section(
            "Labels that a person changed", "", Correction, Correction.message_id, received, "from_tag to_tag at"
        )
        yield self._section(
            "Letters to the family",
            "Whom else a letter went to is left out.",
            MessageRecord,
            MessageRecord.id,
            sent,
            "mailbox received_at subject rfc_message_id",
        )
        yield self._section(
            "Which of these are good news", "", Judgement, Judgement.message_id, sent, "positive score at"
        )
        yield self._section(
            "Matters at the office", "", Item, Item.id, items, "id topic tag state opened_at changed_at"
        )
        yield self._section("What happened to them", "", ItemEvent, ItemEvent.item_id, items, "item_id kind desk at")
        yield self._section(
            "Hard conversations",
            "",
            ConflictCase,
            ConflictCase.id,
            cases,
            "id mailbox state hostile opened_at first_answer_at last_answer_at agreed_at",
        )
        yield self._section("What happened in them", "", CaseEvent, CaseEvent.case_id, cases, "case_id kind at")
        yield self._section(
            "Calls, notes and meetings",
            "",
            Contact,
            Contact.student,
            students,
            "student mailbox on_day kind tone reached source withdrawn_at",
        )
        yield self._section(
            "Incidents",
            "From the school's own list.",
            Incident,
            Incident.student,
            students,
            "student on_day kind baseline_day withdrawn_at",
        )
        yield self._section(
            "Drafts of good news", "", GlowDraft, GlowDraft.family, self.household.families, "mailbox term day state"
        )
        yield self._section(
            "Families that help a class",
            "",
            HomeHelper,
            HomeHelper.family,
            self.household.families,
            "mailbox since withdrawn_at",
        )
        yield self._section(
            "Figures that the family is counted in",
            "The groups, and the days of the first contacts. The school sees sums of groups that are large enough.",
            FamilyStanding, FamilyStanding.family, self.household.families, "term standings",
        )  # fmt: skip
        yield self._looked_at(received, items, cases)

    def _section(
        self, title: str, explanation: str, table: type[SQLModel], column: Any, wanted: Collection[Any], shown: str
    ) -> Section:
        return Section(title, explanation, self._told(self._rows(table, column, wanted), shown))

    def _rows(self, table: type[SQLModel], column: Any, wanted: Collection[Any]) -> list[Any]:
        columns = table.__table__.columns  # type: ignore[attr-defined]
        found: list[Any] = []
        for some in chunks(sorted(wanted)):
            found += self.connection.execute(select(*columns).where(col(column).in_(some))).all()
        return found

    def _told(self, rows: Iterable[Any], shown: str) -> list[Row]:
        return [
            {name.replace("_", " "): text for name in shown.split() if (text := self._text(getattr(row, name)))}
            for row in rows
        ]

    def _text(self, value: Any) -> str:
        if value is None or value == "":
            return ""
        if isinstance(value, datetime):
            return f"{value.astimezone(self.zone):%Y-%m-%d %H:%M}"
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, float):
            return f"{value:.2f}"
        if isinstance(value, Enum):
            return str(value.value)
        return value.isoformat() if isinstance(value, date) else str(value)

    def _received(self) -> set[int]:
        of = MessageRecord
        found: set[int] = set()
        for some in chunks(sorted(self.household.spelled)):
            query = select(col(of.id), col(of.sender)).where(col(of.direction) == Direction.RECEIVED)
            rows = _rows_of(self.connection, query, some)
            found |= {row.id for row in rows}
        return found

    def _sent(self) -> set[int]:
        of = LetterRecipient
        found: set[int] = set()
        for some in chunks(sorted(self.household.addresses)):
            found |= set(self.connection.execute(select(col(of.message_id)).where(col(of.address).in_(some))).scalars())
        return found

    def _wholes(self, link: Any, whole: str, messages: Collection[int]) -> set[int]:
        column, found = getattr(link, whole), set[int]()
        for some in chunks(sorted(messages)):
            found |= set(self.connection.execute(select(col(column)).where(col(link.message_id).in_(some))).scalars())
        return found

    def _classes(self, people: Collection[str]) -> Section:
        places = self._rows(RosterMembership, RosterMembership.person, people)
        titles = {
            row.id: row.title for row in self._rows(RosterClass, RosterClass.id, {p.school_class for p in places})
        }
        rows = [
            {"class": titles.get(place.school_class, place.school_class), **told}
            for place, told in zip(places, self._told(places, "person begins ends since until"), strict=True)
        ]
        return Section("Classes", "", rows)

    def _looked_at(self, messages: Collection[int], items: Collection[int], cases: Collection[int]) -> Section:
        """What the staff did in the pages with the family's records; not who of them it was."""
        wanted = {"message": messages, "item": items, "case": cases}
        of = AuditEntry
        rows = []
        for row in self.connection.execute(select(col(of.at), col(of.act), col(of.about)).order_by(col(of.number))):
            named = re.findall(r"\b(message|item|case) (\d+)\b", row.about)
            if any(int(number) in wanted[kind] for kind, number in named):
                rows.append({"at": self._text(row.at), "act": row.act})
        return Section("Who looked", "What the staff opened or decided about these records in the web pages.", rows)


def _rows_of(connection: Connection, query: Any, spelled: Collection[str]) -> list[Any]:
    """The rows of messages whose sender is one of `spelled`, whatever the case of its letters."""
    return list(connection.execute(query.where(func.lower(col(MessageRecord.sender)).in_(spelled))).all())
