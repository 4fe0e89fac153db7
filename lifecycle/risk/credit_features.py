"""The features of the credit score, R01 to R17: what a client's facts say before a date.

A feature is a function found by its name, and gives (subject_id, value); a subject it says nothing of is
missing. Its code is that of the reason it may give. To add one, write the function: `FEATURES` finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import reduce

import ibis
import ibis.expr.types as ir
import msgspec
from ibis import _
from ibis.expr.types.groupby import GroupedTable

from lifecycle.clients.attribute import Figures
from lifecycle.risk.facility_log import units
from lifecycle.risk.history import History

OPENED = "bank.account.opened.v1"
PARTY_ADDED = "bank.account.party_added.v1"
CARD = "bank.card.issued.v1"
SOLD = "bank.product.sold.v1"
REJECTED = "bank.account.payment_rejected.v1"
PENALTY = "bank.credit.penalty_interest_charged.v1"
APPLIED = "bank.credit.application_submitted.v1"
APPROVED = "bank.credit.approved.v1"
SETTLED = "bank.credit.settled.v1"
DUE = "bank.credit.repayment_due.v1"
MADE = "bank.credit.repayment_made.v1"
MISSED = "bank.credit.repayment_missed.v1"
DRAWN = "bank.credit.utilisation_snapshot.v1"
INQUIRY = "bank.credit.bureau_inquiry.v1"
REPORT = "bank.credit.bureau_report_received.v1"
VALUED = "bank.credit.collateral_valued.v1"

UNITS = 10_000.0
"""Amounts of a history are in ten-thousandths."""

Derive = Callable[[History, Figures], ir.Table]


class Feature(msgspec.Struct, frozen=True):
    """One feature: which reason it gives, and how it is derived."""

    name: str
    code: str
    derive: Derive


def feature(code: str) -> Callable[[Derive], Feature]:
    """Make a function a feature of its name."""
    return lambda derive: Feature(derive.__name__, code, derive)


def features(
    history: History, figures: Figures, chosen: Mapping[str, Feature] | None = None
) -> ir.Table:
    """One row a subject: subject_id, and every feature (or those chosen, by name) as a column, null where
    it is missing. Raises UsageError for a feature that reads facts around the history."""
    columns = [
        history.known(f"The feature {name}", made.derive(history, figures)).select(
            "subject_id", **{name: _.value.cast("float64")}
        )
        for name, made in (FEATURES if chosen is None else chosen).items()
    ]
    return reduce(_beside, columns, history.subjects.select("subject_id"))


def _beside(table: ir.Table, column: ir.Table) -> ir.Table:
    return table.left_join(column, "subject_id").drop("subject_id_right")


# --- how credit was paid --------------------------------------------------------------------------


@feature("R01")
def days_past_due(history: History, figures: Figures) -> ir.Table:
    """Days the oldest unpaid instalment is past due; zero for who owes none."""
    due = history.facts(DUE).filter(_.due_date <= _.day)
    paid = history.facts(MADE).group_by(["subject_id", "facility_id"]).agg(paid=_.amount.sum())
    running = due.mutate(
        running=due.total
        .cast("decimal(38,4)")
        .sum()
        .over(
            ibis.window(
                group_by=[due.subject_id, due.facility_id],
                order_by=[due.due_date, due.instalment_no, due.event_id],
                preceding=None,
                following=0,
            )
        )
    )
    owed = running.left_join(paid, ["subject_id", "facility_id"])
    nothing = ibis.literal(0).cast("decimal(38,4)")
    open_ = owed.running > ibis.coalesce(owed.paid.cast("decimal(38,4)"), nothing)
    late = ibis.ifelse(open_, owed.day.delta(owed.due_date, unit="day"), 0)
    return owed.mutate(late=late).group_by("subject_id").agg(value=_.late.max())


@feature("R02")
def missed_instalments_12m(history: History, figures: Figures) -> ir.Table:
    """Instalments missed within a year, of who has instalments."""
    fell_due = history.facts(DUE).select("subject_id", missed=0)
    missed = history.facts(MISSED).filter(_.age < 365).select("subject_id", missed=1)
    return fell_due.union(missed).group_by("subject_id").agg(value=_.missed.sum())


@feature("R03")
def utilisation(history: History, figures: Figures) -> ir.Table:
    """What is drawn of the lines, for each unit of their limits, by the newest word on each."""
    newest = _newest(history.facts(DRAWN), "facility_id")
    return (
        newest
        .group_by("subject_id")
        .agg(drawn=units(_.drawn).sum(), total=units(newest["limit"]).sum())
        .filter(_.total > 0)
        .select("subject_id", value=_.drawn / _.total)
    )


@feature("R11")
def penalty_interest_12m(history: History, figures: Figures) -> ir.Table:
    """How often penalty interest was charged within a year, of who has an account."""
    charged = history.facts(PENALTY).filter(_.age < 365).select("subject_id", n=1)
    return _counted(history, charged)


@feature("R12")
def rejected_debits_6m(history: History, figures: Figures) -> ir.Table:
    """Debits rejected within half a year, of who has an account."""
    return _counted(history, history.facts(REJECTED).filter(_.age < 182).select("subject_id", n=1))


@feature("R13")
def bureau_inquiries_3m(history: History, figures: Figures) -> ir.Table:
    """Inquiries of the last three months, by the newest report; ours are no sign of need."""
    newest = _newest(history.facts(REPORT))
    return newest.select("subject_id", value=_.inquiries_3m)


@feature("R13")
def bureau_lenders(history: History, figures: Figures) -> ir.Table:
    """Lenders a bureau knows of, by its newest report."""
    return _newest(history.facts(REPORT)).select("subject_id", value=_.n_lenders)


# --- what is in the accounts ----------------------------------------------------------------------


@feature("R04")
def min_balance_90d(history: History, figures: Figures) -> ir.Table:
    """The lowest balance of ninety days."""
    return _balances(history, figures, 90).agg(value=_.balance.min() / UNITS)


@feature("R04")
def min_balance_180d(history: History, figures: Figures) -> ir.Table:
    """The lowest balance of half a year."""
    return _balances(history, figures, 180).agg(value=_.balance.min() / UNITS)


@feature("R05")
def overdrawn_12m(history: History, figures: Figures) -> ir.Table:
    """Whether a balance of the year was less than nothing."""
    return _balances(history, figures, 365).agg(value=(_.balance < 0).cast("int8").max())


@feature("R06")
def balance_trend(history: History, figures: Figures) -> ir.Table:
    """The mean balance of thirty days against that of half a year, less one."""
    means = _balances(history, figures, 180).agg(
        late=_.balance.mean(where=_.age < 30), every=_.balance.mean()
    )
    return means.filter(_.every > 0, _.late.notnull()).select(
        "subject_id", value=_.late / _.every - 1
    )


@feature("R07")
def balance_cv_180d(history: History, figures: Figures) -> ir.Table:
    """Coefficient of variation of the balances of half a year."""
    # Squares are exact as decimals only.
    exact = _.balance.cast("decimal(38,0)")
    sums = _balances(history, figures, 180).agg(
        mean=_.balance.mean(), squares=(exact * exact).sum().cast("float64"), n=_.count()
    )
    variance = ibis.greatest(sums.squares / sums.n - sums["mean"] * sums["mean"], 0.0)
    varied = sums.mutate(deviation=variance.sqrt()).filter(_["mean"] > 0, _.n > 1)
    return varied.select("subject_id", value=_.deviation / _["mean"])


# --- what comes in and goes out -------------------------------------------------------------------


@feature("R08")
def inflow_mean_180d(history: History, figures: Figures) -> ir.Table:
    """The mean credit of half a year."""
    credits = _inflows(history, figures)
    return credits.group_by("subject_id").agg(value=_.number.mean() / UNITS)


@feature("R08")
def inflow_drop_90d(history: History, figures: Figures) -> ir.Table:
    """What came in a day within ninety days for each unit that came in a day before, within a year; of
    who was paid something for a month before."""
    credits = _moved(history, figures, int(figures["credit_history_days"].value)).filter(_.credit)
    sums = credits.group_by("subject_id").agg(
        late=_.number.sum(where=_.age < 90), before=_.number.sum(where=_.age >= 90), age=_.age.max()
    )
    known = sums.filter(_.age >= 90 + 30, _.before > 0)
    daily = known.before / (known.age - 89)
    return known.select("subject_id", value=ibis.coalesce(_.late, 0.0) / 90 / daily)


@feature("R08")
def outflow_share_180d(history: History, figures: Figures) -> ir.Table:
    """What went out within half a year for each unit that came in."""
    sums = (
        _moved(history, figures)
        .group_by("subject_id")
        .agg(came=_.number.sum(where=_.credit), went=_.number.sum(where=~_.credit))
    )
    return sums.filter(_.came > 0).select("subject_id", value=ibis.coalesce(_.went, 0.0) / _.came)


@feature("R09")
def salary_share_180d(history: History, figures: Figures) -> ir.Table:
    """The share of salary and pension in the credits of half a year."""
    purposes = list(figures["income_purposes"].value)
    earned = _.purpose.isin(purposes).fill_null(False)
    return _share(_inflows(history, figures), earned)


@feature("R09")
def days_since_salary(history: History, figures: Figures) -> ir.Table:
    """Days since salary or pension came last, of who got any within a year."""
    purposes = list(figures["income_purposes"].value)
    earned = history.entries(figures).filter(_.credit, _.purpose.isin(purposes))
    return earned.group_by("subject_id").agg(value=_.age.min())


@feature("R17")
def cash_share_180d(history: History, figures: Figures) -> ir.Table:
    """The share of cash in the credits of half a year."""
    return _share(_inflows(history, figures), _.is_cash)


@feature("R17")
def household_share_180d(history: History, figures: Figures) -> ir.Table:
    """The share of payments for rent, household, insurance and supply in the entries of half a year: a
    settled life."""
    essential = list(figures["essential_purposes"].value)
    regular = _.purpose.isin(essential).fill_null(False) & ~_.credit
    return _moved(history, figures).group_by("subject_id").agg(value=regular.cast("float64").mean())


@feature("R17")
def gambling_share_180d(history: History, figures: Figures) -> ir.Table:
    """The share of gambling and pawn shops in the debits of half a year."""
    categories = list(figures["risky_categories"].value)
    risky = _.category.isin(categories).fill_null(False)
    return _share(_moved(history, figures).filter(~_.credit), risky)


@feature("R10")
def instalment_to_credit(history: History, figures: Figures) -> ir.Table:
    """The monthly instalment asked for, interest aside, for each unit of the mean credit of half a year."""
    credits = _inflows(history, figures).group_by("subject_id").agg(mean=_.number.mean())
    return _for_each(_instalment(history, figures), credits)


@feature("R10")
def instalment_to_balance(history: History, figures: Figures) -> ir.Table:
    """The same for each unit of the mean balance of half a year."""
    return _for_each(
        _instalment(history, figures), _balances(history, figures, 180).agg(mean=_.balance.mean())
    )


@feature("R10")
def running_instalment_to_credit(history: History, figures: Figures) -> ir.Table:
    """The monthly instalments of running loans, interest aside, for each unit of the mean credit of half
    a year."""
    credits = _inflows(history, figures).group_by("subject_id").agg(mean=_.number.mean())
    return _for_each(_running_instalment(history), credits)


@feature("R10")
def running_instalment_to_balance(history: History, figures: Figures) -> ir.Table:
    """The same for each unit of the mean balance after the entries of half a year."""
    balances = _balances(history, figures, 180).agg(mean=_.balance.mean())
    return _for_each(_running_instalment(history), balances)


# --- what backs it, and how long it is known ------------------------------------------------------


@feature("R14")
def collateral_change(history: History, figures: Figures) -> ir.Table:
    """The newest value of the collateral against the first one, less one."""
    valued = history.facts(VALUED)
    each = ["subject_id", "collateral_id"]
    last = _newest(valued, "collateral_id").select(*each, last=units(_.value))
    oldest = valued.mutate(
        nth=ibis.row_number().over(
            ibis.window(group_by=each, order_by=[valued.time, valued.position])
        )
    )
    first = oldest.filter(_.nth == 0).select(*each, first=units(_.value))
    sums = last.join(first, each).group_by("subject_id").agg(last=_.last.sum(), first=_.first.sum())
    return sums.filter(_.first > 0).select("subject_id", value=_.last / _.first - 1)


@feature("R15")
def tenure_days(history: History, figures: Figures) -> ir.Table:
    """Days since the first account was opened."""
    opened = history.facts(OPENED)
    return opened.group_by("subject_id").agg(
        value=opened.day.delta(opened.opened_date, unit="day").max()
    )


@feature("R15")
def second_person(history: History, figures: Figures) -> ir.Table:
    """Whether another person owns or may use an account: somebody else looks at it."""
    alone = history.facts(OPENED).select("subject_id", "client", parties=_.parties.length())
    shared = alone.select("subject_id", n=(alone.parties > 1).cast("int8"))
    added = history.facts(PARTY_ADDED).filter(_.client_id != _.client).select("subject_id", n=1)
    return shared.union(added).group_by("subject_id").agg(value=_.n.max())


@feature("R15")
def product_breadth(history: History, figures: Figures) -> ir.Table:
    """How many cards and products were taken, of who has an account."""
    cards = history.facts(CARD).select("subject_id", n=1)
    return _counted(history, cards.union(history.facts(SOLD).select("subject_id", n=1)))


FEATURES: dict[str, Feature] = {
    made.name: made for made in list(vars().values()) if isinstance(made, Feature)
}
"""Feature by name, in the order of this module."""


def _balances(history: History, figures: Figures, days: int) -> GroupedTable:
    """Balances before and after each entry of a window, by subject. What an entry found is what the one
    before it left: where that one is missing in a feed, its balance is known all the same."""
    told = history.entries(figures).filter(_.balance.notnull(), _.age < days)
    moved = ibis.ifelse(told.credit, told.number, -told.number)
    after = told.select("subject_id", "age", "balance")
    before = told.select("subject_id", "age", balance=told.balance - moved)
    # An account has nothing before its first entry, which says nothing of its owner.
    return after.union(before.filter(_.balance != 0)).group_by("subject_id")


def _moved(history: History, figures: Figures, days: int = 180) -> ir.Table:
    """Entries of a window that a client or a payer made, without loans paid out and own transfers."""
    borrowed = list(figures["flow_excluded_credit_purposes"].value)
    entries = history.entries(figures).filter(_.age < days, ~_.by_bank, ~_.own)
    return entries.filter(~(_.credit & _.purpose.isin(borrowed).fill_null(False)))


def _inflows(history: History, figures: Figures) -> ir.Table:
    return _moved(history, figures).filter(_.credit)


def _share(entries: ir.Table, part: ir.Deferred) -> ir.Table:
    """The share of some entries in the amounts of all."""
    sums = entries.group_by("subject_id").agg(whole=_.number.sum(), some=_.number.sum(where=part))
    return sums.filter(_.whole > 0).select("subject_id", value=ibis.coalesce(_.some, 0.0) / _.whole)


def _instalment(history: History, figures: Figures) -> ir.Table:
    """(subject_id, instalment) of the newest application that may still be decided on."""
    days = int(figures["application_open_days"].value)
    asked = _newest(history.facts(APPLIED).filter(_.age < days, _.term_months > 0))
    return asked.select(
        "subject_id", instalment=units(_.requested_amount).cast("float64") / _.term_months
    )


def _running_instalment(history: History) -> ir.Table:
    """(subject_id, instalment) of all loans that were approved and are not settled."""
    approved = _newest(history.facts(APPROVED).filter(_.term_months > 0), "facility_id")
    running = approved.anti_join(history.facts(SETTLED), ["subject_id", "facility_id"])
    monthly = units(running.approved_amount).cast("float64") / running.term_months
    return running.group_by("subject_id").agg(instalment=monthly.sum())


def _for_each(asked: ir.Table, base: ir.Table) -> ir.Table:
    joined = asked.join(base, "subject_id").filter(_.mean > 0)
    return joined.select("subject_id", value=joined.instalment / joined["mean"])


def _counted(history: History, found: ir.Table) -> ir.Table:
    """How many of `found` (subject_id, n = 1) each subject with an account has."""
    zero = history.facts(OPENED).select("subject_id", n=0)
    return zero.union(found).group_by("subject_id").agg(value=_.n.sum())


def _newest(facts: ir.Table, *by: str) -> ir.Table:
    window = ibis.window(
        group_by=["subject_id", *by], order_by=[facts.time.desc(), facts.position.desc()]
    )
    return facts.mutate(nth=ibis.row_number().over(window)).filter(_.nth == 0)
