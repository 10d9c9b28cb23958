"""HTML mail as a reader sees it."""

import pytest

from connectors.hypertext import html_to_text
from connectors.quoting import newest_text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("<p>One<br>two</p><p>three</p>", "One\ntwo\n\nthree"),
        ("Hello <b>Ana</b>, <a href='https://x.example'>here</a> it is", "Hello Ana, here it is"),
        ("<ul><li>milk<li>bread</ul>", "- milk\n- bread"),
        ("<table><tr><td>Mon</td><td>9:00</td></tr><tr><td>Tue</td><td>8:00</td></tr></table>", "Mon 9:00\nTue 8:00"),
        ("<head><title>t</title><style>p{}</style></head><script>alert(1)</script>Ana", "Ana"),
        ("<div style='display:none'>preheader</div><div hidden>x</div><span style='mso-hide:all'>y</span>Ana", "Ana"),
        ("<span style='font-size:0px'>z</span>Ana<span style='font-size:0.9em'> B</span>", "Ana B"),
        ("5 &lt; 6 &amp; &eacute;&#128522;&nbsp;x", "5 < 6 & é😊\u00a0x".replace("\u00a0", " ")),
        ("<!-- no --><img alt='map of the school'><img alt=''>", "map of the school"),
        ("<div dir=rtl>مرحبا <b>أستاذة</b></div>", "مرحبا أستاذة"),
        ("no tags at all", "no tags at all"),
        ("", ""),
    ],
)
def test_html_becomes_the_lines_a_reader_sees(source: str, text: str) -> None:
    assert html_to_text(source) == text


QUOTES = {
    "Gmail": '<div>mine</div><div class="gmail_quote"><div class="gmail_attr">On Mon, X wrote:</div>'
    '<blockquote class="gmail_quote">theirs</blockquote></div>',
    "Apple Mail": '<div>mine</div><div>On Mar 9, 2026, at 4:05 PM, X &lt;x@y.example&gt; wrote:</div>'
    '<blockquote type="cite"><div>theirs</div></blockquote>',
    "Thunderbird": '<p>mine</p><div class="moz-cite-prefix">On 3/9/26, X wrote:<br></div>'
    '<blockquote type="cite" cite="mid:1">theirs</blockquote>',
    "Outlook": '<div>mine</div><div id="appendonsend"></div><hr><div id="divRplyFwdMsg"><b>Von:</b> X<br></div>'
    "<div>theirs</div>",
    "Outlook on paper": '<p>mine</p><div style="border-top:solid #E1E1E1 1.0pt"><p><b>From:</b> X<br>'
    "<b>Sent:</b> Monday, March 9, 2026<br><b>To:</b> Y<br><b>Subject:</b> Z</p></div><p>theirs</p>",
    "Yahoo": '<div>mine</div><div id="yahoo_quoted_1" class="yahoo_quoted"><div>On Monday X wrote:</div>theirs</div>',
    "Proton": '<div>mine</div><div class="protonmail_quote">On Monday X wrote:<blockquote type="cite">theirs'
    "</blockquote></div>",
    "an old program": "<div>mine</div>On 9.3.2026 X wrote:<blockquote>theirs</blockquote>",
}  # fmt: skip


@pytest.mark.parametrize("program", QUOTES)
def test_what_programs_mark_as_quoted_is_history(program: str) -> None:
    text = html_to_text(QUOTES[program])
    assert "theirs" in text
    assert newest_text(text) == "mine"


def test_an_answer_between_two_quotes_is_kept() -> None:
    source = (
        '<div class="gmail_quote"><div class="gmail_attr">On Mon, X wrote:</div><blockquote class="gmail_quote">Bus?'
        '</blockquote><div>No, her uncle.</div><blockquote class="gmail_quote">Lunch?</blockquote><div>Yes.</div></div>'
    )
    assert newest_text(html_to_text(source)) == "No, her uncle.\nYes."


def test_an_indented_paragraph_is_the_senders_own() -> None:
    source = '<div>Please note:</div><blockquote style="margin:0 0 0 40px;border:none">Ana has epilepsy.</blockquote>'
    assert "Ana has epilepsy." in newest_text(html_to_text(source))


@pytest.mark.parametrize(
    "source",
    ["<div>" * 100_000 + "x", "<b><i>" * 50_000 + "x", "<p>x" * 30_000, "<" * 200_000, "<!--" * 50_000, "<a " * 60_000,
     "&amp" * 100_000, "<table>" * 1_900 + "x", "<blockquote type=cite>" * 1_900 + "x", "<style>" * 90_000,
     "<span style='" + "font-size : " * 40_000 + "'>x"],
    ids=lambda source: source[:12],
)  # fmt: skip
def test_hostile_html_ends_in_text_of_bounded_size(source: str) -> None:
    assert len(html_to_text(source)) <= 500_000
