"""The attributes of the profile, a module for each section; a function is found by its attribute's
name. To add one, write the function here and nothing else: `ATTRIBUTES` finds it."""

from __future__ import annotations

from types import ModuleType

from lifecycle.clients.attribute import Attribute
from lifecycle.clients.attributes import (
    balances,
    cashflow,
    company,
    contact,
    credit,
    identity,
    income,
    products,
)

SECTIONS: tuple[ModuleType, ...] = (
    identity,
    income,
    cashflow,
    balances,
    products,
    credit,
    contact,
    company,
)

ATTRIBUTES: dict[str, Attribute] = {
    made.name: made
    for section in SECTIONS
    for made in vars(section).values()
    if isinstance(made, Attribute)
}
"""Attribute by name, in the order people read them."""
