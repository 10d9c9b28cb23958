"""Prints what was measured, and what is computed from it."""

from collections.abc import Mapping, Sequence

from benchmarks.district.delays import Delays, percentile
from benchmarks.district.estimate import DAYS_OF_SCHOOL, KEPT_DAYS, REAL, Assumed, Connector, Measured, Needed, needed

_DISTRICTS = (1_000, 10_000, 100_000, 1_000_000)


def tell_delays(delays: Delays) -> None:
    """How late things were."""
    print(f"\n{'seconds':42} {'p50':>7} {'p95':>7} {'p99':>7} {'most':>7} {'of':>8}")
    rows: Mapping[str, Sequence[float]] = {
        "arrival to being read": delays.to_read,
        "arrival to label": delays.to_tag,
        "arrival to office": delays.to_office,
        "arrival to office, urgent as people see it": delays.urgent_to_office,
        "being read to office": delays.read_to_office,
        "between two looks at a mailbox": delays.between_looks,
    }
    for name, values in rows.items():
        figures = " ".join(f"{percentile(values, share):7.1f}" for share in (0.5, 0.95, 0.99, 1.0))
        print(f"{name:42} {figures} {len(values):8,}")
    in_a_minute = sum(gap <= 60 for gap in delays.between_looks) / max(len(delays.between_looks), 1)
    print(
        f"\nwithin a minute: {in_a_minute:.2%} of the stretches between looks; not read at the end: {delays.unread}; "
        f"routes behind a label or an answer of their mailbox: {delays.behind_bulk}; routes twice: {delays.twice}"
    )


def tell_queue(job: tuple[float, float], measured: Measured) -> None:
    """A plain Procrastinate job for each look, beside ours."""
    theirs, there = job
    ratio = (measured.sweep + measured.sweep_database) / (theirs + there)
    print(
        f"\npeer      a Procrastinate job for each look: {theirs:.2f} ms of a worker and {there:.2f} ms of database "
        f"for the queue\n          alone; our look, with everything that is in it, takes {ratio:.2f} times that"
    )


def tell_needs(measured: Measured, assumed: Assumed) -> None:
    """What districts take, with the assumptions."""
    print("\nWhat districts take at the peak, computed from the above. Assumed:")
    for each in _assumptions(assumed):
        print(f"  - {each}")
    dearest = max(REAL, key=lambda each: each.poll)
    for connector in (next(each for each in REAL if each.name == "Microsoft 365"), dearest):
        _tell_table(connector, [needed(count, measured, connector, assumed) for count in _DISTRICTS])


def _assumptions(assumed: Assumed) -> tuple[str, ...]:
    hours = f"{assumed.in_peak:.0%} of them within {assumed.peak_hours:.0f} hours"
    machine = f"a machine of {assumed.cores} cores and {assumed.memory / 1e9:.0f} GB"
    prices = f"{assumed.machine_a_month:.0f} dollars a month, a gigabyte of disk {assumed.gigabyte_a_month:.2f}"
    return (
        f"{assumed.mails:.0f} mails a mailbox and school day, {hours}; each looked at every {assumed.look_every:.0f} s",
        f"cores filled to {assumed.filled:.0%} at the peak, a worker process for each",
        "a real connector's processor time on top, as benchmarks.poll measured it (benchmarks/README.md)",
        "a poll's processor time for each of the three requests that write a message's label, answer and route",
        "connections are kept open: no TLS handshake for each look",
        f"{machine} costs {prices}: assumptions, no offers; put in your own (benchmarks/district/estimate.py)",
        f"{DAYS_OF_SCHOOL} school days a year; the record of mail is kept {KEPT_DAYS} days",
        "the teachers' morning mails and web pages are not in it; the scorecard's figures are, without a roster",
        f"past {assumed.largest_database} cores of one PostgreSQL, several districts, each with its own",
    )


def _tell_table(connector: Connector, rows: Sequence[Needed]) -> None:
    print(f"\n{connector.name}: {connector.poll} ms a poll, {connector.message} ms a message")
    names = ("mailboxes", "looks/s", "mails/s", "cores", "db cores", "machines", "for db", "databases", "GB/day")
    print(" ".join(f"{name:>9}" for name in (*names, "GB kept", "$/month")))
    for each in rows:
        figures = (
            f"{each.mailboxes:,}",
            f"{each.looks:,.0f}",
            f"{each.messages:,.1f}",
            f"{each.worker_cores:,.1f}",
            f"{each.database_cores:,.1f}",
            f"{each.machines:,}",
            f"{each.database_machines:,}" if each.database_machines else "shared",
            f"{each.databases:,}",
            f"{each.growth / 1e9:,.2f}",
            f"{each.kept / 1e9:,.0f}",
            f"{each.month:,.0f}",
        )
        print(" ".join(f"{figure:>9}" for figure in figures))
