"""What the typologies find of planted schemes: in real accounts, and in the simulated bank.

Into the accounts of Berka, schemes of every size are put from a seed; the simulated bank has stated
schemes and near misses of its own. Everything goes into lakes of their own, without a broker or a
database.
"""

from __future__ import annotations

import datetime as dt
import itertools
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from benchmarks.scratch import machine_facts
from lifecycle import app, scoring
from lifecycle.alerts.rules import load_rules
from lifecycle.aml_scoring import AmlNight, aml_night
from lifecycle.clients.attribute import Figures
from lifecycle.clients.facts import Facts
from lifecycle.events import Outgoing, decoded
from lifecycle.ports import Engine
from lifecycle.risk.aml.entries import entries
from lifecycle.risk.aml.peers import peers
from lifecycle.risk.aml.typologies import TYPOLOGIES
from lifecycle.settings import Settings
from lifecycle.sources.injection import Accounts, Planting, accounts_of, inject, may_sleep
from lifecycle.sources.laundering import SCHEMES
from lifecycle.sources.simulator import LAUNDERING, Label

RECALL_LEAST = 0.95
BERKA_LAST = dt.date(1994, 3, 30)
"""The last whole day of the transactions."""
BERKA_ZONE = ZoneInfo("Europe/Prague")
EACH = 12
"""Schemes of one typology and size put into one copy of the bank; of M05 one for each peer group."""
COPIES = 2
FIRST_DAY = dt.date(2026, 1, 1)
DAYS = 440
"""Long enough to have slept a year, and for the schemes after it."""
CHUNK = 100_000

Note = Callable[[str], None]
Hits = Mapping[str, set[str]]


def measure(
    configured: Settings, *, clients: int, seed: int, factor: Decimal, note: Note
) -> dict[str, Any]:
    """Put schemes into Berka, simulate a bank of `clients`, and count what is found in both."""
    figures = load_rules(configured.rules).parameters
    seconds: dict[str, float] = {}
    with _timed("Berka", seconds, note):
        berka = _berka(configured, figures, seed, factor, note)
    with _timed("simulated bank", seconds, note):
        simulated = _simulated(configured, figures, clients, seed)
    return {
        "berka": berka,
        "simulated": simulated,
        "short": [
            f"{bank} {row['code']}: {row['recall']:.3f}"
            for bank, rows in (("Berka", berka["stated"]), ("simulated", simulated["stated"]))
            for row in rows
            if row["recall"] < RECALL_LEAST
        ],
        "seconds": seconds,
        "machine": machine_facts(),
    }


@contextmanager
def _timed(name: str, seconds: dict[str, float], note: Note) -> Any:
    started = time.perf_counter()
    yield
    seconds[name] = round(time.perf_counter() - started, 1)
    note(f"{name}: {seconds[name]:,} s")


# --- Berka ----------------------------------------------------------------------------------------


def scaled(figures: Figures, factor: Decimal) -> dict[str, Any]:
    """The figures for a bank in crowns: a yuan is `factor` of them, so that every threshold is too."""
    rates = figures["aml_rates"]
    value = {**rates.value, "CZK": str(1 / factor)}
    return {**figures, "aml_rates": msgspec.structs.replace(rates, value=value)}


