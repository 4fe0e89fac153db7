"""The life of a model: its statuses, the moves between them, and the two people each move needs. Pure.

A model is its artefact: a request names the artefact's hash, and moves nothing else.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple, get_args

import msgspec

from lifecycle.errors import UsageError
from lifecycle.four_eyes import is_second

ModelType = Literal["CREDIT", "ATTRITION"]
Status = Literal["DEVELOPMENT", "CHALLENGER", "CHAMPION", "RETIRED"]
Answer = Literal["APPROVE", "REJECT"]
RequestStatus = Literal["WAITING", "APPROVED", "REJECTED"]
MODEL_TYPES: tuple[ModelType, ...] = get_args(ModelType)
STATUSES: tuple[Status, ...] = get_args(Status)
REQUEST_STATUSES: tuple[RequestStatus, ...] = get_args(RequestStatus)
FIRST: Status = "DEVELOPMENT"


class Transition(NamedTuple):
    """A move that may be; where it begins with nothing, no second person is asked."""

    before: Status | None
    after: Status
    zh: str
    en: str


TRANSITIONS: tuple[Transition, ...] = (
    Transition(None, FIRST, "登记", "it is registered"),
    Transition(FIRST, "CHALLENGER", "与冠军模型并行观察", "it is watched beside the champion"),
    Transition(FIRST, "RETIRED", "不予采用", "it is not taken"),
    Transition("CHALLENGER", "CHAMPION", "取代冠军模型", "it scores from the next night on"),
    Transition("CHALLENGER", "RETIRED", "不予采用", "it is not taken"),
    Transition(
        "CHAMPION", "RETIRED", "停用或被取代", "it is withdrawn, or another one replaces it"
    ),
    Transition("RETIRED", "CHALLENGER", "恢复观察", "it is brought back"),
)
"""Every legal move. Whoever becomes champion retires the one before in the same moment."""


class Registered(msgspec.Struct, frozen=True):
    """A model as the registry knows it, its artefact and report aside."""

    model_version: str
    model_type: ModelType
    artefact_hash: str
    """SHA-256 of the artefact's bytes, as hex."""
    lake: dict[str, int]
    """Product of the lake it was trained on -> version; empty for a table of elsewhere."""
    data_hash: str | None
    code_version: str
    metrics: dict[str, Any]
    owner: str
    """Who made it: not the one to approve it."""
    created_at: dt.datetime
    has_report: bool
    status: Status = FIRST


class Change(msgspec.Struct, frozen=True):
    """One move of a model, as it is kept for ever."""

    model_version: str
    before: Status | None
    after: Status
    actor: str
    reason: str
    changed_at: dt.datetime
    request_id: int | None = None


class Proposal(msgspec.Struct, frozen=True):
    """What one person asks for, and a second one decides."""

    model_version: str
    after: Status
    artefact_hash: str
    reason: str
    maker: str
    requested_at: dt.datetime


class Request(Proposal, frozen=True, kw_only=True):
    """A proposal with its number and what became of it."""

    request_id: int
    status: RequestStatus = "WAITING"
    checker: str | None = None
    decided_at: dt.datetime | None = None


class Move(NamedTuple):
    """An approved request, and the champion that has to go for it."""

    request: Request
    before: Status
    checker: str
    replaces: str | None
    at: dt.datetime

    def changes(self) -> Iterator[Change]:
        """What is written down of it."""
        request = self.request
        if self.replaces:
            reason = f"replaced by {request.model_version}"
            yield Change(
                self.replaces,
                "CHAMPION",
                "RETIRED",
                self.checker,
                reason,
                self.at,
                request.request_id,
            )
        yield Change(
            request.model_version,
            self.before,
            request.after,
            self.checker,
            request.reason,
            self.at,
            request.request_id,
        )


def hash_of(artefact: bytes) -> str:
    """What a proposal is bound to."""
    return hashlib.sha256(artefact).hexdigest()


def check_proposal(
    model: Registered, after: Status, reason: str, champion: Registered | None
) -> None:
    """Raises UsageError for a move that may not be asked for. `champion` is that of the same type."""
    legal = [t.after for t in TRANSITIONS if t.before == model.status]
    if after not in legal:
        raise UsageError(
            f"{model.model_version} is {model.status}, and from there it may become "
            f"{' or '.join(legal)}, not {after}."
        )
    if not reason.strip():
        raise UsageError("A proposal needs a reason: say --reason TEXT.")
    if after in ("CHALLENGER", "CHAMPION") and not model.has_report:
        raise UsageError(
            f"{model.model_version} has no validation report, and nobody can approve what was not "
            "validated: train it with `lifecycle models train`, which writes one."
        )
    if after == "CHAMPION" and champion is not None:
        _check_better(model, champion)


