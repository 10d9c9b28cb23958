"""The office's page: the queue, each item, and the text of a message while somebody reads it."""

from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from autoresponder.items import ItemState, Refusal, Word
from classifier.verdict import Reason
from config.settings import Role
from connectors.message import Message
from service.web.forms import PostedForm
from service.web.queue import Part, Reader, Row, messages_for, numbers_of, part_of
from service.web.reading import Trouble, printable
from service.web.rendering import page, words_for
from service.web.site import site_of
from service.web.visits import SignedIn, Visit, watching
from store.access import Attempt, Limit
from store.queue import Queued
from store.tables import MessageRecord

router = APIRouter()

OPENINGS = Limit("messages opened by one person", 150, timedelta(minutes=10))
"""More than anybody reads, and far less than a mailbox holds."""
SETTLED_SHOWN = timedelta(hours=24)
_COUNTING = frozenset({Role.LEADER, Role.ADMINISTRATOR})
_LONGEST_REFERENCE = 64
_REASONS = 5
_STATUS = {Trouble.GONE: 410, Trouble.AWAY: 503, Trouble.BUSY: 503, Trouble.UNREADABLE: 502}


@router.get("/items")
def queue(request: Request, visit: SignedIn, live: str = "") -> Response:
    """The queue, oldest first: it renews itself unless `live` is "off", which the page remembers in its address."""
    return _queue(request, visit, "items.html.j2", live=live != "off")


@router.get("/items/live")
def renewed(request: Request) -> Response:
    """What the open page asks for every few seconds. That somebody looks is no use of the pages: after the usual time
    they are signed out, and the names go from the screen."""
    visit = watching(request)
    if visit is None:
        sign_in = f"/sign-in?next={quote('/items', safe='')}"
        return Response(status_code=401, headers={"HX-Redirect": sign_in})
    return _queue(request, visit, "queue.html.j2", live=True)


@router.get("/items/{reference}")
def item(request: Request, visit: SignedIn, reference: str) -> Response:
    """One item. Opening it changes nothing, so its address can stand in mails."""
    queued, part = _theirs(request, visit, reference)
    return _item(request, visit, queued, part)


@router.get("/items/{reference}/messages/{number}")
def opened(request: Request, visit: SignedIn, reference: str, number: int) -> Response:
    """The same with the text of one message, fetched now. That it was shown is on record before it is."""
    site, now = site_of(request), site_of(request).clock()
    queued, part = _theirs(request, visit, reference)
    record = next((each for each in messages_for(visit.person, part, queued) if each.id == number), None)
    if record is None:
        raise HTTPException(404)
    site.access.try_once((Attempt(OPENINGS, visit.person.address),), now)
    found = site.texts.fetch(record)
    if isinstance(found, Trouble):
        return _item(request, visit, queued, part, reading=_Reading(record, trouble=found), status=_STATUS[found])
    site.queue.opened(queued, record, visit.person.address, now)
    reasons = tuple(site.explain(found))[:_REASONS] if part is Part.OFFICE else ()
    return _item(request, visit, queued, part, reading=_Reading(record, found, reasons))


