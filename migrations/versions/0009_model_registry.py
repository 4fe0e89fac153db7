"""Models: the registry, who moved what to which status and why, and what each night saw of them.

Revision: 0009
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE model (
    model_version text PRIMARY KEY,
    model_type    text NOT NULL CHECK (model_type IN ('CREDIT', 'ATTRITION')),
    artefact      bytea NOT NULL,
    artefact_hash text NOT NULL,
    lake          jsonb NOT NULL,
    data_hash     text,
    code_version  text NOT NULL,
    metrics       jsonb NOT NULL,
    report        text,
    owner         text NOT NULL,
    created_at    timestamptz NOT NULL,
    status        text NOT NULL DEFAULT 'DEVELOPMENT'
        CHECK (status IN ('DEVELOPMENT', 'CHALLENGER', 'CHAMPION', 'RETIRED'))
);
CREATE UNIQUE INDEX model_champion ON model (model_type) WHERE status = 'CHAMPION';
COMMENT ON TABLE model IS 'Every model that was registered; at most one champion a type';
COMMENT ON COLUMN model.artefact_hash IS 'SHA-256 of the artefact when it was registered, as hex';
COMMENT ON COLUMN model.lake IS 'Product of the lake it was trained on -> version';
COMMENT ON COLUMN model.report IS 'The validation report, one HTML file';
COMMENT ON COLUMN model.owner IS 'Who made it: not the one to approve it';

CREATE TABLE model_request (
    request_id    bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    model_version text NOT NULL REFERENCES model,
    after         text NOT NULL,
    artefact_hash text NOT NULL,
    reason        text NOT NULL,
    maker         text NOT NULL,
    requested_at  timestamptz NOT NULL,
    status        text NOT NULL DEFAULT 'WAITING'
        CHECK (status IN ('WAITING', 'APPROVED', 'REJECTED')),
    checker       text,
    decided_at    timestamptz
);
CREATE UNIQUE INDEX model_request_waiting ON model_request (model_version) WHERE status = 'WAITING';
COMMENT ON TABLE model_request IS 'What somebody proposed of a model, and what a second person decided';
COMMENT ON COLUMN model_request.artefact_hash IS 'Of the artefact that was proposed: another one is refused';

CREATE TABLE model_change (
    change_id     bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    model_version text NOT NULL REFERENCES model,
    before        text,
    after         text NOT NULL,
    actor         text NOT NULL,
    reason        text NOT NULL,
    request_id    bigint REFERENCES model_request,
    changed_at    timestamptz NOT NULL
);
CREATE INDEX ON model_change (model_version);
COMMENT ON TABLE model_change IS 'Every change of a status, in order; rows are added and never changed';

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what stands in % is never changed', TG_TABLE_NAME;
END $$;
CREATE TRIGGER model_artefact_stays BEFORE UPDATE OF model_version, artefact, artefact_hash ON model
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER model_stays BEFORE DELETE ON model
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER model_change_append_only BEFORE UPDATE OR DELETE ON model_change
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE model_monitoring (
    business_date date NOT NULL,
    model_version text NOT NULL REFERENCES model,
    as_of         timestamptz NOT NULL,
    scored        bigint NOT NULL,
    psi           double precision NOT NULL,
    csi           jsonb NOT NULL,
    mean_pd       double precision NOT NULL,
    cohort        bigint NOT NULL,
    defaults      bigint NOT NULL,
    calibration_p double precision,
    decisions     bigint NOT NULL,
    overrides     bigint NOT NULL,
    light         text NOT NULL CHECK (light IN ('GREEN', 'AMBER', 'RED')),
    PRIMARY KEY (business_date, model_version)
);
COMMENT ON TABLE model_monitoring IS 'What each night saw of a champion: drift, calibration, overrides';
COMMENT ON COLUMN model_monitoring.csi IS 'Feature -> characteristic stability index';
COMMENT ON COLUMN model_monitoring.light IS 'The worst light of that night, by the rules of that night';

ALTER TABLE alert
    DROP CONSTRAINT alert_origin_check,
    ADD CONSTRAINT alert_origin_check CHECK (origin IN ('STREAM', 'NIGHTLY', 'LATE', 'MODEL'));
COMMENT ON COLUMN alert.client_id IS 'Empty where an alert is about no client: see entity';
"""

DOWN = """
COMMENT ON COLUMN alert.client_id IS NULL;
ALTER TABLE alert
    DROP CONSTRAINT alert_origin_check,
    ADD CONSTRAINT alert_origin_check CHECK (origin IN ('STREAM', 'NIGHTLY', 'LATE')) NOT VALID;
-- Alerts about models stay, though the older revision could not make them.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM alert WHERE origin = 'MODEL') THEN
        ALTER TABLE alert VALIDATE CONSTRAINT alert_origin_check;
    END IF;
END $$;
DROP TABLE model_monitoring;
DROP TABLE model_change;
DROP TABLE model_request;
DROP TABLE model;
DROP FUNCTION refuse_change();
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
