"""What the service counts, as Prometheus reads it (https://prometheus.io/docs/instrumenting/exposition_formats/).

Names and units follow https://prometheus.io/docs/practices/naming/. No label holds anything of a family, and none grows
with the number of mailboxes unless the school asks for that: 10,000 mailboxes make the same few hundred series as ten.

Two sorts of numbers: what this process did, which Prometheus adds up over all processes, and how the installation
stands, which every process reads from the database and tells alike (`max by`, never `sum`).
"""

from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, Counter, GCCollector, Histogram, Info, PlatformCollector
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector

from autoresponder.alerts import AlertKind
from config.settings import Settings, Stage
from service.operating.standing import Standing
from store.tables import DeliveryKind, DeliveryState
from store.vitals import URGENT

_DELAYS = (5, 15, 30, 60, 90, 120, 300, 600, 1800, 3600, 4 * 3600, 24 * 3600)
_OPEN = (DeliveryState.WAITING, DeliveryState.WORKING, DeliveryState.SET_ASIDE, DeliveryState.UNCERTAIN)
NO_TAG = "none"


class Metrics:
    """The metrics of one process. Threads share it."""

    def __init__(
        self, settings: Settings, *, version: str, model: str, role: str, standing: Callable[[], Standing | None]
    ) -> None:
        """`standing` tells how the installation stood lately; None where it was not read yet."""
        self.registry = CollectorRegistry()
        registry = self.registry
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)
        Info("alliance_build", "What runs.", registry=registry).info({"version": version, "model": model, "role": role})
        self.messages = Counter(
            "alliance_messages",
            "New messages put on record, by tag; none for what is no family mail.",
            ["tag"],
            registry=registry,
        )
        self.set_aside = Counter(
            "alliance_messages_set_aside", "New messages that could not be read.", registry=registry
        )
        self.corrections = Counter("alliance_corrections", "Tags that teachers changed.", registry=registry)
        self.sweeps = Counter(
            "alliance_sweeps",
            "Looks at mailboxes, by connector and outcome.",
            ["connector", "outcome"],
            registry=registry,
        )
        self.deliveries = Counter(
            "alliance_deliveries", "Deliveries carried out, by kind.", ["kind"], registry=registry
        )
        self.delay = Histogram(
            "alliance_message_delay_seconds",
            "From a message's arrival until it was on record with its tag.",
            buckets=_DELAYS,
            registry=registry,
        )
        for tag in ("urgent", "conflict", "routine", NO_TAG):
            self.messages.labels(tag)
        for kind in ("tag", "route", "reply", "draft"):
            self.deliveries.labels(kind)
        for connector in sorted({box.connector for box in settings.mailboxes}):
            for outcome in ("ok", "failed"):
                self.sweeps.labels(connector, outcome)
        registry.register(_Installation(settings, standing))


