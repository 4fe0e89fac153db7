"""The tables of docs/evaluation-attrition.md, from what `attrition.measure` gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.evaluation_page import fields, table

_NAMES = {
    "model": "fitted model",
    "points": "points of the card",
    "days_since_cit": "days since the last transaction alone",
    "aum_trend": "trend of assets alone",
    "shuffled_labels": "fitted model, labels shuffled",
}


def tables(result: Mapping[str, Any]) -> str:
    """All tables as Markdown."""
    return "\n".join([*_run(result), *_judged(result), *_who(result), *_berka(result["berka"])])


def _run(result: Mapping[str, Any]) -> Iterator[str]:
    bank, machine = result["bank"], result["machine"]
    spent = ", ".join(f"{name} {seconds:,.0f} s" for name, seconds in result["seconds"].items())
    yield (
        "## The run\n\n"
        f"**Synthetic** bank of {bank['clients']:,} clients, {bank['days']} days, seed {bank['seed']}: "
        f"{bank['events']:,} events. Made by `lifecycle bench attrition --clients {bank['clients']} "
        f"--days {bank['days']} --seed {bank['seed']}{' --berka' if result['berka'] else ''} --write "
        "docs/evaluation-attrition.md`.\n\n"
        f"Time: {spent}. Peak memory {result['peak_rss_mb']:,} MB. Machine: {machine['cpus']} cores, "
        f"{machine['memory_gb']} GB, Python {machine['python']}; other work ran on it at the same "
        "time.\n"
    )
    yield table(
        ("", "dates", "first", "last", "rows", "clients", "left", "share", "how"),
        (
            (
                name,
                len(part["days"]),
                part["days"][0],
                part["days"][-1],
                f"{part['rows']:,}",
                f"{part['clients']:,}",
                sum(part["left"].values()),
                f"{sum(part['left'].values()) / part['rows']:.1%}",
                ", ".join(f"{how} {n}" for how, n in sorted(part["left"].items())),
            )
            for name, part in (("fitted on", result["train"]), ("judged on", result["test"]))
        ),
    )


def _judged(result: Mapping[str, Any]) -> Iterator[str]:
    found = result["judged"]
    yield "## Out of time\n"
    yield table(
        ("by", "AUC", "95 %", "PR-AUC", "lift @ 10 %", "capture @ 10 %"),
        (
            (
                words,
                row["auc"],
                f"{row['auc_low']} to {row['auc_high']}",
                row["pr_auc"],
                row["lift"],
                f"{row['capture']:.0%}",
            )
            for name, words in _NAMES.items()
            for row in [found[name]]
        ),
    )
    model = found["model"]
    yield (
        f"Calibration of the model: mean probability {model['mean_pd']:.3f}, left "
        f"{model['left']:.3f}, Brier {model['brier']:.4f}. PSI of the probability against the dates "
        f"it was fitted on: {found['psi']}.\n"
    )
    yield fields(found["bands"], ("band", "rows", "mean_pd", "left", "share"))
    yield "By tenths of the probability, the most likely first:\n"
    yield fields(found["bins"], ("tenth", "rows", "mean_pd", "left", "share"))


def _who(result: Mapping[str, Any]) -> Iterator[str]:
    yield (
        "## Who is found\n\nBy planted story, and by how far off its day was. Rows in the worst tenth of "
        "all that were judged.\n"
    )
    yield fields(result["stories"], ("story", "when", "rows", "left", "in_worst_tenth"))
    yield "Weights of the model: log-odds for each standard deviation.\n"
    yield fields(result["model"], ("feature", "weight", "mean"))


def _berka(found: Mapping[str, Any] | None) -> Iterator[str]:
    if found is None:
        return
    left = ", ".join(f"{how} {n}" for how, n in sorted(found["left"].items())) or "nobody"
    bands = ", ".join(f"{band} {n}" for band, n in sorted(found["bands"].items()))
    yield (
        "## Berka: a demonstration, no evaluation\n\n"
        f"As of {found['as_of']}: {found['clients']:,} clients with half a year of history and enough "
        f"assets, from {found['events']:,} events. No transaction of their own within the next 90 days: "
        f"{found['silent']}. By the label: {left}. Points: {bands}.\n"
    )
