"""The web pages, and the staff in front of them: a script that fills in the forms as they are shown."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

from autoresponder.items import UNFINISHED, ItemState, Word
from service.assembly import Assembly
from service.sample.envelopes import DOMAIN
from service.sample.history.people import Room
from service.web.app import create_app
from service.web.cookies import SESSION
from service.web.site import Site
from store.access import new_secret
from tests.service.web.school_pages import URL, Browser
from tests.soak.year import LEADER, LEE, ZONE


class Pages:
    """The web pages, and browsers in front of them."""

    def __init__(self, assembly: Assembly, clock: Callable[[], datetime]) -> None:
        self.clock = clock
        self.app = create_app(
            assembly.settings, assembly.database, open_box=assembly.open, clock=clock, explain=assembly.explain
        )

    @property
    def site(self) -> Site:
        """The pages' own state."""
        site: Site = self.app.state.site
        return site

    def signed_in(self, address: str) -> Browser:
        """Somebody's browser, in by a link."""
        link, session, now = new_secret(), new_secret(), self.clock()
        access = self.site.access
        access.ask(link, address, destination="/", attempts=(), now=now, valid=timedelta(minutes=5))
        assert access.redeem(link, session, now=now, lasting=timedelta(hours=12)) is not None
        browser = Browser(self, "198.51.100.7", {})  # type: ignore[arg-type]
        browser.http.cookies.set(SESSION, session, domain=URL.removeprefix("https://"), path="/")
        return browser

    def close(self) -> None:
        """Ends the sending of links."""
        self.site.post.close()


class AtThePages:
    """Who works at the pages. `failures` takes what a page did not do; `did` counts."""

    def __init__(self, pages: Pages, assembly: Assembly, did: Counter[str], failures: list[str]) -> None:
        self._pages, self._assembly, self.did, self._failures = pages, assembly, did, failures

    def office(self, word: Word, most: int = 3) -> None:
        """Somebody at the office takes what is open, or closes what is taken."""
        wanted = ItemState.OPEN if word is Word.TAKEN else ItemState.CLAIMED
        views = [view for view in self._assembly.items().listing(UNFINISHED) if view.item.state is wanted]
        if not views:
            return
        browser = self._pages.signed_in(LEE)
        for view in views[:most]:
            page = f"/items/{view.item.reference}"
            answer = browser.send(page, page, word=word.value)
            self._expect(answer.status_code, 303, f"{page} {word}")
            self.did["office says, on the page"] += 1
        browser.http.close()

    def teacher(self, room: Room, random: Random) -> None:
        """The teacher of a class notes a call, and asks for a draft of good news."""
        browser = self._pages.signed_in(f"{room.teacher.mailbox}@{DOMAIN}")
        child, today = random.choice(room.children), self._pages.clock().astimezone(ZONE).date()
        noted = browser.send(
            "/contacts", "/contacts", student=child.id, kind="call", tone="good news", day=today.isoformat()
        )
        self._expect(noted.status_code, 303, "/contacts")
        self.did["contact noted on the page"] += 1
        page = browser.get("/glow")
        self._expect(page.status_code, 200, "/glow")
        if 'action="/glow/draft"' in page.text:
            asked = browser.send("/glow", "/glow/draft")
            self.did[f"glow draft asked for: {asked.status_code}"] += 1
        for path in ("/", "/cases"):
            self._expect(browser.get(path).status_code, 200, path)
        browser.http.close()

    def leader(self) -> None:
        """The principal looks at the scorecard."""
        browser = self._pages.signed_in(LEADER)
        self._expect(browser.get("/scorecard").status_code, 200, "/scorecard")
        browser.http.close()
        self.did["scorecard looked at"] += 1

    def _expect(self, status: int, wanted: int, what: str) -> None:
        if status != wanted:
            self._failures.append(f"the page {what} answered {status}")
