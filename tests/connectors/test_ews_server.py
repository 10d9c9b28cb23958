"""The stand-in for Exchange Server, tried with exchangelib, which knows nothing of it: what is read, written, sent."""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from typing import Any

import pytest
from exchangelib import Account, EWSDateTime, EWSTimeZone, ExtendedProperty, HTMLBody, Mailbox, Message
from exchangelib.errors import (
    ErrorChangeKeyRequired,
    ErrorContentConversionFailed,
    ErrorFolderExists,
    ErrorInvalidOperation,
    ErrorInvalidRecipients,
    ErrorInvalidSyncStateData,
    ErrorIrresolvableConflict,
    ErrorItemNotFound,
    ErrorNameResolutionNoResults,
    ErrorQuotaExceeded,
    ErrorSendAsDenied,
    ErrorStaleObject,
    ErrorSubscriptionNotFound,
)
from exchangelib.folders import Messages
from exchangelib.items import MeetingRequest
from exchangelib.properties import AlternateId, ItemId, UserConfiguration
from exchangelib.services import GetStreamingEvents, SendItem, SyncFolderItems, UpdateItem
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st
from lxml import etree
from requests import RequestException

from tests.connectors.ews_client import (
    OFFICE,
    TEACHER,
    answer,
    ask,
    codes,
    forgetting,
    get_item,
    mail,
    mail_id,
    sign_in,
    sync_folder_items,
)
from tests.servers.ews import Box, ExchangeServer, running
from tests.servers.ews.soap import M, T


@pytest.fixture
def server() -> Iterator[ExchangeServer]:
    with running(TEACHER, OFFICE) as made, forgetting():
        yield made


@pytest.fixture
def box(server: ExchangeServer) -> Box:
    return server.box(TEACHER)


@pytest.fixture
def account(server: ExchangeServer) -> Account:
    return sign_in(server)


def synced(folder: Any, *fields: str) -> list[tuple[str, Any]]:
    """A page of changes since the state that the folder knows."""
    return list(folder.sync_items(sync_state=folder.item_sync_state, only_fields=fields or ["id"]))


def drafted(account: Account, mime: bytes | None = None) -> Any:
    """A draft, saved."""
    return Message(account=account, folder=account.drafts, mime_content=mime or answer()).save()


# Reading


def test_a_message_comes_back_as_the_bytes_that_were_delivered(account: Account, box: Box) -> None:
    mime = mail(1, Subject="=?utf-8?q?Gr=C3=BC=C3=9Fe?= 😀", From="=?utf-8?q?Okafor=2C_M=C3=ADa?= <mia@family.example>")
    (id_,) = box.deliver(mime)
    (found,) = account.fetch([ItemId(id=id_)], only_fields=["mime_content", "subject", "author", "message_id"])
    assert found.mime_content == mime
    assert found.subject == "Grüße 😀"
    assert (found.author.name, found.author.email_address) == ("Okafor, Mía", "mia@family.example")
    assert found.message_id == f"<{mail_id(1)}>"


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("inbox", "Inbox"),
        ("sent", "Sent Items"),
        ("drafts", "Drafts"),
        ("trash", "Deleted Items"),
        ("msg_folder_root", "Top of Information Store"),
        ("root", "Root"),
        ("calendar", "Calendar"),
    ],
)
def test_folders_are_found_by_their_distinguished_names(account: Account, folder: str, name: str) -> None:
    assert getattr(account, folder).name == name


def test_folders_are_made_listed_renamed_and_deleted(account: Account, box: Box) -> None:
    folder = Messages(parent=account.inbox, name="Families").save()
    assert [child.name for child in account.inbox.children] == ["Families"]
    with pytest.raises(ErrorFolderExists):
        Messages(parent=account.inbox, name="families").save()
    folder.name = "Parents"
    folder.save(update_fields=["name"])
    assert box.folder("Parents").parent is box.folder("inbox")
    folder.delete()
    assert box.folder("inbox").children == []


