"""One expression, two engines: everything a night computes compiles for both of them.

Nothing runs here; tests/integration/test_spark.py holds that the rows are equal.
"""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pytest

from lifecycle.adapters.lake import event_schema
from lifecycle.alerts.rules import RuleSet
from lifecycle.clients.attribute import rounded
from lifecycle.clients.attributes import ATTRIBUTES
from lifecycle.clients.facts import Facts
from lifecycle.models.figures import figures_of
from lifecycle.risk.attrition_facts import FEATURES, features
from lifecycle.risk.attrition_score import Knot, Model, Term, probability_of
from tests.lakes import ZONE
from tests.products import DAY, PRODUCTS, Side
from tests.unit.models.cards import card

DIALECTS = (ibis.duckdb, ibis.pyspark)


class Catalogue:
    """An engine of tables that have a schema and no rows."""

    def table(self, event_type: str) -> ir.Table:
        return ibis.table(event_schema(event_type), event_type)

    def run(self, expression: ir.Table) -> pa.Table:
        for dialect in DIALECTS:
            dialect.compile(expression)
        return expression.schema().to_pyarrow().empty_table()

    def keep(self, expression: ir.Table) -> ir.Table:
        for dialect in DIALECTS:
            dialect.compile(expression)
        return ibis.table(expression.schema(), "kept")


@pytest.fixture
def facts() -> Facts:
    return Facts(Catalogue(), DAY, ZONE, frozenset({7}))


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("name", ATTRIBUTES)
def test_every_attribute_compiles(name: str, dialect, facts: Facts, rule_set: RuleSet) -> None:
    derived = ATTRIBUTES[name].derive(facts, rule_set.parameters)
    assert "SELECT" in dialect.compile(derived)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@pytest.mark.parametrize("product", PRODUCTS)
def test_every_product_compiles(product: str, dialect, facts: Facts, rule_set: RuleSet) -> None:
    side = Side(Catalogue(), facts, {"C1": frozenset()}, rule_set)
    assert "SELECT" in dialect.compile(PRODUCTS[product].build(side))


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_model_compiles(dialect, facts: Facts, rule_set: RuleSet) -> None:
    model = Model(
        intercept=-1.0,
        terms=tuple(Term(name, 1.0, 0.0, 1.0, 0.5, 2.0, 0.0) for name in FEATURES),
        knots=(Knot(-2.0, 0.1), Knot(0.0, 0.2), Knot(2.0, 0.9)),
        fitted_on={},
    )
    asked = features(facts, rule_set.parameters)
    scored = asked.select("client_id", pd=probability_of(model, asked))
    assert "CASE" in dialect.compile(scored)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_a_scorecard_compiles(dialect, rule_set: RuleSet) -> None:
    rows = ibis.table({"n": "int64", "load": "float64", "home": "string", "age": "int32"}, "rows")
    assert "SELECT" in dialect.compile(card(figures_of(rule_set.parameters)).score(rows, "n"))


ROUNDED = [
    (2.675, 2, "2.68"),
    (-2.675, 2, "-2.68"),
    (1.005, 2, "1.01"),
    (0.1 + 0.2, 1, "0.3"),
    (1.0049, 2, "1.00"),
    (-0.004, 2, "0.00"),
    (2.5, 0, "3"),
    (0.00005, 4, "0.0001"),
    (123456789.235, 2, "123456789.24"),
    (98765432109.125, 2, "98765432109.13"),
    (98765432109.12, 2, "98765432109.12"),
    (9_999_999_999_999.99, 2, "9999999999999.99"),
    (10_800_000_000_000_000.0, 2, "10800000000000000.00"),
]


@pytest.mark.parametrize(("value", "decimals", "text"), ROUNDED)
def test_halves_go_away_from_zero_whatever_floats_make_of_them(
    value: float, decimals: int, text: str
) -> None:
    one = rounded(ibis.literal(value), decimals).cast("string").name("text")
    assert ibis.duckdb.connect().execute(one) == text


def test_nothing_rounds_to_nothing() -> None:
    assert ibis.duckdb.connect().to_pyarrow(rounded(ibis.null("float64"), 2)).as_py() is None
