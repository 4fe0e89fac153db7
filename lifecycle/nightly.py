"""The night's half of the path: seal -> staged -> profiles -> scores -> alerts -> publish -> prove.

Each step can run in a process of its own (an Airflow task) and can be repeated: a repeat gives the
same rows and doubles nothing. A gate that fails blocks what follows; yesterday's rows stay served
and are marked stale.
"""

from __future__ import annotations

import datetime as dt
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pyarrow as pa

from lifecycle import aml_scoring, profiling, score_candidates, score_gate, scoring, standings
from lifecycle.alerts.alert import Alert
from lifecycle.alerts.decide import decider
from lifecycle.alerts.late import (
    LateAlert,
    LateFact,
    decide_late,
    decode_late_fact,
    encode_late_fact,
)
from lifecycle.alerts.nightly import (
    UNSEEN,
    Classified,
    Move,
    NightlyAlert,
    decide_move,
    decode_move,
    encode_move,
)
from lifecycle.alerts.owners import ROLES
from lifecycle.alerts.rules import RuleSet
from lifecycle.clients.facts import Facts, end_of
from lifecycle.clients.state import Source
from lifecycle.errors import GateFailed, UsageError
from lifecycle.pipeline import lifecycle_message
from lifecycle.ports import Engine, Gate, Lake, NightlyStore, Verdict
from lifecycle.proof import Proof
from lifecycle.staging import Night, gate_columns, portfolio, staged_checks
from lifecycle.steps import STEPS

SEAL_ROWS = 50_000
"""Facts per append to the lake: bounds memory, and names the append for its transaction."""
SEAL_APPENDS_MAX = 100_000

CANDIDATES = "alert_candidate"
LATE_CANDIDATES = "late_alert_candidate"


SERVED = {
    "facility_stage": (
        "facility_id",
        "client_id",
        "as_of",
        "dpd",
        "outstanding",
        "currency",
        "tier",
        "tier_trigger",
        "stage",
        "trigger",
        "state",
        "expected_loss",
    ),
    "facility_timeline": (
        "facility_id",
        "client_id",
        "as_of",
        "day",
        "scale",
        "before",
        "after",
        "trigger",
        "proxy",
        "event_id",
    ),
}
"""Columns of the lake that are served as they are."""


@dataclass(frozen=True)
class Nightly:
    """What a night needs; made by the composition root."""

    store: NightlyStore
    lake: Lake
    open_engine: Callable[[], Engine]
    gate: Gate
    rules: RuleSet
    models: Callable[[], scoring.Models]
    zone: ZoneInfo
    prove: Callable[[dt.date], Proof]
    now: Callable[[], dt.datetime]
    code_version: str


class StepResult(msgspec.Struct, frozen=True):
    """One step as it is reported; `gate` is None where the step has none."""

    name: str
    rows: int
    seconds: float
    gate: str | None


def run(
    business_date: dt.date,
    night: Nightly,
    progress: Callable[[StepResult], None] = lambda result: None,
) -> dict[str, Any]:
    """All steps; returns {date, steps, published, equal}."""
    results = []
    for name in STEPS:
        result = run_step(name, business_date, night)
        results.append(result)
        progress(result)
    return {
        "date": business_date,
        "steps": results,
        "published": night.store.was_published(business_date),
        "equal": results[-1].gate == "equal",
    }


def run_step(name: str, business_date: dt.date, night: Nightly) -> StepResult:
    """Run one step and record it. Raises GateFailed, after marking what is served stale."""
    if name not in STEPS:
        raise UsageError(f"There is no step {name!r}: the steps are {', '.join(STEPS)}.")
    with night.store.alone():
        if name == "seal":
            night.store.begin(business_date, night.now())
        started = time.perf_counter()
        rows, gate = _guarded(name, business_date, night)
        result = StepResult(name, rows, round(time.perf_counter() - started, 3), gate)
        night.store.record_step(business_date, msgspec.structs.asdict(result))
        return result


def _guarded(name: str, business_date: dt.date, night: Nightly) -> tuple[int, str | None]:
    """The step itself; a failure is written down before it goes on."""
    try:
        return _FUNCTIONS[name](business_date, night)
    except GateFailed as failed:
        night.store.mark_stale(str(failed))
        night.store.finish(business_date, night.now(), "BLOCKED", reason=str(failed))
        raise
    except Exception as error:
        reason = f"{name}: {type(error).__name__}: {error}"
        night.store.finish(business_date, night.now(), "FAILED", reason=reason)
        raise


