"""Lag per partition: the broker's end offsets less the stored next offsets."""

from __future__ import annotations

from collections.abc import Mapping

from consumers.topics import source_offsets


def lag(
    bootstrap_servers: str, partitions: int, stored: Mapping[tuple[str, int], int]
) -> dict[str, dict[str, int]]:
    """topic -> partition -> records not consumed yet. Raises NotRunning without a broker.

    `stored` are the next offsets of the offset rows, by (topic, partition); they are read before
    the broker is asked, so a moving stream shows a little more lag than it has, never less.
    """
    found: dict[str, dict[str, int]] = {}
    for (topic, partition), end in source_offsets(bootstrap_servers, partitions, "end").items():
        found.setdefault(topic, {})[str(partition)] = max(
            # An offset past the end counts nothing: it must not hide what waits elsewhere.
            0,
            end - stored.get((topic, partition), 0),
        )
    return found
