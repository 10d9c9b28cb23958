"""`alliance connect` over IMAP and for a Maildir, against real servers: each permission is tried by using it."""

import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import Result

from autoresponder.identifiers import derived_message_id
from tests.connectors.maildir_world import files_in, make_maildir
from tests.servers import dovecot, imap_proxy, smtp_sink
from tests.service.connecting_home import Home, marks, words

RIVERA, OKAFOR, TRAN, BELL = (f"{name}@maple.example" for name in ("rivera", "okafor", "tran", "bell"))
ALLIANCE = "alliance@maple.example"
STARRED = "starred@maple.example"
EVERYBODY = (RIVERA, OKAFOR, TRAN, BELL, ALLIANCE, STARRED)
ALL = (
    "sign in",
    "list the inbox",
    "read a message",
    "look into Sent",
    "put labels on",
    "save a draft",
    "find it again",
    "discard it",
    "send",
    "hear of new mail",
)
MAILBOX = """
[[mailboxes]]
# She knows; see the letter of March.
address = "rivera@maple.example"
teacher = "Ms. Rivera"
"""
LETTER = (
    b"From: ana@family.example\r\nTo: %s\r\nMessage-ID: <leo@family.example>\r\nSubject: Leo\r\n\r\nWhich pages?\r\n"
)


@pytest.fixture(scope="module")
def imap() -> Iterator[dovecot.Dovecot]:
    with dovecot.running(users=EVERYBODY) as server:
        server.deliver(LETTER % RIVERA.encode(), to=RIVERA)
        yield server


@pytest.fixture(scope="module")
def smtp(imap: dovecot.Dovecot) -> Iterator[smtp_sink.SmtpSink]:
    with smtp_sink.running(username=RIVERA, password=dovecot.PASSWORD) as sink:
        yield sink


@pytest.fixture
def home(tmp_path: Path, imap: dovecot.Dovecot, smtp: smtp_sink.SmtpSink) -> Home:
    made = Home(tmp_path)
    made.configure(servers(imap, smtp) + MAILBOX)
    made.secret("password", dovecot.PASSWORD + "\n")
    smtp.arrived.clear()
    return made


def servers(imap: dovecot.Dovecot, smtp: smtp_sink.SmtpSink, *, authenticate: bool = True) -> str:
    return f"""
[imap]
host = "127.0.0.1"
port = {imap.ports[0]}
security = "none"
allow_insecure = true

[smtp]
host = "127.0.0.1"
port = {smtp.port}
security = "none"
allow_insecure = true
authenticate = {"true" if authenticate else "false"}
"""


def connect(home: Home, *arguments: str, **more: object) -> Result:
    return home.call("connect", "imap", "--yes", *arguments, **more)  # type: ignore[arg-type]


def state(imap: dovecot.Dovecot, user: str = RIVERA) -> dict[str, list[tuple[bytes, ...]]]:
    """Every folder's messages and flags."""
    found = {}
    with imap.client(user) as client:
        for _, _, name in client.list_folders():
            client.select_folder(name, readonly=True)
            rows = client.fetch(client.search() or [], ["FLAGS"]) if client.search() else {}
            found[name] = [tuple(sorted(set(row[b"FLAGS"]) - {b"\\Recent"})) for row in rows.values()]
    return found


def test_every_permission_is_used_and_the_mailbox_is_as_it_was(
    home: Home, imap: dovecot.Dovecot, smtp: smtp_sink.SmtpSink
) -> None:
    before, config = state(imap), home.config.read_bytes()
    run = connect(home, "--password-file", str(home.folder / "password"))
    assert run.exit_code == 0, run.output
    assert marks(run) == dict.fromkeys(ALL, "✓")
    assert state(imap) == before
    assert smtp.arrived == []
    assert home.config.read_bytes() == config
    assert f"Stored encrypted: password/{RIVERA}" in run.output


def test_what_was_stored_opens_the_mailbox_afterwards_and_stands_nowhere_in_clear(home: Home) -> None:
    connect(home, "--password-file", "-", typed=dovecot.PASSWORD)
    (home.folder / "password").unlink()
    assert home.call("doctor").exit_code == 0
    assert home.call("run", "--once").exit_code == 0
    assert connect(home).exit_code == 0
    assert RIVERA in words(home.call("credentials", "list"))
    assert home.leaks(dovecot.PASSWORD) == []


