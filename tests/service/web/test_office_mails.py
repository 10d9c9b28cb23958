"""The mails to the office link to the item's page, where the school has one."""

from collections.abc import Iterator

import pytest

from tests.service.desks_of_maple import got, text_of
from tests.service.web.office_pages import OFFICE, OfficePages, office_pages
from tests.service.web.school_pages import URL

HEALTH, PICKUP = "urgent health", "urgent pickup_transport"


@pytest.fixture
def pages() -> Iterator[OfficePages]:
    with office_pages() as made:
        yield made


def test_a_mail_to_the_office_links_to_the_item(pages: OfficePages) -> None:
    reference = pages.comes(PICKUP)
    (mail,) = got(pages.maple, OFFICE)
    assert f"{URL}/items/{reference}" in text_of(mail).split()
    html = mail.get_body(("html",))
    assert html is not None
    assert f'href="{URL}/items/{reference}"' in html.get_content()


def test_every_step_and_addition_links_to_the_same_item(pages: OfficePages) -> None:
    reference = pages.comes(HEALTH)
    pages.comes(HEALTH)
    pages.clock.forward(minutes=16)
    pages.maple.round()
    mails = got(pages.maple, OFFICE)
    assert len(mails) > 2
    assert all(f"{URL}/items/{reference}" in text_of(mail).split() for mail in mails)


def test_without_web_pages_there_is_no_link(pages: OfficePages) -> None:
    pages.maple.settings = pages.maple.settings.model_copy(update={"web": None})
    pages.comes(PICKUP)
    (mail,) = got(pages.maple, OFFICE)
    assert "/items/" not in text_of(mail)
    assert "https://" not in text_of(mail)
