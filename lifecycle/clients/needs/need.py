"""What a need of a client is, and what it is told from (product specification §2.7)."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Literal

import msgspec

from lifecycle.clients.attribute import NullReason
from lifecycle.events.fields import ClientType, Purpose

NeedCode = Literal[
    "EDU_SAVING",
    "RETIREMENT",
    "DIVERSIFY",
    "LIQUIDITY",
    "CASH_MGMT",
    "FINANCING",
    "WORKING_CAPITAL",
    "FX_HEDGE",
    "PROTECTION",
]
EvidenceClass = Literal["EXPLICIT", "IMPLICIT", "LATENT"]
"""The client said it; its behaviour points to it; its profile does, and it may not know."""
NeedState = Literal["HYPOTHESIS", "CONFIRMED", "ADDRESSED", "REJECTED"]

OPEN_STATES: tuple[NeedState, ...] = ("HYPOTHESIS", "CONFIRMED")

NEEDS_OF: dict[ClientType, tuple[NeedCode, ...]] = {
    "INDIVIDUAL": (
        "EDU_SAVING",
        "RETIREMENT",
        "DIVERSIFY",
        "LIQUIDITY",
        "CASH_MGMT",
        "FINANCING",
        "FX_HEDGE",
        "PROTECTION",
    ),
    "CORPORATE": ("CASH_MGMT", "WORKING_CAPITAL", "FX_HEDGE"),
}


def inference(code: NeedCode) -> frozenset[Purpose]:
    """What the client must have consented to before this need may be inferred at all. Whatever
    points to schooling points to a child, also where no child was declared."""
    if code == "EDU_SAVING":
        return frozenset({"P2_PROFILE", "P6_SENSITIVE"})
    return frozenset({"P2_PROFILE"})


class Mention(msgspec.Struct, frozen=True, kw_only=True):
    """A need that came up: `need.declared` (EXPLICIT), or a tag of `interaction.logged`."""

    need_code: str
    need_class: Literal["EXPLICIT", "IMPLICIT"]
    strength: int
    """1 to 3."""
    time: dt.datetime
    """In the bank's zone, so that its date is a day of the bank."""
    event_id: str


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What the client did about a need: said yes to it, said no, bought what serves it."""

    need_code: str
    kind: Literal["CONFIRMED", "DECLINED", "SOLD"]
    time: dt.datetime
    """In the bank's zone."""
    event_id: str


class Input(msgspec.Struct, frozen=True):
    """An attribute or a figure that was used, as it was."""

    name: str
    value: str
    unit: str


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One reason to believe in a need, as strong as `weight` (0 to 1)."""

    code: str
    need_class: EvidenceClass
    weight: Decimal
    inputs: tuple[Input, ...]
    source_event_ids: tuple[str, ...]
    date: dt.date
    """Since when it is known."""
    purposes: frozenset[Purpose]
    zh: str
    en: str


class Amount(msgspec.Struct, frozen=True):
    """One figure of the size of a need; the unit is a currency, or a currency a year or a month."""

    name: str
    value: Decimal
    unit: str


class Quantity(msgspec.Struct, frozen=True, kw_only=True):
    """How large a need is, and from what that was worked out."""

    amounts: tuple[Amount, ...] = ()
    inputs: tuple[Input, ...] = ()
    purposes: frozenset[Purpose] = frozenset()
    null_reason: NullReason | None = None
    """Why there are no amounts."""
    lacks: tuple[str, ...] = ()
    """The attributes and figures that are unknown; never one that the client keeps to itself."""


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """One need of one client as of a business date."""

    need_code: NeedCode
    score: Decimal
    """0 to 100, with one decimal."""
    need_class: EvidenceClass | None
    """Of the strongest evidence; None where only an answer of the client is left."""
    state: NeedState
    since: dt.date
    suppressed_until: dt.date | None
    """The first day on which a rejected need may be raised again."""
    offer: bool
    """May a product be proposed for it, as far as the need itself goes."""
    evidences: tuple[Evidence, ...]
    """At most three, strongest first."""
    quantity: Quantity
    needs_consent: tuple[Purpose, ...]
    """Purposes that whoever sees this must have the client's consent for."""
    text_zh: str
    text_en: str
