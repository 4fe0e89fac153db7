"""The tables of docs/evaluation-aml.md, from what `aml.measure` gives."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.evaluation_page import table


def tables(result: Mapping[str, Any]) -> str:
    """All tables as Markdown."""
    return "\n".join([*_run(result), *_stated(result), *_sizes(result), *_others(result)])


def panels(result: Mapping[str, Any]) -> list[tuple[str, list[int], list[float], list[bool]]]:
    """What the picture shows of each typology: title, sizes, recalls, whether the rule is met."""
    rows = result["berka"]["sizes"]
    return [
        (
            f"{code}: {own[0]['parameters'].partition('=')[0]}",
            [row["size"] for row in own],
            [row["recall"] for row in own],
            [row["found"] for row in own],
        )
        for code in dict.fromkeys(row["code"] for row in rows)
        for own in [[row for row in rows if row["code"] == code]]
    ]


def _run(result: Mapping[str, Any]) -> Iterable[str]:
    berka, bank, machine = result["berka"], result["simulated"], result["machine"]
    spent = ", ".join(f"{name} {seconds:,.0f} s" for name, seconds in result["seconds"].items())
    yield (
        "## The run\n\n"
        f"Berka: {berka['clients']:,} accounts up to {berka['last_day']}, {berka['events']:,} events; a "
        f"yuan is {berka['factor']} crowns. Simulated bank: {bank['clients']:,} clients, {bank['days']} "
        f"days, seed {bank['seed']}. Time: {spent}; {machine['cpus']} cores, other work ran on them.\n"
    )


def _stated(result: Mapping[str, Any]) -> Iterable[str]:
    near = {row["code"]: row for row in result["simulated"]["near"]}
    berka = {row["code"]: row for row in result["berka"]["stated"]}
    yield (
        "## Recall at the stated size\n\nAt least 0.95 is asked for. A client of a scheme counts as "
        "found when its typology has a hit.\n"
    )
    yield table(
        (
            "typology",
            "stated size",
            "Berka: clients",
            "recall",
            "simulated: clients",
            "recall",
            "near miss",
            "clients",
            "hits",
        ),
        (
            (
                row["code"],
                row["parameters"],
                berka[row["code"]]["planted"],
                f"{berka[row['code']]['recall']:.3f}",
                row["planted"],
                f"{row['recall']:.3f}",
                near[row["code"]]["parameters"],
                near[row["code"]]["planted"],
                near[row["code"]]["hit"],
            )
            for row in result["simulated"]["stated"]
        ),
    )


def _sizes(result: Mapping[str, Any]) -> Iterable[str]:
    yield (
        "## Recall by size, in accounts of Berka\n\n`meets` says whether a scheme of that size meets the "
        "rule by itself. A hit of one that does not comes from what the account does besides.\n\n"
        "![Recall by size](aml-recall.png)\n"
    )
    yield table(
        ("typology", "size", "meets", "clients", "hits", "recall"),
        (
            (
                row["code"],
                row["parameters"],
                "yes" if row["found"] else "no",
                row["planted"],
                row["hit"],
                f"{row['recall']:.3f}",
            )
            for row in result["berka"]["sizes"]
        ),
    )


def _others(result: Mapping[str, Any]) -> Iterable[str]:
    berka, bank = result["berka"], result["simulated"]
    quiet = {row["code"]: row for row in bank["not_planted"]}
    yield (
        "## Hits of clients to whom nothing was given\n\nBerka as it is, and the "
        f"{bank['quiet_clients']:,} quiet clients of the simulated bank. Whether a real one launders "
        "money nobody knows, so these are alarms, not errors.\n"
    )
    yield table(
        ("typology", "Berka: clients", "per 1,000", "simulated: clients", "per 1,000"),
        (
            (
                row["code"],
                row["clients"],
                f"{row['per_thousand']:.2f}",
                quiet[row["code"]]["clients"],
                f"{quiet[row['code']]['per_thousand']:.2f}",
            )
            for row in berka["not_planted"]
        ),
    )
    if berka["collateral"]:
        yield "Clients of Berka that have a hit only because schemes were put into other accounts:\n"
        yield table(
            ("typology", "clients, all copies", "per 1,000"),
            ((r["code"], r["hits"], f"{r['per_thousand']:.2f}") for r in berka["collateral"]),
        )
    yield "Levels in the simulated bank:\n"
    levels = [name for name in bank["bands"][0] if name != "clients"]
    yield table(
        ("clients", *levels), ([row["clients"], *(row[n] for n in levels)] for row in bank["bands"])
    )
