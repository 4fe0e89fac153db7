"""alerts list|show|ack|close, explain and replay-alert: what was raised, why, and would it be again."""

from __future__ import annotations

import datetime as dt
import json
from typing import Annotated, Any

import typer

from lifecycle import app, settings
from lifecycle.alerts.actions import STATUSES, Action
from lifecycle.commands.console import AsJson, log_in_name, new_table, one_of, out, print_json
from lifecycle.errors import AnswerIsNo, UsageError

group = typer.Typer(no_args_is_help=True, help="Alerts: list, show, acknowledge, close.")

AlertId = Annotated[str, typer.Argument(help="The alert's id or key.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept with the alert.")]


def register(application: typer.Typer) -> None:
    application.add_typer(group, name="alerts")
    application.command()(explain)
    application.command("replay-alert")(replay_alert)


@group.command("list")
def list_alerts(
    client: Annotated[str | None, typer.Option(help="Only this client.")] = None,
    rule: Annotated[str | None, typer.Option(help="Only this rule, e.g. RT-03.")] = None,
    status: Annotated[str | None, typer.Option(help="NEW, ACKED or CLOSED.")] = None,
    as_json: AsJson = False,
) -> None:
    """All alerts, gravest first."""
    with app.alerts(settings.load()) as store:
        rows = store.list(client=client, rule=rule, status=one_of("--status", status, STATUSES))
    if as_json:
        return print_json(rows)
    table = new_table(
        "severity",
        "rule",
        "client",
        "entity",
        "owner",
        "status",
        "hits",
        "event time",
        "client is",
        "alert",
    )
    for row in rows:
        table.add_row(
            row["severity"],
            row["rule_id"],
            row["client_id"],
            row["entity"],
            row["owner"],
            row["status"],
            str(row["hit_count"]),
            f"{row['event_time']:%Y-%m-%d %H:%M}",
            f"[yellow]{' '.join(_standing(row))}[/yellow]",
            row["alert_id"],
        )
    out.print(table)
    out.print(f"{len(rows):,} alerts")


@group.command()
def show(alert: AlertId, as_json: AsJson = False) -> None:
    """One alert with what people did about it and where it was delivered."""
    with app.alerts(settings.load()) as store:
        row = _readable(store.show(alert))
    if as_json:
        return print_json(row)
    _print_alert(row)


@group.command()
def ack(alert: AlertId, reason: Why = "seen", as_json: AsJson = False) -> None:
    """Acknowledge: you are looking at it. Who you are is your log-in of the system."""
    _act("ack", alert, reason, as_json)


@group.command()
def close(alert: AlertId, reason: Why, as_json: AsJson = False) -> None:
    """Close, with the reason. Who you are is your log-in of the system."""
    _act("close", alert, reason, as_json)


def explain(alert: AlertId, as_json: AsJson = False) -> None:
    """Why an alert was raised and what was known then: facts, state, rule, gate, consents."""
    config = settings.load()
    with app.alerts(config) as store:
        row = store.show(alert)
        facts = [json.loads(payload) for payload in store.facts(row["evidence"])]
    explained = _readable(row) | {
        "facts": facts,
        "rule": json.loads(row["rule_set"])["rules"][row["rule_id"]],
        "known_before": app.known_before(config, row),
        "gate": {
            "gate_result_id": row["gate_result_id"],
            "stage": row["gate_stage"],
            "success": row["gate_success"],
            "evaluated": row["gate_evaluated"],
            "rows": row["gate_rows"],
        },
    }
    if as_json:
        return print_json(explained)
    _print_alert(explained)
    _print_explanation(explained)


def replay_alert(
    alert: Annotated[str | None, typer.Argument(help="The alert's id or key.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every alert.")] = False,
    as_json: AsJson = False,
) -> None:
    """Decide an alert again from the log and compare it byte for byte."""
    if (alert is None) == (not all_):
        raise UsageError("Name one alert, or say --all.")
    replayed = app.replay_alerts(settings.load(), alert)
    if as_json:
        print_json(replayed)
    else:
        out.print(f"{replayed['identical']:,} of {replayed['alerts']:,} alerts are byte-identical")
        for difference in replayed["differences"]:
            out.print(f"  {difference}")
    if replayed["differences"]:
        raise AnswerIsNo(f"{len(replayed['differences'])} alerts do not come out the same.")


def _act(action: Action, alert: str, reason: str, as_json: bool) -> None:
    now = dt.datetime.now(dt.UTC)
    with app.alerts(settings.load()) as store:
        done = store.act(action, alert, actor=log_in_name(), reason=reason, now=now)
    if as_json:
        print_json(done)
    else:
        out.print(f"{done['alert_id']} is {done['status']}")


_HIDDEN = {"decision", "state_before", "rule_set"}


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in _HIDDEN}


def _print_alert(row: dict[str, Any]) -> None:
    out.print(
        f"[bold]{row['severity']} {row['rule_id']}[/bold] {row['alert_key']}", highlight=False
    )
    out.print(f"{row['message_zh']}\n{row['message_en']}")
    out.print(
        f"client {row['client_id']}  owner {row['owner']}  status {row['status']}  "
        f"hits {row['hit_count']}  event {row['event_time']}  detected {row['detected_at']}",
        highlight=False,
    )
    for word in _standing(row):
        out.print(f"[yellow]{word}[/yellow]: {_STANDING[word]}", highlight=False)
    for action in row.get("actions", []):
        out.print(f"  {action['action']} by {action['actor']}: {action['reason']}")
    for delivery in row.get("deliveries", []):
        state = delivery["delivered_at"] or delivery["error"] or "waiting"
        out.print(f"  {delivery['channel']}: {state}", highlight=False)


_STANDING = {
    "degraded": "数据不全，该客户有记录在隔离区 / records of this client are in quarantine",
    "incomplete": "数据缺失，该客户有事实未到达 / facts of this client never came",
}


def _standing(row: dict[str, Any]) -> list[str]:
    """What is not right about the alert's client now."""
    return [word for word in _STANDING if row[word]]


def _gate(gate: dict[str, Any]) -> str:
    if gate["stage"] is None:
        return "none: it is about a model"
    return (
        f"{gate['stage']} #{gate['gate_result_id']}: {gate['evaluated']} expectations on "
        f"{gate['rows']} rows, {'passed' if gate['success'] else 'with rows in quarantine'}"
    )


def _print_explanation(explained: dict[str, Any]) -> None:
    rule, gate = explained["rule"], explained["gate"]
    out.print(
        f"rule     {rule['id']} version {rule['version']} of set {explained['rules_hash'][:12]}, "
        f"code {explained['code_version']}",
        highlight=False,
    )
    for name, figure in rule["parameters"].items():
        out.print(f"         {name} = {figure['value']} {figure['unit']}", highlight=False)
    out.print(f"gate     {_gate(gate)}")
    for fact in explained["facts"]:
        out.print(f"fact     {fact['time']} {fact['type']} {fact['subject']}", highlight=False)
    out.print("before   ", end="")
    out.print_json(json.dumps(explained["known_before"], default=str))