def test_a_sync_tells_everything_once_newest_first_and_then_only_what_changed(account: Account, box: Box) -> None:
    start = datetime(2026, 9, 7, 8, tzinfo=UTC)
    for number in range(5):
        box.deliver(mail(number), received=start + timedelta(minutes=number))
    inbox = account.inbox
    assert [(kind, item.message_id) for kind, item in synced(inbox, "message_id")] == [
        ("create", f"<{mail_id(number)}>") for number in (4, 3, 2, 1, 0)
    ]
    assert synced(inbox) == []
    ids = [box.item(mail_id(number)).id for number in range(5)]
    box.set_categories(mail_id(0), ["Alliance: Urgent"])
    box.mark(mail_id(1), read=True)
    box.delete(mail_id(2))
    box.move(mail_id(3), "deleteditems")
    (new,) = box.deliver(mail(5))
    changes = synced(inbox, "categories")
    told = {(kind, item[0].id if kind == "read_flag_change" else item.id) for kind, item in changes}
    assert told == {
        ("update", ids[0]),
        ("read_flag_change", ids[1]),
        ("delete", ids[2]),
        ("delete", ids[3]),
        ("create", new),
    }
    assert [item.categories for kind, item in changes if kind == "update"] == [["Alliance: Urgent"]]
    assert synced(inbox) == []


def test_pages_lose_and_repeat_nothing_though_the_mailbox_changes_between_them(account: Account, box: Box) -> None:
    box.deliver(*(mail(number) for number in range(10)))
    state, told, last = page(account.inbox, None, 4)
    assert not last
    box.delete(mail_id(0))
    box.deliver(mail(10))
    box.set_categories(mail_id(9), ["Red"])
    while not last:
        state, more, last = page(account.inbox, state, 4)
        told += more
    assert sorted(id_ for kind, id_ in told if kind == "create") == sorted(box.folder("inbox").items)
    assert [id_ for kind, id_ in told if kind == "update"] == [box.item(mail_id(9)).id]
    assert page(account.inbox, state, 4)[1:] == ([], True)


def page(folder: Any, state: str | None, size: int) -> tuple[str, list[tuple[str, str]], bool]:
    """One page of changes: the next state, what changed, and whether that was all."""
    service = SyncFolderItems(account=folder.account)
    asked = {"shape": "IdOnly", "additional_fields": None, "ignore": None, "sync_scope": None}
    changes = list(service.call(folder=folder, sync_state=state, max_changes_returned=size, **asked))
    return service.sync_state, [(kind, item.id) for kind, item in changes], service.includes_last_item_in_range


def test_a_sync_state_is_refused_where_it_was_forgotten_or_is_of_another_folder(account: Account, box: Box) -> None:
    box.deliver(mail(1))
    inbox = account.inbox
    synced(inbox)
    with pytest.raises(ErrorInvalidSyncStateData):
        list(account.sent.sync_items(sync_state=inbox.item_sync_state))
    box.forget_sync_states()
    with pytest.raises(ErrorInvalidSyncStateData):
        synced(inbox)


def test_a_backlog_of_5000_messages_is_told_in_ten_requests(server: ExchangeServer, box: Box) -> None:
    box.deliver(*(mail(number) for number in range(5000)))
    ids: list[str] = []
    state, last = "", "false"
    while last == "false":
        answered = etree.fromstring(ask(server, sync_folder_items(state)).content)
        ids += [found.get("Id", "") for found in answered.iter(f"{T}ItemId")]
        state, last = (answered.findtext(f".//{M}{name}", "") for name in ("SyncState", "IncludesLastItemInRange"))
    assert len(set(ids)) == len(ids) == 5000
    assert server.counts == {"SyncFolderItems": 10}


def test_messages_are_found_by_message_id_sorted_and_page_by_page(account: Account, box: Box) -> None:
    box.deliver(*(mail(number) for number in range(7)))
    found = account.inbox.filter(message_id=f"<{mail_id(3)}>").only("subject")
    assert [item.subject for item in found] == ["Question 3"]
    assert not account.inbox.filter(message_id=f"<{mail_id(77)}>").exists()
    paged = account.inbox.all().only("subject").order_by("-subject")
    paged.page_size = 3
    assert [item.subject for item in paged] == [f"Question {number}" for number in range(6, -1, -1)]


