"""Who the client is: from registration, KYC and declarations."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
from ibis import _

from lifecycle.clients.attribute import (
    COMPANIES,
    PERSONS,
    Figures,
    attribute,
    evidence,
    latest,
    of_one,
)
from lifecycle.clients.entries import OPENED
from lifecycle.clients.facts import Facts

REGISTERED = "bank.client.registered.v1"
KYC = "bank.client.kyc_updated.v1"
DECLARED = "bank.client.profile_declared.v1"
LINKED = "bank.client.relation_linked.v1"


@attribute("years", ages="identity")
def age(facts: Facts, figures: Figures) -> ir.Table:
    """Full years since birth, or since incorporation."""
    registered = facts.table(REGISTERED)
    born = ibis.coalesce(registered.birth_date, registered.incorporation_date)
    today = ibis.literal(facts.business_date)
    had_birthday = (today.month() * 100 + today.day()) >= (born.month() * 100 + born.day())
    years = today.year() - born.year() - ibis.ifelse(had_birthday, 0, 1)
    return of_one(registered.filter(born.notnull()), years.cast("float64"))


@attribute("days", ages="identity")
def tenure_days(facts: Facts, figures: Figures) -> ir.Table:
    """Days since the first account was opened."""
    opened = facts.table(OPENED)
    since = ibis.literal(facts.business_date).delta(opened.opened_date, unit="day")
    return (
        opened
        .mutate(days=since)
        .group_by(client_id="client")
        .agg(value=_.days.max().cast("float64"), **evidence(opened))
    )


@attribute("GB/T 4754 code", ages="identity", decimals=None, clients=COMPANIES)
def industry_code(facts: Facts, figures: Figures) -> ir.Table:
    """The company's industry."""
    registered = facts.table(REGISTERED)
    return of_one(registered.filter(_.industry_code.notnull()), registered.industry_code)


@attribute("outlook", ages="statements", decimals=None, clients=COMPANIES, confidence=0.6)
def industry_outlook(facts: Facts, figures: Figures) -> ir.Table:
    """What the bank expects of the industry: by the section letter of its code."""
    outlook = dict(figures["industry_outlook"].value)
    registered = facts.table(REGISTERED)
    expected = registered.industry_code.substr(0, 1).cases(*outlook.items())
    return of_one(registered.filter(expected.notnull()), expected)


@attribute("level", ages="kyc", decimals=None)
def kyc_level(facts: Facts, figures: Figures) -> ir.Table:
    """How well the client is known, from the newest review."""
    reviewed = latest(facts.table(KYC), "client")
    return of_one(reviewed, reviewed.kyc_level)


@attribute("date", ages="kyc", decimals=None)
def kyc_next_review(facts: Facts, figures: Figures) -> ir.Table:
    """When the next review is due."""
    reviewed = latest(facts.table(KYC), "client")
    return of_one(reviewed, reviewed.next_review_date.cast("string"))


@attribute("date", ages="kyc", decimals=None)
def id_expiry(facts: Facts, figures: Figures) -> ir.Table:
    """When the identity document expires."""
    registered = facts.table(REGISTERED)
    return of_one(registered.filter(_.id_expiry.notnull()), registered.id_expiry.cast("string"))


@attribute("id", ages="identity", decimals=None)
def relationship_manager(facts: Facts, figures: Figures) -> ir.Table:
    """Who looks after the client: the newest assignment, else the one at registration."""
    columns = ("client", "rm_id", "event_id", "time", "position")
    known = facts.table(REGISTERED).select(*columns)
    known = known.union(facts.table("bank.client.rm_assigned.v1").select(*columns))
    newest = latest(known.filter(_.rm_id.notnull()), "client")
    return of_one(newest, newest.rm_id)


@attribute(
    "persons", ages="kyc", purposes=("P2_PROFILE", "P6_SENSITIVE"), confidence=0.6, clients=PERSONS
)
def household_size(facts: Facts, figures: Figures) -> ir.Table:
    """Persons of the household, as declared."""
    return declared(facts, "household_size", "float64")


