"""How early the product warns of loans that go bad: month by month while they run, on the real loans of
Berka and on a simulated bank of borrowers.

On every month-end features are made as in a night, of what was known by then; distress within the next
90 days is told by facts with a time. A scorecard is fitted on other loans and on months that were over
before the first month it is judged on.
"""

from __future__ import annotations

import calendar
import datetime as dt
import itertools
import resource
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from benchmarks.profiles import FIRST_DAY, Note, seal, timed
from benchmarks.scratch import machine_facts
from benchmarks.warnings_judged import Bank, Lent, Month, Outcomes, Points, Risk, judgement
from lifecycle import app, credit
from lifecycle.alerts.alert import Alert
from lifecycle.alerts.decide import Decider, decide, decider
from lifecycle.alerts.nightly import Classified, Move, decide_move
from lifecycle.alerts.rules import RuleSet, load_rules
from lifecycle.clients.attribute import Figures, rounded
from lifecycle.clients.attributes import ATTRIBUTES
from lifecycle.clients.facts import Facts, end_of
from lifecycle.clients.state import ClientState, Source
from lifecycle.errors import UsageError
from lifecycle.events import Event, Outgoing, decoded, minor_units
from lifecycle.events.account import TransactionPosted
from lifecycle.events.credit import (
    CreditDisbursed,
    CreditSettled,
    PenaltyInterestCharged,
    RepaymentMissed,
)
from lifecycle.models.figures import figures_of
from lifecycle.models.scorecard import Scorecard
from lifecycle.models.scoring import by_scorecard
from lifecycle.models.training import Task, train
from lifecycle.ports import Engine
from lifecycle.risk import classification, credit_score
from lifecycle.risk.credit_features import FEATURES, features
from lifecycle.risk.history import History
from lifecycle.settings import Settings

SUBJECTS_AT_ONCE = 3_000
DAYS, CUT_AGE = 1_030, 600
"""The simulated bank lives so many days, and is judged on the months after so many."""
BERKA_CUT = dt.date(1996, 1, 1)


def measure(
    configured: Settings, *, clients: int, seed: int, berka: bool, note: Note
) -> dict[str, Any]:
    """Watch the simulated bank, and the real loans where they are wanted."""
    rules = load_rules(configured.rules)
    seconds: dict[str, float] = {}
    banks = {"simulated": _simulated(configured, rules, clients, seed, seconds, note)}
    if berka:
        banks["berka"] = _berka(configured, rules, seconds, note)
    return {
        "banks": banks,
        "clients": clients,
        "seed": seed,
        "target": rules.parameters["warning_target"].value,
        "seconds": seconds,
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "machine": machine_facts(),
    }


def _berka(
    configured: Settings, rules: RuleSet, seconds: dict[str, float], note: Note
) -> dict[str, Any]:
    source = app.berka_loan_lives(configured)
    granted, ends = source.granted(), source.ends()
    loans = [
        Lent(own.loan_id, own.client_id, own.granted, ends[own.loan_id], own.granted < BERKA_CUT)
        for own in granted
    ]
    bank = Bank("berka", loans, BERKA_CUT, source.last_day)
    seen = Seen(rules)

    def outcomes(_engine: Engine) -> Outcomes:
        # No default has a date of its own: a loan that ended unpaid is one on its last day, one that runs
        # in debt on the last day there is.
        bad = {own.loan_id: min(ends[own.loan_id], bank.last) for own in granted if own.bad}
        told = frozenset(own.loan_id for own in granted if own.bad is not None)
        return Outcomes(seen.distress_of(loans), bad, told)

    events = source.events(None, None)
    known = collected(bank, events, seen, outcomes, configured, seconds, note)
    return watched(bank, known, rules.parameters)


