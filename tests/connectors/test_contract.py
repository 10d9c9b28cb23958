"""The contract suite notices connectors that break a promise: each fault here makes the test that is about it fail."""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest

from connectors.contract import MailboxContract
from connectors.contract.reading import UNUSABLE_CURSORS
from connectors.errors import ChangesFailed, MailboxError
from connectors.labels import Label
from connectors.mailbox import Changes, DraftState, Known, nothing_known
from connectors.maildir import MaildirMailbox
from connectors.maildir.folder import Folder
from tests.connectors.maildir_world import ADDRESS, MaildirWorld


class FaultyWorld(MaildirWorld):
    """A Maildir read by a connector with a fault."""

    def __init__(self, folder: Path, connector: type[MaildirMailbox]) -> None:
        super().__init__(folder)
        self.connector = connector

    def open(self) -> MaildirMailbox:
        return self.connector(ADDRESS, Folder(self.root), outgoing=Folder(self.outgoing))


class Rewrites(MaildirMailbox):
    """Rewrites every page before handing it over."""

    def rewritten(self, page: Changes) -> Changes:
        raise NotImplementedError

    def changes(self, cursor: str | None, known: Known = nothing_known, *, limit: int = 200) -> Changes:
        return self.rewritten(super().changes(cursor, known, limit=limit))


class TellsTwice(MaildirMailbox):
    def changes(self, cursor: str | None, known: Known = nothing_known, *, limit: int = 200) -> Changes:
        self.close()
        page = super().changes(None, nothing_known, limit=limit)
        return replace(page, more=False)


class IgnoresTheLimit(MaildirMailbox):
    def changes(self, cursor: str | None, known: Known = nothing_known, *, limit: int = 200) -> Changes:
        return super().changes(cursor, known, limit=1000)


class ReversesTheOrder(Rewrites):
    def rewritten(self, page: Changes) -> Changes:
        return replace(page, messages=page.messages[::-1])


class CallsOldMailNew(Rewrites):
    def rewritten(self, page: Changes) -> Changes:
        return replace(page, messages=tuple(replace(message, backfill=False) for message in page.messages))


class CallsNewMailOld(Rewrites):
    def rewritten(self, page: Changes) -> Changes:
        return replace(page, messages=tuple(replace(message, backfill=True) for message in page.messages))


class ForgetsTheTimeZone(Rewrites):
    def rewritten(self, page: Changes) -> Changes:
        naive = (replace(found, received_at=found.received_at.replace(tzinfo=None)) for found in page.messages)
        return replace(page, messages=tuple(naive))


class HoldsWholeMessages(Rewrites):
    def rewritten(self, page: Changes) -> Changes:
        return replace(page, messages=tuple(self.fetch(found.id) for found in page.messages))


class HidesLabels(Rewrites):
    def rewritten(self, page: Changes) -> Changes:
        return replace(page, labels=())


class HidesProgress(Rewrites):
    def rewritten(self, page: Changes) -> Changes:
        return replace(page, progress=None)


class FailsOnOddCursors(MaildirMailbox):
    def changes(self, cursor: str | None, known: Known = nothing_known, *, limit: int = 200) -> Changes:
        if cursor in UNUSABLE_CURSORS:
            raise ChangesFailed("what is this?")
        return super().changes(cursor, known, limit=limit)


class LosesUncommittedPages(MaildirMailbox):
    def changes(self, cursor: str | None, known: Known = nothing_known, *, limit: int = 200) -> Changes:
        page = super().changes(cursor, known, limit=limit)
        self._reading._memory._commit()
        return page


class OnlyAddsLabels(MaildirMailbox):
    def tag(self, message_id: str, labels: frozenset[Label]) -> None:
        super().tag(message_id, labels | self.fetch(message_id).labels)