class ArticleNumber(ExtendedProperty):
    """Grows with each item of a mailbox."""

    property_tag = 0x0E23
    property_type = "Integer"


def test_numbers_are_sorted_and_compared_as_numbers(account: Account, box: Box) -> None:
    box.deliver(*(mail(number) for number in range(120)))
    Message.register("article_number", ArticleNumber)
    try:
        found = account.inbox.all().order_by("-article_number").only("subject", "article_number")
        newest = [item.article_number for item in found]
        assert [item.subject for item in found] == [f"Question {number}" for number in reversed(range(120))]
        older = account.inbox.filter(article_number__lt=newest[20], datetime_received__lte=account_time())
        assert older.count() == 99
        assert not account.inbox.filter(datetime_received__gt=account_time()).exists()
    finally:
        Message.deregister("article_number")


def account_time() -> EWSDateTime:
    """Now, as exchangelib has it."""
    return EWSDateTime.now(tz=EWSTimeZone("UTC"))


class Origin(ExtendedProperty):
    """The message that a draft answers."""

    property_set_id = "8ea0a6f3-6a1c-4c5e-9f57-2a1d0e2f6c11"
    property_name = "Origin"
    property_type = "String"


def test_an_extended_property_is_kept_found_and_survives_a_move(account: Account) -> None:
    Message.register("origin", Origin)
    try:
        Message(account=account, folder=account.drafts, mime_content=answer(), origin="family-1").save()
        (found,) = account.drafts.filter(origin="family-1").only("origin", "message_id")
        assert (found.origin, found.message_id) == ("family-1", "<answer@school.example>")
        found.move(account.trash)
        assert [item.origin for item in account.trash.filter(origin="family-1").only("origin")] == ["family-1"]
        assert not account.trash.filter(origin="family-2").exists()
    finally:
        Message.deregister("origin")


def test_attachments_are_listed_and_fetched(account: Account, box: Box) -> None:
    letter = EmailMessage()
    letter["From"], letter["Subject"] = "mia@family.example", "The list"
    letter.set_content("Here it is.")
    letter.add_attachment("Ana, Ben", filename="list.txt")
    box.deliver(letter.as_bytes())
    (found,) = account.inbox.all()
    assert found.has_attachments
    assert [(one.name, one.content) for one in found.attachments] == [("list.txt", b"Ana, Ben\n")]


INVITATION = mail(1, Content_Type="text/calendar; charset=utf-8;\r\n method=REQUEST")
BOUNCE = mail(2, Content_Type="multipart/report; report-type=delivery-status; boundary=b")


def test_invitations_and_reports_are_no_plain_messages_yet_show_who_wrote_them(account: Account, box: Box) -> None:
    box.deliver(INVITATION, BOUNCE)
    invitation, bounce = account.inbox.all().order_by("subject")
    assert (type(invitation), invitation.item_class) == (MeetingRequest, "IPM.Schedule.Meeting.Request")
    assert (type(bounce), bounce.item_class) == (Message, "REPORT.IPM.Note.NDR")
    assert invitation.author.email_address == bounce.author.email_address == "mia@family.example"


def test_what_is_no_message_has_no_properties_of_one(server: ExchangeServer, box: Box) -> None:
    (note,) = box.deliver(mail(1), item_class="IPM.StickyNote")
    (post,) = box.deliver(mail(2), item_class="IPM.Post")
    asked = get_item(note, post, fields=("message:Sender", "message:From"))
    assert codes(ask(server, asked)) == ["ErrorInvalidPropertyRequest", "NoError"]
    assert codes(ask(server, get_item(note, post, base="AllProperties"))) == ["NoError", "NoError"]


