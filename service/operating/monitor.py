"""Watches one process from beside its work: notes looks down, says that the process runs, reads how the installation
stands, and tells the administrator. Its own trouble is never the mail's."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

import structlog
from fastapi import FastAPI, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from config import ConfigError, SchoolCalendar
from config.said import place, said
from config.settings import Settings
from service.notifications import serving
from service.operating.alerting import AlertTeller
from service.operating.health import WELL, Check, DatabaseCheck, health_router
from service.operating.metrics import Metrics
from service.operating.pulse import Pulse
from service.operating.standing import Standing, standing_of
from service.process_name import process_name
from service.watcher import Watcher
from store.database import Database
from store.looks import Looks
from store.operating_tables import RunningProcess
from store.processes import SAYS_SO_EVERY, Processes
from store.vitals import read_vitals

if TYPE_CHECKING:
    from service.assembly import Assembly

log = structlog.get_logger()

_SETTING = "monitoring.listen"
_STUCK_AFTER = 1800.0
"""Seconds in which nothing at all came to an end: longer than a mailbox waits for a person, or any one operation may
take. Only a process that hangs is that quiet."""
_ADVANCING_WITHIN = 600.0
"""Seconds within which some mailbox is looked at, where any can be."""


def program_version() -> str:
    """The version of alliance-inbox that runs."""
    try:
        return version("alliance-inbox")
    except PackageNotFoundError:
        return "not installed"


class Monitor:
    """Watches one process."""

    def __init__(
        self,
        settings: Settings,
        calendar: SchoolCalendar,
        database: Database,
        clock: Callable[[], datetime],
        process: RunningProcess,
        *,
        watcher: Watcher,
        model: str = "",
        alerts: AlertTeller | None = None,
    ) -> None:
        """`process` is this one; `model` names the classifier's; `alerts` tells the administrator, where this process
        is to."""
        self._settings, self._calendar, self._database, self._clock = settings, calendar, database, clock
        self._process = process
        self._looks, self._processes = Looks(database), Processes(database)
        self._alerts = alerts
        self._standing: Standing | None = None
        self.metrics = Metrics(
            settings, version=process.version, model=model, role=process.role, standing=lambda: self._standing
        )
        self.pulse = Pulse(settings, self.metrics, watcher, clock)

    def begin(self) -> None:
        """The process says that it is there, before it does anything: if it dies, that is noticed."""
        try:
            self._processes.is_there(self._process)
        except Exception as error:  # noqa: BLE001 - watching must not end what is watched
            log.error("it could not be put on record that the process runs", error=place(error))

    def look(self) -> None:
        """Does once what `keep` does all the time."""
        now = self._clock()
        looked_at = self.pulse.new_looks()
        try:
            self._looks.note(looked_at)
            self._process.seen_at = now
            self._processes.is_there(self._process)
            pause = timedelta(hours=self._settings.norm.answers_pause_hours)
            vitals = read_vitals(self._database, now, answers_pause=pause)
            running = self._processes.running(now)
            self._standing = standing_of(self._settings, self._calendar, vitals, running, now)
        except Exception as error:  # noqa: BLE001 - watching must not end what is watched
            self.pulse.not_noted(looked_at)
            self._standing = Standing(at=now, vitals=None)
            log.error("how the service stands could not be read", error=place(error))
            return
        if self._alerts is not None:
            self._alerts.look(self._standing)

    def keep(self, stop: threading.Event) -> None:
        """Watches until `stop` is set, and says at the end that the process is gone."""
        while not stop.is_set():
            self.look()
            stop.wait(SAYS_SO_EVERY.total_seconds())
        self.end()

    def end(self) -> None:
        """The process ends: what is still to be noted is noted."""
        with suppress(Exception):  # it is forgotten by itself a little later
            self._looks.note(self.pulse.new_looks())
            self._processes.is_gone(self._process.name)

    def live(self) -> Mapping[str, Check]:
        """What the process answers for itself."""
        return {"work": self._works}

    def ready(self) -> Mapping[str, Check]:
        """What makes it of use."""
        return {"database": DatabaseCheck(self._database), "sweeps": self._advances}

    def app(self) -> FastAPI:
        """The web application that tells all this, for machines."""
        app = FastAPI(title="Alliance Inbox", docs_url=None, redoc_url=None, openapi_url=None)
        app.include_router(health_router(self.live(), self.ready()))

        @app.get("/metrics")
        def metrics() -> Response:
            return Response(generate_latest(self.metrics.registry), media_type=CONTENT_TYPE_LATEST)

        return app

    def _works(self) -> str:
        return WELL if self.pulse.quiet_for < _STUCK_AFTER else "nothing came to an end for half an hour"

    def _advances(self) -> str:
        standing = self._standing
        if standing is None:
            return "the first look is still to come"
        if standing.vitals is None:
            return WELL  # the database's own check says so
        if len(standing.parked) == len(self._settings.mailboxes):
            return WELL  # a person is needed, and was told
        newest = standing.newest_look
        if newest is None:
            return "no mailbox was read to its end yet"
        longest = max(_ADVANCING_WITHIN, 3 * self._settings.service.poll_seconds)
        return WELL if (self._clock() - newest).total_seconds() < longest else "no mailbox was looked at lately"


@contextmanager
def monitored(assembly: "Assembly", role: str, watcher: Watcher, environ: Mapping[str, str]) -> Iterator[Pulse]:
    """Watches this process while the block runs, and yields the watcher that its work is told to. `role` is run or
    worker; `environ` holds the passwords. Where another program listens at `monitoring.listen`, the log says so, and
    mailboxes are looked after all the same."""
    monitor = monitor_of(assembly, role, watcher, environ)
    stop = threading.Event()
    thread = threading.Thread(target=monitor.keep, args=(stop,), name="monitoring", daemon=True)
    listen = assembly.settings.monitoring.listen
    monitor.begin()
    try:
        thread.start()
        with ExitStack() as served:
            if listen is not None:
                _serve(monitor, listen, served)
            yield monitor.pulse
    finally:
        stop.set()
        thread.join(10)


def monitor_of(assembly: "Assembly", role: str, watcher: Watcher, environ: Mapping[str, str]) -> Monitor:
    """What watches a process with these parts; `role` and `environ` as above."""
    now = assembly.clock()
    process = RunningProcess(name=process_name(), role=role, version=program_version(), began_at=now, seen_at=now)
    return Monitor(
        assembly.settings,
        assembly.calendar,
        assembly.database,
        assembly.clock,
        process,
        watcher=watcher,
        model=assembly.classifier.version,
        alerts=AlertTeller(assembly, environ=environ),
    )


def _serve(monitor: Monitor, listen: str, served: ExitStack) -> None:
    try:
        address = served.enter_context(serving(monitor.app(), listen, setting=_SETTING))
    except ConfigError as error:  # mail comes first
        log.error("health and metrics are not served from here", reason=said(error))
    else:
        log.info("health and metrics are served", listen=address)
