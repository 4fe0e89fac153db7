"""Classes and stages day by day: timelines worked out by hand, and what holds of every timeline.

The table is tests/unit/classification_timelines.yaml.
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lifecycle.alerts.rules import load_rules
from lifecycle.risk.arrears import Instalment, Money
from lifecycle.risk.debtor import Classified, Debtor, Facility, classify
from lifecycle.risk.expected_loss import expected_loss
from lifecycle.risk.timeline import Move
from lifecycle.risk.triggers import (
    Mark,
    Pd,
    Report,
    Rules,
    Sign,
    months_after,
    rules_of,
    triggers,
)
from lifecycle.settings import ROOT

FIGURES = load_rules(ROOT / "rules").parameters
RULES = rules_of(FIGURES)
CASES = yaml.safe_load(Path(__file__).with_name("classification_timelines.yaml").read_text())
LENT, FIRST, TIMES = dt.date(2024, 1, 5), dt.date(2024, 2, 10), 36
UNITS = 10_000


def eu(rules: Rules) -> Rules:
    profile = msgspec.structs.replace(rules.figures["jurisdiction"], value="EU")
    return rules._replace(figures={**rules.figures, "jurisdiction": profile})


def units(text: str | int) -> int:
    return int(Decimal(text) * UNITS)


def date(value: str) -> dt.date:
    return dt.date.fromisoformat(value)


class Told:
    """A facility as the compact notation tells it, up to a day."""

    def __init__(self, told: Mapping[str, Any], until: dt.date, name: str) -> None:
        self.name, self.until = name, until
        self.amount, self.every = told.get("amount", 100), told.get("every", 1)
        self.due = {n: months_after(FIRST, (n - 1) * self.every) for n in range(1, TIMES + 1)}
        self.lines = [str(line).split(" ", 2) for line in told.get("facts", ())]
        self.money = sorted(self.moneys(str(told.get("money", ""))))

    def moneys(self, notation: str) -> Iterator[tuple[dt.date, int, bool]]:
        comes = {n: (0, units(self.amount)) for n in self.due}
        for word in notation.split():
            if found := re.fullmatch(r"(\d+)(?:\.\.(\d+))?-", word):
                first, last = int(found[1]), int(found[2] or found[1])
                comes |= dict.fromkeys(range(first, last + 1), (0, 0))
            elif found := re.fullmatch(r"(\d+)\+(\d+)", word):
                comes[int(found[1])] = (int(found[2]), units(self.amount))
            elif found := re.fullmatch(r"(\d+):([\d.]+)", word):
                comes[int(found[1])] = (0, units(found[2]))
            else:
                day, _, amount = word.partition(":")
                yield date(day), units(amount.rstrip("!")), amount.endswith("!")
        for number, (late, amount) in comes.items():
            yield self.due[number] + dt.timedelta(days=late), amount, False

    def facility(self) -> Facility:
        days = [n for n, due in self.due.items() if due <= self.until]
        dues = [Instalment(self.due[n], self.due[n], n, 1, units(self.amount), n) for n in days]
        paid = [
            Money(day, 0 if ahead else amount, -amount, 1000 + at)
            for at, (day, amount, ahead) in enumerate(self.money)
            if day <= self.until and amount
        ]
        lent = Money(LENT, 0, units(self.amount) * TIMES, 999)
        known = [line for line in self.lines if date(line[0]) <= self.until]
        settled = [Mark(date(day), "SETTLED", 5000) for day, *rest in known if rest == ["settled"]]
        return Facility(
            self.name,
            Mark(LENT, "GRANTED", 999),
            [*dues, *self.new_schedule(known)],
            [lent, *paid],
            [
                Mark(date(day), what[0], 2000 + at)
                for at, (day, *what) in enumerate(known)
                if marks(what)
            ],
            next(iter(settled), None),
            [pd_of(day, what[1]) for day, *what in known if what[0] == "pd"] or None,
            [sign_of(day, what[0]) for day, *what in known if what[0][0] in "+-"],
        )

    def new_schedule(self, known: list[list[str]]) -> Iterator[Instalment]:
        for at, (day, *what) in enumerate(known):
            if what[0] == "due":
                number, version, due, total = what[1].split()
                yield Instalment(
                    date(day), date(due), int(number), int(version[1:]), units(total), 3000 + at
                )

    def reports(self) -> list[Report]:
        found = []
        for at, (day, *what) in enumerate(self.lines):
            if what[0] == "report" and date(day) <= self.until:
                said = dict(pair.split("=") for pair in what[1].split())
                amounts = [units(said.get(name, 0)) for name in ("total", "npl", "over90")]
                records = tuple(said.get("records", "").split())
                found.append(Report(date(day), 4000 + at, *amounts, said.get("rating"), records))
        return found

    def dissolved(self) -> list[Mark]:
        return [
            Mark(date(day), what[0], 4500)
            for day, *what in self.lines
            if what[0] == "BANKRUPTCY_LIQUIDATION" and date(day) <= self.until
        ]


def marks(what: list[str]) -> bool:
    return len(what) == 1 and what[0].isupper() and what[0] != "BANKRUPTCY_LIQUIDATION"


def pd_of(day: str, text: str) -> Pd:
    now, then = text.rstrip("~").split("/")
    return Pd(date(day), Decimal(now), Decimal(then), 0, text.endswith("~"))


def sign_of(day: str, text: str) -> Sign:
    code, _, value = text[1:].partition("=")
    return Sign(date(day), code, 6000, text[0] == "+", Decimal(value or 0))  # type: ignore[arg-type]


def classified(case: Mapping[str, Any], until: dt.date) -> Classified:
    """The first facility of a case, as of a day."""
    told = Told(case, until, "L1")
    own = [told.facility()]
    if "other" in case:
        own.append(Told(case["other"], until, "L2").facility())
    debtor = Debtor("C1", not case.get("company"), own, told.dissolved(), told.reports())
    return classify(debtor, until, eu(RULES) if case.get("eu") else RULES)[0]


def shown(moves: list[Move], scale: str) -> list[str]:
    """Moves after the first day's, as the table writes them."""
    return [
        f"{move.on} {move.after or '-'} {move.trigger}{'~' if move.proxy else ''}"
        for move in moves
        if move.scale == scale and move.trigger != "GRANTED"
    ]


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_a_timeline_worked_out_by_hand(case: Mapping[str, Any]) -> None:
    found = classified(case, case["until"])
    assert shown(found.moves, "TIER") == case.get("tier", []), case["why"]
    assert shown(found.moves, "STAGE") == case.get("stage", []), case["why"]
    assert found.dpd == case.get("dpd", 0), case["why"]


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_a_timeline_is_the_beginning_of_every_later_one(case: Mapping[str, Any]) -> None:
    whole = classified(case, case["until"]).moves
    days = {move.on + dt.timedelta(days=shift) for move in whole for shift in (-1, 0, 1)}
    for day in sorted(d for d in days if LENT <= d <= case["until"]):
        assert classified(case, day).moves == [m for m in whole if m.on <= day], day


