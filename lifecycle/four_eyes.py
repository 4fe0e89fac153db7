"""Whether two names are two people. Names are of one directory, whether the system or Airflow says them."""

from __future__ import annotations


def is_second(checker: str, maker: str) -> bool:
    """Whether the one who decides is somebody, and not the one who asked."""
    name = checker.strip().casefold()
    return bool(name) and name != maker.strip().casefold()
