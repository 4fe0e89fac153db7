"""The catalogue: every event type, its topic, its struct and its business key, in one table."""

from __future__ import annotations

from typing import NamedTuple

from lifecycle.events import account, client, consent, credit, interaction, product
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
PROFILE = "bank.profile.v1"
OUTPUT_TOPICS = (ALERT, QUARANTINE, PROFILE)


TIME = "time"
"""In a business key: the fact may happen again to the same thing, at another time."""


class EventType(NamedTuple):
    """One row of the catalogue. `subject` names the entity and the field that holds its id;
    `business_key` names fields of the data, and TIME for the event time."""

    name: str
    topic: str
    data: type[Fact]
    subject: tuple[str, str]
    business_key: tuple[str, ...]
    dataschema: str
    introduces: tuple[str, str] | None = None
    """(entity, field): what the fact brings into existence, so that others may refer to it."""
    refers_to: tuple[str, str] | None = None
    """(entity, field): what must be known before the fact can be applied; a null field refers to
    nothing."""


def _row(
    fact: str,
    topic: str,
    data: type[Fact],
    subject: tuple[str, str],
    *business_key: str,
    introduces: tuple[str, str] | None = None,
    refers_to: tuple[str, str] | None = None,
    version: str = "1.0.0",
) -> EventType:
    return EventType(
        f"bank.{fact}.v1",
        topic,
        data,
        subject,
        business_key,
        f"urn:bank:schema:{fact}:{version}",
        introduces,
        refers_to,
    )


_CLIENT = ("client", "client_id")
_ACCOUNT = ("account", "account_id")
_CARD = ("card", "card_id")
_FACILITY = ("facility", "facility_id")
_APPLICATION = ("application", "application_id")
_COLLATERAL = ("collateral", "collateral_id")
_CONSENT = ("consent", "consent_id")
_COMPLAINT = ("complaint", "complaint_id")
_PROPOSAL = ("proposal", "proposal_id")
_SALE = ("sale", "sale_id")

