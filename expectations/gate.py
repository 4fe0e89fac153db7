"""The gate: one Great Expectations suite per stage, judged over named columns.

Row rules arrive as boolean check columns (`ck_...`), so a few expectations judge many rows:
a validation costs tens of milliseconds whatever the number of rows. The first pass asks for
booleans only; only when it fails, a second pass asks which rows.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Literal, NamedTuple

import great_expectations as gx
import great_expectations.expectations as gxe
import pandas as pd

from lifecycle.ports import Action, Failure, Verdict

_BOOLEANS = {"result_format": "BOOLEAN_ONLY"}
_ROWS = {"result_format": "COMPLETE", "return_unexpected_index_query": False}

Stage = Literal["raw", "staged", "profile", "score", "alert"]


class Rule(NamedTuple):
    """One expectation of a suite, with what to do when it fails."""

    id: str
    reason: str
    action: Action
    zh: str
    en: str
    expectation: gxe.Expectation


def check_column(id: str, column: str, reason: str, action: Action, zh: str, en: str) -> Rule:
    """The usual rule: every value of a boolean check column is True."""
    return Rule(
        id, reason, action, zh, en, gxe.ExpectColumnValuesToBeInSet(column=column, value_set=[True])
    )


class GreatExpectationsGate:
    """The Gate port on Great Expectations; suites are the modules of this package."""

    def __init__(self) -> None:
        logging.getLogger("great_expectations").setLevel(logging.ERROR)
        self._context = gx.get_context(mode="ephemeral")
        self._context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
        source = self._context.data_sources.add_pandas("batch")
        asset = source.add_dataframe_asset("columns")
        self._batch_definition = asset.add_batch_definition_whole_dataframe("all")
        self._suites: dict[str, tuple[tuple[Rule, ...], gx.ExpectationSuite]] = {}

    def check(self, stage: str, columns: Mapping[str, Any], rows: int) -> Verdict:
        started = time.perf_counter()
        rules, suite = self._suite(stage)
        failures = self._failures(rules, suite, columns, rows)
        return Verdict(
            stage=stage,
            success=not failures,
            rows=rows,
            evaluated=self._evaluated,
            expected=len(rules) + 1,
            milliseconds=round((time.perf_counter() - started) * 1000, 3),
            failures=tuple(failures),
        )

    def _suite(self, stage: str) -> tuple[tuple[Rule, ...], gx.ExpectationSuite]:
        if stage not in self._suites:
            rules: tuple[Rule, ...] = import_module(f"expectations.{stage}").RULES
            self._suites[stage] = (rules, _suite_of(stage, rules))
        return self._suites[stage]

    def _failures(
        self,
        rules: tuple[Rule, ...],
        suite: gx.ExpectationSuite,
        columns: Mapping[str, Any],
        rows: int,
    ) -> list[Failure]:
        self._evaluated = 0
        if rows == 0:
            return [_closed("EMPTY_BATCH", "no rows reached the gate")]
        frame = _frame(columns)
        if frame.isna().any(axis=None):
            return [_closed("NULLS", "a column that is judged as a whole has missing values")]
        batch = self._batch_definition.get_batch({"dataframe": frame})
        parameters = {"rows": rows}
        quick = batch.validate(suite, result_format=_BOOLEANS, expectation_parameters=parameters)
        self._evaluated = len(quick.results)
        if quick.success and self._evaluated == len(rules) + 1:
            return []
        result = batch.validate(suite, result_format=_ROWS, expectation_parameters=parameters)
        return _read(result, rules)


def _frame(columns: Mapping[str, Any]) -> pd.DataFrame:
    """Columns as a frame. Expectations skip missing values, so a missing check counts as failed."""
    frame = pd.DataFrame(dict(columns))
    for name in frame.columns:
        if name.startswith("ck_"):
            frame[name] = frame[name].eq(True)
    return frame


def _suite_of(stage: str, rules: tuple[Rule, ...]) -> gx.ExpectationSuite:
    """The rules plus the row count, each marked with its rule id so that results can be told apart."""
    count = gxe.ExpectTableRowCountToEqual(value={"$PARAMETER": "rows"}, meta={"rule": ""})
    marked = [rule.expectation.copy(update={"meta": {"rule": rule.id}}) for rule in rules]
    return gx.ExpectationSuite(name=stage, expectations=[count, *marked])


def _read(result: Any, rules: tuple[Rule, ...]) -> list[Failure]:
    """Failed expectations -> failures. What was not evaluated, or raised, blocks."""
    seen = {r.expectation_config.meta["rule"]: r for r in result.results}
    failures = []
    if not seen.get("") or not seen[""].success:
        failures.append(_closed("ROW_COUNT", "the gate did not see every row"))
    for rule in rules:
        outcome = seen.get(rule.id)
        if outcome is None or _raised(outcome):
            failures.append(_closed("NOT_EVALUATED", f"{rule.id} could not be evaluated"))
        elif not outcome.success:
            rows = tuple(outcome.result.get("unexpected_index_list") or ())
            count = outcome.result.get("unexpected_count", len(rows))
            failures.append(
                Failure(rule.id, rule.reason, rule.action, rows, count, rule.zh, rule.en)
            )
    return failures


def _raised(outcome: Any) -> bool:
    info = outcome.exception_info or {}
    if "raised_exception" in info:
        return bool(info["raised_exception"])
    return any(entry.get("raised_exception") for entry in info.values())


def _closed(reason: str, sentence: str) -> Failure:
    return Failure("gate", reason, "block", (), 0, "质量闸门未能完成检查", sentence)
