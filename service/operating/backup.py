"""A backup: one folder with the database, the vault and the models as of one moment, and a list of what is in it.

The vault's key is never in it: who finds a backup has addresses and times, and no mailbox.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from config import ConfigError
from config.secrets import Secrets
from config.settings import Settings
from config.vault import FolderVault
from service.models import models_of
from service.operating.monitor import program_version
from store.copying import copy_in, copy_out, is_sound
from store.database import Database

_LIST = "backup.json"
_PREFIX = "alliance-"
_UNFINISHED = ".unfinished"
_DATABASE, _VAULT, _MODELS, _CONFIGURATION = "database", "vault", "models", "alliance.toml"


class BackupError(Exception):
    """A backup cannot be made or used. The text says why, and what to do."""


class Contents(BaseModel):
    """What a backup holds."""

    model_config = ConfigDict(frozen=True)

    made_at: datetime
    version: str
    """Of alliance-inbox."""
    revision: str
    """Which migration the tables have."""
    files: Mapping[str, str]
    """SHA-256 of every file, by its path in the backup."""


@dataclass(frozen=True, slots=True)
class Restored:
    """What was restored."""

    contents: Contents
    secrets: int
    """How many of the vault's secrets are there."""
    unopened: tuple[str, ...]
    """Names of those that the key at hand does not open."""


def back_up(settings: Settings, configuration: Path, environ: Mapping[str, str], folder: Path, now: datetime) -> Path:
    """Makes a backup in a new folder within `folder`, and returns it. Raises BackupError, StoreError, OSError; what was
    begun is taken away again."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    final = folder / f"{_PREFIX}{now.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    unfinished = final.with_name(final.name + _UNFINISHED)
    unfinished.mkdir(mode=0o700)
    try:
        revision = _copy(settings, configuration, environ, unfinished)
        files = dict(_checksums(unfinished))
        contents = Contents(made_at=now, version=program_version(), revision=revision, files=files)
        (unfinished / _LIST).write_text(contents.model_dump_json(indent=2) + "\n", encoding="utf-8")
        _on_disk(unfinished)
        unfinished.rename(final)
        _on_disk(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return final


def _copy(settings: Settings, configuration: Path, environ: Mapping[str, str], backup: Path) -> str:
    (backup / _DATABASE).mkdir(mode=0o700)
    database = Database.at(settings.service.database)
    try:
        if database.file is not None and not database.file.exists():
            raise BackupError(f"there is no database yet: {database.file}")
        revision = copy_out(database, backup / _DATABASE)
    finally:
        database.close()
    if not is_sound(backup / _DATABASE):
        raise BackupError("the copy of the database is damaged: look at the disks, of both places")
    models = models_of(settings.service)
    _copy_tree(_vault_folder(settings, environ), backup / _VAULT)
    _copy_tree(models.folder if models is not None else None, backup / _MODELS)
    shutil.copyfile(configuration, backup / _CONFIGURATION)
    return revision


def thin_out(folder: Path, keep: int) -> list[Path]:
    """Deletes all but the newest `keep` backups in `folder`, and returns the deleted. A folder that is no whole backup
    is neither counted nor touched."""
    whole = sorted(path for path in folder.glob(f"{_PREFIX}*Z") if (path / _LIST).is_file())
    old = whole[: max(0, len(whole) - keep)]
    for path in old:
        shutil.rmtree(path)
    return old


def contents_of(backup: Path) -> Contents:
    """What a backup holds. Raises BackupError where it is none, or not as it was made."""
    try:
        contents = Contents.model_validate(json.loads((backup / _LIST).read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        raise BackupError(f"{backup} is no backup: its list {_LIST} is missing or damaged") from error
    found = dict(_checksums(backup))
    found.pop(_LIST, None)
    changed = sorted(name for name, digest in contents.files.items() if found.get(name) != digest)
    if changed:
        raise BackupError(f"{backup} is not as it was made: {', '.join(changed[:5])} changed or missing")
    if not is_sound(backup / _DATABASE):
        raise BackupError(f"{backup}: its database is damaged")
    return contents


def restore(settings: Settings, environ: Mapping[str, str], backup: Path) -> Restored:
    """Puts a backup where the settings say that database, vault and models are. Overwrites nothing: raises BackupError
    or StoreError where something is there already, before anything is written."""
    contents = contents_of(backup)
    vault, models = _vault_folder(settings, environ), models_of(settings.service)
    places = [(backup / _VAULT, vault), (backup / _MODELS, None if models is None else models.folder)]
    for source, target in places:
        if source.is_dir() and target is None:
            raise BackupError(f"the backup has a folder {source.name}, and service.{source.name} names no place for it")
        if source.is_dir() and target is not None and target.is_dir() and any(target.iterdir()):
            raise BackupError(f"{target} is there already: move it away first")
    database = Database.at(settings.service.database)
    try:
        copy_in(database, backup / _DATABASE, contents.revision)
    finally:
        database.close()
    for source, target in places:
        if source.is_dir() and target is not None:
            _copy_tree(source, target)
    names, unopened = _secrets(settings, environ)
    return Restored(contents, names, unopened)


def _secrets(settings: Settings, environ: Mapping[str, str]) -> tuple[int, tuple[str, ...]]:
    vault = Secrets.of(settings, environ).vault
    unopened = []
    for name in vault.names():
        try:
            vault.get(name)
        except ConfigError:
            unopened.append(name)
    return len(vault.names()), tuple(unopened)


def _vault_folder(settings: Settings, environ: Mapping[str, str]) -> Path | None:
    vault = Secrets.of(settings, environ).vault
    return vault.folder if isinstance(vault, FolderVault) else None


def _copy_tree(source: Path | None, target: Path) -> None:
    if source is None or not source.is_dir():
        return
    target.mkdir(mode=0o700, parents=True, exist_ok=True)
    for path in sorted(source.rglob("*")):
        into = target / path.relative_to(source)
        if path.is_dir():
            into.mkdir(mode=0o700, exist_ok=True)
        elif path.is_file() and not path.name.startswith("."):  # a dot: somebody is just writing it
            into.touch(mode=0o600)
            shutil.copyfile(path, into)


def _checksums(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                yield path.relative_to(folder).as_posix(), hashlib.file_digest(file, "sha256").hexdigest()


def _on_disk(folder: Path) -> None:
    """Whatever was written below `folder` survives a power cut from here on, and is its owner's alone."""
    for path in [*folder.rglob("*"), folder] if folder.name.endswith(_UNFINISHED) else [folder]:
        if path.is_file():
            path.chmod(0o600)
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
