"""The registry of models on PostgreSQL: the artefacts, who moved them and why, what nights saw of them."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from typing import Any

import msgspec
from psycopg import Cursor
from psycopg.errors import UniqueViolation
from psycopg.rows import dict_row

from lifecycle.adapters.ingest_store import INSERT_ALERT
from lifecycle.adapters.postgres import connect, unavailable
from lifecycle.alerts.alert import canonical
from lifecycle.alerts.models import ModelAlert, Reading, encode_drift
from lifecycle.alerts.rules import RuleSet
from lifecycle.errors import AnswerIsNo, UsageError
from lifecycle.models.life import (
    Change,
    ModelType,
    Move,
    Proposal,
    Registered,
    Request,
    RequestStatus,
    Status,
    check_artefact,
)
from lifecycle.pipeline import alert_message

_MODEL = """
SELECT model_version, model_type, artefact_hash, lake, data_hash, code_version, metrics, owner, created_at,
       report IS NOT NULL AS has_report, status
  FROM model
"""
_REQUEST = """
SELECT model_version, after, artefact_hash, reason, maker, requested_at, request_id, status, checker,
       decided_at
  FROM model_request
"""
_READING = """
SELECT business_date, as_of, model_version, scored, psi, csi, mean_pd, cohort, defaults, calibration_p,
       decisions, overrides
  FROM model_monitoring
