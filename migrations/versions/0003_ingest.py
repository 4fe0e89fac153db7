"""Ingestion at full strength: business keys, parking, corrections, gaps, stops, release.

Revision: 0003
"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE consumer_offset
    ADD parked bigint NOT NULL DEFAULT 0,
    ADD stopped_at timestamptz,
    ADD stopped_reason text;
COMMENT ON COLUMN consumer_offset.stopped_at IS 'When the breaker stopped the partition; null: it is read';

ALTER TABLE inbox RENAME payload_sha256 TO data_sha256;
ALTER TABLE inbox
    ADD business_key bytea UNIQUE,
    ADD sequence bigint NOT NULL DEFAULT 0,
    ADD received_on date NOT NULL DEFAULT current_date;
CREATE INDEX inbox_days ON inbox USING brin (received_on);
COMMENT ON COLUMN inbox.business_key IS 'Digest of type and business key; null once a correction holds it';

ALTER TABLE event_log
    ADD correction boolean NOT NULL DEFAULT false,
    ADD waited boolean NOT NULL DEFAULT false,
    ADD quarantine_id bigint;
COMMENT ON COLUMN event_log.quarantine_id IS 'The quarantined record this fact was released from';
CREATE INDEX event_log_released ON event_log (quarantine_id) WHERE quarantine_id IS NOT NULL;

CREATE TABLE correction (
    event_key    bytea PRIMARY KEY,
    corrected_by bytea NOT NULL,
    client_id    text NOT NULL,
    corrected_at timestamptz NOT NULL
);
COMMENT ON TABLE correction IS 'Facts that a newer fact of the same business key replaces; both stay in the log';

CREATE TABLE parked (
    parked_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_key    bytea NOT NULL,
    event_id     text NOT NULL,
    type         text NOT NULL,
    client_id    text NOT NULL,
    topic        text NOT NULL,
    partition    int NOT NULL,
    kafka_offset bigint NOT NULL,
    waits_for    text NOT NULL,
    correction   boolean NOT NULL,
    quarantine_id bigint,
    payload      bytea NOT NULL,
    parked_at    timestamptz NOT NULL
);
CREATE INDEX ON parked (client_id, parked_id);
CREATE INDEX ON parked (parked_at);
COMMENT ON TABLE parked IS 'Facts that came before what they refer to; applied in the transaction that brings it';

CREATE TABLE sequence_gap (
    client_id text NOT NULL,
    source    text NOT NULL,
    opened_at timestamptz NOT NULL,
    PRIMARY KEY (client_id, source)
);
COMMENT ON TABLE sequence_gap IS 'Producers whose numbering of a client''s facts has a hole now';

ALTER TABLE quarantine
    DROP CONSTRAINT quarantine_stage_topic_partition_kafka_offset_key,
    ADD expectation text NOT NULL DEFAULT '',
    ADD closed_at timestamptz,
    ALTER gate_result_id DROP NOT NULL,
    ADD CHECK (status IN ('HELD', 'RELEASED', 'DISCARDED'));
CREATE UNIQUE INDEX quarantine_place ON quarantine (stage, topic, partition, kafka_offset)
    WHERE status <> 'RELEASED';
COMMENT ON INDEX quarantine_place IS 'A record is kept out once; one that was released may come back as an orphan';
CREATE INDEX quarantine_held ON quarantine (client_id) WHERE status = 'HELD';

CREATE TABLE offset_decision (
    decision_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer_group text NOT NULL,
    topic          text NOT NULL,
    partition      int NOT NULL,
    action         text NOT NULL CHECK (action IN ('RESUME', 'SET')),
    from_offset    bigint NOT NULL,
    to_offset      bigint NOT NULL,
    actor          text NOT NULL CHECK (actor <> ''),
    reason         text NOT NULL CHECK (reason <> ''),
    decided_at     timestamptz NOT NULL
);
COMMENT ON TABLE offset_decision IS 'What people decided about offsets: to read on, or to go elsewhere';

CREATE TABLE quarantine_request (
    request_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    quarantine_id bigint NOT NULL REFERENCES quarantine,
    action        text NOT NULL CHECK (action IN ('RELEASE', 'DISCARD')),
    corrected     bytea,
    reason        text NOT NULL CHECK (reason <> ''),
    maker         text NOT NULL CHECK (maker <> ''),
    requested_at  timestamptz NOT NULL,
    status        text NOT NULL DEFAULT 'WAITING'
                  CHECK (status IN ('WAITING', 'APPROVED', 'REJECTED')),
    checker       text CHECK (checker <> maker),
    decided_at    timestamptz
);
CREATE UNIQUE INDEX quarantine_request_waiting ON quarantine_request (quarantine_id)
    WHERE status = 'WAITING';
COMMENT ON COLUMN quarantine_request.corrected IS 'The record as it should have been; null: as it came';
"""

DOWN = """
DROP TABLE quarantine_request, offset_decision, sequence_gap, parked, correction;
DROP INDEX quarantine_held, quarantine_place;
-- Of records with one place the older revision knows the last; what was released is in the log.
DELETE FROM quarantine AS q WHERE EXISTS (
    SELECT FROM quarantine AS later
     WHERE (later.stage, later.topic, later.partition, later.kafka_offset)
           = (q.stage, q.topic, q.partition, q.kafka_offset)
       AND later.quarantine_id > q.quarantine_id
);
-- What waited too long was held by no gate.
UPDATE quarantine SET gate_result_id = 0 WHERE gate_result_id IS NULL;
ALTER TABLE quarantine
    DROP expectation,
    DROP closed_at,
    DROP CONSTRAINT quarantine_status_check,
    ALTER gate_result_id SET NOT NULL,
    ADD UNIQUE (stage, topic, partition, kafka_offset);
ALTER TABLE event_log DROP correction, DROP waited, DROP quarantine_id;
ALTER TABLE inbox DROP business_key, DROP sequence, DROP received_on;
ALTER TABLE inbox RENAME data_sha256 TO payload_sha256;
ALTER TABLE consumer_offset DROP parked, DROP stopped_at, DROP stopped_reason;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
