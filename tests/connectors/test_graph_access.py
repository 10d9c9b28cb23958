"""Signing in to Microsoft 365: with a secret, with a certificate, as a teacher; and what is said of each refusal."""

import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from config.faults import ConfigError, Fault
from config.secrets import Secrets
from config.settings import Graph, MailboxSettings, Settings
from config.vault import MemoryVault
from connectors import graph_http
from connectors.backoff import Patience
from connectors.contract.mails import family_mail
from connectors.contract.reader import Reader
from connectors.errors import (
    AuthenticationFailed,
    ConnectFailed,
    InsecureConnection,
    MailboxError,
    PermissionDenied,
    Throttled,
)
from connectors.graph import GraphMailbox
from connectors.graph_access import access_of, finish_device_login, start_device_login
from connectors.graph_clouds import cloud_of, same_origin
from connectors.graph_errors import sign_in_failed
from connectors.registry import open_mailbox
from tests.connectors.graph_world import GraphWorld
from tests.servers.graph import GraphServer, running

TOKEN = "/{tenant}/token"


@pytest.fixture
def server() -> Iterator[GraphServer]:
    with running() as server:
        yield server


def certificate(common_name: str = "alliance") -> tuple[str, x509.Certificate]:
    """A PEM text with key and certificate, and the certificate that is uploaded to Entra."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return (private + made.public_bytes(serialization.Encoding.PEM)).decode(), made


@pytest.fixture
def trusting(server: GraphServer, monkeypatch: pytest.MonkeyPatch) -> Graph:
    """Settings that reach the server over TLS, by its authority."""
    context = ssl.create_default_context(cafile=str(server.certificates.authority))
    monkeypatch.setattr(graph_http, "_trusted", lambda: context)
    return Graph(
        tenant=server.login.tenant,
        client_id=server.login.client_id,
        endpoint=server.secure_url,
        authority=server.secure_url,
    )


@pytest.fixture
def school() -> Settings:
    return Settings.model_validate(
        {
            "school": {"name": "Maple", "timezone": "America/Chicago"},
            "office": {"address": "office@school.example", "phone": "555-0100"},
            "mailboxes": [{"address": "rivera@school.example", "teacher": "Ms. Rivera", "connector": "graph"}],
        }
    )


class TestApplication:
    def test_a_certificate_signs_in_over_tls(self, server: GraphServer, trusting: Graph) -> None:
        pem, public = certificate()
        server.login.certificates.append(public)
        server.login.secret = None
        secrets = Secrets.in_memory({"graph/certificate": pem})
        world = GraphWorld(server)
        world.deliver(family_mail(1, world.address))
        mailbox = GraphMailbox(world.address, trusting, access_of(trusting, secrets, world.address), secrets)
        assert len(Reader(mailbox).sync()) == 1
        assert server.login.asked == ["client_credentials"]

    def test_a_certificate_that_was_not_uploaded_is_refused_with_advice(
        self, server: GraphServer, trusting: Graph
    ) -> None:
        secrets = Secrets.in_memory({"graph/certificate": certificate()[0], "graph/secret": "right~secret"})
        with pytest.raises(AuthenticationFailed, match=r"AADSTS700027.*Upload its public half.*Certificates & secrets"):
            access_of(trusting, secrets, "a@school.example").token(Patience())

    @pytest.mark.parametrize("pem", ["nonsense", "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----"])
    def test_a_certificate_that_is_none_is_named(self, server: GraphServer, trusting: Graph, pem: str) -> None:
        with pytest.raises(AuthenticationFailed, match="graph/certificate is not a PEM"):
            access_of(trusting, Secrets.in_memory({"graph/certificate": pem}), "a@school.example")

    def test_a_server_whose_certificate_does_not_verify_gets_no_token(self, server: GraphServer) -> None:
        graph = Graph(
            tenant=server.login.tenant,
            client_id=server.login.client_id,
            endpoint=server.secure_url,
            authority=server.secure_url,
        )
        secrets = Secrets.in_memory({"graph/secret": "right~secret"})
        mailbox = GraphMailbox("a@school.example", graph, access_of(graph, secrets, "a@school.example"), secrets)
        with pytest.raises(InsecureConnection, match="does not verify"):
            mailbox.check()
        assert server.log == []

    def test_all_mailboxes_of_a_tenant_share_one_token(self, server: GraphServer) -> None:
        worlds = [GraphWorld(server, f"t{number}@school.example") for number in range(8)]
        failed: list[MailboxError] = []

        def read(world: GraphWorld) -> None:
            try:
                Reader(world.open()).sync()
            except MailboxError as error:
                failed.append(error)

        threads = [threading.Thread(target=read, args=(world,)) for world in worlds]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert server.login.asked == ["client_credentials"]

    def test_a_token_that_expires_for_all_at_once_is_renewed_once(self, server: GraphServer) -> None:
        worlds = [GraphWorld(server, f"t{number}@school.example") for number in range(4)]
        readers = [Reader(world.open()) for world in worlds]
        for reader in readers:
            reader.sync()
        server.login.expire_tokens()
        for reader in readers:
            assert reader.sync() == []
        assert server.login.asked == ["client_credentials"] * 2

    def test_the_token_is_kept_in_the_vault_for_the_next_start(
        self, server: GraphServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = GraphWorld(server)
        world.open().check()
        assert "AccessToken" in (world.secrets.get("graph/cache") or "")
        monkeypatch.setattr("connectors.graph_access._shared", {})  # another process
        world.open().check()
        assert server.login.asked == ["client_credentials"]

    def test_a_vault_that_holds_rubbish_is_no_hindrance(self, server: GraphServer) -> None:
        world = GraphWorld(server, secrets={"graph/secret": "right~secret", "graph/cache": "{rubbish"})
        assert world.open().check()

    def test_a_vault_that_fails_later_stops_no_mail_and_raises_nothing_of_its_own(self, server: GraphServer) -> None:
        class Failing(MemoryVault):
            def get(self, name: str) -> str | None:
                if name.startswith(("graph/cache", "graph/token")):
                    raise ConfigError([Fault("the vault", name, "a disk that is there")])
                return super().get(name)

            def put(self, name: str, secret: str) -> None:
                raise ConfigError([Fault("the vault", name, "a disk that is there")])

        world = GraphWorld(server)
        world.secrets = Secrets({}, Failing({"graph/secret": "right~secret"}))
        assert world.open().check()
        with pytest.raises(AuthenticationFailed, match="a disk that is there"):
            world.open(auth="device-code").check()

    def test_a_secret_that_was_exchanged_is_used_at_the_next_opening(self, server: GraphServer) -> None:
        world = GraphWorld(server)
        world.open().check()
        world.revoke()
        with pytest.raises(AuthenticationFailed):
            world.open().check()
        server.login.secret = "another~secret"
        world.secrets.put("graph/secret", "another~secret")
        assert world.open().check()

    def test_an_authority_that_is_busy_is_given_time(self, server: GraphServer) -> None:
        world = GraphWorld(server)
        server.fail(429, on=f"POST {TOKEN}", retry_after="9", times=2)
        assert world.open().check()
        assert world.slept == [9.0, 9.0]

    def test_an_authority_that_stays_busy_is_left_to_the_runner(self, server: GraphServer) -> None:
        world = GraphWorld(server)
        server.fail(503, on=f"POST {TOKEN}", retry_after="100", times=None)
        with pytest.raises(Throttled) as caught:
            world.open().check()
        assert caught.value.retry_after == 100

    def test_an_authority_that_cannot_be_reached_is_no_refusal(self, server: GraphServer) -> None:
        world = GraphWorld(server)
        with pytest.raises(ConnectFailed):
            world.open(authority="http://127.0.0.1:1").check()

    def test_without_any_credential_opening_says_how_to_store_one(self, server: GraphServer) -> None:
        with pytest.raises(AuthenticationFailed, match="alliance connect graph"):
            GraphWorld(server, secrets={}).open()


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "told"),
        [
            ({"secret": "other"}, r"AADSTS7000215.*not its id"),
            ({"expired_secret": True}, r"AADSTS7000222.*expired.*new one"),
            ({"client_id": "other"}, r"AADSTS700016.*client_id"),
            ({"tenant": "other"}, r"tenant"),
        ],
    )
    def test_entra_refusals_say_what_to_do(self, server: GraphServer, change: dict[str, object], told: str) -> None:
        world = GraphWorld(server)
        for name, value in change.items():
            setattr(server.login, name, value)
        with pytest.raises(AuthenticationFailed, match=told) as caught:
            world.open().check()
        assert "right~secret" not in str(caught.value)

    @pytest.mark.parametrize(
        ("code", "told"),
        [(65001, "Grant admin consent"), (50034, "does not exist"), (50076, "second factor"), (53003, "Conditional")],
    )
    def test_every_common_code_has_its_own_advice(self, code: int, told: str) -> None:
        assert told in str(sign_in_failed("a@school.example", [code], "invalid_grant"))

    def test_an_unknown_code_is_named_with_the_page_that_explains_it(self) -> None:
        assert "AADSTS123456" in str(sign_in_failed("a@school.example", [123456], "x"))
        assert "login.microsoftonline.com/error" in str(sign_in_failed("a@school.example", [123456], "x"))
        assert "<b>" not in str(sign_in_failed("a@school.example", [], "<b>words of others</b>"))

    @pytest.mark.parametrize("right", ["Mail.ReadWrite", "Mail.Send"])
    def test_check_names_the_right_that_lacks_and_where_it_is_given(self, server: GraphServer, right: str) -> None:
        server.login.rights.discard(right)
        server.login.rights.add("Mail.Read")
        with pytest.raises(PermissionDenied) as caught:
            GraphWorld(server).open().check()
        for told in (
            f"Needed: {right}.",
            "New-ServicePrincipal",
            f'New-ManagementRoleAssignment -App <client id> -Role "Application {right}"',
            "API permissions",
        ):
            assert told in str(caught.value)

    def test_a_teacher_outside_the_scope_is_told_from_the_others(self, server: GraphServer) -> None:
        world, other = GraphWorld(server), GraphWorld(server, "okafor@school.example")
        world.box.excluded = True
        with pytest.raises(PermissionDenied, match=r"scope's group holds rivera@school\.example"):
            world.open().changes(None)
        assert other.open().check()

    def test_a_mailbox_on_a_server_of_the_school_is_sent_to_the_other_connector(self, server: GraphServer) -> None:
        world = GraphWorld(server)
        world.box.enabled = False
        with pytest.raises(AuthenticationFailed, match='connector = "exchange"'):
            world.open().check()

    def test_a_user_that_the_tenant_does_not_have_is_named(self, server: GraphServer) -> None:
        world = GraphWorld(server)
        world.address = "nobody@school.example"
        with pytest.raises(AuthenticationFailed, match=r"nobody@school\.example: the tenant has no such user"):
            world.open().check()

    def test_where_not_even_the_inbox_is_found_there_is_no_such_user(self, server: GraphServer) -> None:
        world = GraphWorld(server)
        server.fail(404, "ResourceNotFound", on="GET /users/{user}/mailFolders/{folder}", times=None)
        for ask in (world.open().check, lambda: world.open().changes(None)):
            with pytest.raises(AuthenticationFailed, match="no such user"):
                ask()

    def test_check_tries_each_right_and_leaves_no_trace(self, server: GraphServer) -> None:
        world = GraphWorld(server)
        facts = world.open().check()
        assert any("Mail.Send" in fact for fact in facts)
        assert (world.box.items, world.box.categories, world.departed()) == ({}, [], [])


class TestTeacher:
    def test_a_teacher_signs_in_once_and_the_token_is_renewed_without_them(self, server: GraphServer) -> None:
        world = GraphWorld(server, auth="device-code")
        world.deliver(family_mail(1, world.address))
        reader = Reader(world.open())
        assert len(reader.sync()) == 1
        world.expire_token()
        assert reader.sync() == []
        assert server.login.asked[-1] == "refresh_token"
        kept = world.secrets.get(f"graph/token/{world.address}")
        assert kept
        assert Reader(world.open()).sync()

    def test_who_signs_in_is_asked_and_a_stranger_is_refused(self, server: GraphServer) -> None:
        server.box("principal@school.example")
        world = GraphWorld(server)
        world.graph = world.graph.model_copy(update={"auth": "device-code"})
        with pytest.raises(AuthenticationFailed, match=r"signed in as principal@school\.example, and not"):
            world.sign_in("principal@school.example")
        assert world.secrets.get(f"graph/token/{world.address}") is None

    def test_the_login_tells_page_and_code_and_waits_between_its_questions(self, server: GraphServer) -> None:
        world = GraphWorld(server)
        login = start_device_login(world.graph, world.address)
        assert login.page.startswith("https://")
        assert login.code == server.login.codes[-1].user_code
        waited: list[float] = []

        def sleep(seconds: float) -> None:
            waited.append(seconds)
            if len(waited) == 3:
                server.login.approve(world.address)

        finish_device_login(world.graph, world.secrets, login, sleep=sleep)
        assert waited == [login.interval] * 3

    def test_a_code_that_nobody_types_runs_out(self, server: GraphServer) -> None:
        world = GraphWorld(server)
        login = start_device_login(world.graph, world.address)
        late = login.expires_at + timedelta(seconds=1)
        with pytest.raises(AuthenticationFailed, match="in time"):
            finish_device_login(world.graph, world.secrets, login, sleep=world.slept.append, clock=lambda: late)

    def test_a_teacher_who_declines_is_taken_at_their_word(self, server: GraphServer) -> None:
        world = GraphWorld(server)
        login = start_device_login(world.graph, world.address)
        server.login.decline()
        with pytest.raises(AuthenticationFailed, match="AADSTS70018"):
            finish_device_login(world.graph, world.secrets, login)

    def test_a_mailbox_nobody_signed_in_to_says_so(self, server: GraphServer) -> None:
        world = GraphWorld(server)
        mailbox = world.open(auth="device-code")
        with pytest.raises(AuthenticationFailed, match="nobody has signed in"):
            mailbox.check()
        world.graph = world.graph.model_copy(update={"auth": "device-code"})
        world.sign_in()
        assert mailbox.check()

    def test_a_sign_in_that_was_taken_back_says_who_has_to_do_what(self, server: GraphServer) -> None:
        world = GraphWorld(server, auth="device-code")
        mailbox = world.open()
        mailbox.check()
        server.login.revoke()
        with pytest.raises(AuthenticationFailed, match=r"AADSTS50173.*signs in again with alliance connect graph"):
            mailbox.check()


class TestClouds:
    @pytest.mark.parametrize(
        ("cloud", "endpoint", "authority"),
        [
            ("global", "https://graph.microsoft.com", "https://login.microsoftonline.com"),
            ("us-government", "https://graph.microsoft.us", "https://login.microsoftonline.us"),
            ("us-defense", "https://dod-graph.microsoft.us", "https://login.microsoftonline.us"),
            ("china", "https://microsoftgraph.chinacloudapi.cn", "https://login.partner.microsoftonline.cn"),
        ],
    )
    def test_each_cloud_has_its_own_addresses(self, cloud: str, endpoint: str, authority: str) -> None:
        found = cloud_of(Graph.model_validate({"tenant": "t", "client_id": "c", "cloud": cloud}))
        assert (found.base, found.authority, found.resource) == (f"{endpoint}/v1.0", authority, endpoint)

    @pytest.mark.parametrize("url", ["http://graph.example", "http://127.0.0.1.evil.example", "ftp://localhost"])
    def test_a_token_is_never_shown_in_clear(self, url: str) -> None:
        for name in ("endpoint", "authority"):
            graph = Graph.model_validate({"tenant": "t", "client_id": "c", name: url})
            with pytest.raises(InsecureConnection):
                cloud_of(graph)

    @pytest.mark.parametrize(
        "link",
        [
            "https://graph.microsoft.com.evil.example/v1.0/x",
            "https://graph.microsoft.com@evil.example/v1.0/x",
            "https://graph.microsoft.com:444/v1.0/x",
            "http://graph.microsoft.com/v1.0/x",
            "https://user@graph.microsoft.com/v1.0/x",
            "https://graph.microsoft.com/v1.0/../beta/x",
            "https://graph.microsoft.com/beta/x",
            "//graph.microsoft.com/v1.0/x",
            "https://graph.microsoft.com:x/v1.0/x",
            "",
        ],
    )
    def test_only_links_to_the_same_place_are_the_same_origin(self, link: str) -> None:
        assert not same_origin(link, "https://graph.microsoft.com/v1.0")
        assert same_origin("https://GRAPH.microsoft.com/v1.0/users('a')?x=1", "https://graph.microsoft.com/v1.0")


class TestOpening:
    def test_the_registry_opens_it_by_name(self, server: GraphServer, school: Settings) -> None:
        world = GraphWorld(server)
        world.deliver(family_mail(1, world.address))
        box = MailboxSettings(address=world.address, teacher="Ms. Rivera", connector="graph")
        settings = school.model_copy(update={"graph": world.graph})
        mailbox = open_mailbox(box, settings, world.secrets)
        assert len(Reader(mailbox).sync()) == 1
        mailbox.close()

    def test_without_a_section_in_the_settings_it_says_which_one_lacks(self, school: Settings) -> None:
        box = MailboxSettings(address="a@school.example", teacher="Ms. Rivera", connector="graph")
        with pytest.raises(AuthenticationFailed, match=r"\[graph\]"):
            open_mailbox(box, school, Secrets.in_memory())
