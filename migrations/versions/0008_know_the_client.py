"""Know the client: where it stands, what follows from its profile, what a person has to solve, when a
value's newest source became true, and who read a profile for what.

Revision: 0008
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE client_profile ADD source_time timestamptz;
COMMENT ON COLUMN client_profile.source_time IS 'When the newest fact the value stems from became true';
CREATE INDEX client_profile_purpose ON client_profile (client_id, purpose);

ALTER TABLE facility_stage ADD state text;
COMMENT ON COLUMN facility_stage.state IS 'Where the facility stands in the life of a credit; null until a night says so';

CREATE TABLE client_summary (
    client_id       text PRIMARY KEY,
    as_of           date NOT NULL,
    client_type     text NOT NULL,
    state           text NOT NULL,
    since           date NOT NULL,
    grade           text NOT NULL,
    profile_quality numeric NOT NULL,
    standing        jsonb NOT NULL,
    quality         jsonb NOT NULL,
    checks          jsonb NOT NULL,
    needs           jsonb NOT NULL,
    questions       jsonb NOT NULL
);
CREATE INDEX ON client_summary (state);
COMMENT ON TABLE client_summary IS 'What follows from a client''s profile: one row a client, as served';
COMMENT ON COLUMN client_summary.standing IS 'Where the client stands in its life, and by which rule and figures';

CREATE TABLE lifecycle_transition (
    client_id  text NOT NULL,
    on_date    date NOT NULL,
    from_state text NOT NULL,
    to_state   text NOT NULL,
    rule_id    text NOT NULL,
    held_days  int NOT NULL,
    evidence   jsonb NOT NULL,
    PRIMARY KEY (client_id, on_date)
);
COMMENT ON TABLE lifecycle_transition IS 'Every move that was published; the same as the records of bank.profile.v1';

CREATE TABLE client_task (
    client_id text NOT NULL,
    task_key  text NOT NULL,
    check_id  text NOT NULL,
    owner     text NOT NULL,
    due       date NOT NULL,
    reason_zh text NOT NULL,
    reason_en text NOT NULL,
    opened_as_of date NOT NULL,
    closed_as_of date,
    PRIMARY KEY (client_id, task_key)
);
CREATE INDEX ON client_task (owner, due) WHERE closed_as_of IS NULL;
COMMENT ON TABLE client_task IS 'Conflicts of a profile that a person has to solve; closed by the night that no longer finds them';

CREATE TABLE profile_read (
    read_id   bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    client_id text NOT NULL,
    purpose   text NOT NULL,
    actor     text NOT NULL,
    as_of     date,
    allowed   boolean NOT NULL,
    ground    text NOT NULL,
    read_at   timestamptz NOT NULL
);
CREATE INDEX ON profile_read (client_id, read_at);
COMMENT ON TABLE profile_read IS 'Every read of a profile: by whom, for which purpose, and whether the client allowed that';
COMMENT ON COLUMN profile_read.ground IS 'Why it was allowed or not, as the consent ledger says';

CREATE TABLE profile_refresh (
    through_position bigint NOT NULL,
    refreshed_at     timestamptz NOT NULL
);
COMMENT ON TABLE profile_refresh IS 'One row: the last fact of the log whose client was refreshed';
"""

DOWN = """
DROP TABLE client_task;
DROP TABLE lifecycle_transition;
DROP TABLE client_summary;
DROP TABLE profile_refresh;
DROP TABLE profile_read;
DROP INDEX client_profile_purpose;
ALTER TABLE facility_stage DROP state;
ALTER TABLE client_profile DROP source_time;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
