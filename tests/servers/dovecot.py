"""A real Dovecot for a test: IMAP, IMAPS and LMTP on free ports of 127.0.0.1, with mail and settings of its own."""

import grp
import os
import pwd
import shutil
import signal
import smtplib
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from imapclient import IMAPClient

from config.settings import ImapServer, Security
from tests.servers.certificates import Certificates, make_certificates
from tests.servers.required import Guard, free_ports, lacking, required

PASSWORD = "correct horse battery"
CAPABILITIES = (  # what 2.3.19 announces by itself
    "IMAP4rev1 SASL-IR LOGIN-REFERRALS ID ENABLE IDLE SORT SORT=DISPLAY THREAD=REFERENCES THREAD=REFS "
    "THREAD=ORDEREDSUBJECT MULTIAPPEND URL-PARTIAL CATENATE UNSELECT CHILDREN NAMESPACE UIDPLUS LIST-EXTENDED "
    "I18NLEVEL=1 CONDSTORE QRESYNC ESEARCH ESORT SEARCHRES WITHIN CONTEXT=SEARCH LIST-STATUS BINARY MOVE SNIPPET=FUZZY "
    "PREVIEW=FUZZY PREVIEW STATUS=SIZE SAVEDATE LITERAL+ NOTIFY SPECIAL-USE"
)

_CONFIGURATION = """
base_dir = {folder}/run
state_dir = {folder}/state
log_path = /dev/stderr
protocols = imap lmtp
listen = 127.0.0.1
hostname = mail.maple.example
postmaster_address = postmaster@maple.example
default_internal_user = {service_user}
default_internal_group = {service_group}
default_login_user = {login_user}
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
ssl_client_ca_file = {authority}
disable_plaintext_auth = no
auth_failure_delay = 0
auth_mechanisms = plain login
mail_location = {storage}
mail_fsync = never
mail_max_userip_connections = 1000
first_valid_uid = 0
first_valid_gid = 0
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%Lu {folder}/users
}}
userdb {{
  driver = passwd-file
  args = username_format=%Lu {folder}/users
}}
namespace inbox {{
  inbox = yes
  separator = {separator}
  prefix = {prefix}
{folders}
}}
service imap-login {{
{unchrooted}
  # One process for many: Dovecot else starts a program for every connection.
  service_count = 0
  inet_listener imap {{
    port = {imap_port}
  }}
  inet_listener imaps {{
    port = {imaps_port}
    ssl = yes
  }}
}}
service imap {{
  service_count = 100
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp_port}
  }}
}}
{more_services}
protocol imap {{
  imap_capability = {capabilities}
}}
{extra}
"""
MAILDIR, MDBOX = "maildir:~/Maildir", "mdbox:~/mdbox"
SPECIAL_FOLDERS: Mapping[str, str] = {"Sent": r"\Sent", "Drafts": r"\Drafts", "Trash": r"\Trash", "Junk": r"\Junk"}


