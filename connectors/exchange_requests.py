"""The EWS requests that are made, as elements; nothing is sent here (MS-OXWSSYNC, MS-OXWSCORE, MS-OXWSSRCH,
MS-OXWSNTIF, MS-OXWSRSLNM, MS-OXWSUSRCFG)."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from exchangelib.util import create_element, safe_xml_value

Element = Any
"""An element of lxml, which brings no types."""
INBOX, SENT, DRAFTS, CALENDAR = "inbox", "sentitems", "drafts", "calendar"
LISTED = ("item:DateTimeReceived", "item:Size", "item:Categories", "item:DateTimeCreated")
"""What is read of an item without opening it."""
CATEGORIES = "item:Categories"
ARTICLE_NUMBER = {"PropertyTag": "0x0E23", "PropertyType": "Integer"}
"""PidTagInternetArticleNumber: grows with each item that comes into a folder (MS-OXPROPS §2.750). Puts those in order
that came within one second."""
MESSAGE_ID_PROPERTY = {
    "PropertySetId": "8f3c1f0e-6a0b-4d7e-9a51-3d5b7f2c9e64",
    "PropertyName": "AllianceMessageId",
    "PropertyType": "String",
}
"""Where a draft of ours carries its Message-ID a second time: Exchange may write another one into the message when it
sends it, and the copy in Sent must be found all the same. The property set is this product's own."""
_TEXTUAL = (
    *LISTED,
    *("item:ParentFolderId", "item:ItemClass", "item:Subject", "item:Body", "item:InternetMessageHeaders"),
    *("item:InReplyTo", "item:Attachments", "item:DateTimeSent"),
)
_OF_MESSAGES = (
    *("message:From", "message:Sender", "message:ReplyTo", "message:ToRecipients", "message:CcRecipients"),
    *("message:InternetMessageId", "message:References"),
)


def sync_items(mailbox: str, folder: str, state: str | None, most: int, fields: Sequence[str]) -> Element:
    """SyncFolderItems: at most `most` changes (up to 512) since `state`, or since the beginning."""
    shape = _shape("m:ItemShape", fields)
    if fields == LISTED:
        shape[-1].append(_extended(ARTICLE_NUMBER))
    request = _e("m:SyncFolderItems", shape, _e("m:SyncFolderId", _folder(folder, mailbox)))
    if state is not None:
        request.append(_e("m:SyncState", state))
    request.append(_e("m:MaxChangesReturned", str(most)))
    return request


def find_items(
    mailbox: str, folder: str, *, offset: int, most: int, before: datetime | None, since: datetime | None
) -> Element:
    """FindItem: what was received in [since, before), newest first, from `offset` on."""
    bounds = [_compare("IsLessThan", before)] if before else []
    bounds += [_compare("IsGreaterThanOrEqualTo", since)] if since else []
    request = _e("m:FindItem", _shape("m:ItemShape", LISTED), Traversal="Shallow")
    request.append(_view(offset, most))
    if bounds:
        request.append(_e("m:Restriction", bounds[0] if len(bounds) == 1 else _e("t:And", *bounds)))
    keys = (_path("item:DateTimeReceived"), _extended(ARTICLE_NUMBER))
    request.append(_e("m:SortOrder", *(_e("t:FieldOrder", key, Order="Descending") for key in keys)))
    request.append(_e("m:ParentFolderIds", _folder(folder, mailbox)))
    return request


def find_message(mailbox: str, folder: str, rfc_message_id: str) -> Element:
    """FindItem: the message with this Message-ID (without brackets), by the message's own or by our property."""
    bare = safe_xml_value(rfc_message_id)
    alternatives = [
        _equal(_path("message:InternetMessageId"), f"<{bare}>"),
        _equal(_extended(MESSAGE_ID_PROPERTY), bare),
    ]
    request = _e("m:FindItem", _shape("m:ItemShape", ("item:IsSubmitted",)), Traversal="Shallow")
    request.append(_view(0, 10))
    request.append(_e("m:Restriction", _e("t:Or", *alternatives)))
    request.append(_e("m:ParentFolderIds", _folder(folder, mailbox)))
    return request


