"""A bell ends the wait of its mailbox, and none that rings is missed."""

import threading

from connectors import bells

PATIENCE = 30.0


def test_a_bell_that_rang_before_the_wait_ends_it_once() -> None:
    bells.ring("Rivera@maple.example")
    assert bells.wait("rivera@maple.example", PATIENCE * 10) is True
    assert bells.wait("rivera@maple.example", 0) is False


def test_a_bell_ends_the_wait_of_its_mailbox_only() -> None:
    ended: list[tuple[str, bool]] = []
    waiting = [
        threading.Thread(target=lambda name=name: ended.append((name, bells.wait(name, PATIENCE * 10))), daemon=True)
        for name in ("one@maple.example", "two@maple.example")
    ]
    for thread in waiting:
        thread.start()
    bells.ring("one@maple.example")
    waiting[0].join(PATIENCE)
    assert ended == [("one@maple.example", True)]
    bells.interrupt("two@maple.example")
    waiting[1].join(PATIENCE)
    assert ended[1] == ("two@maple.example", False)


def test_an_interruption_does_not_swallow_a_ring() -> None:
    bells.ring("three@maple.example")
    bells.interrupt("three@maple.example")
    assert bells.wait("three@maple.example", PATIENCE * 10) is False
    assert bells.wait("three@maple.example", 0) is True