"""


class ModelRegistry:
    """One autocommit connection; each method is its own transaction."""

    def __init__(self, database_url: str) -> None:
        self._connection = connect(database_url, autocommit=True, row_factory=dict_row)

    def close(self) -> None:
        self._connection.close()

    # --- models -------------------------------------------------------------------------------

    def register(self, model: Registered, artefact: bytes, report: str | None) -> None:
        row = {
            name: getattr(model, name)
            for name in (
                "model_version",
                "model_type",
                "artefact_hash",
                "data_hash",
                "code_version",
                "owner",
                "created_at",
            )
        }
        row |= {"lake": json.dumps(model.lake), "metrics": json.dumps(model.metrics)}
        row |= {"artefact": artefact, "report": report}
        change = Change(
            model.model_version, None, model.status, model.owner, "registered", model.created_at
        )
        names = ", ".join(row)
        values = ", ".join(f"%({name})s" for name in row)
        with unavailable(), self._connection.transaction(), self._connection.cursor() as cursor:
            try:
                cursor.execute(f"INSERT INTO model ({names}) VALUES ({values})", row)
            except UniqueViolation:
                raise AnswerIsNo(
                    f"{model.model_version} is registered already: the same rows gave the same model."
                ) from None
            _write_changes(cursor, [change])

    def models(
        self, model_type: ModelType | None = None, status: Status | None = None
    ) -> list[Registered]:
        rows = self._all(
            f"{_MODEL} WHERE (%s::text IS NULL OR model_type = %s) "
            "AND (%s::text IS NULL OR status = %s) ORDER BY created_at DESC, model_version",
            model_type,
            model_type,
            status,
            status,
        )
        return msgspec.convert(rows, list[Registered])

    def model(self, model_version: str) -> Registered:
        return msgspec.convert(
            self._one(f"{_MODEL} WHERE model_version = %s", model_version), Registered
        )

    def artefact(self, model_version: str) -> bytes:
        row = self._one("SELECT artefact FROM model WHERE model_version = %s", model_version)
        return bytes(row["artefact"])

    def report(self, model_version: str) -> str | None:
        row = self._one("SELECT report FROM model WHERE model_version = %s", model_version)
        report: str | None = row["report"]
        return report

    def champion(self, model_type: ModelType) -> bytes | None:
        rows = self._all(
            "SELECT artefact FROM model WHERE model_type = %s AND status = 'CHAMPION'", model_type
        )
        return bytes(rows[0]["artefact"]) if rows else None

    def changes(self, model_version: str) -> list[Change]:
        rows = self._all(
            "SELECT model_version, before, after, actor, reason, changed_at, request_id "
            "FROM model_change WHERE model_version = %s ORDER BY change_id",
            model_version,
        )
        return msgspec.convert(rows, list[Change])

    # --- proposals ----------------------------------------------------------------------------

    def ask(self, proposal: Proposal) -> int:
        row = msgspec.structs.asdict(proposal)
        names, values = ", ".join(row), ", ".join(f"%({name})s" for name in row)
        try:
            with unavailable():
                made = self._connection.execute(
                    f"INSERT INTO model_request ({names}) VALUES ({values}) RETURNING request_id",
                    row,
                ).fetchone()
        except UniqueViolation:
            raise UsageError(
                f"A proposal for {proposal.model_version} is waiting: `lifecycle models requests`."
            ) from None
        return int(made["request_id"])  # type: ignore[index,call-overload]

    def requests(self, status: RequestStatus | None = None) -> list[Request]:
        rows = self._all(
            f"{_REQUEST} WHERE %s::text IS NULL OR status = %s ORDER BY request_id DESC",
            status,
            status,
        )
        return msgspec.convert(rows, list[Request])

    def request(self, request_id: int) -> Request:
        rows = self._all(f"{_REQUEST} WHERE request_id = %s", request_id)
        if not rows:
            raise UsageError(
                f"There is no request {request_id}: `lifecycle models requests --status all`."
            )
        return msgspec.convert(rows[0], Request)

    def reject(self, request_id: int, checker: str, now: dt.datetime) -> None:
        with unavailable(), self._connection.transaction(), self._connection.cursor() as cursor:
            _decide(cursor, request_id, "REJECTED", checker, now)

    def move(self, move: Move) -> None:
        request = move.request
        with unavailable(), self._connection.transaction(), self._connection.cursor() as cursor:
            _decide(cursor, request.request_id, "APPROVED", move.checker, move.at)
            if move.replaces:
                _set(cursor, move.replaces, "CHAMPION", "RETIRED")
            try:
                artefact = _set(cursor, request.model_version, move.before, request.after)
            except UniqueViolation:
                raise UsageError(
                    "Another model became champion just now: reject the request, and propose again."
                ) from None
            check_artefact(request, artefact)
            _write_changes(cursor, move.changes())

    # --- monitoring ---------------------------------------------------------------------------

    def record(
        self,
        reading: Reading,
        light: str,
        alert: ModelAlert | None,
        *,
        rules: RuleSet,
        code_version: str,
        now: dt.datetime,
    ) -> None:
        row = msgspec.structs.asdict(reading) | {"csi": json.dumps(reading.csi), "light": light}
        names, values = ", ".join(row), ", ".join(f"%({name})s" for name in row)
        fresh = ", ".join(f"{name} = excluded.{name}" for name in row)
        with unavailable(), self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO model_monitoring ({names}) VALUES ({values}) "
                f"ON CONFLICT (business_date, model_version) DO UPDATE SET {fresh}",
                row,
            )
            if alert:
                _raise(cursor, alert, rules, code_version, now)

    def readings(self, model_version: str, before: dt.date | None = None) -> list[Reading]:
        rows = self._all(
            f"{_READING} WHERE model_version = %s AND (%s::date IS NULL OR business_date < %s) "
            "ORDER BY business_date DESC",
            model_version,
            before,
            before,
        )
        return msgspec.convert(rows, list[Reading])

    def _all(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        with unavailable():
            return self._connection.execute(query, parameters).fetchall()  # type: ignore[return-value]

    def _one(self, query: str, model_version: str) -> dict[str, Any]:
        rows = self._all(query, model_version)
        if not rows:
            raise UsageError(f"There is no model {model_version}: `lifecycle models list`.")
        return rows[0]


def _decide(
    cursor: Cursor[Any], request_id: int, status: RequestStatus, checker: str, now: dt.datetime
) -> None:
    cursor.execute(
        "UPDATE model_request SET status = %s, checker = %s, decided_at = %s "
        "WHERE request_id = %s AND status = 'WAITING'",
        (status, checker, now, request_id),
    )
    if cursor.rowcount != 1:
        raise UsageError(f"Request {request_id} was decided by somebody else just now.")


def _set(cursor: Cursor[Any], model_version: str, before: Status, after: Status) -> bytes:
    """Change a status; the artefact of the row, which nobody changes until this is committed."""
    row = cursor.execute(
        "UPDATE model SET status = %s WHERE model_version = %s AND status = %s RETURNING artefact",
        (after, model_version, before),
    ).fetchone()
    if row is None:
        raise UsageError(f"{model_version} is no longer {before}: look again, and propose anew.")
    return bytes(row["artefact"])


def _write_changes(cursor: Cursor[Any], changes: Iterable[Change]) -> None:
    cursor.executemany(
        "INSERT INTO model_change (model_version, before, after, actor, reason, changed_at, request_id)"
        " VALUES (%(model_version)s, %(before)s, %(after)s, %(actor)s, %(reason)s, %(changed_at)s, "
        "%(request_id)s)",
        [msgspec.structs.asdict(change) for change in changes],
    )


def _raise(
    cursor: Cursor[Any], raised: ModelAlert, rules: RuleSet, code_version: str, now: dt.datetime
) -> None:
    """Once: a night that is run again raises nothing twice."""
    alert = raised.alert
    cursor.execute(
        "INSERT INTO rule_set (rules_hash, content) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        (rules.hash, rules.content),
    )
    row = msgspec.structs.asdict(alert) | {
        "origin": "MODEL",
        "detected_at": now,
        "evidence": "[]",
        "decision": canonical(alert),
        "state_before": encode_drift(raised.drift),
        "gate_result_id": 0,
        "code_version": code_version,
    }
    cursor.execute(INSERT_ALERT + "ON CONFLICT (alert_key) DO NOTHING", row)
    if cursor.rowcount:
        message = alert_message(alert, now, degraded=False)
        cursor.execute(
            "INSERT INTO outbox (topic, key, value, created_at) VALUES (%s, %s, %s, %s)",
            (message.topic, message.key, message.value, now),
        )
