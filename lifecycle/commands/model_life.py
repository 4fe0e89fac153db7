"""training-table, and models list|show|report|train|register|propose|requests|approve|reject|monitor: the
life of a model, from the bank's own history to the score of a night."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lifecycle import app, settings
from lifecycle.commands.console import (
    AsJson,
    day,
    log_in_name,
    new_table,
    one_of,
    out,
    plain,
    print_json,
)
from lifecycle.commands.models import progress, warn
from lifecycle.errors import UsageError
from lifecycle.models.libraries import FITTING, need
from lifecycle.models.life import (
    MODEL_TYPES,
    REQUEST_STATUSES,
    STATUSES,
    Answer,
    Registered,
    Request,
    Status,
    validation_rows,
)

if TYPE_CHECKING:
    from lifecycle.alerts.models import Finding, Reading
    from lifecycle.model_training import TrainingTable

group = typer.Typer(
    no_args_is_help=True, help="The registry of models: train, register, propose, approve, watch."
)

Version = Annotated[str, typer.Argument(help="The model's version, as `models list` names it.")]
RequestId = Annotated[int, typer.Argument(help="The request's number.")]
From = Annotated[
    str | None,
    typer.Option("--from", help="The first day whose end of month may count (YYYY-MM-DD)."),
]
To = Annotated[
    str | None,
    typer.Option("--to", help="The last one; twelve months later the newest night must be over."),
]


def register(application: typer.Typer) -> None:
    application.command("training-table")(training_table)
    application.add_typer(group, name="models")


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

    with progress("labelling and describing clients"):
        made = app.training_table(settings.load(), day(first), day(last))
    write_table(made.rows, to_file)
    if as_json:
        return print_json(_made(made) | {"out": str(to_file)})
    _print_outcomes(made)
    out.print(f"{to_file}", highlight=False)


@group.command("list")
def list_models(
    model_type: Annotated[
        str | None, typer.Option("--type", help="Only CREDIT or ATTRITION.")
    ] = None,
    status: Annotated[
        str | None, typer.Option(help="Only DEVELOPMENT, CHALLENGER, CHAMPION or RETIRED.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Every registered model, newest first."""
    kind: Any = one_of("--type", model_type, MODEL_TYPES)
    wanted: Any = one_of("--status", status, STATUSES)
    with app.models(settings.load()) as registry:
        rows = registry.models(kind, wanted)
    if as_json:
        return print_json(rows)
    table = new_table("model", "type", "status", "AUC out of time", "owner", "registered")
    for row in rows:
        test = row.metrics.get("test")
        table.add_row(
            row.model_version,
            row.model_type,
            row.status,
            f"{test['auc']:.4f}" if test else "",
            plain(row.owner),
            f"{row.created_at:%Y-%m-%d %H:%M}",
        )
    out.print(table)
    out.print(f"{len(rows):,} models")


@group.command()
def show(version: Version, as_json: AsJson = False) -> None:
    """One model: its validation, every change of its status, and what nights saw of it."""
    with app.models(settings.load()) as registry:
        model = registry.model(version)
        changes, readings = registry.changes(version), registry.readings(version)
    if as_json:
        return print_json({"model": model, "changes": changes, "readings": readings})
    _print_model(model)
    for change in changes:
        out.print(
            f"{change.changed_at:%Y-%m-%d %H:%M}  {change.before or '-'} to {change.after} by "
            f"{plain(change.actor)}: {plain(change.reason)}",
            highlight=False,
        )
    if readings:
        _print_readings(readings)


@group.command("report")
def write_report(
    version: Version,
    to_file: Annotated[Path, typer.Option("--out", help="The HTML file to write.")],
    as_json: AsJson = False,
) -> None:
    """Write the validation report of a model, as it was registered."""
    page = app.model_report(settings.load(), version)
    try:
        to_file.write_text(page, "utf-8")
    except OSError as error:
        raise UsageError(f"{to_file} cannot be written ({error.strerror}).") from error
    if as_json:
        return print_json({"model_version": version, "out": str(to_file)})
    out.print(f"{to_file}", highlight=False)


