"""The ports: what the core needs from the outside, and the small records that cross them.

Every port has one contract suite in tests/contract/ that runs on all its adapters, the
in-memory ones of `lifecycle.adapters.memory` included.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, Self

import msgspec

from lifecycle.alerts.alert import Alert, Repeat
from lifecycle.clients.state import ClientState
from lifecycle.events import Event, Outgoing

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

    from lifecycle.alerts.late import LateAlert, LateFact
    from lifecycle.alerts.models import ModelAlert, Reading
    from lifecycle.alerts.nightly import NightlyAlert
    from lifecycle.alerts.rules import RuleSet
    from lifecycle.clients.consent import ConsentFact
    from lifecycle.clients.lifecycle import Transition
    from lifecycle.clients.summary import Summary
    from lifecycle.clients.tasks import Task
    from lifecycle.models.life import (
        Change,
        ModelType,
        Move,
        Proposal,
        Registered,
        Request,
        RequestStatus,
        Status,
    )
    from lifecycle.proof import Proof

Action = Literal["quarantine", "block", "warn"]


class EventSource(Protocol):
    """What makes events: a bank's history, a simulated bank, a file."""

    name: str
    """URI-reference of the producing system, e.g. /replay/berka."""

    def events(self, first: dt.date | None, last: dt.date | None) -> Iterator[Outgoing]:
        """Events with business date in [first, last], in event-time order; same call, same bytes."""

    def count(self) -> int | None:
        """How many events there are in all, if that is cheap to know."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One Kafka record as read: raw bytes, nothing decoded."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class Failure(msgspec.Struct, frozen=True):
    """One expectation that did not hold."""

    expectation: str
    """Rule id, e.g. raw-05."""
    reason: str
    """Machine-readable reason, e.g. SCHEMA."""
    action: Action
    rows: tuple[int, ...]
    """Positions of the rows that broke it; empty when the expectation is about the whole."""
    count: int
    """How many rows broke it (0 when it is about the whole)."""
    reason_zh: str
    reason_en: str


class Verdict(msgspec.Struct, frozen=True):
    """What a gate says of one batch. `success` only if every expectation was evaluated and held."""

    stage: str
    success: bool
    rows: int
    evaluated: int
    expected: int
    milliseconds: float
    failures: tuple[Failure, ...]

    @property
    def blocking(self) -> tuple[Failure, ...]:
        return tuple(f for f in self.failures if f.action == "block")

    def quarantined(self) -> dict[int, Failure]:
        """Row position -> the first expectation it failed."""
        rows: dict[int, Failure] = {}
        for failure in self.failures:
            if failure.action == "quarantine":
                for row in failure.rows:
                    rows.setdefault(row, failure)
        return rows


class Gate(Protocol):
    """Data quality at one stage."""

    def check(self, stage: str, columns: Mapping[str, Any], rows: int) -> Verdict:
        """Judge `rows` rows given as named columns (sequences or numpy arrays of that length).

        Fails closed: no rows, an expectation that was not evaluated, an exception or a row
        count that differs is a failure with action "block".
        """


class Quarantined(msgspec.Struct, frozen=True):
    """A record that is kept out, whole, with its reason."""

    record: Record
    reason: str
    detail: str
    expectation: str
    """Rule id of the expectation it failed, e.g. raw-05."""
    event_id: str | None
    client_id: str | None


class OffsetMove(msgspec.Struct, frozen=True):
    """One partition's step: `start` is the stored next offset, `end` the new one."""

    topic: str
    partition: int
    start: int
    end: int
    received: int
    quarantined: int
    duplicates: int
    parked: int


class Stop(msgspec.Struct, frozen=True):
    """A partition that is not read on until a person says so."""

    topic: str
    partition: int
    reason: str


class Identity(msgspec.Struct, frozen=True, gc=False):
    """By what a fact is known again; digests only."""

    event_key: bytes
    """16 bytes: CloudEvents source and id."""
    business_key: bytes
    """16 bytes: event type and business key."""
    digest: bytes
    """32 bytes: sha256 of `data` as it stood on the wire."""
    sequence: int


class Seen(NamedTuple):
    """What the inbox holds of the identities it was asked for."""

    ids: Mapping[bytes, bytes]
    """Event key -> digest."""
    keys: dict[bytes, Identity]
    """Business key -> the newest fact that has it."""


