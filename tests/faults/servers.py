"""The servers of schools under fire: a Dovecot with a mailbox for whoever moves in, a post office, PostgreSQL."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from smtplib import LMTP, SMTPException

from sqlalchemy import create_engine, make_url

from store.database import Database
from store.queue_schema import QueueSchema
from tests.servers import dovecot, smtp_sink
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.postgres import Postgres, postgres
from tests.servers.smtp_sink import Arrived, SmtpSink

# The service asks the database for the time where several machines must agree on it: so it can be told another one.
_CLOCK = """
CREATE TABLE the_clock (ahead interval NOT NULL);
INSERT INTO the_clock VALUES ('0');
CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz LANGUAGE sql
  AS 'SELECT pg_catalog.clock_timestamp() + ahead FROM public.the_clock'"""
_CLOCK_FIRST = "search_path = public, pg_catalog"
_MIGRATING = threading.Lock()
"""Alembic keeps what it is at in a global of the process."""
_AGAIN = 0.2
"""Seconds until the post office tries again."""


class PostOffice:
    """Brings what the SMTP server took to the mailboxes, stamped with when it was taken, and tries until each has it:
    who answered 250 answers for the mail (RFC 5321 §4.2.5)."""

    def __init__(self, lmtp_port: int) -> None:
        """Delivers to the LMTP server on this port."""
        self._port = lmtp_port
        self._bag: Queue[tuple[Arrived, float] | None] = Queue()
        threading.Thread(target=self._round, daemon=True).start()

    def take(self, mail: Arrived) -> None:
        """Takes a mail (`SmtpSink.then`)."""
        self._bag.put((mail, time.time()))

    def close(self) -> None:
        """Ends the round."""
        self._bag.put(None)

    def bring(self, content: bytes, sender: str, recipient: str) -> None:
        """Brings one mail to one mailbox. Raises OSError, of which SMTPException is one."""
        with LMTP("127.0.0.1", self._port, local_hostname="localhost", timeout=10) as lmtp:
            lmtp.sendmail(sender, [recipient], content)

    def _round(self) -> None:
        while (taken := self._bag.get()) is not None:
            mail, at = taken
            stamped = f"X-Taken-At: {at:.6f}\r\n".encode() + mail.content
            left = list(mail.recipients)
            while left:
                with suppress(OSError, SMTPException):
                    self.bring(stamped, mail.sender, left[0])
                    left.pop(0)
                    continue
                time.sleep(_AGAIN)


@dataclass
class Servers:
    """A set of servers. Schools that use the same one suffer each other's faults: one at a time."""

    dovecot: Dovecot
    smtp: SmtpSink
    post: PostOffice
    empty: Path
    """An SQLite database with tables and nothing in them."""
    _stack: ExitStack
    _postgres: Postgres | None = None
    _like: str = ""
    """The URL of the database that new ones are copied from."""
    _users: dict[str, str] = field(default_factory=dict)

    def postgres(self) -> Postgres:
        """The database server, started at the first call."""
        if self._postgres is None:
            # A server that crashes must keep what it said was committed: only a power cut may lose that here.
            self._postgres = self._stack.enter_context(postgres(settings=("fsync=off",)))
        return self._postgres

    def school(self) -> str:
        """The name of a new database there, with tables, the queue's among them, and nothing in them. Its clock is as
        far ahead of the machine's as the table `the_clock` says."""
        server = self.postgres()
        if not self._like:
            made = _migrated(server.database())
            QueueSchema(made).migrate(finish=True)
            with made.write() as connection:
                for statement in _CLOCK.split(";\n"):
                    connection.exec_driver_sql(statement)
            made.close()
            self._like = made.url.render_as_string()
        name = str(make_url(server.database(like=self._like)).database)
        self.administrate(f"ALTER DATABASE {name} SET {_CLOCK_FIRST}")
        return name

    def administrate(self, *statements: str, database: str = "postgres") -> None:
        """Runs statements as the administrator of PostgreSQL, each by itself. Raises SQLAlchemyError."""
        engine = create_engine(self.postgres().url(database), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                for statement in ("SET default_transaction_read_only = off", *statements):
                    connection.exec_driver_sql(statement)
        finally:
            engine.dispose()

    def move_in(self, people: Sequence[str]) -> None:
        """Each of these addresses has a mailbox from now on."""
        for person in people:
            home = self.dovecot.home(person)
            home.mkdir(parents=True, exist_ok=True)
            self.dovecot.own(home)
            self._users[person] = PASSWORD
        self._write_users()

    def set_password(self, person: str, password: str = PASSWORD) -> None:
        """The mailbox's password is this one from now on."""
        self._users[person] = password
        self._write_users()

    def _write_users(self) -> None:
        self.dovecot.passwords(self._users)


def _migrated(location: str) -> Database:
    with _MIGRATING:
        return Database.open(location)


@contextmanager
def running(folder: Path) -> Iterator[Servers]:
    """The servers, as long as the block; `folder` is theirs."""
    with ExitStack() as stack:
        imap = stack.enter_context(dovecot.running(users=()))
        post = PostOffice(imap.ports[2])
        stack.callback(post.close)
        smtp = stack.enter_context(smtp_sink.running(then=post.take))
        empty = folder / "empty.db"
        _migrated(str(empty)).close()
        yield Servers(imap, smtp, post, empty, stack)
