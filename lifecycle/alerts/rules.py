"""The rule set: definitions and parameters from `rules/*.yaml`, frozen and hashed.

Every file holds `rules:` (alert rules) and/or `parameters:` (figures by name). A figure carries
value, unit, source, effective_from and verified; code refers to it by name only.
"""

from __future__ import annotations

import hashlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import yaml

from lifecycle.alerts.alert import Severity
from lifecycle.errors import UsageError


class Parameter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One figure, with where it comes from. `verified: false` marks expert knowledge."""

    value: Any
    unit: str
    source: str
    effective_from: str
    verified: bool


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One alert rule: who gets it, how grave it is, how long it keeps quiet, what it says."""

    id: str
    version: int
    severity: Severity
    owner: str
    """Roles joined by "+": RM, RO, CO, CP, MO, OPS."""
    suppress_days: int
    """How long, in event time, a repeat only counts on the alert that stands."""
    reopens: bool = True
    """Whether a repeat that is graver or much larger is an alert of its own."""
    title_zh: str
    title_en: str
    message_zh: str
    message_en: str
    parameters: dict[str, Parameter] = {}

    def figure(self, name: str) -> Any:
        """The value of a parameter of this rule."""
        return self.parameters[name].value

    def decimal(self, name: str) -> Decimal:
        """A parameter that is written as decimal text."""
        return Decimal(self.parameters[name].value)


class RuleSet(msgspec.Struct, frozen=True):
    """All rules and parameters in force, and the hash that names them."""

    hash: str
    content: str
    """Canonical JSON; `parse_rules(content)` gives the same rule set back."""
    rules: dict[str, Rule]
    parameters: dict[str, Parameter]


class _File(msgspec.Struct, forbid_unknown_fields=True):
    rules: list[Rule] = []
    parameters: dict[str, Parameter] = {}


def load_rules(folder: Path) -> RuleSet:
    """Read every *.yaml of a folder. Raises UsageError that names file and field."""
    files = sorted(folder.glob("*.yaml"))
    if not files:
        raise UsageError(f"There are no rules in {folder}: set LIFECYCLE_RULES to a rules folder.")
    rules: dict[str, Any] = {}
    parameters: dict[str, Any] = {}
    for path in files:
        parsed = _read(path)
        for rule in parsed.rules:
            _add(rules, rule.id, rule, path)
        for name, parameter in parsed.parameters.items():
            _add(parameters, name, parameter, path)
    content = json.dumps(
        msgspec.to_builtins({"rules": rules, "parameters": parameters}),
        sort_keys=True,
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return parse_rules(content)


def parse_rules(content: str) -> RuleSet:
    """A stored rule set back from its canonical JSON."""
    parts = json.loads(content)
    return RuleSet(
        hash=hashlib.sha256(content.encode()).hexdigest(),
        content=content,
        rules=msgspec.convert(parts["rules"], dict[str, Rule]),
        parameters=msgspec.convert(parts["parameters"], dict[str, Parameter]),
    )


def _read(path: Path) -> _File:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        return msgspec.convert(_text_dates(content or {}), _File)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        raise UsageError(f"The rule file {path} is not valid: {error}.") from error


def _text_dates(value: Any) -> Any:
    """YAML reads 2023-07-01 as a date; the rule set keeps plain text."""
    if isinstance(value, dict):
        return {key: _text_dates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_text_dates(item) for item in value]
    return value.isoformat() if hasattr(value, "isoformat") else value


def _add(into: dict[str, Any], name: str, item: Any, path: Path) -> None:
    if name in into:
        raise UsageError(f"{name} is defined twice; the second time in {path}: keep one.")
    into[name] = item
