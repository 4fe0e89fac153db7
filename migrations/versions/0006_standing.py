"""Standing of a client: gaps that people accept, and one place that says who is degraded.

Revision: 0006
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE sequence_gap
    ADD missing bigint NOT NULL DEFAULT 1,
    ADD accepted bigint NOT NULL DEFAULT 0;
ALTER TABLE sequence_gap ALTER missing DROP DEFAULT;
COMMENT ON TABLE sequence_gap IS 'Producers whose numbering of a client''s facts has a hole now';
COMMENT ON COLUMN sequence_gap.missing IS 'Numbers that were not seen; of a gap from before this column at least one, until the client''s next fact';
COMMENT ON COLUMN sequence_gap.accepted IS 'How many of them a person does not wait for any more';

CREATE VIEW open_gap AS
    SELECT client_id, source, missing - accepted AS missing, opened_at
      FROM sequence_gap WHERE missing > accepted;
COMMENT ON VIEW open_gap IS 'What decides whether a client is incomplete';

CREATE TABLE gap_decision (
    decision_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id   text NOT NULL,
    source      text NOT NULL,
    missing     bigint NOT NULL,
    actor       text NOT NULL CHECK (actor <> ''),
    reason      text NOT NULL CHECK (reason <> ''),
    decided_at  timestamptz NOT NULL
);
COMMENT ON TABLE gap_decision IS 'Gaps that people no longer wait for: the facts will never come';

CREATE VIEW degraded_client AS
    SELECT client_id, count(*) AS held
      FROM quarantine WHERE status = 'HELD' AND client_id IS NOT NULL GROUP BY client_id;
COMMENT ON VIEW degraded_client IS 'What decides whether a client is degraded: a record held, by whatever gate';

ALTER TABLE quarantine_request
    DROP CONSTRAINT quarantine_request_check,
    ADD CONSTRAINT quarantine_request_check CHECK (lower(checker) <> lower(maker));
"""

DOWN = """
ALTER TABLE quarantine_request
    DROP CONSTRAINT quarantine_request_check,
    ADD CONSTRAINT quarantine_request_check CHECK (checker <> maker);
DROP VIEW degraded_client;
DROP TABLE gap_decision;
DROP VIEW open_gap;
DELETE FROM sequence_gap WHERE missing <= accepted;
ALTER TABLE sequence_gap DROP missing, DROP accepted;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
