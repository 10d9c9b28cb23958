"""A real Dovecot serves the same Maildir: what we write it shows, and what a mail program does over IMAP we see."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from imapclient import IMAPClient

from connectors.contract import Reader
from connectors.contract.mails import family_id, family_mail, reply, reply_id
from connectors.labels import KEYWORDS, Label
from connectors.mailbox import Direction, DraftState
from connectors.maildir import MaildirMailbox
from connectors.maildir.folder import Folder
from tests.servers.dovecot import Dovecot, running

pytestmark = pytest.mark.server("dovecot")
ADDRESS = "rivera@maple.example"


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with running(users=[f"t{number}@maple.example" for number in range(12)]) as server:
        yield server


@pytest.fixture
def teacher(server: Dovecot) -> Iterator[tuple[IMAPClient, Path]]:
    """A mail program signed in to a mailbox nobody used yet, and its Maildir. Dovecot has opened it already."""
    user = next(user for user in server.users if not server.maildir(user).exists())
    client = server.client(user)
    client.select_folder("INBOX")
    yield client, server.maildir(user)
    client.logout()


def keywords(client: IMAPClient, uid: int) -> set[str]:
    """What the mail program shows for a message after asking for news."""
    client.noop()
    return {flag.decode() for flag in client.fetch([uid], ["FLAGS"])[uid][b"FLAGS"]} - {"\\Recent"}


def connected(path: Path) -> Reader:
    reader = Reader(MaildirMailbox(ADDRESS, Folder(path)))
    reader.sync()
    return reader


def test_our_labels_are_keywords_in_the_mail_program_and_its_own_stay(teacher: tuple[IMAPClient, Path]) -> None:
    client, path = teacher
    client.append("INBOX", family_mail(1, ADDRESS), flags=["\\Flagged", "$Forwarded", "NonJunk"])
    (uid,) = client.search()
    reader = connected(path)
    for labels in ({Label.URGENT}, {Label.CONFLICT, Label.CHECK}, {Label.ROUTINE}, set[Label]()):
        reader.tag(reader.id_of(family_id(1)), frozenset(labels))
        shown = {"\\Flagged", "$Forwarded", "NonJunk"} | {KEYWORDS[label] for label in labels}
        assert keywords(client, uid) == shown
    assert client.search() == [uid], "the message got another UID: Dovecot lost sight of it"


def test_labelling_mail_that_nobody_opened_keeps_it_unread_and_known_to_dovecot(
    server: Dovecot, teacher: tuple[IMAPClient, Path]
) -> None:
    client, path = teacher
    user = path.parent.name
    server.deliver(*(family_mail(number, user) for number in range(5)), to=user)
    reader = connected(path)
    for number in range(5):
        reader.tag(reader.id_of(family_id(number)), frozenset({Label.URGENT}))
    client.noop()
    uids = client.search(["KEYWORD", KEYWORDS[Label.URGENT], "UNSEEN"])
    assert len(uids) == 5
    assert "duplicate" not in server.log().lower()


def test_labels_that_the_teacher_changes_over_imap_are_told(teacher: tuple[IMAPClient, Path]) -> None:
    client, path = teacher
    client.append("INBOX", family_mail(1, ADDRESS))
    (uid,) = client.search()
    reader = connected(path)
    reader.tag(reader.id_of(family_id(1)), frozenset({Label.ROUTINE}))
    client.noop()
    client.remove_flags([uid], [KEYWORDS[Label.ROUTINE]])
    client.add_flags([uid], [KEYWORDS[Label.CONFLICT].lower()])  # keywords are the same in any case
    assert reader.sync() == []
    assert reader.labels_of(family_id(1)) == {Label.CONFLICT}


def test_a_label_first_used_by_the_mail_program_has_the_letter_that_dovecot_gave_it(
    teacher: tuple[IMAPClient, Path],
) -> None:
    client, path = teacher
    client.append("INBOX", family_mail(1, ADDRESS), flags=["NonJunk", KEYWORDS[Label.CONFLICT], "$Label1"])
    client.append("INBOX", family_mail(2, ADDRESS))
    first, second = client.search()
    reader = connected(path)
    assert reader.labels_of(family_id(1)) == {Label.CONFLICT}
    reader.tag(reader.id_of(family_id(2)), frozenset({Label.CONFLICT}))
    assert keywords(client, second) == {KEYWORDS[Label.CONFLICT]}
    assert keywords(client, first) == {"NonJunk", KEYWORDS[Label.CONFLICT], "$Label1"}
    lines = (path / "dovecot-keywords").read_text().splitlines()
    assert len({line.partition(" ")[2] for line in lines}) == len(lines)


def test_dovecot_adds_its_keywords_beside_ours(teacher: tuple[IMAPClient, Path]) -> None:
    client, path = teacher
    client.append("INBOX", family_mail(1, ADDRESS))
    (uid,) = client.search()
    reader = connected(path)
    reader.tag(reader.id_of(family_id(1)), frozenset({Label.URGENT}))
    client.noop()
    client.add_flags([uid], ["Travel"])
    assert keywords(client, uid) == {"Travel", KEYWORDS[Label.URGENT]}
    assert reader.sync() == []
    reader.tag(reader.id_of(family_id(1)), frozenset({Label.ROUTINE}))
    assert keywords(client, uid) == {"Travel", KEYWORDS[Label.ROUTINE]}


def test_drafts_and_sent_mail_are_seen_in_the_mail_program(teacher: tuple[IMAPClient, Path], tmp_path: Path) -> None:
    client, path = teacher
    outgoing = Folder(tmp_path / "outgoing")
    outgoing.create()
    mailbox = MaildirMailbox(ADDRESS, Folder(path), outgoing=outgoing)
    draft = mailbox.save_draft(reply(1, ADDRESS))
    client.select_folder("Drafts")
    (uid,) = client.search()
    assert client.fetch([uid], ["FLAGS"])[uid][b"FLAGS"] >= (b"\\Draft",)
    mailbox.send_draft(draft)
    client.noop()
    assert client.search() == []
    client.select_folder("Sent")
    (uid,) = client.search(["HEADER", "Message-ID", reply_id(1)])
    assert keywords(client, uid) == {"\\Seen"}


def test_what_the_teacher_sends_over_imap_is_seen_and_found_by_its_message_id(
    teacher: tuple[IMAPClient, Path],
) -> None:
    client, path = teacher
    reader = connected(path)
    client.append("Sent", reply(1, ADDRESS), flags=["\\Seen"])
    (found,) = reader.sync()
    assert found.direction is Direction.SENT
    assert reader.mailbox.draft_state("", reply_id(1)) is DraftState.SENT


def test_mail_that_the_mail_program_reads_and_files_comes_once(
    server: Dovecot, teacher: tuple[IMAPClient, Path]
) -> None:
    client, path = teacher
    user = path.parent.name
    reader = connected(path)
    server.deliver(*(family_mail(number, user) for number in range(20)), to=user)
    first = reader.look(limit=5)
    reader.commit(first)
    client.noop()
    client.add_flags(client.search(), ["\\Seen"])
    client.move(client.search()[:2], "Trash")
    rest = reader.sync(limit=5)
    told = [message.id for message in (*first.messages, *rest)]
    assert len(told) == len(set(told))
    assert len(told) >= 18


def test_flagging_by_dovecot_and_labelling_by_us_at_the_same_time_lose_nothing(
    server: Dovecot, teacher: tuple[IMAPClient, Path]
) -> None:
    client, path = teacher
    user, labelled = path.parent.name, 5
    # So many that listing the folder takes several system calls, between which a rename can hide a file.
    server.store_files([family_mail(number, ADDRESS) for number in range(1500)], user=user)
    client.noop()
    uids = client.search()
    reader = connected(path)
    rounds: list[int] = []

    def flag() -> None:
        for number in range(3):  # each makes Dovecot list the folder
            client.add_flags(uids[-5:], ["\\Flagged"], silent=True)
            client.remove_flags(uids[-5:], ["\\Flagged"], silent=True)
            rounds.append(number)

    flagging = threading.Thread(target=flag)
    flagging.start()
    while flagging.is_alive():
        for labels in (frozenset({Label.ROUTINE}), frozenset({Label.URGENT})):
            for number in range(labelled):
                reader.tag(reader.id_of(family_id(number)), labels)
    flagging.join()
    assert len(rounds) == 3
    # A session of its own: Dovecot 2.3 can leave out the very first message of a keyword that is new to it in the
    # session that was flagging at that moment, and only there; its index is right.
    with server.client(user) as fresh:
        fresh.select_folder("INBOX")
        assert fresh.search() == uids, "a message got another UID: Dovecot lost sight of it"
        assert fresh.search(["KEYWORD", KEYWORDS[Label.URGENT]]) == uids[:labelled]
    assert reader.sync() == []
