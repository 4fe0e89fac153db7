"""up and down. (`status` is in lifecycle.commands.watch: it also reads the database.)"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape

from lifecycle import platform, settings
from lifecycle.commands.console import AsJson, err, out, print_json
from lifecycle.commands.demo import show_demo


def register(application: typer.Typer) -> None:
    application.command()(up)
    application.command()(down)


def up(
    demo: Annotated[
        bool, typer.Option("--demo", help="Then stream a simulated bank's life and run a night.")
    ] = False,
    brokers: Annotated[
        int | None, typer.Option(min=1, max=5, help="Kafka nodes; fixed at the first start.")
    ] = None,
    consumers: Annotated[
        int | None, typer.Option(min=1, max=64, help="Consumer processes sharing the partitions.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Start broker, database, Airflow and consumers; print the address. Idempotent."""
    started = platform.up(
        settings.load().home, progress=show_progress, brokers=brokers, consumers=consumers
    )
    if demo:
        show_demo(settings.load())
    if as_json:
        print_json(asdict(started))
    else:
        print_log_in(started)


def down(as_json: AsJson = False) -> None:
    """Stop everything, leaving no process behind."""
    platform.down(settings.load().home, progress=show_progress)
    if as_json:
        print_json({"stopped": True})


def show_progress(part: str, detail: str) -> None:
    """One line per change of a part, on stderr."""
    err.print(f"[dim]{part:22}[/dim] {escape(detail)}", highlight=False, soft_wrap=True)


def print_log_in(status: platform.PlatformStatus) -> None:
    """The address of Airflow and how to log in."""
    out.print(
        f"Airflow  {status.urls['airflow']}\n"
        f"Log in   user {status.log_in['user']}, password in {status.log_in['passwords']}",
        soft_wrap=True,
    )
