"""Turns of backfilled nights, so that they run in the order of their dates.

Revision: 0002
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE nightly_turn (
            business_date date PRIMARY KEY,
            seen_at       timestamptz NOT NULL
        );
        COMMENT ON TABLE nightly_turn IS 'Nights that wait for their turn, and when they last asked; only the newest minutes count';
        """
    )


def downgrade() -> None:
    op.execute("DROP TABLE nightly_turn")