class Arrived(NamedTuple):
    """A fact with the bytes it came in."""

    event: Event
    payload: bytes
    key: bytes
    """Its event key."""
    quarantine_id: int | None = None
    """The quarantined record it was released from."""


class Parked(NamedTuple):
    """A fact that waits for another one."""

    arrived: Arrived
    waits_for: str
    """The entity it refers to and nobody introduced yet: facility/L-17."""
    parked_id: int | None = None
    """Its row; None when it came with this batch."""


class OutboxMessage(msgspec.Struct, frozen=True):
    """A record to publish once the transaction stands."""

    topic: str
    key: str
    value: bytes


class RaisedAlert(msgspec.Struct, frozen=True):
    """A new alert and the client state its rule's fact met."""

    alert: Alert
    state_before: ClientState


class Release(NamedTuple):
    """A record that comes back from quarantine, and who let it."""

    quarantine_id: int
    request_id: int
    checker: str


class Batch(msgspec.Struct, frozen=True):
    """One micro-batch as it is stored: all of it, or nothing."""

    ingested_at: dt.datetime
    rules_hash: str
    verdict: Verdict
    facts: list[Arrived]
    """Applied facts in the order they were folded: this batch's, and those that had waited."""
    states: dict[str, ClientState]
    facts_before: dict[str, int]
    """Facts each state had when it was read: the writer's fence."""
    waited_before: dict[str, int]
    """Client for whom something comes into existence -> how many of its facts waited when that
    was asked: nobody may park another one unseen."""
    alerts: list[RaisedAlert]
    repeats: dict[str, Repeat]
    """alert id -> its newest repeat."""
    quarantined: list[Quarantined]
    parked: list[Parked]
    """Facts of this batch that have to wait."""
    unparked: list[Parked]
    """Facts of earlier batches that wait no longer."""
    corrections: dict[bytes, bytes]
    """Event key of a fact -> event key of the newer fact that replaces it."""
    gaps: dict[tuple[str, str], int]
    """(client, source) -> how many numbers of its sequence are missing; only where that changed."""
    outbox: list[OutboxMessage]
    moves: list[OffsetMove]
    stops: list[Stop]
    release: Release | None
    """Set for a batch that brings one record back from quarantine; it moves no offset."""


class IngestUnit(Protocol):
    """One open transaction of the ingest store."""

    def recall(self, events: Collection[Event]) -> None:
        """Bring back what the inbox has forgotten and these facts might repeat or correct.

        Comes before `put`.
        """

    def put(
        self,
        identities: Sequence[Identity],
        corrected: Collection[bytes] = (),
        known: Collection[bytes] = (),
    ) -> Seen:
        """Put all identities into the inbox, or none: then say what is there already.

        `corrected` holds the business keys of which the last one among `identities` is the newest
        fact; where a key is `known` to be in the inbox, that fact loses it.
        """

    def held_before(self, records: Sequence[Record]) -> set[tuple[str, int, int]]:
        """Topic, partition and offset of the records that an earlier reading of the topic put into
        quarantine."""

    def parked(self, clients: Sequence[str]) -> list[Parked]:
        """What waits of these clients, in order of arrival."""

    def orphans(self, parked_before: dt.datetime, limit: int) -> list[Parked]:
        """What has waited since before a moment, oldest first."""

    def hold(
        self,
        orphans: Sequence[Parked],
        held: Sequence[Quarantined],
        messages: Sequence[OutboxMessage],
        now: dt.datetime,
    ) -> None:
        """Move parked facts to quarantine and forget their identities."""

    def states(self, clients: Sequence[str]) -> dict[str, ClientState]:
        """Stored states of these clients; new clients are left out."""

    def degraded(self, clients: Sequence[str], besides: int | None) -> frozenset[str]:
        """Those of these clients who have a record in quarantine, the one numbered `besides` left
        out."""

    def write(self, batch: Batch) -> None:
        """Write everything. Raises Fenced when an offset or a state moved under us."""


class IngestStore(Protocol):
    """Where the stream's half lives. Leaving `transaction` commits; an exception rolls back."""

    def transaction(self) -> AbstractContextManager[IngestUnit]: ...

    def close(self) -> None: ...


