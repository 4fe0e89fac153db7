"""bank.product.v1: risk tolerance, proposals, sales and their recordings."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from lifecycle.events.fields import (
    Code,
    Codes,
    Date,
    Fact,
    Hash,
    Id,
    InCurrency,
    Instant,
    Money,
    ProductRisk,
    Sha256,
    SignedMoney,
    ToleranceLevel,
)


class RiskToleranceAssessed(Fact, frozen=True):
    """A client's appetite for risk was assessed by a questionnaire."""

    client_id: Id
    assessment_id: Id
    questionnaire_version: Code
    score: Annotated[int, Meta(ge=0, le=1_000)]
    level: ToleranceLevel
    answers_hash: Hash
    is_minimum_type: bool
    valid_until: Date
    attempt_no_today: Annotated[int, Meta(ge=1, le=1_000)] = 1
    attempt_no_12m: Annotated[int, Meta(ge=1, le=10_000)] = 1


class ProposedItem(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """One product of a proposal."""

    product_id: Id
    product_risk: ProductRisk
    amount: Money


class ProposalIssued(InCurrency, frozen=True):
    """A combination of products was proposed: the need, and what is to serve it."""

    client_id: Id
    proposal_id: Id
    need_code: Code
    items: Annotated[tuple[ProposedItem, ...], Meta(min_length=1, max_length=10)]
    total_amount: Money
    suitability_check_id: Id
    consent_id: Id
    text_version: Code
    valid_until: Date | None = None


class ProposalResponded(Fact, frozen=True):
    """The client answered a proposal."""

    client_id: Id
    proposal_id: Id
    response: Literal["ACCEPTED", "DECLINED", "POSTPONED", "NO_ANSWER"]
    reason: Code | None = None


class ProductSold(InCurrency, frozen=True):
    """A product was sold, with what has to stand behind a sale."""

    client_id: Id
    sale_id: Id
    product_id: Id
    product_risk: ProductRisk
    amount: Money
    disclosure_ack_id: Id
    suitability_check_id: Id
    initiated_by: Literal["CLIENT", "BANK"]
    recording_id: Id | None = None
    mismatch_warning_ack: Id | None = None
    proposal_id: Id | None = None
    maturity_date: Date | None = None


class ProductRedeemed(InCurrency, frozen=True):
    """A client took money out of a product, wholly or in part."""

    client_id: Id
    sale_id: Id
    redemption_id: Id
    amount: Money
    complete: bool


class ProductMatured(InCurrency, frozen=True):
    """A product came to its end."""

    client_id: Id
    sale_id: Id
    matured_date: Date
    amount: Money
    gain: SignedMoney | None = None


class RecordingStored(Fact, frozen=True):
    """The recording of a sale (双录) was stored."""

    client_id: Id
    recording_id: Id
    sale_id: Id
    started_at: Instant
    ended_at: Instant
    sha256: Sha256
    retention_until: Date
    covers: Codes = ()


class ProductRatingChanged(Fact, frozen=True):
    """The risk of a product this client holds was rated anew; one fact for each holder."""

    client_id: Id
    product_id: Id
    from_risk: ProductRisk
    to_risk: ProductRisk
    effective_date: Date
