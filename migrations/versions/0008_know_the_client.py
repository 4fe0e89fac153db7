"""Know the client: when a value's newest source became true, and who read a profile for what.

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
DROP TABLE profile_refresh;
DROP TABLE profile_read;
DROP INDEX client_profile_purpose;
ALTER TABLE client_profile DROP source_time;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
