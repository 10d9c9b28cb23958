"""Every secret that a connector needs: from the environment where it is there, else from the encrypted vault."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from config.passwords import password_for, secret_from
from config.settings import MailboxSettings, Settings
from config.vault import FolderVault, MemoryVault, NoVault, Vault


@dataclass(frozen=True)
class Secrets:
    """Secrets by name, such as `gmail/service-account` or `password/rivera@maple.example`.

    Connectors may be opened by many threads: both sources can be used by all of them. Every method raises `ConfigError`
    where a source is unusable; a connector that only keeps a token for later goes on without.
    """

    environ: Mapping[str, str]
    vault: Vault

    @classmethod
    def of(cls, settings: Settings, environ: Mapping[str, str]) -> "Secrets":
        """The secrets of an installation: `environ` and the folder `service.vault`."""
        service = settings.service
        if service.vault is not None:
            return cls(environ, FolderVault(service.vault, environ))
        if "://" in service.database or service.database == ":memory:":
            return cls(environ, NoVault())
        return cls(environ, FolderVault(Path(service.database).parent / "vault", environ))

    @classmethod
    def in_memory(
        cls, contents: Mapping[str, str] | None = None, *, environ: Mapping[str, str] | None = None
    ) -> "Secrets":
        """Secrets that end with the process."""
        return cls(environ or {}, MemoryVault(contents))

    def password(self, box: MailboxSettings) -> str | None:
        """The mailbox's password: from its variable (`config.passwords.password_variable`), else `password/<address>`
        in the vault."""
        given = password_for(box, self.environ)
        return self.vault.get(f"password/{box.address}") if given is None else given.get_secret_value()

    def get(self, name: str) -> str | None:
        """The secret `name`: from the variable `secret_variable(name)` (or the file that it names with _FILE behind),
        else from the vault; None where neither has it."""
        given = secret_from(self.environ, secret_variable(name))
        return self.vault.get(name) if given is None else given

    def put(self, name: str, secret: str) -> None:
        """Keeps a secret in the vault. What the environment holds still goes before it."""
        self.vault.put(name, secret)

    def forget(self, name: str) -> None:
        """Deletes a secret from the vault."""
        self.vault.forget(name)


def secret_variable(name: str) -> str:
    """The environment variable that goes before the vault, e.g. ALLIANCE_SECRET_GRAPH_CERTIFICATE."""
    return "ALLIANCE_SECRET_" + re.sub("[^A-Z0-9]", "_", name.upper())