def _seal(business_date: dt.date, night: Nightly) -> tuple[int, str | None]:
    seal = night.store.open_seal(business_date, night.now())
    rows = 0
    for number, chunk in enumerate(night.store.facts(seal, SEAL_ROWS)):
        night.lake.append(chunk, seal.seal_id, seal.seal_id * SEAL_APPENDS_MAX + number)
        rows += len(chunk)
    late_days = dt.timedelta(days=night.rules.parameters["late_days"].value)
    night.store.close_seal(seal, rows, night.now(), late_days)
    return rows, None


def _staged(business_date: dt.date, night: Nightly) -> tuple[int, str | None]:
    figures = night.rules.parameters
    gone, passed = night.store.decided()
    judged = Night(
        business_date,
        tuple(night.store.seals_of(business_date)),
        gone,
        passed,
        night.store.incomplete(),
    )
    with night.open_engine() as engine:
        checked = engine.run(staged_checks(engine, judged, figures))
        totals = engine.run(portfolio(engine, judged, figures))
    positions = checked["position"].to_pylist()
    verdict, gate_result_id = _check(
        "staged", gate_columns(checked, totals, figures), business_date, night
    )
    held = {
        positions[row]: (failure.reason, failure.expectation, failure.reason_en)
        for row, failure in verdict.quarantined().items()
    }
    share = len(held) / max(1, len(positions))
    limit = float(figures["quarantine_share_max"].value)
    if share > limit:
        counts = Counter(expectation for _, expectation, _ in held.values())
        raise GateFailed(
            f"Gate staged fails {len(held)} of {len(positions)} rows of {business_date}, more than the "
            f"limit of {limit:.1%} ({', '.join(f'{r}: {n}' for r, n in sorted(counts.items()))}): "
            "none was put into quarantine; let the source correct them, then run again."
        )
    night.store.hold(held, gate_result_id, night.now())
    return len(positions), _word(verdict)


def _profiles(business_date: dt.date, night: Nightly) -> tuple[int, str | None]:
    facts, engine, _ = _facts(business_date, night)
    figures = night.rules.parameters
    earlier = night.lake.read_before("client_summary", business_date)
    days = dt.timedelta(days=int(figures["drift_days"].value))
    reference = night.lake.attributes(business_date - days, figures["drift_attributes"].value)
    with (
        engine,
        night.lake.draft("client_profile", business_date) as profiles,
        night.lake.draft("client_summary", business_date) as summaries,
    ):
        stood = standings.stand(engine, facts, earlier, figures)
        columns: dict[str, list[Any]] = {}
        watched = []
        as_of, rows = pa.scalar(business_date), 0
        for made in profiling.make(engine, facts, figures):
            judged = profiling.gate_columns(made, facts, figures)
            for name, column in judged.items():
                columns.setdefault(name, []).extend(column)
            watched.append(standings.watched(made.rows, figures))
            kept = profiling.suppressed(made.rows, judged, figures)
            profiles.add(_with(kept, as_of=as_of))
            summaries.add(_with(standings.rows_of(made.summaries, stood), as_of=as_of))
            rows += kept.num_rows
        verdict, _gate = _check("profile", columns, business_date, night)
        moved = standings.gate_columns(watched, stood, reference, figures)
        settled, _gate = _check("standing", moved, business_date, night)
        profiles.keep()
        summaries.keep()
    return rows, _word(verdict if settled.success else settled)


def _scores(business_date: dt.date, night: Nightly) -> tuple[int, str | None]:
    facts, engine, degraded = _facts(business_date, night)
    figures, models = night.rules.parameters, night.models()
    profiles = night.lake.attributes(
        business_date, score_candidates.attributes_used(figures), score_candidates.USED
    )
    if profiles is None:
        raise UsageError(f"There are no profiles of {business_date}: run the step profiles first.")
    summaries = night.lake.read("client_summary", business_date, score_candidates.SUMMARY)
    with engine:
        found = score_candidates.find(engine, facts, profiles, summaries, degraded, models, figures)
    grades = dict(zip(*(summaries[c].to_pylist() for c in ("client_id", "grade")), strict=True))
    frame = scoring.Frame(business_date, models, figures, night.rules.hash, grades)
    rows = [row for kind, own in found.candidates.items() for row in scoring.rows(kind, own, frame)]
    eligible = score_gate.eligible(summaries["client_id"].to_pylist(), profiles)
    stages, moves = (found.products[n] for n in ("facility_stage", "facility_timeline"))
    judged = score_gate.columns(rows, stages, moves, eligible, models, figures)
    verdict, _gate = _check("score", judged, business_date, night)
    for place in verdict.quarantined():
        rows[place] = scoring.suppressed(rows[place])
    products = found.products | {
        "risk_score": pa.Table.from_pylist(rows, scoring.SCHEMA).drop("as_of"),
        "aml_review": score_candidates.reviews(found.aml, rows, business_date, figures),
    }
    for name, product in products.items():
        rowed = _with(product, as_of=pa.scalar(business_date))
        night.lake.replace(name, rowed, business_date)
    return len(rows), _word(verdict)