def _berka(
    configured: Settings, figures: Figures, seed: int, factor: Decimal, note: Note
) -> dict[str, Any]:
    own = scaled(figures, factor)
    source = list(app.berka(configured).events(None, BERKA_LAST))
    bank = accounts_of(source)
    with TemporaryDirectory() as folder, _engine(Path(folder), source) as engine:
        facts = Facts(engine, BERKA_LAST, BERKA_ZONE, frozenset())
        quiet = _hits(aml_night(engine, facts, own))
        open_groups = _open_groups(engine, facts, own)
    found: dict[tuple[str, int], list[bool]] = defaultdict(list)
    collateral: Counter[str] = Counter()
    others = 0
    runs = max(len(scheme.sizes) for scheme in SCHEMES.values())
    for copy in range(COPIES):
        for run in range(runs):
            sizes = {code: s.sizes[run] for code, s in SCHEMES.items() if run < len(s.sizes)}
            plantings = plan(bank, sizes, open_groups, Random(f"{seed}:{copy}:{run}"))
            hits = _planted_hits(source, bank, plantings, own, seed + copy, factor)
            for planting in plantings:
                found[planting.code, planting.size] += [
                    client in hits[planting.code] for client in planting.clients
                ]
            part = {client for planting in plantings for client in planting.clients}
            others += len(bank.account_of) - len(part)
            collateral.update({
                code: len(clients - part - quiet[code]) for code, clients in hits.items()
            })
            note(f"Berka copy {copy + 1}, size {run + 1} of {runs}")
    return {
        "clients": len(bank.account_of),
        "events": len(source),
        "last_day": BERKA_LAST,
        "factor": factor,
        "peer_groups_open_to_m05": len(open_groups),
        "stated": [_recall(code, SCHEMES[code].stated, found) for code in SCHEMES],
        "sizes": [
            _recall(code, size, found) | {"found": scheme.found(size)}
            for code, scheme in SCHEMES.items()
            for size in scheme.sizes
        ],
        "not_planted": _per_thousand(quiet, len(bank.account_of)),
        "collateral": [
            {"code": code, "hits": n, "per_thousand": round(1_000 * n / others, 2)}
            for code, n in sorted(collateral.items())
            if n
        ],
    }


def plan(
    bank: Accounts,
    sizes: Mapping[str, int],
    open_groups: Sequence[Sequence[str]],
    random: Random,
) -> list[Planting]:
    """Which clients take part in which scheme: each in one, drawn from those that can.

    M05 takes one of each peer group: one in a hundred peers is the most that can stand out.
    """
    free = [c for c in bank.account_of if len(bank.entries(c)) > 0]
    random.shuffle(free)
    plantings, taken = [], set()

    def take(some: Iterable[str], count: int) -> list[str]:
        chosen = [client for client in some if client not in taken][:count]
        taken.update(chosen)
        return chosen

    if "M05" in sizes:
        for group in open_groups:
            members = list(group)
            random.shuffle(members)
            plantings += [Planting("M05", sizes["M05"], (c,)) for c in take(members, 1)]
        # Nobody else of these groups takes part: cash of other schemes would hide what is planted.
        taken.update(client for group in open_groups for client in group)
    if "M04" in sizes:
        sleepers = take((c for c in free if may_sleep(bank, c)), EACH)
        plantings += [Planting("M04", sizes["M04"], (c,)) for c in sleepers]
    for code in sizes.keys() - {"M04", "M05"}:
        members = len(SCHEMES[code].moves(sizes[code], 0))
        chosen = take(free, EACH * members)
        plantings += [
            Planting(code, sizes[code], tuple(chosen[n : n + members]))
            for n in range(0, len(chosen), members)
        ]
    return plantings


def _open_groups(engine: Engine, facts: Facts, figures: Figures) -> list[list[str]]:
    """Members of the peer groups in which somebody can take in more cash than the rest: large enough,
    and not so that one in a hundred takes in nothing else already."""
    own = figures["aml_m05"].value
    window = entries(facts, figures).filter(
        lambda t: (t.business_date >= facts.since(int(own["days"]))) & (t.side == "CRDT")
    )
    of = peers(facts, figures).rename(client="client_id")
    share = window.is_cash.ifelse(window.cny, 0).sum().cast("float64") / window.cny.sum().cast(
        "float64"
    )
    rows = window.group_by("client").agg(share=share).join(of, "client")
    groups: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for row in engine.run(rows).to_pylist():
        groups[row["peer_group"]].append((row["share"], row["client"]))
    least = int(figures["aml_peers_least"].value)
    return [
        [client for _, client in sorted(members)]
        for _, members in sorted(groups.items())
        if len(members) >= least and max(members)[0] < 0.9
    ]


