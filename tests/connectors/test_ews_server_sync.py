"""The stand-in for Exchange Server: whatever happens in a folder, its sync states tell it."""

from typing import Any

from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from lxml import etree

from tests.connectors.ews_client import TEACHER, mail, mail_id, sync_folder_items
from tests.servers.ews import Box, ExchangeServer
from tests.servers.ews.schema import schema
from tests.servers.ews.server import Request
from tests.servers.ews.soap import MESSAGES, TYPES, M, T

HAPPENINGS = st.lists(
    st.tuples(
        st.sampled_from(["deliver", "delete", "away", "back", "categories", "read", "unread", "page"]),
        st.integers(0, 7),
        st.integers(1, 4),
    ),
    max_size=40,
)


@examples(max_examples=100)
@given(HAPPENINGS)
def test_whoever_follows_the_sync_states_ends_up_with_what_the_folder_holds(
    happenings: list[tuple[str, int, int]],
) -> None:
    server = ExchangeServer()
    box = server.box(TEACHER)
    follower = Follower(server)
    for number, (what, which, size) in enumerate(happenings):
        if what == "page":
            follower.page(size)
        else:
            happen(box, what, which, number)
    while not follower.page(3):
        pass
    assert follower.seen == {item.id: (item.is_read, item.categories) for item in box.folder("inbox").messages}
    assert follower.page(3)
    assert server.violations == []


def happen(box: Box, what: str, which: int, number: int) -> None:
    """One thing that the teacher or a family does, to the message that `which` picks; where there is none, nothing."""
    if what == "deliver":
        box.deliver(mail(number))
        return
    place = box.folder("deleteditems" if what == "back" else "inbox").messages
    if not place:
        return
    message_id = (place[which % len(place)].properties.message_id or "").strip("<>")
    assert message_id in {mail_id(earlier) for earlier in range(number)}
    {
        "delete": lambda: box.delete(message_id),
        "away": lambda: box.move(message_id, "deleteditems"),
        "back": lambda: box.move(message_id, "inbox"),
        "categories": lambda: box.set_categories(message_id, [f"Number {number}"]),
        "read": lambda: box.mark(message_id, read=True),
        "unread": lambda: box.mark(message_id, read=False),
    }[what]()


class Follower:
    """A client that knows nothing but what SyncFolderItems told it."""

    def __init__(self, server: ExchangeServer) -> None:
        self.server = server
        self.state = ""
        self.seen: dict[str, tuple[bool, tuple[str, ...]]] = {}

    def page(self, size: int) -> bool:
        """Takes a page of changes; whether it was the last."""
        asked = sync_folder_items(self.state, size, ("item:Categories", "message:IsRead"))
        request = etree.fromstring(f'<x xmlns:m="{MESSAGES}" xmlns:t="{TYPES}">{asked}</x>')[0]
        account, mailbox = self.server.account(TEACHER), self.server.mailbox(TEACHER)
        answered = self.server.carry_out(Request("SyncFolderItems", request, account, mailbox, sees_all=False))
        assert schema().complaint(answered) is None
        changes = list(answered.find(f".//{M}Changes"))
        assert len(changes) <= size
        for change in changes:
            self._take(etree.QName(change).localname, change)
        self.state = answered.findtext(f".//{M}SyncState", "")
        return answered.findtext(f".//{M}IncludesLastItemInRange") == "true"

    def _take(self, kind: str, change: Any) -> None:
        id_ = change.find(f".//{T}ItemId").get("Id")
        is_read = change.findtext(f".//{T}IsRead") == "true"
        assert (kind == "Create") == (id_ not in self.seen), "what is new is created, what is known is not"
        if kind == "Delete":
            del self.seen[id_]
        elif kind == "ReadFlagChange":
            self.seen[id_] = (is_read, self.seen[id_][1])
        else:
            categories = tuple(found.text for found in change.iterfind(f".//{T}Categories/{T}String"))
            self.seen[id_] = (is_read, categories)
