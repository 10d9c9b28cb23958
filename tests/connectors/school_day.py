"""A day at school, seen from one mailbox: what families, the teacher and the service do to it, and how it ends.

The service here works by the rules of `service.delivery`: a page counts once it is committed, whatever fails for a
while is tried again, and a draft that may be out is asked about before anything else happens to it.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from connectors.contract import MailboxHarness, Marks, Reader
from connectors.contract.mails import family_id, family_mail, raw_utf8_mail, reply, reply_id
from connectors.contract.reader import message_id_of, unwrapped
from connectors.errors import (
    AuthenticationFailed,
    InsecureConnection,
    MailboxError,
    MessageGone,
    SendFailed,
    SendRejected,
)
from connectors.labels import Label
from connectors.mailbox import DraftState, Mailbox
from tests.servers.network import Network

_ATTEMPTS = 60
_FOR_GOOD = (SendRejected, MessageGone, AuthenticationFailed, InsecureConnection)
"""What no network can bring about: whoever takes a fault for one of these gives up too early."""
URGENT, ROUTINE, CONFLICT = (frozenset({label}) for label in (Label.URGENT, Label.ROUTINE, Label.CONFLICT))

_Result = TypeVar("_Result")


class World(MailboxHarness, Protocol):
    """A harness whose mailboxes open through any network."""

    def open(self, through: Network | None = None) -> Mailbox:
        """See `NetworkedWorld`."""
        ...


@dataclass(frozen=True)
class Evening:
    """What is left of the day: in the mailbox, on its way, and in the service's record."""

    marks: dict[str, Marks]
    drafts: list[str]
    sent: list[str]
    departed: list[str]
    told: list[tuple[str, ...]]
    """What each look at the mailbox told of new mail, by Message-ID, with direction and backfill."""
    recorded: dict[str, frozenset[Label]]
    contents: dict[str, bytes]
    """Of every message that was fetched."""
    doubtful: frozenset[str] = frozenset()
    """Replies of which nobody can say for certain, over SMTP, whether they are out, or whose copy a crash kept from
    being filed. Systems that send atomically have none."""

    def without(self, doubtful: frozenset[str]) -> "Evening":
        """The same, as if these replies had never been thought of."""
        return replace(
            self,
            drafts=[found for found in self.drafts if found not in doubtful],
            sent=[found for found in self.sent if found not in doubtful],
            departed=[found for found in self.departed if found not in doubtful],
            told=[tuple(line for line in look if line.split()[0] not in doubtful) for look in self.told],
            recorded={found: labels for found, labels in self.recorded.items() if found not in doubtful},
            doubtful=frozenset(),
        )


class Service:
    """The service's part in the day."""

    def __init__(self, world: World, through: Network | None) -> None:
        self._world = world
        self._through = through
        self.reader = Reader(world.open(through))
        self.told: list[tuple[str, ...]] = []
        self.contents: dict[str, bytes] = {}
        self.uncertain: set[str] = set()

    @property
    def mailbox(self) -> Mailbox:
        return self.reader.mailbox

    def restart(self) -> None:
        """Goes down in good order and comes up again."""
        self.reader = self.reader.restarted(self._world.open(self._through))

    def crash(self) -> None:
        """Is gone at once; a new one goes on with the same record."""
        self.reader = Reader(
            self._world.open(self._through), self.reader.cursor, self.reader.recorded, self.reader.message_ids
        )

    def look(self) -> None:
        """Reads what is new, page by page, each page until it could be committed."""
        found: list[str] = []
        more = True
        while more:
            page = _until_done(lambda: self.reader.look(limit=3))
            for message in page.messages:
                again = message.id in self.reader.recorded and not page.resync
                assert not again, f"{message.id} was told twice along one chain of cursors"
            self.reader.commit(page)
            for message in page.messages:
                raw = message.raw
                if not raw and message.size:  # the server could not hand it over: set aside, and read again
                    raw = _until_done(lambda id_=message.id: self.mailbox.fetch(id_)).raw
                    self.reader.message_ids[message.id] = message_id_of(raw)
                how = "old" if message.backfill else "new"
                found.append(f"{message_id_of(raw)} {message.direction} {how}")
            more = page.more
        # Of what was sent and what came in, each has its order; how the two mingle is a matter of pages.
        self.told.append(tuple(sorted(found, key=lambda line: "received" in line)))

    def tag(self, wanted: dict[str, frozenset[Label]]) -> None:
        """Writes labels, of one message or of many."""
        left = {self.reader.id_of(message_id): labels for message_id, labels in wanted.items()}
        if len(left) == 1:
            ((id_, labels),) = left.items()
            _until_done(lambda: self.mailbox.tag(id_, labels))
        else:
            for _ in range(_ATTEMPTS):
                failed = self.mailbox.tag_many(left)
                assert failed.keys() <= left.keys()
                assert all(error.transient for error in failed.values()), failed
                left = {id_: left[id_] for id_ in failed}
                if not left:
                    break
            assert not left
        self.reader.recorded.update({self.reader.id_of(message_id): labels for message_id, labels in wanted.items()})

    def fetch(self, *message_ids: str) -> None:
        """Reads whole messages."""
        for message_id in message_ids:
            id_ = self.reader.id_of(message_id)
            fetched = _until_done(lambda id_=id_: self.mailbox.fetch(id_))
            assert fetched.size == len(fetched.raw), f"{message_id} was fetched in part"
            written = unwrapped(fetched.raw).partition(b"From: ")[2]  # what comes before it is the server's own
            self.contents[message_id] = written.replace(self._world.address.encode(), b"the teacher")

    def answer(self, number: int) -> None:
        """Sends a reply, once."""
        it = _Reply(number)
        for _ in range(_ATTEMPTS):
            try:
                if self._answered(it):
                    return
            except SendFailed:  # it is certainly not out: a new draft, or this one if it cannot be discarded now
                with suppress(MailboxError):
                    self.mailbox.discard_draft(it.draft_id)
                it.sending, it.draft_id = False, ""
            except _FOR_GOOD:
                raise
            except MailboxError:
                continue
        raise AssertionError(f"{it.message_id} did not leave in {_ATTEMPTS} attempts")

    def _answered(self, it: "_Reply") -> bool:
        """One attempt; True where nothing is left to do."""
        if it.sending:
            state = self.mailbox.draft_state(it.draft_id, it.message_id)
            if state is DraftState.SENT:
                return True
            if not self.mailbox.atomic_send:
                self.mailbox.discard_draft(it.draft_id)
                self.uncertain.add(it.message_id)
                return True
            assert state is DraftState.DRAFT, f"the draft of {it.message_id} was lost"
        if not it.draft_id:
            if self.mailbox.draft_state("", it.message_id) is DraftState.SENT:
                return True
            it.draft_id = self.mailbox.save_draft(reply(it.number, self._world.address))
        it.sending = True
        self.mailbox.send_draft(it.draft_id)
        return True

    def draft_and_discard(self, number: int) -> None:
        """Drafts a reply that is not wanted any more when it is ready."""
        draft_id = _until_done(lambda: self.mailbox.save_draft(reply(number, self._world.address)))
        _until_done(lambda: self.mailbox.discard_draft(draft_id))