@attribute(
    "years of age",
    ages="kyc",
    decimals=None,
    purposes=("P2_PROFILE", "P6_SENSITIVE"),
    confidence=0.6,
    clients=PERSONS,
)
def dependants_ages(facts: Facts, figures: Figures) -> ir.Table:
    """The ages of those the client supports, youngest first; empty when none was declared."""
    said = latest(facts.table(DECLARED), "client")
    ages = said.dependants.map(
        lambda person: ibis.literal(facts.business_date.year) - person["birth_year"]
    )
    listed = ages.sort().map(lambda years: years.cast("string")).join(",")
    return of_one(said, ibis.ifelse(ages.length() == 0, "", listed))


@attribute("PASS or FAIL", ages="identity", decimals=None)
def id_check(facts: Facts, figures: Figures) -> ir.Table:
    """Whether the number of the identity document holds, as the source that has it says."""
    registered = facts.table(REGISTERED)
    return of_one(registered.filter(_.id_check.notnull()), registered.id_check)


@attribute("clients", ages="identity", across=True)
def shared_contact_clients(facts: Facts, figures: Figures) -> ir.Table:
    """How many other clients that are not related share a phone, an address or a device: the most of
    the three. Its source is the client's own registration, which names nobody else."""
    registered = facts.table(REGISTERED)
    counts = [
        _sharing(facts, registered, kind) for kind in ("phone_hash", "address_hash", "device_hash")
    ]
    most = ibis.union(*counts).group_by("client_id").agg(others=_.others.max())
    own = registered.join(most, "client_id")
    return of_one(own, own.others.cast("float64"))


@attribute("currency/month", ages="kyc", decimals=2, confidence=0.5, clients=PERSONS)
def pension_estimated_monthly(facts: Facts, figures: Figures) -> ir.Table:
    """The pension the client expects, as declared."""
    return declared(facts, "pension_estimated_monthly", "float64")


@attribute("years", ages="kyc", purposes=("P2_PROFILE",), confidence=0.5, clients=PERSONS)
def investment_experience_declared(facts: Facts, figures: Figures) -> ir.Table:
    """Years the client says to have invested."""
    return declared(facts, "investment_experience_years", "float64")


@attribute("currency", ages="kyc", decimals=2, confidence=0.5)
def assets_declared(facts: Facts, figures: Figures) -> ir.Table:
    """What the client owns, as declared."""
    return declared(facts, "assets", "float64")


@attribute("currency", ages="kyc", decimals=2, confidence=0.5)
def debts_declared(facts: Facts, figures: Figures) -> ir.Table:
    """What the client owes, as declared."""
    return declared(facts, "debts", "float64")


def declared(facts: Facts, field: str, kind: str) -> ir.Table:
    """The newest declaration that says something of a field."""
    said = facts.table(DECLARED)
    newest = latest(said.filter(said[field].notnull()), "client")
    return of_one(newest, newest[field].cast(kind))


def _sharing(facts: Facts, registered: ir.Table, kind: str) -> ir.Table:
    """(client_id, others) of clients with a hash: how many unrelated clients have the same one."""
    own = registered.filter(registered[kind].notnull()).select("client_id", value=kind)
    others = own.view().rename(other="client_id", other_value="value")
    links = facts.table(LINKED)
    related = links.select(one="client_id", two="other_client_id").union(
        links.select(one="other_client_id", two="client_id")
    )
    pairs = own.left_join(
        others, [own.value == others.other_value, own.client_id != others.other]
    ).select("client_id", "other")
    unrelated = pairs.anti_join(
        related, [pairs.client_id == related.one, pairs.other == related.two]
    )
    counted = unrelated.group_by("client_id").agg(others=_.other.nunique())
    # Who shares it with relations only is left out of the join above, and shares it with nobody.
    return own.left_join(counted, "client_id").select(
        client_id=own.client_id, others=ibis.coalesce(_.others, 0)
    )
