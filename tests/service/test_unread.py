"""What the service cannot read may be urgent: the office hears of it at once, once, and never from a robot or twice."""

import pytest

from config.settings import Stage
from connectors.errors import FetchFailed
from connectors.labels import Label
from store.tables import DeliveryKind
from tests.service.desks_of_maple import PRINCIPAL, got, maple_with_desks
from tests.service.maple import Maple


def connected(stage: Stage = Stage.REPLY) -> Maple:
    """The school, whose mailboxes were connected before the first message came."""
    maple = Maple(stage=stage)
    maple.round()
    return maple


def test_the_office_gets_what_the_model_chokes_on_and_is_told_that_nobody_read_it() -> None:
    maple = connected()
    message = maple.write("choke on this", body="Ana has run away")
    maple.rounds(2)
    (mail,) = maple.to_office()
    assert "Could not be read, may be urgent" in str(mail["Subject"])
    assert mail["Importance"] == "high"
    body = mail.get_body(("plain",))
    assert body is not None
    assert "could not be read by this service" in body.get_content()
    assert "Nobody knows yet what this message says" in body.get_content()
    assert maple.routed() == ["choke on this"]
    assert maple.labels(message) == {Label.CHECK}
    assert maple.answers() == []


def test_where_nobody_takes_it_it_goes_on_to_the_next_desk() -> None:
    maple = maple_with_desks()
    maple.round()
    maple.write("choke on this")
    maple.rounds(4, minutes=15)
    mail = got(maple, PRINCIPAL)[0]
    assert "Still open" in str(mail["Subject"])
    body = mail.get_body(("plain",))
    assert body is not None
    assert "Nobody knows yet what this message says" in body.get_content()


@pytest.mark.parametrize(
    "header", [{"List_Id": "<deals.shop.example>"}, {"Auto_Submitted": "auto-generated"}, {"Precedence": "bulk"}]
)
def test_the_office_is_spared_what_says_of_itself_that_no_family_wrote_it(header: dict[str, str]) -> None:
    maple = connected()
    maple.write("choke on this", **header)
    maple.rounds(2)
    assert maple.to_office() == []
    (aside,) = maple.assembly().pages.set_aside()
    assert aside.set_aside is not None


def test_in_stage_observe_nothing_leaves() -> None:
    maple = connected(Stage.OBSERVE)
    maple.write("choke on this")
    maple.rounds(2)
    assert maple.to_office() == []


def test_read_again_after_all_it_reaches_the_office_no_second_time_and_its_item_stays_its_own() -> None:
    maple = connected()
    message = maple.write("urgent bus", body="word " * 40_000)
    maple.system.fail("fetch", FetchFailed("not now"))
    maple.rounds(2, minutes=1)
    (before,) = maple.deliveries(kind=DeliveryKind.ROUTE)
    assembly = maple.assembly()
    assembly.pipeline.reread(maple.box(), maple.mailbox(), assembly.pages.set_aside())
    maple.rounds(2, minutes=1)
    (after,) = maple.deliveries(kind=DeliveryKind.ROUTE)
    assert (after.id, after.state, after.rfc_message_id) == (before.id, before.state, before.rfc_message_id)
    (record,) = [each for each in maple.records() if not each.own]
    assert after.message_id == record.id
    item = assembly.items().of_message(record.id)
    assert item is not None
    assert maple.labels(message) == {Label.URGENT}
    assert len(maple.to_office()) == 1


def test_gone_before_it_was_read_it_is_no_longer_listed_and_its_item_stays() -> None:
    maple = connected()
    message = maple.write("urgent bus", body="word " * 40_000)
    maple.system.fail("fetch", FetchFailed("not now"))
    maple.rounds(2, minutes=1)
    maple.delete(message)
    assembly = maple.assembly()
    assembly.pipeline.reread(maple.box(), maple.mailbox(), assembly.pages.set_aside())
    assert assembly.pages.set_aside() == []
    (record,) = [each for each in maple.records() if not each.own]
    assert record.removed_at is not None
    assert assembly.items().of_message(record.id) is not None
