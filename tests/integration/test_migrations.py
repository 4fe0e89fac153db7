"""The newest migration on a database that is in use: rows stay, numbers go on, and back again."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from alembic import command
from alembic.config import Config

from lifecycle.adapters.postgres import create_database, other_database
from lifecycle.settings import ROOT, Settings

pytestmark = pytest.mark.integration

INSERT = (
    "INSERT INTO outbox (topic, key, value, created_at) "
    "VALUES ('bank.alert.v1', %s, 'x', now() - interval '1 year') RETURNING outbox_id"
)


@pytest.fixture
def other(scratch: Settings) -> Iterator[str]:
    """The URL of an empty database of its own."""
    url = other_database(scratch.database_url, "migrated")
    create_database(url)
    yield url
    with psycopg.connect(scratch.database_url, autocommit=True) as connection:
        connection.execute("DROP DATABASE migrated WITH (FORCE)")


def to(url: str, revision: str, move: str = "upgrade") -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    driver = url.replace("postgresql://", "postgresql+psycopg://").replace("%", "%%")
    config.set_main_option("sqlalchemy.url", driver)
    getattr(command, move)(config, revision)


def test_the_outbox_keeps_its_messages_and_its_numbers(other: str) -> None:
    def ask(query: str, *parameters: str) -> list[tuple[object, ...]]:
        with psycopg.connect(other, autocommit=True) as connection:
            return connection.execute(query, parameters).fetchall()

    to(other, "0003")
    assert [ask(INSERT, key) for key in "ab"] == [[(1,)], [(2,)]]
    to(other, "0004")
    assert ask("SELECT outbox_id, key FROM outbox ORDER BY 1") == [(1, "a"), (2, "b")]
    assert ask(INSERT, "c") == [(3,)]
    to(other, "0003", "downgrade")
    assert ask("SELECT outbox_id, key FROM outbox ORDER BY 1") == [(1, "a"), (2, "b"), (3, "c")]
    assert ask(INSERT, "d") == [(4,)]
    to(other, "head")
    assert ask("SELECT count(*) FROM outbox") == [(4,)]


SHAPE = """
SELECT 'column', c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull::text,
       pg_get_expr(d.adbin, d.adrelid)
  FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
       LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v')
   AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL
SELECT 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid), '', ''
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
UNION ALL
SELECT 'index', tablename, indexname, indexdef, '', '' FROM pg_indexes WHERE schemaname = 'public'
ORDER BY 1, 2, 3
"""

HELD = """
INSERT INTO quarantine (stage, topic, partition, kafka_offset, reason, detail, quarantined_at, status,
                        gate_result_id)
VALUES ('raw', 't', 0, 0, 'SCHEMA', '', now(), 'RELEASED', 1),
       ('raw', 't', 0, 0, 'ORPHANED', '', now(), 'HELD', NULL),
       ('raw', 't', 0, 1, 'SCHEMA', '', now(), 'DISCARDED', 1)
RETURNING 1
"""


def test_every_way_down_restores_what_the_way_up_changed(other: str) -> None:
    """Also with rows that the older revision could not hold."""

    def ask(query: str) -> list[tuple[object, ...]]:
        with psycopg.connect(other, autocommit=True) as connection:
            return connection.execute(query).fetchall()

    shapes = {}
    for revision in ("0001", "0002", "0003", "0004", "0005", "0006", "0008", "head"):
        to(other, revision)
        shapes[revision] = ask(SHAPE)
    ask(HELD)
    for revision in ("0008", "0006", "0005", "0004", "0003", "0002", "0001"):
        to(other, revision, "downgrade")
        assert ask(SHAPE) == shapes[revision], revision
    kept = ask("SELECT kafka_offset, reason, gate_result_id FROM quarantine ORDER BY 1")
    assert kept == [(0, "ORPHANED", 0), (1, "SCHEMA", 1)]
    to(other, "head")
    assert ask(SHAPE) == shapes["head"]


RULE_SET = '{"parameters": {"alert_lateness_days": {"value": 1}}}'
FACT = (
    "INSERT INTO event_log (event_key, event_id, source, type, subject, client_id, time, "
    "recordedtime, business_date, topic, partition, kafka_offset, batch_id, payload, waited) "
    "SELECT %s::bytea, 'e', '/core', 't', 's', 'C1', now(), now(), %s::date, %s, 0, 0, batch_id, 'x', %s "
    "FROM micro_batch RETURNING 1"
)


def test_facts_that_were_behind_their_topic_are_marked_late(other: str) -> None:
    account, credit = "bank.account.v1", "bank.credit.v1"
    to(other, "0005")
    with psycopg.connect(other, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO rule_set (rules_hash, content) VALUES ('h', %s)", (RULE_SET,)
        )
        connection.execute(
            "INSERT INTO micro_batch (consumer, ingested_at, rules_hash, code_version, gate_result_id)"
            " VALUES ('c', now(), 'h', '0', 1)"
        )
        for key, day, topic, waited in (
            ("first", "2026-03-10", account, False),
            ("other topic", "2026-03-01", credit, False),
            ("a day behind", "2026-03-09", account, False),
            ("behind", "2026-03-08", account, False),
            ("waited", "2026-03-08", account, True),
            ("newest", "2026-03-11", account, False),
            ("behind the newest", "2026-03-09", account, False),
        ):
            connection.execute(FACT, (key, day, topic, waited))
    to(other, "head")
    with psycopg.connect(other, autocommit=True) as connection:
        late = connection.execute("SELECT event_key FROM event_log WHERE late ORDER BY position")
        assert [bytes(key).decode() for (key,) in late] == ["behind", "behind the newest"]
