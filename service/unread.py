"""Mail that the service could not read. It may say that a child is in danger as well as any other, so a person looks at
it at once: the teacher, whose mailbox it lies in, is asked to check it, and the office gets it as it came.

Kept from the office is only what a guard knows to be no family's own mail, as far as its header could be read.
"""

from dataclasses import replace
from datetime import datetime

import structlog

from autoresponder.desks import desk_for, recipients_of
from autoresponder.guards import Case
from autoresponder.identifiers import derived_message_id
from autoresponder.plan import History, RouteFacts
from autoresponder.planner import goes_to_office
from config import SchoolCalendar
from config.settings import MailboxSettings, Settings, Stage
from connectors.labels import Tag
from connectors.mailbox import Direction
from connectors.message import Message
from service.about import matter_of
from service.entries import planned_route
from service.logs import place
from store.pages import Background, Entry, route_key

log = structlog.get_logger()

_TOPIC = "other"


class Unread:
    """Hands what could not be read to the office."""

    def __init__(self, settings: Settings, calendar: SchoolCalendar, key: bytes) -> None:
        """`key` is the installation's secret."""
        self._settings = settings
        self._calendar = calendar
        self._key = key

    def handed_over(
        self,
        entry: Entry,
        box: MailboxSettings,
        background: Background,
        message: Message | None,
        history: History,
        *,
        family: str | None,
        now: datetime,
    ) -> Entry:
        """`entry`, with the route that brings its message to the office, where the stage allows routes and the message
        is new and not there already. `message` is what is known of it, None for nothing; `family` the sender's on the
        roster."""
        record = entry.record
        key = route_key(record.fingerprint)
        new = record.direction is Direction.RECEIVED and not record.backfill and not record.own
        if box.stage is Stage.OBSERVE or not new or key in background.keys:
            return entry
        if message is not None and not self._may_be_a_familys(message, box, history, now):
            return entry
        desk, closed = desk_for(_TOPIC, self._settings), not self._calendar.office_is_open(now)
        recipients = recipients_of(desk, self._settings, urgent=True, closed=closed)
        facts = RouteFacts(
            tag=Tag.URGENT,
            recipient=recipients[0],
            recipients=recipients,
            desk=desk,
            received_at=record.received_at,
            family_told=False,
            unsure=True,
            unread=True,
        )
        route = planned_route(record, facts, key, derived_message_id(record.fingerprint, "route", box.address))
        background.keys.add(key)
        matter = matter_of(
            record,
            Tag.URGENT,
            _TOPIC,
            unverified=True,  # nobody knows what it adds to: it is an item of its own
            family=family,
            key=self._key,
            settings=self._settings,
            calendar=self._calendar,
            now=now,
        )
        return replace(entry, deliveries=(*entry.deliveries, route), matter=matter)

    def _may_be_a_familys(self, message: Message, box: MailboxSettings, history: History, now: datetime) -> bool:
        case = Case(
            message=message,
            history=history,
            norm=self._settings.norm,
            now=now,
            mailbox=box,
            staff_domains=self._settings.staff_domains,
            calendar=self._calendar,
        )
        try:
            return goes_to_office(case)
        except Exception as error:  # noqa: BLE001 - what no guard can judge may be a family's
            log.error("no guard could judge a message", mailbox=box.address, message=message.id, error=place(error))
            return True
