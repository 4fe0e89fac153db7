"""The profile of a real bank's clients against a second computation that shares no code with it:
pandas, straight from the bank's tables."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pytest

from lifecycle.adapters.lake import Lake
from lifecycle.alerts.rules import RuleSet
from lifecycle.events import Outgoing
from lifecycle.sources.berka import BerkaSource
from tests.conftest import BERKA, needs_berka
from tests.lakes import lake_of, profile_of

pytestmark = [pytest.mark.integration, needs_berka]

ZONE = ZoneInfo("Europe/Prague")
AS_OF = dt.date(1994, 3, 30)
WINDOW = pd.date_range(AS_OF - dt.timedelta(days=89), AS_OF)
CLIENTS = 200
OF_THE_BANK = ("UROK", "SLUZBY", "SANKC. UROK")


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, list[Outgoing]]:
    facts = list(BerkaSource(BERKA, ZONE).events(None, AS_OF))
    return lake_of(tmp_path_factory.mktemp("berka") / "lake", facts), facts


@pytest.fixture(scope="module")
def profile(sealed: tuple[Lake, list[Outgoing]], rule_set: RuleSet) -> pa.Table:
    return profile_of(sealed[0], AS_OF, rule_set, ZONE)


def table(name: str) -> pd.DataFrame:
    return pd.read_csv(BERKA / name, sep=";", dtype=str, keep_default_na=False)


def date_of(text: str) -> dt.date:
    return dt.date(1900 + int(text[:2]), int(text[2:4]), int(text[4:]))


def entries() -> pd.DataFrame:
    """Every booked entry up to the date: account, date, signed amount, operation, symbol, account
    on the other side."""
    rows = table("trans_1993-01_1994-03.asc")
    rows["date"] = rows["date"].map(lambda text: date_of(text) if len(text) == 6 else None)
    rows = rows[rows["date"].notna() & (rows["date"] <= AS_OF)].copy()
    sign = rows["type"].map(lambda kind: 1 if kind == "PRIJEM" else -1)
    rows["amount"] = rows["amount"].astype(float)
    rows["signed"] = rows["amount"] * sign
    rows["own"] = ~rows["k_symbol"].isin(OF_THE_BANK)
    return rows


def owners() -> pd.DataFrame:
    disp = table("disp.asc")
    joined = disp[disp["type"] == "OWNER"].merge(table("account.asc"), on="account_id")
    joined = joined.merge(table("client.asc"), on="client_id")
    joined["opened"] = joined["date"].map(date_of)
    return joined[joined["opened"] <= AS_OF].sort_values("client_id")


def recomputed() -> Iterator[tuple[str, dict[str, float | None]]]:
    """client id -> attributes, for the first clients in the order of their ids."""
    booked = dict(iter(entries().groupby("account_id")))
    for owner in owners().head(CLIENTS).to_dict("records"):
        own = booked.get(owner["account_id"])
        yield (
            owner["client_id"],
            {"age": age(owner["birth_number"]), "tenure_days": (AS_OF - owner["opened"]).days}
            | flows(own, owner["opened"])
            | balances(own)
            | {
                "cash_share": cash_share(own),
                "income_observed_monthly": income(own, owner["opened"]),
            },
        )


def age(birth_number: str) -> int:
    year, month, day = (int(birth_number[at : at + 2]) for at in (0, 2, 4))
    month -= 50 if month > 50 else 0
    return AS_OF.year - 1900 - year - ((AS_OF.month, AS_OF.day) < (month, day))


def flows(own: pd.DataFrame | None, opened: dt.date) -> dict[str, float | None]:
    """Mean of the closed months December, January and February the account was there wholly."""
    first = pd.Period(opened, "M") + int(opened.day > 1)
    months = [m for m in pd.period_range("1993-12", "1994-02", freq="M") if m >= first]
    if not months:
        return {"inflow_monthly": None, "outflow_monthly": None}
    if own is None:
        return {"inflow_monthly": 0.0, "outflow_monthly": 0.0}
    mine = own[own["own"] & own["date"].map(lambda day: pd.Period(day, "M") in months)]
    inflow = mine.loc[mine["signed"] > 0, "amount"].sum() / len(months)
    outflow = mine.loc[mine["signed"] < 0, "amount"].sum() / len(months)
    return {"inflow_monthly": inflow, "outflow_monthly": outflow}


def balances(own: pd.DataFrame | None) -> dict[str, float | None]:
    """Closing balances: of a day's balances the one that the amounts so far add up to. Amounts are
    rounded to tenths, so the sum alone drifts."""
    names = ("min_balance_90d", "balance_cv_90d", "overdraft_days_90d")
    if own is None:
        return dict.fromkeys(names)
    sums = own.groupby("date")["signed"].sum().cumsum()
    balance = own["balance"].astype(float)
    nearest = (balance - own["date"].map(sums)).abs().groupby(own["date"]).idxmin()
    closing = balance.loc[nearest.to_numpy()].set_axis(nearest.index)
    closing.index = pd.to_datetime(closing.index)
    daily = closing.reindex(closing.index.union(WINDOW)).ffill().reindex(WINDOW).dropna()
    varied = len(daily) > 1 and daily.mean() > 0
    variation = daily.std(ddof=0) / daily.mean() if varied else None
    return dict(zip(names, (daily.min(), variation, int((daily < 0).sum())), strict=True))


def cash_share(own: pd.DataFrame | None) -> float | None:
    if own is None:
        return None
    recent = own[own["own"] & (own["date"] >= WINDOW[0].date()) & (own["signed"] > 0)]
    recent = recent[recent["amount"] > 0]
    if recent.empty:
        return None
    return recent.loc[recent["operation"] == "VKLAD", "amount"].sum() / recent["amount"].sum()


def income(own: pd.DataFrame | None, opened: dt.date) -> float | None:
    """Median month of what recurs: pensions, or one account that pays often, evenly, on like days. The
    month the account was opened in does not count, unless that was its first day."""
    if own is None:
        return None
    month = pd.Period(opened, "M") + int(opened.day > 1)
    first = max(dt.date(1993, 9, 1), month.start_time.date())
    inside = own["date"].map(lambda day: first <= day < dt.date(1994, 3, 1))
    credits = own[own["own"] & (own["signed"] > 0) & inside].copy()
    pays = credits["k_symbol"].where(credits["k_symbol"] == "DUCHOD")
    other = (credits["bank"] + "-" + credits["account"]).where(credits["account"] != "")
    credits["payer"] = pays.fillna(other)
    recurring = []
    for _, of_payer in credits.dropna(subset=["payer"]).groupby("payer"):
        days = of_payer["date"].map(lambda day: day.day)
        even = of_payer["amount"].std(ddof=0) / of_payer["amount"].mean() <= 0.35
        if len(of_payer) >= 3 and even and days.max() - days.min() <= 5:
            recurring.append(of_payer)
    if not recurring:
        return None
    together = pd.concat(recurring)
    return float(together.groupby(together["date"].map(lambda d: d.month))["amount"].sum().median())


def test_attributes_equal_a_second_computation(profile: pa.Table) -> None:
    rows = {(r["client_id"], r["name"]): r["value"] for r in profile.to_pylist()}
    compared = found = 0
    wrong = []
    for client, values in recomputed():
        for name, expected in values.items():
            value = rows[client, name]
            compared += 1
            found += expected is not None
            if (value is None) != (expected is None) or (
                value is not None
                and expected is not None
                and abs(float(Decimal(value)) - expected) > 0.0051
            ):
                wrong.append((client, name, value, expected))
    assert wrong == []
    assert compared == CLIENTS * 9
    assert found > CLIENTS * 6, "most have a value, so that something was compared"


def test_every_client_known_then_has_a_profile(profile: pa.Table) -> None:
    joined = table("disp.asc").merge(table("account.asc"), on="account_id")
    known = {
        client
        for client, date in zip(joined["client_id"], joined["date"], strict=True)
        if date_of(date) <= AS_OF
    }
    assert set(profile["client_id"].to_pylist()) == known


def test_no_value_stems_from_a_later_fact(
    sealed: tuple[Lake, list[Outgoing]], rule_set: RuleSet, tmp_path: Path
) -> None:
    early = dt.date(1993, 12, 31)
    until = dt.datetime.combine(early + dt.timedelta(days=1), dt.time(), ZONE)
    lake, facts = sealed
    without_later = lake_of(tmp_path, (fact for fact in facts if fact.time < until))
    kept = profile_of(without_later, early, rule_set, ZONE)
    assert profile_of(lake, early, rule_set, ZONE).equals(kept)
    assert kept.num_rows > 50_000
    assert max(t for t in kept["source_time"].to_pylist() if t) < until
