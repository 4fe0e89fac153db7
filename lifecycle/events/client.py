"""bank.client.v1: who the client is, and what the client says."""

from __future__ import annotations

import datetime as dt

import msgspec

from lifecycle.events.fields import (
    ClientType,
    Code,
    Count,
    Country,
    Currency,
    Fact,
    Id,
    Instant,
    Money,
)


class Dependant(msgspec.Struct, frozen=True, kw_only=True):
    """A person the client supports."""

    birth_year: int


class ClientRegistered(Fact, frozen=True):
    """A person or company became known to the bank."""

    client_id: Id
    client_type: ClientType
    name_hash: Code | None = None
    id_type: Code | None = None
    id_hash: Code | None = None
    id_expiry: dt.date | None = None
    birth_date: dt.date | None = None
    incorporation_date: dt.date | None = None
    sex: Code | None = None
    nationality: Country | None = None
    region: Code | None = None
    industry_code: Code | None = None
    occupation_code: Code | None = None
    source_channel: Code | None = None
    rm_id: Id | None = None


class KycUpdated(Fact, frozen=True):
    """Know-your-customer facts were reviewed."""

    client_id: Id
    kyc_level: Code
    reviewed_at: Instant
    next_review_date: dt.date
    pep: bool
    sanctions_hit: bool
    source_of_funds: Code | None = None
    aml_risk_level: Code | None = None
    verified_fields: tuple[Code, ...] = ()


class ProfileDeclared(Fact, frozen=True):
    """What the client declared about income, family and goals."""

    client_id: Id
    currency: Currency
    declared_income_monthly: Money | None = None
    assets: Money | None = None
    debts: Money | None = None
    household_size: Count | None = None
    dependants: tuple[Dependant, ...] = ()
    employer: Code | None = None
    employment_since: dt.date | None = None
    housing: Code | None = None
    goals: tuple[Code, ...] = ()
