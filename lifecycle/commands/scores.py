"""replay-score: scores of a past night made again from what they were made of."""

from __future__ import annotations

from typing import Annotated

import typer

from lifecycle import app, settings
from lifecycle.commands.console import AsJson, day, out, print_json
from lifecycle.errors import AnswerIsNo


def register(application: typer.Typer) -> None:
    application.command()(replay_score)


def replay_score(
    date: Annotated[
        str | None, typer.Option(help="The night's business date; the one served, if not given.")
    ] = None,
    sample: Annotated[int, typer.Option(min=1, help="How many, chosen by their names.")] = 100,
    all_: Annotated[bool, typer.Option("--all", help="Every score of the night.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make scores of a night again from their inputs, by the rules and models of then, and compare them
    byte for byte."""
    replayed = app.replay_scores(settings.load(), day(date), None if all_ else sample)
    if as_json:
        print_json(replayed)
    else:
        out.print(
            f"{replayed['identical']:,} of {replayed['scores']:,} scores of {replayed['date']} are "
            "byte-identical"
        )
        for difference in replayed["differences"]:
            out.print(f"  {difference}", highlight=False)
    if replayed["differences"]:
        raise AnswerIsNo(f"{len(replayed['differences'])} scores do not come out the same.")
