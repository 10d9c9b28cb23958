"""`alliance run`: the service itself."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from service.options import DEFAULT_CONFIG, ConfigOption, assemble, load_settings, open_database

if TYPE_CHECKING:
    from types import FrameType

    from config.settings import Settings
    from service.assembly import Assembly
    from service.runner import Runner


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(run)


def run(
    config: ConfigOption = DEFAULT_CONFIG,
    once: Annotated[bool, typer.Option("--once", help="Bring every mailbox up to date once, then end.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")] = False,
) -> None:
    """Reads every mailbox, tags, answers and routes as its stage allows, until stopped (Ctrl-C, SIGTERM)."""
    from service.logs import configure
    from service.memory_pools import share_memory_pools
    from service.worker.beside import beside_workers

    configure(verbose=verbose)
    share_memory_pools()
    settings = load_settings(config)
    configure(verbose=verbose, style=settings.monitoring.logs)
    database = open_database(settings)
    with beside_workers(database) as clock:
        _run(assemble(settings, database, clock), once=once)


def _run(assembly: "Assembly", *, once: bool) -> None:
    import os

    from service.caution import after_unclean_ends
    from service.operating.monitor import monitor_of, monitored
    from service.runner import Runner
    from service.watching import watcher

    try:
        after_unclean_ends(assembly.database, [box.address for box in assembly.settings.mailboxes], assembly.clock())
        with watcher() as watching:
            if once:
                monitor = monitor_of(assembly, "run", watching, os.environ)
                monitor.begin()
                failures = Runner(assembly, watcher=monitor.pulse).run_once()
                monitor.look()
                monitor.end()
                if failures:
                    raise typer.Exit(1)
            else:
                with (
                    _told_by_microsoft(assembly.settings),
                    _pages_for_the_staff(assembly),
                    monitored(assembly, "run", watching, os.environ) as pulse,
                ):
                    _until_stopped(Runner(assembly, watcher=pulse), assembly)
    finally:
        assembly.close()


@contextmanager
def _told_by_microsoft(settings: "Settings") -> Iterator[None]:
    """While the block runs, Microsoft may tell of new mail, where the settings name an address for that. Where the web
    pages listen at the same one, they take what Microsoft tells."""
    graph, web = settings.graph, settings.web
    told_by_the_pages = graph is not None and web is not None and graph.notification_listen == web.listen
    if graph is None or graph.notification_url is None or told_by_the_pages:
        yield
        return
    from config import ConfigError
    from service.notifications import receiving

    try:
        with receiving(settings):
            yield
    except ConfigError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from error


@contextmanager
def _pages_for_the_staff(assembly: "Assembly") -> Iterator[None]:
    """While the block runs, the staff find the web pages, where the settings have some. Mail comes first: where another
    program listens at their address, mostly `alliance web`, mailboxes are looked after all the same."""
    if assembly.settings.web is None:
        yield
        return
    import os
    from contextlib import ExitStack

    import structlog

    from config import ConfigError
    from connectors.graph_push import receive
    from service.logs import said
    from service.notifications import AddressTaken
    from service.web.app import web_pages

    log = structlog.get_logger()
    with ExitStack() as serving:
        pages = web_pages(
            assembly.settings,
            assembly.database,
            environ=os.environ,
            clock=assembly.clock,
            notified=receive,
            explain=assembly.explain,
        )
        try:
            address = serving.enter_context(pages)
            log.info("the web pages are served", listen=address, url=assembly.settings.web.origin)
        except AddressTaken as error:
            log.error("the web pages are not served from here", reason=said(error))
        except ConfigError as error:
            typer.echo(str(error), err=True)
            raise typer.Exit(2) from error
        yield


def _until_stopped(runner: "Runner", assembly: "Assembly") -> None:
    import structlog

    log = structlog.get_logger()

    def stop(signum: int, _frame: "FrameType | None") -> None:
        log.info("stopping, deliveries in hand are finished first", signal=signal.Signals(signum).name)
        runner.stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    log.info("running", mailboxes=len(assembly.settings.mailboxes), model=assembly.classifier.version)
    runner.run()
    log.info("stopped")
