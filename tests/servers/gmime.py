"""GMime, the MIME library of Linux mail programs (Evolution's kin, notmuch, mu): what a reader makes of a mail, and
every complaint that it has. Through ctypes: Debian's libgmime-3.0-0 is all that is needed.

API: https://developer.gnome.org/gmime/stable/, gmime-parser-options.h for the warnings.
"""

import ctypes
from ctypes import CFUNCTYPE, c_char_p, c_int, c_int64, c_size_t, c_void_p
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

from tests.servers.required import lacking


class Warning(IntEnum):  # noqa: A001 - GMime's word
    """GMimeParserWarning."""

    DUPLICATED_HEADER = 1
    DUPLICATED_PARAMETER = 2
    UNENCODED_8BIT_HEADER = 3
    INVALID_CONTENT_TYPE = 4
    INVALID_RFC2047_HEADER_VALUE = 5
    MALFORMED_MULTIPART = 6
    TRUNCATED_MESSAGE = 7
    MALFORMED_MESSAGE = 8
    CRIT_INVALID_HEADER_NAME = 9
    CRIT_CONFLICTING_HEADER = 10
    CRIT_CONFLICTING_PARAMETER = 11
    CRIT_MULTIPART_WITHOUT_BOUNDARY = 12
    INVALID_PARAMETER = 13
    INVALID_ADDRESS_LIST = 14
    CRIT_NESTING_OVERFLOW = 15


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a mail, as text."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A mail as GMime reads it."""

    subject: str
    sender: str
    parts: tuple[Part, ...]
    warnings: tuple[str, ...]


_Complaint = CFUNCTYPE(None, c_int64, c_int, c_char_p, c_void_p)


@cache
def _gmime() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libgmime-3.0.so.0")
    except OSError:
        lacking("GMime is not installed; on Debian: apt-get install libgmime-3.0-0")
    for name, takes, gives in (
        ("g_mime_stream_mem_new_with_buffer", [c_char_p, c_size_t], c_void_p),
        ("g_mime_parser_new_with_stream", [c_void_p], c_void_p),
        ("g_mime_parser_options_new", [], c_void_p),
        ("g_mime_parser_options_free", [c_void_p], None),
        ("g_mime_parser_options_set_warning_callback", [c_void_p, _Complaint, c_void_p], None),
        ("g_mime_parser_construct_message", [c_void_p, c_void_p], c_void_p),
        ("g_mime_message_get_subject", [c_void_p], c_char_p),
        ("g_mime_message_get_from", [c_void_p], c_void_p),
        ("g_mime_message_get_mime_part", [c_void_p], c_void_p),
        ("internet_address_list_to_string", [c_void_p, c_void_p, c_int], c_void_p),
        ("g_mime_multipart_get_count", [c_void_p], c_int),
        ("g_mime_multipart_get_part", [c_void_p, c_int], c_void_p),
        ("g_mime_object_get_content_type", [c_void_p], c_void_p),
        ("g_mime_content_type_get_mime_type", [c_void_p], c_void_p),
        ("g_mime_text_part_get_text", [c_void_p], c_void_p),
        ("g_object_unref", [c_void_p], None),
        ("g_free", [c_void_p], None),
    ):
        function = getattr(library, name)
        function.argtypes, function.restype = takes, gives
    library.g_mime_init()
    return library


def opened(raw: bytes) -> Opened:
    """The mail `raw`, a text or a multipart of texts, with all that GMime complains of."""
    gmime, complaints = _gmime(), []

    def complain(at: int, code: int, item: bytes | None, _data: int | None) -> None:
        complaints.append(f"{Warning(code).name} at {at}: {(item or b'').decode(errors='replace')}")

    callback = _Complaint(complain)
    options = gmime.g_mime_parser_options_new()
    gmime.g_mime_parser_options_set_warning_callback(options, callback, None)
    stream = gmime.g_mime_stream_mem_new_with_buffer(raw, len(raw))
    parser = gmime.g_mime_parser_new_with_stream(stream)
    message = gmime.g_mime_parser_construct_message(parser, options)
    try:
        if not message:
            return Opened("", "", (), (*complaints, "no message"))
        top = gmime.g_mime_message_get_mime_part(message)
        parts = [top]
        if _kind(top).startswith("multipart/"):
            parts = [gmime.g_mime_multipart_get_part(top, n) for n in range(gmime.g_mime_multipart_get_count(top))]
        senders = gmime.internet_address_list_to_string(gmime.g_mime_message_get_from(message), None, 0)
        return Opened(
            (gmime.g_mime_message_get_subject(message) or b"").decode(),
            _taken(senders),
            tuple(Part(_kind(part), _taken(gmime.g_mime_text_part_get_text(part))) for part in parts),
            tuple(complaints),
        )
    finally:
        for thing in (message, parser, stream):
            if thing:
                gmime.g_object_unref(thing)
        gmime.g_mime_parser_options_free(options)


def _kind(part: int) -> str:
    return _taken(_gmime().g_mime_content_type_get_mime_type(_gmime().g_mime_object_get_content_type(part)))


def _taken(pointer: int | None) -> str:
    """The string at `pointer`, which GMime gave away."""
    if not pointer:
        return ""
    text = ctypes.cast(pointer, c_char_p).value or b""
    _gmime().g_free(pointer)
    return text.decode()
