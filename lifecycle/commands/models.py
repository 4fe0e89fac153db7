"""train, score, evaluate: a scorecard from a labelled table, scores of a table, and how good they are."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lifecycle import settings
from lifecycle.alerts.rules import load_rules
from lifecycle.commands.console import AsJson, day, err, new_table, one_of, out, plain, print_json
from lifecycle.errors import UsageError
from lifecycle.models.libraries import FITTING, need

if TYPE_CHECKING:
    from lifecycle.models.figures import Figures

LANGUAGES = ("en", "zh")
LOANS = "berka-loans"


def register(application: typer.Typer) -> None:
    application.command()(train)
    application.command()(score)
    application.command()(evaluate)


Id = Annotated[
    str | None, typer.Option("--id", help="The column with each row's id; else the row number.")
]


def train(
    table: Annotated[
        Path,
        typer.Argument(
            help="A Parquet or CSV file; or berka-loans: the real loans of 1993 to 1996."
        ),
    ],
    out_dir: Annotated[Path, typer.Option("--out", help="The folder to write the model to.")],
    target: Annotated[
        str | None, typer.Option(help="The column with the outcome: 1 bad, 0 good.")
    ] = None,
    id: Id = None,
    date: Annotated[
        str | None, typer.Option(help="The column with each row's date; it predicts nothing.")
    ] = None,
    test_from: Annotated[
        str | None,
        typer.Option(
            help="Rows from this day on (YYYY-MM-DD) are not fitted; they test the model."
        ),
    ] = None,
    prior: Annotated[
        float | None,
        typer.Option(help="The bad rate where the model will be used, when it is not the table's."),
    ] = None,
    challenger: Annotated[
        bool, typer.Option("--challenger", help="Also fit gradient boosting, and compare.")
    ] = False,
    group: Annotated[
        str | None,
        typer.Option(help="Rows with the same value here stay in one fold; it predicts nothing."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fit a WOE scorecard, with a calibrated PD, to a labelled table. Every column but target, id, date
    and group may be used; dates are left out, so turn them into ages. The same table gives the same model."""
    need(FITTING)
    from lifecycle.models import artefact, training
    from lifecycle.models.table import read

    if str(table) == LOANS:
        return _train_loans(out_dir, as_json)
    if target is None:
        raise UsageError("Say which column is the outcome: --target with its name.")
    artefact.make(out_dir)
    task = training.Task(target, id, date, day(test_from), prior, challenger, group)
    with progress("reading the table") as note:
        trained = training.train(read(table, (id,)), task, _figures(), note)
    artefact.save_champion(out_dir, trained.champion)
    if trained.challenger:
        artefact.save_challenger(out_dir, trained.challenger, trained.trees)
    _tell(trained, out_dir, as_json)


def _train_loans(folder: Path, as_json: bool) -> None:
    """The card of the real loans, fitted anew."""
    from lifecycle import app
    from lifecycle.loan_scores import train_card
    from lifecycle.models import artefact
    from lifecycle.models.training import Trained

    artefact.make(folder)
    configured = settings.load()
    with progress("reading the loans") as note:
        rows, loans = app.berka_loans(configured, note)
        card = train_card(rows, loans, load_rules(configured.rules).parameters, note)
    artefact.save_champion(folder, card)
    _tell(Trained(card, None, "", None), folder, as_json)


def _tell(trained: Any, folder: Path, as_json: bool) -> None:
    if as_json:
        return print_json(_trained(trained, folder))
    _print_trained(trained, folder)


