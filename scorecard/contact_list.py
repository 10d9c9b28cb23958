"""Reads a school's list of contacts with families that are not mail (CSV, RFC 4180): docs/howto/contacts.md names the
columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from autoresponder.contacts import ContactKind, ContactTone
from config.settings import EmailAddress
from scorecard.csv_package import CsvPackage
from scorecard.list_cells import Cells, Once, Pupils, Refused
from scorecard.school_lists import Rejected, leave_out

KINDS = {
    "call": ContactKind.CALL,
    "phone": ContactKind.CALL,
    "phone call": ContactKind.CALL,
    "text": ContactKind.TEXT,
    "text message": ContactKind.TEXT,
    "note": ContactKind.NOTE,
    "meeting": ContactKind.MEETING,
}
TONES = {
    "good news": ContactTone.GOOD_NEWS,
    "positive": ContactTone.GOOD_NEWS,
    "neutral": ContactTone.NEUTRAL,
    "concern": ContactTone.CONCERN,
}
YES_OR_NO = {"yes": True, "no": False, "true": True, "false": False, "1": True, "0": False}
_ADDRESS: TypeAdapter[str] = TypeAdapter(EmailAddress)


@dataclass(frozen=True, slots=True)
class ListedContact:
    """One row; the columns of `store.contact_tables.Contact` say what each means."""

    reference: str
    mailbox: str
    student: str
    on_day: date
    kind: ContactKind
    tone: ContactTone
    reached: bool
    withdrawn: bool


@dataclass(frozen=True, slots=True)
class ContactList:
    """A whole list: its rows, each once, and those that were left out."""

    rows: Sequence[ListedContact]
    rejected: Sequence[Rejected]


def read_contacts(
    path: Path, pupils: Pupils, *, teacher: str, is_staff: Callable[[str], bool], today: date
) -> ContactList:
    """The contacts in a file. `teacher` is whose they are where a row names nobody, empty for none; `is_staff` says of
    an address whether it is somebody's at the school. Raises `ConfigError` where the file as a whole cannot be used."""
    rows: list[ListedContact] = []
    rejected: list[Rejected] = []
    once = Once()
    with CsvPackage(path, single=True) as package:
        for row in package.rows(package.names[0], "date", "kind"):
            cells = Cells(row, path.name)
            try:
                contact = _contact(cells, pupils, teacher, is_staff, today)
                by = "id" if row.cells.get("id") else "teacher, student, date and kind; give ids if they are two"
                if once.is_new(contact.reference, row.line, contact, by=by):
                    rows.append(contact)
            except Refused as refusal:
                leave_out(rejected, cells.refused(refusal))
    return ContactList(rows, rejected)


def _contact(cells: Cells, pupils: Pupils, teacher: str, is_staff: Callable[[str], bool], today: date) -> ListedContact:
    on_day = cells.day("date", today, required=True)
    if on_day is None:  # pragma: no cover - it is required
        raise Refused("date", "is missing")
    student, mailbox = cells.student(pupils), _mailbox(cells, teacher, is_staff)
    kind = cells.word("kind", KINDS)
    id_ = cells.safe("id")
    return ListedContact(
        reference=f"file:id:{id_}" if id_ else f"file:{mailbox}|{student}|{on_day.isoformat()}|{kind}",
        mailbox=mailbox,
        student=student,
        on_day=on_day,
        kind=kind,
        tone=cells.word("tone", TONES, ContactTone.NEUTRAL),
        reached=cells.word("reached", YES_OR_NO, False),
        withdrawn=cells.withdrawn(),
    )


def _mailbox(cells: Cells, teacher: str, is_staff: Callable[[str], bool]) -> str:
    said = cells.text("teacher") or teacher
    if not said:
        raise Refused("teacher", "is missing; write the address, or say --teacher for the whole file")
    try:
        address = _ADDRESS.validate_python(said)
    except ValidationError as error:
        raise Refused("teacher", "is no e-mail address") from error
    if not is_staff(address):
        raise Refused("teacher", "is no address of the school's own")
    return address