def test_no_more_of_a_body_is_shown_than_was_asked_for(server: ExchangeServer, box: Box) -> None:
    (id_,) = box.deliver(mail(1, Content_Type="text/plain; charset=utf-8") + "ü".encode() * 3000)
    shape = "<t:BodyType>Text</t:BodyType><t:MaximumBodySize>1</t:MaximumBodySize>"
    response = ask(server, get_item(id_, shape=shape, fields=("item:Body",)))
    body = etree.fromstring(response.content).find(f".//{T}Body")
    assert 1022 <= len(body.text.encode()) <= 1024
    assert body.get("IsTruncated") == "true"


@examples(max_examples=60)
@given(st.lists(st.binary(max_size=300) | st.text(max_size=100).map(str.encode), max_size=4))
def test_whatever_bytes_arrive_the_answer_is_valid_and_the_bytes_come_back(
    shared: ExchangeServer, parts: list[bytes]
) -> None:
    whole = b"\r\n".join(parts)
    mimes = [whole, b"Subject: " + whole, b"From: " + whole, b"Content-Type: " + whole, b"Date: " + whole]
    ids = shared.box(TEACHER).deliver(*mimes)
    response = ask(shared, get_item(*ids, mime=True, base="AllProperties"))
    shown = etree.fromstring(response.content).iter(f"{T}MimeContent")
    assert [base64.b64decode(content.text or "") for content in shown] == mimes
    assert shared.violations == []


@pytest.fixture(scope="module")
def shared() -> Iterator[ExchangeServer]:
    """A server for many examples, of which none minds the others."""
    with running(TEACHER) as made:
        yield made


# Writing


def test_categories_and_flags_reach_both_sides(account: Account, box: Box) -> None:
    box.deliver(mail(1))
    (item,) = account.inbox.all()
    item.categories = ["Alliance: Urgent", "Alliance: Please check"]
    item.save(update_fields=["categories"])
    assert box.categories_of(mail_id(1)) == {"Alliance: Urgent", "Alliance: Please check"}
    assert not box.is_read(mail_id(1))
    item.is_read = True
    item.save(update_fields=["is_read"])
    assert box.is_read(mail_id(1))
    box.set_categories(mail_id(1), [])
    assert [found.categories for found in account.inbox.all().only("categories")] == [None]


@pytest.mark.parametrize("resolution", ["NeverOverwrite", "AutoResolve", "AlwaysOverwrite"])
def test_of_two_who_write_the_same_property_the_second_is_told_unless_it_overwrites(
    account: Account, box: Box, resolution: str
) -> None:
    box.deliver(mail(1))
    (item,) = account.inbox.all()
    box.set_categories(mail_id(1), ["Red"])
    item.categories = ["Blue"]
    writing = {"update_fields": ["categories"], "conflict_resolution": resolution}
    if resolution == "AlwaysOverwrite":
        item.save(**writing)
        assert box.categories_of(mail_id(1)) == {"Blue"}
    else:
        with pytest.raises(ErrorIrresolvableConflict):
            _update(account, item, resolution)
        assert box.categories_of(mail_id(1)) == {"Red"}


def _update(account: Account, item: Any, resolution: str) -> None:
    UpdateItem(account=account).get(
        items=[(item, ["categories"])],
        conflict_resolution=resolution,
        message_disposition="SaveOnly",
        send_meeting_invitations_or_cancellations="SendToNone",
        suppress_read_receipts=True,
    )


def test_different_properties_are_merged(account: Account, box: Box) -> None:
    box.deliver(mail(1))
    (item,) = account.inbox.all()
    box.mark(mail_id(1), flagged=True)
    item.categories = ["Blue"]
    _update(account, item, "AutoResolve")
    assert box.categories_of(mail_id(1)) == {"Blue"}
    assert box.is_flagged(mail_id(1))


def test_a_moved_message_has_another_id_and_the_old_one_is_gone(account: Account, box: Box) -> None:
    (id_,) = box.deliver(mail(1))
    (item,) = account.inbox.all()
    item.move(account.trash)
    assert item.id != id_
    assert list(box.folder("deleteditems").items) == [item.id]
    (gone,) = account.fetch([ItemId(id=id_)])
    assert isinstance(gone, ErrorItemNotFound)
    item.delete()
    assert box.messages("deleteditems") == []


