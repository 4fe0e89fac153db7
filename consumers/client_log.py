"""What the Kafka client warns of, for the operator: the library keeps it to itself by default."""

from __future__ import annotations

import logging


def show_client_warnings() -> None:
    """Write the client's warnings and errors to stderr, once per process."""
    client = logging.getLogger("kafka")
    if any(isinstance(handler, logging.StreamHandler) for handler in client.handlers):
        return
    shown = logging.StreamHandler()
    shown.setLevel(logging.WARNING)
    shown.setFormatter(logging.Formatter("%(asctime)s [%(levelname)s] %(name)s: %(message)s"))
    client.addHandler(shown)
