"""The catalogue: every event type, its topic, its struct and its business key, in one table."""

from __future__ import annotations

from typing import NamedTuple

from lifecycle.events import account, client, consent, credit, interaction
from lifecycle.events.fields import Fact

CLIENT = "bank.client.v1"
CONSENT = "bank.consent.v1"
ACCOUNT = "bank.account.v1"
CREDIT = "bank.credit.v1"
INTERACTION = "bank.interaction.v1"
PRODUCT = "bank.product.v1"

SOURCE_TOPICS = (CLIENT, CONSENT, ACCOUNT, CREDIT, INTERACTION, PRODUCT)
"""Every source topic has the same partitions and is keyed by client_id."""

ALERT = "bank.alert.v1"
QUARANTINE = "bank.quarantine.v1"
OUTPUT_TOPICS = (ALERT, QUARANTINE)


class EventType(NamedTuple):
    """One row of the catalogue. `subject` names the entity and the field that holds its id."""

    name: str
    topic: str
    data: type[Fact]
    subject: tuple[str, str]
    business_key: tuple[str, ...]
    dataschema: str
    introduces: tuple[str, str] | None = None
    """(entity, field): what the fact brings into existence, so that others may refer to it."""
    refers_to: tuple[tuple[str, str], ...] = ()
    """(entity, field): what must be known before the fact can be applied; a null field refers to
    nothing."""


def _row(
    fact: str,
    topic: str,
    data: type[Fact],
    subject: tuple[str, str],
    *business_key: str,
) -> EventType:
    schema = f"urn:bank:schema:{fact}:1.0.0"
    return EventType(
        f"bank.{fact}.v1",
        topic,
        data,
        subject,
        business_key,
        schema,
        _INTRODUCES.get(fact),
        _REFERS_TO.get(fact, ()),
    )


_CLIENT = ("client", "client_id")
_ACCOUNT = ("account", "account_id")
_FACILITY = ("facility", "facility_id")
_APPLICATION = ("application", "application_id")

_OF_ACCOUNT = (("account", "account_id"),)
_OF_FACILITY = (("facility", "facility_id"),)

_INTRODUCES = {
    "account.opened": ("account", "account_id"),
    "credit.disbursed": ("facility", "facility_id"),
    "consent.granted": ("consent", "consent_id"),
    "complaint.raised": ("complaint", "complaint_id"),
}
_REFERS_TO = {
    "account.party_added": _OF_ACCOUNT,
    "account.balance_snapshot": _OF_ACCOUNT,
    "account.transaction_posted": _OF_ACCOUNT,
    "account.standing_order_set": _OF_ACCOUNT,
    "card.issued": _OF_ACCOUNT,
    "account.status_changed": _OF_ACCOUNT,
    "account.closed": _OF_ACCOUNT,
    "credit.repayment_due": _OF_FACILITY,
    "credit.repayment_made": _OF_FACILITY,
    "credit.repayment_missed": _OF_FACILITY,
    "credit.penalty_interest_charged": _OF_ACCOUNT,
    "credit.restructured": _OF_FACILITY,
    "credit.default_declared": _OF_FACILITY,
    "credit.default_cured": _OF_FACILITY,
    "credit.written_off": _OF_FACILITY,
    "credit.recovered": _OF_FACILITY,
    "credit.settled": _OF_FACILITY,
    "consent.withdrawn": (("consent", "consent_id"),),
    "complaint.resolved": (("complaint", "complaint_id"),),
}

