"""Lag per partition: the broker's end offsets less the stored next offsets."""

from __future__ import annotations

from collections.abc import Mapping

from consumers.topics import source_offsets


def lag(
    bootstrap_servers: str, partitions: int, stored: Mapping[tuple[str, int], int]
) -> dict[str, dict[str, int]]:
    """topic -> partition -> records not consumed yet. Raises NotRunning without a broker."""
    _, ends = source_offsets(bootstrap_servers, partitions)
    found: dict[str, dict[str, int]] = {}
    for (topic, partition), end in sorted(ends.items()):
        found.setdefault(topic, {})[str(partition)] = end - stored.get((topic, partition), 0)
    return found
