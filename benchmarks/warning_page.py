"""The tables of the section "Early warning" of docs/evaluation.md, from what `warning.measure` gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.evaluation_page import table
from benchmarks.warnings_judged import BUDGETS

PART = "warning"
_BANKS = {"berka": "Real loans (Berka)", "simulated": "Simulated bank"}
_OUTCOMES = {"distress": "first distress", "default": "default"}
_LEADS = ("median days", "p25")


def tables(result: Mapping[str, Any]) -> str:
    """All tables as Markdown."""
    banks = [(name, result["banks"][name]) for name in _BANKS if name in result["banks"]]
    parts = [_run(result), *(part for name, bank in banks for part in _bank(name, bank, result))]
    return "\n".join(parts)


def document(found: Any) -> Any:
    """What was measured as one JSON document takes it: numbers that are keys become text."""
    if isinstance(found, Mapping):
        return {str(key): document(value) for key, value in found.items()}
    if isinstance(found, list | tuple):
        return [document(value) for value in found]
    return found


def panels(
    result: Mapping[str, Any],
) -> list[tuple[str, dict[str, tuple[list[float], list[float]]]]]:
    """What the picture shows: a title, and by ranking false alarms and median lead times."""
    return [
        (
            f"{_BANKS[name]}: {words}",
            {
                ranking: (
                    [row["per_thousand"] for row in rows],
                    [row["median"] for row in rows],
                )
                for ranking, rows in bank[outcome]["curve"].items()
            },
        )
        for name in _BANKS
        if (bank := result["banks"].get(name))
        for outcome, words in _OUTCOMES.items()
    ]


def _run(result: Mapping[str, Any]) -> str:
    machine = result["machine"]
    spent = ", ".join(f"{name} {seconds:,.0f} s" for name, seconds in result["seconds"].items())
    berka = " --berka" if "berka" in result["banks"] else ""
    return (
        f"Made by `lifecycle bench warning --clients {result['clients']} --seed {result['seed']}{berka} "
        "--write docs/evaluation.md --plot docs/early-warning.png`. "
        f"Time: {spent}. Peak memory {result['peak_rss_mb']:,} MB. Machine: {machine['cpus']} cores, "
        f"{machine['memory_gb']} GB, Python {machine['python']}; other work ran on it at the same time.\n"
    )


def _bank(name: str, bank: Mapping[str, Any], result: Mapping[str, Any]) -> Iterator[str]:
    told = ", ".join(f"{story} {n}" for story, n in bank.get("stories", {}).items())
    yield (
        f"### {_BANKS[name]}\n\n"
        f"{bank['events']:,} events. Judged on month-ends from {bank['cut']} to {bank['last']}, of loans "
        "that nothing was learnt from.\n" + (f"\nPlanted stories: {told}.\n" if told else "")
    )
    yield table(
        (
            "scorecard",
            "learnt from",
            "loans",
            "until",
            "before distress",
            "AUC, other folds",
            "on the card, by IV",
        ),
        (
            (
                card,
                learnt["months"],
                learnt["loans"],
                learnt["last"],
                learnt["before_distress"],
                f"{learnt['auc_unseen']:.3f}",
                ", ".join(f"`{row['feature']}` {row['iv']:.2f}" for row in learnt["card"]),
            )
            for card, learnt in bank["learnt"].items()
        ),
    )
    for outcome, words in _OUTCOMES.items():
        yield from _outcome(words, bank[outcome], result["target"])


def _outcome(words: str, found: Mapping[str, Any], target: Mapping[str, Any]) -> Iterator[str]:
    one = next(iter(found["warnings"].values()))
    watched = ", ".join(f"{n} for {least} days or more" for least, n in found["watched"].items())
    yield (
        f"#### Before {words}\n\n"
        f"{found['events']} events and {found['loans'] - found['events']} good loans with "
        f"{one['months']:,} month-ends. {found['before_a_month_end']} more events came before a first "
        f"month-end. Of the events were watched before: {watched}.\n"
    )
    yield _discrimination(found["discrimination"])
    yield "What the product warns of by itself:\n"
    yield _judged(("warning by",), [((name,), row) for name, row in found["warnings"].items()])
    yield "Any other threshold: the lowest one within so many false alarms.\n"
    yield _judged(
        ("by", "at most", "threshold"),
        [
            ((name, budget, f"{row['threshold']:.4g}"), row)
            for name, rows in found["budgets"].items()
            for budget, row in zip(BUDGETS, rows, strict=True)
            if name.startswith("behavioural") or budget == target["false_alarms"]
        ],
    )
    yield _verdict(found, target)


def _discrimination(found: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """AUC with its interval by months before the event."""
    head = ("month-ends", "events", *found)
    rows = [
        (
            own[0]["when"],
            own[0]["events"],
            *(
                f"{r['auc']:.3f} ({r['low']:.2f} to {r['high']:.2f})" if "auc" in r else ""
                for r in own
            ),
        )
        for own in zip(*found.values(), strict=True)
    ]
    return table(head, rows)


def _judged(head: Sequence[str], rows: Sequence[tuple[Sequence[Any], Mapping[str, Any]]]) -> str:
    """Lead times and false alarms."""
    at_least = list(rows[0][1]["shares"])
    return table(
        (
            *head,
            *_LEADS,
            *(f">= {least} d" for least in at_least),
            "false alarms",
            "new ones",
        ),
        [
            (
                *first,
                f"{row['median']:.0f}",
                f"{row['quarter']:.0f}",
                *(f"{row['shares'][least]:.0%}" for least in at_least),
                f"{row['per_thousand']:.1f}",
                f"{row['fresh_per_thousand']:.1f}",
            )
            for first, row in rows
        ],
    )


def _verdict(found: Mapping[str, Any], target: Mapping[str, Any]) -> str:
    days, allowed = target["lead_days"], target["false_alarms"]
    at = BUDGETS.index(allowed)
    reached = {name: rows[at] for name, rows in found["budgets"].items()}
    best = max(reached, key=lambda name: (reached[name]["median"], reached[name]["shares"][days]))
    met = "reached" if reached[best]["median"] >= days else "not reached"
    return (
        f"**Target** (a median of {days} days at {allowed} false alarms): {met}. The best is "
        f"{best} with {reached[best]['median']:.0f} days, and {reached[best]['shares'][days]:.0%} of the events "
        f"{days} days before.\n"
    )
