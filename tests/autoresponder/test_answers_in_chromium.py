"""The answers on a phone, in a real browser: for everybody's eyes, and for a screen reader."""

import json
from pathlib import Path
from typing import Any

import pytest

from autoresponder.reach_me import reach_me
from tests.autoresponder.every_answer import PHONE, Answer, every_answer
from tests.autoresponder.sample import IN_THE_US
from tests.servers.required import lacking
from tests.service.web.chromium import chromium

pytestmark = pytest.mark.server("chromium")

AXE = Path(__file__).parents[1] / "servers" / "emulators" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
A_LETTER_HAS_NO_HEADING = {"page-has-heading-one": {"enabled": False}}
"""It begins with its greeting; headings would be noise in ten lines of text."""
SAMPLED = {"en", "ar", "zh-Hans", "ru"}
_WIDTH, _HEIGHT = 390, 844
_SEEN = """
const shown = document.body.getBoundingClientRect()
const boxes = [...document.querySelectorAll('p, li')].map(each => each.getBoundingClientRect())
const phones = [...document.querySelectorAll("a[href^='tel:']")].map(each => ({
  text: each.textContent, lines: each.getClientRects().length, direction: getComputedStyle(each).direction}))
const firsts = [...document.querySelectorAll('div[lang]')].map(part => {
  const range = document.createRange()
  range.selectNodeContents(part.querySelector('p:not([lang])'))
  const line = range.getClientRects()[0], whole = part.getBoundingClientRect()
  return {lang: part.lang, left: line.left - whole.left, right: whole.right - line.right}})
return {wide: document.documentElement.scrollWidth, dark: matchMedia('(prefers-color-scheme: dark)').matches,
  behind: getComputedStyle(document.documentElement).colorScheme, small: boxes.filter(box => box.height < 20).length,
  size: parseFloat(getComputedStyle(document.body).fontSize), phones, firsts, height: shown.height}
"""


def sampled() -> list[Answer]:
    """Each sort of note in some languages: one script, one direction and one length of words after the other."""
    moments = {"in school hours", "on the last day before a break"}
    return [each for each in every_answer() if each.language in SAMPLED and each.moment in moments]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_a_phone_shows_them_whole_and_axe_finds_nothing_wrong(tmp_path: Path, dark: bool) -> None:
    if not AXE.exists():
        lacking("axe-core is not installed: make test fetches it, or npm ci in tests/servers/emulators")
    pages = [(each.name, each.note().html()) for each in sampled()]
    pages.append(("reach me", reach_me("ar", IN_THE_US.mailboxes[0], IN_THE_US).html()))
    assert len(pages) > 45
    with chromium(0, tmp_path / "profile", dark=dark) as browser:
        for number, (name, html) in enumerate(pages):
            if dark and number % 5:
                continue  # Only colours differ there.
            page = tmp_path / f"{number}.html"
            page.write_text(html, encoding="utf-8")
            browser.get(page.as_uri())
            size = {"width": _WIDTH, "height": _HEIGHT, "deviceScaleFactor": 1, "mobile": True}
            browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
            _looks_right(browser.execute_script(_SEEN), name, dark)
            if number % 5 == 0:  # There are six sorts of note in a row: each has its turn.
                assert found_by_axe(browser) == [], name


def _looks_right(seen: Any, name: str, dark: bool) -> None:
    assert seen["wide"] <= _WIDTH, f"{name} is wider than a phone"
    assert seen["dark"] is dark
    assert seen["size"] >= 16, "a phone's mail programs zoom smaller text"
    assert seen["small"] == 0, f"{name} has lines too low for their letters"
    assert {phone["lines"] for phone in seen["phones"]} == {1}, f"{name}: a number is broken over two lines"
    assert {phone["direction"] for phone in seen["phones"]} == {"ltr"}
    assert PHONE in {phone["text"] for phone in seen["phones"]}
    for first in seen["firsts"]:
        begins = "right" if first["lang"] == "ar" else "left"
        assert first[begins] < 1, f"{name}: the part in {first['lang']} begins on the wrong side"


def found_by_axe(browser: Any) -> list[str]:
    """What axe finds wrong with the mail that the browser shows."""
    # What the browser paints where a mail says nothing; axe would take it for white in the dark, too.
    browser.execute_script("document.documentElement.style.background = 'Canvas'")
    browser.execute_script(AXE.read_text("utf-8"))
    found = browser.execute_async_script(
        "const done = arguments[2]; axe.run(document, {runOnly: arguments[0], rules: arguments[1]})"
        ".then(done, error => done(String(error)))",
        RULES,
        A_LETTER_HAS_NO_HEADING,
    )
    assert not isinstance(found, str), found
    passed = {each["id"] for each in found["passes"]}
    assert {"color-contrast", "html-has-lang", "valid-lang", "region", "landmark-one-main", "link-name"} <= passed
    return [json.dumps([each["id"], [node["html"] for node in each["nodes"]]]) for each in found["violations"]]
