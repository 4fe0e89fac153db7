"""What fits models, and is installed only with the extra `models`; scoring with a scorecard needs none."""

from __future__ import annotations

from importlib.util import find_spec

from lifecycle.errors import UsageError

FITTING = ("optbinning", "sklearn", "lightgbm")


def need(modules: tuple[str, ...]) -> None:
    """Raises UsageError for modules that are not installed."""
    if lacking := [name for name in modules if find_spec(name) is None]:
        raise UsageError(
            f"This needs {', '.join(lacking)}, which is not installed: install lifecycle[models]."
        )
