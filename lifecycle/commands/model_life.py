"""training-table: what a credit model is trained on, from the pipeline's own facts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lifecycle import app, settings
from lifecycle.commands.console import AsJson, day, new_table, out, print_json


def register(application: typer.Typer) -> None:
    application.command("training-table")(training_table)


From = Annotated[
    str | None,
    typer.Option("--from", help="The first day whose end of month may count (YYYY-MM-DD)."),
]
To = Annotated[
    str | None,
    typer.Option("--to", help="The last one; twelve months later the newest night must be over."),
]


def training_table(
    to_file: Annotated[Path, typer.Option("--out", help="The Parquet file to write.")],
    first: From = None,
    last: To = None,
    as_json: AsJson = False,
) -> None:
    """Label every client with live credit at month-ends: its features before, and whether it defaulted
    within a year after. `lifecycle train` takes the file with --id id --date date --group client
    --target target; an indeterminate outcome has no target. The rows stay in the lake too."""
    from lifecycle.model_training import write_table

    made = app.training_table(settings.load(), day(first), day(last))
    write_table(made.rows, to_file)
    if as_json:
        return print_json({
            "out": str(to_file),
            "rows": made.rows.num_rows,
            "as_of": made.as_of,
            "lake": {"credit_training": made.version},
            "outcomes": made.outcomes,
        })
    table = new_table("outcome", "clients at month-ends")
    for outcome, count in sorted(made.outcomes.items()):
        table.add_row(outcome, f"{count:,}")
    out.print(table)
    out.print(f"{made.rows.num_rows:,} rows: {to_file}", highlight=False)
