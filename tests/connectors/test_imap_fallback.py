"""Labels on a server that keeps no keywords: the star, or copies in folders, and what the teacher does with them."""

from collections.abc import Iterator
from itertools import count

import pytest
from imapclient import IMAPClient

from connectors.contract.mails import family_id, family_mail
from connectors.contract.reader import Reader, message_id_of
from connectors.imap import ImapMailbox
from connectors.labels import Label
from tests.connectors.imap_world import ImapWorld
from tests.servers import dovecot, imap_proxy, smtp_sink
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.imap_proxy import ImapProxy, without_keywords

pytestmark = pytest.mark.server("dovecot")
USERS = [f"t{number}@maple.example" for number in range(40)]
URGENT, CONFLICT, ROUTINE = (frozenset({label}) for label in (Label.URGENT, Label.CONFLICT, Label.ROUTINE))
_numbers = count()


@pytest.fixture(scope="module", params=[(), ("CONDSTORE", "QRESYNC", "ENABLE", "MOVE")], ids=["history", "plain"])
def server(request: pytest.FixtureRequest) -> Iterator[Dovecot]:
    with dovecot.running(users=USERS, storage=dovecot.MDBOX, hide=request.param) as server:
        yield server


@pytest.fixture
def proxy(server: Dovecot) -> Iterator[ImapProxy]:
    with imap_proxy.running(server.ports[0], rewrite=without_keywords) as proxy:
        yield proxy


@pytest.fixture
def world(server: Dovecot) -> Iterator[ImapWorld]:
    with smtp_sink.running() as sink:
        yield ImapWorld(server, sink, USERS[next(_numbers) % len(USERS)])


def reader_of(world: ImapWorld, proxy: ImapProxy, fallback: str) -> Reader:
    """Connected, with three messages."""
    reader = Reader(ImapMailbox(world.address, proxy.settings(fallback=fallback), password=PASSWORD))
    reader.sync()
    world.deliver(*(family_mail(number, world.address) for number in (1, 2, 3)))
    reader.sync()
    return reader


def starred(world: ImapWorld) -> set[str]:
    with world.client() as client:
        client.select_folder("INBOX")
        return {
            message_id_of(m[b"BODY[]"]) for m in client.fetch(client.search("FLAGGED") or [], "BODY.PEEK[]").values()
        }


def copies(world: ImapWorld) -> dict[str, list[str]]:
    with world.client() as client:
        names = {name for _, _, name in client.list_folders()}
    wanted = [name for name in ("Alliance/Urgent", "Alliance/Conflict") if name in names]
    return {name.rpartition("/")[2]: [message_id_of(raw) for raw in world.folder(name)] for name in wanted}


def star(client: IMAPClient, world: ImapWorld, number: int, *, on: bool) -> None:
    uid = world.uid_of(client, family_id(number))
    (client.add_flags if on else client.remove_flags)([uid], [rb"\Flagged"])


def test_the_star_stands_for_urgent_and_conflict(world: ImapWorld, proxy: ImapProxy) -> None:
    reader = reader_of(world, proxy, "flagged")
    assert any("star" in fact for fact in reader.mailbox.check())
    reader.tag(reader.id_of(family_id(1)), URGENT)
    reader.tag(reader.id_of(family_id(2)), CONFLICT | {Label.CHECK})
    reader.tag(reader.id_of(family_id(3)), ROUTINE)
    assert starred(world) == {family_id(1), family_id(2)}
    assert world.marks(family_id(1)).labels == frozenset()
    reader.tag(reader.id_of(family_id(2)), ROUTINE)
    assert starred(world) == {family_id(1)}
    assert [state for page in reader.pages() for state in page.labels] == []
    reader.mailbox.close()


def test_a_star_that_the_teacher_takes_off_means_routine(world: ImapWorld, proxy: ImapProxy) -> None:
    reader = reader_of(world, proxy, "flagged")
    reader.tag(reader.id_of(family_id(1)), URGENT)
    reader.tag(reader.id_of(family_id(2)), CONFLICT)
    reader.sync()
    reader.mailbox.close()
    with world.client() as client:
        star(client, world, 2, on=False)
    lost, again = reader.look(), reader.look()
    assert lost.labels == again.labels
    reader.sync()
    assert reader.labels_of(family_id(2)) == ROUTINE
    assert reader.labels_of(family_id(1)) == URGENT
    reader.mailbox.close()


