"""What we write, as sections of blocks, and its two renderings: plain text and HTML with the same words.

A block holds plain words. Escaping, wrapping and dialable phone numbers are the renderings' business.
"""

import base64
import hashlib
import re
import textwrap
from dataclasses import dataclass, field
from email.message import EmailMessage
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup, escape

_COLUMNS = 72  # RFC 5322 §2.1.1 asks for at most 78, and a reply quotes with "> ".
_KEPT_TOGETHER = "\x00"


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text. `strong` for what must not be overlooked; `language` where it is not the section's."""

    text: str
    strong: bool = False
    language: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """A named fact, with one value or several."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Rows:
    """Named facts, one below the other."""

    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Signature:
    """Who signs, a line each."""

    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Link:
    """A page to open, on a line of its own in plain text so that no program cuts the address."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A number that is to be seen at a glance, and what it says."""

    title: str
    figure: str
    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that travels with the mail; in plain text stands what it shows."""

    png: bytes
    shows: str
    wide: int
    """Pixels of the page that it takes where there is room; its own may be more."""

    @property
    def content_id(self) -> str:
        """What it is called within its mail, without angle brackets (RFC 2392): the same picture, the same name."""
        return f"{hashlib.sha256(self.png).hexdigest()[:32]}@picture"

    @property
    def as_data(self) -> str:
        """The picture itself as an address (RFC 2397), for a page that stands alone."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"


Block = Paragraph | Rows | Signature | Link | Figure | Picture


@dataclass(frozen=True, slots=True)
class Section:
    """All blocks in one language."""

    language: str
    direction: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Note:
    """A whole note: a section per language, the reader's first."""

    title: str
    sections: tuple[Section, ...]
    phones: tuple[str, ...] = field(default=())
    """Phone numbers in the text, to be dialled by a touch in HTML."""

    def text(self) -> str:
        """The note as plain text, no line over 72 characters unless a single word is longer."""
        return f"\n{' '.join('*' * 12)}\n\n".join(
            "\n".join(self._block_text(block, section.direction) for block in section.blocks)
            for section in self.sections
        )

    def html(self, *, alone: bool = True) -> str:
        """The note as a complete HTML page, readable on a phone, without anything to be loaded. Pictures are in it, or
        where it does not stand `alone`, in the mail around it."""
        return template("note.html.j2").render(note=self, alone=alone)

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """Those of all sections, each once."""
        blocks = (block for section in self.sections for block in section.blocks)
        return tuple(dict.fromkeys(block for block in blocks if isinstance(block, Picture)))

    def fill(self, mail: EmailMessage) -> None:
        """Makes this note the body of `mail`: multipart/alternative, plainest first (RFC 2046 §5.1.4), the HTML form
        with its pictures where it has any (multipart/related, RFC 2387). Quoted-printable, so that no server on the way
        re-codes it and breaks a DKIM signature (RFC 6376 §5.3)."""
        mail.set_content(self.text(), charset="utf-8", cte="quoted-printable")
        html = self.html(alone=False)
        mail.add_alternative(html, subtype="html", charset="utf-8", cte="quoted-printable")
        hypertext = mail.get_body(("html",))
        for picture in self.pictures:
            name = f"<{picture.content_id}>"
            if isinstance(hypertext, EmailMessage):
                hypertext.add_related(picture.png, "image", "png", cid=name, disposition="inline", cte="base64")
        mail["Content-Language"] = ", ".join(section.language for section in self.sections)  # RFC 3282 §2

    def _block_text(self, block: Block, direction: str) -> str:
        if isinstance(block, Paragraph):
            return self._wrapped(block.text, direction) + "\n"
        if isinstance(block, Signature):
            return "\n".join(block.lines) + "\n"
        if isinstance(block, Link):
            return f"{self._wrapped(f'{block.label}:', direction)}\n{block.url}\n"
        if isinstance(block, Figure):
            return f"{block.title}: {block.figure}\n{self._wrapped(block.text, direction)}\n"
        if isinstance(block, Picture):
            return self._wrapped(f"[{block.shows}]", direction) + "\n"
        return "\n".join(self._row_text(row, direction) for row in block.rows) + "\n"

    def _row_text(self, row: Row, direction: str) -> str:
        name = _from_left(row.name) if direction == "rtl" else row.name
        if len(row.values) == 1:
            return self._wrapped(f"{name}: {row.values[0]}", direction, hanging="  ")
        return "\n".join([f"{name}:", *(self._wrapped(f"- {each}", direction, hanging="  ") for each in row.values)])

    def _wrapped(self, text: str, direction: str, hanging: str = "") -> str:
        if self.phones:
            # A number stays on one line, and its groups in their order among letters that run from the right.
            text = _numbers(self.phones).sub(
                lambda found: (_from_left(found[0]) if direction == "rtl" else found[0]).replace(" ", _KEPT_TOGETHER),
                text,
            )
        lines = textwrap.fill(text, _COLUMNS, subsequent_indent=hanging, break_long_words=False, break_on_hyphens=False)
        return lines.replace(_KEPT_TOGETHER, " ")


def _from_left(text: str) -> str:
    """`text`, set apart from what runs from the right around it (Unicode UAX #9 §2.3, isolates)."""
    return f"\u2066{text}\u2069"


@cache
def _numbers(phones: tuple[str, ...]) -> re.Pattern[str]:
    """Finds each of the numbers, the longest first, and none within a longer run of figures."""
    longest_first = sorted(map(re.escape, phones), key=len, reverse=True)
    return re.compile(rf"(?<!\d)(?:{'|'.join(longest_first)})(?!\d)")


def template(name: str) -> Template:
    """One of our templates: what is put into it is escaped, and must be there."""
    return _environment().get_template(name)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("autoresponder"),
        auto_reload=False,
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["dialable"] = _dialable
    environment.tests["paragraph"] = lambda block: isinstance(block, Paragraph)
    environment.tests["rows"] = lambda block: isinstance(block, Rows)
    environment.tests["figure"] = lambda block: isinstance(block, Figure)
    environment.tests["picture"] = lambda block: isinstance(block, Picture)
    environment.tests["link"] = lambda block: isinstance(block, Link)
    return environment


def _dialable(text: str, phones: tuple[str, ...]) -> Markup:
    """`text` escaped, each phone number in it as a link (RFC 3966) that reads from left to right."""
    if not phones:
        return escape(text)
    linked, end = Markup(), 0
    for found in _numbers(phones).finditer(text):
        linked += escape(text[end : found.start()]) + _link(found[0])
        end = found.end()
    return linked + escape(text[end:])


def _link(phone: str) -> Markup:
    number = re.sub(r"[\s().-]", "", phone)
    if not re.fullmatch(r"\+?[0-9]{3,15}", number):
        return escape(phone)
    return Markup('<a href="tel:{}" dir="ltr" style="white-space:nowrap">{}</a>').format(number, phone)