class OffsetBook(Protocol):
    """The offset rows: the only authority on what was consumed."""

    def offsets(self, group: str) -> dict[tuple[str, int], int]:
        """(topic, partition) -> next offset, for every partition of the group."""

    def topics(self, group: str) -> dict[tuple[str, int], str]:
        """(topic, partition) -> the broker's id of the topic its offset counts in, where a
        consumer has said so."""

    def belong(self, group: str, topics: Mapping[tuple[str, int], str]) -> None:
        """Say of which topic the offsets are; never changes a row that says it already."""

    def stops(self, group: str) -> dict[tuple[str, int], str]:
        """(topic, partition) -> why it is not read on, for partitions that are stopped."""

    def stop(self, group: str, stops: Sequence[Stop], now: dt.datetime) -> None:
        """Stop partitions where they stand until a person says that they go on."""

    def create_offsets(self, group: str, starts: Mapping[tuple[str, int], int]) -> None:
        """Insert rows that do not exist yet; never moves one that does."""


class LoggedFact(NamedTuple):
    """One row of the event log, with the rule set that was in force when it was decided.

    `correction`, `waited` and `late` are what the pipeline knew of it beside its bytes (see Event)."""

    rules_hash: str
    topic: str
    partition: int
    offset: int
    client_id: str
    payload: bytes
    correction: bool
    waited: bool
    late: bool


class LiveAlert(msgspec.Struct, frozen=True):
    """What is stored of an alert and must be reproducible."""

    alert_id: str
    decision: bytes
    state_before: bytes
    hit_count: int
    last_seen: dt.datetime
    max_value: Decimal


class EventLog(Protocol):
    """The log and what was derived from it, seen at one moment (one snapshot)."""

    def snapshot(self) -> AbstractContextManager[EventLog]:
        """All reads inside see the same moment."""

    def facts(self, client_id: str | None = None) -> Iterator[LoggedFact]:
        """Facts in arrival order, of one client or of all."""

    def history(self, client_id: str, through_position: int) -> list[Event]:
        """A client's facts up to a position in arrival order, none of them marked late."""

    def states(self) -> dict[str, bytes]:
        """client id -> stored state."""

    def alerts(self, client_id: str | None = None) -> dict[str, LiveAlert]:
        """alert id -> stored stream alert."""

    def nightly_alerts(self, client_id: str | None = None) -> list[tuple[LiveAlert, str]]:
        """Stored nightly alerts, each with the hash of its rule set; `state_before` is the move."""

    def model_alerts(self, client_id: str | None = None) -> list[tuple[LiveAlert, str]]:
        """Stored alerts about models, likewise; `state_before` is the drift (a Drift)."""

    def late_alerts(self, client_id: str | None = None) -> list[tuple[LiveAlert, str]]:
        """Stored alerts of late facts, likewise; `state_before` names the fact (a LateFact)."""

    def rule_sets(self) -> dict[str, str]:
        """rules hash -> canonical content of every rule set that decided something."""


class Engine(Protocol):
    """A bulk engine: the lake's event tables as Ibis tables, and expressions run to Arrow."""

    def table(self, event_type: str) -> ir.Table:
        """All sealed facts of one type; an empty table when there are none."""

    def run(self, expression: ir.Table) -> pa.Table:
        """Execute an expression."""

    def keep(self, expression: ir.Table) -> ir.Table:
        """Compute an expression now and keep its rows until the engine is closed."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...


class Draft(Protocol):
    """Rows of a product on their way into the lake, part by part; dropped unless they are kept."""

    def add(self, rows: pa.Table) -> None: ...

    def keep(self) -> None:
        """Make the product hold exactly the rows added."""


class Lake(Protocol):
    """Sealed facts, one table per event type, and products, one set of rows per business date."""

    def append(self, events: Sequence[tuple[int, Event]], seal_id: int, version: int) -> None:
        """Append (position, event) pairs, once per `version`."""

    def draft(self, name: str, as_of: dt.date) -> AbstractContextManager[Draft]:
        """Rows of a product for `as_of`, of which not all fit into memory."""

    def replace(self, name: str, rows: pa.Table, as_of: dt.date) -> None:
        """Make a product hold exactly these rows for `as_of`."""

    def read(self, name: str, as_of: dt.date, columns: Sequence[str] | None = None) -> pa.Table:
        """A product's rows of one business date, or some columns of them."""

    def version(self, name: str) -> int:
        """The version of a product as it stands: a number that grows with every change."""

    def read_version(self, name: str, version: int, as_of: dt.date) -> pa.Table:
        """A product's rows of one business date as a version has them. Raises UsageError when there is
        no such version."""

    def has(self, name: str, as_of: dt.date) -> bool:
        """Whether a product has rows of one business date."""

    def parts(self, name: str, as_of: dt.date) -> Iterator[pa.Table]:
        """The same, some at a time."""

    def attributes(
        self,
        as_of: dt.date,
        names: Collection[str],
        columns: Sequence[str] = ("client_id", "name", "value", "null_reason"),
    ) -> pa.Table | None:
        """Some columns of some attributes, or of all when none is named, of the profiles of one business
        date; None when no night of it made any."""

    def read_before(self, name: str, as_of: dt.date) -> pa.Table | None:
        """A product's rows of the newest business date before one; None when there is none."""


