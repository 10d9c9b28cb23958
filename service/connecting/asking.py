"""What connecting a mail system is told and asks: options, the configuration as it stands, and the person."""

import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from config.secrets import Secrets
from config.settings import MailboxSettings, Service, Settings
from service.connecting.trying import Means
from service.questions import Questions, for_field

_Table = TypeVar("_Table", bound=BaseModel)


class NotPossible(Exception):
    """Connecting cannot go on. The text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Given:
    """What was said in options; None or empty where it was not. Secrets are never among them, only files."""

    addresses: tuple[str, ...] = ()
    teacher: str | None = None
    auth: str | None = None
    username: str | None = None
    password_file: str | None = None
    imap_host: str | None = None
    smtp_host: str | None = None
    maildir: str | None = None
    outgoing: str | None = None
    key_file: str | None = None
    client_file: str | None = None
    browser: bool = True
    topic: str | None = None
    subscription: str | None = None
    tenant: str | None = None
    client_id: str | None = None
    cloud: str | None = None
    certificate_file: str | None = None
    secret_file: str | None = None
    notification_url: str | None = None
    endpoint: str | None = None
    impersonation: bool | None = None
    authority: str | None = None
    ca_file: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """The configuration file as it stands; it need not be whole yet."""

    raw: Mapping[str, Any]

    @classmethod
    def of(cls, source: str) -> "Known":
        """Raises tomllib.TOMLDecodeError."""
        return cls(tomllib.loads(source))

    def table(self, name: str, model: type[_Table]) -> _Table | None:
        """A table of the file; None where it lacks or is not valid."""
        try:
            return model.model_validate(self.raw[name])
        except (KeyError, ValidationError):
            return None

    @property
    def notices_from(self) -> str | None:
        """The mailbox that notices are sent from: it is none of a teacher's, and listed nowhere."""
        service = self.table("service", Service)
        return None if service is None else service.notices_from

    def boxes(self) -> list[MailboxSettings]:
        """The mailboxes that are listed and valid."""
        found: list[MailboxSettings] = []
        for entry in self.raw.get("mailboxes", []):
            try:
                found.append(MailboxSettings.model_validate(entry))
            except ValidationError:
                continue
        return found


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to stand in the configuration."""

    tables: Mapping[str, BaseModel]
    boxes: tuple[MailboxSettings, ...]
    """The mailboxes to connect, as they are to be."""


@dataclass(frozen=True, slots=True)
class Asking:
    """The conversation."""

    questions: Questions
    given: Given
    known: Known
    say: Callable[[str], None]
    """Shows a paragraph to the person."""
    explained: set[str] = field(default_factory=set)

    def field(
        self,
        table: BaseModel | None,
        model: type[BaseModel],
        name: str,
        question: str,
        *,
        default: str | None = None,
        always: bool = False,
    ) -> Any:
        """The value of a key: from its option, else as it stands in the file, else asked for. `always` asks even where
        the file has it, since a person may want to change it."""
        given: str | None = getattr(self.given, name)
        stands = getattr(table, name, None) if table is not None else None
        if given is None and stands is not None and not always:
            return stands
        option = "--" + name.replace("_", "-")
        shown = default if stands is None else str(stands)
        return self.questions.answer(option, question, for_field(model, name), given=given, default=shown)


class System(Protocol):
    """One mail system: what it needs, and what is known of it."""

    name: str
    """The connector's."""

    def wanted(self, ask: Asking, boxes: tuple[MailboxSettings, ...]) -> Wanted:
        """Asks for what stands in the configuration. No secret."""
        ...

    def credentials(self, ask: Asking, settings: Settings, boxes: Sequence[MailboxSettings], secrets: Secrets) -> None:
        """Asks for secrets and puts them into `secrets`. Raises NotPossible, MailboxError, ConfigError."""
        ...

    def means(self, settings: Settings, box: MailboxSettings, secrets: Secrets) -> Means:
        """What is known of a mailbox before it is tried."""
        ...


def boxes_to_connect(ask: Asking, connector: str) -> tuple[MailboxSettings, ...]:
    """The mailboxes that were named, else those that the file lists for this system, else one that is asked for."""
    listed = {box.address: box for box in ask.known.boxes()}
    check = for_field(MailboxSettings, "address")
    named = [ask.questions.answer("--address", "Address", check, given=address) for address in ask.given.addresses]
    if not named:
        named = [box.address for box in listed.values() if box.connector == connector]
    if not named:
        only = next(iter(listed)) if len(listed) == 1 else None
        named = [ask.questions.answer("--address", "Address of the teacher's mailbox", check, default=only)]
    return tuple(_box(ask, listed, address, connector) for address in dict.fromkeys(named))


def _box(ask: Asking, listed: Mapping[str, MailboxSettings], address: str, connector: str) -> MailboxSettings:
    if address in listed:
        return listed[address].model_copy(update={"connector": connector})
    if address == ask.known.notices_from:
        return MailboxSettings(address=address, teacher="Alliance Inbox", connector=connector)
    teacher = ask.questions.answer(
        "--teacher",
        f"{address} is new. The teacher's name as families use it",
        for_field(MailboxSettings, "teacher"),
        given=ask.given.teacher,
    )
    return MailboxSettings(address=address, teacher=teacher, connector=connector)


def readable(path: str) -> Path:
    """A path as the person gave it."""
    return Path(path).expanduser()
