"""What every answer passes, when it is planned and once more when it is sent: is the teacher's own out-of-office answer
on, and may the mailbox give answers at all? Labels, routes and what the office does never come by here.
"""

from datetime import datetime

import structlog

from autoresponder.away import configured_absences
from autoresponder.guards.past import gravity
from autoresponder.plan import ReplyFacts
from config.settings import MailboxSettings, Settings, Stage
from connectors.away import Absence, TellsAbsence
from connectors.mailbox import Mailbox
from service.families import Families
from service.logs import said
from store.absences import Absences, believed, is_due
from store.agenda import Agenda
from store.ceiling import Ceiling
from store.database import Database
from store.outbox import Due
from store.pages import Background
from store.tables import DeliveryKind

log = structlog.get_logger()


class Gate:
    """The gate of one installation. Threads share it."""

    def __init__(self, settings: Settings, database: Database, roster: Families) -> None:
        """`roster` says which families are known."""
        self._settings = settings
        self._roster = roster
        self._ceiling = Ceiling(database, settings.norm)
        self._absences = Absences(database)

    def look(self, box: MailboxSettings, background: Background, now: datetime) -> None:
        """Adds to what is known of a page's messages whether its mailbox gives answers now."""
        on_record = background.circumstances
        background.urgent_room = self._ceiling.room_after(on_record.stop, box.address, now, planning=True)
        background.absences = self._absences_of(box, believed(on_record.own_answer, now))

    def objection(self, box: MailboxSettings, due: Due, now: datetime) -> str | None:
        """Why a mail that is about to leave does not; None where it does. Only answers to families are asked about."""
        delivery = due.delivery
        if delivery.kind is not DeliveryKind.REPLY:
            return None
        facts = ReplyFacts.model_validate_json(delivery.facts)
        grave = gravity(facts.tag, crisis=facts.crisis)
        if grave == 0 and any(each.to_families and each.covers(now) for each in self._known(box, now)):
            return "the teacher's own out-of-office answer is on"
        known = bool(self._roster.students_of(delivery.recipient or ""))
        verdict = self._ceiling.let_out(due, gravity=grave, known=known, now=now)
        if verdict.stopped is not None:
            log.error(
                "a mailbox's answers stopped; labels and routes go on",
                mailbox=box.address,
                cause=verdict.stopped,
                resume=f"alliance answers resume {box.address}",
            )
        return verdict.refused

    def gives_none(self, box: MailboxSettings, now: datetime) -> bool:
        """Whether not even an urgent message is answered now."""
        return self._ceiling.room(box.address, now, planning=False) == 0

    def ask(self, box: MailboxSettings, mailbox: Mailbox, now: datetime, agenda: Agenda | None = None) -> None:
        """Asks the mail system, where it can tell and has not been asked lately, whether the teacher's own answer is
        on; only for a mailbox that answers. Raises nothing: who is not told knows nothing, and goes on."""
        if box.stage is not Stage.REPLY or not isinstance(mailbox, TellsAbsence):
            return
        if not (self._absences.is_due(box.address, now) if agenda is None else is_due(agenda.asked_at, now)):
            return
        try:
            absence = mailbox.absence()
        except Exception as error:  # noqa: BLE001 - a courtesy must not keep urgent mail from the office
            log.info("the teacher's own answer could not be asked for", mailbox=box.address, reason=said(error))
            self._absences.not_told(box.address, now)
        else:
            self._absences.told(box.address, absence, now)

    def _known(self, box: MailboxSettings, now: datetime) -> tuple[Absence, ...]:
        return self._absences_of(box, self._absences.known(box.address, now))

    def _absences_of(self, box: MailboxSettings, told: Absence | None) -> tuple[Absence, ...]:
        configured = configured_absences(box, self._settings.school.zone)
        return configured if told is None else (*configured, told)
