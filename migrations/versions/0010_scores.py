"""Scores of every type in one table, with all they rest on; the moves of facilities; bands that two
persons put in the place of a score's own.

Revision: 0010
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE risk_score
    DROP CONSTRAINT risk_score_status_check,
    ADD CHECK (status IN ('SCORED', 'SUPPRESSED', 'UNKNOWN', 'NOT_CONSENTED')),
    ADD source_event_ids text[] NOT NULL DEFAULT '{}',
    ADD inputs text NOT NULL DEFAULT 'null',
    ADD rules_hash text,
    ADD override jsonb;
COMMENT ON COLUMN risk_score.inputs IS 'What the scorer was given, as canonical JSON: the same inputs give the same score';
COMMENT ON COLUMN risk_score.override IS 'The band that counts instead, why, by whom and until when';

CREATE TABLE score_override (
    override_id  bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    client_id    text NOT NULL,
    score_type   text NOT NULL,
    band         text NOT NULL,
    reason       text NOT NULL,
    valid_until  date NOT NULL,
    maker        text NOT NULL,
    requested_at timestamptz NOT NULL,
    status       text NOT NULL DEFAULT 'WAITING'
        CHECK (status IN ('WAITING', 'APPROVED', 'REJECTED')),
    checker      text,
    decided_at   timestamptz,
    CHECK (checker IS DISTINCT FROM maker)
);
CREATE UNIQUE INDEX ON score_override (client_id, score_type) WHERE status = 'WAITING';
COMMENT ON TABLE score_override IS 'A band a person wants in the place of a score''s own, and what a second person said to it';

ALTER TABLE facility_stage ADD tier_trigger text, ADD expected_loss numeric;
COMMENT ON COLUMN facility_stage.trigger IS 'What holds the facility in its IFRS 9 stage';
COMMENT ON COLUMN facility_stage.tier_trigger IS 'What holds it in its class';

CREATE TABLE facility_timeline (
    facility_id text NOT NULL,
    client_id   text NOT NULL,
    as_of       date NOT NULL,
    day         date NOT NULL,
    scale       text NOT NULL CHECK (scale IN ('TIER', 'STAGE')),
    before      text,
    after       text,
    trigger     text NOT NULL,
    proxy       boolean NOT NULL,
    event_id    text
);
CREATE INDEX ON facility_timeline (facility_id, day);
CREATE INDEX ON facility_timeline (client_id);
COMMENT ON TABLE facility_timeline IS 'Every move of a facility between classes and stages, and what caused it';
"""

DOWN = """
DROP TABLE facility_timeline;
ALTER TABLE facility_stage DROP tier_trigger, DROP expected_loss;
DROP TABLE score_override;
DELETE FROM risk_score WHERE status NOT IN ('SCORED', 'SUPPRESSED') OR score_type <> 'CREDIT';
ALTER TABLE risk_score
    DROP source_event_ids, DROP inputs, DROP rules_hash, DROP override,
    DROP CONSTRAINT risk_score_status_check,
    ADD CHECK (status IN ('SCORED', 'SUPPRESSED'));
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
