"""Words that stand nowhere but in a letter or a secret are planted, the whole service runs over them, also where it
fails, and then every log, table, byte of the database, metric and file that it left is searched for them."""

import base64
import email.policy
import io
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from email.message import EmailMessage
from email.utils import formatdate
from pathlib import Path

import pytest
from sqlalchemy import MetaData, select

from connectors.errors import SendRejected
from connectors.server_words import server_words
from service import delivery, pipeline
from service.logs import configure
from service.notifications import serving
from service.operating.monitor import monitor_of
from service.runner import Runner
from service.watcher import Quiet
from store.database import Database
from tests.servers import smtp_sink
from tests.servers.postgres import Postgres
from tests.service.maple import ANA, BO, OKAFOR, Maple

SUBJECT, BODY, NAME, FILE, HEADER, SECRET = (
    "brimtaquor", "zolquivex", "tharnovix", "quendrilop", "vexomarl", "skrelnothu",
)  # fmt: skip
CANARIES = (SUBJECT, BODY, NAME, FILE, HEADER, SECRET)
FAMILY = "plimworth@family.example"


def forms(word: str) -> list[bytes]:
    """A word as it may stand in a file: plain, in capitals, in UTF-16, in base64 at each of its three places."""
    plain = word.encode()
    found = [
        plain,
        plain.upper(),
        plain.title(),
        word.encode("utf-16-le"),
        word.encode("utf-16-be"),
        plain.hex().encode(),
    ]
    for text in (plain, plain.title()):
        for ahead in range(3):
            coded = base64.b64encode(b"\0" * ahead + text).rstrip(b"=")
            found.append(coded[-(-ahead * 8 // 6) + (1 if ahead else 0) : -1])
    return found


def planted_in(text: bytes, *words: str) -> list[str]:
    return [word for word in words for form in forms(word) if form in text]


def letter(kind: str, sender: str = FAMILY) -> bytes:
    mail = EmailMessage(policy=email.policy.SMTP)
    mail["From"] = f'"{NAME.title()} Family" <{sender}>'
    mail["To"] = "rivera@maple.example"
    mail["Subject"] = f"{SUBJECT.title()} about today"
    mail["Date"] = formatdate()
    mail["Message-ID"] = f"<{kind}@family.example>"
    mail["X-Family"] = HEADER
    mail.set_content(
        {
            "urgent": f"Please call me at once: {BODY} ran away from school and says she wants to hurt herself.",
            "routine": f"Could you tell me when the homework about {BODY} is due?",
            "conflict": f"I am furious. You treated {BODY} unfairly again and I will complain to the principal.",
        }[kind]
    )
    mail.add_attachment(BODY.encode() * 40, maintype="application", subtype="pdf", filename=f"{FILE}.pdf")
    return mail.as_bytes()


def test_the_forms_find_what_they_are_to_find() -> None:
    for ahead in range(6):
        coded = base64.b64encode(b"x" * ahead + BODY.encode() + b"yyyy")
        assert planted_in(coded, BODY), ahead
    assert planted_in(BODY.encode("utf-16"), BODY)
    assert not planted_in(base64.b64encode(os.urandom(3000)), *CANARIES)


@pytest.fixture
def school(tmp_path: Path) -> Iterator[tuple[Path, smtp_sink.SmtpSink]]:
    (tmp_path / "tmp").mkdir()
    for folder in ("new", "cur", "tmp"):
        (tmp_path / "mail" / folder).mkdir(parents=True)
    with smtp_sink.running(username="rivera@maple.example", password=SECRET) as sink:
        (tmp_path / "alliance.toml").write_text(
            f"""
[school]
name = "Maple Street School"
timezone = "America/Chicago"
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
opens = "00:00"
closes = "23:59"

[office]
address = "office@maple.example"
phone = "555 0100"

[[mailboxes]]
address = "rivera@maple.example"
teacher = "Ms. Rivera"
connector = "maildir"
stage = "reply"
maildir.path = "mail"
smtp = {{ host = "127.0.0.1", port = {sink.port}, security = "none", allow_insecure = true }}
""",
            encoding="utf-8",
        )
        yield tmp_path, sink


def run(folder: Path, *arguments: str) -> bytes:
    """What a real process prints."""
    environ = {
        **os.environ,
        "TMPDIR": str(folder / "tmp"),
        "ALLIANCE_PASSWORD_RIVERA_MAPLE_EXAMPLE": SECRET,
        "PYTHONPATH": str(Path(__file__).parents[3]),
    }
    command = [
        sys.executable,
        "-X",
        "faulthandler",
        "-W",
        "default",
        "-c",
        # Whatever anybody says of its own logger, all of it is logged.
        "import logging; logging.Logger.isEnabledFor = lambda *_: True; from service.cli import main; main()",
        *arguments,
    ]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, check=False, timeout=300)
    return done.stdout + done.stderr


def test_no_canary_is_found_after_the_service_ran_and_failed(school: tuple[Path, smtp_sink.SmtpSink]) -> None:
    folder, sink = school
    printed = run(folder, "run", "--once", "--verbose")
    letters = {kind: letter(kind, f"{kind}.{FAMILY}") for kind in ("urgent", "routine", "conflict")}
    letters["again"] = letter("conflict", f"routine.{FAMILY}").replace(b"<conflict@", b"<again@")
    for kind, written in letters.items():
        (folder / "mail" / "new" / f"1.{kind}").write_bytes(written)
    (folder / "mail" / "new" / "2.broken").write_bytes(b"From: \xff\xfe" + letter("urgent")[:700])
    sink.say("end", f"554 5.7.1 spam: '{SUBJECT.title()} about today' of {NAME} quotes {BODY} in {FILE}.pdf ({FAMILY})")
    printed += run(folder, "run", "--once", "--verbose")
    assert sink.said, printed.decode("utf-8", "replace")
    printed += run(folder, "outbox") + run(folder, "purge") + run(folder, "audit")
    assert b"554" in printed
    assert planted_in(printed, *CANARIES) == []
    assert b"plimworth" not in b"\n".join(line for line in printed.splitlines() if line.startswith(b"{"))
    with Database.open(str(folder / "alliance.db")).read() as connection:
        assert len(connection.exec_driver_sql("SELECT id FROM message").all()) >= 3
    # Of the two letters of a family the teacher has deleted one.
    (deleted,) = [path for path in (folder / "mail").rglob("1.again*") if path.is_file()]
    deleted.unlink()
    copied = run(folder, "export-family", f"routine.{FAMILY}", "--letters", "--to", str(folder / "handed out"))
    assert b"1 of 2 letters" in copied
    assert b"could not be read" not in copied
    assert planted_in(copied, *CANARIES) == []
    (fetched,) = (folder / "handed out" / "letters").iterdir()
    assert fetched.read_bytes() == letters["routine"]
    left = [
        path
        for path in folder.rglob("*")
        if path.is_file() and not {"mail", "handed out"} & set(path.relative_to(folder).parts)
    ]
    assert folder / "alliance.db" in left
    assert {path.name: found for path in left if (found := planted_in(path.read_bytes(), *CANARIES))} == {}
    assert list((folder / "tmp").iterdir()) == []


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.server("postgres"))])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        opened = Database.open(str(tmp_path / "alliance.db"))
        yield opened
        opened.close()
        return
    server: Postgres = request.getfixturevalue("postgres_server")
    opened = server.school()
    yield opened
    opened.close()


