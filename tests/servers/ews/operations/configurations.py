"""User configurations (MS-OXWSUSRCFG): where Outlook keeps the names and colours of categories."""

import base64

from lxml import etree

from tests.servers.ews.call import Call
from tests.servers.ews.fields import folder_id
from tests.servers.ews.soap import TYPES, M, Refused, T, add, element
from tests.servers.ews.store import Configuration, Folder

_PARTS = {"XmlData": "xml_data", "BinaryData": "binary_data"}


def get_user_configuration(call: Call) -> etree._Element:
    """What a configuration holds. By the published schema the response is the one message itself."""

    def answer(named: etree._Element, message: etree._Element) -> None:
        folder, name = _named(call, named)
        found = _existing(folder, name)
        wanted = set((call.request.findtext(f"{M}UserConfigurationProperties") or "").split())
        made = add(message, f"{M}UserConfiguration")
        folder_id(add(made, f"{T}UserConfigurationName", Name=name), folder)
        if wanted & {"Id", "All"}:
            add(made, f"{T}ItemId", Id=found.id, ChangeKey=folder.mailbox.change_key(found.change))
        if wanted & {"Dictionary", "All"}:
            made.append(etree.fromstring(found.dictionary or f"<Dictionary xmlns='{TYPES}'/>"))
        for part, field in _PARTS.items():
            content = getattr(found, field)
            if wanted & {part, "All"} and content is not None:
                add(made, f"{T}{part}", base64.b64encode(content).decode())

    (message,) = call.each([call.request.find(f"{M}UserConfigurationName")], answer)[0]
    response = element(f"{M}{call.operation}Response", dict(message.attrib))
    response.extend(list(message))
    return response


def create_user_configuration(call: Call) -> etree._Element:
    """A configuration that is not there yet."""

    def answer(given: etree._Element, message: etree._Element) -> None:
        folder, name = _named(call, given.find(f"{T}UserConfigurationName"))
        if (folder.id, name) in folder.mailbox.configurations:
            raise Refused("ErrorItemSave", "A configuration of this name is there already.")
        made = Configuration(folder.mailbox.new_id())
        folder.mailbox.configurations[folder.id, name] = made
        _write(made, given, folder)

    return call.each([call.request.find(f"{M}UserConfiguration")], answer)


def update_user_configuration(call: Call) -> etree._Element:
    """New content for a configuration."""

    def answer(given: etree._Element, message: etree._Element) -> None:
        folder, name = _named(call, given.find(f"{T}UserConfigurationName"))
        _write(_existing(folder, name), given, folder)

    return call.each([call.request.find(f"{M}UserConfiguration")], answer)


def delete_user_configuration(call: Call) -> etree._Element:
    """A configuration away."""

    def answer(named: etree._Element, message: etree._Element) -> None:
        folder, name = _named(call, named)
        _existing(folder, name)
        del folder.mailbox.configurations[folder.id, name]

    return call.each([call.request.find(f"{M}UserConfigurationName")], answer)


def _named(call: Call, named: etree._Element | None) -> tuple[Folder, str]:
    assert named is not None
    return call.folder(named[0]), named.get("Name", "")


def _existing(folder: Folder, name: str) -> Configuration:
    found = folder.mailbox.configurations.get((folder.id, name))
    if found is None:
        raise Refused("ErrorItemNotFound", "The specified object was not found in the store.")
    return found


def _write(configuration: Configuration, given: etree._Element, folder: Folder) -> None:
    for part, field in _PARTS.items():
        content = given.findtext(f"{T}{part}")
        if content is not None:
            setattr(configuration, field, base64.b64decode(content))
    dictionary = given.find(f"{T}Dictionary")
    if dictionary is not None:
        configuration.dictionary = etree.tostring(dictionary)
    configuration.change = folder.mailbox.next_change()
