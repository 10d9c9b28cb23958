"""Passwords and other secrets out of the environment, or out of files that it names."""

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
    """The mailbox's password from `password_variable`; None where it is not set. Raises `ConfigError`."""
    password = secret_from(environ, password_variable(box))
    if password is not None and "\n" in password:
        name = f"{password_variable(box)}_FILE"
        raise _fault(name, f"one line, the password of {box.address}", f"look at {environ.get(name)}")
    return None if password is None else SecretStr(password)


def secret_from(environ: Mapping[str, str], name: str) -> str | None:
    """A secret from the environment variable `name`, or from the file that the same name with _FILE behind it names;
    None where neither is set. A file's last line break does not count. Raises `ConfigError` where both are set, or the
    file cannot be read or is empty."""
    direct, path = environ.get(name), environ.get(f"{name}_FILE")
    if direct and path:
        raise _fault(name, f"either {name} or {name}_FILE, not both", "unset one of them")
    if direct or not path:
        return direct or None
    try:
        secret = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise _fault(f"{name}_FILE", "a readable file with the secret", f"{path}: {why}") from error
    secret = secret.removesuffix("\n").removesuffix("\r")
    if not secret:
        raise _fault(f"{name}_FILE", "a file that holds a secret, and it is empty", f"look at {path}")
    return secret


def _fault(name: str, expected: str, advice: str) -> ConfigError:
    return ConfigError([Fault(f"environment variable {name}", "", expected, advice=advice)])
