"""The composition root: the only file that names concrete adapters.

The command line, the DAGs and the Airflow page call these functions; each imports what it needs
when it is called, so that importing this module stays cheap.
"""

from __future__ import annotations

import datetime as dt
import os
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lifecycle.errors import AnswerIsNo, Fenced, NotRunning, UsageError
from lifecycle.settings import ROOT, Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from consumers.publish import Published
    from lifecycle import override
    from lifecycle.adapters.alert_store import AlertStore
    from lifecycle.adapters.lake import Lake
    from lifecycle.adapters.override_store import OverrideStore
    from lifecycle.adapters.quarantine_store import QuarantineStore
    from lifecycle.adapters.retention import Purged
    from lifecycle.alerts.dispatch import Dispatched
    from lifecycle.alerts.owners import Owner
    from lifecycle.alerts.rules import RuleSet
    from lifecycle.backup import Manifest
    from lifecycle.events import Event
    from lifecycle.events.fields import Purpose
    from lifecycle.limits import Limits
    from lifecycle.model_monitoring import Watched
    from lifecycle.model_training import Judged, TrainingTable
    from lifecycle.models.life import ModelType, Registered, Status
    from lifecycle.nightly import Nightly, StepResult
    from lifecycle.override import Override
    from lifecycle.ports import Batch, Channel, Engine, EventSource, IngestStore, ModelRegistry
    from lifecycle.proof import Proof
    from lifecycle.quarantine import Action, Answer, Request
    from lifecycle.refresh import Refreshed
    from lifecycle.scoring import Models
    from lifecycle.sources.berka_loans import BerkaLoanLives, GrantedLoan
    from lifecycle.sources.simulator import SimulatorSource, Story


BACKFILL = (
    "airflow backfill create --dag-id nightly --from-date {day} --to-date {day} "
    "--reprocess-behavior completed"
)
"""The night may have had its run: without `--reprocess-behavior` Airflow would leave it at that."""

ORPHANS_MAX = 10_000
"""Facts one sweep moves to quarantine; the next sweep takes the rest."""
RELEASE_ATTEMPTS = 5
"""How often a release meets a client that is being written before a person has to ask again."""
RELEASE_PAUSE_SECONDS = 0.2


def migrate(settings: Settings) -> None:
    """Create the bank's and Airflow's databases and bring the bank's schema up to date."""
    from lifecycle.adapters.postgres import create_database, migrate

    create_database(settings.database_url)
    create_database(settings.database_url.replace("/bank?", "/airflow?"))
    migrate(settings.database_url)
    rebuild(settings)


def bootstrap(settings: Settings) -> int:
    """Create topics and offset rows that do not exist; return how many rows were created."""
    from consumers.topics import bootstrap
    from lifecycle.adapters.ingest_store import PostgresOffsetBook
    from lifecycle.adapters.retention import Retention

    retention = Retention(settings.database_url)
    retention.prepare_days(dt.datetime.now(dt.UTC).date())
    retention.close()
    return bootstrap(
        settings.kafka_bootstrap,
        settings.partitions,
        settings.consumer_group,
        PostgresOffsetBook(settings.database_url),
    )


def raise_partitions(settings: Settings, partitions: int) -> dict[str, int]:
    """Give every source topic this many partitions; topic -> how many it had."""
    from consumers.topics import raise_partitions
    from lifecycle import platform
    from lifecycle.adapters.ingest_store import PostgresOffsetBook

    before = raise_partitions(
        settings.kafka_bootstrap,
        partitions,
        settings.consumer_group,
        PostgresOffsetBook(settings.database_url),
    )
    platform.keep_partitions(settings.home, partitions)
    return before


def offsets(settings: Settings) -> list[dict[str, Any]]:
    """Every offset row beside what the broker keeps, and what is wrong with it."""
    from consumers.topics import source_offsets, topic_ids
    from lifecycle.adapters.ingest_store import PostgresOffsetDesk
    from lifecycle.offsets import is_other_topic, problem

    rows = PostgresOffsetDesk(settings.database_url, settings.consumer_group).rows()
    starts = source_offsets(settings.kafka_bootstrap, settings.partitions, "beginning")
    ends = source_offsets(settings.kafka_bootstrap, settings.partitions, "end")
    ids = topic_ids(settings.kafka_bootstrap)
    stored = {(row["topic"], row["partition"]): row for row in rows}
    nothing: dict[str, Any] = dict.fromkeys(rows[0]) if rows else {"next_offset": None}
    return [
        nothing
        | stored.get(place, {})
        | {
            "topic": place[0],
            "partition": place[1],
            "log_start": starts[place],
            "log_end": end,
            "lag": max(0, end - (stored[place]["next_offset"] if place in stored else 0)),
            "problem": problem(
                place,
                stored[place]["next_offset"] if place in stored else None,
                starts[place],
                end,
                made_anew=is_other_topic(
                    stored.get(place, nothing).get("topic_id"), ids.get(place[0])
                ),
            ),
        }
        for place, end in ends.items()
    ]


def decide_offset(
    settings: Settings,
    topic: str,
    partition: int,
    offset: int | None,
    *,
    actor: str,
    reason: str,
) -> dict[str, Any]:
    """Read a partition on, from where it stands or from another offset; the decision is kept."""
    from lifecycle.adapters.ingest_store import PostgresOffsetDesk

    _needs_reason(reason, "A decision about offsets")
    before, after = PostgresOffsetDesk(settings.database_url, settings.consumer_group).decide(
        topic, partition, offset, actor=actor, reason=reason, now=dt.datetime.now(dt.UTC)
    )
    return {"topic": topic, "partition": partition, "from": before, "to": after}


def decide_offsets(
    settings: Settings,
    topic: str,
    partition: int | None,
    offset: int | Literal["beginning"] | None,
    *,
    actor: str,
    reason: str,
) -> list[dict[str, Any]]:
    """The same for one partition or every one of a topic (None), each a decision of its own.

    "beginning" is the first record the broker keeps; without an offset, what is stopped reads on.
    """
    from consumers.topics import source_offsets
    from lifecycle.adapters.ingest_store import PostgresOffsetDesk

    rows = PostgresOffsetDesk(settings.database_url, settings.consumer_group).rows()
    places = [
        (topic, row["partition"])
        for row in rows
        if row["topic"] == topic
        and partition in (None, row["partition"])
        and (offset is not None or partition is not None or row["stopped_at"])
    ]
    starts: dict[tuple[str, int], int] = {}
    if offset is not None:
        starts = source_offsets(settings.kafka_bootstrap, settings.partitions, "beginning")
        places = [place for place in places if place in starts]
    if isinstance(offset, int):
        ends = source_offsets(settings.kafka_bootstrap, settings.partitions, "end")
        for place in places:
            _can_be_read(place, offset, starts[place], ends[place])
    if not places:
        which = "any partition" if partition is None else f"partition {partition}"
        raise UsageError(
            f"There is nothing to decide about {which} of {topic}: `lifecycle offsets show` has "
            "every row, and what is stopped."
        )
    return [
        decide_offset(
            settings,
            *place,
            starts[place] if offset == "beginning" else offset,
            actor=actor,
            reason=reason,
        )
        for place in places
    ]


