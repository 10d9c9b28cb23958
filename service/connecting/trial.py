"""From answers to tries: the configuration as it would be, credentials on trial, every permission used."""

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col

from config import ConfigError, Settings, load
from config.faults import file_fault
from config.secrets import Secrets
from config.settings import MailboxSettings
from connectors.registry import open_mailbox
from service.connecting.asking import System
from service.connecting.trial_vault import TrialVault
from service.connecting.trying import Tried, try_mailbox
from service.parking import service_box
from store.database import Database, Shape, StoreError
from store.tables import MailboxState

_CACHES = ("graph/cache", "exchange/cache")
_OF_ITSELF = re.compile(r"(\w+/cache|gmail/labels/.*)")
"""What connectors keep by themselves."""
_PROVEN = frozenset({"gmail/client"})
"""What has shown that it is right before any mailbox is tried: with it, somebody agreed."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The configuration file as it would be: a finished file beside the real one, gone unless it is kept."""

    path: Path
    fresh: Path
    before: str
    """What the real file said."""

    def load(self, environ: Mapping[str, str]) -> Settings:
        """The settings in it. Raises ConfigError, with faults placed in the real file."""
        try:
            return load(self.fresh, environ)
        except ConfigError as error:
            placed = [
                replace(fault, origin=fault.origin.replace(str(self.fresh), str(self.path))) for fault in error.faults
            ]
            raise ConfigError(placed) from error

    def keep(self) -> None:
        """Puts it in the real one's place, for the same people to read. Raises ConfigError; where somebody changed the
        real one meanwhile, too."""
        try:
            if self.path.read_bytes() != self.before.encode():
                advice = "somebody changed it meanwhile: do this again"
                raise file_fault(self.path, "the file as it was read", advice=advice)
            file = self.path.stat()
            self.fresh.chmod(file.st_mode & 0o7777)
            with suppress(PermissionError):
                os.chown(self.fresh, file.st_uid, file.st_gid)
            self.fresh.replace(self.path)
        except OSError as error:
            raise file_fault(self.path, f"a file that can be written ({error.strerror or error})") from error


@contextmanager
def drafted(path: Path, before: str, text: str) -> Iterator[Draft]:
    """`text` as a file beside `path`, which says `before`. Raises ConfigError where none can be made."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.absolute().parent)  # mode 0600
    except OSError as error:
        raise file_fault(path, f"a folder that can be written to ({error.strerror or error})") from error
    fresh = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        yield Draft(path, fresh, before)
    finally:
        fresh.unlink(missing_ok=True)


def boxes_on_trial(
    settings: Settings, wanted: Sequence[MailboxSettings], *, all_of: str | None
) -> list[MailboxSettings]:
    """The mailboxes as a run would open them. Where `all_of` names a system, the mailbox that notices and sign-in links
    are sent from is one of them if it is of that system."""
    notices = service_box(settings)
    found = [
        notices if notices is not None and box.address == notices.address else settings.mailbox(box.address)
        for box in wanted
    ]
    if notices is not None and notices.connector == all_of and notices.address not in {box.address for box in found}:
        found.append(notices)
    return found


def on_trial(settings: Settings, environ: Mapping[str, str]) -> tuple[Secrets, TrialVault]:
    """The installation's secrets, with a vault that keeps nothing yet. Tokens that were got earlier are not there: they
    would hide a secret that is wrong."""
    secrets = Secrets.of(settings, environ)
    vault = TrialVault(secrets.vault)
    for name in _CACHES:
        vault.put(name, "")
    return Secrets(environ, vault), vault


def try_all(
    system: System,
    settings: Settings,
    boxes: Sequence[MailboxSettings],
    secrets: Secrets,
    *,
    send_test_to: str | None,
    clock: Callable[[], datetime],
    progress: Callable[[str], None],
) -> list[Tried]:
    """Tries these mailboxes, one after the other. `progress` is told which. Raises nothing."""
    recorded = _recorded(settings)
    tried = []
    for number, box in enumerate(boxes, start=1):
        progress(f"trying {box.address} ({number} of {len(boxes)})" if len(boxes) > 1 else f"trying {box.address}")
        means = replace(
            system.means(settings, box, secrets), recorded=box.address in recorded, send_test_to=send_test_to
        )
        tried.append(
            try_mailbox(lambda box=box: open_mailbox(box, settings, secrets), box.address, means, clock())  # type: ignore[misc]
        )
    return tried


@dataclass(frozen=True, slots=True)
class Kept:
    """Names of secrets that were asked for: those that are stored now, and those that are not."""

    stored: tuple[str, ...]
    refused: tuple[str, ...]


def keep_worthy(vault: TrialVault, tried: Sequence[Tried]) -> Kept:
    """Keeps what was not refused: a mistyped password must not take a good one's place. Raises ConfigError."""
    refused = {mailbox.address for mailbox in tried if mailbox.refused}
    all_refused = len(refused) == len(tried)

    def worthy(name: str) -> bool:
        of = next((mailbox.address for mailbox in tried if name.endswith(f"/{mailbox.address}")), None)
        if name in _PROVEN:
            return True
        return not all_refused if of is None else of not in refused

    stored = vault.keep(worthy)
    told = [name for name in vault.new() if not _OF_ITSELF.fullmatch(name)]
    return Kept(tuple(name for name in told if name in stored), tuple(name for name in told if name not in stored))


def _recorded(settings: Settings) -> frozenset[str]:
    """The mailboxes that the service has on record already."""
    try:
        database = Database.at(settings.service.database)
        if database.file is not None and not database.file.exists():
            return frozenset()
        try:
            if database.shape() in {Shape.EMPTY, Shape.NEWER}:
                return frozenset()
            with database.read() as connection:
                return frozenset(connection.execute(select(col(MailboxState.address))).scalars())
        finally:
            database.close()
    except (StoreError, SQLAlchemyError):
        # Nobody knows: as if all were, so that no label looks like a teacher's correction.
        return frozenset(box.address for box in settings.mailboxes)
