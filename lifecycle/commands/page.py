"""How a client's page looks in a terminal, in Chinese or English."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Literal

from rich.columns import Columns
from rich.panel import Panel
from rich.table import Table

from lifecycle.clients.attributes import ATTRIBUTES
from lifecycle.clients.labels import ATTRIBUTES as LABELS
from lifecycle.clients.labels import SECTIONS
from lifecycle.clients.lifecycle import NAMES
from lifecycle.commands.console import new_table, out, plain

Language = Literal["en", "zh"]
Row = dict[str, Any]
Pair = tuple[str, str]

GROUNDS: dict[str, Pair] = {
    "NOT_NEEDED": ("可用:无需同意", "yes: needs no consent"),
    "GRANTED": ("可用", "yes"),
    "NEVER_ASKED": ("不可用:从未征求", "no: the client was never asked"),
    "NOT_YET": ("不可用:尚未生效", "no: the consent has not begun"),
    "WITHDRAWN": ("不可用:客户已撤回", "no: the client took it back"),
    "EXPIRED": ("不可用:已到期", "no: the consent has expired"),
}
_REASONS: dict[str, Pair] = {
    "UNKNOWN": ("未知", "not known"),
    "NOT_CONSENTED": ("未经客户同意", "not consented"),
    "SUPPRESSED": ("数值异常,已隐去", "suppressed: out of bounds"),
}
UNITS: dict[str, Pair] = {
    **dict.fromkeys(
        (
            "currency",
            "hash",
            "id",
            "level",
            "date",
            "products",
            "goals",
            "topics",
            "tier",
            "outlook",
        ),
        ("", ""),
    ),
    **dict.fromkeys(("ratio", "index", "0 or 1", "hash", "score"), ("", "")),
    **dict.fromkeys(("share by asset class", "share by channel", "ids and shares"), ("", "")),
    **dict.fromkeys(("net amount by currency", "years of age", "PASS or FAIL"), ("", "")),
    "currency/month": ("每月", "a month"),
    "days": ("天", "days"),
    "years": ("年", "years"),
    "months": ("月", "months"),
    "persons": ("人", "persons"),
    "clients": ("位", "clients"),
    "payees": ("人", "payees"),
    "lenders": ("家", "lenders"),
    "changes": ("次", ""),
    "payments": ("次", ""),
    "inquiries": ("次", ""),
    "complaints": ("件", ""),
    "log per 90 days": ("对数/90天", "log per 90 days"),
    "-1 to 1": ("-1至1", "-1 to 1"),
    "outlook": ("", ""),
    "stage": ("", ""),
    "purpose code": ("", ""),
    "payee type": ("", ""),
    "GB/T 4754 code": ("GB/T 4754", "GB/T 4754"),
}
"""How a unit is read."""
_RESULTS = {"FAIL": "red", "WARN": "yellow", "PASS": "green", "NA": "dim"}
_LONG = 40
"""Longer values are ids; their beginning tells them apart."""


def print_page(page: Row, language: Language) -> None:
    """The whole page, the most needed first."""
    say = 0 if language == "zh" else 1
    out.print(_header(page, say))
    _print_warnings(page, say)
    _print_section(("生命周期", "Lifecycle"), say, _history(page, say))
    _print_section(("值得一问", "Worth asking"), say, _questions(page, say))
    _print_section(("需求", "Needs"), say, _needs(page, say))
    _print_section(("信息冲突与待办", "Conflicts and tasks"), say, _conflicts(page, say))
    out.print(Columns(_profile_tables(page, say), equal=False, expand=False))
    _print_section(("信贷与评分", "Credit and scores"), say, _credit(page, say))
    _print_section(("预警", "Alerts"), say, _alerts(page, say))
    out.print(purposes_table(page["consents"], language))
    _print_section(("近期事实", "Recent facts"), say, _facts(page))


def purposes_table(permissions: Iterable[Row], language: Language) -> Table:
    """What may be used for which purpose, since when and why."""
    say = 0 if language == "zh" else 1
    heads = (
        ("用途", "purpose"),
        ("能否使用", "may be used"),
        ("自", "since"),
        ("同意书", "consent"),
    )
    table = new_table(*(head[say] for head in heads), title=("授权", "Consents")[say])
    for permission in permissions:
        since = permission["since"]
        table.add_row(
            permission["purpose"],
            GROUNDS[permission["ground"]][say],
            f"{since:%Y-%m-%d %H:%M}" if since else "",
            permission["consent_id"] or "",
        )
    return table


def _header(page: Row, say: int) -> Panel:
    known = {row["name"]: row["value"] for row in page["attributes"] if row["value"] is not None}
    kind = {
        "INDIVIDUAL": ("个人", "individual"),
        "CORPORATE": ("企业", "company"),
        None: ("未知", "unknown kind"),
    }[page["client_type"]][say]
    state = page["lifecycle"]["state"]
    quality = page["quality"] or {}
    lines = [
        f"[bold]{page['client_id']}[/bold]  {kind}"
        + "".join(
            f"  {LABELS[name][say]} {known[name]}"
            for name in ("age", "relationship_manager", "product_set")
            if name in known
        ),
        (f"{NAMES[state][1 - say]}" if state else ("尚无状态", "no state yet")[say])
        + (f"  {('自', 'since ')[say]}{page['lifecycle']['since']}" if state else "")
        + (f"  {('画像质量', 'profile quality ')[say]}{quality.get('grade', '?')}"),
        (
            f"{('画像日期', 'as of ')[say]}{page['as_of'] or ('尚未生成', 'not yet built')[say]}  "
            f"{('查阅用途', 'read for ')[say]}{page['purpose']}"
        ),
    ]
    return Panel("\n".join(lines), title=("客户画像", "Client")[say], expand=False)


def _print_warnings(page: Row, say: int) -> None:
    client = page["client_id"]
    if page["degraded"]:
        told = (
            f"该客户有{page['held']}条事实在隔离区(`lifecycle quarantine list --client {client}`),以下内容不含这些事实",
            f"{page['held']} facts of this client are in quarantine (`lifecycle quarantine list "
            f"--client {client}`); what stands here lacks them",
        )[say]
        out.print(f"[yellow]degraded[/yellow]: {told}")
    for gap in page["gaps"]:
        mark = "[red]incomplete[/red]" if gap["incomplete"] else "[yellow]gap[/yellow]"
        out.print(
            f"{mark}: {gap['missing']} facts of {plain(gap['source'])} missing since "
            f"{gap['opened_at']:%Y-%m-%d %H:%M} (`lifecycle gaps list --client {client}`)",
            highlight=False,
        )


def _print_section(title: Pair, say: int, lines: Iterable[str]) -> None:
    shown = list(lines)
    if shown:
        out.print(f"\n[bold]{title[say]}[/bold]")
        for line in shown:
            out.print(f"  {line}", highlight=False)


def _history(page: Row, say: int) -> Iterable[str]:
    for move in page["lifecycle"]["history"][-6:]:
        before, after = (_state(move[end], say) for end in ("from_state", "to_state"))
        shown = ", ".join(f"{name} {value}" for name, value in move["evidence"].items())
        yield f"{move['on']}  {before} → {after}  {move['rule_id']} ({plain(shown)})"
    for flag in page["lifecycle"]["flags"]:
        yield f"[yellow]{flag}[/yellow]"


def _state(state: Any, say: int) -> str:
    """What people call a state; NONE is before the first night that saw the client."""
    return NAMES[state][1 - say] if state in NAMES else ("首次出现", "first seen")[say]


def _questions(page: Row, say: int) -> Iterable[str]:
    for question in page["questions"]:
        text = (question["text_zh"], question["text_en"])[say]
        consent = ", ".join(question["needs_consent"])
        yield f"{text}" + (f"  [dim]{consent}[/dim]" if consent else "")


def _needs(page: Row, say: int) -> Iterable[str]:
    for need in page["needs"]:
        yield (need["text_zh"], need["text_en"])[say]


def _conflicts(page: Row, say: int) -> Iterable[str]:
    for check in page["checks"]:
        if check["result"] in ("WARN", "FAIL"):
            colour = _RESULTS[check["result"]]
            text = (check["reason_zh"], check["reason_en"])[say]
            yield f"[{colour}]{check['id']} {check['result']}[/{colour}]  {text}"
    for task in page["tasks"]:
        text = (task["reason_zh"], task["reason_en"])[say]
        due = (f"{task['due']}前由{task['owner']}处理", f"{task['owner']} by {task['due']}")[say]
        yield f"☐ {due}: {text}"


def _profile_tables(page: Row, say: int) -> Iterable[Table]:
    """A table for each section: what is known, and in its last lines what is not, and why."""
    heads = (("项目", "attribute"), ("值", "value"), ("", ""), ("天数", "days old"))
    for section, title in SECTIONS.items():
        own = [
            row
            for row in page["attributes"]
            if row["name"] in ATTRIBUTES and ATTRIBUTES[row["name"]].section == section
        ]
        table = new_table(*(head[say] for head in heads), title=title[say])
        table.columns[1].justify = table.columns[3].justify = "right"
        for row in own:
            if row["value"] is not None:
                table.add_row(*_cells(row, page["as_of"], say))
        for reason, text in _REASONS.items():
            lacking = [LABELS[row["name"]][say] for row in own if row["null_reason"] == reason]
            if lacking and table.row_count:
                table.add_row(f"[dim]{text[say]}: {', '.join(lacking)}[/dim]")
        if table.row_count:
            table.columns[0].max_width = _LONG
            yield table


def _cells(row: Row, as_of: dt.date, say: int) -> tuple[str, ...]:
    age = str((as_of - row["source_time"].date()).days) if row["source_time"] else ""
    decimals = ATTRIBUTES[row["name"]].decimals
    value = row["value"] if decimals is None else f"{Decimal(row['value']):,}"
    shown = value if len(value) <= _LONG else value[:_LONG] + "…"
    unit = UNITS[row["unit"]][say]
    return LABELS[row["name"]][say], plain(shown), f"{unit}{_mark(row)}", age


def _mark(row: Row) -> str:
    return " [yellow]degraded[/yellow]" if row["degraded"] else ""


def _credit(page: Row, say: int) -> Iterable[str]:
    for score in page["scores"]:
        yield f"{_SCORES[score['score_type']][say]} {_score(score, say)} {_mark(score)}"
        for reason in score["reason_codes"]:
            sign = "-" if score["score_type"] == "CREDIT" else "+"
            text = (reason["zh"], reason["en"])[say]
            yield f"  {reason['code']} {text} ({sign}{reason['points']:g})"
    for facility in page["facilities"]:
        told = ("逾期{dpd}天,余额", "{dpd} days past due, outstanding ")[say]
        yield (
            f"{facility['facility_id']}: {facility['state'] or ''}, {facility['tier']}, "
            f"stage {facility['stage']}, "
            f"{told.format(dpd=facility['dpd'])}{facility['outstanding']:,.2f} "
            f"{facility['currency']} {_mark(facility)}"
        )


_SCORES = {
    "CREDIT": ("信用评分", "Credit"),
    "ATTRITION": ("流失风险", "Attrition"),
    "OPERATING": ("经营风险", "Operating risk"),
    "MORAL": ("道德风险", "Moral risk"),
    "AML": ("反洗钱", "Money laundering"),
}
_WITHHELD = {
    "SUPPRESSED": ("暂停评分：有事实在隔离区", "suppressed: facts are in quarantine"),
    "UNKNOWN": ("信息不足，未评分", "too little is known"),
    "NOT_CONSENTED": ("客户未同意（以评分日为准）", "the client did not consent when it was due"),
}


def _score(score: Row, say: int) -> str:
    """A value and its band; a credit score loses points from the best, the others add them up."""
    if score["status"] != "SCORED":
        return _WITHHELD[score["status"]][say]
    told = ("专家评分，未校准", "expert points, no probability")[say]
    if score["pd"] is not None:
        told = f"{('概率', 'probability')[say]} {score['pd']:.1%}"
    if score["override"]:
        band, until = score["override"]["band"], score["override"]["valid_until"]
        told += (f"；人工调整为{band}，至{until}", f"; overridden to {band} until {until}")[say]
    return f"{score['value']}, {score['band']} ({told})"


def _alerts(page: Row, say: int) -> Iterable[str]:
    for alert in page["alerts"]:
        text = (alert["message_zh"], alert["message_en"])[say]
        yield f"{alert['severity']} {alert['rule_id']} {alert['status']}  {text}"


def _facts(page: Row) -> Iterable[str]:
    for fact in page["facts"]:
        yield f"{fact['time'][:16]}  {plain(fact['type'])}  {plain(fact['subject'])}"
