"""The gate: one Great Expectations suite per stage, judged over named columns.

Row rules arrive as boolean check columns (`ck_...`), so a few expectations judge many rows: a
validation costs milliseconds a batch, whatever the number of rows. Check columns that hold only
True are judged together (their row-wise sum must be their number) and cheaply; each of the others
is judged by its own expectation, which names the rows.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Literal, NamedTuple

import great_expectations as gx
import great_expectations.expectations as gxe
import numpy as np
import pandas as pd

from lifecycle.ports import Action, Failure, Verdict
from lifecycle.reasons import REASONS

_BOOLEANS = {"result_format": "BOOLEAN_ONLY"}
_ROWS = {"result_format": "COMPLETE", "return_unexpected_index_query": False}

Stage = Literal["raw", "raw_hour", "staged", "profile", "score", "alert"]


class Rule(NamedTuple):
    """One expectation of a suite, with what to do when it fails."""

    id: str
    reason: str
    action: Action
    zh: str
    en: str
    expectation: gxe.Expectation
    min_rows: int = 1
    """A rule about the whole of a batch says nothing of a handful of rows."""


def check_column(id: str, column: str, reason: str, action: Action, zh: str, en: str) -> Rule:
    """The usual rule: every value of a boolean column is True."""
    return Rule(
        id, reason, action, zh, en, gxe.ExpectColumnValuesToBeInSet(column=column, value_set=[True])
    )


def held(id: str, column: str, reason: str) -> Rule:
    """A check column whose False rows are kept out, for a reason of `lifecycle.reasons`."""
    return check_column(id, column, reason, "quarantine", *REASONS[reason])


class GreatExpectationsGate:
    """The Gate port on Great Expectations; suites are the modules of this package."""

    def __init__(self) -> None:
        logging.getLogger("great_expectations").setLevel(logging.ERROR)
        self._context = gx.get_context(mode="ephemeral")
        self._context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]
        source = self._context.data_sources.add_pandas("batch")
        asset = source.add_dataframe_asset("columns")
        self._batch_definition = asset.add_batch_definition_whole_dataframe("all")
        self._suites: dict[tuple[str, tuple[str, ...], int], gx.ExpectationSuite] = {}

    def check(self, stage: str, columns: Mapping[str, Any], rows: int) -> Verdict:
        started = time.perf_counter()
        every: tuple[Rule, ...] = import_module(f"expectations.{stage}").RULES
        rules = tuple(rule for rule in every if rows >= rule.min_rows)
        evaluated, expected, failures = self._judge(stage, rules, columns, rows)
        return Verdict(
            stage=stage,
            success=not failures,
            rows=rows,
            evaluated=evaluated,
            expected=expected,
            milliseconds=round((time.perf_counter() - started) * 1000, 3),
            failures=tuple(failures),
        )

    def _judge(
        self, stage: str, rules: tuple[Rule, ...], columns: Mapping[str, Any], rows: int
    ) -> tuple[int, int, list[Failure]]:
        """How many expectations were evaluated, how many should have been, and what failed."""
        if rows == 0:
            return 0, 1, [_closed("EMPTY_BATCH", "no rows reached the gate")]
        if not rules:
            return 0, 1, [_closed("NO_EXPECTATIONS", "the stage has no expectation to judge by")]
        frame = _frame(columns)
        if frame.isna().any(axis=None):
            return 0, 1, [_closed("NULLS", "a column that is judged as a whole has missing values")]
        doubted = tuple(r.id for r in rules if _is_check(r) and not _all_true(frame, r))
        suite = self._suite(stage, rules, doubted)
        result = self._batch_definition.get_batch({"dataframe": frame}).validate(
            suite,
            result_format=_ROWS if doubted else _BOOLEANS,
            expectation_parameters={"rows": rows},
        )
        return len(result.results), len(suite.expectations), _read(result, suite, rules)

    def _suite(
        self, stage: str, rules: tuple[Rule, ...], doubted: tuple[str, ...]
    ) -> gx.ExpectationSuite:
        key = (stage, doubted, len(rules))
        if key not in self._suites:
            self._suites[key] = _suite_of(" ".join(map(str, key)), rules, doubted)
        return self._suites[key]


def _suite_of(name: str, rules: tuple[Rule, ...], doubted: tuple[str, ...]) -> gx.ExpectationSuite:
    """The row count, the check columns nobody doubts as one, and every other rule by itself.

    Each expectation is marked with the rules it judges, so that results can be told apart.
    """
    together = [r for r in rules if _is_check(r) and r.id not in doubted]
    if len(together) < 2:
        together = []
    alone = [r for r in rules if r not in together]
    expectations = [
        gxe.ExpectTableRowCountToEqual(value={"$PARAMETER": "rows"}, meta={"rules": []}),
        *(r.expectation.copy(update={"meta": {"rules": [r.id]}}) for r in alone),
    ]
    if together:
        expectations.append(
            gxe.ExpectMulticolumnSumToEqual(
                column_list=[r.expectation.column for r in together],
                sum_total=len(together),
                ignore_row_if="never",
                meta={"rules": [r.id for r in together]},
            )
        )
    return gx.ExpectationSuite(name=name, expectations=expectations)


def _frame(columns: Mapping[str, Any]) -> pd.DataFrame:
    """Columns as a frame. Expectations skip missing values, so a missing check counts as failed."""
    # Most check columns are one and the same list, so it is converted once.
    arrays = {id(values): np.asarray(values) for values in columns.values()}
    frame = pd.DataFrame({name: arrays[id(values)] for name, values in columns.items()})
    for name in frame.columns:
        if name.startswith("ck_") and frame[name].dtype != bool:
            frame[name] = frame[name].eq(True)
    return frame


def _is_check(rule: Rule) -> bool:
    """Whether the rule asks that a whole check column is True."""
    expectation = rule.expectation
    return (
        isinstance(expectation, gxe.ExpectColumnValuesToBeInSet)
        and expectation.column.startswith("ck_")
        and expectation.value_set == [True]
        and expectation.mostly == 1
    )


def _all_true(frame: pd.DataFrame, rule: Rule) -> bool:
    column = rule.expectation.column
    return column not in frame or bool(frame[column].all())


def _read(result: Any, suite: gx.ExpectationSuite, rules: tuple[Rule, ...]) -> list[Failure]:
    """Failed expectations -> failures. What was not evaluated, or raised, blocks."""
    outcomes = {tuple(r.expectation_config.meta["rules"]): r for r in result.results}
    by_id = {rule.id: rule for rule in rules}
    failures = []
    for expectation in suite.expectations:
        judged = tuple(expectation.meta["rules"])
        outcome = outcomes.get(judged)
        if outcome is None or _raised(outcome):
            names = ", ".join(judged) or "the row count"
            failures.append(_closed("NOT_EVALUATED", f"{names} could not be evaluated"))
        elif not outcome.success:
            failures.append(_failure(judged, by_id, outcome.result))
    return failures


def _failure(judged: tuple[str, ...], by_id: Mapping[str, Rule], result: Any) -> Failure:
    if not judged:
        return _closed("ROW_COUNT", "the gate did not see every row")
    if len(judged) > 1:
        return _closed("NOT_EVALUATED", "check columns failed together that hold only True")
    rule = by_id[judged[0]]
    rows = tuple(result.get("unexpected_index_list") or ())
    count = result.get("unexpected_count", len(rows))
    return Failure(rule.id, rule.reason, rule.action, rows, count, rule.zh, rule.en)


def _raised(outcome: Any) -> bool:
    info = outcome.exception_info or {}
    if "raised_exception" in info:
        return bool(info["raised_exception"])
    return any(entry.get("raised_exception") for entry in info.values())


def _closed(reason: str, sentence: str) -> Failure:
    return Failure("gate", reason, "block", (), 0, "质量闸门未能完成检查", sentence)