class MarksAsRead(MaildirMailbox):
    def tag(self, message_id: str, labels: frozenset[Label]) -> None:
        super().tag(message_id, labels)
        (path,) = (path for path in self._inbox.path.glob("cur/*") if path.name.startswith(message_id))
        path.rename(path.with_name(path.name.replace(":2,", ":2,S")))
        self._reading.moved(message_id)


class SendsAgain(MaildirMailbox):
    def send_draft(self, draft_id: str) -> None:
        super().send_draft(draft_id)
        (path,) = (self._inbox.path / ".Sent" / "cur").iterdir()
        count = len(list((self._inbox.path.parent / "outgoing" / "new").iterdir()))
        (self._inbox.path.parent / "outgoing" / "new" / f"again{count}").write_bytes(path.read_bytes())


class SavesAgain(MaildirMailbox):
    def save_draft(self, mime: bytes) -> str:
        return super().save_draft(mime + b"\r\n") and super().save_draft(mime.replace(b"<reply-", b"<again-"))


class KnowsNoDrafts(MaildirMailbox):
    def draft_state(self, draft_id: str, rfc_message_id: str) -> DraftState:
        return super().draft_state(draft_id, "")


class DeletesSentMail(MaildirMailbox):
    def discard_draft(self, draft_id: str) -> None:
        for path in (self._inbox.path / ".Sent").glob("cur/*"):
            path.unlink()
        super().discard_draft(draft_id)


class HoldsEverything(Rewrites):
    def rewritten(self, page: Changes) -> Changes:
        self.held = [*getattr(self, "held", []), replace(page, messages=tuple(self.fetch(m.id) for m in page.messages))]
        return page


class HidesRemovals(Rewrites):
    def rewritten(self, page: Changes) -> Changes:
        return replace(page, removed=())


class ReadsAscii(Rewrites):
    def rewritten(self, page: Changes) -> Changes:
        ascii_ = (replace(found, raw=found.raw.decode("ascii", "replace").encode()) for found in page.messages)
        return replace(page, messages=tuple(ascii_))


class WritesAscii(MaildirMailbox):
    def save_draft(self, mime: bytes) -> str:
        return super().save_draft(re.sub(rb"=\?utf-8\?[^ \r\n]*", b"?", mime))


class TagsTheFirstOfMany(MaildirMailbox):
    def tag_many(self, wanted: Mapping[str, frozenset[Label]]) -> Mapping[str, MailboxError]:
        return super().tag_many(dict([*wanted.items()][:1]))


class FailsTogether(MaildirMailbox):
    def tag_many(self, wanted: Mapping[str, frozenset[Label]]) -> Mapping[str, MailboxError]:
        failed = super().tag_many(wanted)
        return dict.fromkeys(wanted, next(iter(failed.values()))) if failed else failed


class TellsEachMessageToOneWorker(Rewrites):
    told: ClassVar[set[str]] = set()

    def rewritten(self, page: Changes) -> Changes:
        untold = tuple(found for found in page.messages if found.id not in self.told)
        self.told.update(found.id for found in untold)
        return replace(page, messages=untold)


class TwoAtATime(MaildirMailbox):
    """Takes a copy of what it is to send before another worker can have sent it, and sends that."""

    both = threading.Barrier(2)

    def send_draft(self, draft_id: str) -> None:
        (draft,) = (self._inbox.path / ".Drafts").glob("*/*")
        content = draft.read_bytes()
        self.both.wait(10)
        super().send_draft(draft_id)
        outgoing = self._inbox.path.parent / "outgoing" / "new"
        (outgoing / f"{threading.get_ident()}").write_bytes(content)
        for path in [path for path in outgoing.iterdir() if not path.name.isdecimal()]:
            path.unlink(missing_ok=True)


class DailySuite(MailboxContract):
    """The suite with a backlog that shows a fault and costs little."""

    backlog = 1000


SUITE = DailySuite()


