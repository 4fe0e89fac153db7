"""What was read before is recognised: offset rows know their topic, held records their bytes.

The name of a topic may stand for another one tomorrow, and a record may be read twice.

Revision: 0005
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE consumer_offset ADD topic_id text;
COMMENT ON COLUMN consumer_offset.topic_id IS 'Kafka''s id of the topic the offset counts in; null until a consumer takes the partition';

DROP INDEX quarantine_place;
CREATE UNIQUE INDEX quarantine_place
    ON quarantine (stage, topic, partition, kafka_offset, sha256(coalesce(raw, '')))
    WHERE reason <> 'ORPHANED';
COMMENT ON INDEX quarantine_place IS 'A record is kept out once, however often it is read; a valid one may wait in vain again';
"""

DOWN = """
DROP INDEX quarantine_place;
CREATE UNIQUE INDEX quarantine_place ON quarantine (stage, topic, partition, kafka_offset)
    WHERE status <> 'RELEASED';
ALTER TABLE consumer_offset DROP topic_id;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
