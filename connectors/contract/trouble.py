"""Trouble on the way: a system that asks for pauses, lines that break, credentials that end."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import TypeVar

import pytest

from connectors.contract.harness import MailboxHarness
from connectors.contract.mails import family_id, family_mail, reply, reply_id
from connectors.contract.reader import Reader, message_id_of, unwrapped
from connectors.errors import AuthenticationFailed, MailboxError, SendFailed, SendUncertain, Throttled
from connectors.labels import Label
from connectors.mailbox import DraftState, Mailbox

_Result = TypeVar("_Result")
_ATTEMPTS = 12
"""After so many a call that should have succeeded is taken to fail for good."""
_MOST_ANSWERS = 200
"""More are not needed for anything that these tests ask for."""
_FOR_EVER = 1_000_000
_LONG = 3600.0
"""Seconds: a pause that no call may sit out."""
URGENT, ROUTINE = frozenset({Label.URGENT}), frozenset({Label.ROUTINE})


class TroubleContract:
    """What must hold when the system or the line to it has a bad day."""

    @pytest.mark.parametrize("retry_after", [None, 7.0], ids=["without Retry-After", "with Retry-After"])
    @pytest.mark.parametrize("status", [429, 503])
    def test_a_busy_system_is_given_time_and_nothing_is_lost_or_doubled(
        self, harness: MailboxHarness, status: int, retry_after: float | None
    ) -> None:
        reader = Reader(harness.open())
        reader.sync()
        harness.deliver(*(family_mail(number, harness.address) for number in range(3)))
        clerk = _Clerk(harness, lambda: harness.throttle(2, status=status, retry_after=retry_after), retry_after)
        found = clerk.does(reader.look)
        reader.commit(found)
        assert [message_id_of(message.raw) for message in found.messages] == [family_id(n) for n in range(3)]
        ids = [reader.id_of(family_id(number)) for number in range(3)]
        assert message_id_of(clerk.does(lambda: reader.mailbox.fetch(ids[0])).raw) == family_id(0)
        clerk.does(lambda: reader.tag(ids[0], URGENT))
        clerk.tags(reader, {ids[1]: ROUTINE, ids[2]: URGENT})
        draft = clerk.does(lambda: reader.mailbox.save_draft(reply(1, harness.address)))
        assert clerk.does(lambda: reader.mailbox.draft_state(draft, reply_id(1))) is DraftState.DRAFT
        unwanted = clerk.does(lambda: reader.mailbox.save_draft(reply(2, harness.address)))
        clerk.does(lambda: reader.mailbox.discard_draft(unwanted))
        clerk.sends(reader.mailbox, draft, reply_id(1))
        harness.throttle(0)
        if harness.exact_labels:
            assert [harness.marks(family_id(n)).labels for n in range(3)] == [URGENT, ROUTINE, URGENT]
        assert _where(harness) == ([], [reply_id(1)], [reply_id(1)])
        assert [message.direction.value for message in reader.sync()] == ["sent"]

    def test_a_system_that_stays_busy_is_told_with_the_pause_that_it_asks_for(self, harness: MailboxHarness) -> None:
        reader, id_, draft = _reader_with_mail_and_draft(harness)
        for work in _everything(reader.mailbox, reader.cursor, id_, draft):
            harness.throttle(_FOR_EVER, status=429, retry_after=_LONG)
            with pytest.raises(Throttled) as told:
                work()
            assert told.value.transient
            assert told.value.retry_after == pytest.approx(_LONG, rel=0.1)
        failed = reader.mailbox.tag_many({id_: URGENT})
        assert [type(error) for error in failed.values()] == [Throttled]
        assert sum(harness.slept) < _LONG, "a call waited as long as the system wished, and its thread with it"
        harness.throttle(0)
        assert _where(harness) == ([reply_id(1)], [], [])
        assert reader.sync() == []

    def test_a_system_that_stays_busy_and_names_no_pause_is_given_up_for_now(self, harness: MailboxHarness) -> None:
        reader, id_, draft = _reader_with_mail_and_draft(harness)
        for work in _everything(reader.mailbox, reader.cursor, id_, draft):
            harness.throttle(_FOR_EVER, status=503)
            with pytest.raises(MailboxError) as told:
                work()
            assert told.value.transient
        harness.throttle(0)
        assert _where(harness) == ([reply_id(1)], [], [])
        assert reader.sync() == []

    def test_reading_survives_a_line_that_breaks_in_any_answer(self, harness: MailboxHarness) -> None:
        reader = Reader(harness.open())
        reader.sync()
        for number, cut in _each_answer_cut(harness):
            reader = reader.restarted(harness.open())
            harness.deliver(family_mail(number, harness.address))
            found = []
            with cut:
                more = True
                while more:
                    page = _patiently(reader.look)
                    reader.commit(page)
                    found += [message_id_of(message.raw) for message in page.messages]
                    more = page.more
                assert found == [family_id(number)]
                whole = _patiently(lambda: reader.mailbox.fetch(reader.id_of(family_id(number))))  # noqa: B023 - now
            assert unwrapped(whole.raw).endswith(
                unwrapped(family_mail(number, harness.address)).partition(b"From: ")[2]
            )

    def test_tagging_survives_a_line_that_breaks_in_any_answer(self, harness: MailboxHarness) -> None:
        reader = Reader(harness.open())
        harness.deliver(*(family_mail(number, harness.address) for number in range(3)))
        reader.sync()
        others = [harness.marks(family_id(number)).others for number in range(3)]
        ids = [reader.id_of(family_id(number)) for number in range(3)]
        for number, cut in _each_answer_cut(harness):
            reader = reader.restarted(harness.open())
            first, rest = (URGENT, ROUTINE) if number % 2 else (ROUTINE, URGENT)
            with cut:
                _patiently(lambda: reader.tag(ids[0], first))  # noqa: B023 - used at once
                _tag_patiently(reader, dict.fromkeys(ids[1:], rest))
            marks = [harness.marks(family_id(which)) for which in range(3)]
            assert [mark.others for mark in marks] == others
            if harness.exact_labels:
                assert [mark.labels for mark in marks] == [first, rest, rest]
        assert reader.sync() == []

    def test_drafting_survives_a_line_that_breaks_in_any_answer(self, harness: MailboxHarness) -> None:
        for number, cut in _each_answer_cut(harness):
            mailbox = harness.open()
            with cut:
                draft = _patiently(lambda: mailbox.save_draft(reply(number, harness.address)))  # noqa: B023 - used at once
                assert [message_id_of(raw) for raw in harness.drafts()] == [reply_id(number)], "one draft, and only one"
                state = _patiently(lambda: mailbox.draft_state(draft, reply_id(number)))  # noqa: B023 - used at once
                assert state is DraftState.DRAFT
                _patiently(lambda: mailbox.discard_draft(draft))  # noqa: B023 - used at once
            assert harness.drafts() == []
            mailbox.close()
        assert harness.departed() == []

    def test_what_is_sent_leaves_once_in_whatever_answer_the_line_breaks(self, harness: MailboxHarness) -> None:
        for number, cut in _each_answer_cut(harness):
            mailbox = harness.open()
            draft = mailbox.save_draft(reply(number, harness.address))
            with cut:
                told = _sent(mailbox, draft, reply_id(number))
            left = [message_id_of(raw) for raw in harness.departed()].count(reply_id(number))
            if mailbox.atomic_send:
                assert told, "nobody can say what became of the draft"
            assert left == 1 if told else left <= 1
            if told:
                assert mailbox.draft_state(draft, reply_id(number)) is DraftState.SENT
                mailbox.send_draft(draft)
                assert [message_id_of(raw) for raw in harness.departed()].count(reply_id(number)) == 1
                assert [message_id_of(raw) for raw in harness.sent()].count(reply_id(number)) == 1
                assert reply_id(number) not in {message_id_of(raw) for raw in harness.drafts()}
            mailbox.close()

    def test_a_token_that_expires_in_the_middle_is_renewed_unnoticed(self, harness: MailboxHarness) -> None:
        reader = Reader(harness.open())
        reader.sync()
        harness.deliver(*(family_mail(number, harness.address) for number in range(5)))
        first = reader.look(limit=2)
        reader.commit(first)
        harness.expire_token()
        found = [*first.messages, *reader.sync(limit=2)]
        assert [message_id_of(message.raw) for message in found] == [family_id(number) for number in range(5)]
        ids = [message.id for message in found]
        harness.expire_token()
        assert message_id_of(reader.mailbox.fetch(ids[0]).raw) == family_id(0)
        harness.expire_token()
        reader.tag(ids[0], URGENT)
        harness.expire_token()
        assert reader.mailbox.tag_many(dict.fromkeys(ids[1:], ROUTINE)) == {}
        harness.expire_token()
        draft = reader.mailbox.save_draft(reply(1, harness.address))
        harness.expire_token()
        assert _sent(reader.mailbox, draft, reply_id(1))
        harness.expire_token()
        assert reader.mailbox.draft_state(draft, reply_id(1)) is DraftState.SENT
        assert _where(harness) == ([], [reply_id(1)], [reply_id(1)])

    def test_credentials_that_are_taken_back_are_an_error_that_no_waiting_mends(self, harness: MailboxHarness) -> None:
        reader, id_, draft = _reader_with_mail_and_draft(harness)
        harness.revoke()
        for work in (reader.mailbox.check, *_everything(reader.mailbox, reader.cursor, id_, draft)):
            with pytest.raises(AuthenticationFailed) as told:
                work()
            assert not told.value.transient
        failed = reader.mailbox.tag_many({id_: URGENT})
        assert failed.keys() == {id_}
        assert isinstance(failed[id_], AuthenticationFailed)
        with pytest.raises(AuthenticationFailed):
            harness.open().check()
        assert harness.departed() == []


@dataclass
class _Clerk:
    """Works with a mailbox while the system is busy, and pauses as the runner does."""

    harness: MailboxHarness
    make_busy: Callable[[], None]
    retry_after: float | None
    _told: list[MailboxError] = field(default_factory=list)

    def does(self, work: Callable[[], _Result]) -> _Result:
        """Does it on a busy system, until it is done."""
        self._begin()
        result = _patiently(work, self._told)
        self._end()
        return result

    def tags(self, reader: Reader, wanted: dict[str, frozenset[Label]]) -> None:
        """The same for many messages."""
        self._begin()
        _tag_patiently(reader, wanted, self._told)
        self._end()

    def sends(self, mailbox: Mailbox, draft: str, message_id: str) -> None:
        """The same for a draft."""
        self._begin()
        assert _sent(mailbox, draft, message_id, self._told)
        self._end()

    def _begin(self) -> None:
        self._told.clear()
        self.harness.slept.clear()
        self.make_busy()

    def _end(self) -> None:
        named = [error.retry_after for error in self._told if isinstance(error, Throttled)]
        pauses = [*self.harness.slept, *(seconds for seconds in named if seconds is not None)]
        if self.retry_after is None:
            assert pauses or self._told, "a busy system was asked again at once"
            assert all(seconds >= 0 for seconds in pauses)
        else:
            assert pauses, "nobody kept the pause that the system asked for"
            assert min(pauses) >= self.retry_after - 1  # a date says it in whole seconds


def _each_answer_cut(harness: MailboxHarness) -> Iterator[tuple[int, AbstractContextManager[None]]]:
    """Numbers from 1, each with a block in which the line breaks in the answer of that number; ends when the block has
    no more answers that could be cut. After the block the line is whole."""
    for number in count(1):
        assert number < _MOST_ANSWERS, "this takes more and more requests"
        broke: list[bool] = []
        yield number, _cut_in(harness, number, broke)
        if broke != [True]:
            assert number > 1, "the line never broke"
            return


@contextmanager
def _cut_in(harness: MailboxHarness, number: int, broke: list[bool]) -> Iterator[None]:
    harness.cut_answer(number)
    yield
    broke.append(harness.was_cut())
    harness.cut_answer(0)


def _everything(mailbox: Mailbox, cursor: str | None, id_: str, draft: str) -> list[Callable[[], object]]:
    """One call of each operation that asks the system, sending last."""
    return [
        lambda: mailbox.changes(cursor),
        lambda: mailbox.fetch(id_),
        lambda: mailbox.tag(id_, URGENT),
        lambda: mailbox.unmark(id_, URGENT),
        lambda: mailbox.save_draft(reply(2, mailbox.address)),
        lambda: mailbox.draft_state(draft, reply_id(1)),
        lambda: mailbox.discard_draft(draft),
        lambda: mailbox.send_draft(draft),
    ]


def _patiently(work: Callable[[], _Result], told: list[MailboxError] | None = None) -> _Result:
    """Does it as often as its failures say that this may help; adds them to `told`."""
    for _ in range(_ATTEMPTS):
        try:
            return work()
        except MailboxError as error:
            if not error.transient:
                raise
            if told is not None:
                told.append(error)
    raise AssertionError(f"not done in {_ATTEMPTS} attempts")


def _tag_patiently(reader: Reader, wanted: dict[str, frozenset[Label]], told: list[MailboxError] | None = None) -> None:
    left = wanted
    for _ in range(_ATTEMPTS):
        failed = reader.mailbox.tag_many(left)
        assert failed.keys() <= left.keys()
        assert all(error.transient for error in failed.values())
        if told is not None:
            told.extend(failed.values())
        left = {id_: left[id_] for id_ in failed}
        if not left:
            reader.recorded.update(wanted)
            return
    raise AssertionError(f"not tagged in {_ATTEMPTS} attempts")


def _sent(mailbox: Mailbox, draft: str, message_id: str, told: list[MailboxError] | None = None) -> bool:
    """Sends a draft as the service does, which asks what became of it before it tries again. False where nobody can
    say whether it left, as over SMTP."""
    for _ in range(_ATTEMPTS):
        try:
            mailbox.send_draft(draft)
        except MailboxError as error:
            if not (error.transient or isinstance(error, SendUncertain)):
                raise
            if told is not None:
                told.append(error)
            certainly_not = isinstance(error, SendFailed)
        else:
            return True
        state = _patiently(lambda: mailbox.draft_state(draft, message_id), told)
        if state is DraftState.SENT:
            return True
        assert state is DraftState.DRAFT, "the draft is gone, and it is not in Sent"
        if not (certainly_not or mailbox.atomic_send):
            return False
    raise AssertionError(f"not sent in {_ATTEMPTS} attempts")


def _reader_with_mail_and_draft(harness: MailboxHarness) -> tuple[Reader, str, str]:
    reader = Reader(harness.open())
    harness.deliver(family_mail(1, harness.address))
    reader.sync()
    return reader, reader.id_of(family_id(1)), reader.mailbox.save_draft(reply(1, harness.address))


def _where(harness: MailboxHarness) -> tuple[list[str], list[str], list[str]]:
    """The Message-IDs in Drafts, in Sent, and of what left."""
    drafts, sent, departed = (
        [message_id_of(raw) for raw in place] for place in (harness.drafts(), harness.sent(), harness.departed())
    )
    return drafts, sent, departed
