"""The page of hard conversations: a teacher's own cases, and which teachers may be glad of a hand."""

from dataclasses import dataclass
from datetime import timedelta

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from autoresponder.cases import CaseState, CaseWord
from connectors.message import Message
from service.web.case_rows import CaseReader, CaseRow, stands_by
from service.web.forms import PostedForm
from service.web.items import OPENINGS
from service.web.reading import Trouble, printable
from service.web.rendering import page, words_for
from service.web.site import site_of
from service.web.visits import SignedIn, Visit
from store.access import Attempt
from store.cases import CaseChanged, Cases, CaseView
from store.tables import MessageRecord

router = APIRouter()

CLOSED_SHOWN = timedelta(days=30)
_CLOSED = (CaseState.AGREED, CaseState.NO_CONFLICT)
_ACTS = {
    CaseWord.AGREED: "said that a plan is agreed",
    CaseWord.REOPENED: "opened a case again",
    CaseWord.NO_CONFLICT: "said that a case is no conflict",
    CaseWord.NOT_YET: "said that no plan is agreed yet",
}
_STATUS = {Trouble.GONE: 410, Trouble.AWAY: 503, Trouble.BUSY: 503, Trouble.UNREADABLE: 502}


@router.get("/cases")
def listing(request: Request, visit: SignedIn) -> Response:
    """A teacher's open cases, oldest first, and those closed lately; for whoever stands by teachers, which of them may
    be glad of a hand: without any family. Raises HTTPException 403 for somebody who is neither."""
    site, reader = site_of(request), _reader(request)
    mailbox, helper = visit.person.mailbox, stands_by(visit.person, site.settings)
    if mailbox is None and not helper:
        raise HTTPException(403)
    store = Cases(site.database)
    own = [] if mailbox is None else store.open(mailbox.address)
    closed = []
    if mailbox is not None:
        closed = store.listing(_CLOSED, mailbox=mailbox.address, changed_since=reader.now - CLOSED_SHOWN)
    everybody = store.listing((CaseState.OPEN,)) if helper else []
    return page(
        request,
        "cases.html.j2",
        visit=visit,
        reader=reader,
        own=[_row(request, reader, view) for view in own] if mailbox is not None else None,
        closed=[_row(request, reader, view) for view in reversed(closed)],
        others=_others(request, reader, everybody) if helper else None,
        coach=site.settings.coach,
        settings=site.settings,
    )


@router.get("/cases/{number}")
def case(request: Request, visit: SignedIn, number: int) -> Response:
    """One case. Opening it changes nothing, so its address can stand in mails."""
    return _case(request, visit, _own(request, visit, number))


@router.get("/cases/{number}/messages/{message}")
def opened(request: Request, visit: SignedIn, number: int, message: int) -> Response:
    """The same with the text of one message, fetched now. That it was shown is on record before it is."""
    site, now = site_of(request), site_of(request).clock()
    view = _own(request, visit, number)
    record = next((each for each in view.messages if each.id == message), None)
    if record is None:
        raise HTTPException(404)
    site.access.try_once((Attempt(OPENINGS, visit.person.address),), now)
    found = site.texts.fetch(record)
    if isinstance(found, Trouble):
        return _case(request, visit, view, reading=Reading(record, trouble=found), status=_STATUS[found])
    Cases(site.database).opened(view, record, visit.person.address, now)
    return _case(request, visit, view, reading=Reading(record, found))


@router.post("/cases/{number}")
def say(request: Request, form: PostedForm, visit: SignedIn, number: int) -> Response:
    """The teacher's word about a case. Raises HTTPException 400 for a word that there is not; 409 is the answer where
    something changed since the page was shown."""
    site = site_of(request)
    view = _own(request, visit, number)
    try:
        word = CaseWord(form.text("word"))
    except ValueError as error:
        raise HTTPException(400) from error
    try:
        Cases(site.database).say(
            view.id, word, visit.person.address, site.clock(), act=_ACTS[word], shown=form.text("shown")
        )
    except CaseChanged:
        return _case(request, visit, _own(request, visit, number), changed=True, status=409)
    return RedirectResponse("/cases", 303)


@dataclass(frozen=True, slots=True)
class Reading:
    """What opening a message came to."""

    record: MessageRecord
    message: Message | None = None
    trouble: Trouble | None = None

    @property
    def newest(self) -> str:
        """What the family wrote this time."""
        return printable(self.message.newest).strip() if self.message else ""

    @property
    def subject(self) -> str:
        """Their subject."""
        return printable(self.message.subject) if self.message else ""


def _own(request: Request, visit: Visit, number: int) -> CaseView:
    """A case of this person's own mailbox. Raises HTTPException 404 for all others: nobody learns whether there is
    one."""
    view = Cases(site_of(request).database).numbered(number) if 0 < number < 1 << 31 else None
    mailbox = visit.person.mailbox
    if view is None or mailbox is None or view.case.mailbox != mailbox.address:
        raise HTTPException(404)
    return view


def _case(
    request: Request,
    visit: Visit,
    view: CaseView,
    *,
    reading: Reading | None = None,
    changed: bool = False,
    status: int = 200,
) -> Response:
    site, reader = site_of(request), _reader(request)
    return page(
        request,
        "case.html.j2",
        status=status,
        visit=visit,
        reader=reader,
        row=_row(request, reader, view),
        reading=reading,
        changed=changed,
        coach=site.settings.coach,
        settings=site.settings,
    )


def _row(request: Request, reader: CaseReader, view: CaseView) -> CaseRow:
    site = site_of(request)
    since = reader.now - timedelta(days=site.settings.cases.term_days)
    return reader.row(view, Cases(site.database).count(view.case.mailbox, view.case.family, since))


def _others(request: Request, reader: CaseReader, views: list[CaseView]) -> list[tuple[str, CaseRow]]:
    """The teacher, and the case that they may want a hand with."""
    names = {box.address: box.teacher for box in site_of(request).settings.mailboxes}
    rows = [(names[view.case.mailbox], _row(request, reader, view)) for view in views if view.case.mailbox in names]
    return [(name, row) for name, row in rows if reader.needs_a_hand(row)]


def _reader(request: Request) -> CaseReader:
    site = site_of(request)
    return CaseReader(words_for(request), site.settings, site.calendar, site.roster, site.clock())
