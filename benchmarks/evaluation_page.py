"""The tables of docs/evaluation.md, from what `profiles.measure` gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.truth import RESULTS
from lifecycle.clients.lifecycle import STATES
from lifecycle.errors import UsageError

EVALUATION = "evaluation"
"""The name of the part that most pages have one of."""


def markers(part: str) -> tuple[str, str]:
    """The lines between which a part of a page is written."""
    return f"<!-- {part}: begin -->", f"<!-- {part}: end -->"


def check(page: Path, part: str = EVALUATION) -> None:
    """Raises UsageError when a page is not there or has no place for the tables."""
    begin, end = markers(part)
    if not page.is_file() or not all(line in page.read_text("utf-8") for line in (begin, end)):
        raise UsageError(f"{page} is no page with the lines {begin} and {end}.")


def write(page: Path, told: str, part: str = EVALUATION) -> None:
    """Put a text between the markers of a page."""
    begin, end = markers(part)
    head, rest = page.read_text("utf-8").split(begin)
    page.write_text(f"{head}{begin}\n{told}{end}{rest.split(end)[1]}", "utf-8")


def tables(result: Mapping[str, Any]) -> str:
    """All tables as Markdown."""
    parts = [
        _bank(result),
        *(part for judged in result["states"] for part in _states(judged)),
        *_checks(result["checks"]),
        *_stories(result["stories"]),
        *_needs(result["needs"]),
    ]
    return "\n".join(parts)


def _bank(result: Mapping[str, Any]) -> str:
    bank, machine = result["bank"], result["machine"]
    spent = ", ".join(f"{name} {seconds:,.0f} s" for name, seconds in result["seconds"].items())
    return (
        "## The run\n\n"
        f"Synthetic bank of {bank['clients']:,} clients, {bank['days']} days "
        f"({bank['first_day']} to {bank['last_day']}), seed {bank['seed']}: "
        f"{bank['events']:,} events; {bank['nights']} nights. Made by `lifecycle bench profiles "
        f"--clients {bank['clients']} --days {bank['days']} --seed {bank['seed']} --write "
        f"docs/evaluation.md`.\n\n"
        f"Time: {spent}. Peak memory {result['peak_rss_mb']:,} MB. Machine: "
        f"{machine['cpus']} cores, {machine['memory_gb']} GB, Python {machine['python']}, calibration "
        f"{machine['json_loads_us']} us; other work ran on it at the same time.\n"
    )


def _states(judged: Mapping[str, Any]) -> Iterable[str]:
    found = [s for s in STATES if any(s in row for row in judged["confusion"].values())]
    yield (
        f"## Lifecycle states at the end of {judged['day']}\n\n"
        f"{judged['right']:,} of {judged['judged']:,} right ({_percent(judged['right'], judged['judged'])}); "
        f"{judged['unsure']:,} more have a lifecycle story whose state nobody can be sure of on that day, "
        "and are left out. Rows are the truth, columns what the nights found.\n"
    )
    yield table(
        ("truth", *found),
        ((truth, *(row.get(s, "") for s in found)) for truth, row in judged["confusion"].items()),
    )
    yield table(
        ("state", "labelled", "found", "precision", "recall"),
        (
            (state, row["labelled"], row["found"], _share(row["precision"]), _share(row["recall"]))
            for state, row in judged["by_state"].items()
        ),
    )
    if judged["wrong"]:
        yield "Not as the truth has it, by story and the rule that led there:\n"
        yield fields(judged["wrong"], ("story", "truth", "found", "rule", "clients"))


def _checks(checks: Mapping[str, Any]) -> Iterable[str]:
    yield (
        "## False declarations\n\n"
        "`planted` is what the check has to say of a falsehood of this size: FAIL beyond the FAIL "
        "limit, WARN between the limits, PASS within both. A falsehood is missed when the check says "
        "less than that, unless the client has not allowed the comparison.\n"
    )
    yield fields(
        checks["planted"],
        ("check", "story", "planted", "clients", *RESULTS, "not_consented", "missed"),
    )
    beyond = [row for row in checks["planted"] if row["planted"] == "FAIL"]
    clients, missed = (sum(row[name] for row in beyond) for name in ("clients", "missed"))
    yield f"Of {clients:,} falsehoods beyond a FAIL limit {clients - missed:,} are found as FAIL.\n"
    if checks["missed"]:
        yield (
            "Those that are missed: `ratio` is the true size by the label, `measure` what the check "
            "found.\n"
        )
        yield fields(
            checks["missed"],
            ("client_id", "story", "check", "ratio", "measure", "planted", "found", "na_reason"),
        )
    yield ("### False alarms\n\nClients without a story of the check. An alarm is WARN or FAIL.\n")
    yield table(
        (
            "check",
            "clients",
            *RESULTS,
            "alarms per 1,000",
            "quiet clients",
            "their alarms",
            "stories of the alarmed",
        ),
        (
            (
                row["check"],
                row["clients"],
                *(row[result] for result in RESULTS),
                row["per_thousand"],
                row["quiet_clients"],
                row["quiet_alarms"],
                ", ".join(f"{story} {n}" for story, n in row["stories"].items()),
            )
            for row in checks["false_alarms"]
        ),
    )
    yield "Checks for which nothing false is planted:\n"
    yield table(
        ("check", *RESULTS),
        ((check_id, *(row[r] for r in RESULTS)) for check_id, row in checks["others"].items()),
    )


def _stories(stories: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    yield (
        "## Stories that an attribute shows\n\n"
        "How many clients of a story have the sign, and how many of the quiet ones. Signs of the first "
        "months are looked for early, the others on the last day.\n"
    )
    yield table(
        (
            "story",
            "attribute",
            "sign",
            "night",
            "clients",
            "with the sign",
            "quiet",
            "with the sign",
        ),
        (
            (
                row["story"],
                f"`{row['attribute']}`",
                row["words"],
                row["when"],
                row["planted"],
                row["shown"],
                row["quiet"],
                row["quiet_shown"],
            )
            for row in stories
        ),
    )


def _needs(needs: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    found = sorted({state for row in needs for state in row["states"]})
    yield (
        "## Declared needs\n\n"
        "Clients that declared a need, by the greatest strength they declared it with, and the state in "
        "which it is on the last day; `none`: it is not among their needs.\n"
    )
    yield table(
        ("need", "strength", "clients", *found),
        (
            (
                row["need"],
                row["strength"],
                row["clients"],
                *(row["states"].get(s, "") for s in found),
            )
            for row in needs
        ),
    )


def table(head: Iterable[Any], rows: Iterable[Iterable[Any]]) -> str:
    """A Markdown table."""
    names = list(head)
    lines = [names, ["---"] * len(names), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines) + "\n"


def fields(rows: Iterable[Mapping[str, Any]], names: Sequence[str]) -> str:
    """A table whose columns are fields of its rows."""
    heads = [name.replace("_", " ") for name in names]
    return table(heads, ([row[name] for name in names] for row in rows))


def _cell(value: Any) -> str:
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _share(share: float | None) -> str:
    return "" if share is None else f"{share:.3f}"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %"
