"""The client's state machine: every rule, the two-run rule, hysteresis, and what may never happen."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lifecycle.alerts.rules import Parameter, load_rules
from lifecycle.clients.lifecycle import (
    AT_ONCE,
    EVERY,
    FLAGS,
    LEGAL,
    NAMES,
    PAGE,
    RULES,
    STATES,
    Observation,
    Standing,
    State,
    Transition,
    page,
    step,
)
from lifecycle.settings import ROOT
from tests.support import DAY

FIGURES = load_rules(ROOT / "rules").parameters


def ago(days: int, on: dt.date = DAY) -> dt.date:
    return on - dt.timedelta(days=days)


def seen(**changes: Any) -> Observation:
    """An individual in ordinary business, as of DAY; nothing but ACTIVE fits."""
    fields: dict[str, Any] = {
        "client_type": "INDIVIDUAL",
        "registered": ago(2_000),
        "first_opened": ago(2_000),
        "last_opened": ago(2_000),
        "open_accounts": 1,
        "kyc_complete": True,
        "first_funded": ago(1_999),
        "cit_60d": 8,
        "cit_90d": 12,
        "last_cit": ago(2),
        "aum": Decimal(5_000),
        "aum_30d": Decimal(5_000),
        "aum_90d": Decimal(5_000),
        "aum_prev90d": Decimal(5_000),
        "aum_180d": Decimal(5_000),
        "aum_peak_12m": Decimal(6_000),
        "aum_former_12m": Decimal(5_000),
    }
    return Observation(**(fields | changes))


SILENT: dict[str, Any] = {"cit_60d": 0, "cit_90d": 0}
DRAINED: dict[str, Any] = {"aum": Decimal(20), "aum_30d": Decimal(20), "aum_180d": Decimal(20)}
NEW: dict[str, Any] = {
    "registered": ago(5),
    "first_opened": ago(3),
    "last_opened": ago(3),
    "first_funded": None,
    "kyc_complete": False,
    **SILENT,
    "last_cit": None,
}
NO_ACCOUNT: dict[str, Any] = {
    "registered": ago(10),
    "first_opened": None,
    "last_opened": None,
    "open_accounts": 0,
    "first_funded": None,
    **SILENT,
    "last_cit": None,
}


def stands(
    state: State, days: int = 100, *, rule: str = "LC-00", held: int = 100, **memory: Any
) -> Standing:
    """A standing of the day before DAY, in a state since `days` before DAY."""
    entered = Transition(
        from_state="NONE",
        to_state=state,
        rule_id=rule,
        on=ago(days),
        held_days=held,
        evidence={},
    )
    return Standing(as_of=ago(1), entered=entered, **memory)


def run(
    standing: Standing | None, observation: Observation, days: int = 1, start: dt.date = DAY
) -> tuple[Standing, list[Transition]]:
    """So many nights in a row that see the same client."""
    moves = []
    for number in range(days):
        standing, move = step(standing, observation, start + dt.timedelta(days=number), FIGURES)
        moves += [move] if move else []
    assert standing is not None
    return standing, moves


# --- every rule -----------------------------------------------------------------------------------

GREW: dict[str, Any] = {"aum_90d": Decimal(60_000), "aum_prev90d": Decimal(50_000)}

MOVES: list[tuple[str, Standing | None, Observation]] = [
    ("LC-01", stands("ACTIVE", 1), seen(ended=ago(1))),
    ("LC-01", stands("CLOSED", 1), seen(open_accounts=0, ended=ago(1))),
    ("LC-01", None, seen(ended=ago(1))),
    ("LC-02", stands("ACTIVE", 1), seen(open_accounts=0)),
    ("LC-02", stands("CHURNED", 1), seen(open_accounts=0, **SILENT)),
    ("LC-02", stands("PROSPECT", 1), seen(open_accounts=0)),
    ("LC-03", stands("ACTIVE"), seen(**DRAINED, **SILENT, last_cit=ago(180))),
    ("LC-03", stands("DORMANT"), seen(**DRAINED, **SILENT, last_cit=ago(400))),
    ("LC-03", stands("AT_RISK"), seen(**DRAINED, **SILENT, last_cit=ago(200), open_accounts=2)),
    ("LC-04", stands("ACTIVE"), seen(**SILENT, last_cit=ago(365))),
    ("LC-04", stands("GROWING"), seen(**SILENT, last_cit=None)),
    ("LC-04", stands("REACTIVATING"), seen(**SILENT, last_cit=ago(365))),
    ("LC-05", stands("ONBOARDING"), seen(**(NEW | {"first_opened": ago(90)}))),
    ("LC-05", stands("ONBOARDING"), seen(first_opened=ago(90), last_opened=ago(90), cit_90d=2)),
    ("LC-06", stands("DORMANT"), seen(cit_60d=1, cit_90d=1, last_cit=ago(1))),
    ("LC-07", stands("ACTIVE"), seen(churn_pd=Decimal("0.40"))),
    ("LC-08", stands("ACTIVE"), seen(aum_30d=Decimal(3_000))),
    ("LC-08", stands("GROWING"), seen(aum_30d=Decimal(0))),
    ("LC-09", stands("WON_BACK"), seen(salaries_missed=2)),
    ("LC-10", stands("REACTIVATING"), seen(transfer_out_share=Decimal("0.51"), cit_60d=1)),
    ("LC-11", stands("ONBOARDING"), seen(complaint_open_since=ago(16))),
    ("LC-12", stands("CLOSED"), seen(**SILENT, last_cit=ago(900), last_opened=ago(1))),
    ("LC-13", stands("CHURNED", former_aum=Decimal(20_000)), seen(cit_60d=3)),
    ("LC-14", stands("REACTIVATING", held=90), seen(cit_60d=3)),
    ("LC-15", stands("PROSPECT", 1), seen(**NEW)),
    ("LC-15", stands("PROSPECT_LAPSED", 1), seen(**NEW)),
    ("LC-15", None, seen(**NEW)),
    ("LC-16", stands("ACTIVE", growth=2), seen()),
    ("LC-17", stands("WON_BACK", 180, growth=2), seen()),
    ("LC-18", stands("ONBOARDING"), seen(first_opened=ago(40), last_opened=ago(40), cit_90d=3)),
    ("LC-19", stands("REACTIVATING", held=89), seen(cit_60d=3)),
    ("LC-20", stands("AT_RISK", clear_since=ago(30)), seen()),
    ("LC-21", stands("WON_BACK", 180), seen()),
    ("LC-22", stands("GROWING", growth=-2), seen()),
    ("LC-23", stands("PROSPECT"), seen()),
    ("LC-24", stands("PROSPECT"), seen(**SILENT, last_cit=ago(100))),
    ("LC-25", stands("PROSPECT"), seen(**(NO_ACCOUNT | {"registered": ago(180)}))),
    ("LC-26", stands("PROSPECT_LAPSED"), seen(**NO_ACCOUNT, last_interaction=ago(1))),
    ("LC-26", None, seen(**NO_ACCOUNT)),
]


@pytest.mark.parametrize(("rule_id", "before", "observation"), MOVES)
def test_every_rule_moves_a_client(
    rule_id: str, before: Standing | None, observation: Observation
) -> None:
    rule = next(rule for rule in RULES if rule.id == rule_id)
    at_once = before is None or rule.to in AT_ONCE
    standing, moves = run(before, observation, days=1 if at_once else 2)
    (move,) = moves
    assert (move.rule_id, move.to_state, move.on) == (rule_id, rule.to, standing.as_of)
    assert move.from_state == (before.state if before else "NONE")
    assert standing.state == rule.to
    assert move.evidence, "every move says why"


def test_the_cases_are_all_the_rules() -> None:
    assert {rule_id for rule_id, _, _ in MOVES} == {rule.id for rule in RULES}


STAYS: list[tuple[str, Standing, Observation]] = [
    ("credit is live", stands("ACTIVE"), seen(open_accounts=0, live_credit=True)),
    ("a product is held", stands("ACTIVE"), seen(open_accounts=0, product_held=True)),
    ("never had money", stands("ACTIVE"), seen(**DRAINED, **SILENT, last_cit=ago(180), aum_peak_12m=Decimal(999))),
    ("owes the bank", stands("ACTIVE"), seen(**DRAINED, **SILENT, last_cit=ago(180), live_credit=True)),
    ("180 days are not over", stands("ACTIVE"), seen(**DRAINED, **SILENT, last_cit=ago(179))),
    ("no longer a year", stands("ACTIVE"), seen(**SILENT, last_cit=ago(364))),
    ("a new account", stands("WON_BACK"), seen(**SILENT, last_cit=ago(900), last_opened=ago(1))),
    ("the CIT was before", stands("DORMANT", 30), seen(cit_60d=1, cit_90d=1, last_cit=ago(30))),
    ("a churned client that only looks in", stands("CHURNED", former_aum=Decimal(20_001)), seen()),
    ("a churned client with money and two CIT", stands("CHURNED"), seen(cit_60d=2)),
    ("no PD from a model", stands("ACTIVE"), seen(churn_pd=None)),
    ("a small PD", stands("ACTIVE"), seen(churn_pd=Decimal("0.39"))),
    ("one salary", stands("ACTIVE"), seen(salaries_missed=1)),
    ("half moved out", stands("ACTIVE"), seen(transfer_out_share=Decimal("0.50"))),
    ("15 days of complaint", stands("ACTIVE"), seen(complaint_open_since=ago(14))),
    ("no deposits ever", stands("ACTIVE"), seen(aum_30d=Decimal(0), aum_180d=Decimal(0))),
    ("still dormant at risk", stands("DORMANT", 1_000), seen(**SILENT, last_cit=None, salaries_missed=9)),
    ("clear for 28 days", stands("AT_RISK", clear_since=ago(28)), seen()),
    ("one month-end", stands("ACTIVE", growth=1), seen()),
    ("one bad month-end", stands("GROWING", growth=-1), seen()),
    ("won back lately", stands("WON_BACK", 178, growth=2), seen()),
    ("two CIT", stands("REACTIVATING"), seen(cit_60d=2)),
    ("not funded", stands("ONBOARDING"), seen(first_opened=ago(40), first_funded=None)),
    ("quiet", stands("ACTIVE"), seen(**SILENT, last_cit=ago(200))),
    ("gone for good", stands("DECEASED", 1_000), seen()),
    ("a prospect that complains", stands("PROSPECT"), seen(**NO_ACCOUNT, complaint_open_since=ago(99))),
]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "observation"), [c[1:] for c in STAYS], ids=[c[0] for c in STAYS]
)
def test_just_beside_a_limit_nothing_moves(before: Standing, observation: Observation) -> None:
    standing, moves = run(before, observation, days=2)
    assert (standing.state, moves) == (before.state, [])


@pytest.mark.parametrize(
    ("observation", "state"),
    [
        (seen(ended=ago(1), open_accounts=0, **DRAINED), "DECEASED"),
        (seen(open_accounts=0, salaries_missed=2), "CLOSED"),
        (seen(**DRAINED, **SILENT, last_cit=ago(400), salaries_missed=2), "CHURNED"),
        (seen(**SILENT, last_cit=ago(400), salaries_missed=2), "DORMANT"),
        (seen(**(NEW | {"salaries_missed": 2})), "ONBOARDING"),
        (seen(salaries_missed=2), "ACTIVE"),
        (seen(**NO_ACCOUNT, complaint_open_since=ago(99)), "PROSPECT"),
        (seen(), "ACTIVE"),
        (seen(**SILENT, last_cit=ago(200)), "ACTIVE"),
        (seen(**(NO_ACCOUNT | {"registered": ago(200)})), "PROSPECT_LAPSED"),
    ],
)
def test_the_highest_precedence_places_a_client_that_was_never_seen(
    observation: Observation, state: State
) -> None:
    standing, moves = run(None, observation)
    assert standing.state == state
    assert [(move.from_state, move.held_days) for move in moves] == [("NONE", 0)]


# --- two runs, fourteen days, at once ---------------------------------------------------------------


def test_a_state_must_be_named_on_two_runs_in_a_row() -> None:
    shrunk = seen(aum_30d=Decimal(100))
    once, none = step(stands("ACTIVE"), shrunk, DAY, FIGURES)
    assert (once.state, once.candidate, once.candidate_runs, none) == ("ACTIVE", "AT_RISK", 1, None)
    recovered, _ = step(once, seen(), ago(-1), FIGURES)
    assert (recovered.candidate, recovered.candidate_runs) == (None, 0)
    again, _ = step(recovered, shrunk, ago(-2), FIGURES)
    assert (again.state, again.candidate_runs) == ("ACTIVE", 1)
    moved, move = step(again, shrunk, ago(-3), FIGURES)
    assert (moved.state, moved.candidate) == ("AT_RISK", None)
    assert move is not None
    assert move.evidence == {"aum_30d": "100", "aum_180d": "5000"}


def test_two_signs_of_the_same_state_are_two_runs() -> None:
    once, _ = step(stands("ACTIVE"), seen(salaries_missed=2), DAY, FIGURES)
    _, move = step(once, seen(churn_pd=Decimal("0.5")), ago(-1), FIGURES)
    assert move is not None
    assert (move.to_state, move.rule_id) == ("AT_RISK", "LC-07")


def test_two_candidates_in_turn_move_nobody() -> None:
    standing = stands("ACTIVE", growth=2)
    for night in range(20):
        observation = seen(salaries_missed=2 if night % 2 else 0)
        standing, move = step(standing, observation, ago(-night), FIGURES)
        assert move is None


@pytest.mark.parametrize("held", range(1, 17))
def test_a_state_is_kept_for_fourteen_days(held: int) -> None:
    standing, moves = run(stands("ACTIVE", held), seen(salaries_missed=2), days=20)
    (move,) = moves
    assert move.held_days == max(14, held + 1)
    assert standing.state == "AT_RISK"


@pytest.mark.parametrize(
    ("before", "observation", "state"),
    [
        (stands("PROSPECT", 0), seen(**NEW), "ONBOARDING"),
        (stands("ONBOARDING", 1), seen(open_accounts=0), "CLOSED"),
        (stands("WON_BACK", 1), seen(ended=DAY), "DECEASED"),
    ],
)
def test_facts_switch_at_once(before: Standing, observation: Observation, state: State) -> None:
    assert run(before, observation)[0].state == state


# --- what is remembered -----------------------------------------------------------------------------


def test_growth_counts_month_ends_only() -> None:
    grew = seen(**GREW)
    # From 2 March: the month-ends are 31 March and 30 April.
    standing, moves = run(stands("ACTIVE"), grew, days=60)
    assert (standing.state, standing.growth, standing.candidate) == ("ACTIVE", 2, "GROWING")
    standing, moves = run(standing, grew, start=dt.date(2026, 5, 1))
    assert [(move.from_state, move.to_state) for move in moves] == [("ACTIVE", "GROWING")]


@pytest.mark.parametrize(
    ("observation", "growth"),
    [
        (seen(**GREW), 1),
        (seen(aum_90d=Decimal(59_999), aum_prev90d=Decimal(50_000)), -1),
        (seen(aum_90d=Decimal(12_000), aum_prev90d=Decimal(2_001)), -1),
        (seen(aum_90d=Decimal(12_000), aum_prev90d=Decimal(2_000)), 1),
        (seen(aum_90d=Decimal(12_000), aum_prev90d=None), -1),
        (seen(newest_category=dt.date(2026, 3, 1)), 1),
        (seen(newest_category=dt.date(2025, 12, 31)), -1),
        (seen(**GREW, **SILENT), -1),
        (seen(first_opened=dt.date(2026, 1, 1), newest_category=dt.date(2026, 3, 31)), -1),
        (seen(first_opened=dt.date(2025, 12, 31), newest_category=dt.date(2026, 3, 31)), 1),
    ],
)
def test_what_a_month_end_judges(observation: Observation, growth: int) -> None:
    standing, _ = step(stands("ACTIVE"), observation, dt.date(2026, 3, 31), FIGURES)
    assert standing.growth == growth


def test_a_bad_month_end_starts_the_count_again() -> None:
    standing, _ = step(stands("ACTIVE", growth=1), seen(), dt.date(2026, 3, 31), FIGURES)
    assert standing.growth == -1


def test_a_sign_of_risk_starts_the_clear_days_again() -> None:
    standing, _ = step(
        stands("AT_RISK", clear_since=ago(29)), seen(salaries_missed=2), DAY, FIGURES
    )
    assert standing.clear_since is None
    standing, moves = run(standing, seen(), days=40, start=ago(-1))
    assert [(move.rule_id, (move.on - DAY).days) for move in moves] == [("LC-20", 32)]


def test_a_churned_client_is_measured_by_what_it_was() -> None:
    gone = seen(**DRAINED, **SILENT, last_cit=ago(180))
    standing, _ = run(stands("ACTIVE"), gone, days=2)
    assert (standing.state, standing.former_aum) == ("CHURNED", Decimal(5_000))
    later = msgspec.structs.replace(gone, aum_former_12m=Decimal(1))
    standing, _ = run(standing, later, days=30, start=ago(-2))
    assert standing.former_aum == Decimal(5_000)


@pytest.mark.parametrize(
    ("before", "observation", "flags"),
    [
        (stands("DORMANT", rule="LC-05"), seen(**SILENT, last_opened=ago(95), last_cit=None), ("FAILED_ONBOARDING",)),
        (stands("ACTIVE"), seen(**SILENT, last_cit=ago(100)), ("QUIET",)),
        (stands("DORMANT"), seen(**SILENT, last_cit=ago(1_095), aum=Decimal(100)), ("LONG_INACTIVE",)),
        (stands("DORMANT"), seen(**SILENT, last_cit=ago(1_095), aum=Decimal(101)), ()),
        (stands("DORMANT"), seen(**SILENT, last_cit=ago(365), aum=Decimal(0)), ()),
        (
            stands("DORMANT"),
            seen(**SILENT, last_cit=ago(365), client_type="CORPORATE"),
            ("LONG_INACTIVE",),
        ),
        (
            stands("CHURNED"),
            seen(**SILENT, last_cit=ago(1_826), aum=Decimal(0)),
            ("LONG_INACTIVE", "SLEEPING_5Y"),
        ),
        (stands("CLOSED"), seen(**SILENT, last_cit=ago(1_826), open_accounts=0), ()),
    ],
)  # fmt: skip
def test_flags(before: Standing, observation: Observation, flags: tuple[str, ...]) -> None:
    assert step(before, observation, DAY, FIGURES)[0].flags == flags


def test_a_standing_of_a_later_date_is_refused() -> None:
    with pytest.raises(ValueError, match="over"):
        step(stands("ACTIVE"), seen(), ago(2), FIGURES)


def test_figures_decide() -> None:
    longer = {**FIGURES, "standing_days": Parameter(
        value=200, unit="days", source="test", effective_from="2026-01-01", verified=False
    )}  # fmt: skip
    standing, _ = step(
        stands("ACTIVE", candidate="AT_RISK", candidate_runs=5),
        seen(salaries_missed=2),
        DAY,
        longer,
    )
    assert standing.state == "ACTIVE"


# --- what may never happen --------------------------------------------------------------------------

amounts = st.none() | st.decimals(0, 100_000, places=2)
dates = st.integers(0, 2_500).map(ago)
observations = st.builds(
    Observation,
    client_type=st.sampled_from(["INDIVIDUAL", "CORPORATE"]),
    registered=dates,
    ended=st.none() | st.none() | st.none() | dates,
    first_opened=st.none() | dates,
    last_opened=st.none() | dates,
    open_accounts=st.integers(0, 2),
    live_credit=st.booleans(),
    product_held=st.booleans(),
    kyc_complete=st.booleans(),
    first_funded=st.none() | dates,
    cit_60d=st.integers(0, 5),
    cit_90d=st.integers(0, 5),
    last_cit=st.none() | dates,
    aum=amounts,
    aum_30d=amounts,
    aum_90d=amounts,
    aum_prev90d=amounts,
    aum_180d=amounts,
    aum_peak_12m=amounts,
    aum_former_12m=amounts,
    salaries_missed=st.integers(0, 3),
    transfer_out_share=st.none() | st.decimals(0, 2, places=4),
    complaint_open_since=st.none() | dates,
    newest_category=st.none() | dates,
    last_interaction=st.none() | dates,
    churn_pd=st.none() | st.decimals(0, 1, places=4),
)
nights = st.lists(st.tuples(observations, st.integers(1, 40), st.integers(1, 3)), max_size=12)


@settings(max_examples=300)
@given(nights)
def test_no_sequence_of_observations_breaks_the_machine(
    lived: list[tuple[Observation, int, int]],
) -> None:
    """Each observation is seen for some nights, a few days apart."""
    standing, on = None, DAY
    for observation, repeats, gap in lived:
        for _ in range(repeats):
            before = standing.state if standing else "NONE"
            since = standing.since if standing else None
            standing, move = step(standing, observation, on, FIGURES)
            assert standing.state in STATES
            assert (standing, move) == step(standing, observation, on, FIGURES), "idempotent"
            if move is None:
                assert (standing.state, standing.since) == (before, since)
            else:
                assert (before, move.to_state) in LEGAL
                assert (move.from_state, move.on, standing.state) == (before, on, move.to_state)
                kept = since is None or (on - since).days >= 14
                assert kept or move.to_state in AT_ONCE, "hysteresis"
            on += dt.timedelta(days=gap)


@settings(max_examples=50)
@given(observations)
def test_a_standing_is_stored_and_read_back(observation: Observation) -> None:
    standing, _ = step(None, observation, DAY, FIGURES)
    stored = msgspec.json.encode(standing)
    assert msgspec.json.decode(stored, type=Standing) == standing


def test_a_move_is_written_in_the_words_of_its_event() -> None:
    _, move = step(None, seen(), DAY, FIGURES)
    assert msgspec.to_builtins(move) == {
        "from": "NONE",
        "to": "ACTIVE",
        "rule_id": "LC-23",
        "on": DAY.isoformat(),
        "held_days": 0,
        "evidence": {"first_opened": ago(2_000).isoformat(), "cit_90d": "12"},
    }


# --- the table --------------------------------------------------------------------------------------


def test_rules_are_numbered_in_order_of_precedence() -> None:
    assert [rule.id for rule in RULES] == [f"LC-{n:02}" for n in range(1, len(RULES) + 1)]
    ranks = [STATES.index(rule.to) for rule in RULES]
    assert ranks == sorted(ranks)


def test_every_state_can_be_entered_and_only_the_end_is_not_left() -> None:
    assert {rule.to for rule in RULES} == set(STATES) == set(NAMES) == EVERY - {"NONE"}
    assert {state for rule in RULES for state in rule.leaves} == EVERY - {"DECEASED"}
    assert not [rule.id for rule in RULES if rule.to in rule.leaves]


def test_words_name_figures_that_exist_and_all_figures_are_named() -> None:
    own = load_rules_of("lifecycle.yaml")
    for texts in ([r.en + r.zh for r in RULES], [s.en + s.zh for s in FLAGS]):
        assert {name for text in texts for name in re.findall(r"{(\w+)}", text)} <= own
    for row in (*RULES, *FLAGS):
        assert set(re.findall(r"{(\w+)}", row.en)) == set(re.findall(r"{(\w+)}", row.zh))
    stem = "".join(row.en for row in (*RULES, *FLAGS)) + page()
    measured = {"salary_days", "salary_grace_days", "restructured_days", "probation_days"}
    assert {name for name in own if name not in stem} == measured


def load_rules_of(name: str) -> set[str]:
    text = (ROOT / "rules" / name).read_text(encoding="utf-8")
    return set(re.findall(r"^  (\w+):", text, re.MULTILINE))


def test_evidence_is_of_fields_that_exist() -> None:
    fields = {*Observation.__struct_fields__, *Standing.__struct_fields__}
    assert all(set(rule.shows) <= fields and rule.shows for rule in RULES)


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `make schemas`"
