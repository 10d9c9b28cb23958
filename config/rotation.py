"""Changing a vault's key: at every moment, each of its files opens with a key that is there."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from config.faults import ConfigError, Fault, file_fault
from config.vault import KEY_VARIABLE, FolderVault, write_whole

OnStep = Callable[[str], None]
"""Told of each step as soon as it stands."""


@dataclass(frozen=True, slots=True)
class Rotated:
    """What was done. `key_file` is where the new key is; None where it was in the environment already."""

    secrets: int
    key_file: Path | None


def _no_step(step: str) -> None:
    del step


def rotate(vault: FolderVault, *, on_step: OnStep = _no_step) -> Rotated:
    """Encrypts every secret of the vault with a new key. Broken off anywhere, everything can still be read, and doing
    it again goes through with it.

    The new key comes first in the key file, before the old ones; then every secret is written anew; then the old keys
    go. A key in ALLIANCE_VAULT_KEY is not ours to change: there, the first of several keys is the new one. Raises
    ConfigError.
    """
    file = _key_file(vault)
    old = vault.keys()
    if not old:
        raise file_fault(vault.key_file, "a key to change", advice="`alliance connect` makes one with the first secret")
    if file is None and len(old) < 2:
        advice = "put a new one before the old one, a comma between them, restart the service, and do this again"
        raise ConfigError([Fault(f"environment variable {KEY_VARIABLE}", "", "two keys", advice=advice)])
    new = Fernet.generate_key().decode() if file is not None else old[0]
    try:
        with vault.held(alone=True):
            if file is not None:
                write_whole(file, _lines(new, *vault.keys()))
            on_step("both keys")
            cipher = MultiFernet([Fernet(key) for key in dict.fromkeys((new, *vault.keys()))])
            files = vault.files()
            for path in files:
                _written_anew(path, cipher)
                on_step("secret")
            if file is not None:
                write_whole(file, _lines(new))
            on_step("new key only")
    except OSError as error:
        raise file_fault(vault.folder, f"a folder that can be written to ({error.strerror or error})") from error
    return Rotated(len(files), file)


def _key_file(vault: FolderVault) -> Path | None:
    """The file that the key is in; None where the environment holds it."""
    if vault.environ.get(KEY_VARIABLE):
        return None
    named = vault.environ.get(f"{KEY_VARIABLE}_FILE")
    return Path(named) if named else vault.key_file


def _written_anew(path: Path, cipher: MultiFernet) -> None:
    written = path.stat()
    try:
        write_whole(path, cipher.rotate(path.read_bytes()))
    except InvalidToken as error:
        advice = "delete it, or put the key that it was written with behind the others; the old keys are still there"
        raise file_fault(path, "a secret that this vault's key opens", advice=advice) from error
    os.utime(path, ns=(written.st_atime_ns, written.st_mtime_ns))  # the secret is as old as it was


def _lines(*keys: str) -> bytes:
    return "".join(f"{key}\n" for key in keys).encode()
