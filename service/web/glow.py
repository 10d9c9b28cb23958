"""The page of good news: a teacher's families who wait for a good word, drafts for them, and who helps at home; for
leaders, counts only."""

from dataclasses import dataclass

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from config.settings import MailboxSettings, Role, Stage
from scorecard.readers import reader_of
from service.good_news import EXPORTED, GoodNews, GoodNewsView, Obstacle
from service.helper_list import helpers_csv
from service.web.forms import PostedForm
from service.web.rendering import page, words_for
from service.web.site import Site, site_of
from service.web.visits import SignedIn, Visit
from store import audit
from store.glow_drafts import Asked

router = APIRouter()

_ADD, _REMOVE = "helps", "helps no more"


@dataclass(frozen=True, slots=True)
class TeacherCount:
    """A teacher's counts, for whoever leads them."""

    name: str
    address: str
    waiting: int | None
    """Families without a good word; None where there are so few families that it is not said."""
    families: int | None


@router.get("/glow")
def glow(request: Request, visit: SignedIn, asked: bool = False) -> Response:
    """A teacher's own families; for a leader the counts of those whom they lead. Raises HTTPException 403 for somebody
    who is neither."""
    return _page(request, visit, asked=asked)


@router.post("/glow/draft")
def draft(request: Request, form: PostedForm, visit: SignedIn) -> Response:
    """Asks for a draft for a family. Raises HTTPException 404 for one that is not the teacher's; 409 is the answer
    where there is none, with the reason."""
    site, box = site_of(request), _own(visit)
    answer = _news(site).ask(box, form.text("family"), by=visit.person.address, now=site.clock())
    if answer is Obstacle.GONE:
        raise HTTPException(404)
    if answer is Asked.PLANNED:
        return RedirectResponse("/glow?asked=1", 303)
    return _page(request, visit, refused=answer, status=409)


@router.post("/glow/helper")
def helper(request: Request, form: PostedForm, visit: SignedIn) -> Response:
    """Puts a family on the list of those that help at home, or takes it off. Raises HTTPException 404 for one that is
    not the teacher's, 400 for what no form of ours says."""
    site, box, now = site_of(request), _own(visit), site_of(request).clock()
    news, family, word = _news(site), form.text("family"), form.text("word")
    view = news.view(box, now)
    if view is None or view.of(family) is None:
        raise HTTPException(404)
    if word == _ADD:
        news.helpers.add(box.address, family, by=visit.person.address, day=view.today, now=now)
    elif word == _REMOVE:
        news.helpers.remove(box.address, family, by=visit.person.address, now=now)
    else:
        raise HTTPException(400)
    return RedirectResponse("/glow", 303)


@router.get("/glow/helpers.csv")
def helpers(request: Request, visit: SignedIn, teacher: str = "") -> Response:
    """The list of helpers as a file: a teacher's own, or, for who leads them, that of `teacher`. That it was exported
    is on record before it is. Raises HTTPException 404 for all others."""
    site, now = site_of(request), site_of(request).clock()
    box = _box_to_export(site, visit, teacher)
    view = _news(site).view(box, now)
    content = helpers_csv(view.helpers if view is not None else ())
    with site.database.write() as connection:
        audit.append(connection, at=now, person=visit.person.address, act=EXPORTED, about=f"of {box.address}")
    saved_as = 'attachment; filename="helpers.csv"'
    # The mark at the beginning (U+FEFF) tells spreadsheets that it is UTF-8.
    return Response(f"\ufeff{content}", media_type="text/csv; charset=utf-8", headers={"Content-Disposition": saved_as})


def _page(
    request: Request,
    visit: Visit,
    *,
    asked: bool = False,
    refused: Asked | Obstacle | None = None,
    status: int = 200,
) -> Response:
    site, box = site_of(request), visit.person.mailbox
    leads = Role.LEADER in visit.person.roles
    if box is None and not leads:
        raise HTTPException(403)
    now = site.clock()
    view: GoodNewsView | None = None if box is None else _news(site).view(box, now)
    return page(
        request,
        "glow.html.j2",
        status=status,
        visit=visit,
        own=box is not None,
        view=view,
        writes=box is not None and box.stage is not Stage.OBSERVE,
        per_day=site.settings.glow.drafts_per_day,
        asked=asked,
        refused=refused,
        counts=_counts(site, visit) if leads else None,
        least=site.settings.scorecard.smallest_group,
        words_day=words_for(request).day,
    )


def _counts(site: Site, visit: Visit) -> list[TeacherCount]:
    """The counts of the teachers whom somebody leads, by name."""
    reader = reader_of(site.settings, visit.person.address)
    led = [box for box in site.settings.mailboxes if reader.may_see_teacher(box.address, box.team)]
    least = site.settings.scorecard.smallest_group
    names = {box.address: box.teacher for box in led}
    found = _news(site).counts(names, site.clock())
    rows = [
        TeacherCount(
            name=names[each.mailbox],
            address=each.mailbox,
            waiting=each.waiting if each.families >= least else None,
            families=each.families if each.families >= least else None,
        )
        for each in found
    ]
    return sorted(rows, key=lambda row: (row.name, row.address))


def _own(visit: Visit) -> MailboxSettings:
    """The teacher's own mailbox. Raises HTTPException 403 for somebody who has none."""
    if visit.person.mailbox is None:
        raise HTTPException(403)
    return visit.person.mailbox


def _box_to_export(site: Site, visit: Visit, teacher: str) -> MailboxSettings:
    wanted = teacher.strip().lower()
    if not wanted:
        return _own(visit)
    try:
        box = site.settings.mailbox(wanted)
    except KeyError as error:
        raise HTTPException(404) from error
    own = visit.person.mailbox is not None and visit.person.mailbox.address == box.address
    leads = Role.LEADER in visit.person.roles
    if not own and not (
        leads and reader_of(site.settings, visit.person.address).may_see_teacher(box.address, box.team)
    ):
        raise HTTPException(404)
    return box


def _news(site: Site) -> GoodNews:
    return GoodNews(site.settings, site.calendar, site.database)
