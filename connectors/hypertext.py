"""HTML mail to plain text: what a reader sees, line by line, with quoted history under quote signs.

The HTML is parsed by lexbor (through selectolax) and walked once. Hostile nesting, on which tree building is quadratic,
is recognised beforehand and read by taking the tags out.
"""

import html
import re
from collections import Counter
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

from connectors.quoting_words import CLOSING_VERB

MAX_HTML = 1_000_000
"""Characters of HTML that are read; a newsletter of a megabyte is all style."""
MAX_TEXT = 400_000
_MAX_DEPTH = 2_000
_MAX_NAMES = 20_000
"""Different words that could be names of attributes. Each attribute is compared with all others of its element, also
with those that a second <body> adds to the first."""
_FEW = 50_000
"""Characters in which no more names fit than can be compared at once."""

_DROPPED = frozenset(
    {
        *("script", "style", "head", "title", "template", "object", "embed", "iframe", "select", "svg", "map", "meta"),
        *("audio", "video", "canvas", "textarea", "noframes", "datalist", "link", "-comment"),
    }
)
_BLOCKS = frozenset(
    {
        *("div", "tr", "table", "section", "article", "header", "footer", "main", "aside", "nav", "address", "form"),
        *("fieldset", "figure", "figcaption", "center", "dd", "dt", "li", "body", "html", "caption", "thead", "tbody"),
        *("tfoot", "legend", "details", "summary", "blockquote", "pre"),
    }
)
_PARAGRAPHS = frozenset({"p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl"})
_CELLS = frozenset({"td", "th"})
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|mso-hide\s*:\s*all|font-size\s*:\s*0(?:px|pt|em|%)?\s*(?:;|!|$)|"
    r"max-height\s*:\s*0(?:px|pt)?\s*(?:;|!|$)|opacity\s*:\s*0(?:\.0+)?\s*(?:;|!|$)",
    re.IGNORECASE,
)
# The elements in which mail programs put the message that is answered.
_QUOTE_CLASSES = frozenset(
    {
        *("yahoo_quoted", "protonmail_quote", "zmail_extra", "tutanota_quote", "moz-forward-container"),
        *("moz-cite-prefix", "gmail_attr", "email_quote", "qt"),
    }
)
_QUOTE_IDS = frozenset(
    {
        *("divrplyfwdmsg", "x_divrplyfwdmsg", "appendonsend", "mail-editor-reference-message-container", "origbody"),
        *("replysplit", "isreplycontent", "olk_src_body_section", "reply-intro", "yahoo_quoted"),
    }
)
# From these elements on, everything to the end of the mail is history.
_HISTORY_FROM = frozenset({"divrplyfwdmsg", "appendonsend", "x_divrplyfwdmsg", "replysplit"})
_TAG = re.compile(r"<!--(?:[^-]|-(?!->))*(?:-->|$)|<(/?)([a-zA-Z][a-zA-Z0-9:]*)[^<>]*>?|<[!?][^<>]*>?")
_UNNESTED = frozenset(
    {
        *("br", "img", "hr", "input", "meta", "link", "p", "li", "td", "th", "tr", "tbody", "thead", "dd"),
        *("dt", "col", "area", "base", "wbr", "source", "o:p"),
    }
)
_BETWEEN_NAMES = re.compile(r"[\s/>=]+")
_RUNS = re.compile(r"[ \t\r\n\f\u00a0]+")
_BLANKS = re.compile(r"\n{3,}")


@dataclass(slots=True)
class _Page:
    """The lines written so far; `depth` is how many quotes deep the writing stands."""

    lines: list[str] = field(default_factory=list)
    line: list[str] = field(default_factory=list)
    size: int = 0
    depth: int = 0

    def write(self, text: str) -> None:
        self.line.append(text)
        self.size += len(text)

    def end_line(self) -> None:
        if self.line:
            text = _RUNS.sub(" ", "".join(self.line)).strip(" ")
            self.line.clear()
            if text:
                self.lines.append("> " * self.depth + text)

    def end_paragraph(self) -> None:
        self.end_line()
        if self.lines and self.lines[-1].strip("> "):
            self.lines.append(("> " * self.depth).rstrip())

    def last(self) -> str:
        return "".join(self.line) or next((line for line in reversed(self.lines[-4:]) if line.strip("> ")), "")


def html_to_text(source: str) -> str:
    """The readable text of an HTML document, in time linear in its length (which is cut at a million characters).

    Scripts, styles and what is hidden from a reader are left out; links keep their text, pictures their description;
    rows, list items and paragraphs keep their lines; what a mail program marked as quoted stands under "> ".
    """
    source = source[:MAX_HTML]
    if _too_deep(source) or _too_many_names(source):
        return _tags_taken_out(source)
    page = _Page()
    root = LexborHTMLParser(source).root
    if root is not None:
        _walk(root, page)
    page.end_line()
    return _BLANKS.sub("\n\n", "\n".join(page.lines)).strip()


