"""Permissions are tried one by one: what one try finds does not hide what another would."""

from datetime import UTC, datetime

import pytest

from connectors.errors import (
    AuthenticationFailed,
    ConnectFailed,
    DraftFailed,
    MailboxError,
    PermissionDenied,
    TagFailed,
)
from connectors.labels import Label
from service.connecting.trying import Mark, Means, Permission, Tried, try_mailbox
from tests.service.mailbox_in_memory import MailSystem
from tests.service.maple import RIVERA

NOW = datetime(2026, 3, 3, 16, 0, tzinfo=UTC)
LETTER = b"From: ana@family.example\r\nMessage-ID: <leo@family.example>\r\nSubject: Leo\r\n\r\nWhich pages?\r\n"
MEANS = Means(can_send="it would be taken", hears=True)


@pytest.fixture(params=[True, False], ids=["atomic", "over SMTP"])
def system(request: pytest.FixtureRequest) -> MailSystem:
    made = MailSystem(lambda: NOW, request.param)
    made.deliver(LETTER, RIVERA)
    return made


def tried(system: MailSystem, means: Means = MEANS) -> Tried:
    return try_mailbox(lambda: system.open(RIVERA), RIVERA, means, NOW)


def failing(result: Tried) -> set[Permission]:
    return {each.permission for each in result.failures}


def test_a_mailbox_that_gives_every_right_works_and_is_as_it_was(system: MailSystem) -> None:
    result = tried(system)
    assert result.works
    assert [each.permission for each in result.tries] == list(Permission)
    account = system.account(RIVERA)
    assert (list(account.drafts), list(account.sent), system.departed) == ([], [], [])
    assert {stored.labels for stored in account.inbox.values()} == {frozenset()}


@pytest.mark.parametrize("error", [PermissionDenied("a right lacks"), DraftFailed("no"), KeyError("a fault")])
@pytest.mark.parametrize(
    ("step", "permission"),
    [
        ("changes", Permission.INBOX),
        ("fetch", Permission.READ),
        ("draft_state", Permission.SENT),
        ("tag", Permission.LABELS),
        ("save_draft", Permission.SAVE),
        ("discard_draft", Permission.DISCARD),
        ("wait", Permission.NEWS),
    ],
)
def test_one_right_that_lacks_is_named_and_the_others_are_tried_all_the_same(
    system: MailSystem, step: str, permission: Permission, error: Exception
) -> None:
    system.fail(step, error, times=10**6)
    result = tried(system)
    assert permission in failing(result)
    assert failing(result) <= {permission, Permission.FIND}
    assert result.signed_in
    assert not result.refused
    assert [each.permission for each in result.tries] == list(Permission)


def test_the_label_comes_off_even_where_putting_it_on_is_told_as_failed(system: MailSystem) -> None:
    system.fail("tag done", TagFailed("the answer was lost"))
    assert failing(tried(system)) == {Permission.LABELS}
    assert {stored.labels for stored in system.account(RIVERA).inbox.values()} == {frozenset()}


@pytest.mark.parametrize(
    ("error", "refused"),
    [(AuthenticationFailed("535"), True), (ConnectFailed("no route"), False), (PermissionDenied("a role"), False)],
)
def test_only_credentials_that_were_refused_are_not_worth_keeping(
    system: MailSystem, error: MailboxError, refused: bool
) -> None:
    for step in ("changes", "check"):
        system.fail(step, error, times=10**6)
    result = tried(system)
    assert result.refused is refused
    assert result.signed_in is isinstance(error, PermissionDenied)


def test_nothing_is_touched_in_a_mailbox_that_turns_out_to_be_somebody_elses() -> None:
    system = MailSystem(lambda: NOW, atomic_send=True)
    system.deliver(LETTER, RIVERA)
    system.fail("check", AuthenticationFailed("these credentials open another mailbox"), times=10**6)
    result = tried(system)
    assert result.refused
    assert {step for step in system.calls if step not in {"check", "close"}} == set()


def test_what_only_sending_meets_is_told_as_sending(system: MailSystem) -> None:
    system.fail("check", PermissionDenied("the right to send lacks"), times=10**6)
    assert failing(tried(system)) == {Permission.SEND}


def test_on_record_only_a_message_with_a_tag_is_labelled_and_its_tag_stays(system: MailSystem) -> None:
    account, means = system.account(RIVERA), Means(can_send="yes", recorded=True)
    assert tried(system, means).mark(Permission.LABELS) is Mark.UNTRIED
    (id_,) = account.inbox
    system.label(account, id_, frozenset({Label.URGENT}))
    seen: list[frozenset[Label]] = []
    system.hooks.append(lambda _, step: seen.append(account.inbox[id_].labels) if step == "tag done" else None)
    assert tried(system, means).mark(Permission.LABELS) is Mark.WORKS
    assert seen == [frozenset({Label.URGENT, Label.CHECK}), frozenset({Label.URGENT})]