def get_mime(ids: Iterable[str]) -> Element:
    """GetItem: whole messages, and the headers they arrived with."""
    shape = _shape("m:ItemShape", (*LISTED, "item:ParentFolderId", "item:InternetMessageHeaders"), mime=True)
    return _e("m:GetItem", shape, _item_ids("m:ItemIds", ids))


def get_text(ids: Iterable[str], *, kilobytes: int | None, of_messages: bool = True) -> Element:
    """GetItem: headers, text (at most `kilobytes` of it) and the names of what is attached. `of_messages` asks for what
    only messages have, which makes other items fail."""
    shape = _e("m:ItemShape", _e("t:BaseShape", "IdOnly"), _e("t:BodyType", "Text"))
    if kilobytes is not None:
        shape.append(_e("t:MaximumBodySize", str(kilobytes)))
    fields = (*_TEXTUAL, *_OF_MESSAGES) if of_messages else _TEXTUAL
    shape.append(_e("t:AdditionalProperties", *(_path(field) for field in fields)))
    return _e("m:GetItem", shape, _item_ids("m:ItemIds", ids))


def get_fields(ids: Iterable[str], fields: Sequence[str], *, message_id: bool = False) -> Element:
    """GetItem: some fields, and our copy of the Message-ID."""
    shape = _shape("m:ItemShape", fields)
    if message_id:
        shape[-1].append(_extended(MESSAGE_ID_PROPERTY))
    return _e("m:GetItem", shape, _item_ids("m:ItemIds", ids))


def get_folders(mailbox: str, folders: Iterable[str]) -> Element:
    """GetFolder: ids and counts."""
    shape = _shape("m:FolderShape", ("folder:TotalCount", "folder:EffectiveRights"))
    return _e("m:GetFolder", shape, _e("m:FolderIds", *(_folder(folder, mailbox) for folder in folders)))


def create_draft(mailbox: str, mime: bytes, rfc_message_id: str) -> Element:
    """CreateItem: saves a message in Drafts and sends nothing."""
    kept = _e("t:ExtendedProperty", _extended(MESSAGE_ID_PROPERTY), _e("t:Value", safe_xml_value(rfc_message_id)))
    message = _e("t:Message", _e("t:MimeContent", base64.b64encode(mime).decode(), CharacterSet="UTF-8"), kept)
    request = _e("m:CreateItem", MessageDisposition="SaveOnly")
    request.append(_e("m:SavedItemFolderId", _folder(DRAFTS, mailbox)))
    request.append(_e("m:Items", message))
    return request


def send_item(mailbox: str, item_id: str, change_key: str) -> Element:
    """SendItem: sends a draft and keeps it in Sent."""
    request = _e(
        "m:SendItem", _e("m:ItemIds", _e("t:ItemId", Id=item_id, ChangeKey=change_key)), SaveItemToFolder="true"
    )
    request.append(_e("m:SavedItemFolderId", _folder(SENT, mailbox)))
    return request


def delete_item(item_id: str) -> Element:
    """DeleteItem: for good."""
    return _e("m:DeleteItem", _item_ids("m:ItemIds", [item_id]), DeleteType="HardDelete")


def set_categories(wanted: Iterable[tuple[str, str, Sequence[str]]]) -> Element:
    """UpdateItem: the categories of items, given with their change keys; whoever changed an item meanwhile wins."""
    changes = _e("m:ItemChanges")
    for item_id, change_key, categories in wanted:
        if categories:
            value = _e("t:Message", _e("t:Categories", *(_e("t:String", name) for name in categories)))
            update = _e("t:SetItemField", _path(CATEGORIES), value)
        else:
            update = _e("t:DeleteItemField", _path(CATEGORIES))
        key = _e("t:ItemId", Id=item_id, ChangeKey=change_key)
        changes.append(_e("t:ItemChange", key, _e("t:Updates", update)))
    return _e(
        "m:UpdateItem",
        changes,
        ConflictResolution="NeverOverwrite",
        MessageDisposition="SaveOnly",
        SendMeetingInvitationsOrCancellations="SendToNone",
        SuppressReadReceipts="true",
    )


