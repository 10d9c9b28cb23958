"""What strangers, and files that people hand us, can make the service read: each as a function of bytes.

A target lets nothing out but what its module promises to raise; its assertions say what must hold of the result.
"""

import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from email import message_from_bytes, policy
from functools import cached_property
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

from autoresponder.contact_lines import lines_of
from autoresponder.guards import GUARDS, Case
from autoresponder.hostile import reads_hostile
from autoresponder.identifiers import fingerprint
from autoresponder.items import understood
from autoresponder.missing import missing_in
from autoresponder.naming import ByName, Student
from autoresponder.outgoing import as_bytes
from autoresponder.own_wording import read_own
from autoresponder.plan import History
from autoresponder.replies import compose_reply
from autoresponder.routes import compose_route
from classifier.features import read_text
from classifier.rendering import render
from classifier.text import text_of
from classifier.verdict import Letter
from config import ConfigError
from config.ics import read_holidays
from config.load import load
from connectors.hypertext import html_to_text
from connectors.labels import Tag
from connectors.message import Message
from connectors.quoting import newest_text
from scorecard.contact_list import read_contacts
from scorecard.incident_list import read_incidents
from scorecard.list_cells import Pupils
from scorecard.list_files import digest_of, read_lists
from tests.autoresponder.sample import SETTINGS, TEACHER, TUESDAY_NOON, reply_facts, route_facts
from tests.mails.samples import HERE as MAILS
from tests.mails.samples import NOON, parsed

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
TODAY = date(2026, 3, 10)
PUPILS = Pupils(frozenset({"s1", "s2"}), ByName([Student("s1", "Ana", "Torres", ()), Student("s2", "Bo", "Li", ())]))
ASKED = ("Subject", "From", "To", "Reply-To", "Cc", "Bcc", "References", "In-Reply-To", "Message-ID")


@dataclass(frozen=True)
class Target:
    """`read` is given any bytes; `seeds` are sound examples of them."""

    name: str
    read: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]

    @cached_property
    def words(self) -> tuple[bytes, ...]:
        """The words of `words/<name>.txt`, one a line, escaped as in Python."""
        lines = (Path(__file__).parent / "words" / f"{self.name}.txt").read_text("ascii").splitlines()
        return tuple(line.encode("ascii").decode("unicode_escape").encode("latin-1") for line in lines)


def read_mail(raw: bytes) -> None:
    """A mail on its whole way: parsed, guarded, recognised, worded into an answer and into the office's mail."""
    message = parsed(raw)
    sound(message)
    case = Case(
        message, History(connected_at=NOON), SETTINGS.norm, NOON, TEACHER, SETTINGS.staff_domains, tag=Tag.ROUTINE
    )
    for guard in GUARDS:
        said = guard(case)
        assert said is None or said
    fingerprint(message, b"the key of a test")
    missing_in(message, ("Ana Torres",))
    read_prose(message.newest.encode("utf-8", "replace"))
    with suppress(ValueError):  # to whom nothing can be sent, nothing is
        one_recipient(
            as_bytes(
                compose_reply(
                    message, reply_facts(), mailbox=TEACHER, settings=SETTINGS, office_has_it=False, now=TUESDAY_NOON
                )
            )
        )
    mail = compose_route(
        raw,
        message,
        route_facts(),
        None,
        students=("Ana Torres",),
        mailbox=TEACHER,
        settings=SETTINGS,
        now=TUESDAY_NOON,
    )
    assert one_recipient(mail) == SETTINGS.office.address


def sound(message: Message) -> None:
    """What holds of every message, whatever it was read from."""
    people = [*message.to, *message.cc, *message.reply_to, *filter(None, [message.sender])]
    shown = [message.subject, *(value for field in message.headers.fields() for value in field)]
    shown += [part for person in people for part in (person.email, person.name)]
    shown += [part for each in message.attachments for part in (each.filename, each.content_type)]
    assert not any(control < " " or "\x7f" <= control <= "\x9f" for value in shown for control in value)
    assert len(message.text) <= 200_000
    assert len(message.attachments) <= 200
    assert bool(message.text.strip()) == bool(message.newest.strip())
    message.text.encode("utf-8")
    named = (*message.references, *message.in_reply_to, *filter(None, [message.message_id]))
    assert not any(set(identifier) & set("<> \r\n") for identifier in named)


def one_recipient(mail: bytes) -> str:
    """Who gets a mail of ours. Every field stands once, no line is one that a server would cut."""
    head, _, _ = mail.partition(b"\r\n\r\n")
    fields = [line.partition(b":")[0].lower() for line in head.split(b"\r\n") if line[:1] not in {b" ", b"\t"}]
    assert len(fields) == len(set(fields)), fields
    assert all(len(line) <= 998 for line in mail.split(b"\r\n"))
    assert b"\n" not in mail.replace(b"\r\n", b"")
    to = message_from_bytes(head + b"\r\n\r\n", policy=policy.default)["To"].addresses
    assert len(to) == 1
    return str(to[0].addr_spec)


