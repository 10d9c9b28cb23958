"""What Exchange writes when it is told to answer or forward a message."""

from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr

from lxml import etree

from tests.servers.ews.call import Call
from tests.servers.ews.fields import from_of
from tests.servers.ews.properties import Address
from tests.servers.ews.soap import T
from tests.servers.ews.writing import with_message_id


def reply_mime(call: Call, wanted: etree._Element) -> bytes:
    """The MIME of a ReplyToItem, ReplyAllToItem or ForwardItem. Raises Refused where its original is not there."""
    original = call.item(wanted.find(f"{T}ReferenceItemId"))
    mailbox = original.folder.mailbox
    kind = etree.QName(wanted).localname
    made = EmailMessage(policy=SMTP)
    made["From"] = formataddr((mailbox.name, mailbox.address))
    prefix = "FW: " if kind == "ForwardItem" else "RE: "
    made["Subject"] = wanted.findtext(f"{T}Subject") or prefix + original.properties.topic
    given = {name: wanted.find(f"{T}{name}Recipients") for name in ("To", "Cc")}
    for name, holder in given.items():
        people = _people(holder) if holder is not None else ()
        if holder is None and kind != "ForwardItem":
            people = _answered(original.properties.addresses("Reply-To") or from_of(original), name)
            if kind == "ReplyAllToItem":
                people += original.properties.addresses(name)
        others = [formataddr((one.name, one.address)) for one in people if one.address.lower() != mailbox.address]
        if others:
            made[name] = ", ".join(dict.fromkeys(others))
    message_id = original.properties.message_id
    if message_id and kind != "ForwardItem":
        made["In-Reply-To"] = message_id
        made["References"] = " ".join(filter(None, (original.properties.header("References"), message_id)))
    made["Date"] = format_datetime(call.now)
    body = wanted.find(f"{T}NewBodyContent")
    text = "" if body is None else body.text or ""
    quoted = original.properties.body("Text")[1]
    if body is not None and body.get("BodyType") == "HTML":
        made.set_content(f"{text}<hr><pre>{quoted}</pre>", subtype="html")
    else:
        made.set_content(f"{text}\n\n________________________________\n{quoted}")
    return with_message_id(made.as_bytes(), mailbox)


def _answered(people: tuple[Address, ...], name: str) -> tuple[Address, ...]:
    return people if name == "To" else ()


def _people(holder: etree._Element) -> tuple[Address, ...]:
    return tuple(
        Address(person.findtext(f"{T}Name") or "", person.findtext(f"{T}EmailAddress") or "")
        for person in holder.iterfind(f"{T}Mailbox")
    )
