"""Offset rows say of which topic they are offsets: a name may stand for another topic tomorrow.

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
"""

DOWN = """
ALTER TABLE consumer_offset DROP topic_id;
"""


def upgrade() -> None:
    op.execute(UP)


def downgrade() -> None:
    op.execute(DOWN)
