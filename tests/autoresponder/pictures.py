"""Pictures of what families read, for docs/answers: `python -m tests.autoresponder.pictures docs/images`.

Four notes, each in four languages, as wide as a phone. Needs Chromium and fonts for the scripts (on Debian:
fonts-noto-core and fonts-noto-cjk).
"""

import sys
import tempfile
from collections.abc import Sequence
from html import escape
from pathlib import Path

from autoresponder.gallery import gallery
from config.settings import MailboxSettings, Office, School, Settings
from tests.service.web.chromium import chromium

LANGUAGES = ("en", "es", "ar", "zh-Hans")
PICTURES = {
    "routine": ("routine, office closed", False),
    "urgent": ("urgent, the office has it", False),
    "crisis": ("crisis, office closed, the office has it", False),
    "conflict": ("conflict, office closed, the teacher can be called", False),
    "urgent-dark": ("urgent, the office has it", True),
}
"""Each picture's name, the kind of note (`autoresponder.gallery.KINDS`), and whether it is dark."""
_PHONE = 360
_PAGE = """<!DOCTYPE html><meta charset="utf-8"><meta name="color-scheme" content="light dark"><style>
body {{ margin: 0; padding: 24px; display: flex; gap: 20px; background: {behind}; width: max-content }}
iframe {{ width: {width}px; height: 3000px; border: 0; border-radius: 24px; background: Canvas;
  box-shadow: 0 2px 12px #0004 }}
</style>{frames}"""
_TALL_ENOUGH = """
const frames = [...document.querySelectorAll('iframe')]
const tallest = Math.max(...frames.map(frame => frame.contentDocument.body.getBoundingClientRect().height))
frames.forEach(frame => frame.style.height = `${Math.ceil(tallest)}px`)
const page = document.body.getBoundingClientRect()
return [Math.ceil(page.width), Math.ceil(page.height)]
"""
_SCHOOL = Settings(
    school=School(name="Maple Street School", timezone="America/Chicago", country="US"),
    office=Office(address="office@maple.example", phone="(608) 555-0142"),
    mailboxes=(MailboxSettings(address="rivera@maple.example", teacher="Ms. Rivera"),),
)


def side_by_side(kind: str, *, dark: bool, languages: Sequence[str] = LANGUAGES) -> str:
    """A page with one kind of note in each language."""
    notes = [dict(gallery(language, _SCHOOL))[kind] for language in languages]
    frames = "".join(f'<iframe srcdoc="{escape(note.html())}"></iframe>' for note in notes)
    return _PAGE.format(behind="#1b1b1f" if dark else "#e7ebf0", width=_PHONE, frames=frames)


def take(folder: Path) -> None:
    """Writes every picture into `folder`."""
    with tempfile.TemporaryDirectory() as scratch:
        for dark in (False, True):
            with chromium(0, Path(scratch) / str(dark), dark=dark) as browser:
                for name, (kind, _) in ((name, each) for name, each in PICTURES.items() if each[1] is dark):
                    page = Path(scratch) / f"{name}.html"
                    page.write_text(side_by_side(kind, dark=dark), encoding="utf-8")
                    browser.get(page.as_uri())
                    size = {"width": 1600, "height": 900, "deviceScaleFactor": 1, "mobile": False}
                    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
                    width, height = browser.execute_script(_TALL_ENOUGH)
                    browser.execute_cdp_cmd(
                        "Emulation.setDeviceMetricsOverride", size | {"width": width, "height": height}
                    )
                    browser.save_screenshot(str(folder / f"answer-{name}.png"))


if __name__ == "__main__":
    take(Path(sys.argv[1]))
