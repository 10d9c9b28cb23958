"""The page of contacts: a teacher notes in three clicks that they called or met a family, and takes back what was
wrong."""

from dataclasses import dataclass
from datetime import date, timedelta
from secrets import token_urlsafe

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from autoresponder.contacts import TALKS, ContactKind, ContactTone
from autoresponder.digest_contacts import said_of
from autoresponder.naming import Student
from config.settings import MailboxSettings
from service.web.forms import PostedForm
from service.web.rendering import page, words_for
from service.web.site import site_of
from service.web.visits import SignedIn, Visit
from store.contact_record import NewContact, over_at
from store.contact_tables import Contact, ContactSource
from store.contacts import Contacts
from store.own_students import has_students, own_students, students_named

router = APIRouter()

SHOWN = timedelta(days=120)
_MOST_SHOWN = 200
_OLDEST = timedelta(days=366)
_OFFERED = 250
"""Students of one list to choose from; with more of them, part of the name is asked for first."""
_LONGEST_ONCE = 64
LEFT_A_MESSAGE = "left a message"
"""What the form calls a call that reached nobody."""
NOTED, WITHDREW = "noted a contact", "withdrew a contact"


@dataclass(frozen=True, slots=True)
class ContactRow:
    """A contact as its teacher sees it."""

    number: int
    student: str
    on: str
    what: str
    source: ContactSource
    withdrawn: bool


@dataclass(frozen=True, slots=True)
class Filled:
    """The form as it was sent, to be shown again."""

    student: str = ""
    kind: str = ContactKind.CALL
    tone: str = ""
    answered: bool = False
    """Whether the family answered a text or a note."""
    day: str = ""
    once: str = ""


@router.get("/contacts")
def listing(request: Request, visit: SignedIn, name: str = "", noted: bool = False) -> Response:
    """The form, and the teacher's contacts of the last months. `name` is part of a student's, where there are too many
    to choose from. Raises HTTPException 403 for somebody who is no teacher."""
    today = _today(request)
    return _shown(request, visit, Filled(day=today.isoformat(), once=token_urlsafe(12)), name=name, noted=noted)


@router.post("/contacts")
def log(request: Request, form: PostedForm, visit: SignedIn) -> Response:
    """Notes a contact, once however often the form is sent. Raises HTTPException 400 for what no form of ours says, 404
    for a student who is not the teacher's; 422 is the answer where something is left out, or the day cannot be."""
    site, box = site_of(request), _box(visit)
    now = site.clock()
    filled = Filled(
        form.text("student"),
        form.text("kind"),
        form.text("tone"),
        form.text("answered") == "yes",
        form.text("day"),
        form.text("once", _LONGEST_ONCE),
    )
    day, today = _day(filled.day), _today(request)
    if not filled.student or not filled.tone or day is None or not today - _OLDEST <= day <= today:
        return _shown(request, visit, filled, name=form.text("name"), problem=True, status=422)
    if not filled.once:
        raise HTTPException(400)
    kind = ContactKind.CALL if filled.kind == LEFT_A_MESSAGE else filled.kind
    try:
        kind, tone = ContactKind(kind), ContactTone(filled.tone)
    except ValueError as error:
        raise HTTPException(400) from error
    with site.database.read() as connection:
        if filled.student not in {each.id for each in own_students(connection, box.address, today)}:
            raise HTTPException(404)
    new = NewContact(
        reference=f"page:{box.address}:{filled.once}",
        mailbox=box.address,
        student=filled.student,
        on_day=day,
        kind=kind,
        tone=tone,
        reached=filled.kind in TALKS or (filled.kind != LEFT_A_MESSAGE and filled.answered),
        source=ContactSource.PAGE,
        over_at=over_at(day, now, site.settings.school.zone),
        logged_by=visit.person.address,
    )
    Contacts(site.database).log(new, now, act=NOTED)
    return RedirectResponse("/contacts?noted=1", 303)


@router.post("/contacts/{number}/withdraw")
def take_back(request: Request, form: PostedForm, visit: SignedIn, number: int) -> Response:
    """Takes a contact back. Raises HTTPException 404 for one of somebody else's: nobody learns whether there is one."""
    del form
    site, box = site_of(request), _box(visit)
    known = 0 < number < 1 << 31 and Contacts(site.database).withdraw(
        number, visit.person.address, site.clock(), mailbox=box.address, act=WITHDREW
    )
    if not known:
        raise HTTPException(404)
    return RedirectResponse("/contacts", 303)


def _shown(
    request: Request,
    visit: Visit,
    filled: Filled,
    *,
    name: str = "",
    noted: bool = False,
    problem: bool = False,
    status: int = 200,
) -> Response:
    site, box, today = site_of(request), _box(visit), _today(request)
    with site.database.read() as connection:
        there = has_students(connection)
        students = own_students(connection, box.address, today) if there else []
    rows = _rows(request, Contacts(site.database).listing(mailbox=box.address, since=today - SHOWN, most=_MOST_SHOWN))
    wanted = " ".join(name.split())[:60]
    many = len(students) > _OFFERED
    offered = [each for each in students if not many or _has(each, wanted)]
    return page(
        request,
        "contacts.html.j2",
        status=status,
        visit=visit,
        there=there,
        students=offered[:_OFFERED],
        more=len(offered) > _OFFERED,
        many=many,
        name=wanted,
        filled=filled,
        problem=problem,
        noted=noted,
        rows=rows,
        today=today.isoformat(),
        oldest=(today - _OLDEST).isoformat(),
        days=SHOWN.days,
    )


def _rows(request: Request, contacts: list[Contact]) -> list[ContactRow]:
    words, site = words_for(request), site_of(request)
    with site.database.read() as connection:
        students = students_named(connection, {each.student for each in contacts}, _today(request))
    names = {number: each.name for number, each in students.items()}
    return [
        ContactRow(
            number=each.id or 0,
            student=names.get(each.student, ""),
            on=words.day(each.on_day),
            what=said_of(each.kind, each.tone, words, reached=each.reached),
            source=each.source,
            withdrawn=each.withdrawn_at is not None,
        )
        for each in contacts
    ]


def _has(student: Student, wanted: str) -> bool:
    """Whether a part of the student's name begins so; nobody's does where nothing is wanted."""
    said = f" {student.name}".casefold()
    return bool(wanted) and f" {wanted.casefold()}" in said


def _box(visit: Visit) -> MailboxSettings:
    if visit.person.mailbox is None:
        raise HTTPException(403)
    return visit.person.mailbox


def _today(request: Request) -> date:
    site = site_of(request)
    return site.clock().astimezone(site.settings.school.zone).date()


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
