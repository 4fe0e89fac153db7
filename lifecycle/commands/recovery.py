"""backup, restore and purge: what is saved, put back, and no longer needed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lifecycle import app, settings
from lifecycle.commands.console import AsJson, err, new_table, out, print_json
from lifecycle.errors import AnswerIsNo, UsageError


def register(application: typer.Typer) -> None:
    application.command()(backup)
    application.command()(restore)
    application.command()(purge)


def backup(
    to: Annotated[
        Path | None,
        typer.Option(help="Folder that backups are put into; $LIFECYCLE_HOME/backups."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Save database and lake as they are at one moment; consumers go on, a night waits."""
    with _shown("backup") as (progress, _):
        done = app.backup(settings.load(), to, progress)
    if as_json:
        return print_json(done)
    rows = sum(done["tables"].values())
    out.print(
        f"{done['folder']}: {rows:,} rows of {len(done['tables'])} tables, {done['files']:,} files, "
        f"{done['bytes'] / 2**20:,.1f} MB",
        highlight=False,
        soft_wrap=True,
    )


def restore(
    folder: Annotated[Path, typer.Argument(help="A backup: the folder with manifest.json.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: AsJson = False,
) -> None:
    """Replace database and lake by a backup's; the consumers then read the rest from Kafka.

    Nothing may use the database: run `lifecycle down` before and `lifecycle up` after. What people
    decided after the backup (alerts, quarantine, offsets) is not in Kafka and has to be done again.
    """
    if not yes and (as_json or not sys.stdin.isatty()):
        raise UsageError(
            "A restore replaces the database and the lake: say --yes when nobody can be asked."
        )
    with _shown("restore") as (progress, pause):

        def agree(shown: dict[str, Any]) -> None:
            pause()
            if not as_json:
                _show_replay(shown)
            if not yes and not typer.confirm("Replace the database and the lake?", err=True):
                raise AnswerIsNo("Nothing was changed.")

        done = app.restore(settings.load(), folder, progress, agree)
    if as_json:
        return print_json(done)
    out.print(
        f"restored {done['folder']}, taken at {done['taken_at'].isoformat()}: run `lifecycle up`, "
        "the consumers read the rest by themselves",
        highlight=False,
        soft_wrap=True,
    )


def purge(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count, change nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Forget old identities of the inbox and published messages; days: rules/operations/retention.yaml.

    Facts, states and alerts stay. An old fact that comes again is looked up in the event log.
    """
    with _shown("purge") as (progress, _):
        done = app.purge(settings.load(), dry_run=dry_run, progress=progress)
    if as_json:
        return print_json(done)
    out.print(
        f"{'would forget' if dry_run else 'forgot'} {done.inbox:,} facts received before "
        f"{done.inbox_before} and {done.outbox:,} messages decided before {done.outbox_before}; "
        f"{done.outbox_waiting:,} older messages still wait to be published",
        highlight=False,
        soft_wrap=True,
    )


def _show_replay(shown: dict[str, Any]) -> None:
    if shown["replay_unknown"]:
        err.print(f"What will be read again is unknown: {shown['replay_unknown']}", soft_wrap=True)
        return
    rows = [row for row in shown["replay"] if row.records or row.problem]
    table = new_table("topic", "partition", "from offset", "to", "records", "impossible")
    for row in rows:
        numbers = (row.partition, f"{row.start:,}", f"{row.end:,}", f"{row.records:,}")
        table.add_row(row.topic, *map(str, numbers), row.problem or "")
    out.print(table)
    out.print(f"{sum(row.records for row in rows):,} records will be read again from Kafka")


@contextmanager
def _shown(what: str) -> Iterator[tuple[Callable[[str], None], Callable[[], None]]]:
    """(what is being done now -> one line on stderr, stop showing it)."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task(what)
        yield (lambda now: bar.update(task, description=f"{what}  {now}"), bar.stop)
