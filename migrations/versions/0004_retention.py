"""Retention: what the inbox forgot, and an outbox whose days can be dropped.

Revision: 0004
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

UP = """
CREATE TABLE inbox_horizon (
    single           boolean PRIMARY KEY DEFAULT true CHECK (single),
    forgotten_before date NOT NULL
);
COMMENT ON TABLE inbox_horizon IS 'The inbox may have forgotten facts received before this day; a fact that is older than it is looked up in the log';

CREATE TABLE inbox_recalled (
    client_id   text PRIMARY KEY,
    recalled_on date NOT NULL DEFAULT current_date
);
COMMENT ON TABLE inbox_recalled IS 'Clients whose forgotten facts are in the inbox again, because an old fact arrived for them';

DROP INDEX inbox_days;

ALTER TABLE outbox RENAME TO outbox_whole;
ALTER INDEX outbox_pkey RENAME TO outbox_whole_pkey;
ALTER INDEX outbox_waiting RENAME TO outbox_whole_waiting;
CREATE TABLE outbox (
    outbox_id    bigint GENERATED ALWAYS AS IDENTITY,
    topic        text NOT NULL,
    key          text NOT NULL,
    value        bytea NOT NULL,
    created_at   timestamptz NOT NULL,
    published_at timestamptz,
    PRIMARY KEY (outbox_id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX outbox_waiting ON outbox (outbox_id) WHERE published_at IS NULL;
CREATE TABLE outbox_other PARTITION OF outbox DEFAULT;
COMMENT ON TABLE outbox_other IS 'Messages of days that had no partition when they came';
INSERT INTO outbox OVERRIDING SYSTEM VALUE SELECT * FROM outbox_whole;
SELECT setval(pg_get_serial_sequence('outbox', 'outbox_id'), max(outbox_id)) FROM outbox;
DROP TABLE outbox_whole;
"""

DOWN = """
CREATE TABLE outbox_whole (
    outbox_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic        text NOT NULL,
    key          text NOT NULL,
    value        bytea NOT NULL,
    created_at   timestamptz NOT NULL,
    published_at timestamptz
);
INSERT INTO outbox_whole OVERRIDING SYSTEM VALUE SELECT * FROM outbox;
SELECT setval(pg_get_serial_sequence('outbox_whole', 'outbox_id'), max(outbox_id)) FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_whole RENAME TO outbox;
ALTER INDEX outbox_whole_pkey RENAME TO outbox_pkey;
CREATE INDEX outbox_waiting ON outbox (outbox_id) WHERE published_at IS NULL;
CREATE INDEX inbox_days ON inbox USING brin (received_on);
DROP TABLE inbox_recalled, inbox_horizon;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
