"""Is this process alive, and is it of use? Two questions, and two different answers to them.

*Alive* asks the process alone: a supervisor that hears no restarts it, and a restart mends no database and no mail
server. *Ready* asks what it depends on: a rollout that hears no waits, a balancer sends nobody.
https://kubernetes.io/docs/concepts/configuration/liveness-readiness-startup-probes/
"""

import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import dataclass

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse

from store.database import Database

WELL = "ok"
_ANSWERS_WITHIN = 3.0
"""Seconds that the database may take to answer."""
_NOT_STORED = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
LIVE, READY = "/livez", "/readyz"

Check = Callable[[], str]
"""`WELL`, or what is wrong in a few words without any name."""


@dataclass(frozen=True, slots=True)
class Health:
    """What each check said."""

    checks: Mapping[str, str]

    @property
    def well(self) -> bool:
        """Whether all of them are."""
        return all(said == WELL for said in self.checks.values())


class DatabaseCheck:
    """Asks the database whether it answers, and whether its tables are those that this program can work with. Never
    takes much longer than three seconds, and asks once at a time however often it is asked itself."""

    def __init__(self, database: Database, *, patience: float = _ANSWERS_WITHIN) -> None:
        """`patience` in seconds."""
        self._database = database
        self._patience = patience
        self._asking: Future[str] | None = None
        self._asks = ThreadPoolExecutor(max_workers=1, thread_name_prefix="health")
        self._lock = threading.Lock()

    def __call__(self) -> str:
        """See `Check`."""
        with self._lock:
            if self._asking is None or self._asking.done():
                self._asking = self._asks.submit(self._ask)
            asking = self._asking
        try:
            return asking.result(self._patience)
        except TookTooLong:
            return "does not answer"

    def _ask(self) -> str:
        try:
            shape = self._database.shape()
        except Exception:  # noqa: BLE001 - whatever it is, the database is of no use now
            return "does not answer"
        return WELL if shape.fits else f"its tables are {shape.value}"


def health_router(live: Mapping[str, Check], ready: Mapping[str, Check]) -> APIRouter:
    """`/livez` and `/readyz`: 200 where every check is well, else 503; each check's answer in a JSON object."""
    router = APIRouter()

    # Not async: a check may wait for the database, and must not hold up the pages meanwhile.
    @router.get(LIVE)
    def livez() -> Response:
        return _answer(live)

    @router.get(READY)
    def readyz() -> Response:
        return _answer(ready)

    return router


def _answer(checks: Mapping[str, Check]) -> Response:
    health = Health({name: check() for name, check in checks.items()})
    return JSONResponse(
        {"ok": health.well, "checks": dict(health.checks)}, 200 if health.well else 503, headers=_NOT_STORED
    )
