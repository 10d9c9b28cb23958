"""An IMAP mailbox and the people around it, for tests: a real Dovecot and SMTP server, the teacher's mail program."""

import subprocess

import pytest
from imapclient import IMAPClient

from connectors.contract import Marks
from connectors.imap import ImapMailbox
from connectors.labels import KEYWORDS, Label
from connectors.smtp import SmtpSender
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.network import Network, NetworkedWorld
from tests.servers.smtp_sink import SmtpSink


class ImapWorld(NetworkedWorld):
    """`connectors.contract.MailboxHarness` on one user of a Dovecot. The mail program is IMAPClient by itself."""

    push = True
    exact_labels = True

    def __init__(
        self, dovecot: Dovecot, sink: SmtpSink, user: str | None = None, *, network: Network | None = None
    ) -> None:
        self.dovecot = dovecot
        self.sink = sink
        self.address = user or dovecot.users[0]
        self.network = network
        self.push = "IDLE" not in dovecot.hide
        self._opened: list[ImapMailbox] = []

    def open(self, through: Network | None = None, **settings: object) -> ImapMailbox:
        network = through or self.network
        way_out: dict[str, object] = {}
        if network is not None:
            settings = {"port": network.before(self.dovecot.ports[0], "imap")} | settings
            way_out = {"port": network.before(self.sink.port, "smtp")}
        mailbox = ImapMailbox(
            self.address,
            self.dovecot.imap(**settings),
            password=PASSWORD,
            sender=SmtpSender(self.sink.settings(**way_out), self.address),
        )
        self._opened.append(mailbox)
        return mailbox

    def close(self) -> None:
        for mailbox in self._opened:
            mailbox.close()

    def client(self) -> IMAPClient:
        return self.dovecot.client(self.address)

    def deliver(self, *mimes: bytes) -> None:
        if len(mimes) < 50:
            self.dovecot.deliver(*mimes, to=self.address)
        else:
            self.dovecot.append(*mimes, to=self.address)

    def teacher_sends(self, mime: bytes) -> None:
        with self.client() as client:
            client.append("Sent", mime, [rb"\Seen"])

    def teacher_labels(self, message_id: str, labels: frozenset[Label]) -> None:
        with self.client() as client:
            uid = self.uid_of(client, message_id)
            client.remove_flags([uid], [KEYWORDS[label] for label in Label if label not in labels])
            client.add_flags([uid], [KEYWORDS[label] for label in labels])

    def teacher_marks(self, message_id: str) -> None:
        with self.client() as client:
            client.add_flags([self.uid_of(client, message_id)], [rb"\Seen", rb"\Flagged", b"$Forwarded", b"Family"])

    def delete(self, message_id: str) -> None:
        with self.client() as client:
            client.delete_messages([self.uid_of(client, message_id)])
            client.expunge()

    def move_away(self, message_id: str) -> None:
        with self.client() as client:
            uid = self.uid_of(client, message_id)
            if not client.folder_exists("Archive"):
                client.create_folder("Archive")
            client.copy([uid], "Archive")  # not every server has MOVE
            client.delete_messages([uid])
            client.expunge()

    def move_back(self, message_id: str) -> None:
        with self.client() as client:
            uid = self.uid_of(client, message_id, "Archive")
            client.copy([uid], "INBOX")
            client.delete_messages([uid])
            client.expunge()

    def break_cursor(self) -> None:
        self.dovecot.doveadm("mailbox", "update", "-u", self.address, "--uid-validity", "4000000000", "INBOX")

    def throttle(self, times: int, *, status: int = 429, retry_after: float | None = None) -> None:
        if retry_after is not None or status != 503:
            pytest.skip("IMAP and SMTP say only that they are busy, in one way, and name no pause")
        super().throttle(times, status=status)

    def revoke(self) -> None:
        users = self.dovecot.folder / "users"
        lines = users.read_text().splitlines(keepends=True)
        theirs = f"{self.address}:"
        users.write_text(
            "".join(
                line.replace(f":{PASSWORD}:", ":another one:") if line.startswith(theirs) else line for line in lines
            )
        )
        while self._may_sign_in():  # the server looks at its list of users once a second
            pass
        while self.address in self.dovecot.doveadm("who", "-1", self.address):
            self.dovecot.doveadm("kick", self.address)

    def deliver_unreadable(self) -> None:
        pytest.skip("test_imap.py has servers that refuse a message, and such that fall over it")

    def marks(self, message_id: str) -> Marks:
        with self.client() as client:
            uid = self.uid_of(client, message_id)
            flags = {flag.decode() for flag in client.fetch([uid], ["FLAGS"])[uid][b"FLAGS"]} - {r"\Recent"}
        ours = {keyword: label for label, keyword in KEYWORDS.items()}
        return Marks(frozenset(ours[flag] for flag in flags & set(ours)), frozenset(flags - set(ours)))

    def drafts(self) -> list[bytes]:
        return self.folder("Drafts")

    def sent(self) -> list[bytes]:
        return self.folder("Sent")

    def departed(self) -> list[bytes]:
        return [message.content for message in self.sink.arrived]

    def folder(self, name: str) -> list[bytes]:
        """Every message in a folder."""
        with self.client() as client:
            client.select_folder(name, readonly=True)
            found = client.fetch(client.search() or [], ["BODY.PEEK[]"])
            return [found[uid][b"BODY[]"] for uid in sorted(found)]

    def _may_sign_in(self) -> bool:
        try:
            self.dovecot.doveadm("auth", "test", self.address, PASSWORD)
        except subprocess.CalledProcessError:
            return False
        return True

    def uid_of(self, client: IMAPClient, message_id: str, folder: str | None = None) -> int:
        """Opens a folder, left out the one of INBOX and Sent that has it, and finds the message."""
        for name in ("INBOX", "Sent") if folder is None else (folder,):
            client.select_folder(name)
            if found := client.search(["HEADER", "Message-ID", f"<{message_id}>"]):
                break
        return found[-1]
