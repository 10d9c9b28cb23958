"""Safeguards that can be taken out of the service, one at a time: a harness that then notices nothing is worthless.

Each is undone by nothing: it is for a process of its own (`python -m tests.faults --sabotage NAME`).
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import update
from sqlmodel import col

from connectors.imap_drafts import Drafts
from service import delivery
from service.delivery import Deliverer
from store import outbox
from store.outbox import Due, Outbox
from store.pages import Page, Pages
from store.tables import Delivery, DeliveryState, MailboxState


def cursor_not_compared() -> None:
    """Whoever read a page records it, also where another worker was there first."""

    def advance(connection: Any, page: Page) -> None:
        state = update(MailboxState).where(col(MailboxState.address) == page.mailbox)
        connection.execute(state.values(cursor=page.cursor_after))

    Pages._advance = staticmethod(advance)  # type: ignore[method-assign]


def cursor_before_page() -> None:
    """How far a mailbox was read is committed before what was read."""
    commit = Pages.commit

    def in_two(self: Pages, page: Page) -> None:
        with self.database.write() as connection:
            self._advance(connection, page)
        commit(self, replace(page, cursor_before=page.cursor_after))

    Pages.commit = in_two  # type: ignore[method-assign]


def lease_not_asked() -> None:
    """Whoever was offered a delivery takes it, also where another worker has it in hand."""

    def claim(self: Outbox, due: Due, now: datetime, **_: object) -> Due | None:
        with self._database.write() as connection:
            ours = update(Delivery).where(
                col(Delivery.id) == due.id, col(Delivery.state).in_((DeliveryState.WAITING, DeliveryState.WORKING))
            )
            taken = connection.execute(
                ours.values(
                    state=DeliveryState.WORKING, attempts=col(Delivery.attempts) + 1, lease_until=now + self._lease
                )
            )
            if taken.rowcount != 1:
                return None
            return outbox._all(connection, outbox._this(), {"this": due.id})[0]

    def write(self: Outbox, connection: Any, due: Due, **values: Any) -> None:
        connection.execute(update(Delivery).where(col(Delivery.id) == due.id).values(values))

    Outbox.claim, Outbox._write = claim, write  # type: ignore[method-assign]


def sent_not_looked_at() -> None:
    """Nobody asks whether a mail lies in Sent before sending it."""
    Drafts._in_sent = lambda *_: False  # type: ignore[method-assign]


def replies_sent_again() -> None:
    """A reply of which nobody knows whether it is out is sent again, as a route is."""
    delivery._AT_MOST_ONCE = frozenset()  # type: ignore[misc]


def done_before_sent() -> None:
    """A mail is recorded as sent when it is about to be."""
    sending = Outbox.sending

    def too_early(self: Outbox, due: Due) -> None:
        sending(self, due)
        self.finish(due, DeliveryState.DONE, due.message.recorded_at)

    finish = Outbox.finish

    def once(self: Outbox, due: Due, state: DeliveryState, *rest: Any, **named: Any) -> None:
        if due.delivery.state is not DeliveryState.DONE:
            finish(self, due, state, *rest, **named)
        due.delivery.state = state

    Outbox.sending, Outbox.finish = too_early, once  # type: ignore[method-assign]


def nothing_tried_again() -> None:
    """What failed once is given up."""

    def given_up(self: Deliverer, _mailbox: Any, due: Due, error: Exception) -> None:
        self._outbox.finish(due, DeliveryState.SET_ASIDE, self._clock(), type(error).__name__)

    Deliverer._failed = given_up  # type: ignore[method-assign]


SABOTAGE: Mapping[str, Callable[[], None]] = {
    each.__name__.replace("_", "-"): each
    for each in (
        cursor_not_compared,
        cursor_before_page,
        lease_not_asked,
        sent_not_looked_at,
        replies_sent_again,
        done_before_sent,
        nothing_tried_again,
    )
}
