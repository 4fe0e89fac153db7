"""Late facts: the flag of each fact, the alerts the night raises on them, backfills asked for.

Revision: 0007
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE event_log ADD late boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN event_log.late IS 'Whether it came too late for the stream''s rules; decided when it came, not again';
CREATE INDEX event_log_late ON event_log (position) WHERE late;

ALTER TABLE parked ADD late boolean NOT NULL DEFAULT false;

ALTER TABLE alert
    DROP CONSTRAINT alert_origin_check,
    ADD CONSTRAINT alert_origin_check CHECK (origin IN ('STREAM', 'NIGHTLY', 'LATE')),
    ADD late boolean NOT NULL GENERATED ALWAYS AS (origin = 'LATE') STORED;
COMMENT ON COLUMN alert.late IS 'Raised by a night on a fact that came too late for the stream';

CREATE TABLE backfill_request (
    business_date date NOT NULL,
    facts         bigint NOT NULL,
    clients       bigint NOT NULL,
    seal_id       bigint NOT NULL,
    requested_at  timestamptz NOT NULL,
    status        text NOT NULL DEFAULT 'OPEN' CHECK (status IN ('OPEN', 'DONE')),
    done_at       timestamptz
);
CREATE UNIQUE INDEX backfill_request_open ON backfill_request (business_date)
    WHERE status = 'OPEN';
COMMENT ON TABLE backfill_request IS 'Business dates whose facts came after their night was out of reach: an operator runs it again';
COMMENT ON COLUMN backfill_request.seal_id IS 'The seal that brought the first of the facts';
"""

# What the watermark kept from raising alerts before there was a flag: the proof takes the flag.
_FLAG = """
UPDATE event_log AS e SET late = true
  FROM (SELECT position, batch_id, business_date, max(business_date) OVER (
                   PARTITION BY client_id, topic ORDER BY position
                   ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS newest
          FROM event_log WHERE topic IN ('bank.account.v1', 'bank.credit.v1')) AS seen
  JOIN micro_batch AS b USING (batch_id)
  JOIN rule_set AS r USING (rules_hash)
 WHERE e.position = seen.position AND NOT e.waited
   AND seen.newest - seen.business_date
       > (r.content::jsonb #>> '{parameters,alert_lateness_days,value}')::int
"""

DOWN = """
DROP TABLE backfill_request;
ALTER TABLE alert
    DROP COLUMN late,
    DROP CONSTRAINT alert_origin_check,
    ADD CONSTRAINT alert_origin_check CHECK (origin IN ('STREAM', 'NIGHTLY')) NOT VALID;
-- Alerts of late facts stay, though the older revision could not make them.
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM alert WHERE origin = 'LATE') THEN
        ALTER TABLE alert VALIDATE CONSTRAINT alert_origin_check;
    END IF;
END $$;
ALTER TABLE parked DROP late;
ALTER TABLE event_log DROP late;
"""


def upgrade() -> None:
    op.execute(UP)
    op.execute(_FLAG)


def downgrade() -> None:
    op.execute(DOWN)
