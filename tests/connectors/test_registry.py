"""Connectors by name: built in, from packages that are really installed in a folder of the test's own, and broken."""

import importlib
import sys
from pathlib import Path

import pytest

from config.secrets import Secrets
from config.settings import MailboxSettings, MaildirFolder, Office, School, Settings
from connectors.maildir import MaildirMailbox
from connectors.registry import BrokenConnector, UnknownConnector, available, open_mailbox

MODULE = """
from connectors.maildir import MaildirMailbox
from connectors.errors import AuthenticationFailed

class Pigeon:
    @classmethod
    def open(cls, box, settings, secrets):
        password = secrets.password(box)
        if password == "wrong":
            raise AuthenticationFailed("the pigeon does not know you")
        if password == "boom":
            raise KeyError("loft")
        if password == "other":
            return object()
        return MaildirMailbox.open(box, settings, secrets)

not_a_connector = 7
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package pigeon-mail, which offers the connectors pigeon, ghost, number, and a false maildir."""
    site = tmp_path / "site"
    metadata = site / "pigeon_mail-1.0.dist-info"
    metadata.mkdir(parents=True)
    (site / "pigeon_mail.py").write_text(MODULE)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: pigeon-mail\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[alliance.connectors]\npigeon = pigeon_mail:Pigeon\nghost = pigeon_mail_gone:Ghost\n"
        "number = pigeon_mail:not_a_connector\nmaildir = pigeon_mail:Pigeon\n"
    )
    monkeypatch.syspath_prepend(site)
    importlib.invalidate_caches()
    monkeypatch.delitem(sys.modules, "pigeon_mail", raising=False)
    return site


def settings_with(connector: str, folder: Path) -> Settings:
    box = MailboxSettings(
        address="rivera@maple.example",
        teacher="Ms. Rivera",
        connector=connector,
        maildir=MaildirFolder(path=folder),
    )
    return Settings(
        school=School(name="Maple", timezone="America/Chicago"),
        office=Office(address="office@maple.example", phone="555 0100"),
        mailboxes=(box,),
    )


def opened(connector: str, folder: Path, password: str | None = None) -> object:
    settings = settings_with(connector, folder)
    box = settings.mailboxes[0]
    return open_mailbox(box, settings, Secrets.in_memory({f"password/{box.address}": password} if password else {}))


def test_the_built_in_connectors_are_always_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("connectors.registry.entry_points", lambda *, group: ())  # a checkout that is not installed
    assert {name: available()[name] for name in ("imap", "maildir")} == {"imap": "built in", "maildir": "built in"}
    assert isinstance(opened("maildir", tmp_path), MaildirMailbox)


@pytest.mark.usefixtures("package")
def test_an_installed_package_adds_a_connector(tmp_path: Path) -> None:
    assert available()["pigeon"] == "package pigeon-mail"
    assert isinstance(opened("pigeon", tmp_path), MaildirMailbox)


@pytest.mark.usefixtures("package")
def test_no_package_can_take_a_built_in_name() -> None:
    assert available()["maildir"] == "built in"


def test_an_unknown_name_is_told_with_the_nearest_one(tmp_path: Path) -> None:
    with pytest.raises(UnknownConnector, match=r"rivera@maple\.example.*'mail-dir'.*Did you mean 'maildir'\?"):
        opened("mail-dir", tmp_path)


def test_a_name_near_none_is_told_with_all_there_are(tmp_path: Path) -> None:
    with pytest.raises(UnknownConnector, match=r"Installed are: .*imap.*maildir"):
        opened("xyzzy", tmp_path)


@pytest.mark.usefixtures("package")
@pytest.mark.parametrize(
    ("connector", "password", "said"),
    [
        ("ghost", None, "'ghost' of package pigeon-mail cannot be loaded: ModuleNotFoundError.*pigeon_mail_gone"),
        ("number", None, "'number' of package pigeon-mail has no open"),
        ("pigeon", "boom", r"'pigeon' \(package pigeon-mail\) failed to open rivera@maple.example: KeyError"),
        ("pigeon", "other", r"'pigeon' \(package pigeon-mail\) gave a object, which lacks methods"),
    ],
)
def test_a_broken_connector_is_told_with_its_package(
    connector: str, password: str | None, said: str, tmp_path: Path
) -> None:
    with pytest.raises(BrokenConnector, match=said):
        opened(connector, tmp_path, password)


@pytest.mark.usefixtures("package")
def test_a_connectors_own_errors_come_through(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="the pigeon does not know you"):
        opened("pigeon", tmp_path, "wrong")


@pytest.mark.usefixtures("package")
def test_the_disk_is_asked_for_packages_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened("pigeon", tmp_path)
    monkeypatch.setattr("connectors.registry.entry_points", lambda *, group: pytest.fail(f"asked again for {group}"))
    assert isinstance(opened("pigeon", tmp_path), MaildirMailbox)
