"""What speaks for a need: clues in the profile, and what the client said.

A clue is a function of what it reads: a `Found`, or None. A clue that lacks an attribute finds
nothing. What a clue weighs stands in the rules, under its code.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from decimal import ROUND_HALF_UP, Decimal
from typing import NamedTuple

from lifecycle.clients.attribute import SOURCES_MAX, Figures, Value
from lifecycle.clients.needs import quantity, text
from lifecycle.clients.needs.inputs import ZERO, Inputs, Missing
from lifecycle.clients.needs.need import (
    Evidence,
    EvidenceClass,
    Input,
    Mention,
    NeedCode,
    inference,
)
from lifecycle.events.fields import Purpose

ONE = Decimal(1)
WEIGHT_PLACES = Decimal("0.0001")


class Found(NamedTuple):
    """What a clue saw: the numbers of its sentence, and how much of its weight counts."""

    shown: Mapping[str, str]
    share: Decimal = ONE


class Clue(NamedTuple):
    """One thing in a profile that may speak for a need."""

    code: str
    need_code: NeedCode
    need_class: EvidenceClass
    look: Callable[[Inputs], Found | None]


def clues_found(
    code: NeedCode,
    inputs: Callable[[], Inputs],
    figures: Figures,
    business_date: dt.date,
) -> Iterator[Evidence]:
    """What the profile says for a need; each clue reads inputs of its own."""
    weights = figures["need_weights"].value
    for clue in CLUES:
        if clue.need_code != code:
            continue
        x = inputs()
        try:
            found = clue.look(x)
        except Missing:
            continue
        if found is None:
            continue
        weight = Decimal(weights[clue.code]) * min(ONE, found.share)
        values = list(x.values.values())
        yield Evidence(
            code=clue.code,
            need_class=clue.need_class,
            weight=weight.quantize(WEIGHT_PLACES, ROUND_HALF_UP),
            inputs=x.attributes,
            source_event_ids=_sources(values),
            date=_known_since(values, business_date),
            purposes=x.purposes | inference(code),
            zh=text.CLUES[clue.code][0].format(**found.shown),
            en=text.CLUES[clue.code][1].format(**found.shown),
        )


def mentions_found(
    code: NeedCode,
    mentions: Iterable[Mention],
    allowed: Set[Purpose],
    figures: Figures,
    business_date: dt.date,
) -> Iterator[Evidence]:
    """What was said of a need, halved every half-life. What the client itself said needs no
    consent; what somebody gathered from its words does."""
    for mention in mentions:
        explicit = mention.need_class == "EXPLICIT"
        purposes = frozenset[Purpose]({"P1_SERVICE"}) if explicit else inference(code)
        if not purposes <= allowed:
            continue
        said = "SAID" if explicit else "GATHERED"
        date = mention.time.date()
        shown = {"date": date.isoformat(), "strength": str(mention.strength)}
        yield Evidence(
            code=said,
            need_class=mention.need_class,
            weight=_said_weight(mention, figures, business_date),
            inputs=(Input("strength", str(mention.strength), "1 to 3"),),
            source_event_ids=(mention.event_id,),
            date=date,
            purposes=purposes,
            zh=text.CLUES[said][0].format(**shown),
            en=text.CLUES[said][1].format(**shown),
        )


def _said_weight(mention: Mention, figures: Figures, business_date: dt.date) -> Decimal:
    explicit = mention.need_class == "EXPLICIT"
    name = "need_explicit_weights" if explicit else "need_gathered_weights"
    weight = Decimal(figures[name].value[mention.strength - 1])
    half_life = Decimal(figures["need_half_life"].value)
    age = (business_date - mention.time.date()).days
    faded: Decimal = weight * Decimal(2) ** (-age / half_life)
    return faded.quantize(WEIGHT_PLACES, ROUND_HALF_UP)


def score(weights: Iterable[Decimal]) -> Decimal:
    """Noisy-or of weights of 0 to 1, as 0 to 100 with one decimal: each piece of evidence alone
    may be the cause, so none can lower it."""
    doubt = ONE
    for weight in weights:
        doubt *= ONE - weight
    return (100 * (ONE - doubt)).quantize(Decimal("0.1"), ROUND_HALF_UP)


def _sources(values: list[Value]) -> tuple[str, ...]:
    ids = dict.fromkeys(event_id for value in values for event_id in value.source_event_ids)
    return tuple(ids)[:SOURCES_MAX]


def _known_since(values: list[Value], business_date: dt.date) -> dt.date:
    times = [value.source_time.date() for value in values if value.source_time is not None]
    return min(business_date, max(times, default=business_date))


def _when(applies: bool, share: Decimal = ONE, /, **shown: str) -> Found | None:
    return Found(shown, share) if applies else None


def _child(x: Inputs) -> Found | None:
    ages = quantity.minors(x)
    return _when(bool(ages), ages=", ".join(map(str, ages)))


def _tuition(x: Inputs) -> Found | None:
    payments = x.number("tuition_payments_12m")
    return _when(payments >= x.decimal("need_tuition_payments"), payments=text.plain(payments))


def _asked_with_child(x: Inputs) -> Found | None:
    young = [age for age in quantity.minors(x) if age <= int(x.figure("need_young_child_age"))]
    asked = x.figure("need_wealth_topic") in x.parts("topics_90d")
    return _when(bool(young) and asked, ages=", ".join(map(str, young)))


def _retirement_ahead(x: Inputs) -> Found | None:
    age = x.number("age")
    ahead, near = x.decimal("need_retirement_ahead_age"), x.decimal("need_retirement_near_age")
    return _when(ahead <= age < near, age=text.plain(age))


def _retirement_near(x: Inputs) -> Found | None:
    age = x.number("age")
    return _when(age >= x.decimal("need_retirement_near_age"), age=text.plain(age))


def _no_pension(x: Inputs) -> Found | None:
    return _when("PENSION" not in x.parts("product_set"))


def _low_replacement(x: Inputs) -> Found | None:
    pension, assets, spending, withdrawal = quantity.retirement_terms(x)
    if spending <= 0:
        return None
    ratio = quantity.replacement_ratio(pension, assets, spending, withdrawal)
    return _when(ratio < x.decimal("need_replacement_ratio"), ratio=text.percent(ratio))


def _concentrated(x: Inputs) -> Found | None:
    hhi, aum = x.numbers("hhi", "aum")
    applies = hhi >= x.decimal("need_hhi") and aum >= x.per_currency("need_diversify_aum")
    return _when(applies, hhi=text.plain(hhi), aum=text.money(aum, x.currency))


def _one_product(x: Inputs) -> Found | None:
    share = x.number("largest_product_share")
    return _when(share > x.decimal("need_one_product_share"), share=text.percent(share))


def _mostly_cash(x: Inputs) -> Found | None:
    share = x.pairs("asset_class_weights").get("CASH", ZERO)
    return _when(share > x.decimal("need_cash_share"), share=text.percent(share))


def _thin_reserve(x: Inputs) -> Found | None:
    essential, months = x.number("essential_outflow_monthly"), x.decimal("need_reserve_months")
    at_hand = quantity.liquid(x)
    if essential <= 0:
        return None
    covered = at_hand / essential
    return _when(
        covered < months,
        (months - covered) / months,
        liquid=text.money(at_hand, x.currency),
        essential=text.money(essential, x.currency),
    )


def _overdrawn(x: Inputs) -> Found | None:
    days = x.number("overdraft_days_90d")
    return _when(days > 0, days=text.plain(days))


def _salary_spent(x: Inputs) -> Found | None:
    days = x.number("salary_to_zero_days")
    return _when(days <= x.decimal("need_salary_spent_days"), days=text.plain(days))


def _idle_cash(x: Inputs) -> Found | None:
    amount, aum = quantity.idle(x), x.number("aum")
    applies = aum > 0 and amount / aum > x.decimal("need_idle_share")
    return _when(applies, idle=text.money(amount, x.currency), aum=text.money(aum, x.currency))


def _no_sweep(x: Inputs) -> Found | None:
    return _when("SWEEP" not in x.parts("product_set"))


def _inquiries(x: Inputs) -> Found | None:
    count = x.number("credit_inquiries_6m")
    return _when(count >= x.decimal("need_inquiries"), count=text.plain(count))


def _card_used_up(x: Inputs) -> Found | None:
    share = x.number("utilisation")
    return _when(share > x.decimal("need_card_utilisation"), share=text.percent(share))


def _planned_outflow(x: Inputs) -> Found | None:
    return _when(x.figure("need_planned_outflow_topic") in x.parts("topics_90d"))


def _cash_gap(x: Inputs) -> Found | None:
    cash = x.number("cash_gap_forecast_90d")
    return _when(cash < 0, gap=text.money(-cash, x.currency))


def _lines_used_up(x: Inputs) -> Found | None:
    share = x.number("utilisation")
    return _when(share > x.decimal("need_line_utilisation"), share=text.percent(share))


def _growing(x: Inputs) -> Found | None:
    growth = x.number("revenue_growth")
    return _when(growth > x.decimal("need_growth"), growth=text.percent(growth))


def _across_borders(x: Inputs) -> Found | None:
    share = x.number("cross_border_share")
    return _when(share > x.decimal("need_cross_border_share"), share=text.percent(share))


def _dependants_uncovered(x: Inputs) -> Found | None:
    ages = [age for age in x.text("dependants_ages").split(",") if age]
    return _when(bool(ages) and "INSURANCE" not in x.parts("product_set"), count=str(len(ages)))


def _mortgage_uncovered(x: Inputs) -> Found | None:
    products = x.parts("product_set")
    return _when("MORTGAGE" in products and "INSURANCE" not in products)


CLUES = (
    Clue("CHILD", "EDU_SAVING", "LATENT", _child),
    Clue("TUITION", "EDU_SAVING", "IMPLICIT", _tuition),
    Clue("ASKED_WITH_CHILD", "EDU_SAVING", "IMPLICIT", _asked_with_child),
    Clue("RETIREMENT_AHEAD", "RETIREMENT", "LATENT", _retirement_ahead),
    Clue("RETIREMENT_NEAR", "RETIREMENT", "LATENT", _retirement_near),
    Clue("NO_PENSION", "RETIREMENT", "LATENT", _no_pension),
    Clue("LOW_REPLACEMENT", "RETIREMENT", "LATENT", _low_replacement),
    Clue("CONCENTRATED", "DIVERSIFY", "LATENT", _concentrated),
    Clue("ONE_PRODUCT", "DIVERSIFY", "LATENT", _one_product),
    Clue("MOSTLY_CASH", "DIVERSIFY", "LATENT", _mostly_cash),
    Clue("THIN_RESERVE", "LIQUIDITY", "LATENT", _thin_reserve),
    Clue("OVERDRAWN", "LIQUIDITY", "IMPLICIT", _overdrawn),
    Clue("SALARY_SPENT", "LIQUIDITY", "IMPLICIT", _salary_spent),
    Clue("IDLE_CASH", "CASH_MGMT", "IMPLICIT", _idle_cash),
    Clue("NO_SWEEP", "CASH_MGMT", "LATENT", _no_sweep),
    Clue("INQUIRIES", "FINANCING", "IMPLICIT", _inquiries),
    Clue("CARD_USED_UP", "FINANCING", "IMPLICIT", _card_used_up),
    Clue("PLANNED_OUTFLOW", "FINANCING", "IMPLICIT", _planned_outflow),
    Clue("CASH_GAP", "WORKING_CAPITAL", "IMPLICIT", _cash_gap),
    Clue("LINES_USED_UP", "WORKING_CAPITAL", "IMPLICIT", _lines_used_up),
    Clue("GROWING", "WORKING_CAPITAL", "LATENT", _growing),
    Clue("ACROSS_BORDERS", "FX_HEDGE", "IMPLICIT", _across_borders),
    Clue("DEPENDANTS_UNCOVERED", "PROTECTION", "LATENT", _dependants_uncovered),
    Clue("MORTGAGE_UNCOVERED", "PROTECTION", "LATENT", _mortgage_uncovered),
)
