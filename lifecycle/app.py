"""The composition root: the only file that names concrete adapters.

The command line, the DAGs and the Airflow page call these functions; each imports what it needs
when it is called, so that importing this module stays cheap.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path

from lifecycle.settings import Settings


def migrate(settings: Settings) -> None:
    """Create the bank's and Airflow's databases and bring the bank's schema up to date."""
    from lifecycle.adapters.postgres import create_database, migrate

    create_database(settings.database_url)
    create_database(settings.database_url.replace("/bank?", "/airflow?"))
    migrate(settings.database_url)


def bootstrap(settings: Settings) -> int:
    """Create topics and offset rows that do not exist; return how many rows were created."""
    from consumers.topics import bootstrap
    from lifecycle.adapters.ingest_store import PostgresOffsetBook

    return bootstrap(
        settings.kafka_bootstrap,
        settings.partitions,
        settings.consumer_group,
        PostgresOffsetBook(settings.database_url),
    )


def consume(settings: Settings, stop: threading.Event) -> None:
    """Run one consumer until `stop` is set."""
    from consumers.loop import Loop, Ownership, kafka_consumer
    from expectations.gate import GreatExpectationsGate
    from lifecycle.adapters.ingest_store import PostgresIngestStore, PostgresOffsetBook
    from lifecycle.alerts.decide import decider
    from lifecycle.alerts.rules import load_rules

    rule_set = load_rules(settings.rules)
    gate = GreatExpectationsGate()
    ownership = Ownership(PostgresOffsetBook(settings.database_url), settings.consumer_group)
    loop = Loop(
        lambda: kafka_consumer(settings.kafka_bootstrap, settings.consumer_group, ownership),
        ownership,
        gate=gate,
        open_store=lambda: PostgresIngestStore(
            settings.database_url,
            group=settings.consumer_group,
            consumer=f"{os.uname().nodename}/{os.getpid()}",
            code_version=settings.code_version,
            rules=rule_set,
        ),
        rules=decider(rule_set),
        heartbeat=_heartbeat(),
    )
    loop.run(stop)


def relay(settings: Settings, stop: threading.Event) -> None:
    """Run the outbox relay until `stop` is set."""
    from consumers.relay import relay
    from lifecycle.adapters.ingest_store import PostgresOutbox

    relay(
        lambda: PostgresOutbox(settings.database_url),
        settings.kafka_bootstrap,
        stop,
        _heartbeat(),
    )


def _heartbeat() -> Path | None:
    path = os.environ.get("LIFECYCLE_HEARTBEAT")
    return Path(path) if path else None
