"""From a fact to decisions: fold, ask the rules, keep quiet about repeats. All pure."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import NamedTuple

import msgspec

from lifecycle.alerts.alert import (
    SEVERITY_ORDER,
    Alert,
    Decision,
    Finding,
    Repeat,
    alert_id,
    alert_scope,
)
from lifecycle.alerts.realtime import RULES, RuleFunction
from lifecycle.alerts.rules import Rule, RuleSet
from lifecycle.clients.state import ClientState, Raised, fold, kept_sum, with_raised
from lifecycle.events import Event, event_key, to_decimal
from lifecycle.events.catalogue import ACCOUNT, CATALOGUE, CREDIT
from lifecycle.events.fields import MONEY_SCALE


class Decider(NamedTuple):
    """The rules of one rule set, laid out by the fact they listen to."""

    rules_hash: str
    by_fact: dict[type, tuple[tuple[Rule, RuleFunction], ...]]
    reopen_factor: Decimal
    lateness: dt.timedelta
    """How far behind its topic's newest business date a fact may come and still raise alerts."""


def decider(rule_set: RuleSet) -> Decider:
    """Lay the rules out once per rule set, so that a fact only meets the rules it can fire."""
    by_fact = {}
    for row in CATALOGUE.values():
        by_fact[row.data] = tuple(
            (rule_set.rules[rule_id], function)
            for rule_id, facts, function in RULES
            if row.data in facts and rule_id in rule_set.rules
        )
    figures = rule_set.parameters
    return Decider(
        rule_set.hash,
        by_fact,
        Decimal(figures["alert_reopen_factor"].value),
        dt.timedelta(days=figures["alert_lateness_days"].value),
    )


def decide(state: ClientState, event: Event, rules: Decider) -> tuple[ClientState, list[Decision]]:
    """The state after the fact, and what the rules decided on it; of a late fact, nothing.

    The first fact ever seen may be any type: `state` of a new client is ClientState(client_id).
    """
    after = fold(state, event)
    decisions: list[Decision] = []
    if event.late:
        return after, decisions
    for rule, function in rules.by_fact[type(event.data)]:
        finding = function(after, event, rule)
        if finding is not None:
            after, decision = _remember(after, event, rule, finding, rules)
            decisions.append(decision)
    return after, decisions


def is_behind(state: ClientState, event: Event, rules: Decider) -> bool:
    """Whether the client's topic has moved on so far that the fact is late, whatever the clock says.

    Measured in event time, against what was folded before: so it also holds for a replay of years
    ago, whose facts are never late by the clock.
    """
    if event.waited:
        return False
    if event.topic == ACCOUNT:
        newest = state.account_date
    elif event.topic == CREDIT:
        newest = state.credit_date
    else:
        return False
    return event.business_date < newest and newest - event.business_date > rules.lateness


def _remember(
    state: ClientState, event: Event, rule: Rule, finding: Finding, rules: Decider
) -> tuple[ClientState, Decision]:
    scope = alert_scope(rule.id, finding.entity, finding.bucket)
    earlier = state.raised.get(scope)
    if earlier and _suppressed(earlier, event.time, rule, finding, rules.reopen_factor):
        return _repeat(state, scope, earlier, event, finding)
    return _raise(state, scope, event, rule, finding, rules.rules_hash)


def _suppressed(
    earlier: Raised, now: dt.datetime, rule: Rule, finding: Finding, reopen_factor: Decimal
) -> bool:
    """Quiet while the window lasts, unless it became graver or much larger."""
    if now >= earlier.until:
        return False
    if not rule.reopens:
        return True
    graver = SEVERITY_ORDER[finding.severity] < SEVERITY_ORDER[earlier.severity]
    return not graver and finding.value < to_decimal(int(earlier.value)) * reopen_factor


def _repeat(
    state: ClientState, scope: str, earlier: Raised, event: Event, finding: Finding
) -> tuple[ClientState, Repeat]:
    raised = msgspec.structs.replace(
        earlier,
        last_seen=max(earlier.last_seen, event.time),
        hit_count=earlier.hit_count + 1,
        max_value=kept_sum(max(int(earlier.max_value), _units(finding.value))),
    )
    max_value = to_decimal(int(raised.max_value))
    repeat = Repeat(raised.alert_id, raised.hit_count, raised.last_seen, max_value)
    return with_raised(state, scope, raised, event.time), repeat


def _raise(
    state: ClientState,
    scope: str,
    event: Event,
    rule: Rule,
    finding: Finding,
    rules_hash: str,
) -> tuple[ClientState, Alert]:
    # A scope may fire again after its window: the fact that raised it makes the key unique.
    key = f"{scope}|{event_key(event.source, event.id).hex()}"
    alert = Alert(
        alert_id=alert_id(key),
        alert_key=key,
        rule_id=rule.id,
        rule_version=rule.version,
        rules_hash=rules_hash,
        severity=finding.severity,
        client_id=state.client_id,
        entity=finding.entity,
        owner=rule.owner,
        event_time=event.time,
        value=finding.value,
        unit=finding.unit,
        message_zh=rule.message_zh.format(**finding.fields),
        message_en=rule.message_en.format(**finding.fields),
        evidence=finding.evidence,
    )
    value = kept_sum(_units(finding.value))
    until = event.time + dt.timedelta(days=rule.suppress_days)
    raised = Raised(key, alert.alert_id, finding.severity, value, until, event.time, 1, value)
    return with_raised(state, scope, raised, event.time), alert


def _units(value: Decimal) -> int:
    return int(value * MONEY_SCALE)