@group.command()
def train(
    to_folder: Annotated[Path, typer.Option("--out", help="The folder to write the model to.")],
    first: From = None,
    last: To = None,
    test_from: Annotated[
        str | None,
        typer.Option(
            help="Month-ends from this day on test; else the latest, as many as the rules say."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a scorecard on the bank's own history, judge it out of time beside the champion, and write the
    validation report. Exit 1 when too few clients defaulted."""
    need(FITTING)
    config = settings.load()
    with progress("labelling and describing clients") as note:
        made = app.training_table(config, day(first), day(last))
        judged = app.train_model(
            config,
            to_folder,
            as_of=made.as_of,
            version=made.version,
            test_from=day(test_from),
            note=note,
        )
    document = _made(made) | {
        "out": str(to_folder),
        "model_version": judged.champion.model_version,
        "metrics": judged.champion.metrics,
        "warnings": judged.champion.warnings,
        **judged.validation,
    }
    if as_json:
        return print_json(document)
    _print_outcomes(made)
    _print_validation(
        judged.champion.metrics | judged.validation | {"warnings": document["warnings"]}
    )
    out.print(f"{judged.champion.model_version}: {to_folder}", highlight=False)


@group.command("register")
def register_model(
    model: Annotated[
        Path,
        typer.Argument(help="A folder of `models train` or `train`; or an attrition model's file."),
    ],
    as_json: AsJson = False,
) -> None:
    """Put a trained model into the registry as DEVELOPMENT. Its owner is your log-in of the system."""
    registered = app.register_model(settings.load(), model, owner=log_in_name())
    if as_json:
        return print_json(registered)
    out.print(f"{registered.model_version} is {registered.status}", highlight=False)


@group.command()
def propose(
    version: Version,
    to: Annotated[str, typer.Option("--to", help="CHALLENGER, CHAMPION or RETIRED.")],
    reason: Annotated[str, typer.Option("--reason", help="Why; kept with the model.")],
    as_json: AsJson = False,
) -> None:
    """Ask that a model become something else; a second person approves, who did not make it."""
    after: Status = one_of("--to", to, STATUSES)  # type: ignore[assignment]
    request = app.propose_model(settings.load(), version, after, reason=reason, maker=log_in_name())
    if as_json:
        return print_json({"request_id": request, "model_version": version, "after": after})
    out.print(
        f"Request {request} waits for a second person: in Airflow, or "
        f"`lifecycle models approve {request}`.",
        soft_wrap=True,
    )


@group.command()
def requests(
    status: Annotated[str, typer.Option(help="WAITING, APPROVED, REJECTED or all.")] = "WAITING",
    as_json: AsJson = False,
) -> None:
    """What people proposed."""
    wanted: Any = one_of("--status", status, (*REQUEST_STATUSES, "all"))
    with app.models(settings.load()) as registry:
        rows = registry.requests(None if wanted == "all" else wanted)
    if as_json:
        return print_json(rows)
    _print_requests(rows)
    out.print(f"{len(rows):,} requests")


@group.command()
def approve(request: RequestId, as_json: AsJson = False) -> None:
    """Do what was proposed; not by who proposed it or made the model. Who you are is your log-in."""
    _decide(request, "APPROVE", as_json)


@group.command()
def reject(request: RequestId, as_json: AsJson = False) -> None:
    """Leave the model as it is; not by who proposed it or made the model."""
    _decide(request, "REJECT", as_json)


@group.command()
def monitor(
    date: Annotated[
        str | None, typer.Option(help="The business date to look at; else the newest night.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Measure drift, calibration and overrides of the credit champion, keep the reading, and raise NT-18
    for what turned red."""
    with progress("measuring the champion"):
        watched = app.watch_champion(settings.load(), day(date))
    if as_json:
        return print_json(watched._asdict() if watched else None)
    if watched is None:
        return out.print("There is no credit champion, or nobody it was made for.")
    if watched.findings:
        _print_findings(watched.findings)
    else:
        out.print("There are too few clients to judge anything of it.")
    _print_readings([watched.reading])
    if watched.raised:
        out.print(watched.raised.alert.message_en, highlight=False)


def _decide(request: int, answer: Answer, as_json: bool) -> None:
    done = app.decide_model(settings.load(), request, answer, checker=log_in_name())
    if as_json:
        return print_json(done)
    gone = f"; {done['replaced']} is RETIRED" if done["replaced"] else ""
    out.print(f"{done['model_version']} is {done['status']}{gone}", highlight=False)


def _made(made: TrainingTable) -> dict[str, Any]:
    return {
        "rows": made.rows.num_rows,
        "as_of": made.as_of,
        "lake": {"credit_training": made.version},
        "outcomes": made.outcomes,
    }


def _print_outcomes(made: TrainingTable) -> None:
    table = new_table("outcome", "clients at month-ends")
    for outcome, count in sorted(made.outcomes.items()):
        table.add_row(outcome, f"{count:,}")
    out.print(table)


def _print_model(model: Registered) -> None:
    out.print(f"[bold]{model.model_version}[/bold] {model.model_type} {model.status}")
    trained = ", ".join(f"{name} version {n}" for name, n in model.lake.items()) or "elsewhere"
    out.print(
        f"artefact {model.artefact_hash}\nowner {plain(model.owner)}  code {model.code_version}  "
        f"trained on {trained}",
        highlight=False,
    )
    _print_validation(model.metrics)


def _print_validation(metrics: dict[str, Any]) -> None:
    warn(metrics.get("warnings", ()))
    table = new_table("validation", "")
    for name, said in validation_rows(metrics):
        table.add_row(name, said)
    out.print(table)


def _print_findings(findings: list[Finding]) -> None:
    table = new_table("measure", "value", "light")
    for finding in findings:
        table.add_row(finding.measure, f"{finding.value:.4f}", _coloured(finding.light))
    out.print(table)


def _print_readings(readings: list[Reading]) -> None:
    table = new_table(
        "night", "clients", "PSI", "worst CSI", "mean PD", "default rate", "override rate"
    )
    for reading in readings:
        table.add_row(
            f"{reading.business_date}",
            f"{reading.scored:,}",
            f"{reading.psi:.4f}",
            f"{max(reading.csi.values(), default=0):.4f}",
            f"{reading.mean_pd:.2%}",
            _share(reading.default_rate),
            _share(reading.override_rate),
        )
    out.print(table)


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.2%}"


def _coloured(light: str) -> str:
    colour = {"GREEN": "green", "AMBER": "yellow", "RED": "red"}[light]
    return f"[{colour}]{light}[/]"


def _print_requests(rows: list[Request]) -> None:
    table = new_table("request", "model", "to", "reason", "by", "status", "decided by")
    for row in rows:
        table.add_row(
            str(row.request_id),
            row.model_version,
            row.after,
            plain(row.reason),
            plain(row.maker),
            row.status,
            plain(row.checker or ""),
        )
    if rows:
        out.print(table)
