"""The first tables: ingest, log, state, alerts, nightly and serving.

Revision: 0001
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

INGEST = """
CREATE TABLE consumer_offset (
    consumer_group text NOT NULL,
    topic          text NOT NULL,
    partition      int  NOT NULL,
    next_offset    bigint NOT NULL,
    received       bigint NOT NULL DEFAULT 0,
    applied        bigint NOT NULL DEFAULT 0,
    quarantined    bigint NOT NULL DEFAULT 0,
    duplicates     bigint NOT NULL DEFAULT 0,
    updated_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer_group, topic, partition)
);
COMMENT ON TABLE consumer_offset IS 'The only authority on what was consumed; moved by compare-and-set in the transaction of the data';

CREATE TABLE rule_set (
    rules_hash text PRIMARY KEY,
    content    text NOT NULL,
    first_used timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE rule_set IS 'Every rule set that ever decided something, whole, so that a decision can be taken again';

CREATE TABLE gate_result (
    gate_result_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stage          text NOT NULL,
    business_date  date,
    run_at         timestamptz NOT NULL,
    rows           int NOT NULL,
    success        boolean NOT NULL,
    evaluated      int NOT NULL,
    expected       int NOT NULL,
    milliseconds   real NOT NULL,
    failures       jsonb NOT NULL
);
CREATE INDEX ON gate_result (stage, run_at DESC);
COMMENT ON TABLE gate_result IS 'What Great Expectations said of each batch; no values, no personal data';

CREATE TABLE micro_batch (
    batch_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer       text NOT NULL,
    ingested_at    timestamptz NOT NULL,
    rules_hash     text NOT NULL REFERENCES rule_set,
    code_version   text NOT NULL,
    gate_result_id bigint NOT NULL
);
CREATE INDEX ON micro_batch (ingested_at);

CREATE TABLE inbox (
    event_key      bytea PRIMARY KEY,
    payload_sha256 bytea NOT NULL
);
COMMENT ON TABLE inbox IS 'Identity of every accepted fact: a digest of CloudEvents source and id';

CREATE TABLE event_log (
    position      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_key     bytea NOT NULL,
    event_id      text NOT NULL,
    source        text NOT NULL,
    type          text NOT NULL,
    subject       text NOT NULL,
    client_id     text NOT NULL,
    time          timestamptz NOT NULL,
    recordedtime  timestamptz NOT NULL,
    business_date date NOT NULL,
    topic         text NOT NULL,
    partition     int NOT NULL,
    kafka_offset  bigint NOT NULL,
    batch_id      bigint NOT NULL,
    payload       bytea NOT NULL
);
CREATE INDEX ON event_log (client_id, position);
CREATE INDEX event_log_days ON event_log USING brin (batch_id, business_date)
    WITH (pages_per_range = 32, autosummarize = on);
COMMENT ON COLUMN event_log.position IS 'Arrival order; per client it is the order in which facts were committed';
COMMENT ON COLUMN event_log.payload IS 'The record value, byte for byte';

CREATE TABLE client_state (
    client_id  text PRIMARY KEY,
    facts      bigint NOT NULL,
    state      bytea NOT NULL,
    updated_at timestamptz NOT NULL
) WITH (fillfactor = 60);
COMMENT ON COLUMN client_state.facts IS 'Facts folded so far; a writer that read another count is fenced';

CREATE TABLE quarantine (
    quarantine_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    stage          text NOT NULL,
    topic          text NOT NULL,
    partition      int NOT NULL,
    kafka_offset   bigint NOT NULL,
    position       bigint,
    record_key     bytea,
    raw            bytea,
    reason         text NOT NULL,
    detail         text NOT NULL,
    event_id       text,
    client_id      text,
    status         text NOT NULL DEFAULT 'HELD',
    gate_result_id bigint NOT NULL,
    quarantined_at timestamptz NOT NULL,
    UNIQUE (stage, topic, partition, kafka_offset)
);

CREATE TABLE outbox (
    outbox_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic        text NOT NULL,
    key          text NOT NULL,
    value        bytea NOT NULL,
    created_at   timestamptz NOT NULL,
    published_at timestamptz
);
CREATE INDEX outbox_waiting ON outbox (outbox_id) WHERE published_at IS NULL;
"""

ALERTS = """
CREATE TABLE alert (
    alert_id       uuid PRIMARY KEY,
    alert_key      text NOT NULL UNIQUE,
    origin         text NOT NULL CHECK (origin IN ('STREAM', 'NIGHTLY')),
    rule_id        text NOT NULL,
    rule_version   int  NOT NULL,
    rules_hash     text NOT NULL REFERENCES rule_set,
    severity       text NOT NULL CHECK (severity IN ('P1', 'P2', 'P3', 'P4')),
    client_id      text NOT NULL,
    entity         text NOT NULL,
    owner          text NOT NULL,
    status         text NOT NULL DEFAULT 'NEW',
    event_time     timestamptz NOT NULL,
    detected_at    timestamptz NOT NULL,
    value          numeric,
    unit           text NOT NULL,
    hit_count      int NOT NULL,
    last_seen      timestamptz NOT NULL,
    max_value      numeric,
    message_zh     text NOT NULL,
    message_en     text NOT NULL,
    evidence       jsonb NOT NULL,
    decision       bytea NOT NULL,
    state_before   bytea,
    gate_result_id bigint NOT NULL,
    code_version   text NOT NULL
);
CREATE INDEX ON alert (client_id);
CREATE INDEX alert_open ON alert (severity, detected_at) WHERE status <> 'CLOSED';
COMMENT ON COLUMN alert.decision IS 'The alert as the rule decided it, canonical JSON; replay must give the same bytes';
COMMENT ON COLUMN alert.state_before IS 'The client state the rule saw before the deciding fact, msgpack';

CREATE TABLE alert_action (
    action_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alert_id  uuid NOT NULL REFERENCES alert,
    action    text NOT NULL,
    actor     text NOT NULL,
    reason    text NOT NULL,
    acted_at  timestamptz NOT NULL
);

CREATE TABLE alert_delivery (
    alert_id        uuid NOT NULL REFERENCES alert,
    channel         text NOT NULL,
    attempts        int NOT NULL DEFAULT 0,
    last_attempt_at timestamptz,
    delivered_at    timestamptz,
    error           text,
    PRIMARY KEY (alert_id, channel)
);
CREATE INDEX alert_delivery_waiting ON alert_delivery (alert_id) WHERE delivered_at IS NULL;
"""

NIGHTLY = """
CREATE TABLE seal (
    seal_id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    business_date    date NOT NULL,
    through_position bigint NOT NULL,
    complete_through bigint NOT NULL,
    rows             bigint,
    sealed_at        timestamptz NOT NULL,
    written_at       timestamptz
);
COMMENT ON COLUMN seal.complete_through IS 'Every fact up to here is in the lake, whatever its business date: the next night starts after it';
COMMENT ON TABLE seal IS 'What the lake holds: all facts up to a position whose business date is not after the day';

CREATE TABLE nightly_run (
    business_date date PRIMARY KEY,
    started_at    timestamptz NOT NULL,
    finished_at   timestamptz,
    status        text NOT NULL CHECK (status IN ('RUNNING', 'PUBLISHED', 'BLOCKED', 'FAILED')),
    reason        text,
    steps         jsonb NOT NULL DEFAULT '[]',
    published     boolean NOT NULL DEFAULT false,
    equal         boolean
);

CREATE TABLE publication (
    product      text PRIMARY KEY,
    as_of        date NOT NULL,
    published_at timestamptz NOT NULL,
    stale        boolean NOT NULL DEFAULT false,
    stale_reason text
);

CREATE TABLE client_profile (
    client_id        text NOT NULL,
    name             text NOT NULL,
    value            text,
    unit             text NOT NULL,
    as_of            date NOT NULL,
    derived_at       timestamptz NOT NULL,
    method_version   text NOT NULL,
    purpose          text NOT NULL,
    confidence       real NOT NULL,
    null_reason      text,
    source_event_ids text[] NOT NULL,
    PRIMARY KEY (client_id, name)
);

CREATE TABLE risk_score (
    score_id            uuid NOT NULL,
    client_id           text NOT NULL,
    score_type          text NOT NULL,
    status              text NOT NULL CHECK (status IN ('SCORED', 'SUPPRESSED')),
    value               int,
    band                text,
    pd                  numeric,
    calibrated          boolean NOT NULL,
    reason_codes        jsonb NOT NULL,
    as_of               date NOT NULL,
    feature_hash        text NOT NULL,
    model_version       text NOT NULL,
    calibration_version text,
    data_quality_grade  text,
    PRIMARY KEY (client_id, score_type)
);

CREATE TABLE facility_stage (
    facility_id text PRIMARY KEY,
    client_id   text NOT NULL,
    as_of       date NOT NULL,
    dpd         int NOT NULL,
    outstanding numeric NOT NULL,
    currency    text NOT NULL,
    tier        text NOT NULL,
    stage       int NOT NULL,
    trigger     text NOT NULL
);
CREATE INDEX ON facility_stage (client_id);

CREATE TABLE proof (
    proof_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    proved_at     timestamptz NOT NULL,
    business_date date,
    equal         boolean NOT NULL,
    clients       bigint NOT NULL,
    events        bigint NOT NULL,
    alerts        bigint NOT NULL,
    differences   jsonb NOT NULL
);
"""

TABLES = (
    "proof facility_stage risk_score client_profile publication nightly_run seal alert_delivery "
    "alert_action alert outbox quarantine client_state event_log inbox micro_batch gate_result "
    "rule_set consumer_offset"
)


def upgrade() -> None:
    for statements in (INGEST, ALERTS, NIGHTLY):
        op.execute(statements)


def downgrade() -> None:
    op.execute(f"DROP TABLE {', '.join(TABLES.split())}")
