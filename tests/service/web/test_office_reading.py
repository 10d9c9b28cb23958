"""Opening a message: its text comes from the mailbox at that moment, is shown harmlessly, and is kept nowhere."""

import email.policy
import threading
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any

import pytest
import structlog

from config import ConfigError, Fault
from connectors.errors import AuthenticationFailed, ConnectFailed, FetchFailed, MailboxError, MessageGone, Throttled
from service.web import reading
from service.web.reading import printable
from store import audit
from tests.service.web.office_pages import ANA, COLE, LEE, RIVERA, OfficePages, office_pages
from tests.service.web.school_pages import Browser

SECRET = "The aunt's name is Carmen Quispe."


@pytest.fixture
def pages() -> Iterator[OfficePages]:
    with office_pages() as made:
        yield made


@pytest.fixture
def lee(pages: OfficePages) -> Browser:
    return pages.signed_in(LEE)


def path_of(pages: OfficePages, reference: str) -> str:
    return f"/items/{reference}/messages/{pages.last_message(reference).id}"


def openings(pages: OfficePages) -> list[tuple[str | None, str]]:
    return [(entry.person, entry.about) for entry in audit.entries(pages.database) if entry.act == "opened a message"]


def comes(pages: OfficePages, mail: EmailMessage) -> str:
    """A mail that no mail program of ours would write comes, and is found urgent."""
    mail["From"], mail["To"] = f"Ana Lopez <{ANA}>", RIVERA
    mail["Subject"], mail["Message-ID"] = "urgent pickup_transport", "<odd@family.example>"
    mail["Date"] = "Tue, 03 Mar 2026 16:00:00 +0000"
    pages.system.deliver(mail.as_bytes(policy=email.policy.SMTP), RIVERA)
    pages.maple.round()
    return pages.item_of("odd@family.example").item.reference


def html(text: str) -> EmailMessage:
    mail = EmailMessage()
    mail.set_content(text, subtype="html")
    return mail


def main_of(answer: Any) -> str:
    text: str = answer.text
    return text.partition("<main")[2].partition("</main>")[0]


