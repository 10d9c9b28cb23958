"""Mail that would script the office's pages, in a real browser: no script runs, nothing is asked of anybody but the
pages' own server, and the page stays where it is. What the traps are worth is seen on a page that lets them."""

import base64
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from selenium.common.exceptions import NoAlertPresentException
from selenium.webdriver.common.by import By

from service.web.shield import CONTENT_POLICY
from store.cases import Cases
from tests.service.web.chromium import chromium, served
from tests.service.web.office_pages import LEE, PARK, RIVERA, OfficePages, office_pages
from tests.service.web.test_office_in_chromium import URL, come_in

pytestmark = pytest.mark.server("chromium")

SCRIPT = "window.canary='sprung';document.title='sprung'"
TRAPS = (
    "<script>{script}</script>",
    "</div></article></main><script>{script}</script>",
    '<img src=x onerror="{script}">',
    '<svg onload="{script}"><script>{script}</script></svg>',
    "<iframe srcdoc=\"&lt;script&gt;parent.canary='sprung'&lt;/script&gt;\"></iframe>",
    '<object data="{evil}/object"></object><embed src="{evil}/embed">',
    '<details open ontoggle="{script}"><summary>x</summary></details>',
    '<input autofocus onfocus="{script}">',
    '<base href="{evil}/"><link rel=stylesheet href="{evil}/style.css">',
    '<meta http-equiv="refresh" content="0;url={evil}/refreshed">',
    "<style>@import url({evil}/import.css); body {{ background: url({evil}/background) }}</style>",
    '<div style="background-image: url({evil}/image)">x</div><img src="{evil}/pixel"><video poster="{evil}/poster">',
    '<form id=f action="{evil}/form"><button>Sign in again</button></form><script>f.submit()</script>',
    '<a id=bait href="javascript:{script}">Read the message</a><a href="{evil}/away" ping="{evil}/ping">Done</a>',
    # What becomes a tag only when it is taken apart and put together again, or read as a template or another language.
    '<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror={script}&gt;">',
    '<noscript><p title="</noscript><img src=x onerror={script}>">',
    '&lt;img src=x onerror="{script}"&gt;&amp;lt;script&amp;gt;{script}&amp;lt;/script&amp;gt;',
    "{{{{ 7 * 191 }}}}{{% include 'base.html.j2' %}}${{7*191}}<%= 7*191 %>",
    "+ADw-script+AD4-{script}+ADw-/script+AD4-",
    '"><img src=x onerror={script}> \'><svg/onload={script}> hx-get="{evil}/htmx" hx-trigger=load',
    '<div hx-get="{evil}/htmx" hx-trigger="load" data-hx-on:load="{script}" hx-on::load="{script}">x</div>',
)


