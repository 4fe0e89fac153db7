"""What an operator has to know, judged: the Operations page and `lifecycle status`. Pure.

Each tile says a value, its state by the thresholds of rules/operations/thresholds.yaml, when it was
measured, and how long it may be shown: a number that could not be read, or is too old, is unknown.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

Row = dict[str, Any]
State = Literal["good", "warn", "bad", "idle", "unknown"]
"""`idle` is neither good nor bad: there is nothing to judge yet."""

_ORDER: tuple[State, ...] = ("unknown", "bad", "warn", "good", "idle")


@dataclass
class Readings:
    """What could be read at `now`; a part that did not answer stands in `unavailable`, with why."""

    now: dt.datetime
    zone: ZoneInfo
    numbers: Row | None = None
    """What lifecycle.adapters.operations.read gives."""
    lag: dict[str, dict[str, int]] | None = None
    """topic -> partition -> records not consumed yet."""
    unavailable: dict[str, str] = field(default_factory=dict)


class Tile(msgspec.Struct, frozen=True):
    """One number an operator looks at."""

    id: str
    en: str
    zh: str
    value: int | str | None
    """None when it is unknown."""
    state: State
    note: str
    """What the value means or what to do, one short sentence."""
    measured_at: dt.datetime
    fresh_seconds: int
    """After this long the number is unknown."""


def snapshot(readings: Readings, figures: Mapping[str, Any]) -> Row:
    """Everything the page shows: {read_at, unknown, reconciliation, lag, state, tiles, ...}.

    Keys whose part did not answer are empty, and `unknown` names the part and why.
    """
    numbers = readings.numbers or {}
    today = readings.now.astimezone(readings.zone).date()
    facts = numbers.get("facts") or {"last_at": None, "day": None, "topics": []}
    books = reconciliation(numbers["counters"]) if numbers else {}
    lag = readings.lag or {}
    shown = {
        "read_at": readings.now,
        "unknown": readings.unavailable,
        "reconciliation": books,
        "lag": lag,
        "lag_total": total(lag) if readings.lag is not None else None,
        "facts_today": facts["topics"] if facts["day"] == today else [],
        "facts_last_day": facts,
        **{
            name: numbers.get(name, empty)
            for name, empty in (
                ("quarantine", []),
                ("parked", []),
                ("gaps", []),
                ("stopped", []),
                ("gates", []),
                ("alerts", []),
                ("deliveries", []),
                ("outbox", {}),
                ("nightly", None),
                ("proof", None),
                ("backfills", []),
                ("publications", []),
            )
        },
    }
    judged = tiles(readings, books, today, figures)
    return shown | {"state": worst(tile.state for tile in judged), "tiles": judged}


_ACCOUNTS = ("applied", "quarantined", "duplicates", "parked")
"""What becomes of a record: one of these, and only one."""


def reconciliation(counters: Row) -> Row:
    """in = applied + quarantined + duplicates + parked, and the rows that exist agree."""
    accounted = sum(counters[name] for name in _ACCOUNTS)
    return {
        "in": counters["received"],
        "applied": counters["applied"],
        "quarantined": counters["quarantined"],
        "duplicates": counters["duplicates"],
        "parked": counters["parked"],
        "balanced": counters["received"] == accounted
        and counters["applied"] == counters["logged"]
        and counters["quarantined"] == counters["held"]
        and counters["parked"] == counters["waiting"],
    }


def total(lag: Mapping[str, Mapping[str, int]]) -> int:
    """Records not consumed yet, over all partitions."""
    return sum(behind for partitions in lag.values() for behind in partitions.values())


def trouble(shown: Row) -> list[str]:
    """One sentence for each tile of the stream that is bad or unknown."""
    return [
        f"{tile.en}: {tile.note}"
        for tile in shown["tiles"]
        if tile.id in _STREAM and tile.state in ("bad", "unknown")
    ]


_STREAM = ("lag", "ingest", "stopped", "books", "parked", "gaps", "outbox")


def tiles(readings: Readings, books: Row, today: dt.date, figures: Mapping[str, Any]) -> list[Tile]:
    """All tiles, in the order of the page."""
    judge = _Judge(readings, today, figures)
    return [
        judge.books(books),
        judge.lag(),
        judge.ingest(),
        judge.stopped(),
        judge.facts(),
        judge.parked(),
        judge.gaps(),
        judge.alerts(),
        judge.deliveries(),
        judge.quarantine(),
        judge.gates(),
        judge.nightly(),
        judge.proof(),
        judge.served(),
        judge.backfills(),
        judge.outbox(),
    ]


_Judged = tuple[int | str | None, State, str]


class _Judge:
    """The state of each tile. Every method gives value, state and note of one tile."""

    def __init__(self, readings: Readings, today: dt.date, figures: Mapping[str, Any]) -> None:
        self._readings = readings
        self._numbers = readings.numbers
        self._today = today
        self._figures = figures

    def books(self, books: Row) -> Tile:
        if not books:
            return self._unknown("books", "Books", "对账")
        parts = " + ".join(f"{books[k]:,} {k}" for k in _ACCOUNTS)
        if books["balanced"]:
            return self._tile(
                "books", "Books", "对账", "balanced", "good", f"{books['in']:,} in = {parts}"
            )
        note = f"{books['in']:,} in is not {parts}, or the stored rows differ: this is an incident."
        return self._tile("books", "Books", "对账", "NOT balanced", "bad", note)

    def lag(self) -> Tile:
        if self._readings.lag is None:
            return self._unknown("lag", "Lag", "积压")
        behind = total(self._readings.lag)
        note = f"records wait in {_waiting_partitions(self._readings.lag)} partitions"
        return self._tile("lag", "Lag", "积压", behind, self._level("lag", behind), note)

    def ingest(self) -> Tile:
        name = ("ingest", "Ingest", "接收")
        if self._numbers is None or self._readings.lag is None:
            return self._unknown(*name)
        last = self._numbers["counters"]["last_batch_at"]
        if not total(self._readings.lag):
            note = f"the last batch was {self._ago(last)}" if last else "nothing has arrived yet"
            return self._tile(*name, "idle", "good" if last else "idle", note)
        # Nothing was ever committed: how long records have waited is not known, so be careful.
        state = self._level("stuck_minutes", self._minutes(last)) if last else "warn"
        if state == "good":
            return self._tile(*name, "moving", state, f"the last batch was {self._ago(last)}")
        note = f"records wait and the last batch was {self._ago(last)}: `lifecycle status`"
        return self._tile(*name, "stuck" if state == "bad" else "slow", state, note)

    def facts(self) -> Tile:
        name = ("facts", "Facts today", "今日事实")
        if self._numbers is None:
            return self._unknown(*name)
        facts = self._numbers["facts"]
        count = sum(row["facts"] for row in facts["topics"])
        if facts["day"] == self._today:
            return self._tile(*name, count, "good", f"the last one {self._ago(facts['last_at'])}")
        if facts["day"] is None:
            return self._tile(*name, 0, "idle", "no fact was ever accepted")
        return self._tile(
            *name, 0, "idle", f"the last day with facts, {facts['day']}, had {count:,}"
        )

    def alerts(self) -> Tile:
        name = ("alerts", "Open alerts", "未结预警")
        if self._numbers is None:
            return self._unknown(*name)
        rows = self._numbers["alerts"]
        hours = self._figures["acknowledge_hours"]
        late = [
            row["severity"]
            for row in rows
            if row["oldest_new"] and self._minutes(row["oldest_new"]) > 60 * hours[row["severity"]]
        ]
        new = sum(row["new"] for row in rows)
        note = f"{new:,} not acknowledged"
        if late:
            note += f"; {', '.join(late)} past the time to acknowledge"
        state: State = "good"
        if late:
            state = "bad" if {"P1", "P2"} & set(late) else "warn"
        return self._tile(*name, sum(row["open"] for row in rows), state, note)

    def deliveries(self) -> Tile:
        name = ("deliveries", "Undelivered", "待送达")
        if self._numbers is None:
            return self._unknown(*name)
        rows = self._numbers["deliveries"]
        waiting = sum(row["waiting"] for row in rows)
        if not waiting:
            return self._tile(*name, 0, "good", "every alert was brought to its owner")
        failing = [row["channel"] for row in rows if row["failing"]]
        oldest = min(row["oldest"] for row in rows)
        note = f"the oldest alert is from {self._ago(oldest)}"
        if failing:
            note += f"; failing: {', '.join(failing)}"
        state = self._level("delivery_minutes", self._minutes(oldest))
        return self._tile(*name, waiting, state, note)

    def quarantine(self) -> Tile:
        name = ("quarantine", "Quarantine", "隔离区")
        if self._numbers is None:
            return self._unknown(*name)
        rows = self._numbers["quarantine"]
        held = sum(row["rows"] for row in rows)
        note = "nothing is held"
        if held:
            note = f"{len(rows)} reasons; the oldest {self._ago(min(r['oldest'] for r in rows))}"
        return self._tile(*name, held, self._level("quarantine", held), note)

    def stopped(self) -> Tile:
        name = ("stopped", "Stopped partitions", "停读分区")
        if self._numbers is None:
            return self._unknown(*name)
        rows = self._numbers["stopped"]
        if not rows:
            return self._tile(*name, 0, "good", "every partition is read")
        return self._tile(*name, len(rows), "bad", why_stopped(rows[0]))

    def parked(self) -> Tile:
        name = ("parked", "Parked", "待定事实")
        if self._numbers is None:
            return self._unknown(*name)
        rows = self._numbers["parked"]
        if not rows:
            return self._tile(*name, 0, "good", "no fact waits for another")
        oldest = min(row["oldest"] for row in rows)
        note = f"most wait for a {rows[0]['waits_for']}; the oldest came {self._ago(oldest)}"
        state = self._level("parked_minutes", self._minutes(oldest))
        return self._tile(*name, sum(row["facts"] for row in rows), state, note)

    def gaps(self) -> Tile:
        name = ("gaps", "Sequence gaps", "序号断档")
        if self._numbers is None:
            return self._unknown(*name)
        rows = self._numbers["gaps"]
        if not rows:
            return self._tile(*name, 0, "good", "no producer left a number out")
        oldest = min(row["oldest"] for row in rows)
        note = (
            f"clients with a fact missing; the oldest gap opened {self._ago(oldest)}: "
            "`lifecycle gaps list`"
        )
        state = self._level("gap_minutes", self._minutes(oldest))
        return self._tile(*name, sum(row["clients"] for row in rows), state, note)

    def gates(self) -> Tile:
        name = ("gates", "Gates, 24 h", "质量闸门")
        if self._numbers is None:
            return self._unknown(*name)
        rows = self._numbers["gates"]
        runs, passed = (sum(row[key] for row in rows) for key in ("runs", "passed"))
        blocked = [row["stage"] for row in rows if row["blocked"]]
        if not runs:
            return self._tile(*name, "none", "idle", "no gate ran in the last 24 hours")
        value = f"{passed:,} / {runs:,}"
        if blocked:
            return self._tile(*name, value, "bad", f"blocked: {', '.join(blocked)}")
        if passed < runs:
            return self._tile(
                *name, value, "warn", "passed; the others warned or put rows in quarantine"
            )
        return self._tile(*name, value, "good", "passed")

    def nightly(self) -> Tile:
        name = ("nightly", "Last night", "夜间批处理")
        if self._numbers is None:
            return self._unknown(*name)
        night = self._numbers["nightly"]
        if night is None:
            return self._tile(*name, "none", "idle", "no night was run yet")
        value, status = str(night["business_date"]), night["status"]
        if status in ("BLOCKED", "FAILED"):
            return self._tile(*name, value, "bad", f"{status}: {night['reason']}")
        if status == "RUNNING":
            return self._tile(
                *name, value, "warn", f"running since {self._ago(night['started_at'])}"
            )
        hours = self._minutes(self._numbers["published_at"]) / 60
        return self._tile(
            *name,
            value,
            self._level("nightly_hours", hours),
            f"published {self._ago(night['finished_at'])}",
        )

    def proof(self) -> Tile:
        name = ("proof", "Proof", "重演证明")
        if self._numbers is None:
            return self._unknown(*name)
        proof = self._numbers["proof"]
        if proof is None:
            return self._tile(*name, "none", "idle", "nothing was proved yet")
        scope = (
            f"{proof['clients']:,} clients, {proof['events']:,} facts, {proof['alerts']:,} alerts"
        )
        if proof["equal"]:
            return self._tile(*name, "equal", "good", f"{scope}, {self._ago(proof['proved_at'])}")
        return self._tile(*name, "DIFFERENT", "bad", f"{scope}: `lifecycle prove` says where")

    def served(self) -> Tile:
        name = ("served", "Served", "对外服务")
        if self._numbers is None:
            return self._unknown(*name)
        rows = self._numbers["publications"]
        stale = [row["product"] for row in rows if row["stale"]]
        if not rows:
            return self._tile(*name, "none", "idle", "nothing was published yet")
        if stale:
            return self._tile(*name, f"{len(stale)} stale", "bad", ", ".join(stale))
        return self._tile(
            *name,
            str(max(row["as_of"] for row in rows)),
            "good",
            f"{len(rows)} products, none stale",
        )

    def backfills(self) -> Tile:
        name = ("backfills", "Backfills", "待补跑")
        if self._numbers is None:
            return self._unknown(*name)
        rows = self._numbers["backfills"]
        if not rows:
            return self._tile(*name, 0, "good", "no night waits to be run again")
        facts = sum(row["facts"] for row in rows)
        note = (
            f"nights that {facts:,} facts came too late for, the oldest "
            f"{rows[0]['business_date']}: `lifecycle backfill list`"
        )
        return self._tile(*name, len(rows), "warn", note)

    def outbox(self) -> Tile:
        name = ("outbox", "Outbox", "待发布")
        if self._numbers is None:
            return self._unknown(*name)
        outbox = self._numbers["outbox"]
        if not outbox["waiting"]:
            return self._tile(*name, 0, "good", "every decision has left for Kafka")
        state = self._level("outbox_minutes", self._minutes(outbox["oldest"]))
        return self._tile(*name, outbox["waiting"], state, f"oldest {self._ago(outbox['oldest'])}")

    # --- words and figures --------------------------------------------------------------------

    def _tile(
        self, id: str, en: str, zh: str, value: int | str | None, state: State, note: str
    ) -> Tile:
        fresh = int(self._figures["fresh_seconds"])
        return Tile(id, en, zh, value, state, note, self._readings.now, fresh)

    def _unknown(self, id: str, en: str, zh: str) -> Tile:
        why = " ".join(self._readings.unavailable.values()) or "it was not read"
        return self._tile(id, en, zh, None, "unknown", why)

    def _level(self, threshold: str, value: float) -> State:
        limits = self._figures[threshold]
        if value >= limits["bad"]:
            return "bad"
        return "warn" if value >= limits["warn"] else "good"

    def _minutes(self, since: dt.datetime) -> float:
        return (self._readings.now - since).total_seconds() / 60

    def _ago(self, since: dt.datetime | None) -> str:
        if since is None:
            return "never"
        return f"{duration(self._readings.now - since)} ago"


def duration(span: dt.timedelta) -> str:
    """A length of time as a person says it: 40 s, 12 min, 5 h, 3 d."""
    seconds = max(0, int(span.total_seconds()))
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def _waiting_partitions(lag: Mapping[str, Mapping[str, int]]) -> str:
    partitions = [n for topic in lag.values() for n in topic.values()]
    return f"{sum(1 for n in partitions if n)} of {len(partitions)}"


def why_stopped(row: Row) -> str:
    """Where a partition stands, why, and the command that fits: damage says itself what to decide,
    bad records are read on behind once their producer is mended."""
    place = f"{row['topic']} {row['partition']}"
    reason = str(row["reason"])
    if "`lifecycle offsets " not in reason:
        reason += f"; mend its producer, then `lifecycle offsets resume {place} --reason TEXT`"
    return f"{place} at {row['next_offset']:,}: {reason}"


def worst(states: Iterable[State]) -> State:
    """The state a person has to look at first."""
    return min(states, key=_ORDER.index, default="idle")