def _planted_hits(
    source: Sequence[Outgoing],
    bank: Accounts,
    plantings: Sequence[Planting],
    figures: Figures,
    seed: int,
    factor: Decimal,
) -> Hits:
    changed = inject(bank, plantings, seed=seed, factor=factor, timezone=BERKA_ZONE)
    rest = (out for out in source if out.key not in changed)
    told = [out for events in changed.values() for out in events]
    with TemporaryDirectory() as folder, _engine(Path(folder), [*rest, *told]) as engine:
        facts = Facts(engine, BERKA_LAST, BERKA_ZONE, frozenset())
        return _hits(aml_night(engine, facts, figures))


# --- the simulated bank ---------------------------------------------------------------------------


def _simulated(configured: Settings, figures: Figures, clients: int, seed: int) -> dict[str, Any]:
    source = app.simulator(
        configured, seed=seed, clients=clients, first_day=FIRST_DAY, days=DAYS, stories=LAUNDERING
    )
    last = FIRST_DAY + dt.timedelta(days=DAYS - 1)
    with TemporaryDirectory() as folder, _engine(Path(folder), source.events(None, None)) as engine:
        facts = Facts(engine, last, configured.timezone, frozenset())
        night = aml_night(engine, facts, figures)
    labels, hits = source.labels(), _hits(night)
    told = {label.client_id for label in labels}
    frame = scoring.Frame(last, scoring.Models(), figures, "", {})
    bands = Counter(
        (row["client_id"] in told, row["band"])
        for row in scoring.rows("AML", night.candidates, frame)
    )
    quiet = {code: hits[code] - told for code in TYPOLOGIES}
    return {
        "clients": clients,
        "days": DAYS,
        "seed": seed,
        "quiet_clients": clients - len(told),
        "stated": [_of_labels(code, labels, hits, found=True) for code in SCHEMES],
        "near": [_of_labels(code, labels, hits, found=False) for code in SCHEMES],
        "not_planted": _per_thousand(quiet, clients - len(told)),
        "bands": [
            {
                "clients": "planted" if planted else "quiet",
                **{band: bands[planted, band] for band in _levels(figures)},
            }
            for planted in (True, False)
        ],
    }


def _levels(figures: Figures) -> list[str]:
    """The gravest first."""
    least = figures["aml_levels"].value
    return sorted(least, key=least.__getitem__, reverse=True)


def _of_labels(code: str, labels: Iterable[Label], hits: Hits, *, found: bool) -> dict[str, Any]:
    own = [label for label in labels if label.typology == code and label.found == found]
    caught = sum(label.client_id in hits[code] for label in own)
    return {
        "code": code,
        "parameters": own[0].parameters if own else "",
        "planted": len(own),
        "hit": caught,
        "recall": round(caught / len(own), 4) if own else 1.0,
    }


# --- both -----------------------------------------------------------------------------------------


@contextmanager
def _engine(folder: Path, events: Iterable[Outgoing]) -> Any:
    facts = enumerate(map(decoded, events), start=1)
    for version, chunk in enumerate(iter(lambda: list(itertools.islice(facts, CHUNK)), [])):
        app.append_to_lake(folder, chunk, version)
    with app.engine_over_lake(folder) as engine:
        yield engine


def _hits(night: AmlNight) -> dict[str, set[str]]:
    """Typology -> clients with a hit."""
    hits: dict[str, set[str]] = {code: set() for code in TYPOLOGIES}
    for row in night.hits.select(["client_id", "code"]).to_pylist():
        hits[row["code"]].add(row["client_id"])
    return hits


def _recall(
    code: str, size: int, found: Mapping[tuple[str, int], Sequence[bool]]
) -> dict[str, Any]:
    own = found[code, size]
    return {
        "code": code,
        "size": size,
        "parameters": SCHEMES[code].parameters(size),
        "planted": len(own),
        "hit": sum(own),
        "recall": round(sum(own) / len(own), 4) if own else 0.0,
    }


def _per_thousand(hits: Hits, clients: int) -> list[dict[str, Any]]:
    return [
        {
            "code": code,
            "clients": len(hits[code]),
            "per_thousand": round(1_000 * len(hits[code]) / clients, 2),
        }
        for code in TYPOLOGIES
    ]
