"""replay: publish events of the real bank data, of the simulated bank, or of a file."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from lifecycle import app, settings
from lifecycle.commands.console import AsJson, day, err, out, print_json
from lifecycle.errors import UsageError
from lifecycle.ports import EventSource
from lifecycle.settings import Settings
from lifecycle.sources.simulator import LAUNDERING, STORIES, Label

SIMULATED_SINCE = "2026-01-01"


def register(application: typer.Typer) -> None:
    application.command()(replay)


def replay(
    source: Annotated[str, typer.Argument(help="berka | simulator | FILE.ndjson")],
    speed: Annotated[
        float | None,
        typer.Option(min=0.001, help="Seconds of event time per second; 86400 is a day a second."),
    ] = None,
    first: Annotated[
        str | None, typer.Option("--from", help="First business date, YYYY-MM-DD.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", help="Last business date, YYYY-MM-DD, inclusive.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Simulator: same seed, same bytes.")] = 1,
    clients: Annotated[int, typer.Option(help="Simulator: 50 to 100,000 clients.")] = 500,
    days: Annotated[int, typer.Option(help="Simulator: days of life since 2026-01-01.")] = 180,
    labels: Annotated[
        Path | None, typer.Option(help="Simulator: write the planted truth to this CSV file.")
    ] = None,
    laundering: Annotated[
        bool,
        typer.Option(help="Simulator: the bank whose stories are schemes of money laundering."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Publish events to Kafka. Facts that are sent again change nothing; bad lines are held again."""
    configured = settings.load()
    begin, end = day(first), day(last)
    if begin and end and begin > end:
        raise UsageError(f"--from {begin} is after --to {end}: there is nothing to replay.")
    chosen = _source(
        configured,
        source,
        seed=seed,
        clients=clients,
        days=days,
        labels=labels,
        laundering=laundering,
    )
    published = _publish(configured, chosen, begin, end, speed)
    if as_json:
        print_json({"source": chosen.name, **msgspec.structs.asdict(published)})
    else:
        span = f", {published.first_time} to {published.last_time}" if published.events else ""
        out.print(
            f"{published.events:,} events of {chosen.name} in {published.seconds:.1f} s{span}",
            highlight=False,
        )
        out.print("What is not right about any of them: `lifecycle quarantine list`.")


def _publish(
    configured: Settings,
    source: EventSource,
    first: dt.date | None,
    last: dt.date | None,
    speed: float | None,
) -> Any:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err, transient=True) as bar:
        whole = first is None and last is None
        task = bar.add_task(f"replay {source.name}", total=source.count() if whole else None)
        return app.publish(
            configured,
            source,
            first=first,
            last=last,
            speed=speed,
            progress=lambda count: bar.update(task, completed=count),
        )


def _source(
    configured: Settings,
    name: str,
    *,
    seed: int,
    clients: int,
    days: int,
    labels: Path | None,
    laundering: bool,
) -> EventSource:
    if name == "berka":
        return app.berka(configured)
    if name != "simulator":
        return app.event_file(Path(name))
    simulated = app.simulator(
        configured,
        seed=seed,
        clients=clients,
        first_day=dt.date.fromisoformat(SIMULATED_SINCE),
        days=days,
        stories=LAUNDERING if laundering else STORIES,
    )
    if labels:
        try:
            with labels.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(Label._fields)
                writer.writerows(simulated.labels())
        except OSError as error:
            raise UsageError(f"The labels {labels} cannot be written: {error.strerror}.") from None
    return simulated
