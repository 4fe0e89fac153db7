"""Long-running processes and the steps before them: migrate, bootstrap, consume, relay."""

from __future__ import annotations

import signal
import threading

import typer

from lifecycle import app, settings
from lifecycle.commands.console import AsJson, out, print_json


def register(application: typer.Typer) -> None:
    for command in (migrate, bootstrap, consume, relay):
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