@dataclass
class _Reply:
    """What the service has on record of a reply."""

    number: int
    draft_id: str = ""
    sending: bool = False

    @property
    def message_id(self) -> str:
        return reply_id(self.number)


def lived_through(world: World, through: Network | None = None) -> Evening:
    """The whole day, with the service's mailboxes behind `through`."""
    families = [family_id(number) for number in range(7)]
    world.deliver(*(family_mail(number, world.address) for number in (100, 101, 102, 103)))
    service = Service(world, through)
    assert _until_done(service.mailbox.check)
    service.look()
    world.deliver(*(family_mail(number, world.address) for number in range(4)))
    service.look()
    service.tag({families[0]: URGENT})
    service.tag({families[1]: ROUTINE, families[2]: CONFLICT | {Label.CHECK}, families[3]: ROUTINE})
    service.answer(0)
    service.crash()
    world.teacher_labels(families[1], URGENT)
    world.delete(families[3])
    world.deliver(family_mail(4, world.address, subject="Über אבא 🚌", body="Grüße שלום 🙂\n" * 400))
    world.deliver(raw_utf8_mail(5, world.address))
    service.look()
    service.tag({families[4]: CONFLICT, families[5]: ROUTINE})
    service.fetch(families[4], families[5])
    service.answer(1)
    service.answer(2)
    service.draft_and_discard(3)
    world.teacher_sends(reply(50, world.address))
    world.teacher_marks(families[2])
    service.restart()
    service.look()
    service.tag({families[2]: frozenset()})
    world.deliver(family_mail(6, world.address))
    world.teacher_labels(families[4], ROUTINE)
    service.look()
    service.tag({families[6]: URGENT})
    service.look()
    return _evening(world, service, (family_id(number) for number in (0, 1, 2, 4, 5, 6, 100, 101, 102, 103)))


def _evening(world: World, service: Service, message_ids: Iterable[str]) -> Evening:
    drafts, sent, departed = (
        sorted(message_id_of(raw) for raw in place) for place in (world.drafts(), world.sent(), world.departed())
    )
    unfiled = set() if service.mailbox.atomic_send else set(drafts) & set(departed)
    return Evening(
        {message_id: world.marks(message_id) for message_id in message_ids},
        drafts,
        sent,
        departed,
        service.told,
        {service.reader.message_ids[id_]: labels for id_, labels in service.reader.recorded.items()},
        service.contents,
        frozenset(service.uncertain | unfiled),
    )


def _until_done(work: Callable[[], _Result]) -> _Result:
    """Does it as often as its failures say that this may help."""
    for _ in range(_ATTEMPTS):
        try:
            return work()
        except MailboxError as error:
            if not error.transient:
                raise
    raise AssertionError(f"not done in {_ATTEMPTS} attempts")
