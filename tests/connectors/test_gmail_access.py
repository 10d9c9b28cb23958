"""Signing in to Gmail: keys, consents, tokens that end, and what is said to whom when Google refuses."""

import json
import logging
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from itertools import count
from urllib.parse import parse_qs, urlsplit

import pytest

from config.secrets import Secrets
from config.settings import Gmail, MailboxSettings, Settings
from connectors.contract.mails import family_mail, reply
from connectors.errors import AuthenticationFailed, ConnectFailed, MailboxError, PermissionDenied
from connectors.gmail import GmailMailbox
from connectors.gmail_access import KEY_NAME, SCOPE, access_for, read_key, token_name
from connectors.gmail_consent import NOBODY_ANSWERS, Consent, consent_by_hand, consent_in_browser, read_client
from connectors.gmail_errors import DELEGATION_PAGE, GMAIL_STATUS_PAGE
from connectors.registry import open_mailbox
from tests.connectors.gmail_world import GmailWorld, google
from tests.servers.gmail_front import ACCOUNT_CLIENT_ID, CLIENT_ID, GmailFront, Refusing

USERS = [f"t{number}@school.example" for number in range(60)]
_numbers = count()


@pytest.fixture(scope="module")
def front() -> Iterator[GmailFront]:
    with google(USERS) as front:
        yield front


@pytest.fixture
def world(front: GmailFront) -> Iterator[GmailWorld]:
    world = GmailWorld(front, USERS[next(_numbers)])
    yield world
    world.close()
    front.refusing.clear()
    front.key_works = front.clock_is_right = True
    front.delegated_scopes = {SCOPE}
    front.accounts[world.address].enabled = True


