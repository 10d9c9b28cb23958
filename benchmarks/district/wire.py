"""What the connector and the simulated provider say to each other: a line of JSON there, a line of JSON back."""

import json
import math
from random import Random
from typing import Any

LONGEST_LINE = 64 * 1024 * 1024
_MEDIAN, _SPREAD = 0.120, 0.5
SHORTEST, LONGEST = 0.050, 0.300


def line(said: dict[str, Any]) -> bytes:
    """One request, or one answer."""
    return json.dumps(said, separators=(",", ":")).encode() + b"\n"


def latency(random: Random) -> float:
    """Seconds that a request takes: lognormal around 120 milliseconds, cut off at 50 and 300."""
    return min(max(random.lognormvariate(math.log(_MEDIAN), _SPREAD), SHORTEST), LONGEST)
