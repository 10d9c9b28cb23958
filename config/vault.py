"""Secrets at rest: one encrypted file each, in a folder that only the service may read (Fernet, `cryptography`)."""

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, unquote

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from config.faults import ConfigError, Fault, file_fault
from config.passwords import secret_from

KEY_VARIABLE = "ALLIANCE_VAULT_KEY"
_ENDING = ".secret"


class Vault(Protocol):
    """Keeps secrets by name."""

    def get(self, name: str) -> str | None:
        """The secret, None where there is none of this name. Raises ConfigError where it cannot be read."""
        ...

    def put(self, name: str, secret: str) -> None:
        """Keeps a secret, whole or not at all. Raises ConfigError where it cannot be written."""
        ...

    def forget(self, name: str) -> None:
        """Deletes a secret; one that does not exist is no error."""
        ...

    def names(self) -> Mapping[str, datetime]:
        """Every secret's name, and since when it has been there (UTC)."""
        ...


class MemoryVault:
    """A vault that ends with the process: for tests, and for trying credentials before they are kept."""

    def __init__(self, contents: Mapping[str, str] | None = None) -> None:
        self._contents = dict(contents or {})
        self._since = datetime.now(UTC)

    def get(self, name: str) -> str | None:
        """See `Vault.get`."""
        return self._contents.get(name)

    def put(self, name: str, secret: str) -> None:
        """See `Vault.put`."""
        self._contents[name] = secret

    def forget(self, name: str) -> None:
        """See `Vault.forget`."""
        self._contents.pop(name, None)

    def names(self) -> Mapping[str, datetime]:
        """See `Vault.names`."""
        return dict.fromkeys(sorted(self._contents), self._since)


class NoVault(MemoryVault):
    """There is nowhere to keep secrets: nothing is in it, and nothing can be put there."""

    def put(self, name: str, secret: str) -> None:
        """Raises ConfigError."""
        del secret
        advice = f"it is where {name} would be kept, encrypted"
        raise ConfigError([Fault("the configuration", "service.vault", "a folder", found="nothing", advice=advice)])


@dataclass(frozen=True)
class FolderVault:
    """A vault in a folder. Its keys come from ALLIANCE_VAULT_KEY (or the file that ALLIANCE_VAULT_KEY_FILE names), else
    from a key file beside the folder, which the first `put` makes. Several keys, one a line: the first encrypts, all
    decrypt, so that a key can be changed without a gap."""

    folder: Path
    environ: Mapping[str, str]

    @property
    def key_file(self) -> Path:
        """Where the key is where the environment holds none."""
        return self.folder.with_name(f"{self.folder.name}.key")

    def get(self, name: str) -> str | None:
        """See `Vault.get`."""
        path = self._path(name)
        try:
            opened = self._opened(path)
        except InvalidToken:
            try:
                opened = self._opened(path)  # between its two reads, the key may have been changed
            except InvalidToken as error:
                advice = f"give the key that it was written with ({KEY_VARIABLE} or {self.key_file}), or connect anew"
                raise file_fault(path, "a secret that this vault's key opens", advice=advice) from error
        if opened is None:
            return None
        if not isinstance(opened, dict) or opened.get("name") != name:
            raise file_fault(path, f"the secret {name}, and it is another one's", advice="connect anew")
        return str(opened["secret"])

    def put(self, name: str, secret: str) -> None:
        """See `Vault.put`."""
        # The name is sealed in: a file put in another's place is noticed.
        content = json.dumps({"name": name, "secret": secret}).encode()
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self.held():
                write_whole(self._path(name), self._cipher(make=True).encrypt(content))
        except OSError as error:
            raise file_fault(self.folder, f"a folder that can be written to ({error.strerror or error})") from error

    def forget(self, name: str) -> None:
        """See `Vault.forget`."""
        try:
            if self.folder.is_dir():
                with self.held():
                    self._path(name).unlink(missing_ok=True)
        except OSError as error:
            raise file_fault(self._path(name), f"a file that can be deleted ({error.strerror or error})") from error

    def names(self) -> Mapping[str, datetime]:
        """See `Vault.names`."""
        return {
            unquote(path.name.removesuffix(_ENDING)): datetime.fromtimestamp(path.stat().st_mtime, UTC)
            for path in self.files()
        }

    def files(self) -> list[Path]:
        """The files that secrets are in, in order of their names."""
        return sorted(self.folder.glob(f"*{_ENDING}"))

    def keys(self) -> list[str]:
        """The keys in use, the encrypting one first; none where none was made yet. Raises ConfigError."""
        given = secret_from(self.environ, KEY_VARIABLE)
        if given is None:
            try:
                given = self.key_file.read_text(encoding="ascii")
            except FileNotFoundError:
                return []
            except (OSError, ValueError) as error:
                raise file_fault(self.key_file, "a readable file with this vault's key") from error
        return given.replace(",", " ").split()

    @contextmanager
    def held(self, *, alone: bool = False) -> Iterator[None]:
        """Keeps the key from being changed while a secret is written; `alone`, the other way round. Raises OSError."""
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
            yield
        finally:
            os.close(folder)

    def _opened(self, path: Path) -> Any:
        """What a file holds, None where there is none. Raises InvalidToken."""
        try:
            sealed = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise file_fault(path, f"a readable file ({error.strerror or error})") from error
        return json.loads(self._cipher(make=False).decrypt(sealed))

    def _path(self, name: str) -> Path:
        return self.folder / f"{quote(name, safe='@')}{_ENDING}"

    def _cipher(self, *, make: bool) -> MultiFernet:
        keys = self.keys()
        if not keys and make:
            _write_first(self.key_file, Fernet.generate_key() + b"\n")
            keys = self.keys()
        if not keys:
            raise file_fault(self.key_file, "this vault's key", advice=f"put it back, or set {KEY_VARIABLE}")
        try:
            return MultiFernet([Fernet(key) for key in keys])
        except ValueError as error:
            where = KEY_VARIABLE if KEY_VARIABLE in self.environ else str(self.key_file)
            advice = "`alliance credentials rotate` makes one"
            raise ConfigError([Fault(where, "", "a key of 32 bytes in URL-safe base64", advice=advice)]) from error


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file whole or not at all, readable by its owner only. Raises OSError."""
    with _beside(path, content) as fresh:
        fresh.replace(path)
        _sync_folder(path.parent)


def _write_first(path: Path, content: bytes) -> None:
    """The same, where somebody else may be doing so: the first one's content stays."""
    with _beside(path, content) as fresh:
        try:
            os.link(fresh, path)
        except FileExistsError:
            return
        _sync_folder(path.parent)


@contextmanager
def _beside(path: Path, content: bytes) -> Iterator[Path]:
    """A finished file beside `path`, gone at the end unless it was moved."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # mode 0600
    fresh = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield fresh
    finally:
        fresh.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
