"""`alliance web`: the web pages for the staff."""

import os
import signal
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from service.options import DEFAULT_CONFIG, ConfigOption, load_settings, open_database

if TYPE_CHECKING:
    from types import FrameType


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(web)


def web(
    config: ConfigOption = DEFAULT_CONFIG,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Serves the web pages for the staff behind the school's TLS proxy, until stopped (Ctrl-C, SIGTERM). `alliance run`
    serves them too; this is for a machine or a user of their own."""
    import structlog

    from config import ConfigError
    from service.assembly import system_clock
    from service.logs import configure, said
    from service.notifications import AddressTaken, receiving
    from service.web.app import web_pages
    from service.worker.telling import receiver

    configure(verbose=verbose)
    log = structlog.get_logger()
    settings = load_settings(config)
    configure(verbose=verbose, style=settings.monitoring.logs)
    database = open_database(settings)
    ended = threading.Event()
    # Workers hear of Microsoft's notifications through the database; beside `alliance run` they are its own to take.
    notified = receiver(database) if database.url.get_backend_name() == "postgresql" else None
    graph, pages = settings.graph, settings.web
    by_the_pages = graph is not None and pages is not None and graph.notification_listen == pages.listen

    def stop(signum: int, _frame: "FrameType | None") -> None:
        log.info("stopping", signal=signal.Signals(signum).name)
        ended.set()

    try:
        with (
            web_pages(settings, database, environ=os.environ, clock=system_clock, notified=notified) as address,
            ExitStack() as beside,
        ):
            if notified is not None and not by_the_pages:
                try:
                    beside.enter_context(receiving(settings, notified))
                except AddressTaken as error:
                    log.info("another program takes what Microsoft tells", reason=said(error))
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, stop)
            log.info("the web pages are served", listen=address, url=settings.web.origin if settings.web else "")
            ended.wait()
    except ConfigError as error:
        typer.echo(str(error), err=True)
        if isinstance(error, AddressTaken):
            typer.echo("`alliance run` serves the pages itself: beside it, `alliance web` is not needed.", err=True)
        raise typer.Exit(2) from error
    finally:
        database.close()
