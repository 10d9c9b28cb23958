"""The contract suite notices connectors that do not stand trouble: each fault here makes the test about it fail."""

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import pytest

from connectors.contract import MailboxContract
from connectors.contract.reader import message_id_of
from connectors.errors import AuthenticationFailed, ConnectFailed, MailboxError, MessageGone, Throttled
from connectors.gmail import GmailMailbox
from connectors.labels import Label
from connectors.mailbox import Changes, Known, nothing_known
from tests.connectors.gmail_world import GmailWorld, google
from tests.connectors.jmap_example import Account, JmapMailbox, JmapServer, JmapWorld, running
from tests.servers.network import Network

SUITE = MailboxContract()


class World(JmapWorld):
    """A JMAP account read by a connector of the test's choice. It shows conversations, and its tokens expire."""

    def __init__(self, server: JmapServer, connector: type["Renewing"]) -> None:
        super().__init__(server)
        self.connector = connector

    def open(self) -> "Renewing":
        mailbox = self.connector(self.address, self.server.url, "right-token", sleep=self.slept.append)
        mailbox.server, mailbox.slept = self.server, self.slept
        return mailbox

    def expire_token(self) -> None:
        self.server.token = secrets.token_hex(8)

    def revoke(self) -> None:
        super().revoke()
        self.server.renewable = False

    def thread_of(self, message_id: str) -> str:
        found = (*self.account.in_folder("inbox"), *self.account.in_folder("sent"))
        (email,) = (email for email in found if message_id_of(self.account.blobs[email.blob]) == message_id)
        return self.account.header(email, "In-Reply-To") or self.account.header(email, "Message-ID")


class Renewing(JmapMailbox):
    """Keeps every promise: also gets itself a new token where there is one."""

    server: JmapServer
    slept: list[float]

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        asked = self._line._asked

        def renewed(*request: Any, **content: Any) -> Any:
            try:
                return asked(*request, **content)
            except AuthenticationFailed:
                if not getattr(self.server, "renewable", True):
                    raise
                self._line._headers = {"Authorization": f"Bearer {self.server.token}"}
                self._line._client = self._line._new_client()
                return asked(*request, **content)

        self._line._asked = renewed

    @property
    def account(self) -> Account:
        return self.server.account


