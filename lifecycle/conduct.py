"""Operating risk, moral risk and what loans were spent on: what a night finds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from lifecycle.clients.attribute import Figures
from lifecycle.clients.attributes.products import SETTLED
from lifecycle.clients.checks import Check
from lifecycle.clients.facts import Facts
from lifecycle.events.fields import ClientType
from lifecycle.ports import Engine
from lifecycle.risk import conduct_facts
from lifecycle.risk.conduct_score import Sign
from lifecycle.risk.proceeds import Tracing
from lifecycle.risk.proceeds_facts import tracings
from lifecycle.risk.score import Candidate
from lifecycle.risk.statements import zone

_OF_OPERATING = ("altman_z2", "beneish_m", "customer_concentration")
ATTRIBUTES_USED = ("tenure_days", *_OF_OPERATING)
_GRAVE = ("WARN", "HIGH")


class Judged(NamedTuple):
    """A client with the checks of its profile."""

    client_id: str
    client_type: ClientType
    checks: Sequence[Check]


Signs = Mapping[str, Sequence[Sign]]
"""Client id -> what `signs` found."""
Known = Mapping[str, tuple[str, tuple[str, ...]]]
"""Attribute of one client -> its value and sources."""


def proceeds(engine: Engine, facts: Facts, figures: Figures) -> list[Tracing]:
    """What every disbursement of a loan that is not settled was spent on, by facility and tranche.

    `risk.proceeds.of_facilities` gives the gravest of each facility. Verdict HIGH is what the rules of
    classification call a purpose that was changed without consent.
    """
    settled = set(engine.run(facts.table(SETTLED).select("facility_id"))["facility_id"].to_pylist())
    every = tracings(facts, figures)
    return [one for one in every if one.disbursement.facility_id not in settled]


def signs(engine: Engine, facts: Facts, figures: Figures) -> dict[str, list[Sign]]:
    """Client id -> signs that neither the profile nor the checks show."""
    found: dict[str, list[Sign]] = {}
    for row in engine.run(conduct_facts.signs(facts, figures)).to_pylist():
        found.setdefault(row["client_id"], []).append(Sign(row["reason"], tuple(row["sources"])))
    return found


def candidates(
    profiles: pa.Table,
    judged: Iterable[Judged],
    found: Signs,
    traced: Iterable[Tracing],
    degraded: frozenset[str],
    figures: Figures,
) -> Iterator[tuple[str, Candidate]]:
    """(score type, candidate) of every client with an account, in the order of `judged`: MORAL of persons
    and companies, and OPERATING of companies. `profiles` are the rows of `ATTRIBUTES_USED` with their
    sources, `found` what `signs` gives, `traced` what `proceeds` gives."""
    known = _known(profiles)
    diverted: dict[str, list[Sign]] = {}
    for one in traced:
        if one.verdict in _GRAVE:
            diverted.setdefault(one.disbursement.client_id, []).append(_diversion(one, figures))
    for client in judged:
        id, own = client.client_id, known.get(client.client_id)
        if own is not None:
            signs = [*found.get(id, ()), *diverted.get(id, ()), *_of_checks(client)]
            yield "MORAL", _candidate(id, signs, "moral_points", degraded, figures)
            if client.client_type == "CORPORATE":
                signs = [*found.get(id, ()), *_operating(client, own, figures)]
                made = _candidate(id, signs, "operating_points", degraded, figures)
                if made.withheld is None and not _tells(client, own):
                    made = made._replace(withheld="UNKNOWN")
                yield "OPERATING", made


def _candidate(
    client_id: str, signs: Sequence[Sign], points: str, degraded: frozenset[str], figures: Figures
) -> Candidate:
    """The signs of one score in an order of their own, as a bulk engine keeps none."""
    own = (sign for sign in signs if sign.reason in figures[points].value)
    inputs = tuple(sorted(own, key=lambda sign: (sign.reason, sign.part, sign.sources)))
    return Candidate(client_id, inputs, "SUPPRESSED" if client_id in degraded else None)


def _known(profiles: pa.Table) -> dict[str, dict[str, tuple[str, tuple[str, ...]]]]:
    """Client id -> what is known of it, of who has or had an account."""
    used = pc.and_(
        pc.is_in(profiles["name"], pa.array(ATTRIBUTES_USED)), pc.is_valid(profiles["value"])
    )
    found: dict[str, dict[str, tuple[str, tuple[str, ...]]]] = {}
    for row in profiles.filter(used).select(["client_id", "name", "value", "sources"]).to_pylist():
        found.setdefault(row["client_id"], {})[row["name"]] = (row["value"], tuple(row["sources"]))
    return {client: known for client, known in found.items() if "tenure_days" in known}


def _tells(one: Judged, known: Known) -> bool:
    """Whether anything that the score of a company rests on is known."""
    return any(name in known for name in _OF_OPERATING) or _check(one, "CV03").result != "NA"


def _operating(one: Judged, known: Known, figures: Figures) -> list[Sign]:
    made = []
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


def _of_checks(one: Judged) -> list[Sign]:
    return [
        Sign(_CHECKED[check.id, check.result], _sources(check))
        for check in one.checks
        if (check.id, check.result) in _CHECKED
    ]


def _check(one: Judged, check_id: str) -> Check:
    return next(check for check in one.checks if check.id == check_id)


def _sources(check: Check) -> tuple[str, ...]:
    sides: Any = [side for side in (check.left, check.right) if side]
    return tuple(id for side in sides for id in side.source_event_ids)


def _diversion(one: Tracing, figures: Figures) -> Sign:
    """All points where the verdict is HIGH, else as many as the share is of what is HIGH."""
    high = Decimal(figures["proceeds_share_max"].value["HIGH"])
    part = Decimal(1) if one.verdict == "HIGH" else one.diverted_share / high
    return Sign("PROCEEDS_DIVERTED", one.evidence, min(part, Decimal(1)))
