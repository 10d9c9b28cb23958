"""The whole examination, in the order in which one thing needs the other."""

import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import classifier
from classifier.errors import ModelError
from classifier.models import SHIPPED_NAME
from classifier.verdict import Letter
from config import ConfigError, load
from config.settings import Service
from connectors.message import Message
from service.doctor import database as databases
from service.doctor import mailboxes, openid, school
from service.doctor.finding import Finding, Level
from service.doctor.roster import roster
from service.models import models_of, open_strictly
from store.database import StoreError


def examine(path: Path, environ: Mapping[str, str], now: datetime) -> Iterator[Finding]:
    """Everything that `alliance run` with this configuration would depend on, looked at one by one. Writes nothing,
    raises nothing: what goes wrong is a finding. `now` is aware."""
    yield _program()
    try:
        settings = load(path, environ)
    except ConfigError as error:
        for fault in error.faults:
            yield Finding("configuration", Level.FAIL, str(fault), f"Correct {fault.origin}, then try again.")
        return
    count = len(settings.mailboxes)
    yield Finding(
        "configuration", Level.OK, f"{path}: {settings.school.name}, {count} mailbox{'es'[: 2 * (count > 1)]}"
    )
    database, findings = databases.reach(settings.service)
    yield from findings
    yield from databases.room(settings.service)
    yield school.clock(settings, now)
    yield from school.calendar(settings, now)
    yield school.office(settings)
    yield from roster(settings, database, now)
    yield school.wording(settings)
    yield from _model(settings.service)
    recorded: list[Message] = []
    for box in settings.mailboxes:
        examined = mailboxes.examine(settings, box, environ, database, now)
        yield from examined.findings
        recorded += examined.recorded
    yield from mailboxes.notices(settings, environ)
    yield from openid.provider(settings, environ, now)
    if database is not None:
        yield from databases.privacy(database, settings.service, recorded)
        database.close()


def _program() -> Finding:
    python = ".".join(map(str, sys.version_info[:3]))
    try:
        return Finding("program", Level.OK, f"alliance-inbox {version('alliance-inbox')} on Python {python}")
    except PackageNotFoundError:
        fix = "Run `make install`: without it, connectors of other packages are not found either."
        return Finding("program", Level.WARN, f"alliance-inbox, not installed, on Python {python}", fix)


def _model(service: Service) -> Iterator[Finding]:
    about = "classifier"
    try:
        shipped = classifier.load()
        (verdict,) = shipped.read([Letter("", "He is not home yet and does not answer his phone.")])
    except Exception as error:  # noqa: BLE001 - a broken installation fails in any way it likes
        fix = "Install alliance-inbox again; its model is part of it."
        yield Finding(about, Level.FAIL, f"the shipped model does not load: {error}", fix)
        return
    yield Finding(about, Level.OK, f"the shipped model {shipped.version} loads and judges ({verdict.tag})")
    try:
        models = models_of(service)
        version = SHIPPED_NAME if models is None else models.in_use()
        if models is None or version == SHIPPED_NAME:
            return
        learned = models.learned(version)
        open_strictly(service)
    except (ModelError, StoreError) as error:
        fix = "Until then the shipped model is used: `alliance model rollback`, or `alliance model use shipped`."
        yield Finding(about, Level.FAIL, f"the model in use cannot be used: {error}", fix)
        return
    seen = f"in use is {version}, learned from {learned.corrections} corrections"
    if learned.shipped == shipped.version:
        yield Finding(about, Level.OK, seen)
    else:
        fix = "`alliance learn` makes a new one on top of the present one; until then nothing of it is used."
        yield Finding(about, Level.WARN, f"{seen} on top of an older shipped model ({learned.shipped})", fix)
