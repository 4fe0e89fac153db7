"""The plain pipeline a good engineer writes first, on the same records: what the product is held to.

kafka-python, the same typed decoding, one Great Expectations validation with the complete result
per 5,000 rows, an inbox with ON CONFLICT, binary COPY, a small fold with three rules, offsets moved
by compare-and-swap in the same transaction. No parking, no business keys, no alerts' evidence, no
replay. Started as a process: `python -m benchmarks.ingest_job.reference '{"bootstrap": ...}'`.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
import time
from typing import Any

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd
import psycopg
from kafka import KafkaConsumer, TopicPartition

from benchmarks.ingest_job.rules import State, fold, money
from benchmarks.ingest_job.tables import STAGES, copy_events, event_row, put_states, state_row
from lifecycle.events import Event, InvalidEvent, decode
from lifecycle.events.catalogue import ACCOUNT

ROWS = 5_000
WINDOW_MS = 250


def _expectations() -> list[gxe.Expectation]:
    known = ["bank.account.transaction_posted.v1", "bank.account.opened.v1"]
    return [
        gxe.ExpectTableRowCountToBeBetween(min_value=1),
        gxe.ExpectColumnValuesToNotBeNull(column="id"),
        gxe.ExpectColumnValueLengthsToEqual(column="id", value=36),
        gxe.ExpectColumnValuesToMatchRegex(column="client", regex=r"^C\d+$"),
        gxe.ExpectColumnValuesToNotBeNull(column="amount"),
        gxe.ExpectColumnValuesToBeBetween(column="amount", min_value=0, max_value=10**15),
        gxe.ExpectColumnValuesToNotBeNull(column="balance"),
        gxe.ExpectColumnValuesToBeInSet(column="currency", value_set=["CNY", "USD"]),
        gxe.ExpectColumnValuesToBeInSet(column="side", value_set=["CRDT", "DBIT"]),
        gxe.ExpectColumnValuesToBeInSet(column="type", value_set=known),
        gxe.ExpectColumnValuesToMatchRegex(column="account", regex=r"^B\d+$"),
        gxe.ExpectColumnValuesToBeUnique(column="place"),
    ]


class Reference:
    """One process on its partitions."""

    def __init__(self, bootstrap: str, database: str, partitions: list[int]) -> None:
        logging.getLogger("great_expectations").setLevel(logging.ERROR)
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        asset = context.data_sources.add_pandas("plain").add_dataframe_asset("rows")
        self._batches = asset.add_batch_definition_whole_dataframe("all")
        self._suite = gx.ExpectationSuite(name="plain", expectations=_expectations())
        self._connection = psycopg.connect(database)
        self._cursor = self._connection.cursor()
        self._cursor.execute("CREATE TEMP TABLE ids (id text) ON COMMIT DELETE ROWS")
        self._cursor.execute(STAGES)
        self._connection.commit()
        rows = self._cursor.execute("SELECT part, off FROM plain.offsets").fetchall()
        self._offsets = {part: off for part, off in rows if part in partitions}
        self._states: dict[str, State] = {}
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap, enable_auto_commit=False, max_poll_records=ROWS
        )
        places = [TopicPartition(ACCOUNT, part) for part in partitions]
        self._consumer.assign(places)
        for place in places:
            self._consumer.seek(place, self._offsets[place.partition])

    def run(self, stop: int) -> dict[str, float]:
        """Take `stop` records in; return seconds of wall and of CPU from the first batch on."""
        waiting: list[Any] = []
        taken, first_at = 0, 0.0
        started = cpu = 0.0
        while taken < stop:
            polled = self._consumer.poll(timeout_ms=50, max_records=ROWS - len(waiting))
            records = [r for batch in polled.values() for r in batch]
            if records and not waiting:
                first_at = time.monotonic()
                if not started:
                    started, cpu = time.perf_counter(), time.process_time()
            waiting += records
            due = (time.monotonic() - first_at) * 1000 >= WINDOW_MS
            if waiting and (len(waiting) >= ROWS or due):
                self._take(waiting)
                taken += len(waiting)
                waiting = []
        return {
            "seconds": time.perf_counter() - started,
            "cpu": time.process_time() - cpu,
            "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        }

    def _take(self, records: list[Any]) -> None:
        events, bad, ends = [], [], {}
        for r in records:
            ends[r.partition] = r.offset + 1
            try:
                event = decode(r.value, r.key, r.topic, r.partition, r.offset)
                events.append((event, r.value))
            except InvalidEvent as error:
                bad.append((r.partition, r.offset, error.reason, r.value))
        rows = [_row(event) for event, _ in events]
        ok, refused = self._gate(rows) if rows else (True, set())
        bad += [(*rows[i]["place"], "gate", b"") for i in refused]
        kept = [pair for i, pair in enumerate(events) if i not in refused]
        new = self._new([event.id for event, _ in kept])
        fresh = [(e, v) for e, v in kept if e.id in new and not new.discard(e.id)]  # type: ignore[func-returns-value]
        alerts: list[tuple[Any, ...]] = []
        touched: dict[str, State] = {}
        for event, _ in fresh:
            state = self._states.setdefault(event.client_id, State())
            touched[event.client_id] = state
            fold(state, event, alerts)
        self._write(fresh, bad, alerts, touched, ok)
        for part, end in ends.items():
            self._cursor.execute(
                "UPDATE plain.offsets SET off = %s WHERE part = %s AND off = %s",
                (end, part, self._offsets[part]),
            )
            assert self._cursor.rowcount == 1, "fenced"
            self._offsets[part] = end
        self._connection.commit()

    def _gate(self, rows: list[dict[str, Any]]) -> tuple[bool, set[int]]:
        frame = pd.DataFrame(rows)
        frame["place"] = [f"{p}/{o}" for p, o in frame["place"]]
        result = self._batches.get_batch({"dataframe": frame}).validate(
            self._suite,
            result_format={"result_format": "COMPLETE", "return_unexpected_index_query": False},
        )
        refused: set[int] = set()
        for outcome in result.results:
            if not outcome.success:
                refused.update(outcome.result.get("unexpected_index_list") or ())
        return bool(result.success), refused

    def _new(self, ids: list[str]) -> set[str]:
        with self._cursor.copy("COPY ids FROM STDIN") as copy:
            copy.write("".join(f"{i}\n" for i in ids))
        self._cursor.execute(
            "INSERT INTO plain.inbox SELECT id FROM ids ON CONFLICT DO NOTHING RETURNING id"
        )
        return {row[0] for row in self._cursor.fetchall()}

    def _write(
        self,
        fresh: list[tuple[Event, bytes]],
        bad: list[tuple[Any, ...]],
        alerts: list[tuple[Any, ...]],
        touched: dict[str, State],
        ok: bool,
    ) -> None:
        cursor = self._cursor
        copy_events(cursor, (event_row(event, value) for event, value in fresh))
        cursor.executemany("INSERT INTO plain.quarantine VALUES (%s, %s, %s, %s)", bad)
        cursor.executemany(
            "INSERT INTO plain.alerts (rule, client, event_id, value, time) "
            "VALUES (%s, %s, %s, %s, %s)",
            alerts,
        )
        put_states(cursor, (state_row(client, state) for client, state in touched.items()))
        cursor.execute("INSERT INTO plain.gates VALUES (%s, %s)", (len(fresh), ok))


def _row(event: Event) -> dict[str, Any]:
    amount, side, balance = money(event)
    return {
        "id": event.id,
        "client": event.client_id,
        "type": event.type,
        "account": event.data.account_id,
        "amount": amount,
        "side": side,
        "balance": balance,
        "currency": event.data.currency,
        "place": (event.partition, event.offset),
    }


def main() -> None:
    """Read one JSON argument, take the records in, print one JSON line."""
    asked = json.loads(sys.argv[1])
    reference = Reference(asked["bootstrap"], asked["database"], asked["partitions"])
    print("ready", flush=True)
    print(json.dumps(reference.run(asked["stop"])), flush=True)


if __name__ == "__main__":
    main()
