"""How large a need is. First the formulas, each a pure function of decimals, then what each need
puts into its formula (product specification §2.7)."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal

from lifecycle.clients.needs.inputs import ZERO, Inputs, Missing
from lifecycle.clients.needs.need import Amount, NeedCode, Quantity, inference
from lifecycle.events.codes import MINOR_UNITS

MONTHS = 12
INCOME = ("income_observed_monthly", "income_declared_monthly")
REVENUE = ("revenue_observed_12m", "revenue_declared")


def future_value(amount: Decimal, rate: Decimal, years: int) -> Decimal:
    """An amount after years of growth at a yearly rate."""
    return amount * (1 + rate) ** years


def monthly_saving(gap: Decimal, rate: Decimal, years: int) -> Decimal:
    """What to save at each month's end to have the gap after years at a yearly rate."""
    months, monthly = MONTHS * years, rate / MONTHS
    if not monthly:
        return gap / months
    return gap * monthly / ((1 + monthly) ** months - 1)


def loan_of(instalment: Decimal, rate: Decimal, months: int) -> Decimal:
    """The loan that so many monthly instalments repay: the annuity's present value."""
    monthly = rate / MONTHS
    if not monthly:
        return instalment * months
    return instalment * (1 - (1 + monthly) ** -months) / monthly


def education_gap(
    years: int, saved: Decimal, cost: Decimal, growth: Decimal, rate: Decimal
) -> Decimal:
    """What education will cost in so many years, less what the savings will have become."""
    goal = future_value(cost, growth, years)
    return max(ZERO, goal - future_value(saved, rate, years))


def replacement_ratio(
    pension: Decimal, assets_then: Decimal, spending: Decimal, withdrawal: Decimal
) -> Decimal:
    """Monthly pension and yearly withdrawal from the assets, over the spending to keep up."""
    return (pension + withdrawal * assets_then / MONTHS) / spending


def retirement_gap(
    pension: Decimal, assets_then: Decimal, spending: Decimal, withdrawal: Decimal
) -> Decimal:
    """The assets that keep up the spending, less the assets there will be."""
    return max(ZERO, (spending - pension) * MONTHS / withdrawal - assets_then)


def amount_to_move(aum: Decimal, largest: Decimal, target: Decimal) -> Decimal:
    """What is above the target share of one class of assets."""
    return aum * max(ZERO, largest - target)


def liquidity_gap(essential: Decimal, liquid: Decimal, months: int) -> Decimal:
    """What is missing to months of essential spending."""
    return max(ZERO, months * essential - liquid)


def idle_cash(low_balance: Decimal, outflow: Decimal, months: int) -> Decimal:
    """What a balance keeps at its low beyond months of spending."""
    return max(ZERO, low_balance - months * outflow)


def financing_capacity(
    income: Decimal, instalments: Decimal, share: Decimal, rate: Decimal, months: int
) -> Decimal:
    """The loan that the rest of the instalments a client can bear would repay."""
    return loan_of(max(ZERO, share * income - instalments), rate, months)


def capital_tied_up(
    revenue: Decimal, margin: Decimal, growth: Decimal, cycle_days: Decimal, year_days: int
) -> Decimal:
    """The working capital behind next year's sales at cost: those sales over its turns, which are
    the days of a year over the days of one cycle."""
    return max(ZERO, revenue * (1 - margin) * (1 + growth) * cycle_days / year_days)


def protection_cover(income: Decimal, debts: Decimal, assets: Decimal, years: int) -> Decimal:
    """Years of income and the debts, less the assets."""
    return max(ZERO, years * MONTHS * income + debts - assets)


def minors(x: Inputs) -> list[int]:
    """The ages of the dependants who are under age. Raises Missing."""
    ages = [int(age) for age in x.text("dependants_ages").split(",") if age]
    return [age for age in ages if age < int(x.figure("need_adult_age"))]


def liquid(x: Inputs) -> Decimal:
    """Money that is at hand: the cash share of the assets. Raises Missing."""
    return x.number("aum") * x.pairs("asset_class_weights").get("CASH", ZERO)


def assets_at_retirement(x: Inputs) -> Decimal:
    """Today's assets, grown until retirement. Raises Missing."""
    aum, age = x.numbers("aum", "age")
    years = max(0, int(x.figure("need_retirement_age")) - int(age))
    return future_value(aum, x.decimal("need_retirement_return"), years)


def retirement_terms(x: Inputs) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    """(pension, assets at retirement, spending to keep up, yearly withdrawal). Raises Missing."""
    pension, essential, *_ = x.numbers(
        "pension_estimated_monthly", "essential_outflow_monthly", "aum", "age"
    )
    spending = x.decimal("need_retirement_spending") * essential
    return pension, assets_at_retirement(x), spending, x.decimal("need_withdrawal_rate")


def idle(x: Inputs) -> Decimal:
    """Idle cash of the client. Raises Missing."""
    low, outflow = x.numbers("balance_p10_90d", "outflow_monthly")
    return idle_cash(low, outflow, int(x.figure("need_idle_months")))


