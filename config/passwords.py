"""Passwords, which come from the environment or from files it names, and from nowhere else."""

import re
from collections.abc import Mapping
from pathlib import Path

from pydantic import SecretStr

from config.faults import ConfigError, Fault
from config.settings import MailboxSettings


def password_variable(box: MailboxSettings) -> str:
    """Name of the environment variable that holds the mailbox's password."""
    return box.password_env or "ALLIANCE_PASSWORD_" + re.sub("[^A-Z0-9]", "_", box.address.upper())


def password_for(box: MailboxSettings, environ: Mapping[str, str]) -> SecretStr | None:
    """The mailbox's password from `password_variable`, or from the file that the same name with _FILE behind it names;
    None where neither is set. A file's last line break does not count. Raises `ConfigError` where both are set, or the
    file cannot be read or is empty."""
    name = password_variable(box)
    direct, path = environ.get(name), environ.get(f"{name}_FILE")
    if direct and path:
        raise _fault(name, f"either {name} or {name}_FILE, not both", f"unset one of them for {box.address}")
    if direct or not path:
        return SecretStr(direct) if direct else None
    try:
        password = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise _fault(f"{name}_FILE", f"a readable file with the password of {box.address}", f"{path}: {why}") from error
    password = password.removesuffix("\n").removesuffix("\r")
    if not password or "\n" in password:
        raise _fault(f"{name}_FILE", f"one line, the password of {box.address}", f"look at {path}")
    return SecretStr(password)


def _fault(name: str, expected: str, advice: str) -> ConfigError:
    return ConfigError([Fault(f"environment variable {name}", "", expected, advice=advice)])
