"""Expert points: added up, bounded, explained."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.alerts.rules import RuleSet
from lifecycle.risk.credit_score import Card, card_of, score
from lifecycle.risk.score import REASONS_MAX

GOOD = {
    "dpd": 0.0,
    "missed_12m": 0.0,
    "min_balance_90d": 9_000.0,
    "overdraft_days_90d": 0.0,
    "balance_cv_90d": 0.1,
    "net_cashflow": 100.0,
    "tenure_days": 900.0,
}
BAD = GOOD | {"dpd": 95.0, "missed_12m": 4.0, "min_balance_90d": -5.0, "overdraft_days_90d": 9.0}


@pytest.fixture(scope="module")
def card(rule_set: RuleSet) -> Card:
    return card_of(rule_set.parameters["credit_card"].value)


def test_a_sound_client_has_the_best_band_and_no_reason(card: Card) -> None:
    made = score(GOOD, card)
    assert (made.band, made.reasons, made.pd) == ("A", (), None)


def test_reasons_are_the_most_points_lost(card: Card) -> None:
    made = score(BAD, card)
    assert made.band == "E"
    assert [r.code for r in made.reasons][:3] == ["R01", "R04", "R02"]
    lost = [r.points for r in made.reasons]
    assert lost == sorted(lost, reverse=True)
    assert len(lost) <= REASONS_MAX


features = st.fixed_dictionaries({name: st.none() | st.floats(-1e6, 1e6) for name in GOOD})


@given(features)
def test_every_score_is_in_bounds_and_reproducible(
    rule_set: RuleSet, features: dict[str, float | None]
) -> None:
    card = card_of(rule_set.parameters["credit_card"].value)
    made = score(features, card)
    assert card.lowest <= made.value <= card.highest
    assert made == score(dict(reversed(features.items())), card)


def test_a_changed_card_is_another_model(card: Card) -> None:
    other = msgspec.structs.replace(card, base=card.base + 1)
    assert card.version != other.version
