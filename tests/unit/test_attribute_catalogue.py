"""The table of attributes: names, labels, ages, bounds and purposes fit together."""

from __future__ import annotations

from lifecycle.alerts.rules import RuleSet
from lifecycle.clients import catalogue_page
from lifecycle.clients.attributes import ATTRIBUTES, SECTIONS
from lifecycle.clients.labels import ATTRIBUTES as LABELS
from lifecycle.clients.labels import SECTIONS as TITLES
from lifecycle.risk.credit_score import card_of


def test_every_attribute_has_a_label_in_both_languages_and_a_section_with_a_title() -> None:
    assert LABELS.keys() == ATTRIBUTES.keys()
    assert len({zh for zh, _ in LABELS.values()}) == len(LABELS)
    assert len({en for _, en in LABELS.values()}) == len(LABELS)
    assert {a.section for a in ATTRIBUTES.values()} == TITLES.keys()
    assert [module.__name__.rpartition(".")[2] for module in SECTIONS] == list(TITLES)


def test_every_attribute_ages_with_a_known_half_life(rule_set: RuleSet) -> None:
    known = set(rule_set.parameters["freshness_half_life"].value) | {"identity"}
    assert {a.ages for a in ATTRIBUTES.values()} <= known


def test_bounds_and_drift_name_attributes_that_are_numbers(rule_set: RuleSet) -> None:
    named = {
        *rule_set.parameters["profile_bounds"].value,
        *rule_set.parameters["drift_attributes"].value,
    }
    assert all(ATTRIBUTES[name].decimals is not None for name in named)


def test_credit_never_depends_on_consent(rule_set: RuleSet) -> None:
    free = set(rule_set.parameters["purposes_without_consent"].value)
    card = card_of(rule_set.parameters["credit_card"].value)
    used = {c.feature for c in card.characteristics} & ATTRIBUTES.keys()
    assert len(used) >= 4
    assert all(set(ATTRIBUTES[name].purposes) <= free for name in used)
    assert all(set(a.purposes) <= free for a in ATTRIBUTES.values() if a.section == "credit")


def test_the_page_is_current() -> None:
    assert catalogue_page.PAGE.read_text(encoding="utf-8") == catalogue_page.page()


def test_every_unit_is_read_in_both_languages() -> None:
    from lifecycle.commands.page import UNITS

    assert {a.unit for a in ATTRIBUTES.values()} <= UNITS.keys()