class ProfileRead(NamedTuple):
    """A read of a client's profile; `as_of` None: what is served."""

    client_id: str
    purpose: str
    actor: str
    as_of: dt.date | None
    allowed: bool
    ground: str
    read_at: dt.datetime


class ModelRegistry(Protocol):
    """Every model, who moved it where and why, and what nights saw of it. What changes is changed in one
    transaction; reads of a model nobody registered raise UsageError."""

    def register(self, model: Registered, artefact: bytes, report: str | None) -> None:
        """A new model. Raises AnswerIsNo for one that is known."""

    def models(
        self, model_type: ModelType | None = None, status: Status | None = None
    ) -> list[Registered]:
        """Those of a type and status, or of any, newest first."""

    def model(self, model_version: str) -> Registered: ...

    def artefact(self, model_version: str) -> bytes: ...

    def report(self, model_version: str) -> str | None:
        """The validation report as HTML."""

    def champion(self, model_type: ModelType) -> bytes | None:
        """The artefact that scores, None where there is none."""

    def changes(self, model_version: str) -> list[Change]:
        """Every change of a status, in order."""

    def ask(self, proposal: Proposal) -> int:
        """Write a proposal down; its number. Raises UsageError when one waits for the same model."""

    def requests(self, status: RequestStatus | None = None) -> list[Request]:
        """Newest first."""

    def request(self, request_id: int) -> Request:
        """Raises UsageError when unknown."""

    def reject(self, request_id: int, checker: str, now: dt.datetime) -> None:
        """Raises UsageError for a request that waits no longer."""

    def move(self, move: Move) -> None:
        """Carry an approved request out. Raises UsageError, and changes nothing, when it waits no longer,
        when a status is another by now, or when the artefact is not the one that was proposed."""

    def record(
        self,
        reading: Reading,
        light: str,
        alert: ModelAlert | None,
        *,
        rules: RuleSet,
        code_version: str,
        now: dt.datetime,
    ) -> None:
        """Keep a night's reading in the place of an earlier one, and raise its alert, once."""

    def readings(self, model_version: str, before: dt.date | None = None) -> list[Reading]:
        """Of the nights before a date, or of all, newest first."""

    def close(self) -> None: ...


class Seal(NamedTuple):
    """One seal: facts with business date up to `business_date` and position up to the bound."""

    seal_id: int
    business_date: dt.date
    through_position: int
    after_position: int


