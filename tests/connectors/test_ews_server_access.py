"""The stand-in for Exchange Server: who is let in, what it refuses, and what goes wrong when a test orders it."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msal
import pytest
import requests
from exchangelib import (
    BASIC,
    IMPERSONATION,
    NTLM,
    OAUTH2,
    Account,
    Configuration,
    Credentials,
    Identity,
    Message,
    OAuth2AuthorizationCodeCredentials,
)
from exchangelib.autodiscover.protocol import AutodiscoverProtocol
from exchangelib.errors import (
    ErrorAccessDenied,
    ErrorImpersonateUserDenied,
    ErrorInternalServerError,
    ErrorMailboxMoveInProgress,
    ErrorMailboxStoreUnavailable,
    ErrorNonExistentMailbox,
    ErrorServerBusy,
    ErrorTimeoutExpired,
    TransportError,
    UnauthorizedError,
)
from exchangelib.protocol import FailFast
from lxml import etree
from oauthlib.oauth2 import OAuth2Token
from requests_ntlm import HttpNtlmAuth

from tests.connectors.ews_client import (
    OFFICE,
    TEACHER,
    answer,
    ask,
    codes,
    forgetting,
    get_folder,
    get_item,
    mail,
    mail_id,
    sign_in,
    trusting,
)
from tests.servers.certificates import make_certificates
from tests.servers.ews import (
    ACT_AND_CUT,
    CLIENT,
    CUT,
    CUT_IN_THE_MIDDLE,
    HANG,
    PASSWORD,
    SECRET,
    SERVICE,
    ExchangeServer,
    Violated,
    busy,
    failing,
    item_failing,
    running,
    unavailable,
)
from tests.servers.ews.schema import FOLDER, schema
from tests.servers.ews.soap import M, Refused, T, element


@pytest.fixture
def server() -> Iterator[ExchangeServer]:
    with running(TEACHER, OFFICE) as made, forgetting():
        yield made


_WHOLE = (
    f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:m="{M[1:-1]}" xmlns:t="{T[1:-1]}">'
    f"<s:Body>{get_folder()}</s:Body></s:Envelope>"
)


# Signing in


@pytest.mark.parametrize("auth", [BASIC, NTLM])
@pytest.mark.parametrize("user", [TEACHER, r"SCHOOL\rivera"])
def test_a_teacher_signs_in_with_the_right_password_alone(server: ExchangeServer, auth: str, user: str) -> None:
    assert sign_in(server, user, auth=auth).inbox.name == "Inbox"
    with pytest.raises(UnauthorizedError):
        _ = sign_in(server, user, "wrong horse", auth=auth).inbox


@pytest.mark.parametrize("auth", [BASIC, NTLM])
def test_a_changed_password_and_a_locked_account_end_what_was_signed_in(server: ExchangeServer, auth: str) -> None:
    account = sign_in(server, auth=auth)
    account.inbox.refresh()
    server.account(TEACHER).password = "another horse battery"
    with pytest.raises(UnauthorizedError):
        account.inbox.refresh()
    account = sign_in(server, password="another horse battery", auth=auth)
    account.inbox.refresh()
    server.account(TEACHER).locked = True
    with pytest.raises(UnauthorizedError):
        account.inbox.refresh()


def test_ntlm_signs_in_a_connection_and_only_that_one(server: ExchangeServer) -> None:
    with requests.Session() as session, requests.Session() as other:
        session.auth = HttpNtlmAuth(TEACHER, PASSWORD)
        for _ in range(3):
            assert _post(session, server).status_code == 200
        assert server.refused == 2, "the question and the challenge, once"
        assert _post(other, server).status_code == 401


def test_an_ntlm_answer_to_another_challenge_is_refused(server: ExchangeServer) -> None:
    overheard: list[str] = []
    with requests.Session() as session:
        session.auth = HttpNtlmAuth(TEACHER, PASSWORD)
        overheard.append(str(_post(session, server).request.headers["Authorization"]))
    with requests.Session() as thief:
        assert _post(thief, server, overheard[0]).status_code == 401
        greeting = base64.b64encode(b"NTLMSSP\0\x01\0\0\0\x07\x82\x08\xa2" + b"\0" * 16).decode()
        challenge = _post(thief, server, f"NTLM {greeting}")
        assert challenge.headers["WWW-Authenticate"].startswith("NTLM TlRMTVNTUAAC")
        assert _post(thief, server, overheard[0]).status_code == 401
        assert _post(thief, server, "NTLM bm90IGEgbWVzc2FnZQ==").status_code == 401


def _post(session: requests.Session, server: ExchangeServer, authorization: str | None = None) -> requests.Response:
    headers = {"Content-Type": "text/xml"} | ({"Authorization": authorization} if authorization else {})
    return session.post(server.url, _WHOLE.encode(), headers=headers, timeout=60)


def test_over_tls_ntlm_is_bound_to_the_connection(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    with running(TEACHER, certificates=certificates, extended_protection=True) as server, forgetting():
        with trusting(str(certificates.authority)):
            assert sign_in(server, auth=NTLM).inbox.name == "Inbox"
        unbound = HttpNtlmAuth(TEACHER, PASSWORD)
        unbound._get_server_cert = lambda response: None
        assert ask(server, get_folder(), auth=unbound, verify=str(certificates.authority)).status_code == 401


def test_a_server_of_an_unknown_authority_is_not_trusted(tmp_path: Path) -> None:
    with running(TEACHER, certificates=make_certificates(tmp_path)) as server, forgetting():
        with pytest.raises(TransportError, match="certificate verify failed"):
            _ = sign_in(server).inbox
        assert server.requests == []


def test_only_the_ways_to_sign_in_that_are_offered_are_taken() -> None:
    with running(TEACHER, kinds=("ntlm",)) as server:
        response = ask(server, get_folder())
        assert (response.status_code, response.headers["WWW-Authenticate"]) == (401, "NTLM")


def test_an_application_gets_a_token_that_is_good_until_it_expires(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    trusted = str(certificates.authority)
    with running(TEACHER, certificates=certificates) as server, forgetting(), trusting(trusted):
        token = _application(server, SECRET, trusted)["access_token"]
        credentials = OAuth2AuthorizationCodeCredentials(
            access_token=OAuth2Token({"access_token": token}), identity=Identity(primary_smtp_address=TEACHER)
        )
        account = sign_in(server, credentials=credentials, auth=OAUTH2, access=IMPERSONATION)
        assert account.inbox.name == "Inbox"
        assert (server.requests[-1].account, server.requests[-1].mailbox) == (CLIENT, TEACHER)
        bearer = {"auth": None, "headers": {"Authorization": f"Bearer {token}"}, "verify": trusted}
        nobody = codes(ask(server, get_folder(), **bearer))
        assert nobody == ["ErrorInvalidExchangeImpersonationHeaderData"], "an application has no mailbox of its own"
        server.expire_tokens()
        late = ask(server, get_folder(), **bearer)
        assert (late.status_code, "expired" in late.headers["x-ms-diagnostics"]) == (401, True)
        assert _application(server, "wrong", trusted)["error"] == "invalid_client"


def _application(server: ExchangeServer, secret: str, trusted: str) -> Any:
    with requests.Session() as session:
        session.trust_env, session.verify = False, trusted  # REQUESTS_CA_BUNDLE would be stronger than `verify`
        application = msal.ConfidentialClientApplication(
            CLIENT, client_credential=secret, authority=server.authority, instance_discovery=False, http_client=session
        )
        return application.acquire_token_for_client([f"{server.url}/.default"])


# Rights


def test_the_service_account_acts_as_every_mailbox_that_it_may(server: ExchangeServer) -> None:
    server.box(TEACHER).deliver(mail(1))
    account = sign_in(server, SERVICE, access=IMPERSONATION)
    assert account.inbox.total_count == 1
    assert {(asked.account, asked.mailbox) for asked in server.requests} == {(SERVICE, TEACHER)}
    server.account(SERVICE).impersonates = {OFFICE}
    with pytest.raises(ErrorImpersonateUserDenied):
        account.inbox.refresh()
    with pytest.raises(ErrorNonExistentMailbox):
        _ = sign_in(server, SERVICE, access=IMPERSONATION, address="nobody@school.example").inbox


def test_a_teacher_acts_as_nobody_else_and_opens_no_other_mailbox(server: ExchangeServer) -> None:
    with pytest.raises(ErrorImpersonateUserDenied):
        _ = sign_in(server, access=IMPERSONATION, address=OFFICE).inbox
    with pytest.raises(ErrorAccessDenied):
        _ = sign_in(server, address=OFFICE).inbox
    (id_,) = server.box(OFFICE).deliver(mail(1))
    assert codes(ask(server, get_item(id_))) == ["ErrorAccessDenied"]
    server.account(TEACHER).sees_all = True
    assert codes(ask(server, get_folder(of=OFFICE))) == ["NoError"]


# The schema as a judge


@pytest.mark.parametrize(
    ("request_", "header", "why"),
    [
        ("<m:GetFolder/>", "", "Missing child element"),
        (get_folder().replace("inbox", "postbox"), "", "postbox"),
        (get_item("AAMk").replace("IdOnly", "Everything"), "", "Everything"),
        (get_folder(), '<t:RequestServerVersion Version="Exchange2099"/>', "Exchange2099"),
        (get_folder(), "<t:ExchangeImpersonation/>", "ConnectingSID"),
        ("<m:GetFolders/>", "", "No matching global declaration"),
        ("<GetFolder xmlns='urn:x'/>", "", "not an element of EWS"),
    ],
)
def test_a_request_that_exchange_would_not_take_fails_the_test_that_sent_it(
    request_: str, header: str, why: str
) -> None:
    with pytest.raises(Violated, match=why), running(TEACHER) as server:
        assert codes(ask(server, request_, header=header)) == ["ErrorSchemaValidation"]


@pytest.mark.parametrize(
    ("document", "why"),
    [
        ("no XML", "not XML"),
        (f'<!DOCTYPE x [<!ENTITY a "b">]>{_WHOLE}', "document type"),
        (f'<!DOCTYPE x SYSTEM "file:///etc/passwd">{_WHOLE}', "document type"),
        ('<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body/></s:Envelope>', "0 elements"),
        ('<Envelope xmlns="http://www.w3.org/2003/05/soap-envelope"/>', "no SOAP 1.1"),
    ],
)
def test_what_is_no_soap_is_refused_and_fails_the_test(document: str, why: str) -> None:
    with pytest.raises(Violated, match=why), running(TEACHER) as server:
        assert codes(requests.post(server.url, document, auth=(TEACHER, PASSWORD), timeout=60)) == [
            "ErrorInvalidRequest"
        ]


def test_an_answer_that_exchange_would_not_give_fails_the_test() -> None:
    with pytest.raises(Violated, match="GetItemResponse"), running(TEACHER) as server:
        server.document(element(f"{M}GetItemResponse"))
    with pytest.raises(Violated, match="ErrorOfNobody"), running(TEACHER) as server:
        server.refusal(Refused("ErrorOfNobody"))


def test_an_operation_that_the_stand_in_lacks_fails_the_test() -> None:
    with pytest.raises(Violated, match="GetPasswordExpirationDate"), running(TEACHER) as server:
        assert codes(ask(server, "<m:GetPasswordExpirationDate/>")) == ["ErrorInvalidOperation"]


def test_a_failure_of_the_stand_in_itself_fails_the_test() -> None:
    with pytest.raises(Violated, match="a watcher that fails"), running(TEACHER) as server:
        assert codes(ask(_failing(server), _save_draft())) == ["ErrorInternalServerError"]


def _failing(server: ExchangeServer) -> ExchangeServer:
    def watcher(*_: object) -> None:
        raise LookupError("a watcher that fails")

    server.watch(watcher)
    return server


def _save_draft() -> str:
    content = base64.b64encode(answer()).decode()
    return (
        '<m:CreateItem MessageDisposition="SaveOnly"><m:Items><t:Message>'
        f"<t:MimeContent>{content}</t:MimeContent></t:Message></m:Items></m:CreateItem>"
    )


def test_the_schemas_are_those_that_microsoft_published() -> None:
    published = Path(__file__).parents[2].parent / "shared" / "ews-schema"
    if not published.is_dir():
        pytest.skip("the published schemas do not lie beside this checkout")
    ours = {file.name: file.read_bytes() for file in FOLDER.glob("*.xsd")}
    assert ours == {file.name: file.read_bytes() for file in published.glob("*.xsd")}


def test_the_schema_judges_what_lies_deep_within_a_message() -> None:
    item = element(f"{M}CreateItem", {"MessageDisposition": "SaveOnly"})
    items = etree.SubElement(item, f"{M}Items")
    message = etree.SubElement(items, f"{T}Message")
    etree.SubElement(message, f"{T}Subject").text = "A"
    assert schema().complaint(item) is None
    etree.SubElement(message, f"{T}MimeContent").text = "QQ=="
    assert "MimeContent" in (schema().complaint(item) or ""), "MimeContent comes before Subject"


# What goes wrong


def test_a_busy_server_says_how_long_to_wait_and_only_as_often_as_ordered(server: ExchangeServer) -> None:
    inbox = sign_in(server).inbox
    server.order(busy(5000), "GetFolder", times=2, skip=1)
    inbox.refresh()
    for _ in range(2):
        with pytest.raises(ErrorServerBusy) as caught:
            inbox.refresh()
        assert caught.value.back_off == 5
    inbox.refresh()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ErrorMailboxMoveInProgress", ErrorMailboxMoveInProgress),
        ("ErrorMailboxStoreUnavailable", ErrorMailboxStoreUnavailable),
        ("ErrorTimeoutExpired", ErrorTimeoutExpired),
        ("ErrorInternalServerError", ErrorInternalServerError),
    ],
)
def test_exchange_fails_with_the_error_that_was_ordered(server: ExchangeServer, code: str, error: type) -> None:
    inbox = sign_in(server).inbox
    server.order(failing(code), address=OFFICE)
    inbox.refresh()
    server.order(failing(code), address=TEACHER)
    with pytest.raises(error):
        inbox.refresh()
    inbox.refresh()


def test_a_mailbox_that_is_being_moved_refuses_everything_until_it_is_there(server: ExchangeServer) -> None:
    box = server.box(TEACHER)
    (id_,) = box.deliver(mail(1))
    box.trouble("ErrorMailboxMoveInProgress")
    assert codes(ask(server, get_item(id_))) == ["ErrorMailboxMoveInProgress"]
    assert codes(ask(server, _save_draft())) == ["ErrorMailboxMoveInProgress"]
    box.trouble(None)
    assert codes(ask(server, get_item(id_))) == ["NoError"]


@pytest.mark.parametrize("retry_after", [None, "7"])
def test_the_load_balancer_answers_instead_of_exchange(server: ExchangeServer, retry_after: str | None) -> None:
    server.order(unavailable(retry_after), "*")
    response = ask(server, get_folder())
    assert (response.status_code, response.headers.get("Retry-After")) == (503, retry_after)
    assert ask(server, get_folder()).status_code == 200


def test_one_thing_of_a_request_fails_as_ordered(server: ExchangeServer) -> None:
    ids = server.box(TEACHER).deliver(mail(1), mail(2))
    server.order(item_failing("ErrorItemCorrupt", ids[1]), "GetItem")
    assert codes(ask(server, get_item(*ids))) == ["NoError", "ErrorItemCorrupt"]
    assert codes(ask(server, get_item(*ids))) == ["NoError", "NoError"]


@pytest.mark.parametrize("trouble", [CUT, ACT_AND_CUT, CUT_IN_THE_MIDDLE])
def test_the_line_breaks_before_an_answer_or_within_it(server: ExchangeServer, trouble: Any) -> None:
    box = server.box(TEACHER)
    server.order(trouble, "CreateItem")
    with pytest.raises(requests.exceptions.RequestException):
        ask(server, _save_draft())
    assert len(box.drafts()) == (0 if trouble is CUT else 1)
    assert codes(ask(server, _save_draft())) == ["NoError"]


def test_what_is_to_become_of_a_message_must_be_said(server: ExchangeServer) -> None:
    (id_,) = server.box(TEACHER).deliver(mail(1))
    path = '<t:FieldURI FieldURI="message:IsRead"/>'
    change = f'<t:ItemChange><t:ItemId Id="{id_}"/><t:Updates><t:DeleteItemField>{path}</t:DeleteItemField></t:Updates>'
    update = (
        '<m:UpdateItem ConflictResolution="AlwaysOverwrite"><m:ItemChanges>'
        f"{change}</t:ItemChange></m:ItemChanges></m:UpdateItem>"
    )
    for request in (update, _save_draft().replace(' MessageDisposition="SaveOnly"', "")):
        assert codes(ask(server, request)) == ["ErrorMessageDispositionRequired"]


def test_a_draft_can_be_sent_though_its_sender_never_learns_it(server: ExchangeServer) -> None:
    box = server.box(TEACHER)
    account = sign_in(server)
    draft = Message(account=account, folder=account.drafts, mime_content=answer()).save()
    server.order(ACT_AND_CUT, "SendItem")
    with pytest.raises(ErrorTimeoutExpired):
        draft.send()
    assert (len(box.departed), box.drafts(), len(box.sent())) == (1, [], 1)


def test_a_server_that_hangs_lets_the_client_run_into_its_own_timeout(server: ExchangeServer) -> None:
    server.order(HANG, "GetFolder")
    with pytest.raises(requests.exceptions.ReadTimeout):
        ask(server, get_folder(), timeout=0.2)
    assert codes(ask(server, get_folder())) == ["NoError"]


def test_orders_are_called_off(server: ExchangeServer) -> None:
    server.order(failing("ErrorTimeoutExpired"), times=None)
    for _ in range(3):
        assert codes(ask(server, get_folder())) == ["ErrorTimeoutExpired"]
    server.behave()
    assert codes(ask(server, get_folder())) == ["NoError"]


def test_a_restarted_server_holds_what_it_held_on_the_same_port(server: ExchangeServer) -> None:
    box = server.box(TEACHER)
    box.deliver(mail(1))
    before = server.url
    server.stop()
    with pytest.raises(requests.exceptions.ConnectionError):
        ask(server, get_folder())
    server.start()
    assert server.url == before
    assert sign_in(server).inbox.total_count == 1
    assert box.item(mail_id(1)).is_read is False


# Being found


def test_soap_autodiscover_names_the_server_of_an_address(server: ExchangeServer) -> None:
    url = server.url.replace("/EWS/Exchange.asmx", "/autodiscover/autodiscover.svc")
    protocol = AutodiscoverProtocol(
        config=Configuration(
            service_endpoint=url, credentials=Credentials(TEACHER, PASSWORD), auth_type=BASIC, retry_policy=FailFast()
        )
    )
    found = protocol.get_user_settings(TEACHER)
    assert (found.ews_url, found.autodiscover_smtp_address) == (server.url, TEACHER)
    with pytest.raises(ErrorNonExistentMailbox):
        protocol.get_user_settings("nobody@school.example").raise_errors()


def test_plain_autodiscover_names_the_server_of_an_address_and_asks_who_wants_to_know(server: ExchangeServer) -> None:
    url = server.url.replace("/EWS/Exchange.asmx", "/Autodiscover/Autodiscover.xml")
    asked = (
        '<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request>'
        f"<EMailAddress>{TEACHER}</EMailAddress></Request></Autodiscover>"
    )
    assert requests.post(url, asked, timeout=60).status_code == 401
    answered = etree.fromstring(requests.post(url, asked, auth=(TEACHER, PASSWORD), timeout=60).content)
    assert {one.text for one in answered.iter("{*}EwsUrl")} == {server.url}
    unknown = asked.replace(TEACHER, "nobody@school.example")
    refused = etree.fromstring(requests.post(url, unknown, auth=(TEACHER, PASSWORD), timeout=60).content)
    assert refused.findtext(".//{*}ErrorCode") == "500"


@pytest.mark.parametrize(("version", "build"), [("2016", "15.1.2507.39"), ("2019", "15.2.1544.11")])
def test_answers_tell_the_servers_version(version: str, build: str) -> None:
    with running(TEACHER, version=version) as server, forgetting():
        account = Account(
            TEACHER,
            config=Configuration(
                service_endpoint=server.url, credentials=Credentials(TEACHER, PASSWORD), max_connections=1
            ),
        )
        assert account.protocol.auth_type == NTLM
        assert str(account.protocol.version.build) == build
        assert account.inbox.name == "Inbox"


def test_the_log_tells_what_was_asked_by_whom_and_what_became_of_it(server: ExchangeServer) -> None:
    ask(server, get_item("nonsense"))
    (asked,) = server.requests
    assert (asked.operation, asked.account, asked.mailbox) == ("GetItem", TEACHER, TEACHER)
    assert (asked.outcome, asked.things) == ("ErrorInvalidIdMalformed", 1)
