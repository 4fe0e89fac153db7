"""The table of faults in docs/reliability.md, written from what the tests did."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from lifecycle.settings import ROOT

PAGE = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- faults: begin -->", "<!-- faults: end -->"
_NAME = re.compile(r"test_fault_(\d\d)_(\w+)")
_WORDS = {"passed": "as expected", "failed": "**FAILED**", "skipped": "not run"}


class Result(NamedTuple):
    """One test of a fault. `injected` and `expected` are from its docstring."""

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
    name = match[2].replace("_", " ") + test[match.end() :]
    return Result(
        int(match[1]),
        name,
        injected.removeprefix("Inject: ").strip(),
        expected.strip(),
        _WORDS[outcome],
        seconds,
    )


def table(results: Iterable[Result], *, events: int, seed: int) -> str:
    """Markdown, one row a test, by number."""
    lines = [
        "| # | fault | injected | expected | events | seed | result | s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in sorted(results):
        cells = [
            str(row.number),
            row.name,
            row.injected,
            row.expected,
            f"{events:,}",
            str(seed),
            row.outcome,
            f"{row.seconds:.0f}",
        ]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines)


def write(results: Iterable[Result], *, events: int, seed: int) -> None:
    """Put the table between the markers of the page."""
    text = PAGE.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    _, tail = rest.split(END)
    rows = table(results, events=events, seed=seed)
    PAGE.write_text(f"{head}{BEGIN}\n{rows}\n{END}{tail}", encoding="utf-8")