def test_a_password_that_is_typed_shows_on_no_terminal(home: Home) -> None:
    with home.terminal("connect", "imap") as terminal:
        terminal.wait_for(rf"Password of {RIVERA} \(not shown\): $")
        terminal.type(dovecot.PASSWORD)
        assert terminal.end() == 0, terminal.shown
    assert "It works." in terminal.shown
    assert home.leaks(dovecot.PASSWORD) == []
    again = home.call("connect", "imap", typed="\n")
    assert "Enter keeps the one that is stored" in words(again)
    assert again.exit_code == 0


def test_a_password_of_the_environment_is_used_and_not_stored(home: Home) -> None:
    run = home.call("connect", "imap", environ={"ALLIANCE_PASSWORD_RIVERA_MAPLE_EXAMPLE": dovecot.PASSWORD})
    assert run.exit_code == 0, run.output
    assert "Password of" not in run.output
    assert not (home.folder / "vault").exists()


def test_a_wrong_password_is_told_and_does_not_take_the_place_of_a_good_one(home: Home) -> None:
    connect(home, "--password-file", str(home.folder / "password"))
    run = connect(home, "--password-file", home.secret("wrong", "swordfish"))
    assert run.exit_code == 1
    assert marks(run) == {"sign in": "✗", "the rest": "–"}
    assert "refused the sign-in" in words(run)
    assert f"Not stored, since it was refused: password/{RIVERA}" in words(run)
    assert connect(home).exit_code == 0
    assert home.leaks("swordfish", dovecot.PASSWORD) == []


def test_sending_that_is_refused_is_told_by_itself(home: Home, smtp: smtp_sink.SmtpSink) -> None:
    smtp.password = "another"
    try:
        run = connect(home, "--password-file", str(home.folder / "password"))
    finally:
        smtp.password = dovecot.PASSWORD
    assert run.exit_code == 1
    assert marks(run) == {**dict.fromkeys(ALL, "✓"), "send": "✗"}
    assert str(smtp.port) in run.output


_READ_ONLY = """
mail_plugins = acl
plugin {
  acl = vfile:%s
}
"""
"""Whose own mailbox may be listed, opened and read, and not written."""


def test_a_mailbox_in_which_nothing_may_be_written_is_told_permission_by_permission(
    tmp_path: Path, smtp: smtp_sink.SmtpSink
) -> None:
    # Not in tmp_path, which the user that reads the mail may not enter.
    with (
        tempfile.NamedTemporaryFile("w", prefix="acl-") as rules,
        dovecot.running(users=(RIVERA,), extra=_READ_ONLY % rules.name) as locked,
    ):
        Path(rules.name).chmod(0o644)
        locked.deliver(LETTER % RIVERA.encode())
        rules.write("* owner lr\n* anyone lr\n")
        rules.flush()
        home = Home(tmp_path)
        home.configure(servers(locked, smtp, authenticate=False) + MAILBOX)
        run = connect(home, "--password-file", home.secret("password", dovecot.PASSWORD))
    assert run.exit_code == 1
    assert {name for name, mark in marks(run).items() if mark == "✗"} == {"put labels on", "save a draft"}
    assert [marks(run)[name] for name in ALL[:4]] == ["✓"] * 4
    assert f"Stored encrypted: password/{RIVERA}" in run.output


def test_a_test_mail_goes_to_the_administrator_and_to_nobody_else(
    home: Home, smtp: smtp_sink.SmtpSink, imap: dovecot.Dovecot
) -> None:
    password = str(home.folder / "password")
    run = connect(home, "--password-file", password, "--send-test", "it@maple.example")
    assert run.exit_code == 0, run.output
    (mail,) = smtp.arrived
    assert mail.recipients == ("it@maple.example",)
    assert b"This is a test by" in mail.content
    assert state(imap)["Drafts"] == []
    with imap.client(RIVERA) as client:
        client.select_folder("Sent")
        client.delete_messages(client.search())
        client.expunge()


def test_a_draft_that_a_broken_off_try_left_is_found_and_discarded(home: Home, imap: dovecot.Dovecot) -> None:
    connect(home, "--password-file", str(home.folder / "password"))
    left = derived_message_id("alliance connect", "notice", RIVERA)
    imap.append(f"Message-ID: <{left}>\r\n\r\nleft behind\r\n".encode(), folder="Drafts")
    assert connect(home).exit_code == 0
    assert state(imap)["Drafts"] == []


