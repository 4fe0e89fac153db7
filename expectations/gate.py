"""The gate: one Great Expectations suite per stage, judged over named columns.

Row rules arrive as boolean check columns (`ck_...`), so a few expectations judge many rows: a
validation costs milliseconds a batch, whatever the number of rows. Check columns that hold only
True are judged together, as the number of checks each row passed (the least must be all of them);
each of the others is judged by its own expectation, which names the rows.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Mapping
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

_PASSED = "checks_passed"

Stage = Literal["raw", "raw_hour", "staged", "profile", "standing", "score", "alert"]


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
        # Great Expectations looks at every column it is given, so it is given none in vain.
        in_vain = {rule.expectation.column for rule in every if rows < rule.min_rows}
        judged = {name: values for name, values in columns.items() if name not in in_vain}
        evaluated, expected, failures = self._judge(stage, rules, judged, rows)
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
        arrays = _arrays(columns)
        checks = {r.id: r.expectation.column for r in rules if _is_check(r)}
        passed = {id: column for id, column in checks.items() if _all_true(arrays, column)}
        frame = _frame(arrays, passed.values())
        if frame.isna().any(axis=None):
            return 0, 1, [_closed("NULLS", "a column that is judged as a whole has missing values")]
        suite = self._suite(stage, rules, passed)
        result = self._batch_definition.get_batch({"dataframe": frame}).validate(
            suite,
            result_format=_ROWS if len(passed) < len(checks) else _BOOLEANS,
            expectation_parameters={"rows": rows},
        )
        return len(result.results), len(suite.expectations), _read(result, suite, rules)

    def _suite(
        self, stage: str, rules: tuple[Rule, ...], passed: Collection[str]
    ) -> gx.ExpectationSuite:
        key = (stage, tuple(passed), len(rules))
        if key not in self._suites:
            self._suites[key] = _suite_of(" ".join(map(str, key)), rules, passed)
        return self._suites[key]


def _suite_of(name: str, rules: tuple[Rule, ...], passed: Collection[str]) -> gx.ExpectationSuite:
    """The row count, the check columns nobody doubts as one, and every other rule by itself.

    Each expectation is marked with the rules it judges, so that results can be told apart.
    """
    expectations = [
        gxe.ExpectTableRowCountToEqual(value={"$PARAMETER": "rows"}, meta={"rules": []}),
        *(
            rule.expectation.copy(update={"meta": {"rules": [rule.id]}})
            for rule in rules
            if rule.id not in passed
        ),
    ]
    if passed:
        expectations.append(
            gxe.ExpectColumnMinToBeBetween(
                column=_PASSED,
                min_value=len(passed),
                max_value=len(passed),
                meta={"rules": list(passed)},
            )
        )
    return gx.ExpectationSuite(name=name, expectations=expectations)


def _arrays(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Columns as arrays. Expectations skip missing values, so a missing check counts as failed."""
    # Most check columns are one and the same list, so it is converted once.
    arrays = {id(values): np.asarray(values) for values in columns.values()}
    return {name: _booleans(name, arrays[id(values)]) for name, values in columns.items()}


def _booleans(name: str, array: Any) -> Any:
    is_check = name.startswith("ck_") and array.dtype != bool
    return pd.Series(array).eq(True).to_numpy() if is_check else array


def _frame(arrays: Mapping[str, Any], passed: Collection[str]) -> pd.DataFrame:
    """What is judged: how many of the passed check columns hold for each row, and the other columns."""
    frame = {name: array for name, array in arrays.items() if name not in passed}
    if passed:
        frame[_PASSED] = np.sum([arrays[name] for name in passed], axis=0)
    return pd.DataFrame(frame)


def _is_check(rule: Rule) -> bool:
    """Whether the rule asks that a whole check column is True."""
    expectation = rule.expectation
    return (
        isinstance(expectation, gxe.ExpectColumnValuesToBeInSet)
        and expectation.column.startswith("ck_")
        and expectation.value_set == [True]
        and expectation.mostly == 1
    )


def _all_true(arrays: Mapping[str, Any], column: str) -> bool:
    return column in arrays and bool(arrays[column].all())


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