@pytest.fixture
def teacher(front: GmailFront, monkeypatch: pytest.MonkeyPatch) -> Iterator[GmailWorld]:
    """A world whose mailboxes sign in by consent."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # the token service of the tests speaks no TLS
    world = GmailWorld(front, USERS[next(_numbers)], oauth=True)
    yield world
    world.close()
    front.consenting = None


def everything(mailbox: GmailMailbox) -> list[Callable[[], object]]:
    return [
        mailbox.check,
        lambda: mailbox.changes(None),
        lambda: mailbox.fetch("abc"),
        lambda: mailbox.tag("abc", frozenset()),
        lambda: mailbox.save_draft(reply(1, mailbox.address)),
        lambda: mailbox.draft_state("r-1/t//x@school.example", "x@school.example"),
        lambda: mailbox.send_draft("r-1/t//x@school.example"),
        lambda: mailbox.discard_draft("r-1/t//x@school.example"),
    ]


# What Google refuses


def _key_deleted(world: GmailWorld) -> None:
    world.front.key_works = False


def _clock_wrong(world: GmailWorld) -> None:
    world.front.clock_is_right = False


def _not_delegated(world: GmailWorld) -> None:
    world.front.delegated_scopes = set()


def _switched_off(world: GmailWorld) -> None:
    world.front.accounts[world.address].enabled = False


def _refusing(status: int, reason: str, message: str = "") -> Callable[[GmailWorld], None]:
    def refuse(world: GmailWorld) -> None:
        world.front.refusing += [
            Refusing(status, reason, message, times=99),
            Refusing(status, reason, message, times=99, whole_batch=True),
        ]

    return refuse


REFUSALS = {
    "a key that was deleted": (_key_deleted, AuthenticationFailed, "console.cloud.google.com/iam-admin"),
    "a clock that is wrong": (_clock_wrong, AuthenticationFailed, "clock"),
    "no delegation": (_not_delegated, PermissionDenied, DELEGATION_PAGE),
    "Gmail switched off": (_switched_off, PermissionDenied, GMAIL_STATUS_PAGE),
    "an API that is not enabled": (
        _refusing(403, "accessNotConfigured"),
        PermissionDenied,
        "console.cloud.google.com/apis/library/gmail.googleapis.com",
    ),
    "too few scopes": (_refusing(403, "insufficientPermissions"), PermissionDenied, "gmail.modify"),
    "another person's token": (
        _refusing(403, "forbidden", "Delegation denied for t1@school.example"),
        PermissionDenied,
        "alliance connect gmail",
    ),
    "a policy of the domain": (_refusing(403, "domainPolicy"), PermissionDenied, "Manage app access"),
    "a refusal that nobody knows": (_refusing(403, "forbidden", "No."), PermissionDenied, "admin.google.com"),
}


@pytest.mark.parametrize("kind", REFUSALS)
def test_what_google_refuses_names_who_has_to_do_what(world: GmailWorld, kind: str) -> None:
    refuse, error_class, named = REFUSALS[kind]
    refuse(world)
    for work in everything(world.open()):
        with pytest.raises(error_class) as told:
            work()
        assert not told.value.transient
        assert named in str(told.value)


def test_delegation_that_lacks_is_told_with_the_client_id_and_the_scope_to_enter(world: GmailWorld) -> None:
    world.front.delegated_scopes = set()
    with pytest.raises(PermissionDenied) as told:
        world.open().check()
    assert ACCOUNT_CLIENT_ID in str(told.value)
    assert SCOPE in str(told.value)
    assert ACCOUNT_CLIENT_ID in read_key(world.front.key()).instructions


def test_an_address_that_google_does_not_know_is_told_as_such(front: GmailFront) -> None:
    world = GmailWorld(front, "nobody@school.example")
    with pytest.raises(AuthenticationFailed, match=r"no mailbox nobody@school\.example"):
        world.open().check()


@pytest.mark.parametrize(
    "key", ["", "{}", "[]", "no json", '{"type": "authorized_user"}', '{"type": "service_account", "client_id": "1"}']
)
def test_a_file_that_is_no_key_is_refused_before_anything_is_asked(key: str) -> None:
    with pytest.raises(AuthenticationFailed):
        access_for("t1@school.example", Gmail(), Secrets.in_memory({KEY_NAME: key}))


def test_a_key_whose_private_part_is_broken_is_refused(front: GmailFront) -> None:
    broken = json.dumps(json.loads(front.key()) | {"private_key": "-----BEGIN PRIVATE KEY-----\nx\n"})
    with pytest.raises(AuthenticationFailed, match="private key"):
        access_for("t1@school.example", Gmail(), Secrets.in_memory({KEY_NAME: broken}))


def test_nothing_secret_is_in_what_is_said_or_logged(world: GmailWorld, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    mailbox = world.open()
    world.deliver(family_mail(1, world.address))
    mailbox.changes(None)
    draft = mailbox.save_draft(reply(1, world.address))
    mailbox.send_draft(draft)
    _refusing(403, "insufficientPermissions", "Request had insufficient scopes.")(world)
    said = [repr(read_key(world.front.key())), repr(mailbox)]
    for work in everything(mailbox):
        with pytest.raises(MailboxError) as told:
            work()
        said.append(str(told.value))
    text = "\n".join([*said, *(record.getMessage() for record in caplog.records)])
    assert "PRIVATE KEY" not in text
    assert "ya29" not in text
    assert "Bearer" not in text
    assert "Dear" not in text


def test_a_mailbox_is_opened_from_settings_and_the_vault(world: GmailWorld) -> None:
    box = MailboxSettings(address=world.address, teacher="T. Rivera", connector="gmail")
    settings = Settings.model_construct(gmail=Gmail(endpoint=world.front.url), mailboxes=(box,))
    secrets = Secrets.in_memory({KEY_NAME: world.front.key()})
    mailbox = open_mailbox(box, settings, secrets)
    assert any(world.address in fact for fact in mailbox.check())
    mailbox.close()
    with pytest.raises(AuthenticationFailed, match="alliance connect gmail"):
        open_mailbox(box, settings, Secrets.in_memory())


# Tokens


def test_one_key_gives_every_mailbox_a_token_of_its_own(front: GmailFront, world: GmailWorld) -> None:
    one, other = world.open(), GmailWorld(front, USERS[next(_numbers)]).open()
    for mailbox, theirs in ((one, world.address), (other, other.address), (one, world.address)):
        assert any(theirs in fact for fact in mailbox.check())
    assert {front.tokens[token] for token in list(front.tokens)[-2:]} == {world.address, other.address}
    other.close()


def test_a_token_is_used_until_it_ends(world: GmailWorld) -> None:
    mailbox = world.open()
    before = world.front.given
    for _ in range(3):
        mailbox.check()
    assert world.front.given == before + 1


def test_a_renewed_token_is_kept_and_used_after_a_restart(teacher: GmailWorld) -> None:
    teacher.open().check()
    kept = json.loads(teacher.secrets.get(token_name(teacher.address)) or "")
    assert kept["token"] in teacher.front.tokens
    assert kept["refresh_token"] in teacher.front.refresh_tokens
    before = teacher.front.given
    teacher.open().check()
    assert teacher.front.given == before


def test_a_consent_that_was_withdrawn_parks_the_mailbox_and_says_who_has_to_agree_again(teacher: GmailWorld) -> None:
    mailbox = teacher.open()
    mailbox.check()
    teacher.revoke()
    for work in (*everything(mailbox), teacher.open().check):
        with pytest.raises(AuthenticationFailed, match=f"alliance connect gmail {teacher.address}") as told:
            work()
        assert not told.value.transient


def test_an_unreachable_token_service_is_no_matter_of_credentials(teacher: GmailWorld) -> None:
    token = json.loads(teacher.front.consented(teacher.address)) | {"token_uri": "http://127.0.0.1:9/token"}
    teacher.secrets.put(token_name(teacher.address), json.dumps(token))
    with pytest.raises(ConnectFailed) as told:
        teacher.open().check()
    assert told.value.transient


# Consent


def browser(url: str) -> str:
    """Opens a page as a browser does; the address at which it ends."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args: object, **kwargs: object) -> None:
            return None

    try:
        urllib.request.build_opener(Stay).open(url)
    except urllib.error.HTTPError as error:
        return str(error.headers["Location"])
    raise AssertionError("nobody was sent anywhere")