@pytest.mark.parametrize(
    ("connector", "test"),
    [
        (TellsTwice, SUITE.test_nothing_comes_twice_along_one_chain_of_cursors),
        (IgnoresTheLimit, SUITE.test_pages_keep_to_their_limit_and_say_that_more_is_ready),
        (ReversesTheOrder, SUITE.test_new_mail_comes_in_the_order_of_its_arrival),
        (ReversesTheOrder, SUITE.test_connecting_an_old_mailbox_gives_live_mail_before_old_mail_newest_first),
        (CallsOldMailNew, SUITE.test_connecting_an_old_mailbox_gives_live_mail_before_old_mail_newest_first),
        (CallsNewMailOld, SUITE.test_new_mail_comes_in_the_order_of_its_arrival),
        (CallsNewMailOld, SUITE.test_a_cursor_that_the_system_forgot_means_a_resync_and_no_loss),
        (ForgetsTheTimeZone, SUITE.test_messages_tell_when_they_were_received_in_utc),
        (HoldsWholeMessages, SUITE.test_a_large_message_is_cut_in_changes_and_whole_in_fetch),
        (HidesLabels, SUITE.test_a_label_that_the_teacher_changes_is_told_as_the_exact_new_set),
        (HidesLabels, SUITE.test_a_label_that_the_teacher_changes_while_the_service_is_down_is_told),
        (HidesProgress, SUITE.test_reading_old_mail_tells_its_progress),
        (LosesUncommittedPages, SUITE.test_a_page_that_was_not_committed_comes_again),
        (LosesUncommittedPages, SUITE.test_a_change_of_labels_in_a_page_that_was_not_committed_is_told_again),
        (OnlyAddsLabels, SUITE.test_tags_are_seen_by_other_programs_and_each_set_replaces_the_one_before),
        (MarksAsRead, SUITE.test_tagging_leaves_every_other_mark_alone),
        (SendsAgain, SUITE.test_sending_a_draft_again_sends_nothing),
        (SavesAgain, SUITE.test_a_draft_is_a_draft_and_nothing_leaves),
        (KnowsNoDrafts, SUITE.test_a_draft_whose_id_was_never_recorded_is_found_by_its_message_id),
        (HoldsEverything, SUITE.test_a_backlog_is_read_page_by_page_and_never_held_as_a_whole),
        (HidesRemovals, SUITE.test_a_message_that_the_teacher_moves_away_is_gone_until_it_is_moved_back),
        (
            ReadsAscii,
            partial(SUITE.test_subjects_of_every_script_arrive_as_they_were_written, script="emoji", encoded=False),
        ),
        (WritesAscii, partial(SUITE.test_subjects_of_every_script_leave_as_they_were_written, script="right to left")),
        (TagsTheFirstOfMany, SUITE.test_tagging_many_is_tagging_one_after_the_other),
        (FailsTogether, SUITE.test_of_many_a_message_that_is_gone_fails_alone),
        (TellsEachMessageToOneWorker, SUITE.test_two_workers_reading_at_once_are_each_told_everything_once),
        (TwoAtATime, SUITE.test_two_workers_drafting_the_same_reply_at_once_and_sending_it_send_it_once),
        (DeletesSentMail, SUITE.test_discarding_what_was_sent_leaves_the_copy_in_sent),
    ],
    ids=lambda value: getattr(value, "__name__", None) or value.func.__name__,
)
def test_a_broken_promise_is_noticed(
    connector: type[MaildirMailbox], test: Callable[[Any], None], tmp_path: Path
) -> None:
    test(MaildirWorld(tmp_path / "sound"))
    with pytest.raises((AssertionError, ValueError, TypeError)):
        test(FaultyWorld(tmp_path / "faulty", connector))


def test_an_error_out_of_an_unusable_cursor_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(ChangesFailed):
        SUITE.test_an_unusable_cursor_means_a_resync_and_no_loss(FaultyWorld(tmp_path, FailsOnOddCursors), "garbage")