@dataclass
class Dovecot:
    """One Dovecot. `running` is the way to make one; `stop`, `kill` and `start` are for tests that need it to fail."""

    folder: Path
    users: Sequence[str] = ("rivera@maple.example",)
    password: str = PASSWORD
    """Of every user."""
    hide: Sequence[str] = ()
    """Capabilities that are not advertised, e.g. CONDSTORE, QRESYNC, IDLE, MOVE, UIDPLUS."""
    folders: Mapping[str, str] = field(default_factory=lambda: dict(SPECIAL_FOLDERS))
    """Folders that exist from the start, and what RFC 6154 use is announced for them ("" for none)."""
    storage: str = MAILDIR
    """How mail is kept. MAILDIR is slow to fill on some disks, and the only one that `store_files` can write."""
    separator: str = "/"
    prefix: str = ""
    extra: str = ""
    """Lines added to the configuration."""
    certificates: Certificates | None = None
    ports: list[int] = field(default_factory=list)
    """IMAP, IMAPS, LMTP; chosen by the first `start` and kept."""
    _process: subprocess.Popen[bytes] | None = None
    _logging: subprocess.Popen[bytes] | None = None
    _guard: Guard | None = None

    def start(self) -> None:
        """Starts it and returns when it listens. The mail of an earlier start is still there."""
        program = required("dovecot", "dovecot-imapd dovecot-lmtpd")
        for service in ("imap", "lmtp"):
            if not any((place / service).exists() for place in _library_folders()):
                required(f"dovecot/{service}", f"dovecot-{service}d")
        version = subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout
        if not version.startswith("2.3."):
            lacking(f"Dovecot {version.split()[0]} words its configuration differently; these tests know 2.3")
        if not self.ports:
            self.ports = free_ports(3)
        configuration = self._write_configuration()
        self._process = subprocess.Popen(
            [str(program), "-F", "-c", str(configuration)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._guard = Guard(self._process.pid, self.folder)
        log = []
        assert self._process.stderr is not None
        for line in self._process.stderr:  # Dovecot says this once its sockets listen
            log.append(line)
            if b"starting up" in line:
                break
        else:
            raise RuntimeError(b"".join(log).decode(errors="replace"))
        with (self.folder / "log").open("ab") as log_file, self._process.stderr as rest:
            self._logging = subprocess.Popen(["cat"], stdin=rest, stdout=log_file)  # ends with Dovecot

    def stop(self) -> None:
        """Stops it in good order, as an administrator does, and returns when it is gone."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kills it and its sessions at once."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._guard is not None:
            self._guard.dismiss()
            self._guard = None
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, how)
            self._process.wait(60)
            self._process = None
        if self._logging is not None:
            self._logging.wait(60)
            self._logging = None

    def log(self) -> str:
        """What Dovecot has logged so far."""
        return (self.folder / "log").read_text(errors="replace")

    def imap(self, security: Security = "none", **more: Any) -> ImapServer:
        """Settings for this server: plain where not said otherwise, with the tests' own authority."""
        port = self.ports[1] if security == "tls" else self.ports[0]
        assert self.certificates is not None
        values: dict[str, Any] = {
            "host": "localhost" if security != "none" else "127.0.0.1",
            "port": port,
            "security": security,
            "allow_insecure": security == "none",
            "ca_file": None if security == "none" else self.certificates.authority,
        }
        return ImapServer.model_validate(values | more)

    def deliver(self, *messages: bytes, to: str | None = None, sender: str = "family@family.example") -> None:
        """Delivers messages over LMTP, in this order."""
        with smtplib.LMTP("127.0.0.1", self.ports[2], local_hostname="localhost", timeout=60) as lmtp:
            for message in messages:
                lmtp.sendmail(sender, [to or self.users[0]], message)

    def append(self, *messages: bytes, to: str | None = None, folder: str = "INBOX") -> None:
        """Puts messages into a folder over IMAP, in one command: quicker than `deliver` where there are many."""
        with self.client(to) as client:
            client.multiappend(folder, list(messages))

    def store_files(self, messages: Sequence[bytes], *, user: str | None = None, folder: str = "") -> None:
        """Puts many messages into the Maildir at once, for backlogs: as old mail that some other program left there."""
        place = self.maildir(user) / folder
        for part in ("new", "cur", "tmp"):
            (place / part).mkdir(parents=True, exist_ok=True)
        for number, message in enumerate(messages):
            received = 1_700_000_000 + number  # in November 2023
            path = place / "cur" / f"{received}.M{number}P1.backlog:2,S"
            path.write_bytes(message)
            os.utime(path, (received, received))
        self.own(self.home(user))

    def client(self, user: str | None = None) -> IMAPClient:
        """Another mail program, signed in as `user`."""
        client = IMAPClient("127.0.0.1", self.ports[0], ssl=False, timeout=60)
        client.plain_login(user or self.users[0], self.password)
        return client

    def doveadm(self, *arguments: str) -> str:
        """Runs Dovecot's administration program on this server and returns what it prints."""
        program = str(required("doveadm", "dovecot-core"))
        command = [program, "-c", str(self.folder / "dovecot.conf"), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def home(self, user: str | None = None) -> Path:
        """The home folder of `user`."""
        return self.folder / "mail" / (user or self.users[0])

    def maildir(self, user: str | None = None) -> Path:
        """The Maildir of `user`."""
        return self.home(user) / "Maildir"

    def own(self, path: Path) -> None:
        """Gives everything under `path` to the user that Dovecot reads mail as."""
        if os.getuid() == 0:
            owner = _mail_owner()
            shutil.chown(path, owner.pw_uid, owner.pw_gid)
            for found in path.rglob("*"):
                os.chown(found, owner.pw_uid, owner.pw_gid)

    def passwords(self, users: Mapping[str, str]) -> None:
        """Who has a mailbox from now on, and by which password; also while it runs."""
        owner = _mail_owner()
        lines = [
            f"{user}:{password}:{owner.pw_uid}:{owner.pw_gid}::{self.home(user)}::\n"
            for user, password in users.items()
        ]
        written = self.folder / "users.new"
        written.write_text("".join(lines))
        written.rename(self.folder / "users")

    def _write_configuration(self) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        if self.certificates is None:
            self.certificates = make_certificates(self.folder / "certificates")
        for user in self.users:
            self.home(user).mkdir(parents=True, exist_ok=True)
        if self.users:
            self.passwords(dict.fromkeys(self.users, self.password))
        (self.folder / "mail").mkdir(exist_ok=True)
        self.own(self.folder / "mail")
        root = os.getuid() == 0
        mine = pwd.getpwuid(os.getuid())
        service_user, login_user = ("dovecot", "dovenull") if root else (mine.pw_name, mine.pw_name)
        # A login process that may not change its root folder must not be asked to (the tests' user is not root).
        unchrooted = "" if root else "  chroot =\n"
        # Without the penalty, wrong passwords are answered at once.
        services = f"service anvil {{\n{unchrooted}  unix_listener anvil-auth-penalty {{\n    mode = 0\n  }}\n}}\n"
        services += "" if root else "service stats {\n  chroot =\n}\n"
        configuration = self.folder / "dovecot.conf"
        hidden = {name.upper() for name in self.hide}
        configuration.write_text(
            _CONFIGURATION.format(
                folder=self.folder,
                service_user=service_user,
                service_group=_group(service_user),
                login_user=login_user,
                certificate=self.certificates.certificate,
                key=self.certificates.key,
                authority=self.certificates.authority,
                storage=self.storage,
                separator=self.separator,
                prefix=self.prefix,
                folders="\n".join(_folder(name, use) for name, use in self.folders.items()),
                unchrooted=unchrooted,
                imap_port=self.ports[0],
                imaps_port=self.ports[1],
                lmtp_port=self.ports[2],
                more_services=services,
                capabilities=" ".join(name for name in CAPABILITIES.split() if name not in hidden),
                extra=self.extra,
            )
        )
        return configuration


@contextmanager
def running(**options: Any) -> Iterator[Dovecot]:
    """A Dovecot that runs as long as the block, in a temporary folder that goes with it; `options` are the fields of
    `Dovecot`."""
    # Not pytest's tmp_path: only its owner may enter that, its name is too long for Unix sockets, and under root
    # Dovecot reads mail as another user.
    folder = Path(tempfile.mkdtemp(prefix="dovecot-"))
    server = Dovecot(folder, **options)
    try:
        server.start()
        yield server
    finally:
        server.kill()  # a test's mail need not be kept, and this is quicker than stopping
        shutil.rmtree(folder, ignore_errors=True)


def _folder(name: str, use: str) -> str:
    announced = f"    special_use = {use}\n" if use else ""
    return f'  mailbox "{name}" {{\n    auto = create\n{announced}  }}'


def _mail_owner() -> pwd.struct_passwd:
    # Dovecot refuses to read mail as root.
    return pwd.getpwnam("nobody") if os.getuid() == 0 else pwd.getpwuid(os.getuid())


def _group(user: str) -> str:
    return grp.getgrgid(pwd.getpwnam(user).pw_gid).gr_name


def _library_folders() -> list[Path]:
    return [Path(place) / "dovecot" for place in ("/usr/lib", "/usr/libexec", "/usr/local/libexec", "/usr/local/lib")]