def test_a_teacher_agrees_in_a_browser_on_this_machine(teacher: GmailWorld) -> None:
    teacher.front.consenting = teacher.address
    shown: list[str] = []

    def show(url: str) -> None:
        shown.append(url)
        threading.Thread(target=lambda: urllib.request.urlopen(url).read(), daemon=True).start()

    token = consent_in_browser(read_client(teacher.front.client()), teacher.address, show=show)
    assert parse_qs(urlsplit(shown[0]).query)["login_hint"] == [teacher.address]
    teacher.secrets.put(token_name(teacher.address), token)
    assert any(teacher.address in fact for fact in teacher.open().check())


def test_a_teacher_agrees_on_another_machine_and_the_address_is_pasted(teacher: GmailWorld) -> None:
    teacher.front.consenting = teacher.address
    shown: list[str] = []
    token = consent_by_hand(
        read_client(teacher.front.client()),
        teacher.address,
        show=shown.append,
        ask=lambda: f"  {browser(shown[0])} \n",
    )
    teacher.secrets.put(token_name(teacher.address), token)
    assert any(teacher.address in fact for fact in teacher.open().check())


def test_an_answer_to_another_question_is_not_taken(teacher: GmailWorld) -> None:
    teacher.front.consenting = teacher.address
    client = read_client(teacher.front.client())
    mine, others = Consent(client, teacher.address), Consent(client, teacher.address)
    with pytest.raises(AuthenticationFailed, match="not the answer"):
        mine.token(browser(others.url))
    for nonsense in ("", "4/0AX4code", NOBODY_ANSWERS, "https://evil.example/?code=1&state=2", "http://[broken"):
        with pytest.raises(AuthenticationFailed, match="not the answer"):
            mine.token(nonsense)


def test_a_code_is_of_no_use_without_the_secret_that_stayed_here(teacher: GmailWorld) -> None:
    teacher.front.consenting = teacher.address
    client = read_client(teacher.front.client())
    mine, others = Consent(client, teacher.address), Consent(client, teacher.address)
    stolen = parse_qs(urlsplit(browser(others.url)).query)["code"][0]
    state = parse_qs(urlsplit(mine.url).query)["state"][0]
    with pytest.raises(AuthenticationFailed):
        mine.token(f"{NOBODY_ANSWERS}?code={stolen}&state={state}")


def test_a_teacher_who_does_not_agree_is_believed(teacher: GmailWorld) -> None:
    consent = Consent(read_client(teacher.front.client()), teacher.address)
    with pytest.raises(AuthenticationFailed, match="did not agree"):
        consent.token(browser(consent.url))


def test_nobody_who_agrees_in_time_is_told(teacher: GmailWorld) -> None:
    with pytest.raises(AuthenticationFailed, match="nobody agreed"):
        consent_in_browser(read_client(teacher.front.client()), teacher.address, show=lambda _: None, seconds=0.01)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"web": {"client_id": "1"}}', '{"installed": {"client_id": "1"}}'])
def test_a_file_that_is_no_client_for_an_app_on_a_computer_is_refused(text: str) -> None:
    with pytest.raises(AuthenticationFailed, match="Desktop app"):
        read_client(text)


def test_a_client_shows_nothing_secret(front: GmailFront) -> None:
    shown = repr(read_client(front.client()))
    assert CLIENT_ID in shown
    assert "secret" not in shown
