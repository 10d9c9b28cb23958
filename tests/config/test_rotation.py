"""A vault's key is changed without a gap: whatever breaks it off, every secret can still be read."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cryptography.fernet import Fernet, InvalidToken

from config import ConfigError
from config.rotation import rotate
from config.vault import FolderVault

ROOT = Path(__file__).parents[2]
SECRETS = {f"password/t{number}@maple.example": f"correct horse {number}" for number in range(5)}
WRITES = 2 + len(SECRETS)
"""Files that one change of the key replaces."""

_KILLED = """
import os, signal, sys
from pathlib import Path
from config.rotation import rotate
from config.vault import FolderVault
folder, number, when = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
replace, seen = Path.replace, 0
def dying(self, target):
    global seen
    seen += 1
    if seen == number and when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    moved = replace(self, target)
    if seen == number:
        os.kill(os.getpid(), signal.SIGKILL)
    return moved
Path.replace = dying
rotate(FolderVault(folder, {}))
"""
_AGAIN_AND_AGAIN = """
import sys
from pathlib import Path
from config.rotation import rotate
from config.vault import FolderVault
for _ in range(20):
    rotate(FolderVault(Path(sys.argv[1]), {}))
"""


@pytest.fixture
def vault(tmp_path: Path) -> FolderVault:
    made = FolderVault(tmp_path / "vault", {})
    for name, secret in SECRETS.items():
        made.put(name, secret)
    return made


def contents(vault: FolderVault) -> dict[str, str | None]:
    """Every secret, read by another process's eyes."""
    fresh = FolderVault(vault.folder, {})
    return {name: fresh.get(name) for name in fresh.names()}


def opens(vault: FolderVault, key: str) -> int:
    """How many files a key opens."""
    cipher = Fernet(key)
    return sum(_decrypts(cipher, path.read_bytes()) for path in vault.files())


def _decrypts(cipher: Fernet, sealed: bytes) -> bool:
    try:
        return bool(cipher.decrypt(sealed))
    except InvalidToken:
        return False


def test_afterwards_only_the_new_key_opens_anything_and_every_secret_is_as_old_as_it_was(vault: FolderVault) -> None:
    (old,) = vault.keys()
    os.utime(vault.files()[0], (1_700_000_000, 1_700_000_000))
    since = vault.names()
    done = rotate(vault)
    (new,) = vault.keys()
    assert (done.secrets, done.key_file) == (5, vault.key_file)
    assert contents(vault) == SECRETS
    assert (opens(vault, old), opens(vault, new)) == (0, 5)
    assert vault.names() == since
    assert [oct(path.stat().st_mode & 0o077) for path in (*vault.files(), vault.key_file)] == ["0o0"] * 6


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("number", range(1, WRITES + 1))
def test_killed_at_any_write_every_secret_can_be_read_and_the_next_time_goes_through(
    vault: FolderVault, number: int, when: str
) -> None:
    (old,) = vault.keys()
    command = [sys.executable, "-c", _KILLED, str(vault.folder), str(number), when]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
    assert contents(vault) == SECRETS
    rotate(vault)
    assert contents(vault) == SECRETS
    assert len(vault.keys()) == 1
    assert opens(vault, old) == 0


def test_what_others_write_and_forget_meanwhile_is_neither_lost_nor_brought_back(vault: FolderVault) -> None:
    stop, failures = threading.Event(), list[Exception]()

    def busy(number: int) -> None:
        count = 0
        mine, name = FolderVault(vault.folder, {}), f"gmail/token/t{number}@maple.example"
        while not stop.is_set():
            count += 1
            try:
                mine.put(name, str(count))
                assert mine.get(name) == str(count)
                mine.forget(name)
                assert mine.get(name) is None
                assert mine.get(f"password/t{number}@maple.example") == f"correct horse {number}"
            except (AssertionError, ConfigError) as error:
                failures.append(error)
                return

    threads = [threading.Thread(target=busy, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(8):
        rotate(vault)
    stop.set()
    for thread in threads:
        thread.join(30)
    assert failures == []
    assert contents(vault) == SECRETS


def test_two_processes_that_change_the_key_at_once_lose_no_secret(vault: FolderVault) -> None:
    command = [sys.executable, "-c", _AGAIN_AND_AGAIN, str(vault.folder)]
    two = [subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    reads = 0
    while reads < 3 or any(process.poll() is None for process in two):
        assert contents(vault) == SECRETS
        vault.put("password/t0@maple.example", SECRETS["password/t0@maple.example"])
        reads += 1
    assert [(process.wait(30), process.stderr.read()) for process in two if process.stderr] == [(0, "")] * 2
    assert contents(vault) == SECRETS
    (key,) = vault.keys()
    assert opens(vault, key) == len(SECRETS)


def test_a_key_in_the_environment_is_changed_there_first(vault: FolderVault) -> None:
    (old,) = vault.keys()
    one = FolderVault(vault.folder, {"ALLIANCE_VAULT_KEY": old})
    with pytest.raises(ConfigError, match="two keys") as refused:
        rotate(one)
    assert old not in str(refused.value)
    new = Fernet.generate_key().decode()
    both = FolderVault(vault.folder, {"ALLIANCE_VAULT_KEY": f"{new},{old}"})
    assert rotate(both).key_file is None
    assert (opens(vault, new), opens(vault, old)) == (5, 0)


def test_a_key_file_that_the_environment_names_is_changed_itself(vault: FolderVault, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.key"
    vault.key_file.rename(elsewhere)
    named = FolderVault(vault.folder, {"ALLIANCE_VAULT_KEY_FILE": str(elsewhere)})
    (old,) = named.keys()
    assert rotate(named).key_file == elsewhere
    assert named.keys() != [old]
    assert {name: named.get(name) for name in named.names()} == SECRETS


def test_a_secret_that_no_key_opens_ends_it_with_both_keys_in_place(vault: FolderVault) -> None:
    (old,) = vault.keys()
    (vault.folder / "password%2Fzzz.secret").write_bytes(Fernet(Fernet.generate_key()).encrypt(b"{}"))
    with pytest.raises(ConfigError, match="zzz"):
        rotate(vault)
    kept = vault.keys()
    assert old in kept
    assert {name: vault.get(name) for name in SECRETS} == SECRETS


def test_a_vault_without_a_key_has_nothing_to_change(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="a key to change"):
        rotate(FolderVault(tmp_path / "vault", {}))
