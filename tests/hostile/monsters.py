"""The monsters, by name: mails that no person writes. Made when asked for, since some hold 50 MB."""

from collections.abc import Callable

HEAD = (
    b"From: Ana Torres <ana@family.example>\r\nTo: rivera@maple.example\r\nSubject: hello\r\n"
    b"Message-ID: <%s@family.example>\r\n"
)
MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
HTML = b"Content-Type: text/html\r\n\r\n"
PLAIN = b"Content-Type: text/plain; charset=utf-8\r\n\r\n"
LINE = b"QUJD" * 18 + b"\r\n"


def _nested(depth: int) -> bytes:
    level = b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n"
    return b"".join(level % (number, number) for number in range(depth)) + PLAIN + b"hi"


def _as_calendar(text: bytes) -> bytes:
    return (
        MIXED
        + b"--b\r\n"
        + PLAIN
        + b"an invitation\r\n--b\r\nContent-Type: text/calendar\r\n\r\n"
        + text
        + b"\r\n--b--\r\n"
    )


def _with_attachment(size: int) -> bytes:
    file = b"--b\r\nContent-Type: image/png; name=a.png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return MIXED + b"--b\r\n" + PLAIN + b"see the file\r\n" + file + LINE * (size // len(LINE)) + b"--b--\r\n"


def _parts(part: bytes, times: int) -> bytes:
    return MIXED + (b"--b\r\n" + part + b"\r\n") * times


ENTITIES = b'<!DOCTYPE x [<!ENTITY a "ha">' + b"".join(
    b'<!ENTITY %c "%s">' % (letter, b"&%c;" % (letter - 1) * 10) for letter in range(ord("b"), ord("l"))
)

BODIES: dict[str, Callable[[], bytes]] = {
    "50 MB of text": lambda: PLAIN + b"word " * 10_000_000,
    "50 MB in one line": lambda: PLAIN + b"x" * 50_000_000,
    "50 MB of attachment": lambda: _with_attachment(50_000_000),
    "50 MB of HTML": lambda: _parts(HTML + b"<p>hello</p>" * 80_000, 50),
    "100,000 parts": lambda: _parts(b"Content-Type: text/plain\r\n\r\nx", 100_000),
    "five million boundaries": lambda: MIXED + b"--b\r\n" * 5_000_000,
    "a million headers": lambda: b"X: a\r\n" * 1_000_000 + PLAIN + b"hi",
    "a million headers in a part": lambda: MIXED + b"--b\r\n" + b"X: a\r\n" * 1_000_000 + b"\r\nhi",
    "one header of 10 MB": lambda: b"X: " + b"a" * 10_000_000 + b"\r\n" + PLAIN + b"hi",
    "100,000 multiparts in each other": lambda: _nested(100_000),
    "100,000 messages in each other": lambda: b"Content-Type: message/rfc822\r\n\r\n" * 100_000 + b"hi",
    "100,000 nested tags": lambda: HTML + b"<div>" * 100_000 + b"Ana is sick",
    "tags that end others": lambda: HTML + b"<b></x>" * 140_000,
    "100,000 attributes of one tag": lambda: HTML + b"<p " + b"".join(b"a%d=1 " % n for n in range(100_000)) + b">hi",
    "100,000 choices": lambda: HTML + b"<select>" + b"<option>" * 100_000,
    "four million quote signs": lambda: PLAIN + b">" * 3_900_000,
    "a million flowed lines": lambda: b"Content-Type: text/plain; format=flowed\r\n\r\n" + b"a \r\n" * 900_000,
    "armour that never ends": lambda: PLAIN + b"-----BEGIN PGP MESSAGE-----" * 100_000,
    "signatures that never end": lambda: PLAIN + b"-----BEGIN PGP SIGNATURE-----\n" * 100_000,
    "a letter with a million accents": lambda: PLAIN + b"a" + "\u0301\u0316".encode() * 500_000,
    "200,000 blanks": lambda: PLAIN + b"a" + b" " * 190_000 + b"b",
    "billion laughs in a calendar": lambda: _as_calendar(ENTITIES + b"]><x>&k;</x>"),
    "billion laughs in HTML": lambda: HTML + ENTITIES + b"]><p>&k;</p>",
    "a calendar that repeats every second": lambda: _as_calendar(
        b"BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:19700101T000000Z\r\nRRULE:FREQ=SECONDLY\r\nEND:VEVENT\r\nEND:VCALENDAR"
    ),
    "a stutter of encoded words": lambda: b"X: " + b"=?utf-8?q?a?= " * 18_000 + b"\r\n" + PLAIN + b"hi",
}


def monster(name: str) -> bytes:
    """A whole mail, from a family to the teacher."""
    return HEAD % name.replace(" ", ".").replace(",", "").encode() + BODIES[name]()