def quantity_of(code: NeedCode, x: Inputs) -> Quantity:
    """The amounts of a need, or why there are none."""
    try:
        amounts = _SIZES[code](x)
    except Missing as missing:
        return Quantity(
            null_reason="NOT_CONSENTED" if missing.withheld else "UNKNOWN", lacks=missing.unknown
        )
    return Quantity(
        amounts=tuple(_rounded(amount) for amount in amounts),
        null_reason=None if amounts else "NOT_APPLICABLE",
        inputs=x.used,
        purposes=x.purposes | inference(code),
    )


def _rounded(amount: Amount) -> Amount:
    smallest = Decimal(1).scaleb(-MINOR_UNITS[amount.unit[:3]])
    return Amount(amount.name, amount.value.quantize(smallest, ROUND_HALF_UP), amount.unit)


def _education(x: Inputs) -> list[Amount]:
    # All assets count as saved, shared among the children: rather too small a gap than a sale.
    x.require("dependants_ages", "aum")
    ages = minors(x)
    if not ages:
        return []
    saved = max(ZERO, x.number("aum")) / len(ages)
    cost, growth = x.per_currency("need_education_cost"), x.decimal("need_education_growth")
    rate = x.decimal("need_education_return")
    years = [int(x.figure("need_adult_age")) - age for age in ages]
    gaps = [education_gap(n, saved, cost, growth, rate) for n in years]
    monthly = [monthly_saving(gap, rate, n) for gap, n in zip(gaps, years, strict=True)]
    return [
        Amount("EDUCATION_GAP", sum(gaps, ZERO), x.currency),
        Amount("MONTHLY_SAVING", sum(monthly, ZERO), f"{x.currency}/month"),
    ]


def _retirement(x: Inputs) -> list[Amount]:
    return [Amount("RETIREMENT_GAP", retirement_gap(*retirement_terms(x)), x.currency)]


def _diversify(x: Inputs) -> list[Amount]:
    x.require("aum", "asset_class_weights", "risk_tolerance")
    aum = x.number("aum")
    largest = max(x.pairs("asset_class_weights").values(), default=ZERO)
    target = x.decimal("need_largest_weight", x.text("risk_tolerance"))
    return [Amount("AMOUNT_TO_MOVE", amount_to_move(aum, largest, target), x.currency)]


def _liquidity(x: Inputs) -> list[Amount]:
    x.require("essential_outflow_monthly", "aum", "asset_class_weights")
    # Who has no regular income needs the longer reserve.
    regular = x.number_or_zero("income_observed_monthly") > 0
    months = int(x.figure("need_reserve_months" if regular else "need_reserve_months_irregular"))
    essential = x.number("essential_outflow_monthly")
    return [Amount("LIQUIDITY_GAP", liquidity_gap(essential, liquid(x), months), x.currency)]


def _cash(x: Inputs) -> list[Amount]:
    amount = idle(x)
    spread = x.decimal("need_yield_mmf") - x.decimal("need_yield_demand")
    return [
        Amount("IDLE_CASH", amount, x.currency),
        Amount("FORGONE_YIELD", amount * spread, f"{x.currency}/year"),
    ]


def _financing(x: Inputs) -> list[Amount]:
    capacity = financing_capacity(
        x.number(INCOME),
        x.number_or_none_held("instalments_monthly"),
        x.decimal("need_instalments_share"),
        x.decimal("need_loan_rate"),
        int(x.figure("need_loan_months")),
    )
    return [Amount("CAPACITY", capacity, x.currency)]


def _working_capital(x: Inputs) -> list[Amount]:
    receivable, inventory, payable, margin, growth, revenue = x.numbers(
        "receivable_days",
        "inventory_days",
        "payable_days",
        "operating_margin",
        "revenue_growth",
        REVENUE,
    )
    cycle = inventory + receivable - payable
    cycle += x.number_or_zero("prepayment_days") - x.number_or_zero("advance_days")
    tied_up = capital_tied_up(revenue, margin, growth, cycle, int(x.figure("need_year_days")))
    there_is = x.number_or_none_held("working_capital_loans")
    there_is += x.number_or_zero("own_working_capital") + x.number_or_zero("other_working_capital")
    return [
        Amount("CAPITAL_TIED_UP", tied_up, x.currency),
        Amount("NEW_LINE", max(ZERO, tied_up - there_is), x.currency),
    ]


def _fx(x: Inputs) -> list[Amount]:
    exposure = x.pairs("currency_exposure")
    return [
        Amount("NET_EXPOSURE", net, currency)
        for currency, net in sorted(exposure.items())
        if currency != x.currency and net
    ]


def _protection(x: Inputs) -> list[Amount]:
    x.require("aum", INCOME)
    # What a client declares it owes and owns includes what it owes and holds here.
    debts = max(x.number_or_none_held("exposures"), x.number_or_zero("debts_declared"))
    assets = max(x.number("aum"), x.number_or_zero("assets_declared"))
    cover = protection_cover(x.number(INCOME), debts, assets, int(x.figure("need_cover_years")))
    return [Amount("COVER", cover, x.currency)]


_SIZES: dict[NeedCode, Callable[[Inputs], list[Amount]]] = {
    "EDU_SAVING": _education,
    "RETIREMENT": _retirement,
    "DIVERSIFY": _diversify,
    "LIQUIDITY": _liquidity,
    "CASH_MGMT": _cash,
    "FINANCING": _financing,
    "WORKING_CAPITAL": _working_capital,
    "FX_HEDGE": _fx,
    "PROTECTION": _protection,
}
