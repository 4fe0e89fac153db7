"""What the client uses and owns, and how much risk that is."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
from ibis import _

from lifecycle.clients.attribute import (
    PERSONS,
    Figures,
    attribute,
    evidence,
    foremost,
    latest,
    of_one,
    rounded,
    words,
)
from lifecycle.clients.entries import CLOSED, OPENED, balances
from lifecycle.clients.facts import Facts

PARTY_ADDED = "bank.account.party_added.v1"
PARTY_REMOVED = "bank.account.party_removed.v1"
CARD_ISSUED = "bank.card.issued.v1"
CARD_BLOCKED = "bank.card.blocked.v1"
DISBURSED = "bank.credit.disbursed.v1"
SETTLED = "bank.credit.settled.v1"
SOLD = "bank.product.sold.v1"
REDEEMED = "bank.product.redeemed.v1"
MATURED = "bank.product.matured.v1"
RATED = "bank.product.rating_changed.v1"
ASSESSED = "bank.risk_tolerance.assessed.v1"


@attribute("products", ages="balances", decimals=None)
def product_set(facts: Facts, figures: Figures) -> ir.Table:
    """Kinds of products the client has: account types, CARD, LOAN, and those of products held."""
    had = _products(facts, figures)
    return had.group_by("client_id").agg(value=words(had), **evidence(had))


@attribute("products", ages="balances")
def wallet_breadth(facts: Facts, figures: Figures) -> ir.Table:
    """How many kinds of products the client has."""
    had = _products(facts, figures)
    return had.group_by("client_id").agg(value=_.word.nunique().cast("float64"), **evidence(had))


@attribute("0 or 1", ages="identity")
def has_second_person(facts: Facts, figures: Figures) -> ir.Table:
    """Whether another person owns or may use an open account of the client."""
    opened = open_accounts(facts)
    columns = ("account_id", "client", "event_id", "time")
    first = opened.select(*columns, party=opened.parties.unnest())
    first = first.select(*columns, person=first.party["client_id"], role=first.party["role"])
    added = facts.table(PARTY_ADDED).semi_join(opened, "account_id")
    named = first.union(added.select(*columns, person="client_id", role="role"))
    gone = facts.table(PARTY_REMOVED)
    still = named.filter(named.person != named.client).anti_join(
        gone,
        [
            named.account_id == gone.account_id,
            named.person == gone.client_id,
            named.role == gone.role,
            named.time <= gone.time,
        ],
    )
    known = opened.select(*columns, others=0).union(still.select(*columns, others=1))
    each = known.group_by(["client", "event_id", "time"]).agg(others=_.others.max())
    return each.group_by(client_id="client").agg(
        value=_.others.max().cast("float64"), **evidence(each)
    )


@attribute("share by asset class", ages="balances", decimals=None, purposes=("P2_PROFILE",))
def asset_class_weights(facts: Facts, figures: Figures) -> ir.Table:
    """The share of each asset class in what the client has."""
    weights = _weights(facts, figures)
    word = weights.word + ":" + rounded(weights.weight, 4).cast("string")
    texts = (
        weights.mutate(text=word).group_by("client_id").agg(value=_.text.collect().sort().join(";"))
    )
    return texts.join(_weight_sources(facts, figures), "client_id")


@attribute("index", ages="balances", decimals=4, purposes=("P2_PROFILE",))
def hhi(facts: Facts, figures: Figures) -> ir.Table:
    """Herfindahl index of the asset classes: 1 is everything in one."""
    weights = _weights(facts, figures)
    index = weights.group_by("client_id").agg(value=(_.weight * _.weight).sum())
    return index.join(_weight_sources(facts, figures), "client_id")


@attribute("ratio", ages="balances", decimals=4, purposes=("P2_PROFILE",))
def largest_product_share(facts: Facts, figures: Figures) -> ir.Table:
    """The share of the largest single account or product in what the client has."""
    parts = _assets(facts, figures).filter(_.amount > 0)
    return parts.group_by("client_id").agg(value=_.amount.max() / _.amount.sum(), **evidence(parts))


@attribute("level", ages="tolerance", decimals=None, clients=PERSONS)
def risk_tolerance(facts: Facts, figures: Figures) -> ir.Table:
    """The tolerance level of the newest assessment that is still valid."""
    assessed = _assessment(facts)
    valid = assessed.filter(assessed.valid_until >= facts.business_date)
    return of_one(valid, valid.level)


@attribute("days", ages="tolerance", clients=PERSONS)
def tolerance_days_to_expiry(facts: Facts, figures: Figures) -> ir.Table:
    """Days until the newest assessment expires; below zero when it has."""
    assessed = _assessment(facts)
    left = assessed.valid_until.delta(ibis.literal(facts.business_date), unit="day")
    return of_one(assessed, left.cast("float64"))


@attribute("level", ages="balances", decimals=None, clients=PERSONS)
def product_risk_max(facts: Facts, figures: Figures) -> ir.Table:
    """The highest risk rating of the products held: as they were sold, or rated anew since then."""
    held = holdings(facts)
    in_force = facts.table(RATED).filter(_.effective_date <= facts.business_date)
    anew = latest(in_force, "client_id", "product_id")
    same = [
        held.client_id == anew.client_id,
        held.product_id == anew.product_id,
        held.time <= anew.time,
    ]
    joined = held.left_join(anew, same, rname="{name}_anew")
    rated = joined.select(
        client="client_id",
        risk=ibis.coalesce(joined.to_risk, joined.product_risk),
        event_id=ibis.coalesce(joined.event_id_anew, joined.event_id),
        time=ibis.coalesce(joined.time_anew, joined.time),
    )
    riskiest = foremost(rated, "client", _.risk.desc(), _.time.desc())
    return of_one(riskiest, riskiest.risk)


@attribute("years", ages="identity", decimals=1, purposes=("P2_PROFILE",), clients=PERSONS)
def investment_experience_observed(facts: Facts, figures: Figures) -> ir.Table:
    """Years since the first product was bought here."""
    first = foremost(facts.table(SOLD), "client", _.business_date, _.time)
    days = ibis.literal(facts.business_date).delta(first.business_date, unit="day")
    return of_one(first, days / 365.25)


def holdings(facts: Facts) -> ir.Table:
    """Products held, one row a sale that is not over:
    (client_id, sale_id, product_id, product_risk, amount, event_id, time), at what was paid less
    what was taken out."""
    return facts.once("holdings", lambda: _holdings(facts))


def _holdings(facts: Facts) -> ir.Table:
    redeemed = facts.table(REDEEMED)
    taken = redeemed.group_by("sale_id").agg(
        taken=_.amount.cast("float64").sum(), complete=_.complete.cast("int64").max()
    )
    sold = latest(facts.table(SOLD), "sale_id").anti_join(facts.table(MATURED), "sale_id")
    joined = sold.left_join(taken, "sale_id")
    left = joined.amount.cast("float64") - ibis.coalesce(joined.taken, 0.0)
    return joined.select(
        "client_id",
        "sale_id",
        "product_id",
        "product_risk",
        "event_id",
        "time",
        amount=left,
        complete=ibis.coalesce(joined.complete, 0),
    ).filter(_.complete == 0, _.amount > 0)


def open_accounts(facts: Facts) -> ir.Table:
    """Accounts that were opened and not closed."""
    return facts.table(OPENED).anti_join(facts.table(CLOSED), "account_id")


def newest_balances(facts: Facts, figures: Figures) -> ir.Table:
    """The newest closing balance of each open account."""
    known = balances(facts, int(figures["balance_days"].value))
    own = known.semi_join(open_accounts(facts), "account_id")
    window = ibis.window(group_by="account_id", order_by=ibis.desc("business_date"))
    return own.mutate(nth=ibis.row_number().over(window)).filter(_.nth == 0)


def _assessment(facts: Facts) -> ir.Table:
    return latest(facts.table(ASSESSED), "client_id")


def _products(facts: Facts, figures: Figures) -> ir.Table:
    """(client_id, word, event_id, time): one row for each thing the client has, `word` its kind."""
    kinds = dict(figures["product_categories"].value)
    blocked = facts.table(CARD_BLOCKED)
    cards = facts.table(CARD_ISSUED).anti_join(blocked, "card_id")
    loans = facts.table(DISBURSED).anti_join(facts.table(SETTLED), "facility_id")
    accounts = open_accounts(facts)
    held = holdings(facts)
    columns = ("event_id", "time")
    return ibis.union(
        accounts.select(*columns, client_id="client", word="account_type"),
        cards.select(*columns, client_id="client", word=ibis.literal("CARD")),
        loans.select(*columns, client_id="client", word=ibis.literal("LOAN")),
        held.select(*columns, client_id="client_id", word=_kind(held, kinds)),
    )


def _kind(held: ir.Table, kinds: dict[str, str]) -> ir.StringValue:
    """What a product is, from the part of its id before the first hyphen."""
    prefix = held.product_id.split("-")[0]
    return ibis.coalesce(prefix.cases(*kinds.items()), "OTHER")


def _assets(facts: Facts, figures: Figures) -> ir.Table:
    """(client_id, word, amount, event_id, time): each account and product with its asset class."""
    return facts.once("assets", lambda: _classified_assets(facts, figures))


def _classified_assets(facts: Facts, figures: Figures) -> ir.Table:
    accounts = dict(figures["account_asset_classes"].value)
    products = dict(figures["product_asset_classes"].value)
    opened = open_accounts(facts).select("account_id", "account_type")
    newest = newest_balances(facts, figures).join(opened, "account_id")
    own = newest.select(
        client_id="client",
        word=newest.account_type.cases(*accounts.items(), else_="OTHER"),
        amount="balance",
        event_id="event_id",
        time="time",
    )
    held = holdings(facts)
    bought = held.select(
        "client_id", word=_kind(held, products), amount="amount", event_id="event_id", time="time"
    )
    return own.union(bought)


def _weights(facts: Facts, figures: Figures) -> ir.Table:
    """(client_id, word, weight): shares of the asset classes, one in all."""
    parts = _assets(facts, figures).filter(_.amount > 0)
    classes = parts.group_by(["client_id", "word"]).agg(amount=_.amount.sum())
    total = classes.amount.sum().over(ibis.window(group_by="client_id"))
    return classes.mutate(weight=classes.amount / total)


def _weight_sources(facts: Facts, figures: Figures) -> ir.Table:
    parts = _assets(facts, figures).filter(_.amount > 0)
    return parts.group_by("client_id").agg(**evidence(parts))
