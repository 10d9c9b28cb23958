"""The sample school's front office: a person who takes what comes in, as she would on the page, and misses some.

What she does follows from the items on record and the school's clock, so an interrupted demo goes on as it began.
"""

from datetime import datetime, timedelta

from autoresponder.items import UNFINISHED, ItemState, Word
from config import SchoolCalendar
from connectors.labels import Tag
from store.items import Items, ItemView

LEE, PRINCIPAL = "lee@maple.example", "principal@maple.example"
_TAKES_AFTER, _SETTLES_AFTER = timedelta(minutes=9), timedelta(minutes=35)
_MISSES_EACH = 4
"""One in so many she does not see in time: the principal gets those."""


class FrontOffice:
    """Says "taken" and "done" when it is time."""

    def __init__(self, items: Items, calendar: SchoolCalendar) -> None:
        """`items` are the demo's, `calendar` the school's."""
        self._items = items
        self._calendar = calendar

    def next_at(self) -> datetime | None:
        """When somebody says something next, None where nobody will as things stand."""
        return min((at for view in self._unfinished() if (at := self._acts_at(view)) is not None), default=None)

    def act(self, now: datetime) -> None:
        """Says what is due."""
        for view in self._unfinished():
            at = self._acts_at(view)
            if at is not None and at <= now:
                who = LEE if view.item.steps == 0 else PRINCIPAL
                word = Word.TAKEN if view.item.state is ItemState.OPEN else Word.DONE
                self._items.say(view.id, word, view.item.holder or who, now)

    def _unfinished(self) -> list[ItemView]:
        return [view for view in self._items.listing(UNFINISHED) if view.item.tag is Tag.URGENT]

    def _acts_at(self, view: ItemView) -> datetime | None:
        item = view.item
        if item.state is ItemState.CLAIMED:
            return self._at_work(item.changed_at + _SETTLES_AFTER)
        if item.steps == 0 and view.id % _MISSES_EACH == 0:
            return None
        return self._at_work(item.stepped_at + _TAKES_AFTER)

    def _at_work(self, at: datetime) -> datetime:
        return at if self._calendar.office_is_open(at) else self._calendar.office_opens_at(at) + _TAKES_AFTER
