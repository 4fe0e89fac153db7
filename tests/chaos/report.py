"""The table of faults in docs/reliability.md, written from what the tests did."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from lifecycle.settings import ROOT

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
_NAME = re.compile(r"test_fault_(\d\d)_(\w+)")
_WORDS = {"passed": "as expected", "failed": "**FAILED**", "skipped": "not run"}


class Result(NamedTuple):
    """One case of a fault. `injected` and `expected` are from the test's docstring."""

    number: int
    name: str
    injected: str
    expected: str
    outcome: str
    seconds: float


def result(test: str, doc: str | None, outcome: str, seconds: float) -> Result | None:
    """A finished test as a row; None for one that is no fault. Docstrings hold two sentences:
    `Inject: ...` and `Expect: ...`."""
    match = _NAME.match(test)
    if match is None:
        return None
    injected, _, expected = " ".join((doc or "").split()).partition("Expect: ")
    return Result(
        int(match[1]),
        match[2].replace("_", " "),
        injected.removeprefix("Inject: ").strip(),
        expected.strip(),
        _WORDS[outcome],
        seconds,
    )


HEAD = [
    "| # | fault | injected | expected | events | seed | result | s |",
    "|---|---|---|---|---|---|---|---|",
]
_LINE = re.compile(r"^\| (\d+) \| ([\w ]+) \|.*$", re.MULTILINE)


def table(results: Iterable[Result], before: str, *, events: int, seed: int) -> str:
    """Markdown, one row a test function, by number; faults that were not run keep their row of the
    table `before`."""
    tests: dict[tuple[int, str], list[Result]] = {}
    for row in results:
        tests.setdefault((row.number, row.name), []).append(row)
    lines = {(int(m[1]), m[2]): m[0] for m in _LINE.finditer(before)}
    for (number, name), rows in tests.items():
        cells = [
            str(number),
            name,
            rows[0].injected,
            rows[0].expected,
            f"{events:,}",
            str(seed),
            _together(rows),
            f"{sum(row.seconds for row in rows):.0f}",
        ]
        lines[number, name] = "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
    return "\n".join([*HEAD, *(line for _, line in sorted(lines.items()))])


def _together(rows: Sequence[Result]) -> str:
    """One word for the cases of a test, and their number when there are several."""
    counts = Counter(row.outcome for row in rows)
    if len(rows) == 1:
        return rows[0].outcome
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()))


def write(results: Iterable[Result], *, events: int, seed: int) -> None:
    """Put the table between the markers of the page."""
    text = PAGE.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    before, tail = rest.split(END)
    rows = table(results, before, events=events, seed=seed)
    PAGE.write_text(f"{head}{BEGIN}\n{rows}\n{END}{tail}", encoding="utf-8")
