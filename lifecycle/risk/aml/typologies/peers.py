"""What stands out among peers: judged once a night, over the window that ends with it."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
from ibis import _

from lifecycle.clients.attribute import Figures
from lifecycle.clients.facts import Facts
from lifecycle.risk.aml.entries import entries, money
from lifecycle.risk.aml.peers import peers
from lifecycle.risk.aml.typology import Own, shown, typology

QUANTITIES = ("turnover", "partners", "night_share", "cross_border_share")
_MAD_OF_NORMAL = 1.4826
"""Standard deviations for one median absolute deviation of a normal distribution."""


@typology("M05")
def cash_intensity(facts: Facts, figures: Figures, own: Own) -> ir.Table:
    """The share of cash in what comes in is beyond a high percentile of the client's peers, and the cash
    is much."""
    window = _window(facts, figures, own).filter(_.side == "CRDT")
    cash = window.mutate(cash=ibis.ifelse(_.is_cash, _.cny, money("0")))
    measured = cash.group_by("client").agg(
        cash=_.cash.sum(),
        cash_share=_.cash.sum().cast("float64") / _.cny.sum().cast("float64"),
    )
    grouped = _among_peers(measured, facts, figures)
    share = int(own["percentile"]) / 100
    limits = grouped.group_by("peer_group").agg(peers_share=_.cash_share.quantile(share))
    judged = grouped.join(limits, "peer_group")
    found = judged.filter(_.cash_share > _.peers_share, _.cash >= money(own["amount"]))
    return _shown(found, window.filter(_.is_cash), "cash", "cash_share", "peers_share", "peers")


@typology("M06")
def peer_deviation(facts: Facts, figures: Figures, own: Own) -> ir.Table:
    """Turnover, partners, or the share at night or across the border is far from that of peers: by the
    robust z. Where half of the peers are alike to the last digit, nothing is said."""
    window = _window(facts, figures, own)
    measured = _quantities(window, facts, own)
    grouped = _among_peers(measured, facts, figures)
    scored = _robust_z(grouped)
    found = scored.filter(ibis.or_(*(scored[f"{q}_z"] > float(own["z"]) for q in QUANTITIES)))
    names = [name for q in QUANTITIES for name in (q, f"{q}_z")]
    known = found.mutate(**{n: ibis.coalesce(found[n].cast("float64"), 0.0) for n in names})
    return _shown(known, window, *names, "peers")


def _quantities(window: ir.Table, facts: Facts, own: Own) -> ir.Table:
    night = own["night"]
    at_night = _hour(window, facts).between(int(night["from"]), int(night["until"]) - 1)
    parts = window.mutate(
        number=window.cny.cast("float64"),
        at_night=at_night.cast("int64").cast("float64"),
        abroad=ibis.ifelse(window.is_cross_border, window.cny.cast("float64"), 0.0),
    )
    return parts.group_by("client").agg(
        turnover=_.number.sum(),
        partners=_.partner.nunique().cast("float64"),
        night_share=_.at_night.mean(),
        cross_border_share=_.abroad.sum() / _.number.sum(),
    )


def _hour(window: ir.Table, facts: Facts) -> ir.IntegerValue:
    """The hour by the bank's clock of the night: engines name hours by a zone of their own."""
    offset = facts.as_of.astimezone(facts.zone).utcoffset()
    assert offset is not None
    seconds = window["at"] / 1_000_000 + offset.total_seconds()
    return (seconds / 3_600).floor().cast("int64") % 24


def _robust_z(grouped: ir.Table) -> ir.Table:
    """`<quantity>_z` of each: distance from the median in scaled median absolute deviations; null where
    that is zero."""
    medians = grouped.group_by("peer_group").agg(**{
        f"{q}_median": grouped[q].median() for q in QUANTITIES
    })
    centred = grouped.join(medians, "peer_group")
    away = centred.mutate(**{f"{q}_away": centred[q] - centred[f"{q}_median"] for q in QUANTITIES})
    mads = away.group_by("peer_group").agg(**{
        f"{q}_mad": away[f"{q}_away"].abs().median() for q in QUANTITIES
    })
    scaled = away.join(mads, "peer_group")
    return scaled.mutate(**{
        f"{q}_z": scaled[f"{q}_away"] / (scaled[f"{q}_mad"] * _MAD_OF_NORMAL).nullif(0.0)
        for q in QUANTITIES
    })


def _window(facts: Facts, figures: Figures, own: Own) -> ir.Table:
    return entries(facts, figures).filter(
        _.business_date >= facts.since(int(own["days"])), _.cny > 0
    )


def _among_peers(measured: ir.Table, facts: Facts, figures: Figures) -> ir.Table:
    """What was measured of each client beside its group, of groups that are large enough."""
    of = facts.once("aml_peers", lambda: peers(facts, figures))
    grouped = measured.join(of, measured.client == of.client_id).drop("client_id")
    size = grouped.count().over(ibis.window(group_by="peer_group"))
    least = int(figures["aml_peers_least"].value)
    return grouped.mutate(peers=size).filter(_.peers >= least)


def _shown(found: ir.Table, evidence: ir.Table, *names: str) -> ir.Table:
    """A hit on the day of the newest fact of the evidence."""
    told = evidence.select("client", "event_id", "time", "business_date")
    inside = found.join(told, "client")
    newest = inside.business_date.max().over(ibis.window(group_by="client"))
    return shown(inside.select("client", *names, "event_id", "time", day=newest), *names)
