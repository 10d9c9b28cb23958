"""Reads the configuration: a TOML file, then the environment over it, then every check, and all faults at once."""

import os
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import EnvSettingsSource, SettingsError

from config.checks import Misfit, is_secret, mailbox_misfits, school_misfits, secrets_in, wording_misfits
from config.faults import ConfigError, Fault, KeyPath, dotted, file_fault
from config.keys import in_words, kind_at, nearest_key
from config.positions import Positions, locate
from config.settings import MailboxSettings, Misplaced, Office, OwnWording, School, Settings
from config.textfile import parse_toml, shortened

LARGEST_FILE = 5_000_000
"""Bytes; a district of ten thousand mailboxes needs a third."""
_PASSWORD_IN_URL = re.compile(r"(?<=//)[^/@]*@")
_Model = TypeVar("_Model", bound=BaseModel)


def load(path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings from the TOML file `path`, overlaid with variables such as ALLIANCE_SERVICE__DATABASE from `environ`
    (the process's environment where left out). Relative paths count from the file's folder, and come back absolute.
    Raises `ConfigError` with every fault; no fault shows a secret."""
    environ = os.environ if environ is None else environ
    source = _read(path)
    written = parse_toml(path, source)
    overlay = _from_environment(environ)
    folder = path.absolute().parent
    merged = _overlaid(written, overlay)
    misfits: list[Misfit | Fault] = [*secrets_in(written), *_misspelt(environ)]
    settings = None
    try:
        settings = Settings.model_validate({key: merged[key] for key in merged if key in Settings.model_fields})
    except ValidationError as error:
        # A list whose items are all wrong is also "too short": the items' own faults say enough.
        details = [d for d in error.errors(include_url=False) if d["type"] != "too_short" or not d["input"]]
        misfits += [_misfit(detail) for detail in details]
    misfits += [_unknown((key,)) for key in merged if key not in Settings.model_fields]
    misfits += _between(merged, folder)
    if misfits or settings is None:
        raise ConfigError(_placed(path, locate(source), overlay, misfits))
    return _with_absolute_paths(settings, folder)


def _read(path: Path) -> bytes:
    if path.is_dir():
        raise file_fault(path, "a file", advice="this is a folder; name the TOML file in it")
    try:
        with path.open("rb") as file:
            source = file.read(LARGEST_FILE + 1)
    except FileNotFoundError as error:
        advice = "`alliance init` writes one; --config or ALLIANCE_CONFIG names another"
        raise file_fault(path, "a configuration file, but there is none", advice=advice) from error
    except OSError as error:
        raise file_fault(path, f"a readable file ({error.strerror or error})") from error
    if len(source) > LARGEST_FILE:
        raise file_fault(path, f"at most {LARGEST_FILE:,} bytes")
    return source


class _Variables(EnvSettingsSource):
    """pydantic-settings' reading of the environment, from a given one."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        super().__init__(Settings)
        self.env_vars = {name.lower(): value for name, value in environ.items() if value}


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    try:
        return _Variables(environ)()
    except SettingsError as error:
        field = re.search(r'field "(\w+)"', str(error))
        name = f"ALLIANCE_{field[1].upper()}" if field else "ALLIANCE_…"
        raise ConfigError([Fault(f"environment variable {name}", "", "a JSON value")]) from error


def _misspelt(environ: Mapping[str, str]) -> Iterator[Fault]:
    """Variables that seem to mean one of our tables. Others with our prefix may belong to a connector."""
    for name in environ:
        table, nested, key = name.lower().removeprefix("alliance_").partition("__")
        if not nested or not name.upper().startswith("ALLIANCE_") or table in Settings.model_fields:
            continue
        if near := get_close_matches(table, Settings.model_fields, n=1, cutoff=0.75):
            meant = f"ALLIANCE_{near[0]}__{key}".upper()
            yield Fault(f"environment variable {name}", "", "a valid key", advice=f"the nearest is {meant}")


def _overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        under = merged.get(key)
        merged[key] = _overlaid(under, value) if isinstance(under, dict) and isinstance(value, dict) else value
    return merged


def _misfit(details: ErrorDetails) -> Misfit:
    path: KeyPath = details["loc"]
    kind = details["type"]
    cause = details.get("ctx", {}).get("error")
    if kind == "extra_forbidden":
        return _unknown(path)
    if isinstance(cause, Misplaced):
        return Misfit((*path, *cause.key), str(cause))
    if cause is not None:
        return Misfit(path, str(cause).replace(" is expected", ""), _shown(path, details["input"]))
    if kind == "missing":
        return Misfit(path, in_words(kind_at(path)), "nothing")
    if kind in {"literal_error", "enum"} or kind.endswith(("_type", "_parsing", "_from_float")):
        return Misfit(path, in_words(kind_at(path)), _shown(path, details["input"]))
    expected = re.sub(r"^.*? should (be|have) ", "", details["msg"]).replace(" after validation, not 0", "")
    return Misfit(path, expected, _shown(path, details["input"]))


def _unknown(path: KeyPath) -> Misfit:
    return Misfit(path, "a valid key", f'"{path[-1]}"', nearest_key(path))


def _shown(path: KeyPath, value: object) -> str | None:
    """What was found, as TOML writes it; None where it might be a secret, or a person would not know it again."""
    if any(isinstance(part, str) and is_secret(part.removesuffix("_env")) for part in path):
        return None
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{shortened(_PASSWORD_IN_URL.sub("…@", value))}"'
    return shortened(str(value))


def _between(merged: Mapping[str, Any], folder: Path) -> Iterator[Misfit | Fault]:
    """The checks between settings, over those parts that are right by themselves."""
    school, office = _part(School, merged.get("school")), _part(Office, merged.get("office"))
    if school:
        yield from school_misfits(_with_absolute_paths(school, folder), office)
    wording = _part(OwnWording, merged.get("wording", {}))
    if wording:
        yield from wording_misfits(_with_absolute_paths(wording, folder))
    listed = merged.get("mailboxes")
    boxes = [
        (place, _part(MailboxSettings, item)) for place, item in enumerate(listed if isinstance(listed, list) else [])
    ]
    right = [(place, box) for place, box in boxes if box]
    yield from mailbox_misfits(right, imap="imap" in merged, smtp="smtp" in merged)


def _part(model: type[_Model], value: object) -> _Model | None:
    try:
        return model.model_validate(value)
    except ValidationError:
        return None


def _placed(
    path: Path, positions: Positions, overlay: Mapping[str, Any], misfits: list[Misfit | Fault]
) -> Iterator[Fault]:
    seen: set[KeyPath] = set()
    faults: list[Fault] = []
    for misfit in misfits:
        if isinstance(misfit, Fault):
            faults.append(misfit)
        elif misfit.key not in seen:
            seen.add(misfit.key)
            line = positions.line_of(misfit.key)
            variable = _variable_of(misfit.key, overlay)
            origin, line_or_none = (f"environment variable {variable}", None) if variable else (str(path), line)
            faults.append(Fault(origin, dotted(misfit.key), misfit.expected, line_or_none, misfit.found, misfit.advice))
    return iter(sorted(faults, key=lambda fault: (fault.origin != str(path), fault.origin, fault.line or 0)))


def _variable_of(key: KeyPath, overlay: Mapping[str, Any]) -> str | None:
    """The environment variable that a key's value came from, None where it came from the file."""
    value: Any = overlay
    names: list[str] = []
    for part in key:
        if not isinstance(value, dict):
            break
        if part not in value:
            return None
        value = value[part]
        names.append(str(part).upper())
    return "ALLIANCE_" + "__".join(names)


def _with_absolute_paths(model: _Model, folder: Path) -> _Model:
    changes: dict[str, Any] = {}
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, Path):
            changes[name] = folder / value.expanduser()
        elif isinstance(value, BaseModel):
            changes[name] = _with_absolute_paths(value, folder)
        elif isinstance(value, tuple) and any(isinstance(item, BaseModel) for item in value):
            changes[name] = tuple(_with_absolute_paths(item, folder) for item in value)
        elif name == "database" and "://" not in value and value != ":memory:":
            changes[name] = str(folder / Path(value).expanduser())
    return model.model_copy(update=changes)
