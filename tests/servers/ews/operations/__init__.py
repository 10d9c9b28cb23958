"""The operations of EWS that the stand-in carries out; GetStreamingEvents, whose answer takes minutes, is apart."""

from collections.abc import Callable, Mapping

from lxml import etree

from tests.servers.ews.call import Call
from tests.servers.ews.operations import (
    configurations,
    directory,
    folders,
    items,
    notifications,
    out_of_office,
    searching,
    sending,
    syncing,
)

OPERATIONS: Mapping[str, Callable[[Call], etree._Element]] = {
    "ConvertId": directory.convert_id,
    "CopyItem": items.copy_item,
    "CreateFolder": folders.create_folder,
    "CreateItem": sending.create_item,
    "CreateUserConfiguration": configurations.create_user_configuration,
    "DeleteFolder": folders.delete_folder,
    "DeleteItem": items.delete_item,
    "DeleteUserConfiguration": configurations.delete_user_configuration,
    "EmptyFolder": folders.empty_folder,
    "FindFolder": folders.find_folder,
    "FindItem": searching.find_item,
    "GetAttachment": items.get_attachment,
    "GetEvents": notifications.get_events,
    "GetFolder": folders.get_folder,
    "GetItem": items.get_item,
    "GetServerTimeZones": directory.get_server_time_zones,
    "GetUserConfiguration": configurations.get_user_configuration,
    "GetUserOofSettingsRequest": out_of_office.get_user_oof_settings,
    "MarkAllItemsAsRead": items.mark_all_items_as_read,
    "MoveFolder": folders.move_folder,
    "MoveItem": items.move_item,
    "ResolveNames": directory.resolve_names,
    "SendItem": sending.send_item,
    "Subscribe": notifications.subscribe,
    "SyncFolderHierarchy": folders.sync_folder_hierarchy,
    "SyncFolderItems": syncing.sync_folder_items,
    "Unsubscribe": notifications.unsubscribe,
    "UpdateFolder": folders.update_folder,
    "UpdateItem": items.update_item,
    "UpdateUserConfiguration": configurations.update_user_configuration,
}
