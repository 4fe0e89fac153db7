"""Long-running processes and the steps before them: migrate, bootstrap, partitions, consume, relay."""

from __future__ import annotations

import signal
import threading
from typing import Annotated

import typer

from lifecycle import app, settings
from lifecycle.commands.console import AsJson, out, print_json


def register(application: typer.Typer) -> None:
    for command in (migrate, bootstrap, partitions, consume, relay):
        application.command()(command)


def migrate(as_json: AsJson = False) -> None:
    """Create the databases and bring the schema up to date."""
    app.migrate(settings.load())
    if as_json:
        print_json({"migrated": True})


def bootstrap(as_json: AsJson = False) -> None:
    """Create missing topics and start missing offset rows at the log's beginning."""
    created = app.bootstrap(settings.load())
    if as_json:
        print_json({"offset_rows_created": created})
    else:
        out.print(f"{created} offset rows created")


def partitions(
    number: Annotated[int, typer.Argument(min=1, max=1024, help="Of every source topic.")],
    as_json: AsJson = False,
) -> None:
    """Raise the partitions of all source topics, never lower them; consumers notice in half a minute.

    A client's next facts may go to another partition than those before: what then comes too early
    waits, and nothing is lost, but it is quieter to do it when `lifecycle status` shows no lag.
    """
    before = app.raise_partitions(settings.load(), number)
    if as_json:
        return print_json({"partitions": number, "before": before})
    raised = [topic for topic, count in before.items() if count < number]
    out.print(f"{number} partitions; raised: {', '.join(raised) or 'none, all had them'}")


def consume(as_json: AsJson = False) -> None:
    """Run one consumer until SIGTERM: gate, log, fold, rules, exactly once."""
    app.consume(settings.load(), _stop_on_signal())
    if as_json:
        print_json({"stopped": True})


def relay(as_json: AsJson = False) -> None:
    """Publish the outbox to Kafka until SIGTERM."""
    app.relay(settings.load(), _stop_on_signal())
    if as_json:
        print_json({"stopped": True})


def _stop_on_signal() -> threading.Event:
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    return stop
