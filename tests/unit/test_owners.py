"""Who is reached for which alert, and that compliance is never shared."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from lifecycle.alerts.owners import ROLES, channel_names, parse_owners, routes
from lifecycle.alerts.rules import RuleSet, load_rules
from lifecycle.errors import UsageError
from lifecycle.settings import ROOT


@pytest.fixture
def written() -> dict[str, Any]:
    rules = load_rules(ROOT / "rules" / "operations")
    return copy.deepcopy(rules.parameters["owners"].value)


def test_every_owner_of_every_rule_is_reached(written: dict[str, Any], rule_set: RuleSet) -> None:
    owners = parse_owners(written)
    assert rule_set.rules
    for rule in rule_set.rules.values():
        assert set(rule.owner.split("+")) <= set(ROLES)
        assert routes(rule.owner, owners)


def test_two_roles_are_both_reached_once(written: dict[str, Any]) -> None:
    owners = parse_owners(written)
    assert routes("RM+RO", owners) == ["RM:file", "RM:mail", "RO:file", "RO:mail"]
    assert routes("RM+RM", owners) == ["RM:file", "RM:mail"]


@pytest.mark.parametrize("owner", ["CO", "CO+RM", "RM+CO"])
def test_compliance_never_reaches_the_relationship_manager(
    owner: str, written: dict[str, Any]
) -> None:
    assert routes(owner, parse_owners(written)) == ["CO:file", "CO:mail"]


def test_an_unknown_role_has_no_route(written: dict[str, Any]) -> None:
    assert routes("XX", parse_owners(written)) == []


def test_an_address_shared_with_compliance_is_refused(written: dict[str, Any]) -> None:
    written["RM"]["mail"] = written["CO"]["mail"]
    with pytest.raises(UsageError, match="RM and CO share co@localhost"):
        parse_owners(written)


def test_a_webhook_shared_with_compliance_is_refused(written: dict[str, Any]) -> None:
    for role in ("CO", "OPS"):
        written[role]["channels"] = ["file", "LIFECYCLE_CHANNEL_TEAM"]
    with pytest.raises(UsageError, match="OPS and CO share LIFECYCLE_CHANNEL_TEAM"):
        parse_owners(written)


def test_a_missing_role_is_refused(written: dict[str, Any]) -> None:
    del written["CP"]
    with pytest.raises(UsageError, match="it has to name RM, RO, CO, CP, MO, OPS"):
        parse_owners(written)


def test_a_misspelt_field_is_refused(written: dict[str, Any]) -> None:
    written["RM"]["chanels"] = []
    with pytest.raises(UsageError, match="chanels"):
        parse_owners(written)


def test_channels_are_named_by_role(written: dict[str, Any]) -> None:
    names = channel_names(parse_owners(written))
    assert len(names) == len(set(names)) == 12
    assert {name.partition(":")[0] for name in names} == set(ROLES)