def pages_of(address: str) -> bytes:
    """What the service tells machines of itself."""
    told = b""
    for page in ("metrics", "readyz", "livez"):
        try:
            with urllib.request.urlopen(f"{address}/{page}", timeout=30) as answer:
                told += answer.read()
        except urllib.error.HTTPError as refused:
            told += refused.read()
    return told


def everything_in(database: Database) -> bytes:
    """Every value of every table."""
    found: list[str] = []
    with database.read() as connection:
        metadata = MetaData()
        metadata.reflect(connection)
        for table in metadata.sorted_tables:
            found += [repr(tuple(row)) for row in connection.execute(select(table))]
    return "\n".join(found).encode("utf-8", "surrogatepass")


def test_no_canary_reaches_log_or_table_from_any_failure(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = io.StringIO()
    configure(file=log, verbose=True)
    maple = Maple(database=database)
    maple.round()
    maple.clock.forward(minutes=5)
    process = monitor_of(maple.assembly(), "run", Quiet(), {})
    everything = Runner(maple.assembly(), watcher=process.pulse)

    def quoting(*_: object, **__: object) -> None:
        raise ValueError(f"cannot decode {BODY} of {SUBJECT} by {NAME}")

    body = f"Please help, {BODY}."
    for number, (where, what) in enumerate(
        ((pipeline, "make_plan"), (pipeline, "letter_of"), (pipeline, "parse_message"), (delivery.Deliverer, "_send"))
    ):
        for subject in ("urgent", "routine", "conflict"):
            sender = (ANA, BO)[number % 2]
            maple.write(f"{subject} {SUBJECT}", sender=f"{NAME} <{sender}>", to=(OKAFOR,), body=body)
        with monkeypatch.context() as patched:
            patched.setattr(where, what, quoting)
            with suppress(ValueError):  # as the runner's thread would
                everything.run_once()
                maple.rounds(2, minutes=2)
        maple.rounds(2, minutes=2)
    refused = SendRejected(f"refused: {server_words(f'554 5.7.1 {SUBJECT} {BODY}')}")
    with monkeypatch.context() as patched:
        patched.setattr(maple.system, "send", lambda *_: (_ for _ in ()).throw(refused), raising=False)
        maple.rounds(2, minutes=40)
    assert "could not be" in log.getvalue()
    assert planted_in(log.getvalue().encode(), *CANARIES) == []
    for address in (ANA, BO):
        assert address not in log.getvalue()
    assert maple.records()
    assert planted_in(everything_in(database), *CANARIES) == []
    process.look()
    with serving(process.app(), "127.0.0.1:0") as address:
        told = pages_of(address)
    assert b"alliance_sweeps_total" in told
    assert planted_in(told, *CANARIES) == []
    assert not [family for family in (ANA, BO) if family.encode() in told]
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or planted_in(path.read_bytes(), *CANARIES) == []