# --- what holds of every timeline -------------------------------------------------------------

CODES = ("DEFAULT_DECLARED", "DEFAULT_CURED", "RESTRUCTURED", "REFINANCED", "WRITTEN_OFF")
SIGNS = ("+WATCHLIST", "-WATCHLIST", "+PURPOSE_CHANGED", "-PURPOSE_CHANGED", "+ECL_SHARE=0.95")
days = st.integers(0, 900).map(lambda n: LENT + dt.timedelta(days=n))
words = st.one_of(
    st.builds("{}+{}".format, st.integers(1, 30), st.integers(0, 120)),
    st.builds("{}..{}-".format, st.integers(1, 30), st.integers(1, 36)),
    st.builds("{}:{}".format, st.integers(1, 30), st.integers(0, 99)),
    st.builds("{}:{}".format, days, st.integers(-300, 900)),
)
one = {
    "money": st.lists(words, max_size=8).map(" ".join),
    "facts": st.lists(
        st.builds("{} {}".format, days, st.sampled_from(CODES + SIGNS)), max_size=4
    ).map(sorted),
    "every": st.sampled_from([1, 3]),
}
cases = st.fixed_dictionaries(
    one | {"eu": st.booleans(), "company": st.booleans()},
    optional={"other": st.fixed_dictionaries(one)},
)
TIER = {"PASS": 0, "SPECIAL_MENTION": 1, "SUBSTANDARD": 2, "DOUBTFUL": 3, "LOSS": 4}


@given(cases, days)
def test_no_class_or_stage_is_better_than_days_past_due_allow(
    case: dict[str, Any], day: dt.date
) -> None:
    found = classified(case, day)
    tier, stage = found.standing.tier, found.standing.stage
    assert stage >= (3 if found.dpd > 90 else 2 if found.dpd > 30 else 1)
    least = [0, 7, 90, 270, 360]
    assert tier >= max(n for n, days in enumerate(least) if found.dpd > days or n == 0)
    if not case["eu"]:
        assert stage >= (3 if tier >= 2 else 2 if tier else 1)


@given(cases, days, days)
def test_what_is_known_later_changes_no_day_before(
    case: dict[str, Any], one: dt.date, other: dt.date
) -> None:
    early, late = sorted((one, other))
    assert classified(case, early).moves == [
        move for move in classified(case, late).moves if move.on <= early
    ]


