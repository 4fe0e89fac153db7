"""bench ingest and bench latency: the measurements of benchmarks/, on a scratch platform."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lifecycle.commands.console import AsJson, err, out, print_json

group = typer.Typer(no_args_is_help=True, help="Measurements, on a scratch platform of their own.")


def register(application: typer.Typer) -> None:
    application.add_typer(group, name="bench")


@group.command()
def ingest(
    events: Annotated[int, typer.Option(min=10_000, help="Size of the backlog.")] = 300_000,
    as_json: AsJson = False,
) -> None:
    """Catch-up of a backlog through the complete path, beside the limits of the parts."""
    from benchmarks.ingest import measure

    _report(measure(events, err.print), as_json)


@group.command()
def latency(
    rate: Annotated[int, typer.Option(min=1, help="Events per second.")] = 500,
    seconds: Annotated[int, typer.Option(min=1, help="How long.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Produce-to-alert latency at a steady rate."""
    from benchmarks.latency import measure

    _report(measure(rate, seconds, err.print), as_json)


def _report(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        return print_json(result)
    for name, value in result.items():
        out.print(f"{name:32} {value}", highlight=False)
