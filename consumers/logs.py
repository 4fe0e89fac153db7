"""What a consumer process writes for its operator: one JSON object a line on stderr.

Events name places, counts and reasons, never what a record holds.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

_SHARED: list[Any] = [
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def write_logs() -> None:
    """Set up this process's log: people at a terminal read lines, everything else reads JSON.

    The Kafka client's warnings come along, which the library keeps to itself by default.
    """
    render: Any = (
        structlog.dev.ConsoleRenderer()
        if sys.stderr.isatty()
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[*_SHARED, render],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*_SHARED, structlog.stdlib.add_logger_name, _without_stack],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    client = logging.getLogger("kafka")
    client.handlers = [handler]
    client.propagate = False


def _without_stack(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """The client says the error itself; where in its code it happened helps no operator."""
    event.pop("exc_info", None)
    event["_record"].exc_info = None
    event["_record"].exc_text = None
    return event
