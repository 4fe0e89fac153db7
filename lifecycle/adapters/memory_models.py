"""The registry of models in memory: for tests, and for trying a rule of drift without a database."""

from __future__ import annotations

import datetime as dt
from typing import Any

import msgspec

from lifecycle.alerts.models import ModelAlert, Reading
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


class MemoryModelRegistry:
    """ModelRegistry; `artefacts` is open to whoever wants to see what a changed one does."""

    def __init__(self) -> None:
        self.artefacts: dict[str, bytes] = {}
        self.raised: dict[str, ModelAlert] = {}
        self._models: dict[str, Registered] = {}
        self._reports: dict[str, str | None] = {}
        self._changes: list[Change] = []
        self._requests: dict[int, Request] = {}
        self._readings: dict[tuple[dt.date, str], Reading] = {}

    def close(self) -> None:
        """Nothing is open."""

    def register(self, model: Registered, artefact: bytes, report: str | None) -> None:
        name = model.model_version
        if name in self._models:
            raise AnswerIsNo(f"{name} is registered already: the same rows gave the same model.")
        self._models[name], self.artefacts[name], self._reports[name] = model, artefact, report
        self._changes.append(
            Change(name, None, model.status, model.owner, "registered", model.created_at)
        )

    def models(
        self, model_type: ModelType | None = None, status: Status | None = None
    ) -> list[Registered]:
        found = [
            model
            for model in self._models.values()
            if model_type in (None, model.model_type) and status in (None, model.status)
        ]
        found.sort(key=lambda model: model.model_version)
        return sorted(found, key=lambda model: model.created_at, reverse=True)

    def model(self, model_version: str) -> Registered:
        if model_version not in self._models:
            raise UsageError(f"There is no model {model_version}: `lifecycle models list`.")
        return self._models[model_version]

    def artefact(self, model_version: str) -> bytes:
        return self.artefacts[self.model(model_version).model_version]

    def report(self, model_version: str) -> str | None:
        return self._reports[self.model(model_version).model_version]

    def champion(self, model_type: ModelType) -> bytes | None:
        champions = self.models(model_type, "CHAMPION")
        return self.artefacts[champions[0].model_version] if champions else None

    def changes(self, model_version: str) -> list[Change]:
        return [change for change in self._changes if change.model_version == model_version]

    def ask(self, proposal: Proposal) -> int:
        waiting = {request.model_version for request in self.requests("WAITING")}
        if proposal.model_version in waiting:
            raise UsageError(
                f"A proposal for {proposal.model_version} is waiting: `lifecycle models requests`."
            )
        number = len(self._requests) + 1
        fields: dict[str, Any] = msgspec.structs.asdict(proposal)
        self._requests[number] = Request(**fields, request_id=number)
        return number

    def requests(self, status: RequestStatus | None = None) -> list[Request]:
        newest_first = reversed(self._requests.values())
        return [request for request in newest_first if status in (None, request.status)]

    def request(self, request_id: int) -> Request:
        if request_id not in self._requests:
            raise UsageError(
                f"There is no request {request_id}: `lifecycle models requests --status all`."
            )
        return self._requests[request_id]

    def reject(self, request_id: int, checker: str, now: dt.datetime) -> None:
        self._decide(request_id, "REJECTED", checker, now)

    def move(self, move: Move) -> None:
        request = move.request
        check_artefact(request, self.artefacts[request.model_version])
        statuses: dict[str, tuple[Status, Status]] = {}
        if move.replaces:
            statuses[move.replaces] = ("CHAMPION", "RETIRED")
        statuses[request.model_version] = (move.before, request.after)
        for name, (before, _) in statuses.items():
            if self.model(name).status != before:
                raise UsageError(f"{name} is no longer {before}: look again, and propose anew.")
        kind = self.model(request.model_version).model_type
        champions = {model.model_version for model in self.models(kind, "CHAMPION")}
        if request.after == "CHAMPION" and champions - {move.replaces}:
            raise UsageError(
                "Another model became champion just now: reject the request, and propose again."
            )
        self._decide(request.request_id, "APPROVED", move.checker, move.at)
        for name, (_, after) in statuses.items():
            self._models[name] = msgspec.structs.replace(self._models[name], status=after)
        self._changes += move.changes()

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
        self._readings[reading.business_date, reading.model_version] = reading
        if alert:
            self.raised.setdefault(alert.alert.alert_key, alert)

    def readings(self, model_version: str, before: dt.date | None = None) -> list[Reading]:
        found = [
            reading
            for (day, name), reading in self._readings.items()
            if name == model_version and (before is None or day < before)
        ]
        return sorted(found, key=lambda reading: reading.business_date, reverse=True)

    def _decide(
        self, request_id: int, status: RequestStatus, checker: str, now: dt.datetime
    ) -> None:
        request = self.request(request_id)
        if request.status != "WAITING":
            raise UsageError(f"Request {request_id} was decided by somebody else just now.")
        self._requests[request_id] = msgspec.structs.replace(
            request, status=status, checker=checker, decided_at=now
        )
