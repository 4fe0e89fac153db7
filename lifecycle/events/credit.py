"""bank.credit.v1: a facility from application to settlement, and what was paid or missed."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from lifecycle.events.fields import Code, Currency, Fact, Id, Instant, Money, Rate

Term = Annotated[int, Meta(ge=1, le=600, description="months")]
InstalmentNo = Annotated[int, Meta(ge=1, le=10_000)]


class Allocation(msgspec.Struct, frozen=True, kw_only=True):
    """How a repayment was split."""

    principal: Money = "0"
    interest: Money = "0"
    penalty: Money = "0"
    fees: Money = "0"


class ApplicationSubmitted(Fact, frozen=True):
    """A client asked for credit."""

    application_id: Id
    client_id: Id
    product_code: Code
    requested_amount: Money
    currency: Currency
    term_months: Term
    declared_purpose_code: Code | None = None
    declared_income_monthly: Money | None = None
    employment_status: Code | None = None
    employer_name_hash: Code | None = None
    declared_debts: Money | None = None
    collateral_offered: Code | None = None


class CreditApproved(Fact, frozen=True):
    """The bank agreed to a credit. People decided it; this records it."""

    application_id: Id
    facility_id: Id
    approved_amount: Money
    currency: Currency
    term_months: Term
    rate: Rate | None = None
    conditions: tuple[Code, ...] = ()
    pd_at_origination: Rate | None = None
    score_at_origination: int | None = None
    model_version: Code | None = None


class CreditDeclined(Fact, frozen=True):
    """The bank refused a credit."""

    application_id: Id
    decline_reasons: Annotated[tuple[Code, ...], Meta(max_length=4)] = ()


class CreditCancelled(Fact, frozen=True):
    """An application or an approved credit was cancelled before use."""

    application_id: Id
    reason: Code | None = None


class CreditDisbursed(Fact, frozen=True):
    """Money of a facility was paid out."""

    facility_id: Id
    client_id: Id
    tranche_no: int
    amount: Money
    currency: Currency
    to_account_id: Id | None = None
    payment_mode: Literal["ENTRUSTED", "SELF"] = "SELF"
    declared_purpose_code: Code | None = None
    payee: Id | None = None


class RepaymentDue(Fact, frozen=True):
    """An instalment fell due."""

    facility_id: Id
    instalment_no: InstalmentNo
    due_date: dt.date
    principal: Money
    total: Money
    currency: Currency
    interest: Money = "0"
    fees: Money = "0"
    schedule_version: int = 1


class RepaymentMade(Fact, frozen=True):
    """Money came in for a facility."""

    facility_id: Id
    payment_id: Id
    paid_at: Instant
    amount: Money
    currency: Currency
    allocation: Allocation
    instalment_no: tuple[InstalmentNo, ...] = ()
    source_account: Id | None = None
    early: bool = False


class RepaymentMissed(Fact, frozen=True):
    """An instalment was not paid by its due date plus grace."""

    facility_id: Id
    instalment_no: InstalmentNo
    due_date: dt.date
    outstanding: Money
    currency: Currency
    dpd_start: dt.date


class PenaltyInterestCharged(Fact, frozen=True):
    """Penalty interest was charged on a facility (an overdraft is the facility OD-<account>)."""

    facility_id: Id
    amount: Money
    currency: Currency
    account_id: Id | None = None
    basis: Money | None = None
    rate: Rate | None = None


class CreditRestructured(Fact, frozen=True):
    """The terms of a facility were changed because of the borrower."""

    facility_id: Id
    reason: Code
    forbearance_type: Literal["EXTENSION", "RATE_CUT", "CAPITALISATION", "REFINANCE"]
    distressed: bool


class DefaultDeclared(Fact, frozen=True):
    """A facility is in default."""

    facility_id: Id
    criterion: Literal["DPD90", "UTP", "CROSS", "BANKRUPTCY"]


class DefaultCured(Fact, frozen=True):
    """A facility left default."""

    facility_id: Id
    criterion: Literal["DPD90", "UTP", "CROSS", "BANKRUPTCY"]


class CreditWrittenOff(Fact, frozen=True):
    """The bank gave an amount up."""

    facility_id: Id
    amount: Money
    currency: Currency


class CreditRecovered(Fact, frozen=True):
    """An amount came back after write-off."""

    facility_id: Id
    amount: Money
    currency: Currency


class CreditSettled(Fact, frozen=True):
    """A facility was repaid and ended."""

    facility_id: Id
    settled_date: dt.date
    early: bool = False
