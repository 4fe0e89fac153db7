"""NT-18: what a night saw of a model, and the alert for its owner when that turns red.

Pure. A reading holds what was measured; lights and alerts follow from it and the rules, so that each can
be decided again. `lifecycle.models.drift` measures.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Literal, NamedTuple

import msgspec

from lifecycle.alerts.alert import Alert, alert_id
from lifecycle.alerts.rules import Parameter, Rule, RuleSet

RULE = "NT-18"
Light = Literal["GREEN", "AMBER", "RED"]
LIGHTS: tuple[Light, ...] = ("GREEN", "AMBER", "RED")


class Reading(msgspec.Struct, frozen=True):
    """What a night measured of a champion."""

    business_date: dt.date
    as_of: dt.datetime
    model_version: str
    scored: int
    """Clients the model was made for."""
    psi: float
    """Of the score, against development."""
    csi: dict[str, float]
    """Feature -> the same of its bins."""
    mean_pd: float
    cohort: int
    """Clients of the same kind a year ago,"""
    defaults: int
    """and how many of them have defaulted since."""
    calibration_p: float | None
    """The chance of so many defaults or more if tonight's mean PD held for them; None without a cohort."""
    decisions: int
    """Applications decided lately that carry the PD they were decided on,"""
    overrides: int
    """and how many of them were decided against it."""

    @property
    def default_rate(self) -> float | None:
        return self.defaults / self.cohort if self.cohort else None

    @property
    def override_rate(self) -> float | None:
        return self.overrides / self.decisions if self.decisions else None


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From where on a measure is amber and red."""

    clients: int
    """Fewer clients, or decisions, say nothing of a share."""
    psi: tuple[float, float]
    calibration_p: tuple[float, float]
    """The other way round: below it."""
    override_rate: tuple[float, float]


class Finding(NamedTuple):
    """One measure and its light."""

    measure: str
    value: float
    light: Light


class Drift(msgspec.Struct, frozen=True):
    """All the rule may look at: tonight's reading, and the one before it."""

    before: Reading | None
    after: Reading


class ModelAlert(NamedTuple):
    """An alert and what it was decided on."""

    alert: Alert
    drift: Drift


def limits_of(figures: Mapping[str, Parameter]) -> Limits:
    """The limits as they stand in rules/models.yaml."""
    psi = figures["score_validation"].value["psi"]
    return msgspec.convert(figures["model_monitoring"].value | {"psi": psi}, Limits)


def findings(reading: Reading, limits: Limits) -> list[Finding]:
    """Every measure that can be judged, with its light."""
    found = []
    if reading.scored >= limits.clients:
        found += [_above(name, value, limits.psi) for name, value in _stability(reading)]
    if reading.calibration_p is not None and reading.cohort >= limits.clients:
        amber, red = limits.calibration_p
        p = reading.calibration_p
        found.append(
            Finding("calibration", p, "RED" if p < red else "AMBER" if p < amber else "GREEN")
        )
    if reading.override_rate is not None and reading.decisions >= limits.clients:
        found.append(_above("override_rate", reading.override_rate, limits.override_rate))
    return found


def light(found: list[Finding]) -> Light:
    """The worst of them."""
    return max((finding.light for finding in found), key=LIGHTS.index, default="GREEN")


def decide_drift(drift: Drift, rules: RuleSet) -> ModelAlert | None:
    """An alert for what is red tonight and was not before."""
    rule = rules.rules.get(RULE)
    if rule is None:
        return None
    limits = limits_of(rules.parameters)
    known = _red(drift.before, limits) if drift.before else {}
    news = {name: value for name, value in _red(drift.after, limits).items() if name not in known}
    return ModelAlert(_alert(drift.after, news, rule, rules.hash), drift) if news else None


def _stability(reading: Reading) -> Iterator[tuple[str, float]]:
    yield "psi", reading.psi
    for name, value in sorted(reading.csi.items()):
        yield f"csi {name}", value


def _above(measure: str, value: float, limits: tuple[float, float]) -> Finding:
    amber, red = limits
    return Finding(measure, value, "RED" if value > red else "AMBER" if value >= amber else "GREEN")


def _red(reading: Reading, limits: Limits) -> dict[str, float]:
    return {f.measure: f.value for f in findings(reading, limits) if f.light == "RED"}


def _alert(reading: Reading, news: Mapping[str, float], rule: Rule, rules_hash: str) -> Alert:
    entity = f"model/{reading.model_version}"
    key = f"{rule.id}|{entity}|{reading.business_date}"
    fields: dict[str, Any] = {
        "model": reading.model_version,
        "day": reading.business_date.isoformat(),
        "measures": ", ".join(f"{name} {value:.3f}" for name, value in news.items()),
        "psi": f"{reading.psi:.3f}",
        "mean_pd": f"{reading.mean_pd:.2%}",
        "default_rate": "-" if reading.default_rate is None else f"{reading.default_rate:.2%}",
    }
    return Alert(
        alert_id=alert_id(key),
        alert_key=key,
        rule_id=rule.id,
        rule_version=rule.version,
        rules_hash=rules_hash,
        severity=rule.severity,
        client_id="",
        entity=entity,
        owner=rule.owner,
        event_time=reading.as_of,
        value=Decimal(f"{reading.psi:.4f}"),
        unit="PSI",
        message_zh=rule.message_zh.format(**fields),
        message_en=rule.message_en.format(**fields),
        evidence=(),
    )


encode_drift = msgspec.json.Encoder(order="deterministic").encode
decode_drift = msgspec.json.Decoder(Drift).decode
