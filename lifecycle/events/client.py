"""bank.client.v1: who the client is, and what the client says."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from lifecycle.events.fields import (
    ClientType,
    Code,
    Codes,
    Count,
    Country,
    Date,
    Fact,
    Hash,
    Id,
    InCurrency,
    Instant,
    Money,
    Share,
    Year,
)


class Dependant(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person the client supports."""

    birth_year: Year


class ClientRegistered(Fact, frozen=True):
    """A person or company became known to the bank."""

    client_id: Id
    client_type: ClientType
    name_hash: Hash | None = None
    id_type: Code | None = None
    id_hash: Hash | None = None
    id_expiry: Date | None = None
    birth_date: Date | None = None
    incorporation_date: Date | None = None
    sex: Literal["F", "M", "X"] | None = None
    nationality: Country | None = None
    country_of_residence: Country | None = None
    """Where a person lives, or a company has its seat (ISO 20022 CtryOfRes)."""
    region: Code | None = None
    industry_code: Code | None = None
    occupation_code: Code | None = None
    source_channel: Code | None = None
    rm_id: Id | None = None
    id_check: Literal["PASS", "FAIL"] | None = None
    """What the source found in the number itself, which no event carries: check character, date of
    birth, sex (see `lifecycle.clients.identifiers`)."""
    phone_hash: Hash | None = None
    address_hash: Hash | None = None
    device_hash: Hash | None = None


class KycUpdated(Fact, frozen=True):
    """Know-your-customer facts were reviewed."""

    client_id: Id
    kyc_level: Code
    reviewed_at: Instant
    next_review_date: Date
    pep: bool
    sanctions_hit: bool
    source_of_funds: Code | None = None
    aml_risk_level: Code | None = None
    verified_fields: Codes = ()
    phone_hash: Hash | None = None
    """The telephone number in force since the review."""


class ProfileDeclared(InCurrency, frozen=True):
    """What the client declared about income, family and goals."""

    client_id: Id
    declared_income_monthly: Money | None = None
    assets: Money | None = None
    debts: Money | None = None
    household_size: Count | None = None
    dependants: Annotated[tuple[Dependant, ...], Meta(max_length=30)] = ()
    employer: Hash | None = None
    employment_since: Date | None = None
    housing: Code | None = None
    goals: Codes = ()
    investment_experience_years: Count | None = None
    pension_estimated_monthly: Money | None = None


class RelationLinked(Fact, frozen=True):
    """Two clients belong together: a family, a guarantee, an owner and a company."""

    client_id: Id
    other_client_id: Id
    relation: Literal["SPOUSE", "PARENT", "GUARANTOR", "UBO", "GROUP"]
    share: Share | None = None
    """Fraction owned, where it is ownership."""


class RmAssigned(Fact, frozen=True):
    """A relationship manager took the client over."""

    client_id: Id
    rm_id: Id
    reason: Code | None = None


class ClientDeceased(Fact, frozen=True):
    """A person died."""

    client_id: Id
    deceased_date: Date


class ClientDissolved(Fact, frozen=True):
    """A company ceased to exist."""

    client_id: Id
    dissolved_date: Date
    reason: Literal["LIQUIDATION", "BANKRUPTCY", "MERGER", "DEREGISTRATION"]