def test_no_label_of_a_try_looks_like_a_correction_of_the_teachers(home: Home, imap: dovecot.Dovecot) -> None:
    connect(home, "--password-file", str(home.folder / "password"))
    assert home.call("run", "--once").exit_code == 0
    run = connect(home)
    assert run.exit_code == 0, run.output
    assert marks(run)["put labels on"] == "–"
    assert home.call("run", "--once").exit_code == 0
    with sqlite3.connect(home.folder / "alliance.db") as database:
        assert database.execute("SELECT count(*) FROM correction").fetchone() == (0,)
        database.execute("UPDATE message SET labels = 'routine', tag = 'routine'")
    database.close()
    with imap.client(RIVERA) as client:
        client.select_folder("INBOX")
        client.add_flags(client.search(), [b"AllianceRoutine"])
    before = state(imap)
    try:
        assert marks(connect(home))["put labels on"] == "✓"
        assert state(imap) == before
        assert home.call("run", "--once").exit_code == 0
        with sqlite3.connect(home.folder / "alliance.db") as database:
            assert database.execute("SELECT count(*) FROM correction").fetchone() == (0,)
        database.close()
    finally:
        with imap.client(RIVERA) as client:
            client.select_folder("INBOX")
            client.remove_flags(client.search(), [b"AllianceRoutine", b"AllianceCheck"])


def test_a_server_without_keywords_is_told_as_it_is_and_no_star_is_touched(
    home: Home, imap: dovecot.Dovecot, smtp: smtp_sink.SmtpSink
) -> None:
    imap.deliver(LETTER % STARRED.encode(), to=STARRED)
    with imap.client(STARRED) as client:
        client.select_folder("INBOX")
        client.add_flags(client.search(), [rb"\Flagged"])
    before = state(imap, STARRED)
    with imap_proxy.running(imap.ports[0], rewrite=imap_proxy.without_keywords) as proxy:
        settings = servers(imap, smtp, authenticate=False).replace(str(imap.ports[0]), str(proxy.settings().port))
        home.configure(settings + MAILBOX.replace(RIVERA, STARRED))
        run = connect(home, "--password-file", str(home.folder / "password"))
    assert run.exit_code == 0, run.output
    assert marks(run)["put labels on"] == "–"
    assert "a star stands for urgent and conflict" in words(run)
    assert state(imap, STARRED) == before


class TestManyMailboxes:
    LISTED = "".join(
        f'\n[[mailboxes]]\naddress = "{address}"\nteacher = "T"\n' for address in (RIVERA, OKAFOR, TRAN, BELL)
    )

    def test_each_is_one_line_and_one_that_fails_fails_the_command(
        self, home: Home, imap: dovecot.Dovecot, smtp: smtp_sink.SmtpSink
    ) -> None:
        home.configure(servers(imap, smtp, authenticate=False) + self.LISTED)
        lines = [f"{address} {dovecot.PASSWORD}" for address in (RIVERA, OKAFOR, TRAN)]
        run = connect(home, "--password-file", home.secret("all", "\n".join([*lines, f"{BELL} swordfish"])))
        assert run.exit_code == 1
        rows = {line.split()[0]: line.split()[1:] for line in run.output.splitlines() if "@" in line[:25]}
        assert rows[RIVERA] == ["✓"] * 8
        assert rows[OKAFOR] == ["✓", "✓", "–", "✓", "–", "✓", "✓", "✓"]
        assert rows[BELL] == ["✗", *"–––––––"]
        assert "3 of 4 mailboxes work." in run.output
        assert max(len(line.rstrip()) for line in run.output.splitlines() if not line.startswith("{")) <= 80
        assert home.leaks(dovecot.PASSWORD, "swordfish") == []
        stored = words(home.call("credentials", "list"))
        assert TRAN in stored
        assert BELL not in stored

    def test_a_list_that_lacks_a_mailbox_is_refused_before_anything_is_tried(
        self, home: Home, imap: dovecot.Dovecot, smtp: smtp_sink.SmtpSink
    ) -> None:
        home.configure(servers(imap, smtp, authenticate=False) + self.LISTED)
        run = connect(home, "--password-file", home.secret("all", f"{RIVERA} {dovecot.PASSWORD}"))
        assert run.exit_code == 2
        assert OKAFOR in run.output
        assert home.leaks(dovecot.PASSWORD) == []


