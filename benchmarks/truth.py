"""What was found of every client against what its label says: counts, and nothing measured here.

Labels are the simulator's; clients without one live quietly or have a story of another kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from lifecycle.clients.attribute import Figures
from lifecycle.clients.checks import CHECKS, Check
from lifecycle.clients.lifecycle import STATES, Standing
from lifecycle.clients.summary import Summary
from lifecycle.clients.verdicts import Result
from lifecycle.sources.simulator import STORIES, Label
from lifecycle.sources.simulator.stories import STORIES_EVERY

RESULTS: tuple[Result, ...] = ("FAIL", "WARN", "PASS", "NA")
IN_BUSINESS = "ACTIVE or GROWING"
"""The truth about a client without a story of the lifecycle."""
PLANTED = tuple(sorted({story.check for story in STORIES.values() if story.check}))
SHOWN_MAX = 40
"""At most so many clients are named in a list of them."""


def story_of(client_id: str) -> str:
    """The name of the story of a client, which its number decides; "quiet" for none."""
    story = STORIES.get(int(client_id.rpartition("-")[2]) % STORIES_EVERY)
    return story.name if story else "quiet"


# --- lifecycle ------------------------------------------------------------------------------------

_OF_LIFECYCLE = {story.name for story in STORIES.values() if story.state}


def states(labels: Iterable[Label], stood: Mapping[str, Standing]) -> dict[str, Any]:
    """The state every client is in against the true one.

    Clients whose story of the lifecycle is under way and whose state nobody can be sure of are left
    out, and counted as `unsure`.
    """
    sure = {label.client_id: label.state for label in labels if label.state}
    true = {
        client: sure.get(client, IN_BUSINESS)
        for client in stood
        if client in sure or story_of(client) not in _OF_LIFECYCLE
    }
    pairs = Counter((true[client], stood[client].state) for client in true)
    wrong = {client: state for client, state in true.items() if not _agree(state, stood[client])}
    return {
        "judged": len(true),
        "unsure": len(stood) - len(true),
        "right": len(true) - len(wrong),
        "confusion": {
            row: {state: pairs[row, state] for state in STATES if pairs[row, state]}
            for row in (*STATES, IN_BUSINESS)
            if row in true.values()
        },
        "by_state": {
            state: _precision_and_recall(state, true, stood)
            for state in STATES
            if state in true.values()
        },
        "wrong": [
            {"story": story, "truth": truth, "found": found, "rule": rule, "clients": count}
            for (story, truth, found, rule), count in Counter(
                (story_of(c), state, stood[c].state, stood[c].rule_id) for c, state in wrong.items()
            ).most_common()
        ],
        "wrong_clients": sorted(wrong)[:SHOWN_MAX],
    }


def _agree(true: str, standing: Standing) -> bool:
    return standing.state in true.split(" or ")


def _precision_and_recall(
    state: str, true: Mapping[str, str], stood: Mapping[str, Standing]
) -> dict[str, Any]:
    labelled = [client for client in true if true[client] == state]
    found = [client for client in true if stood[client].state == state]
    return {
        "labelled": len(labelled),
        "found": len(found),
        "precision": _share(sum(_agree(true[c], stood[c]) for c in found), len(found)),
        "recall": _share(sum(_agree(state, stood[c]) for c in labelled), len(labelled)),
    }


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


# --- false declarations ---------------------------------------------------------------------------

_WITHOUT_RATIO: dict[str, Result] = {"CV02": "WARN", "CV05": "WARN", "CV06": "FAIL", "CV09": "FAIL"}
"""What a check says of a story that has no size: CV02 FAIL only where an application relies on it."""
_GRAVITY: tuple[Result, ...] = ("PASS", "WARN", "FAIL")


def planted(label: Label, figures: Figures) -> Result:
    """What the check of a false declaration has to say of one of this size."""
    if not label.ratio:
        return _WITHOUT_RATIO[label.check]
    ratio = Decimal(label.ratio)
    limits = _LIMITS[label.check](figures)
    grave: tuple[Result, ...] = ("FAIL", "WARN")
    for result in grave:
        least, most = limits[result]
        if not least <= ratio <= most:
            return result
    return "PASS"


def _least(limits: Mapping[str, str]) -> dict[str, tuple[Decimal, Decimal]]:
    return {result: (Decimal(limit), Decimal("Infinity")) for result, limit in limits.items()}


def _most(limits: Mapping[str, str]) -> dict[str, tuple[Decimal, Decimal]]:
    return {result: (Decimal(0), Decimal(limit)) for result, limit in limits.items()}


_LIMITS: dict[str, Callable[[Figures], Mapping[str, tuple[Decimal, Decimal]]]] = {
    "CV01": lambda figures: {
        result: (Decimal(least), Decimal(most))
        for result, (least, most) in figures["cv01_income_ratio"].value.items()
    },
    "CV03": lambda figures: _most(figures["cv03_revenue_ratio_max"].value),
    "CV04": lambda figures: _least(figures["cv04_debt_ratio_min"].value),
}
"""Check -> by result, the least and the greatest ratio that still holds."""


def checks(
    labels: Iterable[Label], summaries: Sequence[Summary], figures: Figures
) -> dict[str, Any]:
    """What the checks say of what is planted, of everybody else, and what the other checks say."""
    found = {s.client_id: {check.id: check for check in s.checks} for s in summaries}
    false = [label for label in labels if label.check]
    return {
        "planted": _by_size(false, found, figures),
        "missed": [
            {
                "client_id": label.client_id,
                "story": label.story,
                "check": label.check,
                "ratio": label.ratio,
                "planted": planted(label, figures),
                "found": check.result,
                "na_reason": check.na_reason,
                "measure": check.measure,
            }
            for label in false
            for check in [found[label.client_id][label.check]]
            if _missed(planted(label, figures), check)
        ],
        "false_alarms": [_false_alarms(check_id, false, found) for check_id in PLANTED],
        "others": {
            check_id: _counts(own[check_id] for own in found.values())
            for check_id in CHECKS
            if check_id not in PLANTED
        },
    }


def _by_size(
    false: Sequence[Label], found: Mapping[str, Mapping[str, Check]], figures: Figures
) -> list[dict[str, Any]]:
    """One row a story and size, the gravest first within a story."""
    groups: dict[tuple[str, str, Result], list[Check]] = {}
    for label in false:
        key = (label.check, label.story, planted(label, figures))
        groups.setdefault(key, []).append(found[label.client_id][label.check])
    ordered = sorted(groups, key=lambda key: (*key[:2], RESULTS.index(key[2])))
    return [
        {
            "check": check_id,
            "story": story,
            "planted": size,
            "clients": len(groups[check_id, story, size]),
            **_counts(groups[check_id, story, size]),
            "not_consented": sum(
                check.na_reason == "NOT_CONSENTED" for check in groups[check_id, story, size]
            ),
            "missed": sum(_missed(size, check) for check in groups[check_id, story, size]),
        }
        for check_id, story, size in ordered
    ]


def _counts(some: Iterable[Check]) -> dict[str, int]:
    count = Counter(check.result for check in some)
    return {result: count[result] for result in RESULTS}


def _missed(size: Result, check: Check) -> bool:
    """Whether the check says less than it has to. What the client keeps to itself is not missed."""
    if check.na_reason == "NOT_CONSENTED":
        return False
    return check.result == "NA" or _GRAVITY.index(check.result) < _GRAVITY.index(size)


def _false_alarms(
    check_id: str, false: Sequence[Label], found: Mapping[str, Mapping[str, Check]]
) -> dict[str, Any]:
    """What a check says of the clients to whom no story of it was given."""
    told = {story.name for story in STORIES.values() if story.check == check_id}
    others = [client for client in found if story_of(client) not in told]
    alarms = [client for client in others if found[client][check_id].result in ("WARN", "FAIL")]
    quiet = [client for client in others if story_of(client) == "quiet"]
    return {
        "check": check_id,
        "clients": len(others),
        **_counts(found[client][check_id] for client in others),
        "per_thousand": round(1000 * len(alarms) / len(others), 2),
        "quiet_clients": len(quiet),
        "quiet_alarms": len(set(quiet) & set(alarms)),
        "stories": dict(Counter(map(story_of, alarms)).most_common()),
        "alarmed": sorted(alarms)[:SHOWN_MAX],
    }


# --- stories --------------------------------------------------------------------------------------


class Sign(NamedTuple):
    """What an attribute is like for a client of a story."""

    story: str
    attribute: str
    when: str
    """"early" or "last": of which night."""
    words: str
    holds: Callable[[Decimal], bool]


SIGNS = (
    Sign("MISSED_ONCE", "max_dpd_12m", "early", "9 days or more", lambda n: n >= 9),
    Sign("MISSED_TWICE", "max_dpd_12m", "early", "30 days or more", lambda n: n >= 30),
    Sign("MISSED_OVER_90_DAYS", "days_past_due", "last", "more than 90 days", lambda n: n > 90),
    Sign("OVERDRAFT", "overdraft_days_90d", "early", "a day or more", lambda n: n >= 1),
    Sign("STRUCTURING", "cash_share", "early", "above 0", lambda n: n > 0),
    Sign("LARGE_CASH", "cash_share", "early", "above 0", lambda n: n > 0),
    Sign("AT_RISK_COMPLAINT", "open_complaints", "last", "1 or more", lambda n: n >= 1),
    Sign("JOB_CHANGED", "payer_changes_24m", "last", "1 or more", lambda n: n >= 1),
    Sign(
        "PAYERS_CONCENTRATED",
        "customer_concentration",
        "last",
        "above 0.8",
        lambda n: n > Decimal("0.8"),
    ),
)
"""The stories that an attribute shows, besides those that a state or a check shows."""

Values = Mapping[str, Mapping[str, str | None]]
"""Attribute -> client id -> value, of the attributes that `SIGNS` look at."""


def showing(rows: pa.Table) -> pa.Table:
    """The rows of `profiling.attributes` that `SIGNS` look at."""
    return rows.filter(pc.is_in(rows["name"], pa.array([sign.attribute for sign in SIGNS])))


def values(rows: pa.Table) -> dict[str, dict[str, str | None]]:
    """Rows that are `showing` as `Values`."""
    return {
        name: dict(zip(own["client_id"].to_pylist(), own["value"].to_pylist(), strict=True))
        for name in {sign.attribute for sign in SIGNS}
        for own in [rows.filter(pc.equal(rows["name"], name))]
    }


def stories(labels: Sequence[Label], nights: Mapping[str, Values]) -> list[dict[str, Any]]:
    """Of how many clients of a story its attribute is as it should be, and of how many quiet ones."""
    rows = []
    for sign in SIGNS:
        known = nights[sign.when][sign.attribute]
        like = {c for c, text in known.items() if text is not None and sign.holds(Decimal(text))}
        told = {label.client_id for label in labels if label.story == sign.story}
        rows.append({
            "story": sign.story,
            "attribute": sign.attribute,
            "when": sign.when,
            "words": sign.words,
            "planted": len(told),
            "shown": len(told & like),
            "quiet": sum(story_of(client) == "quiet" for client in known),
            "quiet_shown": sum(story_of(client) == "quiet" for client in like),
            "not_shown": sorted(told - like)[:SHOWN_MAX],
        })
    return rows


# --- needs ----------------------------------------------------------------------------------------


def needs(
    declared: Iterable[Mapping[str, Any]], summaries: Iterable[Summary]
) -> list[dict[str, Any]]:
    """In which state the needs are that clients declared, by need and the greatest strength declared."""
    greatest: dict[tuple[str, str], int] = {}
    for row in declared:
        key = (row["client_id"], row["need_code"])
        greatest[key] = max(row["strength"], greatest.get(key, 0))
    known = {(s.client_id, need.need_code): need.state for s in summaries for need in s.needs}
    counts = Counter(
        (code, strength, known.get((client, code), "none"))
        for (client, code), strength in greatest.items()
    )
    return [
        {
            "need": code,
            "strength": strength,
            "clients": sum(n for (c, s, _), n in counts.items() if (c, s) == (code, strength)),
            "states": {
                state: n for (c, s, state), n in counts.items() if (c, s) == (code, strength)
            },
        }
        for code, strength in sorted({key[:2] for key in counts})
    ]
