"""What a night sees of the champion: drift, calibration and overrides; NT-18 for its owner."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

from lifecycle.alerts.models import (
    Drift,
    Finding,
    ModelAlert,
    Reading,
    decide_drift,
    findings,
    light,
    limits_of,
)
from lifecycle.clients.attribute import Figures
from lifecycle.clients.facts import Facts
from lifecycle.models.artefact import Stored, scorecard_of
from lifecycle.models.drift import drift
from lifecycle.models.evaluation import at_least
from lifecycle.models.scorecard import Scorecard
from lifecycle.ports import ModelRegistry
from lifecycle.risk.classification import Portfolio, portfolio
from lifecycle.risk.credit_training import LEARNT, Label, described, horizon_of, labels
from lifecycle.risk.overrides import overrides
from lifecycle.risk.triggers import months_after

if TYPE_CHECKING:
    from lifecycle.nightly import Nightly


class Watched(NamedTuple):
    """A night's reading of the champion, its lights, and the alert it raised."""

    reading: Reading
    findings: list[Finding]
    light: str
    raised: ModelAlert | None


def watch(night: Nightly, registry: ModelRegistry, business_date: dt.date) -> Watched | None:
    """Measure the credit champion on the clients of a date, keep the reading, and raise NT-18 for what
    turned red; None where there is no champion, or nobody it was made for. Repeating it changes nothing
    twice."""
    content = registry.champion("CREDIT")
    if content is None:
        return None
    stored = scorecard_of(content, "the champion")
    reading = read(stored, night, business_date)
    return _record(reading, night, registry) if reading else None


def read(stored: Stored[Scorecard], night: Nightly, business_date: dt.date) -> Reading | None:
    """What the facts of a date say of a scorecard; None where nobody is one it was made for. Keeps
    nothing."""
    figures, (held, _) = night.rules.parameters, night.store.held()
    with night.open_engine() as engine:
        facts = Facts(engine, business_date, night.zone, held, night.store.corrected())
        known = portfolio(facts, figures)
        (decided,) = engine.run(overrides(facts, figures)).to_pylist()
    own = _eligible(known, business_date, figures)
    if not own:
        return None
    rows = described(night.open_engine, own, night.zone, figures, held)
    measured = drift(stored, rows)
    before = months_after(business_date, -horizon_of(figures).months)
    cohort = _eligible(known, before, figures)
    defaults = sum(label.outcome == "BAD" for label in cohort)
    return Reading(
        business_date=business_date,
        as_of=facts.as_of,
        model_version=stored.model_version,
        **measured._asdict(),
        cohort=len(cohort),
        defaults=defaults,
        calibration_p=at_least(defaults, len(cohort), measured.mean_pd) if cohort else None,
        decisions=decided["decisions"],
        overrides=decided["overrides"],
    )


def _eligible(known: Portfolio, date: dt.date, figures: Figures) -> list[Label]:
    """Clients a credit model is made for: with live credit that is old enough, and not in default."""
    return [label for label in labels(known, [date], figures) if label.outcome in LEARNT]


def _record(reading: Reading, night: Nightly, registry: ModelRegistry) -> Watched:
    earlier = registry.readings(reading.model_version, reading.business_date)
    seen = Drift(earlier[0] if earlier else None, reading)
    raised = decide_drift(seen, night.rules)
    found = findings(reading, limits_of(night.rules.parameters))
    registry.record(
        reading,
        light(found),
        raised,
        rules=night.rules,
        code_version=night.code_version,
        now=night.now(),
    )
    return Watched(reading, found, light(found), raised)
