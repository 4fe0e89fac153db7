"""The typologies, a module for what they look at; a function is found by its code. To add one, write
the function here and its figures in rules/aml.yaml, and nothing else."""

from __future__ import annotations

from types import ModuleType

from lifecycle.risk.aml.typologies import amounts, movements, partners, peers, standing
from lifecycle.risk.aml.typology import Typology

MODULES: tuple[ModuleType, ...] = (amounts, movements, partners, peers, standing)

TYPOLOGIES: dict[str, Typology] = {
    made.code: made
    for made in sorted(
        (m for module in MODULES for m in vars(module).values() if isinstance(m, Typology)),
        key=lambda made: made.code,
    )
}
"""Typology by code."""
