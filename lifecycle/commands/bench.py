"""bench ingest and bench latency: the measurements of benchmarks/, on a scratch platform."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.table import Table

from lifecycle.commands.console import AsJson, err, out, print_json

group = typer.Typer(no_args_is_help=True, help="Measurements, on a scratch platform of their own.")


def register(application: typer.Typer) -> None:
    application.add_typer(group, name="bench")


@group.command()
def ingest(
    events: Annotated[int, typer.Option(min=10_000, help="Size of the backlog.")] = 300_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; the median counts.")] = 3,
    as_json: AsJson = False,
) -> None:
    """Catch-up of a backlog: limits, a plain pipeline and the product, side by side in one run."""
    from benchmarks.ingest import measure

    result = measure(events, rounds, err.print)
    if as_json:
        return print_json(result)
    table = Table("", "events/s", "against the plain pipeline", "rounds")
    limit = f"raw poll {result['raw_poll_events_per_second']:,}, COPY {result['copy_inbox_events_per_second']:,}"
    table.add_row("limit, in series", f"{result['limit_events_per_second']:,}", "", limit)
    for name, text, rate, ratio in (
        ("reference", "plain pipeline", "reference_events_per_second", 1.0),
        ("product_1", "product, one process", "events_per_second", result["ratio_one_process"]),
        (
            "product_2",
            "product, two processes",
            "events_per_second_two_processes",
            result["ratio_two_processes"],
        ),
    ):
        rounds_of = ", ".join(f"{rate:,}" for rate in result["rounds"][name])
        table.add_row(text, f"{result[rate]:,}", f"{ratio:.2f}", rounds_of)
    out.print(table)
    _report({k: v for k, v in result.items() if k not in ("rounds", "ratios")}, as_json)


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
