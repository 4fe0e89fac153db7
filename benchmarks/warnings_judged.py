"""How good warnings of loans are: what is said of each loan on its month-ends, held against what became
of it."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from lifecycle.clients.attribute import Figures
from lifecycle.early_warning import (
    Judged,
    Watch,
    discrimination,
    held,
    judged,
    months_before,
    threshold_of,
)
from lifecycle.models.figures import figures_of
from lifecycle.risk.history import Subject

LAGS = {
    "1 month before": (1, 1),
    "2 months": (2, 2),
    "3 months": (3, 3),
    "4 to 6 months": (4, 6),
    "7 to 12 months": (7, 12),
}
BUDGETS = (5, 10, 20, 50, 100, 200)
"""False alarms per 1,000 good month-ends whose threshold is looked up."""
CURVE = tuple(float(n) for n in np.geomspace(1, 400, 40))


class Lent(NamedTuple):
    """A loan; `learns` says which side of the split it is on."""

    loan_id: str
    client_id: str
    granted: dt.date
    ends: dt.date
    learns: bool


class Outcomes(NamedTuple):
    """What became of the loans: days by loan id."""

    distress: Mapping[str, dt.date]
    """The first day on which an instalment was missed, or the account was below zero or paid penalty
    interest."""
    default: Mapping[str, dt.date]
    told: frozenset[str]
    """Loans of which it is known whether they defaulted."""


class Bank(NamedTuple):
    """A bank to be watched: loans with a split, and the last day there are facts of."""

    name: str
    loans: Sequence[Lent]
    cut: dt.date
    last: dt.date


class Month(NamedTuple):
    """A running loan on a month-end."""

    loan: Lent
    day: dt.date

    @property
    def subject(self) -> Subject:
        return Subject(f"{self.loan.loan_id}|{self.day}", self.loan.client_id, self.day)


Points = Mapping[tuple[str, dt.date], tuple[int, str]]
"""(client id, month-end) -> points and band of the expert card."""


class Risk(NamedTuple):
    """What is said of a running loan on a month-end."""

    month: Month
    pd: Mapping[str, float]
    """By the scorecard of each horizon."""
    behavioural: Mapping[str, bool]
    """Whether it has the loan in a band that is a warning."""
    points: int
    expert: bool
    """Whether the expert card has."""
    alert: bool
    """Whether a grave alert was raised within the month."""
    min_balance: float


Says = Callable[[Risk], float]
"""What somebody says of a loan on a month-end; higher is worse."""


def warnings(cards: Iterable[str]) -> dict[str, Says]:
    """What the product warns of by itself: one where it does."""
    own: dict[str, Says] = {
        "alerts of severity P1 or P2": lambda risk: risk.alert,
        "expert card": lambda risk: risk.expert,
    }
    for name in cards:
        own[name] = lambda risk, name=name: risk.behavioural[name]
    for name in cards:
        own[f"alerts or {name}"] = lambda risk, name=name: risk.alert or risk.behavioural[name]
    return own


def rankings(cards: Iterable[str]) -> dict[str, Says]:
    """What orders loans by risk; the last is the baseline."""
    own: dict[str, Says] = {name: lambda risk, name=name: risk.pd[name] for name in cards}
    own["expert card"] = lambda risk: -risk.points
    own["lowest balance of 90 days"] = lambda risk: -risk.min_balance
    return own


def watches(
    risks: Sequence[Risk],
    events: Mapping[str, dt.date],
    good: frozenset[str],
    says: Says,
    last: dt.date,
) -> list[Watch]:
    """Every loan with an event that was watched for a month-end at least, and every good one with a
    month-end whose outcome is known by `last`."""
    found = []
    for loan_id, group in itertools.groupby(risks, lambda risk: risk.month.loan.loan_id):
        event, own = events.get(loan_id), list(group)
        until = event or last
        days = [risk for risk in own if risk.month.day < until]
        if days and (event or loan_id in good):
            found.append(
                Watch(
                    loan_id,
                    tuple(risk.month.day for risk in days),
                    tuple(float(says(risk)) for risk in days),
                    event,
                )
            )
    return found


def judgement(
    bank: Bank, risks: Sequence[Risk], became: Outcomes, figures: Figures
) -> dict[str, Any]:
    last = bank.last - dt.timedelta(days=int(figures["warning_horizon_days"].value))
    every = frozenset(loan.loan_id for loan in bank.loans if not loan.learns)
    calm = every - became.distress.keys()
    repaid = (every & became.told) - became.default.keys()
    found = {}
    for name, events, good in (
        ("distress", became.distress, calm),
        ("default", became.default, repaid),
    ):
        happened = sum(bank.cut <= events[loan] for loan in every & events.keys())
        found[name] = _outcome(
            lambda says, events=events, good=good: watches(risks, events, good, says, last),
            list(risks[0].pd),
            happened,
            figures,
        )
    return found


def _outcome(
    by: Callable[[Says], list[Watch]], cards: Sequence[str], happened: int, figures: Figures
) -> dict[str, Any]:
    at_least = figures["warning_lead_days"].value
    months = int(figures["warning_cure_months"].value)
    ranked = {name: by(says) for name, says in rankings(cards).items()}
    standing = {name: [held(watch, months) for watch in own] for name, own in ranked.items()}
    one = ranked[cards[0]]
    reach = [(watch.event - watch.days[0]).days for watch in one if watch.event]
    return {
        "loans": len(one),
        "events": len(reach),
        "before_a_month_end": happened - len(reach),
        "watched": {least: sum(days >= least for days in reach) for least in at_least},
        "warnings": {
            name: _row(judged([held(watch, months) for watch in by(says)], 1, at_least))
            for name, says in warnings(cards).items()
        },
        "discrimination": {name: _discrimination(own, figures) for name, own in ranked.items()},
        "budgets": {name: _curve(own, BUDGETS, at_least) for name, own in standing.items()},
        "curve": {name: _curve(own, CURVE, at_least) for name, own in standing.items()},
    }


def _curve(
    own: Sequence[Watch], budgets: Iterable[float], at_least: Sequence[int]
) -> list[dict[str, Any]]:
    """The lowest threshold within each budget of false alarms."""
    return [_row(judged(own, threshold_of(own, budget), at_least)) for budget in budgets]


def _discrimination(own: Sequence[Watch], figures: Figures) -> list[dict[str, Any]]:
    horizon = int(figures["warning_horizon_days"].value)
    validation = figures_of(figures).validation
    chosen = {f"the last {horizon} days": _within(horizon)} | {
        name: months_before(*lag) for name, lag in LAGS.items()
    }
    rows = []
    for name, choose in chosen.items():
        found = discrimination(own, choose, validation.resamples, validation.coverage)
        rows.append({"when": name, **(found._asdict() if found else {"events": 0})})
    return rows


def _within(horizon: int) -> Callable[[Watch], Sequence[float]]:
    """The risks on the month-ends within so many days before the event."""
    return lambda watch: [
        risk
        for day, risk in zip(watch.days, watch.risks, strict=True)
        if watch.event and (watch.event - day).days <= horizon
    ]


def _row(found: Judged) -> dict[str, Any]:
    lead, alarms = found.lead, found.alarms
    return {
        "threshold": found.threshold,
        "events": lead.events,
        "median": lead.median,
        "quarter": lead.quarter,
        "shares": lead.shares,
        "months": alarms.months,
        "per_thousand": alarms.per_thousand,
        "fresh_per_thousand": alarms.fresh_per_thousand,
    }