def resolve(name: str) -> Element:
    """ResolveNames: the person behind an address of Exchange's own kind (EX)."""
    attributes = {"ReturnFullContactData": "false", "SearchScope": "ActiveDirectory"}
    return _e("m:ResolveNames", _e("m:UnresolvedEntry", safe_xml_value(name)), **attributes)


def subscribe(mailbox: str, folders: Iterable[str]) -> Element:
    """Subscribe: streaming notifications of everything that happens in these folders."""
    events = ("NewMailEvent", "CreatedEvent", "ModifiedEvent", "DeletedEvent", "MovedEvent")
    request = _e("m:StreamingSubscriptionRequest")
    request.append(_e("t:FolderIds", *(_folder(folder, mailbox) for folder in folders)))
    request.append(_e("t:EventTypes", *(_e("t:EventType", event) for event in events)))
    return _e("m:Subscribe", request)


def streaming_events(subscription: str, minutes: int) -> Element:
    """GetStreamingEvents: an answer that goes on for up to `minutes` (1 to 30)."""
    ids = _e("m:SubscriptionIds", _e("t:SubscriptionId", subscription))
    return _e("m:GetStreamingEvents", ids, _e("m:ConnectionTimeout", str(minutes)))


def unsubscribe(subscription: str) -> Element:
    """Unsubscribe: no more notifications."""
    return _e("m:Unsubscribe", _e("m:SubscriptionId", subscription))


def get_category_list(mailbox: str) -> Element:
    """GetUserConfiguration: the list of categories that Outlook offers (MS-OXOCFG §2.2.5.2)."""
    name = _e("m:UserConfigurationName", _folder(CALENDAR, mailbox), Name="CategoryList")
    return _e("m:GetUserConfiguration", name, _e("m:UserConfigurationProperties", "XmlData"))


def put_category_list(mailbox: str, document: bytes, *, new: bool) -> Element:
    """UpdateUserConfiguration, or CreateUserConfiguration where there is none: the list of categories."""
    name = _e("t:UserConfigurationName", _folder(CALENDAR, mailbox), Name="CategoryList")
    content = _e("t:XmlData", base64.b64encode(document).decode())
    verb = "Create" if new else "Update"
    return _e(f"m:{verb}UserConfiguration", _e("m:UserConfiguration", name, content))


def _e(_name: str, *content: object, **attributes: str) -> Element:
    made = create_element(_name, attrs=attributes)
    for part in content:
        if isinstance(part, str):
            made.text = part
        else:
            made.append(part)
    return made


def _folder(name: str, mailbox: str) -> Element:
    owner = _e("t:Mailbox", _e("t:EmailAddress", mailbox))
    return _e("t:DistinguishedFolderId", owner, Id=name)


def _item_ids(tag: str, ids: Iterable[str]) -> Element:
    return _e(tag, *(_e("t:ItemId", Id=item_id) for item_id in ids))


def _shape(tag: str, fields: Sequence[str], *, mime: bool = False) -> Element:
    shape = _e(tag, _e("t:BaseShape", "IdOnly"))
    if mime:
        shape.append(_e("t:IncludeMimeContent", "true"))
    shape.append(_e("t:AdditionalProperties", *(_path(field) for field in fields)))
    return shape


def _path(field: str) -> Element:
    return _e("t:FieldURI", FieldURI=field)


def _extended(which: Mapping[str, str]) -> Element:
    return _e("t:ExtendedFieldURI", **which)


def _equal(path: Element, value: str) -> Element:
    return _e("t:IsEqualTo", path, _e("t:FieldURIOrConstant", _e("t:Constant", Value=value)))


def _compare(operator: str, moment: datetime) -> Element:
    constant = _e("t:Constant", Value=moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    return _e(f"t:{operator}", _path("item:DateTimeReceived"), _e("t:FieldURIOrConstant", constant))


def _view(offset: int, most: int) -> Element:
    return _e("m:IndexedPageItemView", MaxEntriesReturned=str(most), Offset=str(offset), BasePoint="Beginning")