@router.post("/items/{reference}")
def say(request: Request, form: PostedForm, visit: SignedIn, reference: str) -> Response:
    """Takes an item, or closes it. Of two at once, one wins; the other is told who. Raises HTTPException: 403 for
    somebody who may only look, 400 for a word that there is not."""
    site, person = site_of(request), visit.person
    queued, part = _theirs(request, visit, reference)
    if part is not Part.OFFICE:
        raise HTTPException(403)
    try:
        word = Word(form.text("word"))
    except ValueError as error:
        raise HTTPException(400) from error
    said = site.queue.say(queued, word, person.address, site.clock(), shown=form.text("shown"))
    if said.outcome is not None and said.outcome.refusal is None:
        return RedirectResponse(f"/items/{queued.item.reference}", 303)
    queued, part = _theirs(request, visit, reference)  # as it is now
    return _item(request, visit, queued, part, problem=_refused(request, visit, queued, said.outcome), status=409)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What opening a message came to."""

    record: MessageRecord
    message: Message | None = None
    reasons: tuple[Reason, ...] = ()
    trouble: Trouble | None = None

    @property
    def name(self) -> str:
        """What the sender calls themselves."""
        return printable(self.message.sender.name) if self.message and self.message.sender else ""

    @property
    def newest(self) -> str:
        return printable(self.message.newest).strip() if self.message else ""

    @property
    def whole(self) -> str:
        """All of the text, where it holds more than what was written this time."""
        text = printable(self.message.text).strip() if self.message else ""
        return text if text != self.newest else ""

    @property
    def subject(self) -> str:
        return printable(self.message.subject) if self.message else ""


def _theirs(request: Request, visit: Visit, reference: str) -> tuple[Queued, Part]:
    """An item that this person may see, and what it is to them. Raises HTTPException 404 for all others: nobody learns
    whether there is one."""
    site = site_of(request)
    queued = site.queue.find(reference) if len(reference) <= _LONGEST_REFERENCE else None
    part = part_of(visit.person, queued, site.settings) if queued else None
    if queued is None or part is None:
        raise HTTPException(404)
    return queued, part


def _queue(request: Request, visit: Visit, template: str, *, live: bool) -> Response:
    site, reader = site_of(request), _reader(request, visit)
    items = site.queue.listing(reader.now - SETTLED_SHOWN)
    parts = [(each, part_of(visit.person, each, site.settings)) for each in items]
    rows = [reader.row(each, part) for each, part in parts if part is not None]
    waiting = [row for row in rows if row.state is ItemState.OPEN]
    taken = [row for row in rows if row.state is ItemState.CLAIMED]
    counting = not visit.person.roles.isdisjoint(_COUNTING)
    return page(
        request,
        template,
        visit=visit,
        reader=reader,
        live=live,
        fragment=template == "queue.html.j2",
        office=Role.OFFICE in visit.person.roles or any(row.part is Part.OFFICE for row in rows),
        waiting=waiting,
        taken=taken,
        summary=reader.summary(waiting, taken),
        settled=[row for row in reversed(rows) if row.is_settled],
        numbers=numbers_of(items, site.settings, site.calendar, reader.now) if counting else None,
    )


def _item(
    request: Request,
    visit: Visit,
    queued: Queued,
    part: Part,
    *,
    reading: _Reading | None = None,
    problem: str = "",
    status: int = 200,
) -> Response:
    reader = _reader(request, visit)
    row: Row = reader.row(queued, part)
    return page(
        request,
        "item.html.j2",
        status=status,
        visit=visit,
        reader=reader,
        row=row,
        messages=messages_for(visit.person, part, queued),
        events=[(each, said) for each in queued.events if (said := reader.event(each))],
        reading=reading,
        problem=problem,
    )


def _reader(request: Request, visit: Visit) -> Reader:
    site = site_of(request)
    return Reader(
        person=visit.person,
        words=words_for(request),
        settings=site.settings,
        calendar=site.calendar,
        roster=site.roster,
        people=site.people,
        now=site.clock(),
    )


def _refused(request: Request, visit: Visit, queued: Queued, outcome: object) -> str:
    """Why nothing was done, in a sentence; `queued` is the item as it is now."""
    reader, item = _reader(request, visit), queued.item
    _ = reader.words.gettext
    who, when = reader.name(item.holder) or _("Somebody"), reader.moment(item.changed_at)
    if outcome is None:
        changed = [said for each in queued.events if (said := reader.event(each))][-1:]
        nothing = _(
            "Something has changed since you opened this page, so nothing was done. Please look, and press again."
        )
        return " ".join((*changed, nothing))
    if getattr(outcome, "refusal", None) is Refusal.TAKEN:
        return _("{who} was faster, and has had it since {when}. You need not do anything.").format(who=who, when=when)
    return _("{who} has closed it already ({when}). There is nothing left to do.").format(who=who, when=when)