def _simulated(
    configured: Settings,
    rules: RuleSet,
    clients: int,
    seed: int,
    seconds: dict[str, float],
    note: Note,
) -> dict[str, Any]:
    from lifecycle.sources.simulator import STRAINED

    source = app.simulator(
        configured, seed=seed, clients=clients, first_day=FIRST_DAY, days=DAYS, stories=STRAINED
    )
    last = FIRST_DAY + dt.timedelta(days=DAYS - 1)
    loans: list[Lent] = []
    bank = Bank("simulated", loans, FIRST_DAY + dt.timedelta(days=CUT_AGE), last)
    seen = Seen(rules)

    def outcomes(engine: Engine) -> Outcomes:
        for loan_id, (client, granted, ended) in seen.loans.items():
            learns = int(client.rpartition("-")[2]) % 2 == 0
            loans.append(Lent(loan_id, client, granted, ended or last, learns))
        facts = Facts(engine, last, configured.timezone, frozenset())
        moves = engine.run(classification.timelines(facts, rules.parameters)).to_pylist()
        seen.take_moves(moves)
        third = [m for m in moves if m["scale"] == "STAGE" and m["after"] == "3"]
        default = {m["facility_id"]: m["day"] for m in sorted(third, key=_day, reverse=True)}
        return Outcomes(seen.distress_of(loans), default, frozenset(seen.loans))

    events = source.events(None, None)
    known = collected(bank, events, seen, outcomes, configured, seconds, note)
    found = watched(bank, known, rules.parameters)
    return found | {"stories": dict(_counted(label.story for label in source.labels()))}


def _day(row: Mapping[str, Any]) -> dt.date:
    day: dt.date = row["day"]
    return day


def _counted(names: Iterable[str]) -> Iterator[tuple[str, int]]:
    for name, own in itertools.groupby(sorted(names)):
        yield name, len(list(own))


# --- what a pass over the facts shows -------------------------------------------------------------


class Seen:
    """What the stream saw of every client: grave alerts, and days of distress."""

    def __init__(self, rules: RuleSet) -> None:
        self._rules = rules
        self._decider: Decider = decider(rules)
        self._grave = frozenset(rules.parameters["warning_severities"].value)
        self._states: dict[str, ClientState] = {}
        self._standing: set[str] = set()
        self._distress: dict[str, list[dt.date]] = defaultdict(list)
        self.alerts: dict[str, list[dt.date]] = defaultdict(list)
        """Client id -> days on which a grave alert was raised or repeated."""
        self.loans: dict[str, tuple[str, dt.date, dt.date | None]] = {}
        """Loan id -> client, day of the grant and day of the settlement."""

    def passing(self, events: Iterable[Outgoing]) -> Iterator[Outgoing]:
        """The same events, each looked at."""
        for record in events:
            self.take(decoded(record))
            yield record

    def take(self, event: Event) -> None:
        client = event.client_id
        state = self._states.get(client) or ClientState(client)
        self._states[client], decisions = decide(state, event, self._decider)
        for decision in decisions:
            if isinstance(decision, Alert) and decision.severity in self._grave:
                self._standing.add(decision.alert_id)
            if decision.alert_id in self._standing:
                self.alerts[client].append(event.business_date)
        if in_distress(event):
            self._distress[client].append(event.business_date)
        if isinstance(event.data, CreditDisbursed):
            self.loans[event.data.facility_id] = (client, event.business_date, None)
        if isinstance(event.data, CreditSettled):
            self.loans[event.data.facility_id] = (
                *self.loans[event.data.facility_id][:2],
                event.business_date,
            )

    def take_moves(self, moves: Iterable[Mapping[str, Any]]) -> None:
        """Add the nights' alerts on moves between classes and stages."""
        for row in moves:
            if row["before"] is None or row["after"] is None:
                continue  # granted, or settled
            for found in decide_move(_move(row), self._rules):
                if found.alert.severity in self._grave:
                    self.alerts[row["client_id"]].append(row["day"])

    def distress_of(self, loans: Iterable[Lent]) -> dict[str, dt.date]:
        """Loan id -> the first day of distress while the loan ran."""
        found = {}
        for loan in loans:
            days = [
                day for day in self._distress[loan.client_id] if loan.granted <= day <= loan.ends
            ]
            if days:
                found[loan.loan_id] = min(days)
        return found


def in_distress(event: Event) -> bool:
    """Whether a fact says that an instalment was missed, penalty interest charged, or that an account is
    below zero."""
    data = event.data
    if isinstance(data, TransactionPosted):
        return data.balance_after is not None and minor_units(data.balance_after) < 0
    return isinstance(data, RepaymentMissed | PenaltyInterestCharged)


