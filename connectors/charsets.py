"""Bytes to text under any charset label: right, wrong, unknown or missing. Linear in time, and never an exception."""

import codecs
import re
import unicodedata
from functools import lru_cache

from connectors.charset_guess import guess

# What a label means in practice. Programs that write Windows or vendor supersets label them with the older name; the
# WHATWG Encoding Standard §4.2 reads them the same way.
_SUPERSET = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
    "utf_8": "utf-8",
}
_ALIASES = {
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-8-e": "iso8859-8",
    "iso-8859-6-i": "iso8859-6",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601": "cp949",
    "ksc5601": "cp949",
    "x-windows-949": "cp949",
    "windows-874": "cp874",
    "windows-31j": "cp932",
    "x-sjis": "cp932",
    "x-euc-jp": "euc_jp",
    "x-gbk": "gb18030",
    "x-big5": "big5hkscs",
    "unicode-1-1-utf-7": "utf-7",
    "unicode-1-1-utf-8": "utf-8",
    "utf8mb4": "utf-8",
    "utf-8-sig": "utf-8",
    "x-mac-roman": "mac_roman",
    "macintosh": "mac_roman",
    "x-mac-cyrillic": "mac_cyrillic",
}
# Codecs that Python calls encodings and that are none: escapes and host names (bytes could mean code points at will).
_NOT_CHARSETS = frozenset({"unicode-escape", "unicode_escape", "raw-unicode-escape", "raw_unicode_escape", "idna",
                           "punycode", "undefined", "mbcs", "oem"})  # fmt: skip
_NOT_LIKE_ASCII = frozenset(
    {
        *("utf-7", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "hz", "cp037", "cp500"),
        *("iso2022_jp", "iso2022_jp_1", "iso2022_jp_2", "iso2022_jp_2004", "iso2022_jp_3", "iso2022_jp_ext"),
        "iso2022_kr",
    }
)
"""Charsets whose 7-bit bytes do not all mean what they mean in ASCII."""
_NO_ESCAPES = frozenset({None, "cp1252", "utf-8", "gb18030", "big5hkscs", "cp949", "cp932"})
# ISO 2022 text announces itself by an escape sequence (RFC 1557, RFC 1468).
_SEVEN_BIT = (
    (b"\x1b$)C", "iso2022_kr"),
    (b"\x1b$B", "iso2022_jp_2"),
    (b"\x1b$@", "iso2022_jp_2"),
    (b"\x1b(J", "iso2022_jp_2"),
)
_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_BREAKS = re.compile("[\x0b\x0c\x85\u2028\u2029]")
# Zero-width characters that only hide or pad. ZWJ and ZWNJ between letters stay: Arabic script and emoji need them.
_INVISIBLE = re.compile("[\u00ad\u034f\u061c\u180e\u200b\u2060-\u2064\ufeff\ufff9-\ufffb]")
_LOOSE_JOINERS = re.compile("(?<![^\\s\u200c\u200d])[\u200c\u200d]+|[\u200c\u200d]+(?![^\\s\u200c\u200d])")
# One look for all that `clean` takes out or replaces: most texts have none of it.
_ODD = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\xa0\xad\u034f\u061c\u1680\u180e\u2000-\u200d\u2028\u2029\u202f\u205f-\u2064\u3000"
    "\ud800-\udfff\ufeff\ufff9-\ufffb]"
)
_MOST_MARKS = 30
# What combines is no letter and no space, in every script; of such runs the characters are looked at one by one.
_MARKS = re.compile(rf"[^\w\s\x00-\u02ff]{{{_MOST_MARKS + 1},}}")
_SPACES = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")


@lru_cache(maxsize=512)
def codec_name(label: str) -> str | None:
    """Python's name for the charset that `label` means, None where no charset of that name is known."""
    wanted = label.strip().strip("\"'").lower()[:64]
    wanted = _ALIASES.get(wanted, wanted)
    try:
        found = codecs.lookup(wanted)
    except (LookupError, ValueError, UnicodeError):
        return None
    if found.name in _NOT_CHARSETS or not getattr(found, "_is_text_encoding", True):
        return None
    return _SUPERSET.get(found.name, found.name)


def decode(raw: bytes, label: str | None) -> tuple[str, bool]:
    """The text of `raw`, and whether `label` had to be overruled or bytes replaced."""
    name = codec_name(label) if label else None
    if b"\x1b" in raw and name in _NO_ESCAPES:
        for mark, escaped in _SEVEN_BIT:
            if mark in raw:
                return raw.decode(escaped, "replace"), True
    if raw.isascii() and name not in _NOT_LIKE_ASCII:
        return raw.decode("ascii"), False
    if name is None or name == "cp1252":
        # UTF-8 hardly ever comes about by accident, and "iso-8859-1" is what broken programs say by default.
        text = _utf8(raw)
        if text is not None:
            return text, name is None and bool(label)
    if name is not None:
        text = _strictly(raw, name)
        if text is not None:
            return text, False
    return _detected(raw, name), True


def _utf8(raw: bytes) -> str | None:
    # The incremental decoder forgives a character cut in half at the very end, where a message was truncated.
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(raw.removeprefix(codecs.BOM_UTF8))
    except UnicodeDecodeError:
        return None


def _strictly(raw: bytes, name: str) -> str | None:
    if name == "utf-8":
        return _utf8(raw)
    try:
        return raw.decode(name)
    except (UnicodeError, ValueError, LookupError):
        pass
    # windows-1252 leaves five bytes undefined; a text that has one is still that text.
    return raw.decode("cp1252", "replace") if name == "cp1252" else None


def _detected(raw: bytes, declared: str | None) -> str:
    broken = raw.decode(declared, "replace") if declared else None
    # A few broken characters in a long text: the label was right and the text was damaged on its way.
    if broken is not None and broken.count("\ufffd") * 20 <= sum(1 for byte in raw[:4_096] if byte >= 0x80):
        return broken
    text = _utf8(raw)
    if text is not None:
        return text
    return raw.decode(guess(raw), "replace")


def clean(text: str) -> str:
    """`text` with line ends as \\n, without control characters, invisible padding and half characters, in NFC."""
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    if text.isascii():
        return _CONTROLS.sub("", _BREAKS.sub("\n", text)) if _ODD.search(text) else text
    if _ODD.search(text):
        text = _SPACES.sub(" ", _LOOSE_JOINERS.sub("", _INVISIBLE.sub("", text)))
        text = _CONTROLS.sub("", _BREAKS.sub("\n", text))
    if _MARKS.search(text):
        text = _MARKS.sub(_stream_safe, text)
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)


def _stream_safe(run: re.Match[str]) -> str:
    """A long run of marks without those that nobody could see any more: at most 30 that combine with one character, as
    Unicode's Stream-Safe Text Format has it (UAX #15 §13). Putting them in order takes the square of their number."""
    kept: list[str] = []
    combining = 0
    for character in run[0]:
        combining = combining + 1 if unicodedata.combining(character) else 0
        if combining <= _MOST_MARKS:
            kept.append(character)
    return "".join(kept)
