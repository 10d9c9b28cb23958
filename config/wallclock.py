"""Between instants and what a clock on the school's wall shows.

Two rules make the passage orderly where clocks are changed:
- A time that the clocks skip is the first instant after the gap.
- A stretch that comes twice counts once: during its second pass the wall clock stands at the stretch's end.

So the wall clock never runs backwards, and a later instant never shows an earlier time.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo


def wall_clock(at: datetime, zone: ZoneInfo) -> datetime:
    """What the wall clock shows at the aware instant `at`: naive, never earlier than at an earlier instant."""
    local = at.astimezone(zone)
    if not local.fold:
        return local.replace(tzinfo=None)
    change = _change_between(local.replace(fold=0).astimezone(UTC), local.astimezone(UTC), zone)
    before = (change - timedelta(microseconds=1)).astimezone(zone)
    return before.replace(tzinfo=None, fold=0) + timedelta(microseconds=1)


def instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first instant, aware and in `zone`, at which the wall clock shows the naive time `wall` or a later one."""
    local = wall.replace(tzinfo=zone, fold=0)
    as_clocks_go = local.astimezone(UTC).astimezone(zone)
    if as_clocks_go.replace(tzinfo=None) == wall:
        return local
    return _change_between(local.replace(fold=1).astimezone(UTC), local.astimezone(UTC), zone).astimezone(zone)


def _change_between(early: datetime, late: datetime, zone: ZoneInfo) -> datetime:
    """The instant (UTC) in the half-open stretch from `early` to `late` at which the zone's offset becomes what it is
    at `late`. Zones change at whole seconds of UTC."""
    offset = late.astimezone(zone).utcoffset()
    low, high = int(early.timestamp()), int(late.timestamp())
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == offset:
            high = middle
        else:
            low = middle
    return datetime.fromtimestamp(high, UTC)
