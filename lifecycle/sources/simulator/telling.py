"""Which story is told how: what is planned for the client of each."""

from __future__ import annotations

from lifecycle.sources.simulator import incidents, journeys, leaving, lending, strain
from lifecycle.sources.simulator.individuals import Individual
from lifecycle.sources.simulator.investments import invest_above_tolerance
from lifecycle.sources.simulator.loans import MISSED, STOPS_PAYING

_ON_ACCOUNT = {
    "OVERDRAFT",
    "STRUCTURING",
    "LARGE_CASH",
    "DORMANT_WAKES",
    "DEBIT_REJECTED",
    "ENTRY_REVERSED",
}
_BEGINS_OTHERWISE = {
    "PROSPECT",
    "PROSPECT_LAPSED",
    "ONBOARDING",
    "ONBOARDING_FAILED",
    "REACTIVATING_UNUSED",
}
_TELL: dict[str, incidents.Tell] = {
    "OVERDRAFT": incidents.overdraft,
    "STRUCTURING": incidents.structuring,
    "LARGE_CASH": incidents.large_cash,
    "DORMANT_WAKES": incidents.dormant_wakes,
    "CONSENT_WITHDRAWN": incidents.consent_withdrawn,
    "COMPLAINT": incidents.complaint("HIGH", 10),
    "PROSPECT": journeys.prospect,
    "PROSPECT_LAPSED": journeys.prospect_lapsed,
    "ONBOARDING": journeys.onboarding,
    "ONBOARDING_FAILED": journeys.unused,
    "ACTIVE": journeys.active,
    "GROWING": journeys.growing,
    "AT_RISK_BALANCE": journeys.at_risk_balance,
    "AT_RISK_SALARY": journeys.at_risk_salary,
    "AT_RISK_COMPLAINT": incidents.complaint("HIGH", None),
    "DORMANT": journeys.dormant,
    "REACTIVATING": journeys.reactivating,
    "REACTIVATING_UNUSED": journeys.reactivating_unused,
    "CHURNED": journeys.churned,
    "WON_BACK": journeys.won_back,
    "CLOSED": journeys.closed,
    "DECEASED": journeys.deceased,
    "JOB_CHANGED": incidents.job_changed,
    "CARD_BLOCKED": incidents.card_blocked,
    "DEBIT_REJECTED": incidents.debit_rejected,
    "ENTRY_REVERSED": incidents.entry_reversed,
    "COMPLAINT_LOW": incidents.complaint("LOW", 3),
    "COMPLAINT_OVERDUE": incidents.complaint("MEDIUM", 25),
    "SOLD_ABOVE_TOLERANCE": invest_above_tolerance,
    "STEADY": leaving.steady,
    "WAVERS": leaving.wavers,
    "LEAVES_ANNOUNCED": leaving.leaves_announced,
    "LEAVES_SUDDENLY": leaving.leaves_suddenly,
    **dict.fromkeys(STOPS_PAYING, lending.stops_paying),
    "DECLINES": strain.declines,
    "STOPS_SUDDENLY": strain.stops_suddenly,
    "RECOVERS": strain.recovers,
    "PAYS": leaving.noise,
}
"""Story -> how it is told; what is declared falsely, and a loan, need nothing more."""


def plan(client: Individual) -> None:
    """Plan the first day, and what the story brings. Prospects and those who never came to use
    their account have a first day of their own."""
    if client.told not in _BEGINS_OTHERWISE:
        client.at(client.first, client.join)
    if client.told in MISSED and client.loan is not None:
        client.entity = f"facility/{client.loan.facility_id}"
        client.story_day = client.loan.due_date(MISSED[client.told][0])
    if client.told in _ON_ACCOUNT:
        client.entity = f"account/{client.account.account_id}"
    tell = _TELL.get(client.told)
    if tell is not None:
        tell(client)