def read_html(raw: bytes) -> None:
    """HTML as a mail holds it."""
    assert len(html_to_text(raw.decode("utf-8", "replace"))) <= 1_000_000


def read_prose(raw: bytes) -> None:
    """A text as somebody wrote it: told from its history, and read by all that reads it without a model."""
    text = raw.decode("utf-8", "replace")[:200_000]
    newest = newest_text(text)
    assert bool(newest.strip()) == bool(text.strip())
    tidy = text_of(Letter("", newest, None, only_newest=True))
    reading = read_text(tidy, datetime(2026, 3, 10, 12, 0))  # noqa: DTZ001 - local, as the classifier has it
    render(reading, "en")
    understood(newest)
    reads_hostile(newest)
    for line in lines_of(newest, TODAY):
        assert line is not None


def read_calendar(raw: bytes) -> None:
    """A school's holidays."""
    with _file("holidays.ics", raw) as path, suppress(ConfigError):
        for first, last in read_holidays(path).stretches:
            assert first <= last


def read_list(raw: bytes) -> None:
    """A CSV file as each of the lists that a school may import."""
    with _file("list.csv", raw) as path:
        digest_of(path)
        with suppress(ConfigError):
            rejected = read_lists(path).rejected
            assert all(each.reason for each in rejected)
        with suppress(ConfigError):
            read_contacts(path, PUPILS, teacher="", is_staff=lambda _: True, today=TODAY)
        with suppress(ConfigError):
            read_incidents(path, PUPILS, today=TODAY)


def read_package(raw: bytes) -> None:
    """A zip archive of a student system."""
    with _file("lists.zip", raw) as path, suppress(ConfigError):
        read_lists(path)


def read_folder(raw: bytes) -> None:
    """A set of CSV files, told apart by lines that name them ("@users.csv")."""
    with TemporaryDirectory() as folder, suppress(ConfigError):
        for piece in raw.split(b"@")[1:20]:
            name, _, content = piece.partition(b"\n")
            if name in _LISTS:
                (Path(folder) / name.decode()).write_bytes(content)
        read_lists(Path(folder))


def read_settings(raw: bytes) -> None:
    """The configuration."""
    with _file("alliance.toml", raw) as path, suppress(ConfigError):
        load(path, {})


def read_wording(raw: bytes) -> None:
    """A school's own sentences."""
    with _file("en.toml", raw) as path, suppress(ConfigError):
        read_own(path)


class _file:  # noqa: N801 - reads as a function
    """A file of that content while the block runs."""

    def __init__(self, name: str, content: bytes) -> None:
        self._name, self._content, self._folder = name, content, TemporaryDirectory()

    def __enter__(self) -> Path:
        path = Path(self._folder.name) / self._name
        path.write_bytes(self._content)
        return path

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()


def _zipped() -> bytes:
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as zipped:
        for path in sorted((EXAMPLES / "oneroster").glob("*.csv")):
            zipped.write(path, path.name)
    return archive.getvalue()


def _mails() -> Sequence[bytes]:
    return [path.read_bytes() for path in sorted(MAILS.glob("*/*.eml"))]


_LISTS = frozenset(path.name.encode() for path in (EXAMPLES / "oneroster").glob("*.csv")) | {b"roles.csv"}


def _calendars() -> Sequence[bytes]:
    return [(EXAMPLES / "holidays.ics").read_bytes()]


def _rosters() -> Sequence[bytes]:
    return [path.read_bytes() for path in sorted(EXAMPLES.glob("*.csv"))]


def _folders() -> Sequence[bytes]:
    files = sorted((EXAMPLES / "oneroster").glob("*.csv"))
    return [b"".join(b"@" + path.name.encode() + b"\n" + path.read_bytes() for path in files)]


def _configurations() -> Sequence[bytes]:
    return [(EXAMPLES / "alliance.toml").read_bytes()]


def _wordings() -> Sequence[bytes]:
    return [path.read_bytes() for path in sorted((EXAMPLES / "wording").glob("**/*.toml"))]


TARGETS = {
    target.name: target
    for target in (
        Target("mail", read_mail, _mails),
        Target("html", read_html, lambda: [b"<p>Ana is sick</p>"]),
        Target("prose", read_prose, lambda: [b"Ana is sick today.\n\nOn Mon, A wrote:\n> hello\n"]),
        Target("calendar", read_calendar, _calendars),
        Target("list", read_list, _rosters),
        Target("package", read_package, lambda: [_zipped()]),
        Target("folder", read_folder, _folders),
        Target("settings", read_settings, _configurations),
        Target("wording", read_wording, _wordings),
    )
}
"""Every target by name; its kept examples lie in the folder `kept/` of that name."""
