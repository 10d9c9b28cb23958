"""What the service set aside in a mailbox: messages that it could not read, and a person has to."""

from collections.abc import Iterator

from config.settings import MailboxSettings, Settings
from service.doctor.finding import Finding, Level
from store.database import Database, Shape
from store.pages import Pages


def set_aside(settings: Settings, box: MailboxSettings, database: Database | None) -> Iterator[Finding]:
    """How many messages of the mailbox could not be read, since when, and why the last of them."""
    if database is None or database.shape() is not Shape.CURRENT:
        return
    found = [record for record in Pages(database).set_aside() if record.mailbox == box.address]
    if not found:
        return
    since = found[0].received_at.astimezone(settings.school.zone)
    seen = (
        f"{len(found)} {'message' if len(found) == 1 else 'messages'} could not be read, the first received on "
        f"{since:%Y-%m-%d %H:%M}; the last because: {found[-1].set_aside}"
    )
    fix = "Look at them in the mailbox (label “please check”); `alliance retry --all` reads them once more."
    yield Finding(box.address, Level.WARN, seen, fix)
