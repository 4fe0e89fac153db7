"""A platform for one test that leaves it changed for good: more brokers, or more partitions."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lifecycle import platform, settings
from tests.chaos.rig import Rig


@contextmanager
def own_rig(*, brokers: int = 1, partitions: int = 8) -> Iterator[Rig]:
    """Empty tables on a platform of its own, which is gone when the block ends."""
    home = Path(tempfile.mkdtemp(prefix="lifecycle-own-"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("LIFECYCLE_PARTITIONS", str(partitions))
        try:
            platform.up(home, {"topics"}, brokers=brokers)
            rig = Rig(
                settings.load({
                    "LIFECYCLE_HOME": str(home),
                    "LIFECYCLE_PARTITIONS": str(partitions),
                })
            )
            rig.begin()
            yield rig
            rig.end()
            rig.close()
        finally:
            platform.down(home)
            shutil.rmtree(home, ignore_errors=True)
