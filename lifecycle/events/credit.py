"""bank.credit.v1: a facility from application to settlement, and what was paid or missed."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from lifecycle.events.fields import (
    Code,
    Codes,
    Count,
    Date,
    Fact,
    Hash,
    Id,
    InCurrency,
    Instant,
    Money,
    Rate,
    SignedMoney,
    Version,
)

Term = Annotated[int, Meta(ge=1, le=600, description="months")]
InstalmentNo = Annotated[int, Meta(ge=1, le=10_000)]


Score = Annotated[int, Meta(ge=0, le=10_000)]


class Allocation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a repayment was split."""

    principal: Money = "0"
    interest: Money = "0"
    penalty: Money = "0"
    fees: Money = "0"


class ApplicationSubmitted(InCurrency, frozen=True):
    """A client asked for credit."""

    application_id: Id
    client_id: Id
    product_code: Code
    requested_amount: Money
    term_months: Term
    declared_purpose_code: Code | None = None
    declared_income_monthly: Money | None = None
    employment_status: Code | None = None
    employer_name_hash: Hash | None = None
    declared_debts: Money | None = None
    collateral_offered: Code | None = None


class CreditApproved(InCurrency, frozen=True):
    """The bank agreed to a credit. People decided it; this records it."""

    application_id: Id
    facility_id: Id
    approved_amount: Money
    term_months: Term
    rate: Rate | None = None
    rate_type: Literal["FIXED", "FLOATING"] | None = None
    day_count: Literal["ACT/360", "ACT/365F", "30/360"] | None = None
    conditions: Codes = ()
    pd_at_origination: Rate | None = None
    score_at_origination: Score | None = None
    model_version: Code | None = None


class CreditDeclined(Fact, frozen=True):
    """The bank refused a credit."""

    application_id: Id
    decline_reasons: Annotated[tuple[Code, ...], Meta(max_length=4)] = ()
    pd_at_origination: Rate | None = None
    score_at_origination: Score | None = None
    model_version: Code | None = None


class CreditCancelled(Fact, frozen=True):
    """An application or an approved credit was cancelled before use."""

    application_id: Id
    reason: Code | None = None


class CreditDisbursed(InCurrency, frozen=True):
    """Money of a facility was paid out."""

    facility_id: Id
    client_id: Id
    tranche_no: InstalmentNo
    amount: Money
    to_account_id: Id | None = None
    payment_mode: Literal["ENTRUSTED", "SELF"] = "SELF"
    declared_purpose_code: Code | None = None
    payee: Id | None = None
    refinances: Id | None = None
    """The facility this money repays, where new borrowing repays old (借新还旧)."""
    qualifying_renewal: bool = False
    """Whether the rules on small businesses let it renew without repaying first (无还本续贷)."""


class RepaymentDue(InCurrency, frozen=True):
    """An instalment fell due."""

    facility_id: Id
    instalment_no: InstalmentNo
    due_date: Date
    principal: Money
    total: Money
    interest: Money = "0"
    fees: Money = "0"
    schedule_version: Version = 1


class RepaymentMade(InCurrency, frozen=True):
    """Money came in for a facility."""

    facility_id: Id
    payment_id: Id
    paid_at: Instant
    amount: Money
    allocation: Allocation
    instalment_no: Annotated[tuple[InstalmentNo, ...], Meta(max_length=600)] = ()
    source_account: Id | None = None
    early: bool = False
    """Ahead of the schedule: of the instalments it names, or, where it names none, of principal, which
    pays no instalment."""
    reversal: bool = False
    """It takes money back that came in before, as a returned debit does: `amount` and `allocation` say
    what, always positive (camt.053)."""


class RepaymentMissed(InCurrency, frozen=True):
    """An instalment was not paid by its due date plus grace."""

    facility_id: Id
    instalment_no: InstalmentNo
    due_date: Date
    outstanding: Money
    dpd_start: Date


class PenaltyInterestCharged(InCurrency, frozen=True):
    """Penalty interest was charged on a facility (an overdraft is the facility OD-<account>)."""

    facility_id: Id
    amount: Money
    account_id: Id | None = None
    basis: Money | None = None
    rate: Rate | None = None


class CreditRestructured(Fact, frozen=True):
    """The terms of a facility were changed because of the borrower."""

    facility_id: Id
    reason: Code
    forbearance_type: Literal["EXTENSION", "RATE_CUT", "CAPITALISATION", "REFINANCE"]
    distressed: bool
    qualifying_renewal: bool = False
    """Of a REFINANCE: whether the rules on small businesses let it renew without repaying first."""


