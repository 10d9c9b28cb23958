"""What a soak prints: a line a week, and in the end what happened, what it took, and what was not as promised."""

from tests.soak.growth import BOUND, total
from tests.soak.living import Result, Week
from tests.soak.memory import WARM_UP_WEEKS

_MOST_TOLD, _KINDS_TOLD = 40, 10
_MB = 1_000_000


def say_week(week: Week, result: Result) -> None:
    """Prints a week's line."""
    traced = "" if week.memory.traced is None else f"  traced {week.memory.traced / _MB:6.1f} MB"
    computed = f", computed {week.computed / _MB:5.2f}" if week.computed is not None else ""
    print(
        f"week {week.number:2}  to {week.until}  {week.school_days:3} school days  {week.messages:6} messages  "
        f"database {week.size / _MB:5.2f} MB{computed}  resident {week.memory.resident / _MB:6.1f} MB  "
        f"{week.memory.objects:7} objects{traced}  {week.seconds:5.0f} s  {week.violations} broken",
        flush=True,
    )
    for each in result.violations[len(result.violations) - week.violations :][:_MOST_TOLD]:
        print(f"    {each}", flush=True)


def say(result: Result) -> int:
    """Prints the final table. 0 where all was as promised."""
    print("\nWhat happened")
    for what, n in sorted(result.counts.items()):
        print(f"  {what:45}{n:8}")
    for what, n in result.rows.items():
        print(f"  {what + ' on record':45}{n:8}")
    messages = max(1, result.tables["message"].rows)
    print(f"\nThe database: {total(result.tables) / _MB:.1f} MB, {total(result.tables) / messages:.0f} bytes a message")
    print(f"  {'table':28}{'rows':>8}{'bytes':>12}{'bytes a row':>14}{'bytes a message':>17}")
    for name, table in sorted(result.tables.items(), key=lambda each: -each[1].size):
        if table.rows:
            a_row = table.size / table.rows
            print(f"  {name:28}{table.rows:8}{table.size:12}{a_row:14.0f}{table.size / messages:17.1f}")
    print(f"\nMemory, after {WARM_UP_WEEKS} weeks that do not count")
    if not result.slopes:
        print("  too few weeks to say")
    for slope in result.slopes:
        verdict = "flat" if slope.is_flat else "GROWS"
        told = f"{slope.a_week:12.0f} a week, bound {slope.bound:.0f}, over {slope.weeks} weeks: {verdict}"
        print(f"  {slope.what:30}{told}")
    for kind, n in result.more_of.most_common(_KINDS_TOLD):
        print(f"    {n:7} more of {kind}")
    misses = _misses(result)
    growing = [slope for slope in result.slopes if not slope.is_flat]
    print(f"\nFigures compared with the oracle {result.oracle_asked} times. {len(result.violations)} promises broken.")
    return 1 if result.violations or growing or misses else 0


def _misses(result: Result) -> int:
    """Says how far the formula of docs/discussions/soak.md was off, on SQLite. In how many weeks that was too much."""
    weeks = [week for week in result.weeks[WARM_UP_WEEKS:] if week.computed]
    off = [week.computed / week.size - 1 for week in weeks if week.computed]
    if not off or result.database != "sqlite":
        return 0
    print(f"\nThe database's size as computed, over {len(weeks)} weeks before anything was erased for its age")
    print(f"  {min(off):+.1%} to {max(off):+.1%} of what it was; bound {BOUND:.0%}")
    return sum(abs(each) > BOUND for each in off)