def _move(row: Mapping[str, Any]) -> Move:
    """A move on one scale, as a night would see it."""
    by_stage = row["scale"] == "STAGE"

    def classified(value: str) -> Classified:
        return Classified("PASS", int(value), 0) if by_stage else Classified(value, 1, 0)

    return Move(
        row["facility_id"],
        row["client_id"],
        row["day"],
        end_of(row["day"], ZoneInfo("UTC")),
        classified(row["before"]),
        classified(row["after"]),
        row["trigger"],
        Source(row["event_id"] or "", "", 0, 0),
    )


# --- month by month -------------------------------------------------------------------------------


def month_ends(loan: Lent, last: dt.date) -> Iterator[dt.date]:
    """Month-ends on which a loan runs, up to a date."""
    first = loan.granted.replace(day=1)
    for month in itertools.count(first.year * 12 + first.month - 1):
        year, number = month // 12, month % 12 + 1
        day = dt.date(year, number, calendar.monthrange(year, number)[1])
        if day > min(last, loan.ends):
            return
        yield day


def months_of(bank: Bank) -> list[Month]:
    """Those to learn from are over before the cut, those to judge on begin with it."""
    return [
        Month(loan, day)
        for loan in bank.loans
        for day in month_ends(loan, bank.last)
        if (day < bank.cut) == loan.learns
    ]


class Collected(NamedTuple):
    """What was known on every month-end, and what became of the loans."""

    written: int
    months: list[Month]
    rows: pa.Table
    """The features of each month, in their order."""
    points: Points
    alerts: Mapping[str, Sequence[dt.date]]
    became: Outcomes


def collected(
    bank: Bank,
    events: Iterator[Outgoing],
    seen: Seen,
    outcomes: Callable[[Engine], Outcomes],
    configured: Settings,
    seconds: dict[str, float],
    note: Note,
) -> Collected:
    """Write the bank's events into a lake of their own, and go through its month-ends."""
    figures = load_rules(configured.rules).parameters
    with TemporaryDirectory() as name:
        folder = Path(name)
        with timed(f"{bank.name}: events", seconds, note):
            written = seal(seen.passing(events), folder, note)
        with app.engine_over_lake(folder) as engine:
            became = outcomes(engine)
            months = months_of(bank)
            with timed(f"{bank.name}: features", seconds, note):
                rows = feature_rows(engine, months, configured, figures)
            with timed(f"{bank.name}: expert card", seconds, note):
                points = expert_points(engine, months, configured, figures)
    return Collected(written, months, rows, points, seen.alerts, became)


def watched(bank: Bank, known: Collected, figures: Figures) -> dict[str, Any]:
    """Fit, score and judge."""
    cards = {
        _named(days): fitted(bank, known, days, figures)
        for days in figures["warning_fit_days"].value
    }
    risks = _risks(known, {name: card for name, (card, _) in cards.items()}, figures)
    return {
        "events": known.written,
        "cut": bank.cut,
        "last": bank.last,
        "learnt": {name: learnt for name, (_, learnt) in cards.items()},
        **judgement(bank, risks, known.became, figures),
    }


def _named(days: int) -> str:
    """The scorecard that looks so many days ahead."""
    return f"behavioural scorecard, {days} days"


def feature_rows(
    engine: Engine, months: Sequence[Month], configured: Settings, figures: Figures
) -> pa.Table:
    """The candidates' features of each month, in the order of the months. Raises UsageError when a row
    came from a fact of later than its month-end."""
    chosen = {name: FEATURES[name] for name in figures["warning_candidates"].value}
    parts = []
    ordered = sorted((month.subject for month in months), key=lambda subject: subject.day)
    for first in range(0, len(ordered), SUBJECTS_AT_ONCE):
        some = ordered[first : first + SUBJECTS_AT_ONCE]
        history = History(engine, some, configured.timezone)
        parts.append(engine.run(features(history, figures, chosen)))
        _check(engine.run(history.source_times()).to_pylist())
    rows = pa.concat_tables(parts)
    place = {name: at for at, name in enumerate(rows["subject_id"].to_pylist())}
    return rows.take([place[month.subject.subject_id] for month in months])


