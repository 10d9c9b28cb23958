"""Out-of-office replies (MS-OXWSOOF)."""

from lxml import etree

from tests.servers.ews.call import Call
from tests.servers.ews.soap import M, Refused, T, add, element
from tests.servers.ews.store import Mailbox


def get_user_oof_settings(call: Call) -> etree._Element:
    """The settings of one mailbox. The response holds its message beside them."""
    response = element(f"{M}GetUserOofSettingsResponse")
    message = add(response, f"{M}ResponseMessage", ResponseClass="Success")
    try:
        call.server.refuse_if_ordered(call, call.request)
        own = _own(call)
    except Refused as refused:
        message.set("ResponseClass", "Error")
        add(message, f"{M}MessageText", refused.text)
        add(message, f"{M}ResponseCode", refused.code)
        return response
    add(message, f"{M}ResponseCode", "NoError")
    settings = add(response, f"{T}OofSettings")
    add(settings, f"{T}OofState", own.oof.state)
    add(settings, f"{T}ExternalAudience", own.oof.audience)
    duration = add(settings, f"{T}Duration")
    add(duration, f"{T}StartTime", own.oof.begins)
    add(duration, f"{T}EndTime", own.oof.ends)
    for reply in ("InternalReply", "ExternalReply"):
        add(add(settings, f"{T}{reply}"), f"{T}Message", "I am away.")
    add(response, f"{M}AllowExternalOof", "All")
    return response


def _own(call: Call) -> Mailbox:
    own = call.own()
    if call.request.findtext(f"{T}Mailbox/{T}Address") != own.address:
        raise Refused("ErrorAccessDenied", "Access is denied. Check credentials and try again.")
    return own
