"""nightly, prove, restate and rebuild: publish, show that the stream was right, say what late facts
would have changed, fold the log again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from lifecycle import app, settings
from lifecycle.commands.console import AsJson, day, err, new_table, out, plain, print_json
from lifecycle.errors import AnswerIsNo, UsageError

if TYPE_CHECKING:
    from lifecycle.nightly import StepResult


ROWS_SHOWN = 200


def register(application: typer.Typer) -> None:
    application.command()(nightly)
    application.command()(prove)
    application.command()(restate)
    application.command()(rebuild)


def nightly(
    date: Annotated[str, typer.Option(help="Business date, YYYY-MM-DD.")],
    as_json: AsJson = False,
) -> None:
    """Run the night of a business date: seal, gates, profiles, scores, alerts, publish, prove."""
    business_date = day(date)
    assert business_date is not None
    configured = settings.load()
    if not app.has_facts(configured, business_date):
        # A mistyped year would be served, and no night before it would be published again.
        raise UsageError(
            f"No fact of {business_date} has arrived, so there is no night to run: look at --date."
        )
    result = app.run_nightly(configured, business_date, progress=_show)
    if as_json:
        print_json(result)
    else:
        out.print(_table(result["steps"]))
        out.print(f"published: {result['published']}   proof equal: {result['equal']}")
    if not result["published"]:
        err.print(
            "Not published: a newer business date is served, and an older one never replaces it."
        )
    if not result["equal"]:
        raise AnswerIsNo(
            f"The night of {date} was run, but the stream's state differs from the log: "
            "`lifecycle prove` says where."
        )


def prove(as_json: AsJson = False) -> None:
    """Fold the log again in arrival order; state and alerts must be byte-identical."""
    proof = app.prove(settings.load())
    if as_json:
        print_json(proof)
    else:
        out.print(
            f"{'equal' if proof.equal else 'DIFFERENT'}: {proof.clients:,} clients, "
            f"{proof.events:,} facts, {proof.alerts:,} alerts folded again"
        )
        for difference in proof.differences:
            out.print(f"  {difference}")
    if not proof.equal:
        raise AnswerIsNo(f"{len(proof.differences)} differences were found: this is an incident.")


def restate(
    date: Annotated[
        str | None,
        typer.Option(help="Also the profiles and scores of that night, YYYY-MM-DD."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What late and corrected facts would have changed, had they come in time; alters nothing."""
    found = app.restate(settings.load(), day(date))
    if as_json:
        return print_json(found)
    out.print(
        f"{found['facts']:,} late or correcting facts of {found['clients']:,} clients; "
        f"{len(found['decisions']):,} alerts would be others"
    )
    table = new_table("change", "client", "rule", "severity", "event time", "alert")
    for change in found["decisions"][:ROWS_SHOWN]:
        table.add_row(
            change["change"],
            change["client_id"],
            change["rule_id"],
            change["severity"],
            f"{change['event_time']:%Y-%m-%d %H:%M}",
            plain(change["message_en"]),
        )
    out.print(table)
    if date:
        table = new_table("client", "attribute or score", f"told on {date}", "as it is now")
        for found_now in [*found["attributes"], *found["scores"]][:ROWS_SHOWN]:
            table.add_row(
                *(plain(found_now[k] or "") for k in ("client_id", "name", "before", "after"))
            )
        out.print(table)
        out.print(
            f"{len(found['attributes']):,} attributes and {len(found['scores']):,} scores differ."
        )


def rebuild(as_json: AsJson = False) -> None:
    """Fold the whole log again and replace the stored client states; no consumer may run.

    `lifecycle up` does it by itself when the states were folded by another version.
    """
    done = app.rebuild(settings.load(), always=True)
    if as_json:
        return print_json(done)
    out.print(f"{done['clients']:,} clients rebuilt from {done['events']:,} facts")


def _show(result: StepResult) -> None:
    err.print(
        f"[dim]{result.name:10}[/dim] {result.rows:>9,} rows  {result.seconds:6.1f} s  "
        f"{result.gate or ''}",
        highlight=False,
    )


def _table(steps: list[StepResult]) -> Table:
    table = Table("step", "rows", "seconds", "gate")
    for step in steps:
        table.add_row(step.name, f"{step.rows:,}", f"{step.seconds:.1f}", step.gate or "")
    return table
