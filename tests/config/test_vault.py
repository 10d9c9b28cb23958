"""Secrets are kept encrypted, in files that only the service may read, and come back whole or with a clear error."""

import threading
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from config import ConfigError
from config.secrets import Secrets, secret_variable
from config.settings import MailboxSettings
from config.vault import FolderVault, MemoryVault, Vault

NAME = "gmail/token/rivera@maple.example"
SECRET = "ya29.the token ☕"


@pytest.fixture(params=["folder", "memory"])
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Vault:
    return FolderVault(tmp_path / "credentials", {}) if request.param == "folder" else MemoryVault()


def test_what_was_put_comes_back_under_its_name_only(vault: Vault) -> None:
    vault.put(NAME, SECRET)
    vault.put("../escape", "other")
    assert (vault.get(NAME), vault.get("../escape"), vault.get("gmail")) == (SECRET, "other", None)
    assert list(vault.names()) == sorted(["../escape", NAME])


def test_putting_again_replaces_and_forgetting_ends_it(vault: Vault) -> None:
    vault.put(NAME, "old")
    vault.put(NAME, SECRET)
    assert vault.get(NAME) == SECRET
    vault.forget(NAME)
    vault.forget(NAME)
    assert vault.get(NAME) is None
    assert not vault.names()


def test_another_process_reads_what_this_one_wrote(tmp_path: Path) -> None:
    FolderVault(tmp_path / "c", {}).put(NAME, SECRET)
    assert FolderVault(tmp_path / "c", {}).get(NAME) == SECRET


def test_no_file_shows_the_secret_or_lets_others_read_it(tmp_path: Path) -> None:
    FolderVault(tmp_path / "c", {}).put(NAME, SECRET)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 2
    assert all(b"ya29" not in path.read_bytes() for path in files)
    assert [oct(path.stat().st_mode & 0o077) for path in (*files, tmp_path / "c")] == ["0o0"] * 3
    assert [path.name for path in tmp_path.rglob("..*")] == []


def test_a_key_from_the_environment_makes_no_key_file(tmp_path: Path) -> None:
    key = Fernet.generate_key().decode()
    vault = FolderVault(tmp_path / "c", {"ALLIANCE_VAULT_KEY": key})
    vault.put(NAME, SECRET)
    assert vault.get(NAME) == SECRET
    assert not vault.key_file.exists()


def test_a_new_key_before_the_old_one_opens_what_the_old_one_closed(tmp_path: Path) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    FolderVault(tmp_path / "c", {"ALLIANCE_VAULT_KEY": old}).put(NAME, SECRET)
    both = FolderVault(tmp_path / "c", {"ALLIANCE_VAULT_KEY": f"{new}\n{old}"})
    assert both.get(NAME) == SECRET
    both.put("other", "x")
    assert FolderVault(tmp_path / "c", {"ALLIANCE_VAULT_KEY": new}).get("other") == "x"


@pytest.mark.parametrize("key", ["", "short", Fernet.generate_key().decode()], ids=["none", "no key", "another"])
def test_a_lost_or_wrong_key_is_a_clear_error_that_shows_nothing(tmp_path: Path, key: str) -> None:
    first = FolderVault(tmp_path / "c", {})
    first.put(NAME, SECRET)
    kept = first.key_file.read_text().strip()
    first.key_file.unlink()
    with pytest.raises(ConfigError) as error:
        FolderVault(tmp_path / "c", {"ALLIANCE_VAULT_KEY": key}).get(NAME)
    assert "ALLIANCE_VAULT_KEY" in str(error.value) or "credentials rotate" in str(error.value)
    assert not any(secret in str(error.value) for secret in (SECRET, kept, *filter(None, [key])))


def test_a_file_in_anothers_place_is_noticed(tmp_path: Path) -> None:
    vault = FolderVault(tmp_path / "c", {})
    vault.put("password/a@maple.example", "for a")
    vault.put("password/b@maple.example", "for b")
    first, second = sorted((tmp_path / "c").iterdir())
    first.write_bytes(second.read_bytes())
    with pytest.raises(ConfigError, match="another one's"):
        vault.get("password/a@maple.example")


def test_a_full_or_forbidden_disk_is_a_clear_error_and_the_old_secret_stays(tmp_path: Path) -> None:
    vault = FolderVault(tmp_path / "c", {})
    vault.put(NAME, SECRET)
    blocked = FolderVault(tmp_path / "c" / next((tmp_path / "c").iterdir()).name / "deeper", {})
    with pytest.raises(ConfigError, match="can be written to"):
        blocked.put(NAME, "new")
    assert vault.get(NAME) == SECRET


def test_two_that_make_the_key_at_once_agree_on_one(tmp_path: Path) -> None:
    start = threading.Barrier(6)

    def put(number: int) -> None:
        start.wait()
        FolderVault(tmp_path / "c", {}).put(f"s{number}", str(number))

    (tmp_path / "c").mkdir()
    threads = [threading.Thread(target=put, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [FolderVault(tmp_path / "c", {}).get(f"s{number}") for number in range(6)] == list("012345")


def test_the_environment_goes_before_the_vault() -> None:
    variable = secret_variable("graph/secret")
    secrets = Secrets.in_memory({"graph/secret": "kept"}, environ={variable: "given"})
    assert (variable, secrets.get("graph/secret")) == ("ALLIANCE_SECRET_GRAPH_SECRET", "given")
    assert Secrets.in_memory({"graph/secret": "kept"}).get("graph/secret") == "kept"


def test_a_password_comes_from_its_variable_or_the_vault() -> None:
    box = MailboxSettings(address="r.rivera@maple.example", teacher="Ms. Rivera", password_env="RIVERA")
    kept = {"password/r.rivera@maple.example": "kept"}
    assert Secrets.in_memory(kept).password(box) == "kept"
    assert Secrets.in_memory(kept, environ={"RIVERA": "given"}).password(box) == "given"
    assert Secrets.in_memory().password(box) is None
