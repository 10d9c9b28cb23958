"""What must hold between settings, beyond each one's own type: pure, except that named files are looked at."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.metadata import entry_points
from urllib.parse import urlsplit

from config.calendar import SchoolCalendar
from config.faults import ConfigError, Fault, KeyPath
from config.passwords import password_variable
from config.settings import MailboxSettings, Office, OwnWording, School, Stage, addresses_used_twice

BUILT_IN = frozenset({"exchange", "gmail", "graph", "imap", "maildir"})
SECRET_WORDS = ("password", "passwd", "passphrase", "secret", "token", "api_key", "apikey", "private_key", "credential")
WHERE_SECRETS_GO = (
    "secrets never stand in this file: put it in the environment variable that password_env names "
    "(ALLIANCE_PASSWORD_ and the address where left out), or in a file that the same name with _FILE behind it names"
)


@dataclass(frozen=True, slots=True)
class Misfit:
    """A fault whose place is a key; the reader of the file adds the line."""

    key: KeyPath
    expected: str
    found: str | None = None
    advice: str = ""


def connector_names() -> frozenset[str]:
    """The connectors that are installed, third parties' included."""
    return BUILT_IN | {point.name for point in entry_points(group="alliance.connectors")}


def nearest_connector(name: str) -> str:
    """The installed connector whose name is most like `name`."""
    return get_close_matches(name.lower(), sorted(connector_names()), n=1, cutoff=0)[0]


def is_secret(name: str) -> bool:
    """Whether a key of this name would hold a secret. password_env holds the name of one, which may be shown."""
    name = name.lower().replace("-", "_")
    return any(word in name for word in SECRET_WORDS) and not name.endswith("_env")


def secrets_in(table: Mapping[str, object], above: KeyPath = ()) -> Iterator[Misfit]:
    """A misfit for each secret that stands in the file."""
    for name, value in table.items():
        path = (*above, name)
        if is_secret(name):
            yield Misfit(path, "no secret in this file", advice=WHERE_SECRETS_GO)
        elif isinstance(value, dict):
            yield from secrets_in(value, path)
        elif isinstance(value, list):
            for place, item in enumerate(value):
                if isinstance(item, dict):
                    yield from secrets_in(item, (*path, place))
        elif isinstance(value, str) and _has_password(value):
            advice = "set ALLIANCE_SERVICE__DATABASE instead" if path == ("service", "database") else WHERE_SECRETS_GO
            yield Misfit(path, "no password in this file", advice=advice)


def school_misfits(school: School, office: Office | None) -> Iterator[Misfit | Fault]:
    """The files that the school names exist and can be read, and the office's day has hours."""
    try:
        SchoolCalendar.of(school)
    except ConfigError as error:
        yield from _named(("school", "holidays_ics"), error)
    if school.roster is not None and not os.path.exists(school.roster):  # noqa: PTH110 - Path.exists may raise
        # What stands in it may break any night, and the last good one goes on: `alliance doctor` tells of it.
        yield Misfit(("school", "roster"), "a file or folder that is there", found=f'"{school.roster}"')
    if office and (office.opens or school.opens) >= (office.closes or school.closes):
        key = "opens" if office.closes is None else "closes"
        yield Misfit(("office", key), "office hours that begin before they end (the school's hours where left out)")


def wording_misfits(wording: OwnWording) -> Iterator[Misfit]:
    """The folder of the school's own sentences is there. What stands in it is `alliance wording check`'s business."""
    if wording.folder is not None and not os.path.isdir(wording.folder):  # noqa: PTH112 - Path.is_dir may raise
        advice = "make it, and put the files of `alliance wording export` into it; or take the key out"
        yield Misfit(("wording", "folder"), "a folder", found=f'"{wording.folder}"', advice=advice)


def mailbox_misfits(mailboxes: Iterable[tuple[int, MailboxSettings]], *, imap: bool, smtp: bool) -> Iterator[Misfit]:
    """Each mailbox can be read, and from stage tag on it can send; no two share an address or a password's name. `imap`
    and `smtp` say whether there is such a table for all."""
    boxes = list(mailboxes)
    variables: dict[str, str] = {}
    names = connector_names()  # asked of the disk: once, not for each of ten thousand
    for place, box in boxes:
        yield from (Misfit(("mailboxes", place, *key), expected) for key, expected in _lacks(box, imap=imap, smtp=smtp))
        if box.connector not in names:
            near = get_close_matches(box.connector.lower(), sorted(names), n=1, cutoff=0)
            yield Misfit(
                ("mailboxes", place, "connector"),
                "the name of an installed connector: " + ", ".join(sorted(names)),
                found=f'"{box.connector}"',
                advice=f'the nearest is "{near[0]}"',
            )
        variable = password_variable(box)
        if box.password_env is None and variables.setdefault(variable, box.address) != box.address:
            expected = f"password_env, since {variables[variable]} looks for its password in {variable} too"
            yield Misfit(("mailboxes", place, "password_env"), expected)
    for fault in addresses_used_twice(boxes):
        yield Misfit(fault.key, str(fault))


def _lacks(box: MailboxSettings, *, imap: bool, smtp: bool) -> Iterator[tuple[tuple[str, ...], str]]:
    sends = box.stage is not Stage.OBSERVE
    if box.connector == "imap":
        if not (box.imap or imap):
            yield ("imap",), f"an IMAP server for {box.address}: a table [imap] for all, or its own [mailboxes.imap]"
        if sends and not (box.smtp or smtp):
            yield ("smtp",), f"an SMTP server for {box.address}: a table [smtp] for all, or its own [mailboxes.smtp]"
    if box.connector == "maildir":
        if box.maildir is None:
            yield ("maildir",), f"a table [mailboxes.maildir] with the path of {box.address}'s Maildir"
        elif sends and box.maildir.outgoing is None and not (box.smtp or smtp):
            yield ("maildir", "outgoing"), f"a Maildir for outgoing mail of {box.address}, or a table [smtp]"


def _named(key: KeyPath, error: ConfigError) -> Iterator[Misfit | Fault]:
    """Where the named file has lines to point at, its own faults; otherwise one at the key that names it."""
    for fault in error.faults:
        if fault.line is None:
            yield Misfit(key, fault.expected, found=f'"{fault.origin}"', advice=fault.advice)
        else:
            yield fault


def _has_password(value: str) -> bool:
    try:
        return "://" in value and bool(urlsplit(value).password)
    except ValueError:
        return False