def _alerts(business_date: dt.date, night: Nightly) -> tuple[int, str | None]:
    moves = _moves(business_date, night)
    decided = [alert for move in moves for alert in decide_move(move, night.rules)]
    late_facts = night.store.late_facts(business_date)
    late = _news(decide_late(late_facts, night.store.history, decider(night.rules)), night)
    judged = _alert_rows(moves, decided, late_facts, late)
    word = None
    if judged:
        verdict, _gate = _check("alert", _alert_checks(judged, night), business_date, night)
        word = _word(verdict)
    rows = pa.table({
        "move": pa.array([encode_move(move).decode() for move in moves], pa.string()),
        "as_of": pa.array([business_date] * len(moves), pa.date32()),
    })
    night.lake.replace(CANDIDATES, rows, business_date)
    facts = sorted({raised.fact for raised in late})
    rows = pa.table({
        "fact": pa.array([encode_late_fact(fact).decode() for fact in facts], pa.string()),
        "as_of": pa.array([business_date] * len(facts), pa.date32()),
    })
    night.lake.replace(LATE_CANDIDATES, rows, business_date)
    return len(decided) + len(late), word


def _news(late: list[LateAlert], night: Nightly) -> list[LateAlert]:
    """Those that nobody raised: not the stream, not a night before."""
    raised = night.store.raised([alert.alert_key for alert, _ in late])
    return [some for some in late if some.alert.alert_key not in raised]


def _moves(business_date: dt.date, night: Nightly) -> list[Move]:
    """Every facility, as it is served and as it is tonight."""
    served = night.store.served_stages()
    as_of = end_of(business_date, night.zone)
    moves = []
    for row in night.lake.read("facility_stage", business_date).to_pylist():
        before = served.get(row["facility_id"])
        moves.append(
            Move(
                facility_id=row["facility_id"],
                client_id=row["client_id"],
                business_date=business_date,
                as_of=as_of,
                before=Classified(before["tier"], before["stage"], before["dpd"])
                if before
                else UNSEEN,
                after=Classified(row["tier"], row["stage"], row["dpd"]),
                trigger=row["trigger"],
                evidence=Source(
                    row["event_id"], row["topic"], row["partition"], row["kafka_offset"]
                ),
                group=tuple(filter(None, (row.get("group_members") or "").split(";"))),
            )
        )
    return moves


def _alert_rows(
    moves: Sequence[Move],
    decided: Sequence[NightlyAlert],
    late_facts: Sequence[LateFact],
    late: Sequence[LateAlert],
) -> list[list[Alert]]:
    """One row per facility and per late fact that was looked at: what it raised."""
    rows: dict[str | LateFact, list[Alert]] = {move.facility_id: [] for move in moves}
    rows |= {fact: [] for fact in late_facts}
    for alert, move in decided:
        rows[move.facility_id].append(alert)
    for alert, fact in late:
        rows[fact].append(alert)
    return list(rows.values())


def _alert_checks(rows: Sequence[Sequence[Alert]], night: Nightly) -> dict[str, Sequence[Any]]:
    return {
        "ck_rule_known": [all(a.rule_id in night.rules.rules for a in r) for r in rows],
        "ck_owner": [all(_may_own(a) for a in r) for r in rows],
        "ck_evidence": [all(len(a.evidence) > 0 for a in r) for r in rows],
        "ck_unique": [len({a.alert_key for a in r}) == len(r) for r in rows],
    }


def _may_own(alert: Alert) -> bool:
    """What a night finds is for risk and relationship managers; a late fact is for whoever the
    stream would have told."""
    roles = ROLES if alert.late else ("RO", "RM")
    return set(alert.owner.split("+")) <= set(roles)


