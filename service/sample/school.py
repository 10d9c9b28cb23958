"""Maple Street School's folder on disk: its configuration, its Maildirs, and the time its clock shows."""

import shutil
from collections.abc import Iterable
from datetime import datetime
from importlib.resources import files
from pathlib import Path

from service.sample.front_office import LEE, PRINCIPAL
from service.sample.letters import ZONE, SampleMail
from service.sample.post_office import collect, deliver, make_maildir

CONNECTED = datetime(2025, 10, 6, 6, 0, tzinfo=ZONE)
"""When the service first meets the mailboxes: a Monday, two hours before school. Older mail lies in them already."""
_CLOCK_FILE = "clock.txt"
LOG_FILE = "service.log"
LISTS, ROSTER_FILE = "lists", "roster.csv"
"""The folder of the school's lists of earlier days, and the list of families of today."""
PAGE_FILE, WEEKLY_FILE, WEEKLY_PAGE = "scorecard.html", "weekly-mail.eml", "weekly-mail.html"
_MADE_HERE = (
    *("mail", LISTS, _CLOCK_FILE, "alliance.toml", ROSTER_FILE, LOG_FILE, PAGE_FILE, WEEKLY_FILE, WEEKLY_PAGE),
    *("alliance.db", "alliance.db-wal", "alliance.db-shm"),
)
TEACHERS = ("lindqvist", "rivera", "okafor", "tran", "bell")
"""The mailboxes of the nine days."""
EARLY = ("castellano", "whitaker", "delacroix", "hashimoto", "grady", "soto")
"""The mailboxes that have the service since January."""


class NotASampleSchool(Exception):
    """The folder holds something else, which is not to be touched. The text says what to do."""


class SampleSchool:
    """The folder of one demo. `clock` is the school's own time: the demo plays the same nine days whenever it runs."""

    def __init__(self, folder: Path) -> None:
        """Makes nothing yet. Raises NotASampleSchool where `folder` holds files that are not a demo's."""
        self.folder = folder
        if folder.exists() and not self.exists and (not folder.is_dir() or any(folder.iterdir())):
            raise NotASampleSchool(f"{folder} is there already and is not a sample school. Name another --dir.")

    @property
    def exists(self) -> bool:
        """Whether the folder was made, by this run or an earlier one."""
        return (self.folder / _CLOCK_FILE).is_file()

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "alliance.toml"

    @property
    def office(self) -> Path:
        """The front office's Maildir."""
        return self.folder / "mail" / "office"

    @property
    def administration(self) -> Path:
        """The principal's Maildir: what nobody took at the front office."""
        return self.folder / "mail" / "principal"

    @property
    def reminders(self) -> Path:
        """The Maildir that stands for what teachers are reminded of."""
        return self.folder / "mail" / "reminders"

    @property
    def families(self) -> Path:
        """The Maildir that stands for all families: what left the school."""
        return self.folder / "mail" / "families"

    @property
    def outgoing(self) -> Path:
        """The Maildir where the service puts what it sends."""
        return self.folder / "mail" / "outgoing"

    def mailbox(self, name: str) -> Path:
        """The Maildir of a teacher, by the address's local part."""
        return self.folder / "mail" / name

    def clear(self) -> None:
        """Removes what a demo made, and nothing else that may lie in the folder."""
        for name in _MADE_HERE:
            path = self.folder / name
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def create(self, old_mail: Iterable[SampleMail]) -> None:
        """Makes the folder, with the mail that the teachers of the nine days had before the service came to them."""
        for name in (*TEACHERS, *EARLY):
            make_maildir(self.mailbox(name))
            make_maildir(self.mailbox(name) / ".Sent")
        for folder in (self.office, self.administration, self.reminders, self.families, self.outgoing):
            make_maildir(folder)
        for name in ("alliance.toml", "roster.csv"):
            (self.folder / name).write_bytes((files("service.sample") / name).read_bytes())
        for mail in old_mail:
            self.receive(mail, seen=True)
        self.set_clock(CONNECTED)

    def clock(self) -> datetime:
        """The school's time, aware."""
        return datetime.fromisoformat((self.folder / _CLOCK_FILE).read_text().strip())

    def set_clock(self, now: datetime) -> None:
        """Moves the school's time on."""
        (self.folder / _CLOCK_FILE).write_text(f"{now.isoformat()}\n")

    def receive(self, mail: SampleMail, *, seen: bool = False) -> None:
        """Delivers a mail into its mailbox; what a teacher wrote goes to Sent."""
        folder = self.mailbox(mail.mailbox)
        deliver(
            folder / ".Sent" if mail.sent else folder, mail.file_name, mail.raw, mail.arrives, seen=seen or mail.sent
        )

    def post(self) -> int:
        """Takes outgoing mail to the staff and the families. Answers how many."""
        desks = {"office@maple.example": self.office, LEE: self.office, PRINCIPAL: self.administration}
        teachers = {f"{name}@maple.example": self.reminders for name in (*TEACHERS, *EARLY)}
        return collect(self.outgoing, desks | teachers, self.families)

    def file_away(self) -> None:
        """Puts what the office, the principal and the families got so far into a folder of its own, mail/before."""
        before = self.folder / "mail" / "before"
        for folder in (self.office, self.administration, self.reminders, self.families):
            if not (before / folder.name).exists():
                before.mkdir(exist_ok=True)
                folder.rename(before / folder.name)
            make_maildir(folder)

    def files(self) -> set[Path]:
        """Every mail in every Maildir, without its flags."""
        return {
            path.with_name(path.name.partition(":")[0]).relative_to(self.folder)
            for part in ("new", "cur")
            for path in (self.folder / "mail").rglob(f"{part}/*")
        }
