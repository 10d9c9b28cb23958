"""Without one of its safeguards the service does its work as long as nothing breaks: what a storm then notices is that
the safeguard lacks, and not that the harness no longer fits the service."""

import pytest

from connectors.imap_drafts import Drafts
from service import delivery
from service.delivery import Deliverer
from store.outbox import Outbox
from store.pages import Pages
from store.tables import DeliveryKind, DeliveryState
from tests.faults.sabotage import SABOTAGE
from tests.service.maple import ANA, BO, Maple

TAKEN_OUT = (
    (Outbox, "claim"),
    (Outbox, "_write"),
    (Outbox, "sending"),
    (Outbox, "finish"),
    (Deliverer, "_failed"),
    (Drafts, "_in_sent"),
    (delivery, "_AT_MOST_ONCE"),
    (Pages, "commit"),
)


@pytest.mark.parametrize("safeguard", SABOTAGE)
def test_a_day_without_faults_goes_well(safeguard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for owner, name in TAKEN_OUT:
        monkeypatch.setattr(owner, name, getattr(owner, name))  # put back afterwards
    monkeypatch.setattr(Pages, "_advance", staticmethod(Pages._advance))
    SABOTAGE[safeguard]()
    maple = Maple()
    maple.round()
    maple.clock.forward(minutes=15)
    maple.write("urgent bus")
    maple.write("routine question", BO)
    maple.rounds(2)
    assert maple.routed() == ["urgent bus"]
    assert [len(maple.answers(family)) for family in (ANA, BO)] == [1, 1]
    kinds = (DeliveryKind.TAG, DeliveryKind.ROUTE, DeliveryKind.REPLY)
    assert {state for kind in kinds for state in maple.states(kind)} == {DeliveryState.DONE}
