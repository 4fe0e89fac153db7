"""Every table a night computes over the lake: what each engine has to take, and to give equally."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import NamedTuple

import ibis.expr.types as ir
import pyarrow as pa

from lifecycle.alerts.rules import RuleSet
from lifecycle.clients.consent import consent_facts
from lifecycle.clients.facts import Facts
from lifecycle.clients.needs.said import answers, mentions
from lifecycle.clients.observation import observations
from lifecycle.clients.profile import profile
from lifecycle.ports import Engine
from lifecycle.profiling import Allowed, allowed_purposes
from lifecycle.risk.classification import facilities, timelines
from lifecycle.risk.credit_facts import credit_facts
from lifecycle.staging import Night, portfolio, staged_checks
from tests.lakes import ZONE

FIRST = dt.date(2026, 1, 1)
DAYS = 240
DAY = FIRST + dt.timedelta(days=DAYS - 1)


class Side(NamedTuple):
    """A lake seen through one engine."""

    engine: Engine
    facts: Facts
    consents: Allowed
    rules: RuleSet


def side_of(engine: Engine, rules: RuleSet) -> Side:
    """The lake as of DAY."""
    facts = Facts(engine, DAY, ZONE, frozenset())
    return Side(engine, facts, allowed_purposes(engine, facts, rules.parameters), rules)


class Product(NamedTuple):
    build: Callable[[Side], ir.Table]
    key: tuple[str, ...]
    """What its rows are told apart by; none where their order counts."""


def rows_of(side: Side, product: Product) -> pa.Table:
    """What an engine gives for a product, by its key."""
    rows = side.engine.run(product.build(side))
    return rows.sort_by([(name, "ascending") for name in product.key]) if product.key else rows


PRODUCTS = {
    "answers": Product(lambda s: answers(s.facts), ("event_id",)),
    "consents": Product(lambda s: consent_facts(s.facts), ("event_id",)),
    "credit facts": Product(lambda s: credit_facts(s.facts), ()),
    "facilities": Product(lambda s: facilities(s.facts, s.rules.parameters), ("facility_id",)),
    "mentions": Product(
        lambda s: mentions(s.facts), ("event_id", "need_code", "need_class", "strength")
    ),
    "observations": Product(lambda s: observations(s.facts, s.rules.parameters), ("client_id",)),
    "portfolio": Product(
        lambda s: portfolio(s.engine, Night(DAY, ()), s.rules.parameters), ("currency",)
    ),
    "timelines": Product(
        lambda s: timelines(s.facts, s.rules.parameters), ("facility_id", "day", "scale")
    ),
    "profile": Product(
        lambda s: profile(s.facts, s.rules.parameters, s.consents), ("client_id", "name")
    ),
    "staged checks": Product(
        lambda s: staged_checks(s.engine, Night(DAY, ()), s.rules.parameters), ("position",)
    ),
}