def _check(times: Iterable[Mapping[str, Any]]) -> None:
    for row in times:
        if row["time"] is not None and row["time"] >= row["as_of"]:
            raise UsageError(
                f"Features of {row['subject_id']} come from {row['time']}, later than their date: the "
                "measurement would know the future."
            )


def expert_points(
    engine: Engine, months: Sequence[Month], configured: Settings, figures: Figures
) -> Points:
    """The expert card, as a night has it."""
    found = {}
    card = credit_score.card_of(figures["credit_card"].value)
    for day in sorted({month.day for month in months}):
        facts = Facts(engine, day, configured.timezone, frozenset())
        attributes = ibis.union(*[
            _attribute(facts, figures, name)
            for name in sorted(set(credit.attributes_used(figures)) & ATTRIBUTES.keys())
        ])
        stages = credit.stages(engine, facts, figures)
        for one in credit.candidates(engine.run(attributes), stages, frozenset(), figures):
            made = credit_score.score(one.inputs, card)
            found[one.client_id, day] = (made.value, made.band)
    return found


def _attribute(facts: Facts, figures: Figures, name: str) -> ir.Table:
    """An attribute's rows as a profile has them."""
    attribute = ATTRIBUTES[name]
    assert attribute.decimals is not None, "points are given for numbers"
    derived = attribute.derive(facts, figures)
    value = rounded(derived.value, attribute.decimals).cast("string")
    return derived.select("client_id", name=ibis.literal(name), value=value)


def fitted(
    bank: Bank, known: Collected, horizon: int, figures: Figures
) -> tuple[Scorecard, dict[str, Any]]:
    """A behavioural scorecard of distress within the horizon, from the months to learn from that are
    before a loan's first distress, and whose outcome is known at the cut; months of one loan stay
    together in the folds."""
    places, bads = [], []
    ahead = dt.timedelta(days=horizon)
    for place, month in enumerate(known.months):
        event = known.became.distress.get(month.loan.loan_id, dt.date.max)
        if month.loan.learns and month.day < event and month.day + ahead < bank.cut:
            places.append(place)
            bads.append(int(event - month.day <= ahead))
    if not places:
        raise UsageError(
            f"The bank has no month to learn from whose {horizon} days were over at {bank.cut}: take a "
            "longer history."
        )
    months = [known.months[place] for place in places]
    table = known.rows.take(places).drop_columns("subject_id")
    table = table.append_column("bad", pa.array(bads, pa.int8()))
    table = table.append_column("loan", pa.array(month.loan.loan_id for month in months))
    trained = train(table, Task("bad", "loan"), figures_of(figures)).champion
    own = trained.metrics["development"]
    return trained.model, {
        "months": len(bads),
        "before_distress": sum(bads),
        "loans": len({month.loan.loan_id for month in months}),
        "last": max(month.day for month in months),
        "auc_unseen": own["auc"],
        "card": [{"feature": c.name, "iv": c.iv} for c in trained.model.characteristics],
    }


def _risks(known: Collected, cards: Mapping[str, Scorecard], figures: Figures) -> list[Risk]:
    """What was said of the loans to judge on, by loan and day."""
    bands = set(figures["warning_bands"].value)
    scored = {name: by_scorecard(card, known.rows) for name, card in cards.items()}
    pds = {name: np.asarray(own["pd"]).tolist() for name, own in scored.items()}
    found = {name: own["band"].to_pylist() for name, own in scored.items()}
    lowest = known.rows["min_balance_90d"].to_pylist()
    alerts = {
        (client, day.year, day.month) for client, days in known.alerts.items() for day in days
    }
    risks = []
    for place, month in enumerate(known.months):
        if not month.loan.learns:
            client, day = month.loan.client_id, month.day
            points, expert = known.points[client, day]
            risks.append(
                Risk(
                    month,
                    {name: own[place] for name, own in pds.items()},
                    {name: own[place] in bands for name, own in found.items()},
                    points,
                    expert in bands,
                    (client, day.year, day.month) in alerts,
                    np.inf if lowest[place] is None else lowest[place],
                )
            )
    return risks
