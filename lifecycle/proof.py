"""Prove: fold the log again in arrival order; state and alerts must come out byte for byte.

Pure: it is given the logged facts, the rule sets that were in force, and what is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from lifecycle.alerts.alert import Alert, Repeat, canonical
from lifecycle.alerts.decide import Decider, decide
from lifecycle.alerts.late import (
    History,
    LateFact,
    decide_late,
    decode_late_fact,
    encode_late_fact,
)
from lifecycle.alerts.models import decide_drift, decode_drift, encode_drift
from lifecycle.alerts.nightly import decide_move, decode_move, encode_move
from lifecycle.alerts.rules import RuleSet
from lifecycle.clients.state import ClientState, encode_state, version_of
from lifecycle.events import logged
from lifecycle.ports import LiveAlert, LoggedFact

DIFFERENCES_SHOWN = 50


class Rebuilt(msgspec.Struct, frozen=True):
    """What the log gives when it is folded again."""

    events: int
    states: dict[str, ClientState]
    alerts: dict[str, LiveAlert]


class Proof(msgspec.Struct, frozen=True):
    """The answer of a proof; `differences` holds the first ones, each one sentence."""

    equal: bool
    clients: int
    events: int
    alerts: int
    differences: list[str]


def rebuild(facts: Iterable[LoggedFact], rules: Mapping[str, Decider]) -> Rebuilt:
    """Fold facts in arrival order, each under the rule set that decided it then."""
    states: dict[str, ClientState] = {}
    alerts: dict[str, LiveAlert] = {}
    events = 0
    for fact in facts:
        event = logged(
            fact.payload,
            fact.client_id,
            fact.topic,
            fact.partition,
            fact.offset,
            correction=fact.correction,
            waited=fact.waited,
            late=fact.late,
        )
        before = states.get(fact.client_id) or ClientState(fact.client_id)
        states[fact.client_id], decisions = decide(before, event, rules[fact.rules_hash])
        events += 1
        for decision in decisions:
            if isinstance(decision, Alert):
                alerts[decision.alert_id] = _raised(decision, before)
            else:
                alerts[decision.alert_id] = _repeated(alerts[decision.alert_id], decision)
    return Rebuilt(events, states, alerts)


def _raised(alert: Alert, before: ClientState) -> LiveAlert:
    return LiveAlert(
        alert.alert_id,
        canonical(alert),
        encode_state(before),
        1,
        alert.event_time,
        alert.value,
    )


def _repeated(alert: LiveAlert, repeat: Repeat) -> LiveAlert:
    return msgspec.structs.replace(
        alert,
        hit_count=repeat.hit_count,
        last_seen=repeat.last_seen,
        max_value=repeat.max_value,
    )


def compare(
    rebuilt: Rebuilt, states: Mapping[str, bytes], alerts: Mapping[str, LiveAlert]
) -> Proof:
    """Rebuilt against stored: equal only if every state and every alert is identical."""
    differences = [
        *_state_differences(rebuilt.states, states),
        *alert_differences(rebuilt.alerts, alerts),
    ]
    return Proof(
        equal=not differences,
        clients=len(rebuilt.states),
        events=rebuilt.events,
        alerts=len(rebuilt.alerts),
        differences=differences[:DIFFERENCES_SHOWN],
    )


def replay_late(
    stored: Iterable[tuple[LiveAlert, str]], history: History, rules: Mapping[str, Decider]
) -> dict[str, LiveAlert]:
    """Alerts of late facts decided again from the log as the night saw it."""
    facts: dict[str, set[LateFact]] = {}
    ids = set()
    for alert, rules_hash in stored:
        facts.setdefault(rules_hash, set()).add(decode_late_fact(alert.state_before))
        ids.add(alert.alert_id)
    return {
        decided.alert_id: _nightly(decided, encode_late_fact(fact))
        for rules_hash, some in facts.items()
        for decided, fact in decide_late(some, history, rules[rules_hash])
        # A rule that is there now may raise more on the same fact than was raised then.
        if decided.alert_id in ids
    }


def replay_nightly(
    stored: Iterable[tuple[LiveAlert, str]], rule_sets: Mapping[str, RuleSet]
) -> dict[str, LiveAlert]:
    """Nightly alerts decided again from the inputs kept with them, under their own rule set."""
    again = {}
    for alert, rules_hash in stored:
        move = decode_move(alert.state_before)
        for decided, _ in decide_move(move, rule_sets[rules_hash]):
            if decided.alert_id == alert.alert_id:
                again[alert.alert_id] = _nightly(decided, encode_move(move))
    return again


def replay_models(
    stored: Iterable[tuple[LiveAlert, str]], rule_sets: Mapping[str, RuleSet]
) -> dict[str, LiveAlert]:
    """Alerts about models decided again from the readings kept with them, under their own rule set."""
    again = {}
    for alert, rules_hash in stored:
        drift = decode_drift(alert.state_before)
        decided = decide_drift(drift, rule_sets[rules_hash])
        if decided and decided.alert.alert_id == alert.alert_id:
            again[alert.alert_id] = _nightly(decided.alert, encode_drift(drift))
    return again


def _nightly(alert: Alert, decided_on: bytes) -> LiveAlert:
    return LiveAlert(alert.alert_id, canonical(alert), decided_on, 1, alert.event_time, alert.value)


def _state_differences(
    rebuilt: Mapping[str, ClientState], stored: Mapping[str, bytes]
) -> list[str]:
    found = []
    for client in sorted(rebuilt.keys() | stored.keys()):
        if client not in stored:
            found.append(f"client {client}: the log gives a state, none is stored")
        elif client not in rebuilt:
            found.append(f"client {client}: a state is stored, the log gives none")
        elif encode_state(rebuilt[client]) != stored[client]:
            found.append(f"client {client}: the stored state differs from the one the log gives")
    return found


def alert_differences(
    rebuilt: Mapping[str, LiveAlert], stored: Mapping[str, LiveAlert]
) -> list[str]:
    """One sentence per alert that is missing, extra or not byte-identical."""
    found = []
    for alert_id in sorted(rebuilt.keys() | stored.keys()):
        if alert_id not in stored:
            found.append(f"alert {alert_id}: the log gives it, it is not stored")
        elif alert_id not in rebuilt:
            found.append(f"alert {alert_id}: it is stored, the log does not give it")
        else:
            found += _alert_difference(rebuilt[alert_id], stored[alert_id])
    return found


def _of_other_version(rebuilt: LiveAlert, stored: LiveAlert) -> bool:
    try:
        return version_of(stored.state_before) != version_of(rebuilt.state_before)
    except msgspec.DecodeError:
        return False  # a nightly alert keeps a move, not a state


def _alert_difference(rebuilt: LiveAlert, stored: LiveAlert) -> list[str]:
    def comparable(alert: LiveAlert) -> dict[str, Any]:
        fields = msgspec.structs.asdict(alert)
        return fields | {"max_value": Decimal(alert.max_value).normalize()}

    mine, theirs = comparable(rebuilt), comparable(stored)
    names = [name for name in mine if mine[name] != theirs[name]]
    if "state_before" in names and _of_other_version(rebuilt, stored):
        # What an earlier version remembered of the client is written differently today; what it
        # decided is not.
        names.remove("state_before")
    return [f"alert {rebuilt.alert_id}: {', '.join(names)} differ"] if names else []
