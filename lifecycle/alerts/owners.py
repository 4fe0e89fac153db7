"""Who owns alerts and by which channels they are reached. Pure: names only, no sending."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from lifecycle.errors import UsageError

ROLES = ("RM", "RO", "CO", "CP", "MO", "OPS")
"""Relationship manager, risk, compliance, consumer protection, model owner, operations."""

CONFIDENTIAL = "CO"
"""Money-laundering suspicions: telling the client is an offence, so who serves the client is not
told either."""
SERVES_CLIENT = "RM"


class Owner(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One role: its names, its mail address, its channels (see rules/operations/owners.yaml)."""

    zh: str
    en: str
    mail: str
    channels: tuple[str, ...]


def parse_owners(value: Any) -> dict[str, Owner]:
    """Role -> owner. Raises UsageError for a missing or unknown role, or one that CO shares with."""
    try:
        owners = msgspec.convert(value, dict[str, Owner])
    except msgspec.ValidationError as error:
        raise UsageError(f"The owners in rules/operations/owners.yaml: {error}.") from error
    if set(owners) != set(ROLES):
        raise UsageError(
            f"rules/operations/owners.yaml names the roles {', '.join(sorted(owners))}: "
            f"it has to name {', '.join(ROLES)}, each once."
        )
    for role, owner in owners.items():
        shared = _reached_by(owner) & _reached_by(owners[CONFIDENTIAL])
        if role != CONFIDENTIAL and shared:
            raise UsageError(
                f"rules/operations/owners.yaml lets {role} and {CONFIDENTIAL} share "
                f"{', '.join(sorted(shared))}: compliance needs channels of its own."
            )
    return owners


def _reached_by(owner: Owner) -> set[str]:
    addresses = {owner.mail} if "mail" in owner.channels else set()
    return addresses | (set(owner.channels) - {"file", "mail"})


def channel_names(owners: Mapping[str, Owner]) -> list[str]:
    """Every channel there is, as ROLE:kind."""
    return [f"{role}:{kind}" for role, owner in owners.items() for kind in owner.channels]


def routes(owner: str, owners: Mapping[str, Owner]) -> list[str]:
    """Channels of an alert's owner, which is one role or several joined by "+".

    What compliance owns never goes to the relationship manager. A role nobody knows has none.
    """
    roles = [role for role in dict.fromkeys(owner.split("+")) if role in owners]
    if CONFIDENTIAL in roles:
        roles = [role for role in roles if role != SERVES_CLIENT]
    return channel_names({role: owners[role] for role in roles})