class TestTheConfiguration:
    def test_a_new_mailbox_is_added_and_every_comment_stays(self, home: Home) -> None:
        before = home.config.read_text()
        home.config.chmod(0o640)
        run = connect(home, OKAFOR, "--teacher", "Mr. Okafor", "--password-file", str(home.folder / "password"))
        assert run.exit_code == 1  # the SMTP server knows another user
        assert home.config.read_text().startswith(before.rstrip())
        assert home.config.read_text().count('address = "okafor@maple.example"') == 1
        assert 'stage = "observe"' in home.config.read_text()
        assert stat.S_IMODE(home.config.stat().st_mode) == 0o640
        assert not [name for name in home.files() if name.startswith(".alliance")]

    def test_only_shown_nothing_is_written(self, home: Home) -> None:
        before = home.config.read_bytes()
        password = str(home.folder / "password")
        run = connect(home, OKAFOR, "--teacher", "Mr. Okafor", "--password-file", password, "--no-write")
        assert 'teacher = "Mr. Okafor"' in run.output
        assert home.config.read_bytes() == before

    def test_a_person_is_asked_before_it_is_written(self, home: Home, imap: dovecot.Dovecot) -> None:
        home.config.write_text(home.config.read_text().replace("authenticate = true", "authenticate = false"))
        before = home.config.read_bytes()
        answers = f"Mr. Okafor\n{dovecot.PASSWORD}\nn\n"
        run = home.call("connect", "imap", OKAFOR, typed=answers)
        assert "Write it there?" in run.output
        assert home.config.read_bytes() == before
        assert home.call("connect", "imap", OKAFOR, typed="Mr. Okafor\n\ny\n").exit_code == 0
        assert OKAFOR in home.config.read_text()

    def test_what_somebody_else_wrote_meanwhile_is_not_lost(self, home: Home) -> None:
        home.config.write_text(home.config.read_text().replace("authenticate = true", "authenticate = false"))
        with home.terminal("connect", "imap", OKAFOR, "--teacher", "Mr. Okafor") as terminal:
            terminal.wait_for(r"\(not shown\): $")  # its last blank is written when nothing is shown any more
            terminal.type(dovecot.PASSWORD)
            terminal.wait_for("Write it there")
            home.config.write_text(home.config.read_text() + "# somebody's note\n")
            terminal.type("y")
            assert terminal.end() == 2
        assert "somebody changed it meanwhile" in " ".join(terminal.shown.split())
        assert home.config.read_text().endswith("# somebody's note\n")
        assert OKAFOR in words(home.call("credentials", "list"))

    def test_what_would_not_load_is_refused_with_its_place_in_the_file_itself(self, home: Home) -> None:
        home.config.write_text(home.config.read_text().replace('phone = "555 0100"', "fone = 1"))
        run = connect(home, "--password-file", str(home.folder / "password"))
        assert run.exit_code == 2
        assert f"{home.config}:" in run.output
        assert "Traceback" not in run.output

    @pytest.mark.parametrize("text", [None, "[school\n"])
    def test_a_configuration_that_is_none_is_named(self, home: Home, text: str | None) -> None:
        home.config.unlink()
        if text is not None:
            home.config.write_text(text)
        run = connect(home)
        assert run.exit_code == 2
        assert "alliance.toml" in run.output

    def test_the_mailbox_that_notices_leave_from_is_tried_too_and_listed_nowhere(
        self, home: Home, imap: dovecot.Dovecot, smtp: smtp_sink.SmtpSink
    ) -> None:
        service = f'[service]\nadministrator = "it@maple.example"\nnotices_from = "{ALLIANCE}"\n'
        home.configure(service + servers(imap, smtp, authenticate=False) + MAILBOX)
        lines = f"{RIVERA} {dovecot.PASSWORD}\n{ALLIANCE} {dovecot.PASSWORD}\n"
        run = connect(home, RIVERA, ALLIANCE, "--password-file", home.secret("both", lines))
        assert run.exit_code == 0, run.output
        assert ALLIANCE in run.output
        assert home.config.read_text().count(ALLIANCE) == 1
        assert ALLIANCE in connect(home).output
        assert home.call("doctor").exit_code == 0