def test_a_message_that_exchange_cannot_convert_fails_alone(server: ExchangeServer, box: Box) -> None:
    ids = box.deliver(mail(1), mail(2), mail(3))
    box.unconvertible(mail_id(2))
    assert codes(ask(server, get_item(*ids, mime=True))) == ["NoError", "ErrorContentConversionFailed", "NoError"]
    assert codes(ask(server, get_item(*ids))) == ["NoError"] * 3
    with pytest.raises(ErrorContentConversionFailed):
        list(sign_in(server).fetch([ItemId(id=ids[1])], only_fields=["mime_content"]))


# Sending


def test_a_draft_that_is_sent_leaves_drafts_departs_once_and_lies_in_sent_items(account: Account, box: Box) -> None:
    draft = drafted(account, answer(Bcc=OFFICE))
    assert len(box.drafts()) == 1
    draft_id = draft.id
    draft.send()
    assert box.drafts() == []
    assert [message_from_bytes(mime)["Message-ID"] for mime in box.sent()] == ["<answer@school.example>"]
    (left,) = box.departed
    assert b"Bcc" not in left
    assert draft_id not in box.folder("sentitems").items
    (gone,) = account.fetch([ItemId(id=draft_id)])
    assert isinstance(gone, ErrorItemNotFound)


def test_while_the_transport_is_slow_a_sent_draft_still_lies_in_drafts_submitted(
    server: ExchangeServer, account: Account, box: Box
) -> None:
    server.slow_down()
    drafted(account).send()
    (waiting,) = account.drafts.all()
    assert waiting.is_submitted
    with pytest.raises(ErrorInvalidOperation):
        SendItem(account=account).get(items=[waiting], saved_item_folder=account.sent)
    assert (box.departed, box.sent()) == ([], [])
    server.catch_up()
    assert (len(box.departed), len(box.sent()), box.drafts()) == (1, 1, [])


def test_a_transport_with_message_ids_of_its_own_keeps_the_other_properties(
    server: ExchangeServer, account: Account, box: Box
) -> None:
    server.transport.own_message_ids = True
    Message.register("origin", Origin)
    try:
        Message(account=account, folder=account.drafts, mime_content=answer(), origin="family-1").save().send()
        (sent,) = account.sent.filter(origin="family-1").only("message_id")
        assert sent.message_id.endswith("@exchange.school.example>")
        assert f"Message-ID: {sent.message_id}".encode() in box.departed[0]
    finally:
        Message.deregister("origin")


def test_mail_to_a_mailbox_of_the_same_server_arrives_there(server: ExchangeServer, account: Account) -> None:
    drafted(account, answer(Bcc=OFFICE)).send()
    (arrived,) = server.box(OFFICE).messages()
    assert message_from_bytes(arrived)["Message-ID"] == "<answer@school.example>"


def test_a_draft_is_not_sent_with_the_key_of_an_older_version_or_none(account: Account, box: Box) -> None:
    draft = drafted(account)
    stale = ItemId(id=draft.id, changekey=draft.changekey)
    draft.categories = ["Red"]
    draft.save(update_fields=["categories"])
    for key, error in ((stale, ErrorStaleObject), (ItemId(id=draft.id), ErrorChangeKeyRequired)):
        with pytest.raises(error):
            SendItem(account=account).get(items=[key], saved_item_folder=account.sent)
    assert box.departed == []
    assert len(box.drafts()) == 1


def test_what_was_sent_is_not_sent_again(account: Account, box: Box) -> None:
    drafted(account).send()
    (sent,) = account.sent.all()
    with pytest.raises(ErrorInvalidOperation):
        SendItem(account=account).get(items=[sent], saved_item_folder=account.sent)
    assert len(box.departed) == 1


