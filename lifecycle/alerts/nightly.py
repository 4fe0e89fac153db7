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
from lifecycle.risk.triggers import NPL, TIERS


class Classified(msgspec.Struct, frozen=True):
    """A facility's class on one day."""

    tier: str
    stage: int
    dpd: int


UNSEEN = Classified("PASS", 1, 0)
"""What a facility counts as before its first classification."""


class Move(msgspec.Struct, frozen=True, omit_defaults=True):
    """All a nightly rule may look at. A move that was kept before it had a field reads and writes the same."""

    facility_id: str
    client_id: str
    business_date: dt.date
    as_of: dt.datetime
    before: Classified
    after: Classified
    trigger: str
    evidence: Source
    group: tuple[str, ...] = ()
    """The other clients of the debtor's group."""


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


def group_member_npl(move: Move, rule: Rule) -> Severity | None:
    """NT-21: it became an NPL, so the others of its group are to be assessed; none is downgraded."""
    before, after = TIERS.index(move.before.tier), TIERS.index(move.after.tier)
    return rule.severity if before < NPL <= after else None


RULES: Mapping[str, NightlyRule] = {"NT-02": stage_moved, "NT-03": tier_downgraded}
GROUP_RULES: Mapping[str, NightlyRule] = {"NT-21": group_member_npl}
"""Rules that alert whoever looks after each other client of the group."""


def decide_move(move: Move, rule_set: RuleSet) -> list[NightlyAlert]:
    """The alerts one move gives under a rule set; one of before a rule was there knows nothing of it."""
    own = [(name, function, [move.client_id]) for name, function in RULES.items()]
    group = [(name, function, move.group) for name, function in GROUP_RULES.items()]
    found = []
    for rule_id, function, clients in (*own, *group):
        rule = rule_set.rules.get(rule_id)
        severity = function(move, rule) if rule else None
        if rule and severity:
            alerts = [_alert(move, rule, severity, rule_set.hash, client) for client in clients]
            found += [NightlyAlert(alert, move) for alert in alerts]
    return found


def _alert(move: Move, rule: Rule, severity: Severity, rules_hash: str, client: str) -> Alert:
    entity = f"facility/{move.facility_id}"
    about = entity if client == move.client_id else f"client/{client}"
    scope = entity if client == move.client_id else f"client/{client}>{move.facility_id}"
    key = f"{rule.id}|{scope}|{move.business_date}"
    fields = {
        "facility": move.facility_id,
        "before": f"{move.before.tier}/{move.before.stage}",
        "after": f"{move.after.tier}/{move.after.stage}",
        "dpd": str(move.after.dpd),
        "trigger": move.trigger,
        "day": move.business_date.isoformat(),
        "debtor": move.client_id,
        "client": client,
    }
    return Alert(
        alert_id=alert_id(key),
        alert_key=key,
        rule_id=rule.id,
        rule_version=rule.version,
        rules_hash=rules_hash,
        severity=severity,
        client_id=client,
        entity=about,
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
