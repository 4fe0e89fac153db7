"""The least anybody does between a record and an alert in the database: poll, insert, commit.

No decoding, no gate, no inbox, no log, no state. What it takes is the limit of the broker, the
client and the database. Started as a process: `python -m benchmarks.ingest_job.floor '{...}'`.
"""

from __future__ import annotations

import json
import re
import sys

import psycopg
from kafka import KafkaConsumer, TopicPartition

from lifecycle.events.catalogue import ACCOUNT

_ALERTED = re.compile(rb'"id":"([^"]+)".*"balance_after":"-').search


def main() -> None:
    """Read one JSON argument; run until it is ended."""
    asked = json.loads(sys.argv[1])
    consumer = KafkaConsumer(
        bootstrap_servers=asked["bootstrap"],
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
    )
    consumer.assign([TopicPartition(ACCOUNT, p) for p in asked["partitions"]])
    taken = 0
    print("ready", flush=True)
    with psycopg.connect(asked["database"]) as connection:
        while True:
            found = []
            for records in consumer.poll(timeout_ms=50).values():
                taken += len(records)
                found += [m[1].decode() for r in records if (m := _ALERTED(r.value))]
            connection.cursor().executemany(
                "INSERT INTO plain.alerts (rule, client, event_id) VALUES ('FLOOR', '', %s)",
                [(event_id,) for event_id in found],
            )
            connection.execute("UPDATE plain.offsets SET off = %s WHERE part = 0", (taken,))
            connection.commit()


if __name__ == "__main__":
    main()
