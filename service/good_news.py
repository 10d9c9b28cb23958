"""How a teacher stands with good news: which families wait for some, for whom now is not the time, and asking for a
draft."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from autoresponder.glow import glow_message_id
from autoresponder.outgoing import usable_address
from config.calendar import SchoolCalendar
from config.settings import MailboxSettings, Settings
from scorecard.glow import GlowCount, GlowFamily, counts, families_of
from scorecard.happenings import day_begins, spellings
from scorecard.keeping import bring_up_to_date
from scorecard.report import SchoolTerm
from scorecard.terms import running, terms_of
from store.database import Database
from store.glow_drafts import Asked, GlowDrafts
from store.glow_tables import GlowDraft
from store.glow_wishes import GlowWishes
from store.hard_times import in_conversation, in_need
from store.home_helpers import HomeHelpers
from store.tables import DeliveryState
from store.thumbs_up import thumbs_up

_STEPS = 5
"""So much of what is not yet in the scorecard's figures is looked at first: a page must not wait for all of it where a
whole school year has just been read."""


EXPORTED = "exported the list of helpers"
"""The act in the audit log."""


class Obstacle(StrEnum):
    """Why a family gets no draft of good news now."""

    HEARD = "heard"
    CONVERSATION = "conversation"
    NEED = "need"
    NO_ADDRESS = "no address"
    GONE = "gone"


REASONS: Mapping[Obstacle, str] = MappingProxyType(
    {
        Obstacle.HEARD: "the family has had good news meanwhile",
        Obstacle.CONVERSATION: "a hard conversation with the family is open, or was until lately",
        Obstacle.NEED: "the family wrote about something urgent",
        Obstacle.NO_ADDRESS: "the roster has no address of the family that mail can be sent to",
        Obstacle.GONE: "the family has no child in this teacher's classes, or no term is running",
    }
)
"""The same for the record and the command."""


@dataclass(frozen=True, slots=True)
class FamilyStands:
    """A teacher's family, as of now."""

    family: GlowFamily
    obstacle: Obstacle | None = None
    draft: GlowDraft | None = None
    """The draft of this term, if one was asked for."""
    helps_since: date | None = None
    """Since when the family stands on the list of helpers."""

    @property
    def has_draft(self) -> bool:
        """Whether a draft is on its way, or was saved."""
        return self.draft is not None and self.draft.state is not DeliveryState.CANCELLED

    @property
    def may_ask(self) -> bool:
        """Whether the teacher can have a draft for it."""
        return self.obstacle is None and not self.has_draft

    @property
    def recipients(self) -> tuple[str, ...]:
        """The guardians' addresses that mail can be sent to."""
        return tuple(address for address in self.family.addresses if usable_address(address))


@dataclass(frozen=True, slots=True)
class GoodNewsView:
    """How a teacher stands with good news in a term."""

    term: SchoolTerm
    today: date
    families: Sequence[FamilyStands]
    """In the order of their turn: those without a good word first."""
    asked_today: int
    thumbs_up: int
    """Thumbs-ups and thanks from these families in the term."""

    @property
    def waiting(self) -> tuple[FamilyStands, ...]:
        """Those without a good word yet."""
        return tuple(each for each in self.families if each.family.positive_on is None)

    @property
    def helpers(self) -> tuple[FamilyStands, ...]:
        """Those that help at home, by the children's names."""
        helping = [each for each in self.families if each.helps_since is not None]
        return tuple(sorted(helping, key=lambda each: each.family.students))

    def of(self, family: str) -> FamilyStands | None:
        """The family with this identifier; None where it is none of the teacher's."""
        return next((each for each in self.families if each.family.id == family), None)