class TestTheText:
    def test_it_is_shown_with_sender_subject_and_why(self, pages: OfficePages, lee: Browser) -> None:
        reference = pages.comes("urgent pickup_transport", f"Ana Lopez <{ANA}>", body=f"Maya leaves today. {SECRET}")
        before = main_of(lee.get(f"/items/{reference}"))
        assert SECRET.rsplit(maxsplit=1)[-1] not in before
        assert "urgent pickup_transport" not in before  # not even the subject, before somebody opens it
        shown = main_of(lee.get(path_of(pages, reference)))
        for words in (SECRET.replace("'", "&#39;"), "Ana Lopez", "urgent pickup_transport",
                      "needs somebody today: “Maya leaves today.”"):  # fmt: skip
            assert words in shown

    def test_nothing_of_it_is_kept(self, pages: OfficePages, lee: Browser) -> None:
        reference = pages.comes("urgent pickup_transport", body=SECRET)
        answer = lee.get(path_of(pages, reference))
        assert "Quispe" in answer.text
        assert answer.headers["cache-control"] == "no-store"
        assert "Quispe" not in pages.dump()
        assert "Quispe" not in lee.get(f"/items/{reference}").text

    def test_each_opening_is_on_record_with_who_and_what(self, pages: OfficePages, lee: Browser) -> None:
        reference = pages.comes("urgent pickup_transport")
        message, number = pages.last_message(reference), pages.item(reference).number
        for _ in range(2):
            lee.get(path_of(pages, reference))
        lee.get(f"/items/{reference}")
        about = f"item {number}, message {message.id} in {RIVERA}"
        assert openings(pages) == [(LEE, about), (LEE, about)]

    def test_what_cannot_be_put_on_record_is_not_shown(
        self, pages: OfficePages, lee: Browser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reference = pages.comes("urgent pickup_transport", body=SECRET)
        path = path_of(pages, reference)

        def full(*_args: object, **_more: object) -> None:
            raise OSError("no room")

        monkeypatch.setattr(audit, "append", full)
        answer = lee.get(path)
        assert answer.status_code == 500
        assert "Quispe" not in answer.text

    def test_quoted_mail_stands_folded_below(self, pages: OfficePages, lee: Browser) -> None:
        body = "Yes, at noon.\n\nOn Mon, Mar 2, 2026 at 9:00 AM Ms. Rivera wrote:\n> Shall Maya leave at noon?\n"
        reference = pages.comes("urgent pickup_transport", body=body)
        shown = main_of(lee.get(path_of(pages, reference)))
        first, _, folded = shown.partition("<details>")
        assert "Yes, at noon." in first
        assert "Shall Maya leave" not in first
        assert "Shall Maya leave at noon?" in folded

    def test_attachments_are_named_and_never_opened(self, pages: OfficePages, lee: Browser) -> None:
        mail = EmailMessage()
        mail.set_content("See the form.")
        mail.add_attachment(
            b"<script>alert(1)</script>", maintype="text", subtype="html", filename='"><img src=x>.html'
        )
        shown = main_of(lee.get(path_of(pages, comes(pages, mail))))
        assert "<img" not in shown
        assert "<script" not in shown
        assert ".html" in shown

    def test_a_message_without_text_says_so(self, pages: OfficePages, lee: Browser) -> None:
        mail = EmailMessage()
        mail.set_content("")
        assert "There is no text in this message." in main_of(lee.get(path_of(pages, comes(pages, mail))))


HOSTILE = (
    "<p>Please <b>call</b> me.</p><script>document.title='taken'</script><img src=https://evil.example/p.gif "
    "onerror=alert(1)><iframe src=https://evil.example></iframe><style>body{display:none}</style>"
    '<a href="javascript:alert(1)">here</a><form action=https://evil.example><button>Sign in</button></form>'
    '<meta http-equiv=refresh content="0;url=https://evil.example"><base href=https://evil.example>'
)


class TestHostileMail:
    def test_html_becomes_words(self, pages: OfficePages, lee: Browser) -> None:
        answer = lee.get(path_of(pages, comes(pages, html(HOSTILE))))
        shown = main_of(answer)
        text = shown.partition('class="text"')[2].partition("</div>")[0].partition(">")[2]
        assert "Please call me." in text
        assert "<" not in text
        for tag in ("<script", "<img", "<iframe", "<style", "javascript:", "<meta", "<base", "onerror="):
            assert tag not in shown
        assert "script-src 'self'" in answer.headers["content-security-policy"]

    def test_markup_in_plain_text_is_shown_as_it_was_written(self, pages: OfficePages, lee: Browser) -> None:
        reference = pages.comes("urgent pickup_transport", body="</div><script>alert(1)</script> {{ 7 * 7 }}")
        shown = main_of(lee.get(path_of(pages, reference)))
        assert "&lt;/div&gt;&lt;script&gt;alert(1)&lt;/script&gt; {{ 7 * 7 }}" in shown
        assert "<script" not in shown

    def test_characters_that_turn_words_around_are_taken_out(self) -> None:
        assert (
            printable("pay \u202eoot\u202c\x1b[31m\x00now\tand\nthen\u2066") == "pay oot\u202c[31mnow\tand\nthen\u2066"
        )


class TestTrouble:
    @pytest.mark.parametrize(
        ("error", "status", "words"),
        [
            (MessageGone("no such message"), 410, "is no longer in Ms. Rivera&#39;s mailbox"),
            (ConnectFailed("does not answer"), 503, "mailbox cannot be reached at the moment"),
            (AuthenticationFailed("refused"), 503, "mailbox cannot be reached at the moment"),
            (Throttled("a pause", 30), 503, "mailbox cannot be reached at the moment"),
            (FetchFailed("damaged"), 502, "cannot hand it over"),
            (MailboxError("something else"), 503, "mailbox cannot be reached at the moment"),
        ],
    )
    def test_it_is_told_plainly_and_what_to_do_now(
        self, pages: OfficePages, lee: Browser, error: MailboxError, status: int, words: str
    ) -> None:
        reference = pages.comes("urgent pickup_transport")
        pages.system.fail("fetch", error)
        with structlog.testing.capture_logs() as logs:
            answer = lee.get(path_of(pages, reference))
        assert answer.status_code == status
        assert words in answer.text
        assert "Try again" in answer.text
        assert 'role="alert"' in main_of(answer)
        assert f'action="/items/{reference}"' in answer.text  # it can be taken all the same
        assert openings(pages) == []
        if not isinstance(error, MessageGone):
            assert [(log["mailbox"], log["reason"]) for log in logs] == [(RIVERA, str(error))]
        pages.system.heal()
        assert lee.get(path_of(pages, reference)).status_code == 200

    def test_a_message_that_the_teacher_deleted_is_gone(self, pages: OfficePages, lee: Browser) -> None:
        message_id = pages.maple.write("urgent pickup_transport")
        pages.maple.round()
        reference = pages.item_of(message_id).item.reference
        pages.maple.delete(message_id)
        assert lee.get(path_of(pages, reference)).status_code == 410

    def test_a_mailbox_that_cannot_even_be_opened_is_away(
        self, pages: OfficePages, lee: Browser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reference = pages.comes("urgent pickup_transport")

        def no_password(_address: str) -> Any:
            raise ConfigError([Fault("alliance.toml", "mailboxes[1].password_env", "a password")])

        monkeypatch.setattr(pages.system, "open", no_password)
        assert lee.get(path_of(pages, reference)).status_code == 503

    def test_slow_mailboxes_do_not_use_up_all_turns(
        self, pages: OfficePages, lee: Browser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Six texts are being fetched from a server that does not answer: the seventh reader is told, and the queue is
        there for everybody."""
        monkeypatch.setattr(reading, "_WAIT_FOR_A_TURN", 0.0)
        reference = pages.comes("urgent pickup_transport")
        path, go_on, waiting = path_of(pages, reference), threading.Event(), threading.Semaphore(0)

        def slow(_address: str, step: str) -> None:
            if step == "fetch":
                waiting.release()
                go_on.wait(30)

        pages.system.hooks.append(slow)
        cole = pages.signed_in(COLE)
        readers = [threading.Thread(target=pages.signed_in(LEE).get, args=(path,)) for _ in range(6)]
        for reader in readers:
            reader.start()
        try:
            for _ in readers:
                assert waiting.acquire(timeout=30)
            assert cole.get(path).status_code == 503
            assert cole.get("/items").status_code == 200
        finally:
            go_on.set()
            for reader in readers:
                reader.join()
        assert cole.get(path).status_code == 200
