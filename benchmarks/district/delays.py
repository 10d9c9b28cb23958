"""How late things were, as the provider saw them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds, each list sorted."""

    to_read: Sequence[float]
    """From arrival until the service was handed the message."""
    to_tag: Sequence[float]
    to_office: Sequence[float]
    """From arrival to the office, of what came there."""
    urgent_to_office: Sequence[float]
    """Of these, what people labelled urgent."""
    read_to_office: Sequence[float]
    """Without the wait for the next look."""
    between_looks: Sequence[float]
    """At the same mailbox."""
    arrived: int
    unread: int
    behind_bulk: int
    """Routes that were begun only after a label was written, or an answer sent, in the same mailbox, though their
    message had been read before that."""
    urgent: int
    """As people labelled them."""
    twice: int
    """Routes that came to the office more than once."""


def delays_of(seen: Mapping[str, Any]) -> Delays:
    """From what the provider tells (`benchmarks.district.provider.Provider.seen_since`)."""
    messages = [tuple(each) for each in seen["messages"]]
    at_office: dict[str, list[float]] = {}
    for at, _, route in seen["office"]:
        at_office.setdefault(route, []).append(at)
    routed = [(each, min(at_office[each[3]])) for each in messages if each[3] in at_office]
    behind = sum(
        any(each[4] < at < seen["begun"].get(each[3], to) for at in seen["bulk"].get(each[0], ()))
        for each, to in routed
    )
    return Delays(
        to_read=sorted(read - arrived for _, arrived, _, _, read, _ in messages if read),
        to_tag=sorted(tagged - arrived for _, arrived, _, _, _, tagged in messages if tagged),
        to_office=sorted(to - each[1] for each, to in routed),
        urgent_to_office=sorted(to - each[1] for each, to in routed if each[2]),
        read_to_office=sorted(to - each[4] for each, to in routed if each[4]),
        between_looks=sorted([*seen["gaps"], *seen["open"]]),
        arrived=len(messages),
        unread=sum(not each[4] for each in messages),
        behind_bulk=behind,
        urgent=sum(bool(each[2]) for each in messages),
        twice=sum(len(times) > 1 for times in at_office.values()),
    )


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest of sorted `values` that is no less than `share` of them; NaN where there are none."""
    return values[min(len(values) - 1, math.ceil(share * len(values)) - 1)] if values else math.nan
