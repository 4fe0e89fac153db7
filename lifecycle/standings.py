"""Where every client stands after a night, and the rows that say so.

observations -> lifecycle.step, from the standing of the night before
attributes   -> summary: checks, quality, needs, questions, tasks
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from lifecycle.clients.attribute import Figures
from lifecycle.clients.drift import divergence
from lifecycle.clients.facts import Facts
from lifecycle.clients.lifecycle import LEGAL, STATES, Standing, Transition, step
from lifecycle.clients.observation import observations, to_observation
from lifecycle.clients.summary import Summary, document
from lifecycle.clients.tasks import Task
from lifecycle.ports import Engine

_SCHEMA = pa.schema([
    *((name, pa.string()) for name in ("client_id", "client_type", "state")),
    ("since", pa.date32()),
    *(
        (name, pa.string())
        for name in (
            "grade",
            "profile_quality",
            "standing",
            "quality",
            "checks",
            "needs",
            "questions",
            "tasks",
            "transition",
        )
    ),
])
_INCOME = ("income_observed_monthly", "tenure_days")
_NOTHING = pa.table({name: pa.array([], pa.string()) for name in ("client_id", "name", "value")})
SERVED = [
    "client_id",
    "client_type",
    "state",
    "since",
    "grade",
    "profile_quality",
    "standing",
    "quality",
    "checks",
    "needs",
    "questions",
]


class Stood(NamedTuple):
    """A client's standing before a night and after it, and its move if it made one."""

    before: Standing | None
    after: Standing
    move: Transition | None


def stand(
    engine: Engine, facts: Facts, earlier: pa.Table | None, figures: Figures
) -> dict[str, Stood]:
    """client id -> standing, of every registered client, from the rows of the night before."""
    known = dict(_standings(earlier)) if earlier is not None else {}
    stood = {}
    for row in engine.run(observations(facts, figures)).to_pylist():
        client = row["client_id"]
        before = known.get(client)
        after, move = step(before, to_observation(row), facts.business_date, figures)
        stood[client] = Stood(before, after, move)
    return dict(sorted(stood.items()))


def rows_of(summaries: Sequence[Summary], stood: Mapping[str, Stood]) -> pa.Table:
    """One row a client, in the order of their ids: what the lake keeps of a night."""
    return pa.Table.from_pylist(
        [_row(summary, stood[summary.client_id]) for summary in summaries], _SCHEMA
    )


def watched(rows: pa.Table, figures: Figures) -> pa.Table:
    """The attributes of some clients that gate "standing" looks at."""
    names = pa.array([*_INCOME, *figures["drift_attributes"].value])
    return rows.filter(pc.is_in(rows["name"], names)).select(["client_id", "name", "value"])


def gate_columns(
    parts: Sequence[pa.Table],
    stood: Mapping[str, Stood],
    reference: pa.Table | None,
    figures: Figures,
) -> dict[str, Sequence[Any]]:
    """What gate "standing" judges, one row a client in the order of ids. `parts` are the attributes of the
    night that are `watched`, `reference` those of thirty days before."""
    every = list(stood.values())
    rows = pa.concat_tables(parts) if parts else _NOTHING
    drifted = [] if reference is None else list(drifts(reference, rows, figures))
    return {
        "ck_state": [_is_legal(one) for one in every],
        "is_settled": [_is_settled(one) for one in every],
        "ck_moves": [_moves_share(every) <= float(figures["moves_share_max"].value)] * len(every),
        "is_income_seen": _incomes(rows, stood, figures),
        "ck_no_drift": [not drifted] * len(every),
    }


def drifts(reference: pa.Table, rows: pa.Table, figures: Figures) -> Iterator[tuple[str, float]]:
    """Attributes whose distribution moved further than the limit, with how far."""
    limit = float(figures["drift_max"].value)
    for name in figures["drift_attributes"].value:
        before, after = _numbers(reference, name), _numbers(rows, name)
        if min(len(before), len(after)) >= int(figures["drift_clients_least"].value):
            moved = divergence(before, after, int(figures["drift_bins"].value))
            if moved > limit:
                yield name, moved


def served(rows: pa.Table, business_date: dt.date) -> list[dict[str, Any]]:
    """Rows as the table `client_summary` takes them."""
    return [{**row, "as_of": business_date} for row in rows.select(SERVED).to_pylist()]


def tasks_of(rows: pa.Table) -> list[tuple[str, Task]]:
    """(client id, task) of every conflict a person has to solve."""
    return [
        (client, task)
        for client, text in zip(
            rows["client_id"].to_pylist(), rows["tasks"].to_pylist(), strict=True
        )
        for task in msgspec.json.decode(text, type=list[Task])
    ]


def moves_of(rows: pa.Table) -> list[tuple[str, Transition]]:
    """(client id, transition) of every client that moved."""
    return [
        (client, msgspec.json.decode(text, type=Transition))
        for client, text in zip(
            rows["client_id"].to_pylist(), rows["transition"].to_pylist(), strict=True
        )
        if text
    ]


def _standings(rows: pa.Table) -> Iterator[tuple[str, Standing]]:
    for client, text in zip(
        rows["client_id"].to_pylist(), rows["standing"].to_pylist(), strict=True
    ):
        yield client, msgspec.json.decode(text, type=Standing)


def _row(summary: Summary, stood: Stood) -> dict[str, Any]:
    return {
        "client_id": summary.client_id,
        "client_type": summary.client_type,
        "state": stood.after.state,
        "since": stood.after.since,
        "grade": summary.quality.grade,
        "profile_quality": str(summary.quality.profile_quality),
        "standing": document(stood.after),
        "quality": document(summary.quality),
        "checks": document(summary.checks),
        "needs": document(summary.needs),
        "questions": document(summary.questions),
        "tasks": document(summary.tasks),
        "transition": document(stood.move) if stood.move else None,
    }


def _is_legal(stood: Stood) -> bool:
    before = stood.before.state if stood.before else "NONE"
    return (
        stood.after.state in STATES
        and (stood.move is None or (stood.move.from_state, stood.move.to_state) in LEGAL)
        and (stood.after.state == before or stood.move is not None)
    )


def _is_settled(stood: Stood) -> bool:
    """Whether a client that was seen the night before stayed where it was. Over a longer gap many may
    move, and who comes first has not moved."""
    if stood.before is None or stood.after.as_of - stood.before.as_of > dt.timedelta(days=1):
        return True
    return stood.move is None


def _moves_share(every: Sequence[Stood]) -> float:
    return Counter(map(_is_settled, every))[False] / max(1, len(every))


def _incomes(rows: pa.Table, stood: Mapping[str, Stood], figures: Figures) -> list[bool]:
    """False for an active person of some months whose income the bank does not see."""
    known = {
        name: dict(zip(own["client_id"].to_pylist(), own["value"].to_pylist(), strict=True))
        for name in _INCOME
        for own in [rows.filter(pc.equal(rows["name"], name))]
    }
    least = int(figures["income_expected_days"].value)
    return [
        one.after.state != "ACTIVE"
        or known["income_observed_monthly"].get(client) is not None
        or float(known["tenure_days"].get(client) or 0) < least
        for client, one in stood.items()
    ]


def _numbers(rows: pa.Table, name: str) -> list[float]:
    own = rows.filter(pc.and_(pc.equal(rows["name"], name), pc.is_valid(rows["value"])))
    return [float(text) for text in own["value"].to_pylist()]