@given(cases, days)
def test_moves_follow_each_other_and_are_told_apart(case: dict[str, Any], day: dt.date) -> None:
    moves = classified(case, day).moves
    for scale in ("TIER", "STAGE"):
        own = [move for move in moves if move.scale == scale]
        assert [m.before for m in own] == [None, *(m.after for m in own[:-1])]
        assert [m.on for m in own] == sorted(m.on for m in own)
    assert {move.trigger for move in moves} <= set(RULES.effects)


@given(cases, days)
def test_no_cure_comes_before_its_months(case: dict[str, Any], day: dt.date) -> None:
    moves = classified(case, day).moves
    stages = [move for move in moves if move.scale == "STAGE"]
    for before, now in itertools.pairwise(stages):
        if now.trigger.startswith("CURED_"):
            assert now.on >= months_after(before.on, 3)
    tiers = [move for move in moves if move.scale == "TIER"]
    for at, now in enumerate(tiers):
        if now.trigger == "UPGRADED_FROM_NPL":
            fell = max(m.on for m in tiers[:at] if TIER[m.after or "PASS"] >= 2)
            assert now.on >= months_after(fell, 6) or tiers[at - 1].trigger == "NPL_OBSERVATION"


@given(cases, days, st.randoms(use_true_random=False))
def test_the_order_of_arrival_says_nothing(case: dict[str, Any], day: dt.date, chance: Any) -> None:
    """Facts of one day in another order: the same moves, whatever each of them stems from."""
    told = Told(case, day, "L1")
    own = told.facility()
    money = list(own.money)
    chance.shuffle(money)
    dues = list(own.instalments)
    chance.shuffle(dues)
    signs = list(own.signs or ())
    chance.shuffle(signs)
    mixed = own._replace(
        money=sorted(money, key=lambda m: m.on), instalments=dues, signs=signs or own.signs
    )
    either = [classify(Debtor("C1", True, [facility]), day, RULES)[0] for facility in (own, mixed)]
    assert shown(either[0].moves, "TIER") == shown(either[1].moves, "TIER")
    assert shown(either[0].moves, "STAGE") == shown(either[1].moves, "STAGE")
    assert either[0].dpd == either[1].dpd


@given(cases, days, st.integers(1, 500))
def test_money_never_makes_it_worse(case: dict[str, Any], day: dt.date, amount: int) -> None:
    richer = {**case, "money": f"{case['money']} {LENT + dt.timedelta(days=30)}:{amount}"}
    assert classified(richer, day).dpd <= classified(case, day).dpd


@given(cases, days)
def test_one_trigger_more_never_makes_it_better(case: dict[str, Any], day: dt.date) -> None:
    worse = {**case, "facts": [*case["facts"], f"{LENT} +NON_ACCRUAL"]}
    before, after = classified(case, day).standing, classified(worse, day).standing
    assert (after.tier >= before.tier, after.stage) == (True, 3)


# --- the published table ----------------------------------------------------------------------


def test_every_trigger_that_moves_something_is_published_in_both_languages() -> None:
    published = {t.code: t for t in triggers(FIGURES)}
    assert len(published) == len(FIGURES["classification_triggers"].value)
    assert all(t.zh and t.en for t in published.values())
    page = (ROOT / "docs" / "classification.md").read_text(encoding="utf-8")
    assert [code for code in published if f"`{code}`" not in page] == []
    for t in published.values():
        if t.tier or t.stage:
            tier = t.tier.lower().replace("_", " ") if t.tier else "-"
            verified = "yes" if t.verified else "no"
            assert (
                f"| `{t.code}` {t.zh} | {tier} | {t.stage or '-'} | {t.en} | {verified} |" in page
            )


def test_what_nobody_said_anything_of_is_named() -> None:
    told = Told({}, dt.date(2024, 12, 31), "L1").facility()
    debtor = Debtor("C1", True, [told._replace(signs_told=False)])
    missing = classify(debtor, dt.date(2024, 12, 31), RULES)[0].not_evaluated
    assert {"PD_TRIPLED", "PD_DOUBLED", "GRADE_DOWN", "WATCHLIST", "RATING_SHARPLY_DOWN"} < {
        *missing
    }
    known = told._replace(pds=[Pd(LENT, Decimal("0.01"), Decimal("0.01"), 0)], signs_told=True)
    rated = Debtor("C1", True, [known], reports=[Report(LENT, 1, rating="AA")])
    assert classify(rated, dt.date(2024, 12, 31), RULES)[0].not_evaluated == ()


@pytest.mark.parametrize(
    ("stage", "months", "loss"),
    [(1, 36, "45"), (1, 6, "45"), (2, 24, "89.1"), (2, 13, "89.1"), (3, 36, "2250")],
)
def test_an_expected_loss(stage: int, months: int, loss: str) -> None:
    """PD 2 percent, LGD 45, of 5,000: a year, two years (1 - 0.98 squared = 0.0396), all of it."""
    found = expected_loss(stage, Decimal(5000), Decimal("0.02"), Decimal("0.45"), months)
    assert found == Decimal(loss)
