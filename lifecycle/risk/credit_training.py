"""The labelled table a credit model is trained on: clients with live credit at month-ends, the pipeline's
own features before each, and what became of them afterwards.

A default is what the classification calls one: IFRS 9 stage 3 or a five-tier class of substandard or
worse, which more than 90 days past due, a declared default, a write-off and a distressed restructuring
all lead to. Features see nothing after a subject's date; an outcome sees everything that is known today.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

import pyarrow as pa

from lifecycle.clients.attribute import Figures
from lifecycle.errors import AnswerIsNo, UsageError
from lifecycle.ports import Engine
from lifecycle.risk.arrears import DAY, NEVER, schedules, spells
from lifecycle.risk.classification import Portfolio
from lifecycle.risk.credit_features import FEATURES, features
from lifecycle.risk.debtor import Classified, Debtor, Facility, materiality_of
from lifecycle.risk.history import History, Subject
from lifecycle.risk.timeline import Move
from lifecycle.risk.triggers import NPL, TIERS, Rules, Span, months_after, of_arrears, rules_of

Outcome = Literal["BAD", "GOOD", "INDETERMINATE", "DEFAULTED_BEFORE", "TOO_YOUNG"]
LEARNT: dict[Outcome, int | None] = {"BAD": 1, "GOOD": 0, "INDETERMINATE": None}
"""Outcomes of the table, and the target of each; None is kept out of training."""
ORDER = [("date", "ascending"), ("id", "ascending")]
"""Of the rows of a table."""
CLIENTS_AT_ONCE = 20_000
"""Clients at month-ends whose entries of a year are held together: bounds memory."""
LATE = "DPD_OVER_STAGE_2"
"""The arrears that make who does not default indeterminate."""


class Label(NamedTuple):
    """What became of a client after a date."""

    client_id: str
    date: dt.date
    outcome: Outcome


class Horizon(NamedTuple):
    """How far an outcome looks, and how old credit has to be."""

    months: int
    months_on_book: int


class _Credit(NamedTuple):
    """One facility as an outcome sees it."""

    granted: dt.date
    settled: dt.date
    in_default: Sequence[Span]
    late: Sequence[Span]

    def live(self, day: dt.date) -> bool:
        return self.granted <= day < self.settled


def horizon_of(figures: Figures) -> Horizon:
    """The horizon as it stands in rules/models.yaml."""
    return Horizon(**figures["credit_outcome"].value)


def month_ends(first: dt.date, last: dt.date) -> list[dt.date]:
    """The last days of months from `first` to `last`, both included."""
    days, month = [], first.replace(day=1)
    while (end := months_after(month, 1) - DAY) <= last:
        days.append(end)
        month = end + DAY
    return [day for day in days if day >= first]


def observation_dates(
    first: dt.date, last: dt.date, known_until: dt.date, figures: Figures
) -> list[dt.date]:
    """The month-ends to learn from. Raises UsageError when there is none, or when the outcome of the last
    one is not known yet."""
    months = horizon_of(figures).months
    dates = month_ends(first, last)
    if not dates:
        raise UsageError(f"There is no end of a month from {first} to {last}.")
    if months_after(dates[-1], months) > known_until:
        raise UsageError(
            f"What became of clients within {months} months after {dates[-1]} is not known on "
            f"{known_until}, the newest night: let --to be {months_after(known_until, -months)} or "
            "earlier."
        )
    return dates


def labels(known: Portfolio, dates: Iterable[dt.date], figures: Figures) -> Iterator[Label]:
    """Every client with live credit on each date, by date and id. `known` reaches to the end of the
    horizon of the last date at least."""
    horizon, rules = horizon_of(figures), rules_of(figures)
    credits = {
        client: [
            _credit(debtor, facility, own, rules)
            for facility, own in zip(debtor.facilities, known.classified[client], strict=True)
        ]
        for client, debtor in sorted(known.debtors.items())
    }
    for date in dates:
        for client, own in credits.items():
            if any(credit.live(date) for credit in own):
                yield Label(client, date, _outcome(own, date, horizon))


def described(
    open_engine: Callable[[], Engine],
    told: Sequence[Label],
    zone: ZoneInfo,
    figures: Figures,
    held: frozenset[int] = frozenset(),
) -> pa.Table:
    """`training_rows` of any number of labels, in `ORDER`: some thousand at a time, each by an engine of
    its own."""
    parts = []
    for start in range(0, len(told), CLIENTS_AT_ONCE):
        with open_engine() as engine:
            own = told[start : start + CLIENTS_AT_ONCE]
            parts.append(training_rows(engine, own, zone, figures, held))
    return pa.concat_tables(parts).sort_by(ORDER)


def training_rows(
    engine: Engine,
    told: Sequence[Label],
    zone: ZoneInfo,
    figures: Figures,
    held: frozenset[int] = frozenset(),
) -> pa.Table:
    """(id, date, client, every feature, target) of the labels that are learnt from, by id; target is 1
    for bad, 0 for good and null for indeterminate. Features are those of the end of each date."""
    learnt = {f"{label.client_id}/{label.date}": label for label in told if label.outcome in LEARNT}
    subjects = [Subject(name, label.client_id, label.date) for name, label in learnt.items()]
    rows = engine.run(features(History(engine, subjects, zone, held), figures))
    rows = rows.sort_by("subject_id")
    own = [learnt[name] for name in rows["subject_id"].to_pylist()]
    return pa.table({
        "id": rows["subject_id"],
        "date": pa.array([label.date for label in own], pa.date32()),
        "client": pa.array([label.client_id for label in own], pa.string()),
        **{name: rows[name] for name in FEATURES},
        "target": pa.array([LEARNT[label.outcome] for label in own], pa.int8()),
    })


def apart(table: pa.Table, test_from: dt.date, figures: Figures) -> pa.Table:
    """Without the rows whose outcome reaches into the test: who defaults then would be a bad of both
    sides."""
    months = horizon_of(figures).months
    dates = table["date"].to_pylist()
    keep = [date >= test_from or months_after(date, months) <= test_from for date in dates]
    return table.filter(pa.array(keep))


def require_bads(table: pa.Table, test_from: dt.date, least: int) -> None:
    """Raises AnswerIsNo when a side has fewer bads than a model, or its validation, can learn from."""
    targets = zip(table["date"].to_pylist(), table["target"].to_pylist(), strict=True)
    bads = [date >= test_from for date, target in targets if target == 1]
    if bads.count(False) < least or True not in bads:
        raise AnswerIsNo(
            f"Of the rows before {test_from} {bads.count(False)} are bad, and {bads.count(True)} of those "
            f"to test on: a model needs {least} and 1, so none was trained. Take more months."
        )


def _credit(debtor: Debtor, facility: Facility, own: Classified, rules: Rules) -> _Credit:
    paid = spells(
        schedules(facility.instalments), facility.money, materiality_of(debtor.retail, rules)
    )
    settled = facility.settled.on if facility.settled else NEVER
    late = [
        # What was settled for less than its schedule is past due no more.
        span._replace(end=min(span.end, settled))
        for span in of_arrears(paid, NEVER, rules)
        if span.code == LATE and span.start < settled
    ]
    return _Credit(facility.granted.on, settled, list(default_days(own.moves)), late)


def default_days(moves: Iterable[Move]) -> Iterator[Span]:
    """The days on which a facility is in stage 3 or an NPL."""
    held: dict[str, str | None] = {"TIER": None, "STAGE": None}
    since: Move | None = None
    for move in moves:
        held[move.scale] = move.after
        bad = held["STAGE"] == "3" or held["TIER"] in TIERS[NPL:]
        if bad and since is None:
            since = move
        elif since and not bad:
            yield Span(since.trigger, since.on, move.on, since.evidence, move.evidence)
            since = None
    if since:
        yield Span(since.trigger, since.on, NEVER, since.evidence)


def _outcome(own: Sequence[_Credit], date: dt.date, horizon: Horizon) -> Outcome:
    until = months_after(date, horizon.months)
    if any(span.covers(date) for credit in own for span in credit.in_default):
        return "DEFAULTED_BEFORE"
    oldest = min(credit.granted for credit in own if credit.live(date))
    if months_after(oldest, horizon.months_on_book) > date:
        return "TOO_YOUNG"
    if any(date < span.start <= until for credit in own for span in credit.in_default):
        return "BAD"
    if any(span.start <= until and span.end > date + DAY for c in own for span in c.late):
        return "INDETERMINATE"
    return "GOOD"