def _can_be_read(place: tuple[str, int], offset: int, log_start: int, log_end: int) -> None:
    """Raises UsageError for an offset the log cannot serve: no consumer could start with it."""
    if not log_start <= offset <= log_end:
        topic, partition = place
        raise UsageError(
            f"{topic} partition {partition} can be read on from {log_start:,} to {log_end:,}, not "
            f"from {offset:,}; nothing was changed."
        )


def gaps(settings: Settings, client_id: str | None = None) -> list[dict[str, Any]]:
    """Open gaps in producers' sequences: {client_id, source, missing, opened_at, state}."""
    from lifecycle.adapters.gap_store import GapStore

    figures = _operations_figures(settings)["gap_minutes"]
    now = dt.datetime.now(dt.UTC)

    def state(minutes: float) -> str:
        if minutes >= figures["bad"]:
            return "critical"
        return "warning" if minutes >= figures["warn"] else "open"

    return [
        row | {"state": state((now - row["opened_at"]).total_seconds() / 60)}
        for row in GapStore(settings.database_url).rows(client_id)
    ]


def accept_gap(
    settings: Settings, client_id: str, source: str, *, actor: str, reason: str
) -> dict[str, Any]:
    """Wait no longer for what a producer left out; the decision is kept, a new gap opens anew."""
    from lifecycle.adapters.gap_store import GapStore

    _needs_reason(reason, "A decision about a gap")
    missing = GapStore(settings.database_url).accept(
        client_id, source, actor=actor, reason=reason, now=dt.datetime.now(dt.UTC)
    )
    return {"client_id": client_id, "source": source, "accepted": missing}


def _needs_reason(reason: str, what: str) -> None:
    if not reason.strip():
        raise UsageError(f"{what} needs a reason: say --reason TEXT.")


def _gap_age(settings: Settings) -> dt.timedelta:
    """How long a gap may be open before its client is incomplete."""
    return dt.timedelta(minutes=_operations_figures(settings)["gap_minutes"]["bad"])


def consume(settings: Settings, stop: threading.Event) -> None:
    """Run one consumer until `stop` is set."""
    from consumers.damage import find_damage
    from consumers.lag import lag
    from consumers.loop import Loop, Ownership, kafka_consumer
    from consumers.metrics import Metrics
    from expectations.gate import GreatExpectationsGate
    from lifecycle.adapters.ingest_store import PostgresOffsetBook
    from lifecycle.alerts.decide import decider
    from lifecycle.alerts.rules import load_rules

    rule_set = load_rules(settings.rules)
    book = PostgresOffsetBook(settings.database_url)
    metrics = Metrics()
    if settings.metrics_port:
        metrics.serve(
            settings.metrics_port,
            lambda: lag(
                settings.kafka_bootstrap,
                settings.partitions,
                book.offsets(settings.consumer_group),
            ),
            int(os.environ.get("LIFECYCLE_RESTARTS", "0")),
        )
    ownership = Ownership(book, settings.consumer_group)
    Loop(
        lambda: kafka_consumer(settings.kafka_bootstrap, settings.consumer_group, ownership),
        ownership,
        gate=GreatExpectationsGate(),
        open_store=lambda: _ingest_store(settings, rule_set, "consume"),
        rules=decider(rule_set),
        limits=ingest_limits(settings),
        metrics=metrics,
        find_damage=lambda positions: find_damage(settings.kafka_bootstrap, positions),
        heartbeat=_heartbeat(),
    ).run(stop)


def ingest_limits(settings: Settings) -> Limits:
    """What the consumers accept and when they stop."""
    from lifecycle.limits import limits

    return limits(_operations_figures(settings))


def _ingest_store(settings: Settings, rule_set: RuleSet, what: str) -> IngestStore:
    from lifecycle.adapters.ingest_store import PostgresIngestStore

    return PostgresIngestStore(
        settings.database_url,
        group=settings.consumer_group,
        consumer=f"{what}/{os.uname().nodename}/{os.getpid()}",
        code_version=settings.code_version,
        rules=rule_set,
    )


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


def berka(settings: Settings) -> EventSource:
    """The real bank data, from BERKA_DIR or the folder beside the clone."""
    from lifecycle.sources.berka import BerkaSource

    return BerkaSource(_berka_folder(), settings.timezone)


def _berka_folder() -> Path:
    return Path(os.environ.get("BERKA_DIR") or ROOT.parent / "shared" / "data" / "berka")


def berka_loans(
    settings: Settings, note: Callable[[str], None]
) -> tuple[pa.Table, list[GrantedLoan]]:
    """Features of the 682 real loans as of their grants, and the loans in the order of these."""
    from lifecycle.alerts.rules import load_rules
    from lifecycle.events import decoded
    from lifecycle.loan_scores import feature_rows
    from lifecycle.sources.berka_loans import BerkaLoans

    source = BerkaLoans(_berka_folder(), settings.timezone)
    figures = load_rules(settings.rules).parameters
    note("reading the histories of the loans")
    with _engine_over(enumerate(map(decoded, source.events(None, None)), start=1)) as engine:
        note("deriving the features of each loan as of its grant")
        loans = source.granted()
        return feature_rows(engine, loans, settings.timezone, figures), loans


def models(settings: Settings) -> AbstractContextManager[ModelRegistry]:
    """The registry of models."""
    from lifecycle.adapters.model_registry import ModelRegistry

    return closing(ModelRegistry(settings.database_url))


def champion(settings: Settings, model_type: ModelType) -> bytes | None:
    """The artefact of the champion of a type, as it was registered; None where there is none."""
    with models(settings) as registry:
        return registry.champion(model_type)


def model_report(settings: Settings, model_version: str) -> str:
    """The validation report of a model as HTML. Raises UsageError when it has none."""
    with models(settings) as registry:
        page = registry.report(model_version)
    if page is None:
        raise UsageError(f"{model_version} was registered without a validation report.")
    return page


def register_model(settings: Settings, path: Path, *, owner: str) -> Registered:
    """Register a trained model as DEVELOPMENT; see `lifecycle.model_life`."""
    from lifecycle.model_life import register

    now = dt.datetime.now(dt.UTC)
    with models(settings) as registry:
        return register(registry, path, owner=owner, code_version=settings.code_version, now=now)


def propose_model(
    settings: Settings, model_version: str, after: Status, *, reason: str, maker: str
) -> int:
    """Ask a second person to move a model; return the request's number."""
    from lifecycle.model_life import propose

    now = dt.datetime.now(dt.UTC)
    with models(settings) as registry:
        return propose(registry, model_version, after, reason=reason, maker=maker, now=now)


