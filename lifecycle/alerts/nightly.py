"""The nightly rules: what changed between the classification served and tonight's.

Pure. The inputs of a decision are kept as canonical JSON, so that it can be taken again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple

import msgspec

from lifecycle.alerts.alert import Alert, Severity, alert_id
from lifecycle.alerts.rules import Rule, RuleSet
from lifecycle.clients.state import Source

TIERS = ("PASS", "SPECIAL_MENTION", "SUBSTANDARD", "DOUBTFUL", "LOSS")
"""正常 关注 次级 可疑 损失, from best to worst."""


class Classified(msgspec.Struct, frozen=True):
    """A facility's class on one day."""

    tier: str
    stage: int
    dpd: int


UNSEEN = Classified("PASS", 1, 0)
"""What a facility counts as before its first classification."""


class Move(msgspec.Struct, frozen=True):
    """All a nightly rule may look at."""

    facility_id: str
    client_id: str
    business_date: dt.date
    as_of: dt.datetime
    before: Classified
    after: Classified
    trigger: str
    evidence: Source


class NightlyAlert(NamedTuple):
    """An alert and the move it was decided on."""

    alert: Alert
    move: Move


NightlyRule = Callable[[Move, Rule], Severity | None]


def stage_moved(move: Move, rule: Rule) -> Severity | None:
    """NT-02: the IFRS 9 stage rose; reaching stage 3 is graver."""
    if move.after.stage <= move.before.stage:
        return None
    return rule.figure("severity_stage_3") if move.after.stage == 3 else rule.severity


def tier_downgraded(move: Move, rule: Rule) -> Severity | None:
    """NT-03: the five-tier class got worse."""
    worse = TIERS.index(move.after.tier) > TIERS.index(move.before.tier)
    return rule.severity if worse else None


RULES: Mapping[str, NightlyRule] = {"NT-02": stage_moved, "NT-03": tier_downgraded}


def decide_move(move: Move, rule_set: RuleSet) -> list[NightlyAlert]:
    """The alerts one move gives under a rule set."""
    found = []
    for rule_id, function in RULES.items():
        rule = rule_set.rules[rule_id]
        severity = function(move, rule)
        if severity:
            found.append(NightlyAlert(_alert(move, rule, severity, rule_set.hash), move))
    return found


def _alert(move: Move, rule: Rule, severity: Severity, rules_hash: str) -> Alert:
    key = f"{rule.id}|facility/{move.facility_id}|{move.business_date}"
    fields = {
        "facility": move.facility_id,
        "before": f"{move.before.tier}/{move.before.stage}",
        "after": f"{move.after.tier}/{move.after.stage}",
        "dpd": str(move.after.dpd),
        "trigger": move.trigger,
        "day": move.business_date.isoformat(),
    }
    return Alert(
        alert_id=alert_id(key),
        alert_key=key,
        rule_id=rule.id,
        rule_version=rule.version,
        rules_hash=rules_hash,
        severity=severity,
        client_id=move.client_id,
        entity=f"facility/{move.facility_id}",
        owner=rule.owner,
        event_time=move.as_of,
        value=Decimal(move.after.dpd),
        unit="days",
        message_zh=rule.message_zh.format(**fields),
        message_en=rule.message_en.format(**fields),
        evidence=(move.evidence,),
    )


encode_move = msgspec.json.Encoder(order="deterministic").encode
decode_move = msgspec.json.Decoder(Move).decode
