"""Attrition: features and outcomes worked by hand, the artefact and its two scorers, fitting, rows."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import ibis
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.attrition import Sample, dates, fitted, judged, psi, ranking
from benchmarks.attrition_page import tables
from benchmarks.profiles import date_of
from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.alerts.rules import load_rules
from lifecycle.attrition import Outcome, candidates, label_date, outcomes
from lifecycle.clients.facts import Facts
from lifecycle.errors import UsageError
from lifecycle.events import Outgoing
from lifecycle.events import account as ac
from lifecycle.events import client as cl
from lifecycle.events import interaction as it
from lifecycle.events import product as pr
from lifecycle.risk.attrition_facts import FEATURES, SOURCED, features
from lifecycle.risk.attrition_fit import LEAVERS_MIN, fit
from lifecycle.risk.attrition_score import (
    Inputs,
    Knot,
    Model,
    Term,
    probability,
    probability_of,
    read_model,
    score,
    write_model,
)
from lifecycle.risk.score import Score
from lifecycle.scoring import Models
from lifecycle.settings import ROOT
from lifecycle.sources.simulator import LEAVING, STORIES, Label, SimulatorSource
from tests.lakes import ZONE, lake_of
from tests.scored import scored
from tests.unit.attributes.bank import AS_OF, Bank, Client, at, day

RULES = load_rules(ROOT / "rules")
FIGURES = RULES.parameters


def of(made: Score) -> tuple[tuple[str, float], ...]:
    return tuple((reason.code, reason.points) for reason in made.reasons)


# --- features -------------------------------------------------------------------------------------


def monthly(client: Client, *months: str) -> list[str]:
    return [client.debit(f"{month}-15", "10.00", mcc="5411") for month in months]


def sent(client: Client, on: str, amount: str) -> str:
    """To another bank."""
    return client.add(
        ac.TransactionPosted,
        on,
        account_id=f"{client.name}-A1",
        transaction_id=f"S{on}",
        amount=amount,
        credit_debit_indicator="DBIT",
        booking_datetime=at(f"{on}T12:00"),
        counterparty=ac.Counterparty(bank_id="OTHER"),
    )


def complained(client: Client, on: str, *, answered: bool) -> str:
    complaint = f"{client.name}-{on}"
    raised = client.add(
        it.ComplaintRaised,
        on,
        complaint_id=complaint,
        category="FEES",
        severity="LOW",
        due_at=day(on),
    )
    if answered:
        client.add(it.ComplaintResolved, on, complaint_id=complaint, outcome="X")
    return raised


def called(client: Client, on: str, *, reached: bool = False) -> str:
    return client.add(
        it.ContactAttempted, on, attempt_id=f"{client.name}-{on}", type="CALL", reached=reached
    )


def bought(client: Client, on: str, amount: str, ends: str | None = None) -> str:
    return client.add(
        pr.ProductSold,
        on,
        sale_id=f"{client.name}-{on}",
        product_id="TD-3M",
        product_risk="R1",
        amount=amount,
        disclosure_ack_id="d",
        suitability_check_id="c",
        initiated_by="CLIENT",
        maturity_date=day(ends) if ends else None,
    )


HALF_YEAR = ("2025-10", "2025-11", "2025-12", "2026-01", "2026-02", "2026-03")
Expected = dict[str, dict[str, float | None]]


def whole() -> tuple[Bank, Expected, dict[tuple[str, str], set[str]]]:
    """As of 31 March 2026: 30 days begin on 2 March, 90 on 1 January, 180 on 3 October."""
    bank = Bank()
    expected: Expected = {}
    sources: dict[tuple[str, str], set[str]] = {}
    # One transaction in 30 days and six in 180. Opened 820 days ago.
    steady = bank.person("steady")
    steady.balance("2025-01-01", "10000.00")
    sources["steady", "sources"] = set(monthly(steady, *HALF_YEAR))
    expected["steady"] = {
        "cit_trend": 1.0, "days_since_cit": 16.0, "aum_trend": 0.0, "salaries_missed": 0.0,
        "transfer_out_share": 0.0, "orders_cancelled": 0.0, "maturing_share": 0.0,
        "failed_contacts": 0.0, "complaints": 0.0, "rate_gap": 0.01, "tenure_years": 820 / 365,
        "breadth": 1.0,
    }  # fmt: skip

    # 14 days at 10,000 and 16 at 4,000 are a mean of 6,800; of 180 days 164 at 10,000: 9,466.67.
    leaver = bank.person("leaver")
    leaver.balance("2025-01-01", "10000.00")
    monthly(leaver, *HALF_YEAR[:5])
    sources["leaver", "transfer_out_share_sources"] = {sent(leaver, "2026-03-16", "6000.00")}
    leaver.balance("2026-03-16", "4000.00")
    sources["leaver", "orders_cancelled_sources"] = {
        leaver.add(
            ac.StandingOrderCancelled,
            "2026-01-01",
            standing_order_id="o1",
            version=2,
            account_id="leaver-A1",
        )
    }
    leaver.add(
        ac.StandingOrderCancelled,
        "2025-12-31",
        standing_order_id="o2",
        version=2,
        account_id="leaver-A1",
    )
    called(leaver, "2025-12-31")
    called(leaver, "2026-02-02", reached=True)
    sources["leaver", "failed_contacts_sources"] = {
        called(leaver, "2026-01-01"),
        called(leaver, "2026-02-01"),
    }
    complained(leaver, "2025-12-31", answered=True)
    sources["leaver", "complaints_sources"] = {
        complained(leaver, "2025-06-01", answered=False),
        complained(leaver, "2026-02-01", answered=True),
    }
    expected["leaver"] = expected["steady"] | {
        "cit_trend": 1.0, "days_since_cit": 15.0, "aum_trend": 6800 / (1_704_000 / 180) - 1,
        "transfer_out_share": 0.6, "orders_cancelled": 1.0, "failed_contacts": 2.0,
        "complaints": 2.0,
    }  # fmt: skip

    # 60 days ahead are 30 May. 10,000 in the account and 4,000 in products: 1,000 of 14,000 end by
    # then. Interest of 50 in a year on 10,000: 0.5 %.
    saver = bank.person("saver")
    saver.balance("2025-01-01", "10000.00")
    monthly(saver, *HALF_YEAR)
    saver.credit("2025-12-21", "50.00", purpose="INTE", initiator="BANK")
    saver.credit("2025-03-21", "70.00", purpose="INTE", initiator="BANK")
    sources["saver", "maturing_share_sources"] = {
        bought(saver, "2025-01-01", "1000.00", "2026-05-30")
    }
    bought(saver, "2025-01-02", "3000.00", "2026-05-31")
    expected["saver"] = expected["steady"] | {
        "maturing_share": 1 / 14, "rate_gap": 0.01 - 50 / 14_000, "breadth": 2.0,
    }  # fmt: skip

    # Not asked: too young, too little, silent for 90 days, closed, gone already.
    for name, opened, balance, last in (
        ("young", "2025-09-30", "5000.00", "2026-03"),
        ("poor", "2024-01-01", "999.99", "2026-03"),
        ("silent", "2024-01-01", "5000.00", "2025-12"),
    ):
        client = bank.person(name, account=opened)
        client.balance("2025-10-01", balance)
        monthly(client, last)
    old_enough = bank.person("old-enough", account="2025-09-29")
    old_enough.balance("2025-10-01", "1000.00")
    monthly(old_enough, "2026-03")
    expected["old-enough"] = {"tenure_years": 183 / 365, "cit_trend": 6.0}
    closed = bank.person("closed")
    closed.balance("2025-01-01", "5000.00")
    monthly(closed, "2026-03")
    closed.close("A1", "2026-03-31")
    gone = bank.person("gone")
    gone.balance("2025-01-01", "10000.00")
    gone.balance("2026-03-01", "2000.00")
    monthly(gone, "2026-03")
    return bank, expected, sources


BANK, EXPECTED, SOURCES = whole()


def feature_rows(path: Path, facts: Iterable[Outgoing], on: dt.date = AS_OF) -> dict[str, Any]:
    with DuckDBEngine(lake_of(path, facts)) as engine:
        rows = engine.run(features(Facts(engine, on, ZONE, frozenset()), FIGURES))
    return {row["client_id"]: row for row in rows.to_pylist()}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return feature_rows(tmp_path_factory.mktemp("features") / "lake", BANK.facts)


def test_who_is_asked(rows: dict[str, Any]) -> None:
    assert rows.keys() == EXPECTED.keys()


@pytest.mark.parametrize("client", EXPECTED)
def test_features(client: str, rows: dict[str, Any]) -> None:
    found = {name: rows[client][name] for name in EXPECTED[client]}
    assert found == pytest.approx(EXPECTED[client], abs=1e-6)


@pytest.mark.parametrize(("client", "column"), SOURCES)
def test_sources(client: str, column: str, rows: dict[str, Any]) -> None:
    assert set(rows[client][column]) == SOURCES[client, column]


def test_later_facts_change_no_feature(tmp_path: Path) -> None:
    early, end = day("2026-03-10"), dt.datetime(2026, 3, 10, 16, tzinfo=dt.UTC)
    then = feature_rows(tmp_path / "then", [fact for fact in BANK.facts if fact.time < end], early)
    assert then
    assert then == feature_rows(tmp_path / "now", BANK.facts, early)


# --- outcomes -------------------------------------------------------------------------------------


def outcome_bank() -> tuple[Bank, dict[str, Outcome]]:
    """All have 10,000 on 31 March. 90 days later is 29 June; three tenths are 3,000."""
    bank = Bank()
    expected: dict[str, Outcome] = {}

    def one(name: str, *balances: tuple[str, str], how: Outcome | None = None) -> Client:
        client = bank.person(name)
        client.balance("2025-01-01", "10000.00")
        monthly(client, "2026-03", "2026-04", "2026-05", "2026-06")
        for on, amount in balances:
            client.balance(on, amount)
        if how:
            expected[name] = how
        return client

    one("stays")
    one("falls", ("2026-04-10", "3000.00"), how="FALLEN")
    one("falls-at-once", ("2026-04-01", "0.00"), how="FALLEN")
    one("falls-less", ("2026-04-10", "3000.01"))
    one("is-back-after-59-days", ("2026-04-10", "1.00"), ("2026-06-08", "9000.00"))
    one("is-back-after-60-days", ("2026-04-10", "1.00"), ("2026-06-09", "9000.00"), how="FALLEN")
    one("dips-twice", ("2026-04-10", "1.00"), ("2026-05-20", "9000.00"), ("2026-05-21", "1.00"), ("2026-07-01", "9000.00"))  # fmt: skip
    one("steps-down", ("2026-04-10", "2000.00"), ("2026-05-20", "1000.00"), how="FALLEN")
    one("falls-on-the-last-day", ("2026-06-29", "1.00"), how="FALLEN")
    one("falls-a-day-later", ("2026-06-30", "1.00"))
    one("changes-form", ("2026-04-10", "100.00")).add(
        pr.ProductSold,
        "2026-04-10",
        sale_id="s",
        product_id="FI-BOND",
        product_risk="R2",
        amount="9900.00",
        disclosure_ack_id="d",
        suitability_check_id="c",
        initiated_by="CLIENT",
    )
    one("closes", how="CLOSED").close("A1", "2026-04-20")
    one("closes-too-late").close("A1", "2026-06-30")
    one("dies", ("2026-04-10", "0.00")).add(
        cl.ClientDeceased, "2026-04-05", deceased_date=day("2026-04-05")
    )
    # Silent since December: 180 days have passed before the 90 of the horizon have.
    silent = bank.person("drained")
    silent.balance("2025-01-01", "10000.00")
    monthly(silent, "2025-12")
    silent.balance("2026-05-20", "50.00")
    expected["drained"] = "CHURNED"
    return bank, expected


def test_outcomes(tmp_path: Path) -> None:
    bank, expected = outcome_bank()
    with DuckDBEngine(lake_of(tmp_path, bank.facts)) as engine:
        found = outcomes(engine, lambda on: Facts(engine, on, ZONE, frozenset()), AS_OF, FIGURES)
    assert found == expected


def test_an_outcome_is_known_when_its_label_is(tmp_path: Path) -> None:
    """What happens after the label date changes no outcome."""
    bank, expected = outcome_bank()
    known_on = label_date(AS_OF, FIGURES)
    assert known_on == AS_OF + dt.timedelta(days=150)
    for fact in list(bank.facts):
        if fact.type.endswith("registered.v1"):
            name = fact.key
            Client.balance(_known(bank, name), "2026-09-30", "0.00")
    with DuckDBEngine(lake_of(tmp_path, bank.facts)) as engine:
        found = outcomes(engine, lambda on: Facts(engine, on, ZONE, frozenset()), AS_OF, FIGURES)
    assert found == expected


def _known(bank: Bank, name: str) -> Client:
    client = Client.__new__(Client)
    client.bank, client.name = bank, name
    return client


# --- the artefact ---------------------------------------------------------------------------------

finite = st.floats(-5, 5)


@st.composite
def models(draw: st.DrawFn) -> Model:
    terms = []
    for name in FEATURES[:4]:
        low, high = sorted((draw(finite), draw(finite)))
        terms.append(
            Term(name, draw(finite), low, high, draw(finite), draw(st.floats(0.1, 3)), draw(finite))
        )
    at_ = sorted(draw(st.sets(st.integers(-40, 40), min_size=1, max_size=6)))
    chances = sorted(draw(st.lists(st.floats(0, 1), min_size=len(at_), max_size=len(at_))))
    knots = tuple(Knot(float(x), p) for x, p in zip(at_, chances, strict=True))
    return Model(draw(finite), tuple(terms), knots, {"source": "test"})


values_ = st.fixed_dictionaries({
    name: st.one_of(st.none(), st.floats(-10, 10)) for name in FEATURES[:4]
})


@settings(max_examples=40)
@given(models(), st.lists(values_, min_size=1, max_size=10))
def test_both_scorers_say_the_same(model: Model, rows_: list[dict[str, float | None]]) -> None:
    columns = {name: pa.array([row[name] for row in rows_], pa.float64()) for name in FEATURES[:4]}
    table = ibis.memtable(pa.table(columns | {"n": pa.array(range(len(rows_)))}))
    bulk = table.select("n", pd=probability_of(model, table)).order_by("n").to_pyarrow()
    assert bulk["pd"].to_pylist() == pytest.approx([probability(model, row) for row in rows_])


@given(models())
def test_an_artefact_is_read_as_it_was_written(model: Model) -> None:
    assert read_model(write_model(model), "here", FEATURES) == model
    assert model.version == read_model(write_model(model), "here", FEATURES).version


@given(models(), values_, st.sampled_from(FEATURES[:4]))
def test_what_raises_the_odds_never_lowers_the_probability(
    model: Model, row: dict[str, float | None], name: str
) -> None:
    term = next(term for term in model.terms if term.feature == name)
    lower, higher = row | {name: -10.0}, row | {name: 10.0}
    if term.weight < 0:
        lower, higher = higher, lower
    assert probability(model, lower) <= probability(model, higher) + 1e-12


GOOD: dict[str, Any] = {
    "intercept": 0,
    "terms": [{"feature": "complaints", "weight": 1, "low": 0, "high": 3, "mean": 0, "scale": 1, "missing": 0}],
    "knots": [{"log_odds": 0, "probability": 0.1}, {"log_odds": 2, "probability": 0.5}],
    "fitted_on": {},
}  # fmt: skip


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no json", "is no attrition model"),
        (b"\xff\xfe", "is no attrition model"),
        (json.dumps({**GOOD, "intercept": "x"}).encode(), "is no attrition model"),
        (json.dumps({**GOOD, "more": 1}).encode(), "is no attrition model"),
        (json.dumps({**GOOD, "knots": []}).encode(), "without order"),
        (json.dumps({**GOOD, "knots": GOOD["knots"][::-1]}).encode(), "without order"),
        (json.dumps({**GOOD, "terms": [{**GOOD["terms"][0], "feature": "wealth"}]}).encode(), "wealth"),
    ],
)  # fmt: skip
def test_a_bad_artefact_is_refused_with_one_sentence(content: bytes, words: str) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        read_model(content, "model.json", FEATURES)
    assert "model.json" in str(refused.value)


# --- rows -----------------------------------------------------------------------------------------

MODEL = read_model(json.dumps(GOOD).encode(), "here", FEATURES)
CALM: dict[str, float | None] = dict.fromkeys(FEATURES, 0.0) | {
    "cit_trend": 1.0, "tenure_years": 3.0, "breadth": 3.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("complaints", "pd", "value", "band", "reasons"),
    [
        (0.0, 0.1, 10, "MEDIUM", ()),
        (1.0, 0.3, 30, "MEDIUM", (("AT09", 29),)),  # one, of log-odds 1: 20/ln 2 = 28.9 points
        (1.5, 0.4, 40, "HIGH", (("AT09", 43),)),
        (9.0, 0.5, 50, "HIGH", (("AT09", 87),)),  # cut off at 3
        (None, 0.1, 10, "MEDIUM", ()),
    ],
)
def test_a_row_of_the_model(
    complaints: float | None,
    pd: float,
    value: int,
    band: str,
    reasons: tuple[tuple[str, int], ...],
) -> None:
    inputs = Inputs(CALM | {"complaints": complaints}, {"complaints": ("e1",)})
    row = score(inputs, MODEL, FIGURES)
    assert row.pd == pytest.approx(pd)
    assert (row.value, row.band, of(row)) == (value, band, reasons)
    assert row.evidence == (("e1",) if reasons else ())


@pytest.mark.parametrize(
    ("changes", "value", "band", "codes"),
    [
        ({}, 0, "LOW", ()),
        ({"complaints": 1.0}, 10, "LOW", ("AT09",)),
        ({"cit_trend": None}, 10, "LOW", ("AT01",)),
        ({"aum_trend": -0.4, "transfer_out_share": 0.1}, 20, "LOW", ("AT03",)),
        ({"aum_trend": -0.39, "transfer_out_share": 0.51}, 30, "MEDIUM", ("AT05", "AT03")),
        (
            {"aum_trend": -0.5, "transfer_out_share": 0.6, "salaries_missed": 2.0, "orders_cancelled": 1.0},
            65, "HIGH", ("AT03", "AT05", "AT04", "AT06"),
        ),
    ],
)  # fmt: skip
def test_a_row_of_the_points(
    changes: dict[str, float | None], value: int, band: str, codes: tuple[str, ...]
) -> None:
    row = score(Inputs(CALM | changes, {}), None, FIGURES)
    assert (row.value, row.band, tuple(code for code, _ in of(row))) == (value, band, codes)
    assert row.pd is None
    assert all(reason.zh and reason.en for reason in row.reasons)


@given(st.fixed_dictionaries({name: st.one_of(st.none(), finite) for name in FEATURES}))
def test_points_are_from_nought_to_a_hundred(values: dict[str, float | None]) -> None:
    row = score(Inputs(values, {}), None, FIGURES)
    assert 0 <= row.value <= 100
    assert len(row.reasons) <= 4


def test_the_card_has_a_line_for_every_feature_in_both_languages() -> None:
    card = FIGURES["attrition_card"].value
    assert [line["feature"] for line in card] == list(FEATURES)
    assert all(line["zh"] and line["en"] for line in card)
    assert len({line["code"] for line in card}) == len(card)
    assert set(SOURCED) < set(FEATURES)


@pytest.mark.parametrize("model", [None, MODEL], ids=["points", "model"])
def test_rows_of_a_night(model: Model | None, tmp_path: Path) -> None:
    allowed = {name: frozenset({"P2_PROFILE"}) for name in ("steady", "leaver", "old-enough")}
    with DuckDBEngine(lake_of(tmp_path, BANK.facts)) as engine:
        facts = Facts(engine, AS_OF, ZONE, frozenset())
        made = candidates(engine, facts, allowed, frozenset({"steady"}), FIGURES)  # type: ignore[arg-type]
    rows_ = scored("ATTRITION", made, AS_OF, RULES, Models(attrition=model))
    assert list(rows_) == sorted(EXPECTED)
    assert rows_["saver"]["status"] == "NOT_CONSENTED"
    assert rows_["saver"]["inputs"] == "null", "nothing is kept of who does not consent"
    assert rows_["steady"]["status"] == "SUPPRESSED"
    assert rows_["saver"]["value"] is rows_["steady"]["value"] is None
    leaver = rows_["leaver"]
    assert leaver["status"] == "SCORED"
    assert (leaver["pd"] is None, leaver["calibration_version"] is None) == (not model, not model)
    assert SOURCES["leaver", "complaints_sources"] <= set(leaver["source_event_ids"])
    assert leaver["value"] > rows_["old-enough"]["value"]


# --- fitting --------------------------------------------------------------------------------------


def sample(rows_: int) -> tuple[list[dict[str, float | None]], list[bool], list[str]]:
    """Complaints tell, and so does a feature that is sometimes missing; nothing else does."""
    made, left = [], []
    for n in range(rows_):
        complains = n % 5 == 0
        gone = (n * 7919) % 100 < (60 if complains else 5)
        trend = None if n % 11 == 0 else (-0.5 if gone and n % 3 else 0.1)
        made.append(CALM | {"complaints": float(complains), "aum_trend": trend})
        left.append(gone)
    return made, left, [f"C{n // 3}" for n in range(rows_)]


def test_a_model_learns_what_tells_and_is_calibrated() -> None:
    rows_, left, clients = sample(2_000)
    model = fit(rows_, left, clients, FEATURES, {"source": "made up"})
    assert model == fit(rows_, left, clients, FEATURES, {"source": "made up"}), "no chance in it"
    weights = {term.feature: term.weight for term in model.terms}
    assert weights["complaints"] > 0.3
    assert weights["aum_trend"] < -0.3
    assert abs(weights["failed_contacts"]) < 1e-6, "what is the same for all says nothing"
    pds = [probability(model, row) for row in rows_]
    assert sum(pds) / len(pds) == pytest.approx(sum(left) / len(left), abs=0.01)
    assert all(0 < pd < 1 for pd in pds), "nobody is sure"
    ups = [knot.probability for knot in model.knots]
    assert ups == sorted(ups)
    assert model.fitted_on == {"source": "made up", "rows": 2000, "left": sum(left), "clients": 667}


@pytest.mark.parametrize("leavers", [0, LEAVERS_MIN - 1, 100 - LEAVERS_MIN + 1])
def test_too_few_of_either_kind_are_refused(leavers: int) -> None:
    left = [n < leavers for n in range(100)]
    with pytest.raises(UsageError, match="at least 30 of either kind"):
        fit([CALM] * 100, left, list(map(str, range(100))), FEATURES, {})


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sklearn.isotonic", None)
    with pytest.raises(UsageError, match=r"lifecycle\[models\]"):
        fit([CALM] * 100, [n < 50 for n in range(100)], ["C"] * 100, FEATURES, {})


# --- measures -------------------------------------------------------------------------------------


def test_no_label_of_the_past_reaches_into_what_is_judged() -> None:
    train, test = dates(720, FIGURES)
    assert max(label_date(on, FIGURES) for on in train) <= min(test)
    assert max(label_date(on, FIGURES) for on in test) <= date_of(720)
    with pytest.raises(UsageError, match="take more days"):
        dates(400, FIGURES)


def test_measures_of_a_ranking() -> None:
    """Two of four leavers are the worst of twenty: a tenth holds half of them, five times their share."""
    left = [True, True, *[False] * 16, True, True]
    scores = [float(20 - n) for n in range(20)]
    found = ranking(scores, left)
    assert (found["lift"], found["capture"]) == (5.0, 0.5)
    assert found["auc"] == 0.5
    assert found["auc_low"] <= found["auc"] <= found["auc_high"]


def test_a_population_that_did_not_move_has_no_index() -> None:
    values = [n / 100 for n in range(100)]
    assert psi(values, values) == 0
    assert psi(values, [value / 2 for value in values]) > 0.25


def test_a_model_that_is_right_is_judged_so_and_told_on_the_page() -> None:
    """Who complains leaves with three chances in ten, others never; the points and the model know it."""
    early, late = day("2026-08-01"), day("2027-06-01")

    def samples(on: dt.date) -> list[Sample]:
        return [
            Sample(f"C{n}", on, CALM | {"complaints": float(n % 5 == 0)}, "CLOSED" if n % 15 == 0 else None)
            for n in range(900)
        ]  # fmt: skip

    train, test = samples(early), samples(late)
    model = fitted(train, "made up", 1)
    found = judged(model, train, test, FIGURES, 1)
    assert found["model"]["auc"] > 0.9
    assert found["model"]["auc"] == found["points"]["auc"]
    assert found["model"]["mean_pd"] == pytest.approx(found["model"]["left"], abs=0.005)
    assert abs(found["shuffled_labels"]["auc"] - 0.5) < 0.15
    assert found["psi"] == 0
    bands = {row["band"]: row for row in found["bands"]}
    assert list(bands) == ["HIGH", "MEDIUM", "LOW"]
    assert bands["MEDIUM"]["left"] == 60
    assert bands["LOW"]["left"] == 0
    assert sum(row["rows"] for row in found["bins"]) == 900
    result = {
        "bank": {"clients": 900, "days": 700, "seed": 1, "events": 1},
        "train": {"days": [early], "rows": 900, "clients": 900, "left": {"CLOSED": 60}},
        "test": {"days": [late], "rows": 900, "clients": 900, "left": {"CLOSED": 60}},
        "judged": found,
        "stories": [{"story": "STEADY", "when": "", "rows": 900, "left": 60, "in_worst_tenth": 90}],
        "model": [{"feature": "complaints", "weight": 1.0, "mean": 0.2}],
        "berka": None,
        "seconds": {"fitting": 1.0},
        "peak_rss_mb": 1,
        "machine": {"cpus": 2, "memory_gb": 8, "python": "3"},
    }
    page = tables(result)
    assert "Synthetic" in page
    assert "Berka" not in page
    shown = {
        "as_of": early,
        "events": 5,
        "clients": 3,
        "silent": 0,
        "left": {},
        "bands": {"LOW": 3},
    }
    assert "demonstration, no evaluation" in tables({**result, "berka": shown})


# --- the bank that clients leave ------------------------------------------------------------------


def bank_of(stories: Any, clients: int = 100, days: int = 330) -> SimulatorSource:
    return SimulatorSource(
        seed=3, clients=clients, first_day=dt.date(2026, 1, 1), days=days, timezone=ZONE, stories=stories
    )  # fmt: skip


def test_leavers_leave_and_waverers_stay() -> None:
    """By what is in their accounts on the last day, against the day before the story's day."""
    source = bank_of(LEAVING)
    held: dict[str, dict[dt.date, int]] = {}
    balances: dict[str, int] = {}
    for out in source.events(None, None):
        if out.type == "bank.account.balance_snapshot.v1":
            data = json.loads(out.value)["data"]
            sign = -1 if data["credit_debit_indicator"] == "DBIT" else 1
            balances[data["account_id"]] = sign * round(float(data["amount"]))
            owner = {a: b for a, b in balances.items() if a.startswith(out.key)}
            held.setdefault(out.key, {})[day(data["business_date"])] = sum(owner.values())

    def before_and_after(label: Label) -> float:
        own = held[label.client_id]
        before = own[max(on for on in own if on < label.day)]
        return own[max(own)] / before

    told: dict[str, list[float]] = {}
    for label in source.labels():
        known = any(on < label.day for on in held.get(label.client_id, ()))
        if label.day < dt.date(2026, 11, 1) and known:
            told.setdefault(label.story, []).append(before_and_after(label))
    assert all(share < 0.3 for share in told["LEAVES_ANNOUNCED"] + told["LEAVES_SUDDENLY"])
    assert len(told["WAVERS"]) >= 5
    assert sum(share > 0.3 for share in told["WAVERS"]) == len(told["WAVERS"])


def test_who_leaves_suddenly_gives_no_sign() -> None:
    """No more calls in vain than those who stay, and the standing order is never cancelled before."""
    source = bank_of(LEAVING, clients=200)
    days = {label.client_id: label for label in source.labels()}
    for out in source.events(None, None):
        if out.type == "bank.account.standing_order_cancelled.v1":
            label = days.get(out.key)
            on = day(json.loads(out.value)["data"]["business_date"])
            assert not label or label.story != "LEAVES_SUDDENLY" or on == label.day


def test_the_usual_bank_knows_nothing_of_it() -> None:
    types = {out.type for out in bank_of(STORIES, days=60).events(None, None)}
    assert "bank.contact.attempted.v1" not in types