class Stranger:
    """A stranger's server, which this browser could reach."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.page = b""
        stranger = self

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                stranger.asked.append(self.path)
                self.send_response(200)
                self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(stranger.page if self.path == "/trap" else b"")

            do_POST = do_GET  # noqa: N815 - the library's name

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture(scope="module")
def stranger() -> Iterator[Stranger]:
    made = Stranger()
    thread = threading.Thread(target=made.server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join(10)


@contextmanager
def pages_of(stranger: Stranger, folder: Path) -> Iterator[tuple[OfficePages, int, list[str], list[str]]]:
    """The pages, with an urgent mail and a hard one for each of the traps' kinds: as text, as HTML, in subject, name
    and name of an attachment. Yields their port and the paths of the items and of the cases."""
    with office_pages() as pages:
        all_of_them = "\n".join(trap.format(script=SCRIPT, evil=stranger.url) for trap in TRAPS)
        short = f"<img src=x onerror={SCRIPT}><script>{SCRIPT}</script>"
        number = 0
        for tag in ("urgent custody", "conflict grades"):
            for kind in ("plain", "html"):
                number += 1
                sender = f"stranger{number}@elsewhere.example"
                pages.system.deliver(_mail(f"{tag} {short}", short, sender, kind, all_of_them), RIVERA)
        pages.maple.round()
        messages = [
            f"/items/{each.item.reference}{end}"
            for each in pages.items()
            for end in ("", f"/messages/{each.messages[-1].id}")
        ]
        cases = [
            f"/cases/{view.id}{end}"
            for view in Cases(pages.database).open(RIVERA)
            for end in ("", f"/messages/{view.first.id}")
        ]
        assert len(messages) >= 4
        assert len(cases) >= 4
        with served(pages.app, folder) as port:
            yield pages, port, ["/items", *messages], ["/cases", *cases]


def _mail(subject: str, name: str, sender: str, kind: str, body: str) -> bytes:
    """Put together by hand: every mail library refuses to write some of this."""
    words = [f"=?utf-8?b?{base64.b64encode(text.encode()).decode()}?=" for text in (name, subject, f"{name}.html")]
    lines = (
        f"From: {words[0]} <{sender}>",
        "To: rivera@maple.example",
        f"Subject: {words[1]}",
        f"Message-ID: <{sender}>",
        "Date: Tue, 03 Mar 2026 10:00:00 -0600",
        "MIME-Version: 1.0",
        'Content-Type: multipart/mixed; boundary="b"',
        "",
        "--b",
        f"Content-Type: text/{kind}; charset=utf-8",
        "Content-Transfer-Encoding: base64",
        "",
        base64.encodebytes(f"Thank you.\n{body}\nAna".encode()).decode().replace("\n", "\r\n"),
        "--b",
        "Content-Type: text/html; charset=utf-8",
        f'Content-Disposition: attachment; filename="{words[2]}"',
        "",
        body,
        "--b--",
        "",
    )
    return "\r\n".join(lines).encode()


def sprung(browser: Any) -> list[str]:
    """Which traps closed in the page that stands open."""
    found = []
    try:
        browser.switch_to.alert.accept()
        found.append("an alert")
    except NoAlertPresentException:
        pass
    if browser.execute_script("return window.canary || null") is not None:
        found.append("a script ran")
    if "sprung" in browser.title:
        found.append("the title changed")
    return found


def test_no_script_runs_nobody_else_is_asked_and_the_page_stays(stranger: Stranger, tmp_path: Path) -> None:
    with pages_of(stranger, tmp_path / "served") as (pages, port, items, cases):
        stranger.asked.clear()
        with chromium(port, tmp_path / "browser") as browser:
            shown = []
            for person, paths in ((LEE, items), (RIVERA, cases), (PARK, ["/items", "/audit"])):
                come_in(browser, pages, person)
                for path in paths:
                    browser.get_log("browser")
                    browser.get(URL + path)
                    assert browser.current_url == URL + path
                    assert sprung(browser) == []
                    for link in browser.find_elements(By.CSS_SELECTOR, "a[href], form[action], [src]"):
                        address = next(filter(None, map(link.get_dom_attribute, ("href", "action", "src"))))
                        assert address.startswith(("/", "?", "#")), (path, address)
                        assert not address.startswith("//"), (path, address)
                    asked = browser.execute_script(
                        "return performance.getEntriesByType('resource').map(each => each.name)"
                    )
                    assert [each for each in asked if not each.startswith(URL + "/")] == []
                    said = [str(entry["message"]) for entry in browser.get_log("browser")]
                    assert [each for each in said if "Content Security Policy" in each] == []  # nothing even tried
                    shown.append(browser.find_element(By.TAG_NAME, "body").text)
            header = browser.execute_async_script(
                "const done = arguments[0]; fetch(location.href).then("
                "answer => done(answer.headers.get('Content-Security-Policy')))"
            )
        assert header == CONTENT_POLICY
        assert stranger.asked == []
        assert any("<script>window.canary" in text for text in shown)  # it was there, as text
        assert not any("1337" in text for text in shown)


def test_the_same_mail_on_a_page_that_lets_it_springs_the_traps(stranger: Stranger, tmp_path: Path) -> None:
    gentle = [trap for trap in TRAPS if "http-equiv" not in trap and "submit" not in trap and "base href" not in trap]
    with chromium(1, tmp_path) as browser:
        stranger.asked.clear()
        stranger.page = "".join(trap.format(script=SCRIPT, evil=stranger.url) for trap in gentle).encode()
        browser.get(f"{stranger.url}/trap")
        assert sprung(browser) == ["a script ran", "the title changed"]
        assert {"/image", "/pixel", "/import.css", "/object"} <= set(stranger.asked)
        stranger.page = f'<meta http-equiv="refresh" content="0;url={stranger.url}/refreshed">'.encode()
        browser.get(f"{stranger.url}/trap")
        for _ in range(100):
            if "/refreshed" in stranger.asked:
                break
            urlopen(f"{stranger.url}/waiting").close()
        assert "/refreshed" in stranger.asked
