"""What stands in the navigation, for whom. Each part of the pages adds its line here."""

from collections.abc import Iterator

from autoresponder.wording import Wording
from config.settings import Role
from service.web.visits import MAY_LOOK, Visit


def entries(visit: Visit, words: Wording) -> Iterator[tuple[str, str]]:
    """Path and name of each page that somebody finds at the top, in order."""
    _ = words.gettext
    yield "/", _("Home")
    yield "/items", _("The office")
    if visit.person.mailbox is not None or Role.LEADER in visit.person.roles:
        yield "/cases", _("Hard conversations")
    if visit.person.mailbox is not None:
        yield "/contacts", _("Contacts")
    if visit.person.mailbox is not None or Role.LEADER in visit.person.roles:
        yield "/scorecard", _("Scorecard")
    if visit.person.mailbox is not None or Role.LEADER in visit.person.roles:
        yield "/glow", _("Good news")
    yield "/how-to-reach-me", _("How to reach me")
    if not visit.person.roles.isdisjoint(MAY_LOOK):
        yield "/audit", _("Who did what")