class GoodNews:
    """Reads how teachers stand with good news, and takes their wishes. Threads may share it."""

    def __init__(self, settings: Settings, calendar: SchoolCalendar, database: Database) -> None:
        """`database` has its tables already."""
        self._settings = settings
        self._calendar = calendar
        self._database = database
        self.drafts = GlowDrafts(database, timedelta(seconds=settings.service.lease_seconds))
        """The drafts on record."""
        self.helpers = HomeHelpers(database)
        """The lists of helpers."""
        self._wishes = GlowWishes(database)

    def term(self, now: datetime) -> SchoolTerm | None:
        """The term that runs `now` (aware); None between terms."""
        today = self.today(now)
        with self._database.read() as connection:
            term = running(terms_of(connection, self._settings, self._calendar, today), today)
        return term if term is not None and today <= term.last else None

    def today(self, now: datetime) -> date:
        """The school's day."""
        return now.astimezone(self._calendar.zone).date()

    def view(self, box: MailboxSettings, now: datetime, *, turn_of: date | None = None) -> GoodNewsView | None:
        """How the teacher of `box` stands; None where no term runs. Whose turn it is, is drawn for a week: that of
        today, or of the day `turn_of`."""
        today, term = self.today(now), self.term(now)
        if term is None:
            return None
        # What was said an hour ago counts: nobody is asked for a good word that was given.
        bring_up_to_date(self._database, self._settings, self._calendar, now, limit=_STEPS)
        drafts = self.drafts.of_term(box.address, term.id)
        helping = self.helpers.since(box.address)
        begins, ends = (day_begins(day, self._calendar.zone) for day in (term.first, term.last + timedelta(days=1)))
        with self._database.read() as connection:
            families = families_of(connection, box, self._settings, term, today, turn_of or today)
            spelled = spellings(connection, [address for family in families for address in family.addresses])
            conversing = in_conversation(connection, box.address, now)
            needing = in_need(connection, spelled, now)
            thumbs = thumbs_up(connection, box.address, spelled, begins, ends)
        standing = tuple(
            FamilyStands(
                family=family,
                obstacle=_obstacle(family, conversing, needing),
                draft=drafts.get(family.id),
                helps_since=helping.get(family.id),
            )
            for family in families
        )
        return GoodNewsView(term, today, standing, self.drafts.asked_on(box.address, today), thumbs)

    def counts(self, mailboxes: Iterable[str], now: datetime) -> tuple[GlowCount, ...]:
        """How many families of each of these teachers have had no good word yet; nothing where no term runs."""
        term = self.term(now)
        if term is None:
            return ()
        bring_up_to_date(self._database, self._settings, self._calendar, now, limit=_STEPS)
        with self._database.read() as connection:
            return counts(connection, term, mailboxes)

    def to_name(self, box: MailboxSettings, now: datetime) -> tuple[GlowFamily, ...]:
        """The families that the morning mail names: whose turn it is, without a good word, a draft or an obstacle."""
        most = self._settings.glow.named_per_day
        view = self.view(box, now) if most else None
        return () if view is None else tuple(each.family for each in view.waiting if each.may_ask)[:most]

    def fulfil(self, box: MailboxSettings, now: datetime) -> None:
        """Asks for the drafts that the teacher wished for in answer to a morning mail: for the families that it named,
        as far as they still have had no good word. Twice is as once, for whoever stopped in the middle."""
        for wish in self._wishes.open(box.address):
            view = self.view(box, now, turn_of=wish.morning)
            named = [
                each
                for each in (view.waiting if view is not None else ())
                if each.may_ask or (each.draft is not None and each.draft.asked_at >= wish.asked_at)
            ]
            for each in named[: self._settings.glow.named_per_day]:
                self.ask(box, each.family.id, by=box.address, now=now)
            self._wishes.done(box.address, wish.morning, now)

    def ask(self, box: MailboxSettings, family: str, *, by: str | None, now: datetime) -> Asked | Obstacle:
        """Asks for a draft for a family of the teacher's. `by` is the address of who asks, None for the command."""
        view = self.view(box, now)
        stands = view.of(family) if view is not None else None
        if view is None or stands is None:
            return Obstacle.GONE
        if stands.obstacle is not None:
            return stands.obstacle
        wanted = GlowDraft(
            mailbox=box.address,
            term=view.term.id,
            family=family,
            day=view.today,
            asked_by=by,
            asked_at=now,
            rfc_message_id=glow_message_id(family, view.term.id, box.address),
            next_attempt_at=now,
        )
        return self.drafts.ask(wanted, most=self._settings.glow.drafts_per_day, now=now)


def _obstacle(family: GlowFamily, conversing: frozenset[str], needing: frozenset[str]) -> Obstacle | None:
    if not needing.isdisjoint(family.addresses):
        return Obstacle.NEED
    if not conversing.isdisjoint(family.addresses):
        return Obstacle.CONVERSATION
    if family.positive_on is not None:
        return Obstacle.HEARD
    return None if any(usable_address(address) for address in family.addresses) else Obstacle.NO_ADDRESS