class NightlyStore(Protocol):
    """What a night reads and writes beside the lake. Every method is its own transaction."""

    def alone(self) -> AbstractContextManager[None]: ...
    def begin(self, business_date: dt.date, now: dt.datetime) -> None: ...
    def record_step(self, business_date: dt.date, step: dict[str, Any]) -> None: ...
    def finish(
        self,
        business_date: dt.date,
        now: dt.datetime,
        status: str,
        *,
        reason: str | None = None,
        equal: bool | None = None,
    ) -> None: ...
    def was_published(self, business_date: dt.date) -> bool: ...
    def record_gate(self, verdict: Verdict, business_date: dt.date, now: dt.datetime) -> int: ...
    def last_gate(self, stage: str, business_date: dt.date) -> int: ...
    def mark_stale(self, reason: str) -> None: ...
    def open_seal(self, business_date: dt.date, now: dt.datetime) -> Seal: ...
    def facts(self, seal: Seal, chunk: int) -> Iterator[list[tuple[int, Event]]]: ...
    def close_seal(
        self, seal: Seal, rows: int, now: dt.datetime, late_days: dt.timedelta
    ) -> None: ...
    def seals_of(self, business_date: dt.date) -> list[int]: ...
    def hold(
        self, held: dict[int, tuple[str, str, str]], gate_result_id: int, now: dt.datetime
    ) -> None: ...
    def held(self) -> tuple[frozenset[int], frozenset[str]]: ...
    def decided(self) -> tuple[frozenset[int], frozenset[int]]: ...
    def corrected(self) -> frozenset[int]: ...
    def incomplete(self) -> frozenset[str]: ...
    def late_facts(self, business_date: dt.date) -> list[LateFact]: ...
    def history(self, client_id: str, through_position: int) -> list[Event]: ...
    def raised(self, alert_keys: Collection[str]) -> set[str]: ...
    def raise_late(
        self,
        alerts: Sequence[LateAlert],
        *,
        rules: RuleSet,
        gate_result_id: int,
        code_version: str,
        now: dt.datetime,
    ) -> None: ...
    def served_scores(self, business_date: dt.date) -> set[str]:
        """Ids of the scores with a value that are served of a business date."""

    def served_stages(self) -> dict[str, dict[str, Any]]: ...
    def served_date(self) -> dt.date | None: ...
    def publish(
        self,
        business_date: dt.date,
        products: Mapping[str, Iterable[dict[str, Any]]],
        alerts: Sequence[NightlyAlert | LateAlert],
        tasks: Sequence[tuple[str, Task]],
        moves: Sequence[tuple[str, Transition, OutboxMessage]],
        *,
        rules: RuleSet,
        gate_result_id: int,
        code_version: str,
        now: dt.datetime,
    ) -> int: ...
    def record_proof(
        self, proof: Proof, business_date: dt.date | None, now: dt.datetime
    ) -> None: ...


class ServedProfiles(Protocol):
    """What is served of clients between two nights."""

    def alone(self) -> AbstractContextManager[bool]:
        """Whether no step of a night runs now; none begins while this is held."""

    def changed(self) -> tuple[int, dict[str, dt.date], frozenset[str]]:
        """The newest position of the log; clients with facts since the last refresh, first come
        first, each with its newest business date; and those of them whose consents changed."""

    def refreshed(self, through: int, now: dt.datetime) -> None:
        """Everything up to a position was looked at."""

    def served_date(self) -> dt.date | None:
        """The business date of what the nights serve, None before the first night."""

    def consent_facts(self, clients: Collection[str]) -> list[ConsentFact]:
        """Every fact of consent of some clients that stands, in the order of arrival."""

    def history(self, client_id: str, through: int) -> list[tuple[int, Event]]:
        """A client's facts up to a position with their positions, in the order of arrival."""

    def withdraw(
        self,
        permitted: Mapping[str, Collection[str]],
        forbidden: Mapping[str, Collection[str]],
        now: dt.datetime,
    ) -> int:
        """Take away every served value whose purposes are not among those permitted to its client
        (client id -> purposes as rows have them), and what scores of the forbidden types say. Returns how
        many values."""

    def record_gate(self, verdict: Verdict, business_date: dt.date, now: dt.datetime) -> int: ...

    def serve(self, rows: Sequence[dict[str, Any]], summaries: Sequence[Summary]) -> None:
        """Put rows of the profile in the place of those of the same client and name, and what follows
        from them beside where the client stands, which only a night moves."""


class Outbox(Protocol):
    """Messages that were decided and have to leave."""

    def publish(self, limit: int, send: Callable[[list[OutboxMessage]], None]) -> int:
        """Hand the oldest waiting messages to `send`, mark them published, return their number.
        When `send` raises, they keep waiting."""

    def close(self) -> None: ...


class Channel(Protocol):
    """A way to reach a person."""

    name: str

    def send(self, title: str, body: str, key: str) -> None:
        """Deliver one message; raises on failure. `key` is the idempotency key of the message."""
