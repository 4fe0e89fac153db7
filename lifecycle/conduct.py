"""Operating risk, moral risk and what loans were spent on: all rows of a night."""

from __future__ import annotations

from lifecycle.clients.attribute import Figures
from lifecycle.clients.facts import Facts
from lifecycle.ports import Engine
from lifecycle.risk import proceeds_facts as pf
from lifecycle.risk.proceeds import Tracing, tracing


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
