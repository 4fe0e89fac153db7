"""bench: the measurements of benchmarks/, on a scratch platform or without one."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from lifecycle import settings
from lifecycle.commands.console import AsJson, err, out, print_json
from lifecycle.errors import AnswerIsNo, UsageError

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
    rate: Annotated[
        list[int], typer.Option(min=1, help="Events per second; may be given again.")
    ] = [1_000, 3_000],  # noqa: B006
    seconds: Annotated[int, typer.Option(min=1, help="How long, at each rate.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Produce-to-alert latency at steady rates: limit, plain pipeline, product, in one run."""
    from benchmarks.latency import measure

    result = measure(rate, seconds, err.print)
    if as_json:
        return print_json(result)
    table = Table("events/s", "", "alerts", "not seen", "p50 ms", "p99 ms", "max ms")
    for row in result["rates"]:
        for name in ("limit", "reference", "product"):
            found = row[name]
            figures = (
                found[k] for k in ("alerts", "alerts_not_seen", "p50_ms", "p99_ms", "max_ms")
            )
            table.add_row(f"{row['rate']:,}", name, *map(str, figures))
    out.print(table)
    _report({"machine": result["machine"]}, as_json)


@group.command()
def peers(
    events: Annotated[int, typer.Option(min=10_000, help="Size of the backlog.")] = 300_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; the median counts.")] = 3,
    peer: Annotated[
        list[str] | None, typer.Option(help="Only this rival; may be given again.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Catch-up of a backlog: a plain pipeline, the product and its rivals, which run no gate."""
    from benchmarks.peers.measure import measure

    result = measure(events, rounds, peer or [], err.print)
    if as_json:
        return print_json(result)
    table = Table(*_PEER_COLUMNS, title="CPU in us/event: own, database, broker")
    for name, row in result["pipelines"].items():
        table.add_row(name, *_peer_cells(row))
    out.print(table)
    for name, row in result["pipelines"].items():
        out.print(f"{name}: {row['title']}; into PostgreSQL: {row['guarantee']}", highlight=False)
        if row.get("fault"):
            out.print(f"    no rate: {row['fault']}", highlight=False, markup=False)
    out.print("The rivals run no gate; the plain pipeline and the product do.")
    _report({k: v for k, v in result.items() if k != "pipelines"}, as_json)


_PEER_COLUMNS = ("", "events/s", "ratio", "own", "db", "broker", "MB", "lines", "right")


def _peer_cells(row: dict[str, Any]) -> list[str]:
    """Everything but the name; no figures where there is no rate."""
    size, verdict = str(row.get("lines", "")), "yes" if row["right"] else "no"
    if "ratio" not in row:
        return ["", "", "", "", "", "", size, verdict]
    spent = row["cpu_us_per_event"]
    return [
        f"{row['events_per_second']:,}",
        f"{row['ratio']:.2f}",
        *(f"{spent[part]:.0f}" for part in ("pipeline", "database", "broker")),
        f"{row['peak_rss_mb']:,}",
        size,
        verdict,
    ]


@group.command()
def scale(as_json: AsJson = False) -> None:
    """How the cost of catch-up grows: 0.3 to 3 million events, 1,000 to 100,000 clients."""
    from benchmarks.scale import measure

    result = measure(err.print)
    if as_json:
        return print_json(result)
    table = Table("events", "clients", "events/s", "CPU us/event", "peak MB", "calibration us")
    for row in (*result["by_events"], *result["by_clients"]):
        figures = ("events_per_second", "cpu_us_per_event", "peak_rss_mb", "calibration_us")
        table.add_row(
            f"{row['events']:,}", f"{row['clients']:,}", *(f"{row[k]:,}" for k in figures)
        )
    out.print(table)
    _report({k: v for k, v in result.items() if not k.startswith("by_")}, as_json)


@group.command()
def profiles(
    clients: Annotated[int, typer.Option(min=50, help="Clients of the simulated bank.")] = 2_000,
    days: Annotated[int, typer.Option(min=130, help="Days of its life.")] = 730,
    seed: Annotated[int, typer.Option(help="Same seed, same bank.")] = 1,
    write: Annotated[
        Path | None, typer.Option(help="Write the tables between the markers of this page.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What the nights say of a simulated bank, against the truth that only its labels tell."""
    from benchmarks import evaluation_page
    from benchmarks.profiles import measure, schedule

    if write:
        evaluation_page.check(write)
    result = measure(settings.load(), schedule(days), clients=clients, seed=seed, note=err.print)
    if write:
        evaluation_page.write(write, evaluation_page.tables(result))
    if as_json:
        return print_json(result)
    out.print(evaluation_page.tables(result), highlight=False, markup=False)


@group.command()
def aml(
    clients: Annotated[int, typer.Option(min=50, help="Clients of the simulated bank.")] = 1_000,
    seed: Annotated[int, typer.Option(help="Same seed, same schemes.")] = 1,
    factor: Annotated[str, typer.Option(help="Crowns of 1993-94 that stand for a yuan.")] = "0.6",
    write: Annotated[
        Path | None, typer.Option(help="Write the tables between the markers of this page.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw recall by size into this PNG file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """What the typologies of money laundering find of schemes put into real and simulated accounts."""
    from benchmarks import aml_page, evaluation_page
    from benchmarks.aml import measure

    if write:
        evaluation_page.check(write)
    crowns = _positive(factor)
    result = measure(settings.load(), clients=clients, seed=seed, factor=crowns, note=err.print)
    if plot:
        from lifecycle.plots import recall_plot

        recall_plot(aml_page.panels(result), plot)
    if write:
        evaluation_page.write(write, aml_page.tables(result))
    if as_json:
        print_json(result)
    else:
        out.print(aml_page.tables(result), highlight=False, markup=False)
    if result["short"]:
        raise AnswerIsNo(f"Recall is below what is asked for: {'; '.join(result['short'])}.")


def _positive(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal(0)
    if not (number.is_finite() and number > 0):
        raise UsageError(f"--factor {text} is no number above zero: give one, e.g. 0.6.")
    return number


@group.command()
def attrition(
    clients: Annotated[int, typer.Option(min=200, help="Clients of the simulated bank.")] = 1_000,
    days: Annotated[int, typer.Option(min=600, help="Days of its life.")] = 720,
    seed: Annotated[int, typer.Option(help="Same seed, same bank.")] = 1,
    berka: Annotated[bool, typer.Option(help="Also show it on the Berka data.")] = False,
    write: Annotated[
        Path | None, typer.Option(help="Write the tables between the markers of this page.")
    ] = None,
    write_model: Annotated[
        Path | None, typer.Option(help="Keep the fitted model, for tests: it knows a made-up bank.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """How well leavers of a simulated bank are told: fitted on early dates, judged on later ones."""
    from benchmarks import attrition_page, evaluation_page
    from benchmarks.attrition import measure

    if write:
        evaluation_page.check(write)
    result = measure(
        settings.load(),
        clients=clients,
        days=days,
        seed=seed,
        berka=berka,
        note=err.print,
        write_to=write_model,
    )
    if write:
        evaluation_page.write(write, attrition_page.tables(result))
    if as_json:
        return print_json(result)
    out.print(attrition_page.tables(result), highlight=False, markup=False)


@group.command()
def warning(
    clients: Annotated[int, typer.Option(min=300, help="Clients of the simulated bank.")] = 600,
    seed: Annotated[int, typer.Option(help="Same seed, same bank.")] = 1,
    berka: Annotated[bool, typer.Option(help="Also watch the real loans.")] = False,
    write: Annotated[
        Path | None, typer.Option(help="Write the tables between the markers of this page.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw lead times by false alarms into this PNG file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """How early loans that go bad are warned of, month by month, and how many good ones with them."""
    from benchmarks import evaluation_page, warning_page
    from benchmarks.warning import measure

    if write:
        evaluation_page.check(write, warning_page.PART)
    result = measure(settings.load(), clients=clients, seed=seed, berka=berka, note=err.print)
    if plot:
        from lifecycle.plots import warning_plot

        target = result["target"]
        warning_plot(
            warning_page.panels(result), (target["false_alarms"], target["lead_days"]), plot
        )
    if write:
        evaluation_page.write(write, warning_page.tables(result), warning_page.PART)
    if as_json:
        return print_json(warning_page.document(result))
    out.print(warning_page.tables(result), highlight=False, markup=False)


@group.command()
def bulk(
    clients: Annotated[int, typer.Option(min=10, help="Clients of the bank.")] = 100_000,
    days: Annotated[
        int, typer.Option(min=60, help="Days of its life, fifty postings a year.")
    ] = 730,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds; the median counts.")] = 3,
    spark: Annotated[
        bool, typer.Option("--spark", help="Spark beside DuckDB, for a million postings.")
    ] = False,
    history: Annotated[
        bool, typer.Option("--history", help="Instead: a history of one year against five.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """The bulk half of a night, against the same attributes in SQL written by hand."""
    from benchmarks import bulk as measurement

    configured = settings.load()
    if history:
        result = measurement.history(configured, clients=clients, rounds=rounds, note=err.print)
    else:
        result = measurement.measure(
            configured, clients=clients, days=days, rounds=rounds, spark=spark, note=err.print
        )
    if as_json:
        return print_json(result)
    for part in (result, result.get("engines")):
        if part:
            out.print(_costs(part["runs"]))
    _report({k: v for k, v in result.items() if k not in ("runs", "engines")}, as_json)


def _costs(runs: dict[str, Any]) -> Table:
    """One row a run; a ratio is that of seconds to the first one."""
    table = Table("", "seconds", "ratio", "CPU s", "peak MB", "rounds", "parts")
    for name, row in runs.items():
        cells = (row["seconds"], f"{row['ratio']:.2f}", row["cpu_seconds"], row["peak_rss_mb"])
        rounds = ", ".join(map(str, row["rounds"]))
        parts = ", ".join(f"{part} {seconds}" for part, seconds in row["parts"].items())
        table.add_row(name, *map(str, cells), rounds, parts)
    return table


@group.command()
def models(
    table: Annotated[
        Path | None,
        typer.Option(help="A labelled table of one's own, instead of the three made ones."),
    ] = None,
    target: Annotated[
        str | None, typer.Option(help="The column of that table with the outcome: 1 bad, 0 good.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Scorecard and challenger beside a tuned gradient boosting, on rows that none was fitted on."""
    from benchmarks.models import measure
    from lifecycle.alerts.rules import load_rules
    from lifecycle.models.figures import figures_of

    if (table is None) != (target is None):
        raise UsageError("A table of one's own needs both --table and --target.")
    figures = figures_of(load_rules(settings.load().rules).parameters)
    own = (table, target) if table and target else None
    result = measure(figures, err.print, own)
    if as_json:
        return print_json(result)
    for name, found in result["tables"].items():
        listed = Table("", "AUC", "KS", "Brier", "slope", title=name)
        for model, figures_of_it in found["models"].items():
            listed.add_row(model, *(f"{value:.4f}" for value in figures_of_it.values()))
        out.print(listed)
        _report({k: v for k, v in found.items() if k != "models"}, as_json)
    _report({"machine": result["machine"]}, as_json)


@group.command()
def loans(
    write: Annotated[
        Path | None, typer.Option(help="Write the tables between the markers of this page.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write the validation report, one HTML file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """How good the card of `lifecycle score berka-loans` is, on the real loans whose outcome is told."""
    from benchmarks import evaluation_page, loans_page
    from benchmarks.loans import document, measure
    from lifecycle.alerts.rules import load_rules
    from lifecycle.models.figures import figures_of

    if write:
        evaluation_page.check(write, loans_page.PART)
    configured = settings.load()
    found = measure(configured, err.print)
    told = loans_page.markdown(found)
    if report:
        figures = figures_of(load_rules(configured.rules).parameters)
        loans_page.write_report(report, found, figures)
    if write:
        evaluation_page.write(write, told, loans_page.PART)
    if as_json:
        return print_json(document(found))
    out.print(told, highlight=False, markup=False)


def _report(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        return print_json(result)
    for name, value in result.items():
        out.print(f"{name:32} {value}", highlight=False)
