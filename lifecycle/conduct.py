"""Operating risk, moral risk and what loans were spent on: all rows of a night."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from lifecycle.clients.attribute import Figures
from lifecycle.clients.checks import Check
from lifecycle.clients.facts import Facts
from lifecycle.clients.summary import Summary
from lifecycle.ports import Engine
from lifecycle.risk import conduct_facts
from lifecycle.risk import proceeds_facts as pf
from lifecycle.risk.conduct_score import Sign, score
from lifecycle.risk.proceeds import Tracing, tracing
from lifecycle.risk.score_row import Row, empty
from lifecycle.risk.statements import zone

OPERATING, MORAL = "OPERATING", "MORAL"
_USED = ("tenure_days", "altman_z2", "beneish_m", "customer_concentration")
_OF_OPERATING = ("altman_z2", "beneish_m", "customer_concentration")
_GRAVE = ("WARN", "HIGH")

Signs = Mapping[str, Sequence[Sign]]
"""Client id -> what `signs` found."""
Known = Mapping[str, tuple[str, tuple[str, ...]]]
"""Attribute of one client -> its value and sources."""


def proceeds(engine: Engine, facts: Facts, figures: Figures) -> list[Tracing]:
    """What every disbursement of a loan that is not settled was spent on, by facility and tranche.

    `risk.proceeds.of_facilities` gives the gravest of each facility. Verdict HIGH is what the rules of
    classification call a purpose that was changed without consent.
    """
    entries = pf.by_loan(engine.run(pf.spending(facts, figures)).to_pylist())
    openings = pf.opening_of(engine.run(pf.openings(facts)).to_pylist())
    loans = map(pf.to_disbursement, engine.run(pf.disbursements(facts)).to_pylist())
    keyed = sorted((loan.facility_id, loan.tranche_no, loan) for loan in loans)
    return [
        tracing(
            loan,
            entries.get((facility, tranche), []),
            openings.get((facility, tranche), {}),
            facts.business_date,
            figures,
        )
        for facility, tranche, loan in keyed
    ]


def signs(engine: Engine, facts: Facts, figures: Figures) -> dict[str, list[Sign]]:
    """Client id -> signs that neither the profile nor the checks show."""
    found: dict[str, list[Sign]] = {}
    for row in engine.run(conduct_facts.signs(facts, figures)).to_pylist():
        found.setdefault(row["client_id"], []).append(Sign(row["reason"], tuple(row["sources"])))
    return found


def operating_scores(
    profiles: pa.Table,
    summaries: Iterable[Summary],
    found: Signs,
    degraded: frozenset[str],
    figures: Figures,
) -> list[Row]:
    """Operating risk of every company with an account, by client id. `profiles` are the rows of
    `profiling.attributes`, `found` what `signs` gives."""
    known = _known(profiles)
    return [
        _row(
            one, OPERATING, _operating(one, known[one.client_id], found, figures), degraded, figures
        )
        if _tells(one, known[one.client_id])
        else empty(one.client_id, OPERATING, "UNKNOWN")
        for one in summaries
        if one.client_type == "CORPORATE" and one.client_id in known
    ]


def moral_scores(
    profiles: pa.Table,
    summaries: Iterable[Summary],
    found: Signs,
    traced: Iterable[Tracing],
    degraded: frozenset[str],
    figures: Figures,
) -> list[Row]:
    """Moral risk of every person and company with an account, by client id. Of companies the same
    counts, but for income and employer, which they do not have. `traced` is what `proceeds` gives."""
    known = _known(profiles)
    diverted: dict[str, list[Sign]] = {}
    for one in traced:
        if one.verdict in _GRAVE:
            diverted.setdefault(one.disbursement.client_id, []).append(_diversion(one, figures))
    return [
        _row(
            one,
            MORAL,
            [*_of_checks(one), *found.get(one.client_id, ()), *diverted.get(one.client_id, ())],
            degraded,
            figures,
        )
        for one in summaries
        if one.client_id in known
    ]


def _row(
    one: Summary, kind: str, all_signs: Sequence[Sign], degraded: frozenset[str], figures: Figures
) -> Row:
    if one.client_id in degraded:
        return empty(one.client_id, kind, "SUPPRESSED")
    points = figures[f"{kind.lower()}_points"].value
    own = [sign for sign in all_signs if sign.reason in points]
    return score(one.client_id, kind, own, points, figures["conduct_bands"].value)


def _known(profiles: pa.Table) -> dict[str, dict[str, tuple[str, tuple[str, ...]]]]:
    """Client id -> what is known of it, of who has or had an account."""
    used = pc.and_(pc.is_in(profiles["name"], pa.array(_USED)), pc.is_valid(profiles["value"]))
    found: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {}
    for row in profiles.filter(used).select(["client_id", "name", "value", "sources"]).to_pylist():
        found.setdefault(row["client_id"], {})[row["name"]] = (row["value"], tuple(row["sources"]))
    return {client: known for client, known in found.items() if "tenure_days" in known}


def _tells(one: Summary, known: Known) -> bool:
    """Whether anything that the score of a company rests on is known."""
    return any(name in known for name in _OF_OPERATING) or _check(one, "CV03").result != "NA"


def _operating(one: Summary, known: Known, found: Signs, figures: Figures) -> list[Sign]:
    made = list(found.get(one.client_id, ()))
    if "altman_z2" in known:
        z, sources = known["altman_z2"]
        where = zone(float(z), figures["altman_z2_zones"].value)
        if where != "SAFE":
            made.append(Sign(f"Z_{where}", sources))
    if "beneish_m" in known:
        m, sources = known["beneish_m"]
        if Decimal(m) > Decimal(figures["beneish_cut_offs"].value[figures["beneish_cost"].value]):
            made.append(Sign("M_HIGH", sources))
    if "customer_concentration" in known:
        share, sources = known["customer_concentration"]
        if Decimal(share) > Decimal(figures["payers_share_max"].value):
            made.append(Sign("PAYERS_CONCENTRATED", sources))
    revenue = _check(one, "CV03")
    if revenue.result == "FAIL":
        made.append(Sign("REVENUE_OVERSTATED", _sources(revenue)))
    return made


_CHECKED = {
    ("CV01", "FAIL"): "INCOME_MISDECLARED",
    ("CV01", "WARN"): "INCOME_DOUBTFUL",
    ("CV02", "FAIL"): "EMPLOYER_MISMATCH",
    ("CV02", "WARN"): "EMPLOYER_MISMATCH",
    ("CV04", "FAIL"): "DEBTS_HIDDEN",
}
"""Check and result -> reason of moral risk."""


def _of_checks(one: Summary) -> list[Sign]:
    return [
        Sign(_CHECKED[check.id, check.result], _sources(check))
        for check in one.checks
        if (check.id, check.result) in _CHECKED
    ]


def _check(one: Summary, check_id: str) -> Check:
    return next(check for check in one.checks if check.id == check_id)


def _sources(check: Check) -> tuple[str, ...]:
    sides: Any = [side for side in (check.left, check.right) if side]
    return tuple(id for side in sides for id in side.source_event_ids)


def _diversion(one: Tracing, figures: Figures) -> Sign:
    """All points where the verdict is HIGH, else as many as the share is of what is HIGH."""
    high = Decimal(figures["proceeds_share_max"].value["HIGH"])
    part = Decimal(1) if one.verdict == "HIGH" else one.diverted_share / high
    return Sign("PROCEEDS_DIVERTED", one.evidence, min(part, Decimal(1)))
