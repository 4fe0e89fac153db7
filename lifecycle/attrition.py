"""Attrition: the rows of a night, and who left, to fit and to judge a model."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Set
from typing import Any, Literal

from lifecycle.clients.attribute import Figures
from lifecycle.clients.facts import Facts
from lifecycle.clients.lifecycle import RULES, Observation, Seen, Standing, Transition
from lifecycle.clients.observation import observations, to_observation
from lifecycle.events.fields import Purpose
from lifecycle.ports import Engine
from lifecycle.risk.attrition_facts import FEATURES, SOURCED, fallen, features
from lifecycle.risk.attrition_score import Inputs
from lifecycle.risk.score import Candidate

Outcome = Literal["CLOSED", "CHURNED", "FALLEN"]
_LEFT: tuple[Outcome, ...] = ("CLOSED", "CHURNED")


def values_of(row: Mapping[str, Any]) -> dict[str, float | None]:
    """The features of a row of `risk.attrition_facts.features`."""
    return {name: row[name] for name in FEATURES}


def candidates(
    engine: Engine,
    facts: Facts,
    allowed: Mapping[str, Set[Purpose]],
    degraded: frozenset[str],
    figures: Figures,
) -> list[Candidate]:
    """Each client that has been there for half a year with enough assets, by id. `allowed` is what
    `profiling.allowed_purposes` gives; of who does not allow the purpose nothing is kept."""
    purpose = figures["attrition_purpose"].value
    rows = engine.run(features(facts, figures)).sort_by("client_id").to_pylist()
    return [
        Candidate(
            row["client_id"], _inputs(row), "SUPPRESSED" if row["client_id"] in degraded else None
        )
        if purpose in allowed.get(row["client_id"], ())
        else Candidate(row["client_id"], None, "NOT_CONSENTED")
        for row in rows
    ]


def _inputs(row: Mapping[str, Any]) -> Inputs:
    sources = dict.fromkeys(FEATURES, tuple(row["sources"] or ()))
    sources |= {name: tuple(row[f"{name}_sources"] or ()) for name in SOURCED}
    return Inputs(values_of(row), sources)


def label_date(as_of: dt.date, figures: Figures) -> dt.date:
    """The first date whose facts tell who left within the horizon after `as_of`."""
    names = ("attrition_horizon_days", "attrition_stays_days")
    return as_of + dt.timedelta(days=sum(int(figures[name].value) for name in names))


def outcomes(
    engine: Engine, facts_of: Callable[[dt.date], Facts], as_of: dt.date, figures: Figures
) -> dict[str, Outcome]:
    """Client id -> how it left within the horizon after `as_of`; who stayed is not in it.

    CLOSED and CHURNED by the rules of the lifecycle, asked month by month; FALLEN when the assets went
    and stayed away. Who died did not leave. `facts_of` gives the facts of a date; they reach to
    `label_date`.
    """
    left: dict[str, Outcome | None] = {}
    ahead = facts_of(label_date(as_of, figures))
    for row in engine.run(fallen(ahead, as_of, figures)).to_pylist():
        left[row["client_id"]] = "FALLEN"
    for days in figures["attrition_look_days"].value:
        day = as_of + dt.timedelta(days=days)
        for row in engine.run(observations(facts_of(day), figures)).to_pylist():
            observed = to_observation(row)
            if observed.ended:
                left[row["client_id"]] = None
            else:
                state = _state(observed, day, figures)
                left[row["client_id"]] = state or left.get(row["client_id"])
    return {client: how for client, how in left.items() if how}


def _state(observed: Observation, day: dt.date, figures: Figures) -> Outcome | None:
    entered = Transition(
        from_state="NONE", to_state="ACTIVE", rule_id="", on=day, held_days=0, evidence={}
    )
    seen = Seen(Standing(as_of=day, entered=entered), observed, day, figures)
    return next((to for to in _LEFT if _holds(to, seen)), None)


def _holds(state: Outcome, seen: Seen) -> bool:
    return any(rule.holds(seen) for rule in RULES if rule.to == state)
