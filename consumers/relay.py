"""The outbox relay: what PostgreSQL decided leaves for Kafka, at least once, in order of decision.

A relay that dies after a send sends again with the same key; receivers drop by alert id.
"""

from __future__ import annotations

import faulthandler
import threading
from collections.abc import Callable
from pathlib import Path

import structlog
from kafka import KafkaProducer
from kafka.errors import KafkaError

from consumers.logs import write_logs
from consumers.loop import RECONNECT_SECONDS_MAX, WATCHDOG_SECONDS
from consumers.topics import no_broker
from lifecycle.errors import NotRunning
from lifecycle.ports import Outbox, OutboxMessage

log = structlog.get_logger()

IDLE_SECONDS = 0.1
MESSAGES_MAX = 1_000
SEND_TIMEOUT_SECONDS = 30


def relay(
    open_outbox: Callable[[], Outbox],
    bootstrap_servers: str,
    stop: threading.Event,
    heartbeat: Path | None,
) -> None:
    """Publish waiting messages until `stop` is set; a lost database or broker is waited for."""
    write_logs()
    outbox: Outbox | None = None
    producer: KafkaProducer | None = None
    wait = IDLE_SECONDS
    while not stop.wait(wait):
        faulthandler.dump_traceback_later(WATCHDOG_SECONDS, exit=True)
        if heartbeat:
            heartbeat.touch()
        try:
            outbox = outbox or open_outbox()
            producer = producer or producer_for(bootstrap_servers)
            sent = outbox.publish(MESSAGES_MAX, lambda batch, to=producer: send(to, batch))
            wait = 0.0 if sent == MESSAGES_MAX else IDLE_SECONDS
        except (NotRunning, KafkaError) as error:
            log.warning("relay_waits", reason=str(error))
            if outbox:
                outbox.close()
            outbox = None
            wait = min(max(wait, IDLE_SECONDS) * 2, RECONNECT_SECONDS_MAX)
    faulthandler.cancel_dump_traceback_later()
    if outbox:
        outbox.close()
    if producer:
        producer.close()


def producer_for(bootstrap_servers: str) -> KafkaProducer:
    """An idempotent producer that waits for all replicas (kafka-python's default since 3.0)."""
    try:
        return KafkaProducer(
            bootstrap_servers=bootstrap_servers, acks="all", linger_ms=5, compression_type=None
        )
    except KafkaError as error:
        raise no_broker(bootstrap_servers, error) from error


def send(producer: KafkaProducer, batch: list[OutboxMessage]) -> None:
    """Send all and wait until the broker has them; raises KafkaError if one did not arrive."""
    futures = [producer.send(m.topic, key=m.key.encode(), value=m.value) for m in batch]
    producer.flush(timeout=SEND_TIMEOUT_SECONDS)
    for future in futures:
        future.get(timeout=SEND_TIMEOUT_SECONDS)