@pytest.mark.parametrize(
    ("headers", "error"),
    [({"From": "head@school.example"}, ErrorSendAsDenied), ({"To": ""}, ErrorInvalidRecipients)],
)
def test_what_may_not_be_sent_stays_a_draft(account: Account, box: Box, headers: dict[str, str], error: type) -> None:
    draft = drafted(account, answer(**headers))
    with pytest.raises(error):
        draft.send()
    assert (len(box.drafts()), box.departed) == (1, [])


def test_mail_made_of_parts_gets_what_a_message_needs(account: Account, box: Box) -> None:
    message = Message(account=account, subject="Grüße", body=HTMLBody("<p>Thank you</p>"))
    message.to_recipients = [Mailbox(name="Mia Okafor", email_address="mia@family.example")]
    message.send_and_save()
    (left,) = box.departed
    found = message_from_bytes(left)
    assert found["From"] == f"Rivera <{TEACHER}>"
    assert found["To"] == "Mia Okafor <mia@family.example>"
    assert found["Message-ID"].endswith("@exchange.school.example>")
    assert found.get_content_type() == "text/html"
    assert box.sent() == box.departed


def test_what_is_sent_without_a_copy_is_nowhere_to_be_found(account: Account, box: Box) -> None:
    Message(account=account, subject="Hello", body="Hello", to_recipients=["mia@family.example"]).send(save_copy=False)
    drafted(account).send(save_copy=False)
    assert len(box.departed) == 2
    assert (box.sent(), box.drafts()) == ([], [])


def test_a_reply_that_exchange_writes_is_in_the_familys_thread(account: Account, box: Box) -> None:
    box.deliver(mail(1, References="<first@family.example>"))
    (item,) = account.inbox.all()
    item.reply("RE: Question 1", "We will call you.", ["mia@family.example"])
    reply = message_from_bytes(box.departed[0])
    assert reply["In-Reply-To"] == f"<{mail_id(1)}>"
    assert reply["References"] == f"<first@family.example> <{mail_id(1)}>"
    assert b"We will call you." in box.departed[0]


def test_a_full_mailbox_takes_no_draft_and_sends_nothing(account: Account, box: Box) -> None:
    draft = drafted(account)
    box.fill_up()
    with pytest.raises(ErrorQuotaExceeded):
        drafted(account)
    with pytest.raises(ErrorQuotaExceeded):
        draft.send()
    box.fill_up(False)
    draft.send()
    assert len(box.departed) == 1


# The organisation


def test_an_ex_address_is_resolved_through_the_directory(server: ExchangeServer, account: Account, box: Box) -> None:
    person = server.person("Dana Lee", "lee@school.example")
    box.deliver(mail(1))
    box.sender(mail_id(1), person.name, person.ex)
    (item,) = account.inbox.all()
    assert (item.author.routing_type, item.author.email_address) == ("EX", person.ex)
    (found,) = account.protocol.resolve_names([item.author.email_address])
    assert (found.email_address, found.routing_type) == ("lee@school.example", "SMTP")
    ((mailbox, contact),) = account.protocol.resolve_names(["dana"], return_full_contact_data=True)
    assert (mailbox.email_address, contact.display_name) == ("lee@school.example", "Dana Lee")
    (nobody,) = account.protocol.resolve_names(["nobody@school.example"])
    assert isinstance(nobody, ErrorNameResolutionNoResults)


def test_ids_are_converted_there_and_back_and_tell_their_mailbox(account: Account, box: Box) -> None:
    (id_,) = box.deliver(mail(1))
    asked = AlternateId(id=id_, format="EwsId", mailbox="whoever@school.example")
    (as_hex,) = account.protocol.convert_ids([asked], destination_format="HexEntryId")
    assert as_hex.mailbox == TEACHER
    (back,) = account.protocol.convert_ids([as_hex], destination_format="EwsId")
    assert back.id == id_


def test_time_zones_come_with_their_rules(account: Account) -> None:
    berlin, phoenix = account.protocol.get_timezones(
        [
            account.default_timezone.from_ms_id(name)
            for name in ("W. Europe Standard Time", "US Mountain Standard Time")
        ],
        return_full_timezone_data=True,
    )
    standard, summer, period = berlin.get_std_and_dst(2026)
    assert (period.bias_in_minutes, standard.iso_month, summer.iso_month, summer.bias) == (-60, 10, 3, -60)
    assert phoenix.get_std_and_dst(2026)[2].bias_in_minutes == 420