def test_a_star_of_the_teachers_own_says_nothing(world: ImapWorld, proxy: ImapProxy) -> None:
    reader = reader_of(world, proxy, "flagged")
    reader.tag(reader.id_of(family_id(1)), ROUTINE)
    reader.sync()
    with world.client() as client:
        for on in (True, False):
            star(client, world, 1, on=on)
            star(client, world, 2, on=on)
            assert all(page.labels == () for page in reader.pages())
    assert (reader.labels_of(family_id(1)), reader.labels_of(family_id(2))) == (ROUTINE, frozenset())
    reader.mailbox.close()


@pytest.mark.parametrize("fallback", ["flagged", "folders"])
def test_a_tag_that_is_still_to_be_written_is_no_correction(world: ImapWorld, proxy: ImapProxy, fallback: str) -> None:
    reader = reader_of(world, proxy, fallback)
    reader.recorded[reader.id_of(family_id(1))] = URGENT  # decided, not delivered yet
    reader.tag(reader.id_of(family_id(2)), CONFLICT)
    assert [state for page in reader.pages() for state in page.labels] == []
    reader.mailbox.close()


def test_copies_stand_for_urgent_and_conflict_and_are_never_doubled(world: ImapWorld, proxy: ImapProxy) -> None:
    reader = reader_of(world, proxy, "folders")
    one, two = reader.id_of(family_id(1)), reader.id_of(family_id(2))
    for _ in range(2):
        reader.tag(one, URGENT)
        reader.tag(two, CONFLICT)
        reader = reader.restarted(ImapMailbox(world.address, proxy.settings(fallback="folders"), password=PASSWORD))
    assert copies(world) == {"Urgent": [family_id(1)], "Conflict": [family_id(2)]}
    reader.tag(one, CONFLICT)
    assert copies(world) == {"Urgent": [], "Conflict": [family_id(2), family_id(1)]}
    reader.tag(one, ROUTINE)
    reader.tag(two, ROUTINE)
    assert copies(world) == {"Urgent": [], "Conflict": []}
    assert len(world.folder("INBOX")) == 3
    assert reader.sync() == []
    reader.mailbox.close()


def test_a_copy_that_the_teacher_moves_or_deletes_is_a_correction(world: ImapWorld, proxy: ImapProxy) -> None:
    reader = reader_of(world, proxy, "folders")
    reader.tag(reader.id_of(family_id(1)), CONFLICT)
    reader.tag(reader.id_of(family_id(2)), URGENT)
    reader.tag(reader.id_of(family_id(3)), URGENT)
    reader.sync()
    with world.client() as client:
        client.select_folder("Alliance/Conflict")
        client.copy(client.search(), "Alliance/Urgent")
        client.delete_messages(client.search())
        client.expunge()
        client.select_folder("Alliance/Urgent")
        client.delete_messages(client.search(["HEADER", "Message-ID", f"<{family_id(2)}>"]))
        client.expunge()
    lost, again = reader.look(), reader.look()
    assert lost.labels == again.labels
    reader.sync()
    assert [reader.labels_of(family_id(number)) for number in (1, 2, 3)] == [URGENT, ROUTINE, URGENT]
    reader.mailbox.close()


def test_a_message_without_a_message_id_is_copied_once(world: ImapWorld, proxy: ImapProxy) -> None:
    reader = reader_of(world, proxy, "folders")
    world.deliver(b"From: a@family.example\r\nSubject: no id\r\n\r\nhelp\r\n")
    (found,) = reader.sync()
    for _ in range(2):
        reader.tag(found.id, URGENT)
    assert [len(ids) for ids in copies(world).values()] == [1]
    reader.tag(found.id, ROUTINE)
    assert [len(ids) for ids in copies(world).values()] == [0]
    reader.mailbox.close()


def test_folders_of_copies_respect_the_servers_way_of_naming() -> None:
    with (
        dovecot.running(separator=".", prefix="INBOX.") as server,
        smtp_sink.running() as sink,
        imap_proxy.running(server.ports[0], rewrite=without_keywords) as proxy,
    ):
        world = ImapWorld(server, sink)
        reader = reader_of(world, proxy, "folders")
        reader.tag(reader.id_of(family_id(1)), URGENT)
        assert [message_id_of(raw) for raw in world.folder("INBOX.Alliance.Urgent")] == [family_id(1)]
        reader.mailbox.close()
