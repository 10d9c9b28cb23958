"""ResolveNames, ConvertId, GetServerTimeZones (MS-OXWSRSLNM, MS-OXWSCVTID, MS-OXWSGTZ)."""

import base64
import binascii
from typing import NamedTuple

from lxml import etree

from tests.servers.ews.call import Call
from tests.servers.ews.soap import M, Refused, Reply, T, add, truth

_XSI = "{http://www.w3.org/2001/XMLSchema-instance}type"


def resolve_names(call: Call) -> etree._Element:
    """People of the directory by a name, an SMTP address, or an EX address."""
    wanted = (call.request.findtext(f"{M}UnresolvedEntry") or "").strip()
    full = truth(call.request.get("ReturnFullContactData"))
    found = call.server.directory.resolve(wanted)
    reply = Reply(call.operation)
    if not found:
        reply.refusal(Refused("ErrorNameResolutionNoResults", "No results were found."))
        return reply.root
    if len(found) > 1:
        message = reply.refusal(Refused("ErrorNameResolutionMultipleResults", "Multiple results."), warning=True)
    else:
        message = reply.success()
    holder = add(message, f"{M}ResolutionSet", TotalItemsInView=len(found), IncludesLastItemInRange=True)
    for person in found[:100]:
        resolution = add(holder, f"{T}Resolution")
        mailbox = add(resolution, f"{T}Mailbox")
        for name, text in (("Name", person.name), ("EmailAddress", person.address), ("RoutingType", "SMTP")):
            add(mailbox, f"{T}{name}", text)
        add(mailbox, f"{T}MailboxType", "Mailbox")
        if full:
            contact = add(resolution, f"{T}Contact")
            add(contact, f"{T}DisplayName", person.name)
            addresses = add(contact, f"{T}EmailAddresses")
            add(addresses, f"{T}Entry", f"smtp:{person.address}", Key="EmailAddress1")
            add(contact, f"{T}ContactSource", "ActiveDirectory")
    return reply.root


def convert_id(call: Call) -> etree._Element:
    """Ids of items and folders in another format."""
    to = call.request.get("DestinationFormat", "EwsId")

    def answer(named: etree._Element, message: etree._Element) -> None:
        binary = _binary(named.get("Id", ""), named.get("Format", ""))
        owner = next((box.address for box in call.server.mailboxes.values() if box.guid in binary), None)
        if owner is None:
            raise Refused("ErrorInvalidIdMalformed", "Id is malformed.")
        made = add(message, f"{M}AlternateId", Format=to, Id=_written(binary, to), Mailbox=owner)
        made.set(_XSI, "t:AlternateIdType")

    return call.each(call.request.find(f"{M}SourceIds"), answer)


def _binary(id_: str, form: str) -> bytes:
    try:
        binary = binascii.unhexlify(id_) if form == "HexEntryId" else base64.b64decode(id_, validate=True)
    except ValueError:
        binary = b""
    if not binary.startswith(b"\x00\x03\x24"):
        raise Refused("ErrorInvalidIdMalformed", "Id is malformed.")
    return binary


def _written(binary: bytes, form: str) -> str:
    return binary.hex().upper() if form == "HexEntryId" else base64.b64encode(binary).decode()


class _Zone(NamedTuple):
    id: str
    name: str
    bias: int
    """Minutes that local standard time is behind UTC."""
    summer: tuple[tuple[int, int], tuple[int, int]] | None = None
    """Month and which Sunday of it: where summer time begins, and where it ends; -1 is the last."""


_EUROPE, _AMERICA = ((3, -1), (10, -1)), ((3, 2), (11, 1))
_ZONES = (
    _Zone("UTC", "(UTC) Coordinated Universal Time", 0),
    _Zone("GMT Standard Time", "(UTC+00:00) Dublin, Edinburgh, Lisbon, London", 0, _EUROPE),
    _Zone("W. Europe Standard Time", "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna", -60, _EUROPE),
    _Zone("Eastern Standard Time", "(UTC-05:00) Eastern Time (US & Canada)", 300, _AMERICA),
    _Zone("Central Standard Time", "(UTC-06:00) Central Time (US & Canada)", 360, _AMERICA),
    _Zone("Mountain Standard Time", "(UTC-07:00) Mountain Time (US & Canada)", 420, _AMERICA),
    _Zone("US Mountain Standard Time", "(UTC-07:00) Arizona", 420),
    _Zone("Pacific Standard Time", "(UTC-08:00) Pacific Time (US & Canada)", 480, _AMERICA),
    _Zone("Alaskan Standard Time", "(UTC-09:00) Alaska", 540, _AMERICA),
    _Zone("Hawaiian Standard Time", "(UTC-10:00) Hawaii", 600),
    _Zone("Tokyo Standard Time", "(UTC+09:00) Osaka, Sapporo, Tokyo", -540),
)


def get_server_time_zones(call: Call) -> etree._Element:
    """Time zones by their Windows names, with their rules where those are asked for."""
    ids = call.request.find(f"{M}Ids")
    wanted = {one.text for one in ids} if ids is not None else {zone.id for zone in _ZONES}
    full = truth(call.request.get("ReturnFullTimeZoneData"))
    reply = Reply(call.operation)
    holder = add(reply.success(), f"{M}TimeZoneDefinitions")
    for zone in _ZONES:
        if zone.id in wanted:
            made = add(holder, f"{T}TimeZoneDefinition", Id=zone.id, Name=zone.name)
            if full:
                _rules(made, zone)
    return reply.root


def _rules(made: etree._Element, zone: _Zone) -> None:
    standard, daylight = f"trule:{zone.id}/Standard", f"trule:{zone.id}/Daylight"
    periods = add(made, f"{T}Periods")
    add(periods, f"{T}Period", Bias=_duration(zone.bias), Name="Standard", Id=standard)
    group = add(add(made, f"{T}TransitionsGroups"), f"{T}TransitionsGroup", Id="0")
    if zone.summer is None:
        add(add(group, f"{T}Transition"), f"{T}To", standard, Kind="Period")
    else:
        add(periods, f"{T}Period", Bias=_duration(zone.bias - 60), Name="Daylight", Id=daylight)
        for to, (month, which) in zip((daylight, standard), zone.summer, strict=True):
            day = add(group, f"{T}RecurringDayTransition")
            add(day, f"{T}To", to, Kind="Period")
            for name, value in (
                ("TimeOffset", "PT2H"),
                ("Month", month),
                ("DayOfWeek", "Sunday"),
                ("Occurrence", which),
            ):
                add(day, f"{T}{name}", value)
    add(add(add(made, f"{T}Transitions", Id="0"), f"{T}Transition"), f"{T}To", "0", Kind="Group")


def _duration(minutes: int) -> str:
    return f"{'-' if minutes < 0 else ''}PT{abs(minutes)}M"