def _too_deep(source: str) -> bool:
    """Whether more elements may be open at once than a tree is built of quickly. An end closes one of its name, if any
    is open: the others it makes the parser look through all that are."""
    if source.count("<") <= _MAX_DEPTH:
        return False
    depth = 0
    opened: Counter[str] = Counter()
    for tag in _TAG.finditer(source):
        name = tag[2].lower() if tag[2] else ""
        if not name or name in _UNNESTED:
            continue
        if not tag[1]:
            opened[name] += 1
            depth += 1
        elif opened[name] > 0:
            opened[name] -= 1
            depth -= 1
        if depth > _MAX_DEPTH:
            return True
    return False


def _too_many_names(source: str) -> bool:
    return len(source) > _FEW and len(set(_BETWEEN_NAMES.split(source.lower()))) > _MAX_NAMES


def _tags_taken_out(source: str) -> str:
    text = html.unescape(_TAG.sub(lambda tag: "\n" if tag[2] and tag[2].lower() in {"br", "p", "div"} else " ", source))
    lines = (_RUNS.sub(" ", line).strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)[:MAX_TEXT]


def _walk(root: LexborNode, page: _Page) -> None:
    """Depth first without recursion: the depth of a mail is the sender's choice."""
    node: LexborNode | None = root
    open_nodes: list[tuple[LexborNode, str, bool]] = []
    while node is not None and page.size < MAX_TEXT:
        entered = _enter(node, page)
        child = node.first_child if entered is not None else None
        if entered is not None and child is not None:
            open_nodes.append((node, *entered))
            node = child
            continue
        if entered is not None:
            _leave(*entered, page)
        following = node.next
        while following is None and open_nodes:
            node, name, quoted = open_nodes.pop()
            _leave(name, quoted, page)
            following = node.next if open_nodes else None
        node = following


def _enter(node: LexborNode, page: _Page) -> tuple[str, bool] | None:
    """Writes what `node` itself shows. None: its children are not shown."""
    name = node.tag or ""
    if name == "-text":
        page.write(node.text_content or "")
        return None
    if name in _DROPPED:
        return None
    attributes = node.attributes
    if name in _VOID:
        _write_void(name, attributes, page)
        return None
    if attributes and _is_hidden(attributes):
        return None
    return name, _open(name, attributes, page)


_VOID = frozenset({"br", "hr", "img"})


def _write_void(name: str, attributes: dict[str, str | None], page: _Page) -> None:
    mark = "> " * page.depth
    if name == "img":
        alternative = attributes.get("alt") or ""
        page.write(alternative[:200] if len(alternative) > 2 else "")
    elif name == "br" and page.line:
        page.end_line()
    else:
        page.end_line()
        page.lines.append(f"{mark}________________________________" if name == "hr" else mark.rstrip())


def _open(name: str, attributes: dict[str, str | None], page: _Page) -> bool:
    """Begins the element's lines. True where a quote begins that ends with the element."""
    quoted = _is_quote(name, attributes, page)
    if name in _PARAGRAPHS:
        page.end_paragraph()
    elif name in _BLOCKS or quoted:
        page.end_line()
    elif name in _CELLS and page.line:
        page.write(" ")
    if name == "li":
        page.write("- ")
    page.depth += quoted
    # Of some programs' quotes only the beginning is marked: those stay open to the end of the mail.
    return quoted and (attributes.get("id") or "").lower() not in _HISTORY_FROM


def _leave(name: str, quoted: bool, page: _Page) -> None:
    if name in _PARAGRAPHS:
        page.end_paragraph()
    elif name in _BLOCKS or quoted:
        page.end_line()
    if quoted:
        page.depth -= 1


def _is_hidden(attributes: dict[str, str | None]) -> bool:
    style = attributes.get("style")
    return "hidden" in attributes or bool(style and _HIDDEN.search(style[:2000]))


def _is_quote(name: str, attributes: dict[str, str | None], page: _Page) -> bool:
    if page.depth >= 8:
        return False
    if name == "blockquote":
        style = (attributes.get("style") or "").lower()
        if attributes.get("type") == "cite" or "gmail_quote" in (attributes.get("class") or "") or "cite" in attributes:
            return True
        # A plain blockquote is what "indent" makes of the sender's own words, unless it hangs under "… wrote:".
        return "border-left" in style.replace(" ", "") or bool(CLOSING_VERB.search(page.last()[-200:]))
    if not attributes or name not in {"div", "span", "section"}:
        return False
    identifier = (attributes.get("id") or "").lower()
    if identifier in _QUOTE_IDS:
        return True
    classes = attributes.get("class")
    return bool(classes) and not _QUOTE_CLASSES.isdisjoint((classes or "").split())
