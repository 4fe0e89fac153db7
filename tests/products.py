"""Every table a night computes over the lake: what each engine has to take, and to give equally."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import NamedTuple

import ibis.expr.types as ir
import pyarrow as pa

from lifecycle.alerts.rules import RuleSet
from lifecycle.aml_scoring import last_reviews
from lifecycle.clients.attribute import Figures
from lifecycle.clients.consent import consent_facts
from lifecycle.clients.facts import Facts
from lifecycle.clients.needs.said import answers, mentions
from lifecycle.clients.observation import observations
from lifecycle.clients.profile import profile
from lifecycle.ports import Engine
from lifecycle.profiling import Allowed, allowed_purposes
from lifecycle.risk import conduct_facts, proceeds_facts
from lifecycle.risk.aml.entries import unconverted
from lifecycle.risk.aml.factor import FACTORS
from lifecycle.risk.aml.large import large_transactions
from lifecycle.risk.aml.typologies import TYPOLOGIES
from lifecycle.risk.attrition_facts import fallen, features
from lifecycle.risk.classification import facilities, timelines
from lifecycle.risk.credit_facts import credit_facts
from lifecycle.risk.overrides import overrides
from lifecycle.staging import Night, portfolio, staged_checks
from tests.lakes import ZONE
from tests.unit.attributes.bank import AS_OF

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


def _aml(find: Callable[[Facts, Figures], ir.Table], *key: str) -> Product:
    """As of the day on which the cases of tests/unit/aml/ are worked out."""

    def build(side: Side) -> ir.Table:
        facts = Facts(side.engine, AS_OF, ZONE, frozenset())
        return find(facts, side.rules.parameters)

    return Product(build, key)


PRODUCTS = {
    **{f"aml {code}": _aml(t.hits, "client_id", "day") for code, t in TYPOLOGIES.items()},
    **{f"aml {code}": _aml(factor.rows, "client_id") for code, factor in FACTORS.items()},
    "aml large": _aml(large_transactions, "client_id", "day", "kind", "side", "currency"),
    "aml reviews": _aml(lambda facts, figures: last_reviews(facts), "client_id"),
    "aml unconverted": _aml(unconverted, "client_id"),
    "answers": Product(lambda s: answers(s.facts), ("event_id",)),
    "attrition features": Product(lambda s: features(s.facts, s.rules.parameters), ("client_id",)),
    "attrition outcomes": Product(
        lambda s: fallen(s.facts, DAY - dt.timedelta(days=150), s.rules.parameters), ("client_id",)
    ),
    "conduct signs": Product(
        lambda s: conduct_facts.signs(s.facts, s.rules.parameters), ("client_id", "reason")
    ),
    "consents": Product(lambda s: consent_facts(s.facts), ("event_id",)),
    "credit facts": Product(lambda s: credit_facts(s.facts), ()),
    "facilities": Product(lambda s: facilities(s.facts, s.rules.parameters), ("facility_id",)),
    "loan openings": Product(
        lambda s: proceeds_facts.openings(s.facts), ("facility_id", "tranche_no", "account_id")
    ),
    "loan spending": Product(lambda s: proceeds_facts.spending(s.facts, s.rules.parameters), ()),
    "loans": Product(
        lambda s: proceeds_facts.disbursements(s.facts), ("facility_id", "tranche_no")
    ),
    "mentions": Product(
        lambda s: mentions(s.facts), ("event_id", "need_code", "need_class", "strength")
    ),
    "observations": Product(lambda s: observations(s.facts, s.rules.parameters), ("client_id",)),
    "overrides": Product(lambda s: overrides(s.facts, s.rules.parameters), ()),
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