def score(
    table: Annotated[
        Path,
        typer.Argument(
            help="A Parquet or CSV file; or berka-loans: the real loans, by the card of this package."
        ),
    ],
    to: Annotated[Path, typer.Option("--out", help="The CSV file to write.")],
    model: Annotated[
        Path | None, typer.Option(help="The folder that `lifecycle train` wrote.")
    ] = None,
    id: Id = None,
    challenger: Annotated[
        bool, typer.Option("--challenger", help="Score with the challenger.")
    ] = False,
    language: Annotated[
        str | None,
        typer.Option("--lang", help="Reasons as texts, en or zh; else as names of columns."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score a table: id, PD, score, band and up to four reasons of each row, into a CSV file."""
    if str(table) == LOANS:
        return _score_loans(to, model, as_json)
    if model is None:
        raise UsageError("Say which model scores the table: --model with the folder of one.")
    if challenger:
        need(("lightgbm",))
    from lifecycle.models import scoring
    from lifecycle.models.table import read

    spoken = one_of("--lang", language, LANGUAGES)
    with progress("scoring") as note:
        rows = read(table, (id,))
        scored = scoring.score(rows, model, id, challenger=challenger, language=spoken)
        note(f"scoring {rows.num_rows:,} rows")
        scoring.write(scored.lines, to)
    result = {
        "model_version": scored.model_version,
        "rows": rows.num_rows,
        "out": str(to),
        "warnings": scored.warnings,
    }
    if as_json:
        return print_json(result)
    warn(scored.warnings)
    out.print(f"{rows.num_rows:,} rows by {scored.model_version}: {to}", highlight=False)


def _score_loans(to: Path, model: Path | None, as_json: bool) -> None:
    from lifecycle import app
    from lifecycle.loan_scores import CARD, loan_scores
    from lifecycle.models import artefact

    card = artefact.champion(model or CARD)
    with progress("scoring the loans") as note:
        scored = list(loan_scores(*app.berka_loans(settings.load(), note), card.model))
    try:
        with to.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(scored[0]))
            writer.writeheader()
            writer.writerows(scored)
    except OSError as error:
        raise UsageError(f"{to} cannot be written ({error.strerror}).") from error
    if as_json:
        return print_json({
            "model_version": card.model_version,
            "rows": len(scored),
            "out": str(to),
        })
    out.print(f"{len(scored)} loans by {card.model_version}: {to}", highlight=False)


def evaluate(
    scores: Annotated[Path, typer.Argument(help="The CSV file that `lifecycle score` wrote.")],
    labels: Annotated[Path, typer.Option(help="The table with the outcomes: Parquet or CSV.")],
    target: Annotated[str, typer.Option(help="Its column with the outcome: 1 bad, 0 good.")],
    id: Id = None,
    date: Annotated[
        str | None, typer.Option(help="Its column with each row's date, for the report.")
    ] = None,
    model: Annotated[
        Path | None, typer.Option(help="The model's folder, for PSI and for the report.")
    ] = None,
    challenger: Annotated[
        bool, typer.Option("--challenger", help="The scores are the challenger's.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option(help="Also write a validation report, one HTML file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """How well scores tell bads from goods, and how true the PDs are, each with a 95 % interval."""
    from lifecycle.models import artefact, evaluation

    figures = _figures()
    asked = evaluation.Question(scores, labels, target, id, date)
    stored: Any = None
    if model:
        stored = artefact.challenger(model)[0] if challenger else artefact.champion(model)
    with progress("measuring") as note:
        judged = evaluation.evaluate(asked, figures, stored)
        if report:
            from lifecycle.models import report as page

            note("drawing the report")
            page.write(report, asked, judged, figures, stored)
    if as_json:
        return print_json(
            evaluation.document(judged, figures)
            | {"model_version": stored.model_version if stored else None}
        )
    warn(judged.notes)
    _print_metrics({"": evaluation.document(judged, figures)})
    if judged.psi_reason:
        out.print(judged.psi_reason, highlight=False)
    if report:
        out.print(f"{report}", highlight=False)


def _figures() -> Figures:
    from lifecycle.models.figures import figures_of

    return figures_of(load_rules(settings.load().rules).parameters)


@contextmanager
def progress(first: str) -> Iterator[Callable[[str], None]]:
    """A line on stderr that turns while something takes its time, and says what."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task(first, total=None)
        yield lambda text: bar.update(task, description=text)


def _trained(trained: Any, folder: Path) -> dict[str, Any]:
    models = {"champion": trained.champion, "challenger": trained.challenger}
    found = {
        name: {"model_version": stored.model_version, "metrics": stored.metrics}
        for name, stored in models.items()
        if stored
    }
    champion = trained.champion
    return {
        "out": str(folder),
        "model_version": champion.model_version,
        "training": champion.training,
        "characteristics": [
            {"name": c.name, "iv": c.iv, "trend": c.trend, "bins": len(c.bins)}
            for c in champion.model.characteristics
        ],
        "metrics": champion.metrics,
        "challenger": found.get("challenger"),
        "comparison": trained.comparison,
        "warnings": list(_warnings(trained)),
    }


def _warnings(trained: Any) -> list[str]:
    both = (*trained.champion.warnings, *(trained.challenger or trained.champion).warnings)
    return list(dict.fromkeys(both))


def _print_trained(trained: Any, folder: Path) -> None:
    champion = trained.champion
    warn(_warnings(trained))
    facts = champion.training
    out.print(
        f"{champion.model_version}: {facts.rows:,} rows, {facts.bads:,} bad, "
        f"{len(champion.model.characteristics)} of {len(facts.columns)} columns",
        highlight=False,
    )
    listed = new_table("characteristic", "IV", "trend", "points, worst to best")
    for c in champion.model.characteristics:
        points = [b.points for b in c.all_bins() if b.rows]
        listed.add_row(plain(c.name), f"{c.iv:.3f}", c.trend, f"{min(points)} to {max(points)}")
    out.print(listed)
    _print_metrics(_named("scorecard", champion) | _named("challenger", trained.challenger))
    if compared := trained.comparison:
        out.print(
            f"Challenger less scorecard on the {compared['part']} rows: AUC "
            f"{compared['difference']:+.4f} ({compared['low']:+.4f} to {compared['high']:+.4f}, "
            f"DeLong p {compared['p']:.3f}); it "
            f"{'may' if compared['challenger_may_replace'] else 'may not'} replace the scorecard.",
            highlight=False,
        )
    out.print(f"{folder}", highlight=False)


def _named(name: str, stored: Any) -> dict[str, Any]:
    if stored is None:
        return {}
    return {f"{name}, {part}": found for part, found in stored.metrics.items() if found}


def _print_metrics(columns: dict[str, dict[str, Any]]) -> None:
    listed = new_table("", *columns)
    for name in ("n", "n_bad"):
        listed.add_row(name, *(f"{found[name]:,}" for found in columns.values()))
    first = next(iter(columns.values()))
    for name in ("mean_pd", "bad_rate", *first["intervals"]):
        listed.add_row(name, *(_cell(found, name) for found in columns.values()))
    out.print(listed)


def _cell(found: dict[str, Any], name: str) -> str:
    value, interval = found[name], found["intervals"].get(name)
    if value is None:
        return ""
    reach = f"  {interval[0]:.4f} to {interval[1]:.4f}" if interval else ""
    return f"{value:.4f}{reach}"


def warn(warnings: Any) -> None:
    """Warnings on stderr, one a line."""
    for text in warnings:
        err.print(f"[yellow]warning[/] {plain(text)}", highlight=False)
