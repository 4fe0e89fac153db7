"""The static part of the score: what is known of a client whatever it does.

A factor is a function found by its code; it gives (client_id, sources) of the clients it is true of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import ibis
import ibis.expr.types as ir
import msgspec
from ibis import _

from lifecycle.clients.attribute import Figures, evidence, latest
from lifecycle.clients.attributes.identity import KYC, LINKED
from lifecycle.clients.facts import Facts
from lifecycle.risk.aml.clients import client_types, registered
from lifecycle.risk.aml.entries import entries

SOLD = "bank.product.sold.v1"
Own = Mapping[str, Any]
Find = Callable[[Facts, Figures, Own], ir.Table]


class Factor(msgspec.Struct, frozen=True):
    """One static factor."""

    code: str
    find: Find

    def rows(self, facts: Facts, figures: Figures) -> ir.Table:
        """(client_id, code, points, sources) of the clients it is true of."""
        own: Own = figures[f"aml_{self.code.lower()}"].value
        return self.find(facts, figures, own).select(
            "client_id",
            "sources",
            code=ibis.literal(self.code),
            points=ibis.literal(int(own["points"])).cast("int64"),
        )


def factor(code: str) -> Callable[[Find], Factor]:
    """Make a function the factor of a code."""
    return lambda find: Factor(code, find)


@factor("S01")
def client_type(facts: Facts, figures: Figures, own: Own) -> ir.Table:
    """Clients of a type that hides more."""
    return _of(registered(facts).filter(_.client_type.isin(list(own["types"]))))


@factor("S02")
def exposed_person(facts: Facts, figures: Figures, own: Own) -> ir.Table:
    """The newest review calls the client a politically exposed person."""
    return _of(latest(facts.table(KYC), "client_id").filter(_.pep))


@factor("S03")
def high_risk_jurisdiction(facts: Facts, figures: Figures, own: Own) -> ir.Table:
    """Nationality, residence or seat, or a partner of the last year, in a listed country."""
    listed = list(own["countries"])
    clients = registered(facts)
    home = clients.filter(
        clients.nationality.isin(listed).fill_null(False)
        | clients.country_of_residence.isin(listed).fill_null(False)
    )
    paid = entries(facts, figures).filter(
        _.partner_country.isin(listed), _.business_date >= facts.since(int(own["days"]))
    )
    every = ibis.union(
        home.select("client_id", "event_id", "time"),
        paid.select("event_id", "time", client_id="client"),
    )
    return every.group_by("client_id").agg(**evidence(every))


@factor("S04")
def cash_industry(facts: Facts, figures: Figures, own: Own) -> ir.Table:
    """A company of an industry that lives on cash."""
    return _of(registered(facts).filter(_.industry_code.substr(0, 3).isin(list(own["industries"]))))


@factor("S05")
def not_met(facts: Facts, figures: Figures, own: Own) -> ir.Table:
    """The relation began without a meeting."""
    return _of(registered(facts).filter(_.source_channel.isin(list(own["channels"]))))


@factor("S06")
def complex_ownership(facts: Facts, figures: Figures, own: Own) -> ir.Table:
    """A company with many owners, or with an owner that is a company itself."""
    links = facts.table(LINKED).filter(_.relation == "UBO")
    types = client_types(facts).rename(other_client_id="client", owner_type="client_type")
    owners = links.left_join(types, "other_client_id")
    counted = owners.group_by("client_id").agg(
        owners=owners.other_client_id.nunique(),
        layered=(owners.owner_type == "CORPORATE").any().fill_null(False),
        **evidence(owners),
    )
    return counted.filter((_.owners >= int(own["owners"])) | _.layered)


@factor("S07")
def risky_product(facts: Facts, figures: Figures, own: Own) -> ir.Table:
    """A product of a kind that moves value out of sight was sold to the client."""
    sold = facts.table(SOLD).filter(_.product_id.split("-")[0].isin(list(own["products"])))
    return sold.group_by("client_id").agg(**evidence(sold))


FACTORS: dict[str, Factor] = {
    made.code: made
    for made in (
        client_type,
        exposed_person,
        high_risk_jurisdiction,
        cash_industry,
        not_met,
        complex_ownership,
        risky_product,
    )
}
"""Factor by code."""


def _of(facts: ir.Table) -> ir.Table:
    """Of a single fact of each client."""
    return facts.select("client_id", sources=ibis.array([facts.event_id]))