def _check_better(model: Registered, champion: Registered) -> None:
    """The champion is replaced only by what is better on the same rows, out of time."""
    found = model.metrics.get("against_champion") or {}
    if found.get("model_version") != champion.model_version:
        raise UsageError(
            f"{model.model_version} was never compared with the champion {champion.model_version} on the "
            "same rows: train it again with `lifecycle models train`, or propose to retire the champion."
        )
    if not found["may_replace"]:
        raise UsageError(
            f"{model.model_version} has {found['difference']:+.4f} AUC (DeLong p {found['p']:.3f}) against "
            f"the champion {champion.model_version}, less than replaces one: see score_validation in "
            "rules/models.yaml, or propose to retire the champion first."
        )


def check_decision(request: Request, model: Registered, checker: str) -> None:
    """Raises UsageError unless somebody who neither made the model nor the request decides something that
    still waits."""
    if request.status != "WAITING":
        raise UsageError(f"Request {request.request_id} is {request.status} already.")
    made = ((f"Request {request.request_id}", request.maker), (model.model_version, model.owner))
    for what, maker in made:
        if not is_second(checker, maker):
            raise UsageError(f"{what} was made by {maker}: another person has to decide it.")


def check_artefact(proposal: Proposal, artefact: bytes) -> None:
    """Raises UsageError when the artefact is not the one that is, or was, proposed."""
    if hash_of(artefact) != proposal.artefact_hash:
        raise UsageError(
            f"The artefact of {proposal.model_version} is not the one that was registered and proposed "
            f"(SHA-256 {proposal.artefact_hash[:12]}...): find out who changed it; nothing was moved."
        )


def question(request: Request, model: Registered, champion: Registered | None) -> dict[str, str]:
    """What a second person is asked: {subject, body} in Markdown, with the validation in short."""
    version = request.model_version
    rows = [
        ("type 类型", model.model_type),
        ("now 当前状态", model.status),
        ("artefact SHA-256 模型文件", f"`{request.artefact_hash}`"),
        ("trained on 训练数据", _trained_on(model)),
        ("made by 开发人", model.owner),
        ("champion now 现任冠军", champion.model_version if champion else "none 无"),
        *validation_rows(model.metrics),
    ]
    body = "\n".join([
        f"**{request.maker}** proposes that **{version}** becomes **{request.after}**: {request.reason}",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {said} |" for name, said in rows),
        "",
        *(f"* {warning}" for warning in model.metrics.get("warnings", ())),
        "",
        f"Read the validation report first: [{version}](/lifecycle/models/{version}/report), or "
        f"`lifecycle models report {version} --out report.html`. Who made the model or this proposal "
        "cannot approve it. 审批前请先阅读验证报告；开发人与申请人不得审批。",
    ])
    return {"subject": f"Model: {version} to {request.after}? 模型晋级审批", "body": body}


def _trained_on(model: Registered) -> str:
    known = ", ".join(f"{name} version {number}" for name, number in sorted(model.lake.items()))
    return f"{known or 'a table of elsewhere'}, {(model.data_hash or 'no hash')[:12]}"


_SHOWN = {
    "auc": "AUC",
    "ks": "KS",
    "calibration_slope": "calibration slope 校准斜率",
    "mean_pd": "mean PD 平均PD",
    "bad_rate": "bad rate 实际违约率",
    "psi": "PSI",
}


def validation_rows(metrics: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The validation in short, as (what, figure with its interval)."""
    test = metrics.get("test")
    if not test:
        yield "out of time 时间外样本", "not validated 未验证"
        return
    yield "out of time 时间外样本", f"{test['n']:,} rows, {test['n_bad']:,} bad"
    for name, said in _SHOWN.items():
        if test.get(name) is not None:
            yield said, _figure(test, name)
    if found := metrics.get("against_champion"):
        yield "against the champion 对比冠军", _compared(found)
    if found := metrics.get("comparison"):
        yield "gradient boosting 梯度提升", f"AUC {found['challenger_auc']:.4f} on the same rows"


def _figure(test: Mapping[str, Any], name: str) -> str:
    interval = test["intervals"].get(name)
    reach = f" ({interval[0]:.4f} to {interval[1]:.4f})" if interval else ""
    return f"{test[name]:.4f}{reach}"


def _compared(found: Mapping[str, Any]) -> str:
    word = "may replace it 可取代" if found["may_replace"] else "may not replace it 不可取代"
    return f"{found['model_version']}: AUC {found['difference']:+.4f}, DeLong p {found['p']:.3f}, {word}"


def diagram() -> str:
    """The moves as a Mermaid state diagram, in English."""
    lines = ["stateDiagram-v2"]
    lines += [f"    {t.before or '[*]'} --> {t.after}: {t.en}" for t in TRANSITIONS]
    return "\n".join(lines)