class Brittle(Renewing):
    """Keeps every promise too, and repeats nothing by itself."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        sent = self._line._sent
        self._line._sent = lambda method, url, repeat, **content: sent(method, url, repeat=False, **content)


class Hammers(Renewing):
    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more | {"sleep": lambda seconds: None})


class Impatient(Renewing):
    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more | {"sleep": lambda seconds: self.slept.append(1.0)})


class SitsItOut(Renewing):
    def changes(self, cursor: str | None, known: Known = nothing_known, *, limit: int = 200) -> Changes:
        try:
            return super().changes(cursor, known, limit=limit)
        except Throttled as error:
            self.slept.append(error.retry_after or 0.0)
            raise


class ForgetsThePause(Renewing):
    def changes(self, cursor: str | None, known: Known = nothing_known, *, limit: int = 200) -> Changes:
        try:
            return super().changes(cursor, known, limit=limit)
        except Throttled as error:
            raise ConnectFailed(str(error)) from error


class GivesUpForGood(Renewing):
    def changes(self, cursor: str | None, known: Known = nothing_known, *, limit: int = 200) -> Changes:
        try:
            return super().changes(cursor, known, limit=limit)
        except ConnectFailed as error:
            raise AuthenticationFailed(str(error)) from error


class CallsABrokenLineQuiet(Brittle):
    def changes(self, cursor: str | None, known: Known = nothing_known, *, limit: int = 200) -> Changes:
        with suppress(ConnectFailed):
            return super().changes(cursor, known, limit=limit)
        return Changes(cursor or "")

    def check(self) -> list[str]:
        return []


class RepeatsWhatItSaves(Renewing):
    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        call = self._line.call

        def repeated(*calls: Any, **rest: Any) -> Any:
            return call(*calls, **rest | {"repeat": True})

        self._line.call = repeated


class SendsBlindly(Brittle):
    def send_draft(self, draft_id: str) -> None:
        try:
            super().send_draft(draft_id)
        except ConnectFailed:
            self.account.departed.append(self.account.blobs[self.account.emails[draft_id].blob])


class NeverRenews(Renewing):
    def __init__(self, *given: Any, **more: Any) -> None:
        JmapMailbox.__init__(self, *given, **more)


class TakesRefusalForABadLine(Renewing):
    def fetch(self, message_id: str) -> Any:
        try:
            return super().fetch(message_id)
        except AuthenticationFailed as error:
            raise ConnectFailed(str(error)) from error


class RaisesFromMany(Brittle):
    def tag_many(self, wanted: Mapping[str, frozenset[Label]]) -> Mapping[str, MailboxError]:
        failed = super().tag_many(wanted)
        for error in failed.values():
            if not isinstance(error, MessageGone):
                raise error
        return failed


class DropsWhatItCannotRead(Renewing):
    def changes(self, cursor: str | None, known: Known = nothing_known, *, limit: int = 200) -> Changes:
        page = super().changes(cursor, known, limit=limit)
        readable = tuple(found for found in page.messages if found.raw)
        return Changes(page.cursor, readable, page.labels, page.removed, page.more, page.resync, page.progress)


class AnswersOutsideTheThread(Renewing):
    def save_draft(self, mime: bytes) -> str:
        return super().save_draft(mime.replace(b"In-Reply-To:", b"X-In-Reply-To:"))


class TagsWhatWasMovedAway(Renewing):
    def tag_many(self, wanted: Mapping[str, frozenset[Label]]) -> Mapping[str, MailboxError]:
        failed = super().tag_many(wanted)
        return {id_: error for id_, error in failed.items() if id_ not in self.account.emails}


NOTICED = (AssertionError, MailboxError, ValueError, pytest.fail.Exception)
BUSY = SUITE.test_a_busy_system_is_given_time_and_nothing_is_lost_or_doubled
FAULTS: list[tuple[type[Renewing], Callable[..., None]]] = [
    (Hammers, partial(BUSY, status=429, retry_after=None)),
    (Hammers, partial(BUSY, status=503, retry_after=7.0)),
    (Impatient, partial(BUSY, status=503, retry_after=7.0)),
    (SitsItOut, SUITE.test_a_system_that_stays_busy_is_told_with_the_pause_that_it_asks_for),
    (ForgetsThePause, SUITE.test_a_system_that_stays_busy_is_told_with_the_pause_that_it_asks_for),
    (GivesUpForGood, SUITE.test_a_system_that_stays_busy_and_names_no_pause_is_given_up_for_now),
    (CallsABrokenLineQuiet, SUITE.test_reading_survives_a_line_that_breaks_in_any_answer),
    (RaisesFromMany, SUITE.test_tagging_survives_a_line_that_breaks_in_any_answer),
    (RepeatsWhatItSaves, SUITE.test_drafting_survives_a_line_that_breaks_in_any_answer),
    (SendsBlindly, SUITE.test_what_is_sent_leaves_once_in_whatever_answer_the_line_breaks),
    (NeverRenews, SUITE.test_a_token_that_expires_in_the_middle_is_renewed_unnoticed),
    (TakesRefusalForABadLine, SUITE.test_credentials_that_are_taken_back_are_an_error_that_no_waiting_mends),
    (RaisesFromMany, SUITE.test_credentials_that_are_taken_back_are_an_error_that_no_waiting_mends),
    (DropsWhatItCannotRead, SUITE.test_a_message_that_the_system_cannot_read_is_told_and_holds_nothing_up),
    (AnswersOutsideTheThread, SUITE.test_an_answer_lands_in_the_familys_thread),
    (TagsWhatWasMovedAway, SUITE.test_a_message_that_the_teacher_moves_away_is_gone_until_it_is_moved_back),
]


@pytest.mark.parametrize(
    ("connector", "test"),
    FAULTS,
    ids=[f"{connector.__name__}-{number}" for number, (connector, _) in enumerate(FAULTS)],
)
def test_a_broken_promise_is_noticed(connector: type[Renewing], test: Callable[..., None]) -> None:
    sound = Brittle if issubclass(connector, Brittle) else Renewing
    with running("rivera@maple.example") as server:
        test(harness=World(server, sound))
    with running("rivera@maple.example") as server, pytest.raises(NOTICED):
        test(harness=World(server, connector))


class ByNameAlone(GmailWorld):
    """Gmail read by a connector that knows its labels by name, and by nothing else."""

    def open(self, through: Network | None = None, **settings: Any) -> GmailMailbox:
        mailbox = super().open(through, **settings)
        mailbox._labels.recall = lambda ids: None
        mailbox._labels._remembered = dict
        return mailbox


def test_a_label_that_is_found_by_its_name_alone_is_noticed() -> None:
    with google(["t1@school.example", "t2@school.example"]) as front:
        SUITE.test_a_label_that_the_teacher_renames_is_the_same_label(GmailWorld(front, "t1@school.example"))
        with pytest.raises(AssertionError):
            SUITE.test_a_label_that_the_teacher_renames_is_the_same_label(ByNameAlone(front, "t2@school.example"))