def _publish(business_date: dt.date, night: Nightly) -> tuple[int, str | None]:
    served = night.store.served_date()
    now = night.now()
    facts = night.lake.read(LATE_CANDIDATES, business_date)["fact"].to_pylist()
    late = decide_late(map(decode_late_fact, facts), night.store.history, decider(night.rules))
    gate_result_id = night.store.last_gate("alert", business_date)
    if served is not None and served > business_date:
        # A backfill never puts an older day before the people; but the facts its seal brought in
        # are no other night's.
        night.store.raise_late(
            late,
            rules=night.rules,
            gate_result_id=gate_result_id,
            code_version=night.code_version,
            now=now,
        )
        return 0, "newer served"
    derived_at = end_of(business_date, night.zone)
    moves = night.lake.read(CANDIDATES, business_date)["move"].to_pylist()
    alerts = [a for move in moves for a in decide_move(decode_move(move), night.rules)]
    # What is told of clients goes out in the order of their ids, which a draft does not keep.
    summaries = night.lake.read("client_summary", business_date).sort_by("client_id")
    products: dict[str, Iterable[dict[str, Any]]] = {
        "client_profile": profiling.served(
            night.lake.parts("client_profile", business_date), business_date, derived_at
        ),
        "client_summary": standings.served(summaries, business_date),
        "risk_score": scoring.served(night.lake.parts("risk_score", business_date)),
        "facility_stage": _rows(night, "facility_stage", business_date),
        "facility_timeline": _rows(night, "facility_timeline", business_date),
    }
    reviews = night.lake.read("aml_review", business_date)
    refresh = aml_scoring.refresh_tasks(reviews, business_date, night.rules.parameters)
    rows = night.store.publish(
        business_date,
        products,
        [*alerts, *late],
        [*standings.tasks_of(summaries), *refresh.items()],
        [
            (client, move, lifecycle_message(client, move, derived_at, now))
            for client, move in standings.moves_of(summaries)
        ],
        rules=night.rules,
        gate_result_id=gate_result_id,
        code_version=night.code_version,
        now=now,
    )
    return rows, None


def _rows(night: Nightly, name: str, business_date: dt.date) -> list[dict[str, Any]]:
    """What is served of a product of the lake."""
    rows: list[dict[str, Any]] = night.lake.read(name, business_date, SERVED[name]).to_pylist()
    return rows


def _prove(business_date: dt.date, night: Nightly) -> tuple[int, str | None]:
    proof = night.prove(business_date)
    night.store.record_proof(proof, business_date, night.now())
    night.store.finish(business_date, night.now(), "PUBLISHED", equal=proof.equal)
    return proof.events, "equal" if proof.equal else "different"


_FUNCTIONS: dict[str, Callable[[dt.date, Nightly], tuple[int, str | None]]] = {
    "seal": _seal,
    "staged": _staged,
    "profiles": _profiles,
    "scores": _scores,
    "alerts": _alerts,
    "publish": _publish,
    "prove": _prove,
}


def _check(
    stage: str, columns: Mapping[str, Sequence[Any]], business_date: dt.date, night: Nightly
) -> tuple[Verdict, int]:
    """Ask the gate and record its answer. Raises GateFailed when an expectation blocks."""
    rows = len(next(iter(columns.values())))
    verdict = night.gate.check(stage, columns, rows)
    gate_result_id = night.store.record_gate(verdict, business_date, night.now())
    if verdict.blocking:
        first = verdict.blocking[0]
        raise GateFailed(
            f"Gate {stage} blocks {business_date}: {first.reason_en} ({first.expectation}, "
            f"{first.count} rows); what was served before stays served and is marked stale."
        )
    return verdict, gate_result_id


def _facts(business_date: dt.date, night: Nightly) -> tuple[Facts, Engine, frozenset[str]]:
    held, degraded = night.store.held()
    engine = night.open_engine()
    corrected = night.store.corrected()
    return Facts(engine, business_date, night.zone, held, corrected), engine, degraded


def _with(rows: pa.Table, **constants: pa.Scalar) -> pa.Table:
    for name, value in constants.items():
        rows = rows.append_column(name, pa.repeat(value, rows.num_rows))
    return rows


def _word(verdict: Verdict) -> str:
    """What a gate that let a step go on did: everything held, rows were put aside, or only warnings."""
    if verdict.success:
        return "passed"
    return "quarantined" if verdict.quarantined() else "warned"
