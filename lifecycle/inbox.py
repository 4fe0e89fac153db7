"""Which facts are new: identity by (source, id), and by business key. Pure.

same source and id, same data          -> duplicate
same source and id, other data         -> ID_REUSE
same business key, same data           -> duplicate
same business key, other data          -> a correction when its sequence is higher,
                                          else IDEMPOTENCY_CONFLICT
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from lifecycle.events import Event, business_key, event_key
from lifecycle.ports import Identity, Seen


class Sorted(msgspec.Struct, frozen=True):
    """Positions in the batch by what became of them, each in order of arrival."""

    new: list[int]
    duplicates: list[int]
    refused: dict[int, str]
    """Position -> ID_REUSE or IDEMPOTENCY_CONFLICT."""
    corrections: dict[int, bytes]
    """Position of a new fact -> event key of the fact it corrects."""


def identify(event: Event) -> Identity:
    """The identity of a fact; every part is a digest, so nothing personal is kept."""
    name = f"{event.type}\0{business_key(event.data, event.time)}".encode()
    return Identity(
        event_key(event.source, event.id),
        hashlib.blake2b(name, digest_size=16).digest(),
        hashlib.sha256(event.body).digest(),
        event.sequence,
    )


def sort(identities: Mapping[int, Identity], seen: Seen) -> Sorted:
    """Sort a batch, in order of arrival, against what was seen before and against itself."""
    ids: dict[bytes, bytes] = {}
    keys = dict(seen.keys)
    found = Sorted([], [], {}, {})
    for i, identity in identities.items():
        digest = ids.get(identity.event_key) or seen.ids.get(identity.event_key)
        if digest is not None:
            if digest == identity.digest:
                found.duplicates.append(i)
            else:
                found.refused[i] = "ID_REUSE"
            continue
        holder = keys.get(identity.business_key)
        if holder is not None:
            if holder.digest == identity.digest:
                found.duplicates.append(i)
                continue
            if identity.sequence <= holder.sequence:
                found.refused[i] = "IDEMPOTENCY_CONFLICT"
                continue
            found.corrections[i] = holder.event_key
        found.new.append(i)
        ids[identity.event_key] = identity.digest
        keys[identity.business_key] = identity
    return found
