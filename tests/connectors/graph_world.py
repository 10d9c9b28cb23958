"""A Microsoft 365 mailbox and the people around it, for tests: the stand-in for Graph, and the teacher's Outlook."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any, Literal
from urllib.parse import urlsplit

from config.secrets import Secrets
from config.settings import Graph
from connectors.away import Absence
from connectors.contract import Marks
from connectors.graph import GraphMailbox
from connectors.graph_access import access_of, finish_device_login, start_device_login
from connectors.graph_labels import labels_in
from connectors.labels import NAMES, Label
from tests.servers.graph import GraphServer
from tests.servers.network import Network, NetworkedWorld

ELSEWHERE = "archive"
"""A folder that nobody here reads."""
_numbers = count()


def new_address() -> str:
    """A teacher who was not there before, so that a server serves many tests."""
    return f"teacher{next(_numbers)}@school.example"


def rested(server: GraphServer) -> GraphServer:
    """A server that served others, as if it had not: what they did must have been documented."""
    violations = server.violations.copy()
    server.violations.clear()
    server.faults.clear()
    server.log.clear()
    server.batches_overrun, server.batched_mime = False, "base64"
    assert violations == []
    return server


class GraphWorld(NetworkedWorld):
    """`connectors.contract.MailboxHarness` on one user of the stand-in, with application permissions unless told
    otherwise. The mail program is the stand-in's own `Box`."""

    push = False
    exact_labels = True

    def __init__(
        self,
        server: GraphServer,
        address: str = "rivera@school.example",
        *,
        auth: Literal["application", "device-code"] = "application",
        network: Network | None = None,
        secrets: Mapping[str, str] | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.server = server
        self.address = address
        self.box = server.box(address)
        self.network = network
        self.clock = clock
        self.graph = Graph(
            tenant=server.login.tenant,
            client_id=server.login.client_id,
            auth=auth,
            endpoint=server.url,
            authority=server.url,
            timeout_seconds=20,
        )
        self.secrets = Secrets.in_memory({"graph/secret": "right~secret"} if secrets is None else secrets)
        self._opened: list[GraphMailbox] = []
        if auth == "device-code":
            self.sign_in()

    def sign_in(self, user: str | None = None) -> None:
        """The teacher types the code, or somebody else does."""
        login = start_device_login(self.graph, self.address)
        finish_device_login(
            self.graph, self.secrets, login, sleep=lambda _: self.server.login.approve(user or self.address)
        )

    def open(self, through: Network | None = None, **settings: Any) -> GraphMailbox:
        network = through or self.network
        if network is not None:
            port = network.before(urlsplit(self.server.url).port or 0, "http")
            here = f"http://127.0.0.1:{port}"
            settings = {"endpoint": here, "authority": here} | settings
        graph = self.graph.model_copy(update=settings)
        access = access_of(graph, self.secrets, self.address)
        mailbox = GraphMailbox(self.address, graph, access, self.secrets, sleep=self.slept.append, clock=self.clock)
        self._opened.append(mailbox)
        return mailbox

    def close(self) -> None:
        for mailbox in self._opened:
            mailbox.close()

    def teacher_is_away(self, absence: Absence | None) -> None:
        status = "disabled" if absence is None else "alwaysEnabled" if absence.begins is None else "scheduled"
        audience = "all" if absence is None or absence.to_families else "contactsOnly"
        times = {
            name: {"dateTime": f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.0000000", "timeZone": "UTC"}
            for name, at in (
                ("scheduledStartDateTime", absence and absence.begins),
                ("scheduledEndDateTime", absence and absence.ends),
            )
            if at is not None
        }
        self.box.automatic_replies = {"status": status, "externalAudience": audience, **times}

    def deliver(self, *mimes: bytes) -> None:
        self.box.deliver(*mimes)

    def deliver_unreadable(self) -> None:
        mime = b"From: a@family.example\r\nMessage-ID: <unreadable@family.example>\r\nSubject: broken\r\n\r\nlost\r\n"
        self.box.deliver(mime, mime_fails=True)

    def teacher_sends(self, mime: bytes) -> None:
        self.box.put("sentitems", mime)

    def teacher_labels(self, message_id: str, labels: frozenset[Label]) -> None:
        ours = set(NAMES.values())
        others = [name for name in self.box.categories_of(message_id) if name not in ours]
        self.box.set_categories(message_id, [*others, *(NAMES[label] for label in labels)])

    def teacher_marks(self, message_id: str) -> None:
        self.box.mark(message_id, read=True, flagged=True)
        self.box.set_categories(message_id, [*self.box.categories_of(message_id), "Family"])

    def delete(self, message_id: str) -> None:
        self.box.delete(message_id)

    def move_away(self, message_id: str) -> None:
        self.box.move(message_id, ELSEWHERE)

    def move_back(self, message_id: str) -> None:
        self.box.move(message_id, "inbox")

    def break_cursor(self) -> None:
        self.box.forget_delta_tokens()

    def expire_token(self) -> None:
        self.server.login.expire_tokens()

    def revoke(self) -> None:
        self.server.login.secret = None
        self.server.login.revoke()

    def marks(self, message_id: str) -> Marks:
        item = self.box.find(message_id)
        others = {name for name in item.categories if name not in NAMES.values()}
        others |= {"read"} if item.is_read else set()
        others |= {"flagged"} if item.flagged else set()
        return Marks(labels_in(item.categories), frozenset(others))

    def thread_of(self, message_id: str) -> str:
        return self.box.find(message_id).conversation

    def drafts(self) -> list[bytes]:
        return self.box.drafts()

    def sent(self) -> list[bytes]:
        return self.box.sent()

    def departed(self) -> list[bytes]:
        return list(self.box.departed)