def model_question(settings: Settings, request_id: int) -> dict[str, str]:
    """What a second person is asked of a model: {subject, body}."""
    from lifecycle.model_life import asked

    with models(settings) as registry:
        return asked(registry, request_id)


def decide_model(
    settings: Settings, request_id: int, answer: Answer, *, checker: str
) -> dict[str, Any]:
    """A second person's answer, carried out: {model_version, status, replaced}."""
    from lifecycle.model_life import decide

    now = dt.datetime.now(dt.UTC)
    with models(settings) as registry:
        return decide(registry, request_id, answer, checker=checker, now=now)


def train_model(
    settings: Settings,
    folder: Path,
    *,
    as_of: dt.date,
    version: int,
    test_from: dt.date | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> Judged:
    """Train on a version of the lake's table and judge out of time; see `lifecycle.model_training`."""
    from lifecycle.model_training import read_table, train

    with nightly(settings) as night:
        table, figures = read_table(night, as_of, version), night.rules.parameters
    return train(table, folder, champion(settings, "CREDIT"), figures, test_from, note)


def watch_champion(settings: Settings, business_date: dt.date | None) -> Watched | None:
    """What a date, or the newest night, says of the credit champion; see `lifecycle.model_monitoring`."""
    from lifecycle.model_monitoring import watch

    with nightly(settings) as night, models(settings) as registry:
        date = business_date or night.store.served_date()
        if date is None:
            raise AnswerIsNo(
                "No night was published yet: `lifecycle nightly --date DATE` makes one."
            )
        return watch(night, registry, date)


def training_table(
    settings: Settings, first: dt.date | None, last: dt.date | None
) -> TrainingTable:
    """The labelled table of credit at month-ends, kept in the lake; see `lifecycle.model_training`."""
    from lifecycle.model_training import make_table

    with nightly(settings) as night:
        return make_table(night, first, last)


def berka_loan_lives(settings: Settings) -> BerkaLoanLives:
    """The real loans with what became of them, as far as half of the entries tell."""
    from lifecycle.sources.berka_loans import BerkaLoanLives

    return BerkaLoanLives(_berka_folder(), settings.timezone)


def simulator(
    settings: Settings,
    *,
    seed: int,
    clients: int,
    first_day: dt.date,
    days: int,
    stories: Mapping[int, Story] | None = None,
) -> SimulatorSource:
    """The seeded simulated bank, with its usual stories or others."""
    from lifecycle.sources.simulator import STORIES, SimulatorSource

    return SimulatorSource(
        seed=seed,
        clients=clients,
        first_day=first_day,
        days=days,
        timezone=settings.timezone,
        stories=STORIES if stories is None else stories,
    )


def event_file(path: Path) -> EventSource:
    """Anyone's NDJSON file of CloudEvents."""
    from lifecycle.sources.files import FileSource

    return FileSource(path)


def publish(
    settings: Settings,
    source: EventSource,
    *,
    first: dt.date | None,
    last: dt.date | None,
    speed: float | None,
    progress: Callable[[int], None],
) -> Published:
    """Send a source's events to Kafka."""
    from consumers.publish import publish

    return publish(
        source.events(first, last), settings.kafka_bootstrap, speed=speed, progress=progress
    )


def prove(settings: Settings) -> Proof:
    """Fold the whole log again and compare with what is stored, at one moment."""
    from lifecycle.adapters.event_log import PostgresEventLog
    from lifecycle.alerts.decide import decider
    from lifecycle.alerts.rules import parse_rules
    from lifecycle.proof import compare, rebuild

    log = PostgresEventLog(settings.database_url)
    try:
        with log.snapshot():
            rules = {name: decider(parse_rules(text)) for name, text in log.rule_sets().items()}
            return compare(rebuild(log.facts(), rules), log.states(), log.alerts())
    finally:
        log.close()


def restate(settings: Settings, date: dt.date | None) -> dict[str, Any]:
    """What late and corrected facts would have changed: alerts, and for a date that had its night its
    attributes and scores. Raises UsageError for a date without a night."""
    from lifecycle.adapters.event_log import PostgresEventLog
    from lifecycle.alerts.decide import decider
    from lifecycle.alerts.rules import load_rules
    from lifecycle.restate import decisions

    rules = decider(load_rules(settings.rules))
    log = PostgresEventLog(settings.database_url)
    try:
        with log.snapshot():
            moved = log.moved()
            changed = [
                change
                for client, because in moved.items()
                for change in decisions(
                    client, log.arrived(client), log.standing(client), because, rules
                )
            ]
    finally:
        log.close()
    return {
        "clients": len(moved),
        "facts": sum(map(len, moved.values())),
        "decisions": [_named(change) for change in changed],
        "date": date,
        **(_restated_night(settings, date) if date else {"attributes": [], "scores": []}),
    }


def _restated_night(settings: Settings, date: dt.date) -> dict[str, Any]:
    """What the attributes and scores of a night would be with what is sealed today."""
    import pyarrow as pa
    import pyarrow.compute as pc

    from lifecycle import profiling, score_candidates, scoring
    from lifecycle.clients.facts import Facts
    from lifecycle.restate import attribute_differences, score_differences

    with nightly(settings) as night:
        before = night.lake.attributes(date, ())
        if before is None:
            raise UsageError(f"There are no profiles as of {date}: no night of that date made any.")
        figures = night.rules.parameters
        held, degraded = night.store.held()
        with night.open_engine() as engine:
            facts = Facts(engine, date, settings.timezone, held, night.store.corrected())
            parts, summaries = [], []
            for made in profiling.make(engine, facts, figures):
                parts.append(made.rows)
                summaries.append(score_candidates.summary_rows(made.summaries))
            after = pa.concat_tables(parts)
            used = pc.is_in(after["name"], pa.array(score_candidates.attributes_used(figures)))
            fitted = night.models()
            found = score_candidates.find(
                engine,
                facts,
                after.filter(used),
                pa.concat_tables(summaries),
                degraded,
                fitted,
                figures,
            )
        frame = scoring.Frame(date, fitted, figures, night.rules.hash, {})
        scored = [
            row for kind, own in found.candidates.items() for row in scoring.rows(kind, own, frame)
        ]
        kept = night.lake.has("risk_score", date)
        told = night.lake.read("risk_score", date).to_pylist() if kept else []
    return {
        "attributes": [_named(d) for d in attribute_differences(before, after)],
        "scores": [_named(d) for d in score_differences(told, scored)],
    }


def rebuild(settings: Settings, *, always: bool = False) -> dict[str, int]:
    """Fold the whole log again and replace the stored states: {clients, events}.

    Does nothing when every state is of this code's version, unless it is to be done `always`.
    """
    from lifecycle.adapters.state_store import StateStore
    from lifecycle.alerts.decide import decider
    from lifecycle.alerts.rules import parse_rules
    from lifecycle.clients.state import STATE_VERSION
    from lifecycle.proof import rebuild

    store = StateStore(settings.database_url)
    try:
        if not always and store.versions() <= {STATE_VERSION}:
            return {"clients": 0, "events": 0}
        with store.replacing() as log:
            rules = {name: decider(parse_rules(text)) for name, text in log.rule_sets().items()}
            rebuilt = rebuild(log.facts(), rules)
            store.replace(rebuilt.states, dt.datetime.now(dt.UTC))
        return {"clients": len(rebuilt.states), "events": rebuilt.events}
    finally:
        store.close()


def purge(settings: Settings, *, dry_run: bool, progress: Callable[[str], None]) -> Purged:
    """Forget what rules/operations/retention.yaml does not keep, or count it."""
    from lifecycle.adapters.retention import Retention

    figures, today = _operations_figures(settings), dt.datetime.now(dt.UTC).date()
    inbox_before, outbox_before = (
        today - dt.timedelta(days=figures[name]) for name in ("inbox_days", "outbox_days")
    )
    retention = Retention(settings.database_url)
    try:
        if dry_run:
            return retention.count(inbox_before, outbox_before)
        return retention.purge(inbox_before, outbox_before, today, progress)
    finally:
        retention.close()


def backup(
    settings: Settings, into: Path | None, progress: Callable[[str], None]
) -> dict[str, Any]:
    """Database and lake of one moment, in a new folder below `into`."""
    from lifecycle import platform
    from lifecycle.adapters.backup import take

    folder, manifest = take(
        settings.database_url,
        settings.lake,
        into or settings.home / "backups",
        program=platform.binary,
        code_version=settings.code_version,
        progress=progress,
    )
    return {
        "folder": str(folder),
        "taken_at": manifest.taken_at,
        "finished_at": manifest.finished_at,
        "schema_revision": manifest.schema_revision,
        "tables": manifest.tables,
        "files": len(manifest.files),
        "bytes": sum(facts.bytes for facts in manifest.files.values()),
    }


def restore(
    settings: Settings,
    folder: Path,
    progress: Callable[[str], None],
    agree: Callable[[dict[str, Any]], None],
) -> dict[str, Any]:
    """Put a backup back; return what was restored and what the consumers will read again.

    `agree` gets the same before anything is written, and raises when the person says no.
    """
    from lifecycle import platform
    from lifecycle.adapters.backup import check, put_back

    manifest = check(folder, progress)
    with _storage(settings, progress) as reached:
        shown = {
            "folder": str(folder),
            "taken_at": manifest.taken_at,
            "schema_revision": manifest.schema_revision,
            "tables": manifest.tables,
            **_replays(reached, manifest),
        }
        put_back(
            reached.database_url,
            reached.lake,
            folder,
            manifest,
            program=platform.binary,
            progress=progress,
            agreed=lambda: agree(shown),
        )
    return shown


@contextmanager
def _storage(settings: Settings, progress: Callable[[str], None]) -> Iterator[Settings]:
    """Settings whose database and broker answer: those of another machine as they are, this
    machine's own started alone when nothing runs here."""
    from lifecycle import platform
    from lifecycle.settings import load

    if os.environ.get("LIFECYCLE_DATABASE_URL"):
        yield settings
        return
    with platform.storage(settings.home, lambda part, detail: progress(f"{part}: {detail}")):
        started = load({**os.environ, "LIFECYCLE_HOME": str(settings.home)})
        yield replace(
            settings,
            database_url=started.database_url,
            kafka_bootstrap=started.kafka_bootstrap,
        )


def _replays(settings: Settings, manifest: Manifest) -> dict[str, Any]:
    """{replay, replay_unknown}: per partition what is read again, or why nobody can say."""
    from consumers.topics import partition_counts, source_offsets, topic_ids
    from lifecycle.backup import replays
    from lifecycle.events import SOURCE_TOPICS

    offsets = [o for o in manifest.offsets if o.consumer_group == settings.consumer_group]
    try:
        if not all(partition_counts(settings.kafka_bootstrap, SOURCE_TOPICS).values()):
            return {
                "replay": [],
                "replay_unknown": f"the broker at {settings.kafka_bootstrap} has no source topics; "
                "consumers will stop at the backup's offsets until a person decides with "
                "`lifecycle offsets set TOPIC all beginning`.",
            }
        starts = source_offsets(settings.kafka_bootstrap, settings.partitions, "beginning")
        ends = source_offsets(settings.kafka_bootstrap, settings.partitions, "end")
        topics = topic_ids(settings.kafka_bootstrap)
    except NotRunning as error:
        return {"replay": [], "replay_unknown": str(error)}
    return {"replay": replays(offsets, starts, ends, topics), "replay_unknown": None}


@contextmanager
def nightly(settings: Settings) -> Iterator[Nightly]:
    """What a night needs, open for as long as the night lasts."""
    from expectations.gate import GreatExpectationsGate
    from lifecycle.adapters.backup_files import LakeExchange
    from lifecycle.adapters.lake import Lake
    from lifecycle.adapters.nightly_store import NightlyStore
    from lifecycle.alerts.rules import load_rules
    from lifecycle.nightly import Nightly

    LakeExchange(settings.lake).check_finished()
    store = NightlyStore(settings.database_url)
    lake = Lake(settings.lake)
    try:
        yield Nightly(
            store=store,
            lake=lake,
            open_engine=lambda: _engine(settings, lake),
            gate=GreatExpectationsGate(),
            rules=load_rules(settings.rules),
            models=lambda: _models_in_force(settings),
            zone=settings.timezone,
            prove=lambda date: prove(settings),
            now=lambda: dt.datetime.now(dt.UTC),
            code_version=settings.code_version,
        )
    finally:
        store.close()


def _models_in_force(settings: Settings) -> Models:
    """The champions."""
    with models(settings) as registry:
        return _decoded_models(registry.champion("CREDIT"), registry.champion("ATTRITION"))


def _models_of(settings: Settings, versions: Collection[str]) -> Models:
    """The models of past scores, by the versions that stand in their rows."""
    with models(settings) as registry:
        known = {own.model_version: own.model_type for own in registry.models()}
        found = {known[v]: registry.artefact(v) for v in versions if v in known}
    return _decoded_models(found.get("CREDIT"), found.get("ATTRITION"))


def _decoded_models(credit: bytes | None, attrition: bytes | None) -> Models:
    from lifecycle.models.artefact import scorecard_of
    from lifecycle.risk.attrition_facts import FEATURES
    from lifecycle.risk.attrition_score import read_model
    from lifecycle.scoring import Models

    return Models(
        scorecard_of(credit, "the champion") if credit else None,
        read_model(attrition, "the champion", FEATURES) if attrition else None,
    )


def _engine(settings: Settings, lake: Lake) -> Engine:
    """The bulk engine the settings name. Raises UsageError where Spark is not installed."""
    from lifecycle.adapters.engines import DuckDBEngine
    from lifecycle.platform.jars import java_home

    if settings.engine == "duckdb":
        return DuckDBEngine(lake)
    try:
        from lifecycle.adapters.spark import SparkEngine
    except ModuleNotFoundError as error:
        raise UsageError(
            "LIFECYCLE_ENGINE is spark, which is not installed: install lifecycle[spark]."
        ) from error
    return SparkEngine(lake, settings.spark_master, java_home(settings.home / "java"))


def run_nightly(
    settings: Settings,
    business_date: dt.date,
    progress: Callable[[StepResult], None] = lambda result: None,
) -> dict[str, Any]:
    """All steps of a night."""
    from lifecycle.nightly import run

    with nightly(settings) as night:
        return run(business_date, night, progress)


def nightly_step(settings: Settings, name: str, business_date: dt.date) -> StepResult:
    """One step of a night, in a process of its own. Raises NotRunning when the database is lost."""
    from lifecycle.adapters.postgres import unavailable
    from lifecycle.nightly import run_step

    with unavailable(), nightly(settings) as night:
        return run_step(name, business_date, night)


def alerts(settings: Settings) -> AbstractContextManager[AlertStore]:
    """Alerts as people work with them."""
    from lifecycle.adapters.alert_store import AlertStore

    return closing(AlertStore(settings.database_url, _gap_age(settings)))


def dispatch(settings: Settings) -> Dispatched:
    """One sweep: undelivered alerts to their owners' channels."""
    from lifecycle.adapters.delivery_store import DeliveryStore
    from lifecycle.alerts.dispatch import dispatch
    from lifecycle.alerts.owners import channel_names, parse_owners

    figures = _operations_figures(settings)
    owners = parse_owners(figures["owners"])
    channels = {name: _channel(settings, owners, name) for name in channel_names(owners)}
    store = DeliveryStore(settings.database_url)
    try:
        return dispatch(store, owners, channels, figures["retry_minutes"], dt.datetime.now(dt.UTC))
    finally:
        store.close()


def waiting_alerts(settings: Settings) -> int:
    """Open alerts that were not brought to their owners yet."""
    from lifecycle.adapters.operations import waiting_alerts

    return waiting_alerts(settings.database_url)


def tell_operations(settings: Settings, title: str, body: str, key: str) -> None:
    """A message to the operations role by each of its channels; needs no database.

    Raises NotRunning, after all were tried, when a channel did not take it.
    """
    from lifecycle.alerts.owners import parse_owners, routes

    owners = parse_owners(_operations_figures(settings)["owners"])
    failed = []
    for name in routes("OPS", owners):
        try:
            _channel(settings, owners, name).send(title, body, f"{key}/{name}")
        except Exception as error:
            # Whatever is wrong with one channel must not keep the message from the others.
            failed.append(f"{name} ({error})")
    if failed:
        raise NotRunning(f"Operations was not told by {', '.join(failed)}: {title}.")


def _channel(settings: Settings, owners: Mapping[str, Owner], name: str) -> Channel:
    from lifecycle.adapters.notify import AppriseChannel, FileChannel, mail_url

    role, _, kind = name.partition(":")
    if kind == "file":
        return FileChannel(name, settings.home / "notifications" / f"{role}.ndjson")
    if kind == "mail":
        return AppriseChannel(name, mail_url(settings.smtp, owners[role].mail), throttled=False)
    if not os.environ.get(kind):
        raise UsageError(
            f"rules/operations/owners.yaml reaches {role} by {kind}: "
            "set that environment variable to an Apprise URL."
        )
    return AppriseChannel(name, os.environ[kind])


def _operations_figures(settings: Settings) -> dict[str, Any]:
    """Owners and thresholds. They decide nothing about clients, so they have a folder of their own
    that the rule set's hash does not cover."""
    from lifecycle.alerts.rules import load_rules

    parameters = load_rules(settings.rules / "operations").parameters
    return {name: parameter.value for name, parameter in parameters.items()}


def operations(settings: Settings) -> dict[str, Any]:
    """The Operations page and `lifecycle status`: every number, or why it is unknown.

    Raises nothing for a part that does not answer: its numbers are unknown, and `unknown` says why.
    """
    from consumers.lag import lag
    from lifecycle.adapters.ingest_store import PostgresOffsetBook
    from lifecycle.adapters.operations import read
    from lifecycle.operations import Readings, snapshot

    now = dt.datetime.now(dt.UTC)
    readings = Readings(now=now, zone=settings.timezone)
    with _noting(readings.unavailable, "database"):
        readings.numbers = read(settings.database_url, now, settings.timezone)
        stored = PostgresOffsetBook(settings.database_url).offsets(settings.consumer_group)
    if readings.numbers is not None:
        with _noting(readings.unavailable, "broker"):
            readings.lag = lag(settings.kafka_bootstrap, settings.partitions, stored)
    return snapshot(readings, _operations_figures(settings))


@contextmanager
def _noting(unavailable: dict[str, str], part: str) -> Iterator[None]:
    try:
        yield
    except NotRunning as error:
        unavailable[part] = str(error)


def judge_hour(settings: Settings, now: dt.datetime) -> list[str]:
    """Whether the last whole hour of the stream brought facts as usual, judged once by gate raw_hour:
    one sentence if it blocks, none if it does not or if nothing can be said yet."""
    from lifecycle.adapters.hour_store import STAGE, HourStore
    from lifecycle.hours import HOUR, hour_columns, references, same_hours

    figures = _operations_figures(settings)
    hour, *before = same_hours(now, settings.timezone, figures["hour_weeks"]["of"])
    end, live = hour.astimezone(dt.UTC) + HOUR, dt.timedelta(hours=figures["live_hours"])
    store = HourStore(settings.database_url)
    try:
        failures = store.verdict_since(end)
        if failures is None:
            known = references(store.facts(before, live), figures)
            if not known:
                return []
            from expectations.gate import GreatExpectationsGate

            counts = {topic: facts for topic, (facts,) in store.facts([hour], live).items()}
            columns = hour_columns(hour, counts, known, figures)
            store.record(GreatExpectationsGate().check(STAGE, columns, len(known)), now)
            failures = store.verdict_since(end) or []
    finally:
        store.close()
    reasons = [failure["reason"] for failure in failures if failure["action"] == "block"]
    return [
        f"Gate raw_hour blocks the hour from {hour:%H:%M} on {hour:%Y-%m-%d} ({reason}): "
        "see with `lifecycle offsets show` which topics stand still, and ask their producers."
        for reason in reasons
    ]


def waiting_for_facts(settings: Settings) -> str | None:
    """None when the consumers have caught up, else one sentence on what they still have to do."""
    shown = operations(settings)
    late = [t for t in shown["tiles"] if t.id == "lag" and t.state not in ("good", "idle")]
    return f"{late[0].en}: {late[0].value} {late[0].note}." if late else None


def take_turn(settings: Settings, business_date: dt.date) -> bool:
    """Whether a night may start now, of nights that were started together: earlier dates first."""
    from lifecycle.adapters.nightly_turn import take_turn

    return take_turn(settings.database_url, business_date, dt.datetime.now(dt.UTC))


def has_facts(settings: Settings, business_date: dt.date) -> bool:
    """Whether any fact of this business date has arrived."""
    from lifecycle.adapters.operations import has_facts

    return has_facts(settings.database_url, business_date)


def backfill_requests(settings: Settings) -> list[dict[str, Any]]:
    """Nights that have to be run again since facts came after them, each with what settles it."""
    from lifecycle.adapters.operations import backfill_requests

    return [
        row | {"command": BACKFILL.format(day=row["business_date"])}
        for row in backfill_requests(settings.database_url)
    ]


def status(settings: Settings) -> dict[str, Any]:
    """Health of the platform's parts and, when the database answers, the operations numbers."""
    from dataclasses import asdict

    from lifecycle import platform

    return asdict(platform.status(settings.home)) | operations(settings)


def known_before(settings: Settings, row: dict[str, Any]) -> Any:
    """What an alert's rule knew: the client's state, or for a nightly alert the facility's move."""
    from lifecycle.adapters.event_log import PostgresEventLog
    from lifecycle.alerts.decide import decider
    from lifecycle.alerts.late import decode_late_fact, known_before
    from lifecycle.alerts.models import decode_drift
    from lifecycle.alerts.nightly import decode_move
    from lifecycle.alerts.rules import parse_rules
    from lifecycle.clients.state import STATE_VERSION, decode_state, version_of

    before = row["state_before"]
    if row["origin"] == "MODEL":
        return _named(decode_drift(before))
    if row["origin"] == "LATE":
        fact, rules = decode_late_fact(before), decider(parse_rules(row["rule_set"]))
        log = PostgresEventLog(settings.database_url)
        try:
            return _named(fact) | {"state": _named(known_before(fact, log.history, rules))}
        finally:
            log.close()
    if row["origin"] != "STREAM":
        return _named(decode_move(before))
    if version_of(before) != STATE_VERSION:
        return {"version": version_of(before), "note": "written by an earlier version of lifecycle"}
    return _named(decode_state(before))


def replay_alerts(settings: Settings, alert: str | None) -> dict[str, Any]:
    """Decide one alert, or every alert, again: {alerts, identical, differences}."""
    from lifecycle.adapters.event_log import PostgresEventLog
    from lifecycle.alerts.decide import decider
    from lifecycle.alerts.rules import parse_rules
    from lifecycle.proof import (
        alert_differences,
        rebuild,
        replay_late,
        replay_models,
        replay_nightly,
    )

    client = None
    if alert is not None:
        with alerts(settings) as store:
            shown = store.show(alert)
        client, alert = shown["client_id"], shown["alert_id"]
    log = PostgresEventLog(settings.database_url)
    try:
        with log.snapshot():
            rule_sets = {name: parse_rules(text) for name, text in log.rule_sets().items()}
            rules = {name: decider(rule_set) for name, rule_set in rule_sets.items()}
            again = rebuild(log.facts(client), rules).alerts
            nightly_stored, late_stored = log.nightly_alerts(client), log.late_alerts(client)
            of_models = log.model_alerts(client)
            again |= replay_nightly(nightly_stored, rule_sets)
            again |= replay_late(late_stored, log.history, rules)
            again |= replay_models(of_models, rule_sets)
            stored = log.alerts(client)
            stored |= {a.alert_id: a for a, _ in (*nightly_stored, *late_stored, *of_models)}
    finally:
        log.close()
    if alert is not None:
        again = {k: v for k, v in again.items() if k == alert}
        stored = {alert: stored[alert]}
    differences = alert_differences(again, stored)
    return {
        "alerts": len(stored),
        "identical": len(stored) - len(differences),
        "differences": differences,
    }


def aml(
    settings: Settings,
    product: str,
    date: dt.date | None,
    client_id: str | None,
    role: str | None,
) -> list[dict[str, Any]]:
    """Rows of one of the lake's products about money laundering, of the night served or of a date. Raises
    UsageError for a role that may not read them, and for a date without a night."""
    from lifecycle.clients import reading

    if role != reading.COMPLIANCE:
        raise UsageError(
            "What is found of money laundering is read by compliance alone: --role CO."
        )
    with nightly(settings) as night:
        date = date or night.store.served_date()
        # The reviews are what a night keeps last of it.
        if date is None or not night.lake.has("aml_review", date):
            raise UsageError(
                f"No night of {date or 'any date'} came to its end: nobody can say what was found."
            )
        found = night.lake.has(product, date)
        rows = night.lake.read(product, date).to_pylist() if found else []
    return [row for row in rows if client_id in (None, row["client_id"])]


def replay_scores(settings: Settings, date: dt.date | None, sample: int | None) -> dict[str, Any]:
    """Make scores of a night again: {date, scores, identical, differences}. Raises UsageError for a date
    without one, or when the rules or the model of a score are gone."""
    from lifecycle.adapters.event_log import PostgresEventLog
    from lifecycle.alerts.rules import parse_rules
    from lifecycle.scoring import chosen, unlike

    with nightly(settings) as night:
        date = date or night.store.served_date()
        if date is None:
            raise UsageError("There are no scores: no night was published.")
        if not night.lake.has("risk_score", date):
            raise UsageError(f"There are no scores as of {date}: no night of that date made any.")
        rows = night.lake.read("risk_score", date).to_pylist()
        gone = night.store.served_scores(date) - {row["score_id"] for row in rows}
        log = PostgresEventLog(settings.database_url)
        try:
            rules = {name: parse_rules(text) for name, text in log.rule_sets().items()}
        finally:
            log.close()
        picked = rows if sample is None else chosen(rows, sample)
        fitted = _models_of(settings, {row["model_version"] for row in picked})
        differences = list(unlike(picked, rules | {night.rules.hash: night.rules}, fitted))
        differences += [f"served, and not in the lake: {score_id}" for score_id in sorted(gone)]
    return {
        "date": date,
        "scores": len(picked),
        "identical": len(picked) - (len(differences) - len(gone)),
        "differences": differences,
    }


def client(
    settings: Settings,
    client_id: str,
    *,
    actor: str,
    purpose: Purpose = "P1_SERVICE",
    as_of: dt.date | None = None,
    role: str | None = None,
) -> dict[str, Any]:
    """One client's page, with the keys of the stable interface, read for a purpose: that is written
    down, and what the client does not allow now has no value, whatever is served or was once lawful.
    `as_of` gives the profile of that night; a `role` sees nothing that compliance owns, unless it is
    CO."""
    from lifecycle.adapters.client_store import ClientStore
    from lifecycle.adapters.lake import Lake
    from lifecycle.adapters.profile_store import ProfileStore
    from lifecycle.alerts.rules import load_rules
    from lifecycle.client_page import page
    from lifecycle.clients.consent import ledger, permissions
    from lifecycle.ports import ProfileRead

    now = dt.datetime.now(dt.UTC)
    figures = load_rules(settings.rules).parameters
    store = ClientStore(settings.database_url, _gap_age(settings))
    profiles = ProfileStore(settings.database_url)
    try:
        served = store.page(client_id)
        if as_of is not None:
            served |= Lake(settings.lake).client(client_id, as_of)
        consents = ledger(profiles.consent_facts([client_id]), now)
        allowed = permissions(consents, figures["purposes_without_consent"].value)
        asked = allowed[purpose]
        profiles.record_reads([
            ProfileRead(client_id, purpose, actor, as_of, asked.allowed, asked.ground, now)
        ])
    finally:
        profiles.close()
        store.close()
    with alerts(settings) as alert_store:
        served["alerts"] = alert_store.list(client=client_id)
    return page(client_id, served, allowed, purpose, role, figures)


def clients(
    settings: Settings,
    where: str,
    *,
    actor: str,
    purpose: Purpose = "P1_SERVICE",
    as_of: dt.date | None = None,
) -> list[dict[str, Any]]:
    """Clients whose attributes, as they may be read for a purpose, meet the conditions; each read is
    written down. `as_of` gives those of that night. Raises UsageError for conditions that are none."""
    from lifecycle.adapters.client_store import ClientStore
    from lifecycle.adapters.lake import Lake
    from lifecycle.adapters.profile_store import ProfileStore
    from lifecycle.alerts.rules import load_rules
    from lifecycle.client_list import Reader
    from lifecycle.clients.selection import conditions

    asked = conditions(where)
    figures = load_rules(settings.rules).parameters
    store = ClientStore(settings.database_url, _gap_age(settings))
    profiles = ProfileStore(settings.database_url)
    try:
        reader = Reader(
            purpose=purpose,
            free=figures["purposes_without_consent"].value,
            facts=profiles.consent_facts,
            now=dt.datetime.now(dt.UTC),
        )
        every = store.everybody() if as_of is None else Lake(settings.lake).everybody(as_of)
        found = list(reader.matching(every, asked))
        profiles.record_reads(reader.reads(found, actor, as_of))
        return [row for row, _ in found]
    finally:
        profiles.close()
        store.close()


def plot_client(
    settings: Settings,
    client_id: str,
    as_of: dt.date | None,
    path: Path,
    language: Literal["en", "zh"],
) -> None:
    """Draw a client's balance and flows up to a date, or up to its newest fact, from the event log."""
    from lifecycle.adapters.nightly_store import NightlyStore
    from lifecycle.adapters.profile_store import ProfileStore
    from lifecycle.alerts.rules import load_rules
    from lifecycle.clients.facts import Facts
    from lifecycle.picture import balances_and_flows
    from lifecycle.plots import client_plot

    store, night = ProfileStore(settings.database_url), NightlyStore(settings.database_url)
    try:
        history = store.history(client_id, store.newest_position())
        held, _ = night.held()
    finally:
        night.close()
        store.close()
    date = as_of or max(event.data.business_date for _, event in history)
    with _engine_over(history) as engine:
        facts = Facts(engine, date, settings.timezone, held)
        balances, flows = balances_and_flows(engine, facts, load_rules(settings.rules).parameters)
    client_plot(client_id, balances, flows, path, language)


@contextmanager
def _engine_over(facts: Iterable[tuple[int, Event]]) -> Iterator[Engine]:
    """An engine that sees these facts and nothing else."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        append_to_lake(Path(folder), list(facts), version=0)
        with engine_over_lake(Path(folder)) as engine:
            yield engine


def append_to_lake(folder: Path, facts: Sequence[tuple[int, Event]], version: int) -> None:
    """Append (position, fact) pairs to a lake of its own in a folder, not the bank's."""
    from lifecycle.adapters.lake import Lake

    Lake(folder).append(facts, seal_id=0, version=version)


def append_table_to_lake(folder: Path, event_type: str, rows: pa.Table) -> None:
    """Append rows of a type as they stand to such a lake; columns they lack are null."""
    from lifecycle.adapters.lake import Lake

    Lake(folder).append_table(event_type, rows)


def engine_over_lake(
    folder: Path, settings: Settings | None = None
) -> AbstractContextManager[Engine]:
    """An engine over such a lake: the one the settings name, else DuckDB."""
    from lifecycle.adapters.engines import DuckDBEngine
    from lifecycle.adapters.lake import Lake

    lake = Lake(folder)
    return _engine(settings, lake) if settings else DuckDBEngine(lake)


def consent(settings: Settings, client_id: str, as_of: dt.date | None) -> dict[str, Any]:
    """What may be used of a client for which purpose, since when and why, and every consent with what
    became of it: as of the end of a date, or now."""
    from lifecycle.adapters.profile_store import ProfileStore
    from lifecycle.clients.consent import ledger, permissions
    from lifecycle.clients.facts import end_of

    at = dt.datetime.now(dt.UTC) if as_of is None else end_of(as_of, settings.timezone)
    store = ProfileStore(settings.database_url)
    try:
        if not store.knows(client_id):
            raise UsageError(
                f"There is no client {client_id}: no fact of that client was ever accepted."
            )
        consents = ledger(store.consent_facts([client_id]), at)
        reads = store.reads(client_id)
    finally:
        store.close()
    allowed = permissions(consents, _purposes_without_consent(settings))
    return {
        "client_id": client_id,
        "as_of": as_of,
        "purposes": [_named(permission) for permission in allowed.values()],
        "consents": [_named(given) for given in consents],
        "reads": [read._asdict() for read in reads],
    }


def refresh_profiles(settings: Settings) -> Refreshed | None:
    """Serve what changed since the last look; None while a night runs."""
    from expectations.gate import GreatExpectationsGate
    from lifecycle.adapters.nightly_store import NightlyStore
    from lifecycle.adapters.postgres import unavailable
    from lifecycle.adapters.profile_store import ProfileStore
    from lifecycle.alerts.rules import load_rules
    from lifecycle.refresh import Refresh, refresh

    with unavailable():
        store, night = ProfileStore(settings.database_url), NightlyStore(settings.database_url)
        try:
            return refresh(
                Refresh(
                    store=store,
                    open_engine=_engine_over,
                    gate=GreatExpectationsGate(),
                    rules=load_rules(settings.rules),
                    zone=settings.timezone,
                    held=lambda: night.held()[0],
                    corrected=night.corrected,
                    now=lambda: dt.datetime.now(dt.UTC),
                )
            )
        finally:
            night.close()
            store.close()


def _purposes_without_consent(settings: Settings) -> list[str]:
    from lifecycle.alerts.rules import load_rules

    purposes: list[str] = load_rules(settings.rules).parameters["purposes_without_consent"].value
    return purposes


def overrides(settings: Settings) -> AbstractContextManager[OverrideStore]:
    """Overrides of scores as people work with them."""
    from lifecycle.adapters.override_store import OverrideStore

    return closing(OverrideStore(settings.database_url))


def ask_for_override(settings: Settings, wanted: Override, *, maker: str) -> int:
    """Write down that a person wants another band to count; return the override's id."""
    from lifecycle.alerts.rules import load_rules

    figures = load_rules(settings.rules).parameters
    with overrides(settings) as store:
        return store.ask(
            wanted,
            maker=maker,
            days_max=int(figures["override_days_max"].value),
            now=dt.datetime.now(dt.UTC),
        )


def override_question(settings: Settings, override_id: int) -> dict[str, str]:
    """What a second person is asked of an override: {subject, body}."""
    from lifecycle.override import question

    with overrides(settings) as store:
        return question(store.show(override_id))


def decide_override(
    settings: Settings, override_id: int, answer: override.Answer, *, checker: str
) -> dict[str, Any]:
    """A second person's answer, written down: {override_id, client_id, score_type, band, status}."""
    with overrides(settings) as store:
        done = store.decide(override_id, answer, checker=checker, now=dt.datetime.now(dt.UTC))
    return {
        name: done[name] for name in ("override_id", "client_id", "score_type", "band", "status")
    }


def quarantine(settings: Settings) -> AbstractContextManager[QuarantineStore]:
    """Quarantine as people work with it."""
    from lifecycle.adapters.quarantine_store import QuarantineStore

    return closing(QuarantineStore(settings.database_url))


def ask_for_quarantined(
    settings: Settings,
    quarantine_id: int,
    action: Action,
    corrected: bytes | None,
    *,
    reason: str,
    maker: str,
) -> int:
    """Write down that a person wants a record released or discarded; return the request's id."""
    from lifecycle.quarantine import check_request

    with quarantine(settings) as store:
        record = store.show(quarantine_id)
        check_request(record, action, corrected, reason)
        now = dt.datetime.now(dt.UTC)
        return store.ask(quarantine_id, action, corrected, reason=reason, maker=maker, now=now)


def quarantine_question(settings: Settings, request_id: int) -> dict[str, str]:
    """What a second person is asked: {subject, body}; no content of the record."""
    from lifecycle.quarantine import question

    with quarantine(settings) as store:
        request = store.request(request_id)
        (asked,) = [
            row
            for row in store.show(request.quarantine_id)["requests"]
            if row["request_id"] == request_id
        ]
        return question(asked, store.show(request.quarantine_id))


def decide_quarantined(
    settings: Settings, request_id: int, answer: Answer, *, checker: str
) -> dict[str, Any]:
    """A second person's answer, carried out: {quarantine_id, status, facts, alerts}.

    Raises UsageError when the same person asks and decides, AnswerIsNo when the record is refused
    again; then the request keeps waiting.
    """
    from lifecycle.quarantine import check_decision

    now = dt.datetime.now(dt.UTC)
    with quarantine(settings) as store:
        request = store.request(request_id)
        check_decision(request, checker)
        done = {"quarantine_id": request.quarantine_id, "facts": 0, "alerts": 0}
        if answer == "REJECT":
            store.reject(request_id, checker, now)
            return done | {"status": "HELD"}
        if request.action == "RELEASE" and request.stage == "raw":
            batch = _release_patiently(settings, store, request, checker)
            done |= {"facts": len(batch.facts), "alerts": len(batch.alerts)}
            return done | {"status": "RELEASED"}
        status = "RELEASED" if request.action == "RELEASE" else "DISCARDED"
        store.close_record(request, status, checker, now)
        return done | {"status": status}


def _release_patiently(
    settings: Settings, store: QuarantineStore, request: Request, checker: str
) -> Batch:
    """A release that meets a client whose facts are just being written is tried again."""
    from lifecycle.quarantine import check_decision

    record = store.show(request.quarantine_id)
    for attempt in range(RELEASE_ATTEMPTS):
        if attempt:
            time.sleep(RELEASE_PAUSE_SECONDS * attempt)
        try:
            return _release(settings, record, request, checker, dt.datetime.now(dt.UTC))
        except (AnswerIsNo, Fenced) as error:
            # Somebody may have been quicker, and then that is what there is to say.
            check_decision(store.request(request.request_id), checker)
            if isinstance(error, AnswerIsNo):
                raise
    raise AnswerIsNo(
        f"Record {request.quarantine_id} was not released, since facts of its client came in between "
        f"{RELEASE_ATTEMPTS} times; nothing was changed and request {request.request_id} waits: "
        "approve it again when `lifecycle status` shows less lag."
    )


def _release(
    settings: Settings, record: dict[str, Any], request: Request, checker: str, now: dt.datetime
) -> Batch:
    """The record through the same gate and the same transaction as any other."""
    from expectations.gate import GreatExpectationsGate
    from lifecycle.alerts.decide import decider
    from lifecycle.alerts.rules import load_rules
    from lifecycle.breaker import Breaker
    from lifecycle.intake import prepare
    from lifecycle.pipeline import release
    from lifecycle.ports import Record, Release
    from lifecycle.quarantine import key_of

    key = key_of(record["record_key"], record["raw"], request.corrected)
    value = request.corrected if request.corrected is not None else record["raw"]
    place = (record["topic"], record["partition"], record["kafka_offset"])
    rule_set, accepts = load_rules(settings.rules), ingest_limits(settings)
    prepared = prepare(
        [Record(*place, key, value)],
        gate=GreatExpectationsGate(),
        limits=accepts,
        breaker=Breaker(accepts),
        now=now,
        # An orphan came before it was put into quarantine: it had waited for what it refers to.
        came=record["quarantined_at"]
        - (accepts.orphan_age if record["reason"] == "ORPHANED" else dt.timedelta()),
    )
    store = _ingest_store(settings, rule_set, "release")
    try:
        return release(
            prepared,
            Release(record["quarantine_id"], request.request_id, checker),
            store=store,
            rules=decider(rule_set),
        )
    finally:
        store.close()


def expire_parked(settings: Settings) -> int:
    """Facts that waited too long for what they refer to go to quarantine; return how many."""
    from lifecycle.alerts.rules import load_rules
    from lifecycle.pipeline import orphan

    now = dt.datetime.now(dt.UTC)
    store = _ingest_store(settings, load_rules(settings.rules), "sweep")
    try:
        return orphan(store, now - ingest_limits(settings).orphan_age, ORPHANS_MAX, now)
    finally:
        store.close()


def _named(value: Any) -> Any:
    """A state with the names of its fields: it is stored as arrays, people read it by name."""
    import msgspec

    if isinstance(value, msgspec.Struct):
        return {f: _named(getattr(value, f)) for f in value.__struct_fields__}
    if isinstance(value, dict):
        return {key: _named(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_named(item) for item in value]
    return value
