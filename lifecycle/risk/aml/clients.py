"""Who the clients are: what typologies, factors and the statutory list ask of them."""

from __future__ import annotations

import ibis.expr.types as ir

from lifecycle.clients.attribute import latest
from lifecycle.clients.attributes.identity import REGISTERED
from lifecycle.clients.facts import Facts


def registered(facts: Facts) -> ir.Table:
    """The newest registration of each client."""
    return facts.once("aml_registered", lambda: latest(facts.table(REGISTERED), "client_id"))


def client_types(facts: Facts) -> ir.Table:
    """(client, client_type)."""
    return registered(facts).select("client_type", client="client_id")
