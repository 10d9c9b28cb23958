"""A note as a Word document, for syllabus and class update."""

from pathlib import Path

from docx import Document
from docx.document import Document as WordDocument
from docx.oxml import OxmlElement
from docx.oxml.ns import qn

from autoresponder.note import Link, Note, Paragraph, Rows, Section, Signature


def write_docx(note: Note, path: Path) -> None:
    """Writes the note's sections, one below the other, each in its own direction and language (ECMA-376 Part 1
    §17.3.1.6, §17.3.2.20, §17.3.2.30). Raises OSError."""
    document = Document()
    document.core_properties.title = note.title
    document.core_properties.language = note.sections[0].language
    for section in note.sections:
        for block in section.blocks:
            match block:
                case Paragraph():
                    _write(document, section, block.text, strong=block.strong)
                case Rows():
                    for row in block.rows:
                        _write(document, section, f"{row.name}: {', '.join(row.values)}", strong=False)
                case Signature():
                    for line in block.lines:
                        _write(document, section, line, strong=False)
                case Link():
                    _write(document, section, f"{block.label}: {block.url}", strong=False)
    document.save(str(path))


def _write(document: WordDocument, section: Section, text: str, *, strong: bool) -> None:
    paragraph = document.add_paragraph()
    run = paragraph.add_run(text)
    run.bold = strong
    properties = run._r.get_or_add_rPr()  # noqa: SLF001 - python-docx has no name for these two
    language = OxmlElement("w:lang")
    language.set(qn("w:bidi" if section.direction == "rtl" else "w:val"), section.language)
    properties.append(language)
    if section.direction == "rtl":
        properties.append(OxmlElement("w:rtl"))
        paragraph._p.get_or_add_pPr().append(OxmlElement("w:bidi"))  # noqa: SLF001 - the same