_ROWS = (
    _row(
        "client.registered",
        CLIENT,
        client.ClientRegistered,
        _CLIENT,
        "client_id",
        version="1.1.0",
    ),
    _row(
        "client.kyc_updated",
        CLIENT,
        client.KycUpdated,
        _CLIENT,
        "client_id",
        "reviewed_at",
        version="1.1.0",
    ),
    _row(
        "client.profile_declared",
        CLIENT,
        client.ProfileDeclared,
        _CLIENT,
        "client_id",
        "business_date",
        version="1.1.0",
    ),
    _row(
        "client.relation_linked",
        CLIENT,
        client.RelationLinked,
        _CLIENT,
        "client_id",
        "other_client_id",
        "relation",
    ),
    _row("client.rm_assigned", CLIENT, client.RmAssigned, _CLIENT, "client_id", TIME),
    _row("client.deceased", CLIENT, client.ClientDeceased, _CLIENT, "client_id"),
    _row("client.dissolved", CLIENT, client.ClientDissolved, _CLIENT, "client_id"),
    _row(
        "consent.granted",
        CONSENT,
        consent.ConsentGranted,
        _CLIENT,
        "consent_id",
        introduces=_CONSENT,
    ),
    _row(
        "consent.withdrawn",
        CONSENT,
        consent.ConsentWithdrawn,
        _CLIENT,
        "consent_id",
        "withdrawn_at",
        refers_to=_CONSENT,
    ),
    _row(
        "account.opened",
        ACCOUNT,
        account.AccountOpened,
        _ACCOUNT,
        "account_id",
        introduces=_ACCOUNT,
    ),
    _row(
        "account.party_added",
        ACCOUNT,
        account.AccountPartyAdded,
        _ACCOUNT,
        "account_id",
        "client_id",
        "role",
        "business_date",
        refers_to=_ACCOUNT,
    ),
    _row(
        "account.party_removed",
        ACCOUNT,
        account.AccountPartyRemoved,
        _ACCOUNT,
        "account_id",
        "client_id",
        "role",
        "business_date",
        refers_to=_ACCOUNT,
    ),
    _row(
        "account.balance_snapshot",
        ACCOUNT,
        account.BalanceSnapshot,
        _ACCOUNT,
        "account_id",
        "business_date",
        "balance_type",
        refers_to=_ACCOUNT,
    ),
    _row(
        "account.transaction_posted",
        ACCOUNT,
        account.TransactionPosted,
        _ACCOUNT,
        "account_id",
        "transaction_id",
        refers_to=_ACCOUNT,
    ),
    _row(
        "account.transaction_reversed",
        ACCOUNT,
        account.TransactionReversed,
        _ACCOUNT,
        "account_id",
        "original_transaction_id",
        refers_to=_ACCOUNT,
    ),
    _row(
        "account.payment_rejected",
        ACCOUNT,
        account.PaymentRejected,
        _ACCOUNT,
        "account_id",
        "transaction_id",
        refers_to=_ACCOUNT,
    ),
    _row(
        "account.standing_order_set",
        ACCOUNT,
        account.StandingOrderSet,
        _ACCOUNT,
        "standing_order_id",
        "version",
        refers_to=_ACCOUNT,
    ),
    _row(
        "account.standing_order_cancelled",
        ACCOUNT,
        account.StandingOrderCancelled,
        _ACCOUNT,
        "standing_order_id",
        "version",
        refers_to=_ACCOUNT,
    ),
    _row(
        "account.status_changed",
        ACCOUNT,
        account.AccountStatusChanged,
        _ACCOUNT,
        "account_id",
        TIME,
        refers_to=_ACCOUNT,
    ),
    _row(
        "account.closed", ACCOUNT, account.AccountClosed, _ACCOUNT, "account_id", refers_to=_ACCOUNT
    ),
    _row(
        "card.issued",
        ACCOUNT,
        account.CardIssued,
        _CARD,
        "card_id",
        introduces=_CARD,
        refers_to=_ACCOUNT,
    ),
    _row("card.blocked", ACCOUNT, account.CardBlocked, _CARD, "card_id", TIME, refers_to=_CARD),
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
        introduces=_FACILITY,
        version="1.1.0",
    ),
    _row(
        "credit.repayment_due",
        CREDIT,
        credit.RepaymentDue,
        _FACILITY,
        "facility_id",
        "instalment_no",  # scheduled anew it is a correction: one instalment is owed once
        refers_to=_FACILITY,
    ),
    _row(
        "credit.repayment_made",
        CREDIT,
        credit.RepaymentMade,
        _FACILITY,
        "facility_id",
        "payment_id",
        refers_to=_FACILITY,
        version="1.1.0",
    ),
    _row(
        "credit.repayment_missed",
        CREDIT,
        credit.RepaymentMissed,
        _FACILITY,
        "facility_id",
        "instalment_no",
        refers_to=_FACILITY,
    ),
    _row(
        "credit.penalty_interest_charged",
        CREDIT,
        credit.PenaltyInterestCharged,
        _FACILITY,
        "facility_id",
        "business_date",
        refers_to=_ACCOUNT,  # an overdraft is the facility OD-<account>, which nothing introduces
    ),
    # The limit of a line changes, and is reported, also before anything was drawn, and that of an
    # overdraft with no disbursement at all: these two wait for nothing.
    _row("credit.limit_changed", CREDIT, credit.LimitChanged, _FACILITY, "facility_id", TIME),
    _row(
        "credit.utilisation_snapshot",
        CREDIT,
        credit.UtilisationSnapshot,
        _FACILITY,
        "facility_id",
        "business_date",
    ),
    _row(
        "credit.bureau_inquiry",
        CREDIT,
        credit.BureauInquiry,
        _CLIENT,
        "inquiry_id",
        refers_to=_CONSENT,
    ),
    _row(
        "credit.bureau_report_received",
        CREDIT,
        credit.BureauReportReceived,
        _CLIENT,
        "report_id",
        version="1.1.0",
    ),
    _row(
        "credit.collateral_valued",
        CREDIT,
        credit.CollateralValued,
        _FACILITY,
        "collateral_id",
        "business_date",
        introduces=_COLLATERAL,
    ),
    _row(
        "credit.collateral_released",
        CREDIT,
        credit.CollateralReleased,
        _FACILITY,
        "collateral_id",
        "business_date",
        refers_to=_COLLATERAL,
    ),
    _row(
        "credit.restructured",
        CREDIT,
        credit.CreditRestructured,
        _FACILITY,
        "facility_id",
        TIME,
        refers_to=_FACILITY,
        version="1.1.0",
    ),
    _row(
        "credit.default_declared",
        CREDIT,
        credit.DefaultDeclared,
        _FACILITY,
        "facility_id",
        TIME,
        refers_to=_FACILITY,
    ),
    _row(
        "credit.default_cured",
        CREDIT,
        credit.DefaultCured,
        _FACILITY,
        "facility_id",
        TIME,
        refers_to=_FACILITY,
    ),
    _row(
        "credit.written_off",
        CREDIT,
        credit.CreditWrittenOff,
        _FACILITY,
        "facility_id",
        TIME,
        refers_to=_FACILITY,
    ),
    _row(
        "credit.recovered",
        CREDIT,
        credit.CreditRecovered,
        _FACILITY,
        "facility_id",
        TIME,
        refers_to=_FACILITY,
    ),
    _row(
        "credit.settled",
        CREDIT,
        credit.CreditSettled,
        _FACILITY,
        "facility_id",
        refers_to=_FACILITY,
    ),
    _row(
        "client.financial_statement_filed",
        CREDIT,
        credit.FinancialStatementFiled,
        _CLIENT,
        "client_id",
        "period_end",
        "version",
        version="1.1.0",
    ),
    _row(
        "interaction.logged", INTERACTION, interaction.InteractionLogged, _CLIENT, "interaction_id"
    ),
    _row("contact.attempted", INTERACTION, interaction.ContactAttempted, _CLIENT, "attempt_id"),
    _row("need.declared", INTERACTION, interaction.NeedDeclared, _CLIENT, "need_id"),
    _row(
        "complaint.raised",
        INTERACTION,
        interaction.ComplaintRaised,
        _CLIENT,
        "complaint_id",
        introduces=_COMPLAINT,
    ),
    _row(
        "complaint.resolved",
        INTERACTION,
        interaction.ComplaintResolved,
        _CLIENT,
        "complaint_id",
        refers_to=_COMPLAINT,
    ),
    _row(
        "risk_tolerance.assessed", PRODUCT, product.RiskToleranceAssessed, _CLIENT, "assessment_id"
    ),
    _row(
        "proposal.issued",
        PRODUCT,
        product.ProposalIssued,
        _PROPOSAL,
        "proposal_id",
        introduces=_PROPOSAL,
        refers_to=_CONSENT,
    ),
    _row(
        "proposal.responded",
        PRODUCT,
        product.ProposalResponded,
        _PROPOSAL,
        "proposal_id",
        refers_to=_PROPOSAL,
    ),
    _row("product.sold", PRODUCT, product.ProductSold, _SALE, "sale_id", introduces=_SALE),
    _row(
        "product.redeemed",
        PRODUCT,
        product.ProductRedeemed,
        _SALE,
        "redemption_id",
        refers_to=_SALE,
    ),
    _row("product.matured", PRODUCT, product.ProductMatured, _SALE, "sale_id", refers_to=_SALE),
    _row(
        "product.rating_changed",
        PRODUCT,
        product.ProductRatingChanged,
        _CLIENT,
        "client_id",
        "product_id",
        "effective_date",
    ),
    _row(
        "recording.stored", PRODUCT, product.RecordingStored, _SALE, "recording_id", refers_to=_SALE
    ),
)

CATALOGUE: dict[str, EventType] = {row.name: row for row in _ROWS}
"""Event types by their CloudEvents `type`."""

BY_STRUCT: dict[type[Fact], EventType] = {row.data: row for row in _ROWS}
"""The same rows by the struct of their `data`."""