class _Installation:
    """How the installation stands, told at each scrape from what was read last: a scrape never waits for the
    database."""

    def __init__(self, settings: Settings, standing: Callable[[], Standing | None]) -> None:
        self._settings = settings
        self._standing = standing

    def describe(self) -> list[Metric]:
        """Nothing: Prometheus' client would otherwise collect to learn the names."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All gauges; only whether the database answers, where it was never read."""
        standing = self._standing()
        up = standing is not None and standing.vitals is not None
        yield GaugeMetricFamily("alliance_database_up", "1 where the database answered when last asked.", value=up)
        if standing is None or standing.vitals is None:
            return
        yield from self._mailboxes(standing)
        yield from _outbox(standing)
        yield from _office(standing)
        vitals = standing.vitals
        yield _gauge("alliance_database_size_bytes", "Space that the database takes.", vitals.database_bytes)
        yield _gauge("alliance_notices_waiting", "Mails to the staff that are not out yet.", vitals.notices_waiting)
        yield _gauge("alliance_processes", "Processes of the service that say they run.", len(standing.processes))
        alerts = GaugeMetricFamily(
            "alliance_alerts", "What the administrator is told of, and is not over.", labels=["kind"]
        )
        for kind in AlertKind:
            alerts.add_metric([_word(kind)], vitals.alerts.get(kind, 0))
        yield alerts
        yield _gauge(
            "alliance_standing_timestamp_seconds", "When all this was read from the database.", standing.at.timestamp()
        )

    def _mailboxes(self, standing: Standing) -> Iterator[Metric]:
        stages = GaugeMetricFamily("alliance_mailboxes", "Mailboxes in the configuration, by stage.", labels=["stage"])
        for stage in Stage:
            stages.add_metric([stage.value], sum(box.stage is stage for box in self._settings.mailboxes))
        yield stages
        yield _gauge("alliance_mailboxes_parked", "Mailboxes that wait for a person.", len(standing.parked))
        yield _gauge(
            "alliance_mailboxes_silent", "Mailboxes that were not looked at for too long.", len(standing.silent)
        )
        yield _gauge("alliance_mailboxes_never_seen", "Mailboxes that were never looked at.", len(standing.never_seen))
        stopped = standing.vitals.stopped_answers if standing.vitals else 0
        yield _gauge("alliance_mailboxes_answers_stopped", "Mailboxes that give no more answers for now.", stopped)
        for name, which, at in (
            ("newest", "most", standing.newest_look),
            ("oldest", "least", standing.oldest_look),
        ):
            if at is not None:
                told = f"When the mailbox that was looked at {which} recently was; parked ones are left out."
                yield _gauge(f"alliance_{name}_look_timestamp_seconds", told, at.timestamp())
        if self._settings.monitoring.mailbox_labels:
            each = GaugeMetricFamily(
                "alliance_mailbox_look_timestamp_seconds", "When a mailbox was last looked at.", labels=["mailbox"]
            )
            for mailbox, at in sorted(standing.looked_at.items()):
                each.add_metric([mailbox], at.timestamp())
            yield each


def _outbox(standing: Standing) -> Iterator[Metric]:
    waiting = standing.vitals.waiting if standing.vitals else ()
    counts = {(each.kind, each.state): each.count for each in waiting}
    family = GaugeMetricFamily(
        "alliance_outbox_deliveries", "Deliveries that are not done, by kind and state.", labels=["kind", "state"]
    )
    for kind in DeliveryKind:
        for state in _OPEN:
            family.add_metric([kind.value, _word(state)], counts.get((kind, state), 0))
    yield family
    oldest = GaugeMetricFamily(
        "alliance_outbox_overdue_seconds", "For how long the oldest delivery that is due has been.", labels=["priority"]
    )
    for name, urgent in (("urgent", True), ("other", False)):
        due = [
            (standing.at - each.due_since).total_seconds()
            for each in waiting
            if each.state is DeliveryState.WAITING and (each.kind in URGENT) == urgent
        ]
        oldest.add_metric([name], max([0.0, *due]))
    yield oldest


def _office(standing: Standing) -> Iterator[Metric]:
    unclaimed = standing.vitals.unclaimed if standing.vitals else ()
    yield _gauge("alliance_items_unclaimed", "Urgent items that nobody took.", len(unclaimed))
    minutes = standing.longest_unclaimed_minutes
    told = "For how long, of the office's hours, the oldest urgent item has waited for somebody to take it."
    yield _gauge("alliance_items_unclaimed_office_seconds", told, minutes * 60)


def _gauge(name: str, told: str, value: float) -> Metric:
    return GaugeMetricFamily(name, told, value=value)


def _word(value: AlertKind | DeliveryState) -> str:
    return value.value.replace(" ", "_")


def delay_of(received_at: datetime, now: datetime) -> float:
    """Seconds from a message's arrival until `now`, never below zero: mail servers' clocks differ."""
    return max(0.0, (now - received_at).total_seconds())
