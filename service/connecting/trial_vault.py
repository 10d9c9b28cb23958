"""A vault for credentials on trial: what is put stays in memory until it has proven itself."""

from collections.abc import Callable, Mapping
from datetime import datetime

from config.vault import MemoryVault, Vault


class TrialVault:
    """`config.vault.Vault` over another one, which is read and, before `keep`, never written."""

    def __init__(self, below: Vault) -> None:
        """`below` is where everything goes in the end."""
        self._below = below
        self._new = MemoryVault()

    def get(self, name: str) -> str | None:
        """See `Vault.get`. What was put as an empty text is hidden."""
        found = self._new.get(name)
        return self._below.get(name) if found is None else found

    def put(self, name: str, secret: str) -> None:
        """See `Vault.put`; in memory."""
        self._new.put(name, secret)

    def forget(self, name: str) -> None:
        """See `Vault.forget`; what lies below stays."""
        self._new.forget(name)

    def names(self) -> Mapping[str, datetime]:
        """See `Vault.names`."""
        return {**self._below.names(), **self._new.names()}

    def new(self) -> list[str]:
        """The names of what is on trial."""
        return list(self._new.names())

    def keep(self, worthy: Callable[[str], bool]) -> list[str]:
        """Keeps what is on trial and `worthy` by its name. Returns the names kept. Raises ConfigError."""
        kept = [name for name in self.new() if worthy(name)]
        for name in kept:
            secret = self._new.get(name)
            if secret:
                self._below.put(name, secret)
            else:
                self._below.forget(name)
        return kept
