"""The first page, and how to reach a teacher."""

import io
import tempfile
from datetime import datetime
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response

from autoresponder.reach_me import reach_me
from autoresponder.sentences import norm_hours
from autoresponder.wording import LANGUAGES, Wording
from config.settings import MailboxSettings, Role, Stage
from service.docx import write_docx
from service.web.rendering import own_name, page, words_for
from service.web.site import Site, site_of
from service.web.visits import SignedIn, Visit

router = APIRouter()

_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@router.get("/")
def home(request: Request, visit: SignedIn) -> Response:
    """Greets whoever has signed in, and says how things stand for them."""
    site, words = site_of(request), words_for(request)
    now = site.clock().astimezone(site.settings.school.zone)
    return page(
        request,
        "home.html.j2",
        visit=visit,
        greeting=_greeting(words, now).format(name=visit.person.name),
        today=_today(words, now, site),
        mailbox_says=_mailbox_says(words, visit),
        is_office=Role.OFFICE in visit.person.roles,
        leads=Role.LEADER in visit.person.roles,
        office=site.settings.office,
        opens=words.clock(site.settings.office.opens or site.settings.school.opens),
        closes=words.clock(site.settings.office.closes or site.settings.school.closes),
        norm=norm_hours(site.settings),
        browsers=site.access.sessions_of(visit.person.address, now=site.clock(), idle=site.idle),
    )


@router.get("/how-to-reach-me")
def how_to_reach_me(request: Request, visit: SignedIn, teacher: str = "", language: str = "") -> Response:
    """The paragraph for syllabus and class update, in any language that families are written to in."""
    site = site_of(request)
    boxes = _teachers(site)
    box = _box(boxes, visit, teacher)
    chosen = language if language in LANGUAGES else words_for(request).language
    return page(
        request,
        "reach_me.html.j2",
        visit=visit,
        note=reach_me(chosen, box, site.settings),
        box=box,
        boxes=boxes,
        chosen=chosen,
        languages=[(code, own_name(code)) for code in LANGUAGES],
    )


@router.get("/how-to-reach-me/word")
def in_word(request: Request, visit: SignedIn, teacher: str = "", language: str = "") -> Response:
    """The same as a Word document."""
    site = site_of(request)
    if language not in LANGUAGES:
        raise HTTPException(404)
    box = _box(_teachers(site), visit, teacher)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "reach-me.docx"
        write_docx(reach_me(language, box, site.settings), path)
        content = io.BytesIO(path.read_bytes())
    saved_as = f'attachment; filename="how-to-reach-me-{language}.docx"'
    return Response(content.getvalue(), media_type=_WORD, headers={"Content-Disposition": saved_as})


def _teachers(site: Site) -> list[MailboxSettings]:
    """The teachers' own mailboxes: families are not told to write to the service's, or to the office's."""
    return [person.mailbox for person in site.people if person.mailbox is not None]


def _box(boxes: list[MailboxSettings], visit: Visit, teacher: str) -> MailboxSettings:
    """The mailbox asked for; somebody's own, or the first, where none was. Raises HTTPException 404."""
    if not teacher and visit.person.mailbox is not None:
        return visit.person.mailbox
    found = next((box for box in boxes if teacher.lower() in ("", box.address)), None)
    if found is None:
        raise HTTPException(404)
    return found


def _greeting(words: Wording, now: datetime) -> str:
    _ = words.gettext
    if now.hour < 12:
        return _("Good morning, {name}")
    return _("Good afternoon, {name}") if now.hour < 18 else _("Good evening, {name}")


def _today(words: Wording, now: datetime, site: Site) -> str:
    _ = words.gettext
    if site.calendar.is_school_day(now.date()):
        return _("Today is {day}.").format(day=words.day(now.date()))
    following = site.calendar.next_opening(now)
    return _("Today is {day}, a day without school. The next school day is {next}.").format(
        day=words.day(now.date()), next=words.day(following.date())
    )


def _mailbox_says(words: Wording, visit: Visit) -> str:
    """What the service does in the person's own mailbox; empty where they have none."""
    _ = words.gettext
    if visit.person.mailbox is None:
        return ""
    match visit.person.mailbox.stage:
        case Stage.OBSERVE:
            return _(
                "Your mail is read and sorted for trial. Nothing is written into your mailbox, and nobody gets mail."
            )
        case Stage.TAG:
            return _("Family mail gets its label in your mailbox, and what is urgent is handed to the office.")
        case Stage.REPLY:
            return _(
                "Family mail gets its label in your mailbox, what is urgent is handed to the office, and each family "
                "is told once when to expect your answer."
            )