def test_outlooks_list_of_categories_can_be_made_read_and_changed(account: Account, box: Box) -> None:
    calendar = account.calendar
    first = b'<?xml version="1.0"?><categories xmlns="CategoryList.xsd"><category name="Red" color="0"/></categories>'
    with pytest.raises(ErrorItemNotFound):
        calendar.get_user_configuration(name="CategoryList")
    calendar.create_user_configuration(name="CategoryList", xml_data=first)
    assert box.configuration() == first
    second = first.replace(b"Red", b"Blue")
    calendar.update_user_configuration(name="CategoryList", xml_data=second)
    found = calendar.get_user_configuration(name="CategoryList", properties="XmlData")
    assert isinstance(found, UserConfiguration)
    assert found.xml_data == second
    box.configure(first)
    assert calendar.get_user_configuration(name="CategoryList").xml_data == first


# Notifications


def test_a_stream_tells_what_happens_and_ends_in_good_order(server: ExchangeServer, account: Account, box: Box) -> None:
    inbox = account.inbox
    id_ = inbox.subscribe_to_streaming(event_types=["NewMailEvent", "MovedEvent", "ModifiedEvent"])
    (new,) = box.deliver(mail(1))
    told = []
    for notification in inbox.get_streaming_events(id_, connection_timeout=1):
        told += [(event.ELEMENT_NAME, event.item_id.id) for event in notification.events]
        if len(told) == 1:
            box.set_categories(mail_id(1), ["Red"])
        elif len(told) == 2:
            moved = box.move(mail_id(1), "deleteditems")
        elif len(told) == 3:
            server.end_streams()
    assert told == [("NewMailEvent", new), ("ModifiedEvent", new), ("MovedEvent", moved)]
    inbox.unsubscribe(id_)
    with pytest.raises(ErrorSubscriptionNotFound):
        inbox.unsubscribe(id_)


def test_a_stream_of_a_forgotten_subscription_ends_with_an_error(
    server: ExchangeServer, account: Account, box: Box
) -> None:
    inbox = account.inbox
    id_ = inbox.subscribe_to_streaming()
    box.deliver(mail(1))
    stream = inbox.get_streaming_events(id_, connection_timeout=1)
    assert next(stream).events
    server.forget_subscriptions()
    with pytest.raises(ErrorSubscriptionNotFound):
        next(stream)
    with pytest.raises(ErrorSubscriptionNotFound):
        list(GetStreamingEvents(account=account).call(subscription_ids=[id_], connection_timeout=1))


def test_a_stream_whose_line_is_cut_is_over_for_both_sides(server: ExchangeServer, account: Account) -> None:
    inbox = account.inbox
    id_ = inbox.subscribe_to_streaming()
    with ThreadPoolExecutor(1) as pool:
        listening = pool.submit(lambda: list(inbox.get_streaming_events(id_, connection_timeout=1)))
        server.wait_for_stream()
        server.hang_up()
        with suppress(RequestException):
            assert listening.result(30) == []
    with server.lock:
        assert server.happened.wait_for(lambda: server.subscriptions.streams == 0, 30)


def test_who_pulls_notifications_gets_what_came_since(account: Account, box: Box) -> None:
    inbox = account.inbox
    id_, watermark = inbox.subscribe_to_pull(event_types=["NewMailEvent"])
    assert [note.events[0].ELEMENT_NAME for note in inbox.get_events(id_, watermark)] == ["StatusEvent"]
    (new,) = box.deliver(mail(1))
    (notification,) = inbox.get_events(id_, watermark)
    assert [event.item_id.id for event in notification.events] == [new]
    (nothing,) = inbox.get_events(id_, notification.events[-1].watermark)
    assert [event.ELEMENT_NAME for event in nothing.events] == ["StatusEvent"]