_ROWS = (
    _row("client.registered", CLIENT, client.ClientRegistered, _CLIENT, "client_id"),
    _row("client.kyc_updated", CLIENT, client.KycUpdated, _CLIENT, "client_id", "reviewed_at"),
    _row(
        "client.profile_declared",
        CLIENT,
        client.ProfileDeclared,
        _CLIENT,
        "client_id",
        "business_date",
    ),
    _row("consent.granted", CONSENT, consent.ConsentGranted, _CLIENT, "consent_id"),
    _row(
        "consent.withdrawn",
        CONSENT,
        consent.ConsentWithdrawn,
        _CLIENT,
        "consent_id",
        "withdrawn_at",
    ),
    _row("account.opened", ACCOUNT, account.AccountOpened, _ACCOUNT, "account_id"),
    _row(
        "account.party_added",
        ACCOUNT,
        account.AccountPartyAdded,
        _ACCOUNT,
        "account_id",
        "client_id",
        "role",
        "business_date",
    ),
    _row(
        "account.balance_snapshot",
        ACCOUNT,
        account.BalanceSnapshot,
        _ACCOUNT,
        "account_id",
        "business_date",
        "balance_type",
    ),
    _row(
        "account.transaction_posted",
        ACCOUNT,
        account.TransactionPosted,
        _ACCOUNT,
        "account_id",
        "transaction_id",
    ),
    _row(
        "account.standing_order_set",
        ACCOUNT,
        account.StandingOrderSet,
        _ACCOUNT,
        "standing_order_id",
        "version",
    ),
    _row("card.issued", ACCOUNT, account.CardIssued, ("card", "card_id"), "card_id"),
    _row(
        "account.status_changed",
        ACCOUNT,
        account.AccountStatusChanged,
        _ACCOUNT,
        "account_id",
        "business_date",
        "to_status",
    ),
    _row("account.closed", ACCOUNT, account.AccountClosed, _ACCOUNT, "account_id"),
    _row(
        "credit.application_submitted",
        CREDIT,
        credit.ApplicationSubmitted,
        _APPLICATION,
        "application_id",
    ),
    _row("credit.approved", CREDIT, credit.CreditApproved, _FACILITY, "application_id"),
    _row("credit.declined", CREDIT, credit.CreditDeclined, _APPLICATION, "application_id"),
    _row("credit.cancelled", CREDIT, credit.CreditCancelled, _APPLICATION, "application_id"),
    _row(
        "credit.disbursed",
        CREDIT,
        credit.CreditDisbursed,
        _FACILITY,
        "facility_id",
        "tranche_no",
    ),
    _row(
        "credit.repayment_due",
        CREDIT,
        credit.RepaymentDue,
        _FACILITY,
        "facility_id",
        "instalment_no",
        "schedule_version",
    ),
    _row(
        "credit.repayment_made",
        CREDIT,
        credit.RepaymentMade,
        _FACILITY,
        "facility_id",
        "payment_id",
    ),
    _row(
        "credit.repayment_missed",
        CREDIT,
        credit.RepaymentMissed,
        _FACILITY,
        "facility_id",
        "instalment_no",
    ),
    _row(
        "credit.penalty_interest_charged",
        CREDIT,
        credit.PenaltyInterestCharged,
        _FACILITY,
        "facility_id",
        "business_date",
    ),
    _row(
        "credit.restructured",
        CREDIT,
        credit.CreditRestructured,
        _FACILITY,
        "facility_id",
        "business_date",
    ),
    _row(
        "credit.default_declared",
        CREDIT,
        credit.DefaultDeclared,
        _FACILITY,
        "facility_id",
        "business_date",
    ),
    _row(
        "credit.default_cured",
        CREDIT,
        credit.DefaultCured,
        _FACILITY,
        "facility_id",
        "business_date",
    ),
    _row(
        "credit.written_off",
        CREDIT,
        credit.CreditWrittenOff,
        _FACILITY,
        "facility_id",
        "business_date",
    ),
    _row(
        "credit.recovered",
        CREDIT,
        credit.CreditRecovered,
        _FACILITY,
        "facility_id",
        "business_date",
    ),
    _row("credit.settled", CREDIT, credit.CreditSettled, _FACILITY, "facility_id"),
    _row("complaint.raised", INTERACTION, interaction.ComplaintRaised, _CLIENT, "complaint_id"),
    _row("complaint.resolved", INTERACTION, interaction.ComplaintResolved, _CLIENT, "complaint_id"),
)

CATALOGUE: dict[str, EventType] = {row.name: row for row in _ROWS}
"""Event types by their CloudEvents `type`."""

BY_STRUCT: dict[type[Fact], EventType] = {row.data: row for row in _ROWS}
"""The same rows by the struct of their `data`."""