class TestWhatIsWrong:
    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            (("connect", "fax", "--yes"), "gmail, graph, exchange, imap, maildir"),
            (("connect", "imap", "nonsense", "--yes"), "e-mail address"),
            (("connect", "imap", "new@maple.example", "--yes"), "--teacher"),
            (("connect", "imap", "--yes"), "--password-file"),
            (("connect", "imap", "--yes", "--password-file", "no/such/file"), "no/such/file"),
            (("connect", "imap", "--yes", "--send-test", "nobody"), "--send-test"),
        ],
    )
    def test_it_is_one_sentence_and_exit_code_2(self, home: Home, arguments: tuple[str, ...], named: str) -> None:
        run = home.call(*arguments)
        assert run.exit_code == 2
        assert named in words(run)
        assert "Traceback" not in run.output


class TestMaildir:
    def test_the_whole_way(self, tmp_path: Path) -> None:
        home = Home(tmp_path)
        for name in ("rivera", "outgoing"):
            make_maildir(tmp_path / name)
        (tmp_path / "rivera" / "new" / "1.M1P1.maple").write_bytes(LETTER.replace(b"\r\n", b"\n") % RIVERA.encode())
        home.configure(MAILBOX + 'connector = "maildir"\nmaildir = { path = "rivera", outgoing = "outgoing" }\n')
        run = home.call("connect", "maildir", "--yes")
        assert run.exit_code == 0, run.output
        assert marks(run) == {**dict.fromkeys(ALL, "✓"), "hear of new mail": "–"}
        assert files_in(tmp_path / "outgoing") == []

    def test_a_path_that_was_given_is_written(self, tmp_path: Path) -> None:
        home = Home(tmp_path)
        for name in ("rivera", "outgoing"):
            make_maildir(tmp_path / name)
        home.configure(MAILBOX)
        run = home.call("connect", "maildir", RIVERA, "--yes", "--maildir", "rivera", "--outgoing", "outgoing")
        assert run.exit_code == 0, run.output
        assert 'maildir = {path = "rivera", outgoing = "outgoing"}' in home.config.read_text()
        assert home.call("doctor").exit_code == 0


class TestForgetting:
    def test_a_mailbox_is_forgotten_and_it_is_said_where_to_revoke(self, home: Home) -> None:
        connect(home, "--password-file", str(home.folder / "password"))
        run = home.call("disconnect", RIVERA, "--yes")
        assert run.exit_code == 0
        assert f"Forgotten: password/{RIVERA}" in run.output
        assert "changing the password" in words(run)
        assert connect(home).exit_code == 2
        assert home.call("disconnect", RIVERA, "--yes").exit_code == 1
        assert "Nothing is stored" in home.call("credentials", "list").output

    def test_a_person_who_says_no_keeps_it(self, home: Home) -> None:
        connect(home, "--password-file", str(home.folder / "password"))
        home.call("disconnect", RIVERA, typed="n\n")
        assert connect(home).exit_code == 0

    def test_a_variable_that_goes_before_is_named(self, home: Home) -> None:
        connect(home, "--password-file", str(home.folder / "password"))
        variable = {"ALLIANCE_PASSWORD_RIVERA_MAPLE_EXAMPLE": dovecot.PASSWORD}
        assert "goes before it" in words(home.call("credentials", "list", environ=variable))
        assert "goes on being used" in words(home.call("disconnect", RIVERA, "--yes", environ=variable))
        assert home.leaks(dovecot.PASSWORD) == []

    def test_a_new_key_opens_what_was_stored_under_the_old_one(self, home: Home) -> None:
        connect(home, "--password-file", str(home.folder / "password"))
        old = (home.folder / "vault.key").read_text().strip()
        run = home.call("credentials", "rotate")
        assert run.exit_code == 0
        new = (home.folder / "vault.key").read_text().strip()
        assert new != old
        assert connect(home).exit_code == 0
        (home.folder / "vault.key").rename(home.folder.parent / "kept.key")
        assert home.leaks(old, new, dovecot.PASSWORD) == []

    def test_without_a_vault_there_is_nothing_to_change(self, home: Home) -> None:
        assert home.call("credentials", "rotate").exit_code == 2