class DefaultDeclared(Fact, frozen=True):
    """A facility is in default."""

    facility_id: Id
    criterion: Literal["DPD90", "UTP", "CROSS", "BANKRUPTCY"]


class DefaultCured(Fact, frozen=True):
    """A facility left default."""

    facility_id: Id
    criterion: Literal["DPD90", "UTP", "CROSS", "BANKRUPTCY"]


class CreditWrittenOff(InCurrency, frozen=True):
    """The bank gave an amount up."""

    facility_id: Id
    amount: Money


class CreditRecovered(InCurrency, frozen=True):
    """An amount came back after write-off."""

    facility_id: Id
    amount: Money


class CreditSettled(Fact, frozen=True):
    """A facility was repaid and ended."""

    facility_id: Id
    settled_date: Date
    early: bool = False


class LimitChanged(InCurrency, frozen=True):
    """The limit of a line was raised or lowered."""

    facility_id: Id
    old_limit: Money
    new_limit: Money
    reason: Code


class UtilisationSnapshot(InCurrency, frozen=True):
    """What is drawn of a line at the end of a business date."""

    facility_id: Id
    limit: Money
    drawn: Money
    accrued_interest: Money = "0"


class BureauInquiry(Fact, frozen=True):
    """Somebody asked a credit bureau about the client; lawful only with the consent it names."""

    client_id: Id
    inquiry_id: Id
    inquirer_type: Literal["BANK", "CARD_ISSUER", "CONSUMER_FINANCE", "OTHER_LENDER", "SELF"]
    purpose: Code
    consent_id: Id
    hard: bool = True


class BureauReportReceived(InCurrency, frozen=True):
    """What a credit bureau knows of the client's debts elsewhere."""

    client_id: Id
    report_id: Id
    report_date: Date
    n_lenders: Count
    total_debt: Money
    total_limit: Money
    utilisation: Rate | None = None
    max_dpd_24m: Count = 0
    inquiries_3m: Count = 0
    public_records: Codes = ()
    npl_debt: Money | None = None
    """Of `total_debt`, what another bank holds for non-performing."""
    debt_over_90_dpd: Money | None = None
    """Of `total_debt`, what is more than 90 days past due."""
    external_rating: Code | None = None
    """The newest rating of an agency."""


class CollateralValued(InCurrency, frozen=True):
    """A collateral of a facility got a value."""

    facility_id: Id
    collateral_id: Id
    type: Literal["REAL_ESTATE", "VEHICLE", "DEPOSIT", "SECURITIES", "INVENTORY", "OTHER"]
    value: Money
    method: Literal["APPRAISAL", "INDEX", "MARKET", "DECLARED"]
    ltv: Rate | None = None
    valid_until: Date | None = None


class CollateralReleased(Fact, frozen=True):
    """A collateral no longer secures a facility."""

    facility_id: Id
    collateral_id: Id
    reason: Code | None = None


class Statement(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """The lines of a yearly statement that analysis needs; what is not reported is null."""

    revenue: Money | None = None
    cogs: Money | None = None
    sga: Money | None = None
    depreciation: Money | None = None
    ebit: SignedMoney | None = None
    interest_expense: Money | None = None
    tax_expense: SignedMoney | None = None
    net_income: SignedMoney | None = None
    cfo: SignedMoney | None = None
    cash: Money | None = None
    receivables: Money | None = None
    inventory: Money | None = None
    current_assets: Money | None = None
    ppe: Money | None = None
    securities: Money | None = None
    intangibles: Money | None = None
    total_assets: Money | None = None
    payables: Money | None = None
    short_term_debt: Money | None = None
    current_liabilities: Money | None = None
    lt_debt: Money | None = None
    total_liabilities: Money | None = None
    retained_earnings: SignedMoney | None = None
    dividends: Money | None = None
    equity: SignedMoney | None = None


class FinancialStatementFiled(InCurrency, frozen=True):
    """A company filed its statement for a period."""

    client_id: Id
    period_end: Date
    version: Version
    filed_at: Date
    audited: bool
    gaap: Literal["PRC_GAAP", "IFRS", "US_GAAP", "OTHER"]
    statement: Statement
    auditor_hash: Hash | None = None
    """Who audited it."""
