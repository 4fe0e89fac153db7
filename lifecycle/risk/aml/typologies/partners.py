"""With whom: many on one side and few on the other, and money that comes back in a circle."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
from ibis import _

from lifecycle.clients.attribute import Figures
from lifecycle.clients.entries import OPENED
from lifecycle.clients.facts import Facts
from lifecycle.risk.aml.clients import registered
from lifecycle.risk.aml.entries import DAY, entries, money
from lifecycle.risk.aml.typology import Own, completed, shown, trailing, typology


@typology("M03")
def funnel(facts: Facts, figures: Figures, own: Own) -> ir.Table:
    """分散转入集中转出, or the reverse: money of many goes to few, or of few to many. Wages and taxes are
    no scatter."""
    span, by = int(own["days"]) * DAY, ("client",)
    ordinary = [*figures["payroll_purposes"].value, *figures["tax_purposes"].value]
    named = entries(facts, figures).filter(
        _.partner.notnull(),
        ~((_.side == "DBIT") & _.purpose.isin(ordinary)).fill_null(False),
    )
    window = trailing(span, *by)
    ends = named.mutate(
        credits=(_.side == "CRDT").cast("int64").sum().over(window),
        debits=(_.side == "DBIT").cast("int64").sum().over(window),
    )
    # Only who has as many entries can have as many partners: the join below stays small.
    many = int(own["many"])
    ends = ends.filter((_.credits >= many) | (_.debits >= many), _.credits > 0, _.debits > 0)
    counted = _partners(ends, named, span)
    few, total = int(own["few"]), money(own["total"])
    found = counted.filter(
        ((_.payers >= many) & (_.payees <= few) & (_.inflow >= total))
        | ((_.payees >= many) & (_.payers <= few) & (_.outflow >= total))
    )
    return completed(found, named, span, by, "payers", "payees", "inflow", "outflow")


def _partners(ends: ir.Table, named: ir.Table, span: int) -> ir.Table:
    """The entries that end a window, with the different partners and the sums of both sides in it."""
    among = named.view()
    pairs = ends.join(
        among,
        [ends.client == among.client, ends.at >= among.at, ends.at - among.at < span],
        rname="{name}_in",
    )
    credit = pairs.side_in == "CRDT"
    return pairs.group_by(["client", "event_id", "at", "business_date"]).agg(
        payers=pairs.partner_in.nunique(where=credit),
        payees=pairs.partner_in.nunique(where=~credit),
        inflow=pairs.cny_in.sum(where=credit),
        outflow=pairs.cny_in.sum(where=~credit),
    )


@typology("M12")
def circular_flow(facts: Facts, figures: Figures, own: Own) -> ir.Table:
    """A pays B, B pays C, C pays A, about the same amount: a hit of every client among them. A party
    that is no client may be one of them, as its payments with clients are known."""
    payments = facts.once("aml_payments", lambda: _payments(facts, figures, own))
    span, percent = int(own["days"]) * DAY, int(own["percent"])
    one, two, three = (_leg(payments, number) for number in (1, 2, 3))
    onward = one.join(
        two,
        [
            one.payee_1 == two.payer_2,
            one.payer_1 != two.payee_2,
            two.at_2 >= one.at_1,
            two.at_2 - one.at_1 < span,
            _about(two.cny_2, one.cny_1, percent),
        ],
    )
    rings = onward.join(
        three,
        [
            onward.payee_2 == three.payer_3,
            onward.payer_1 == three.payee_3,
            three.at_3 >= onward.at_2,
            three.at_3 - onward.at_1 < span,
            _about(three.cny_3, onward.cny_1, percent),
        ],
    )
    return _of_members(rings, facts)


def _leg(payments: ir.Table, number: int) -> ir.Table:
    names = ("payer", "payee", "at", "cny", "event_id", "time", "business_date")
    return payments.view().select(**{f"{name}_{number}": name for name in names})


def _about(one: ir.DecimalValue, other: ir.DecimalValue, percent: int) -> ir.BooleanValue:
    return (one - other).abs() * 100 <= other * percent


def _of_members(rings: ir.Table, facts: Facts) -> ir.Table:
    """A hit of every client of a ring on the day it closes, with its three payments; of several rings
    of a day the one of the most money."""
    clients = registered(facts).select(client="client_id")
    members = ibis.union(
        *(
            rings.mutate(client=rings[party], day=rings.business_date_3)
            for party in ("payer_1", "payer_2", "payer_3")
        )
    ).semi_join(clients, "client")
    order = ibis.window(
        group_by=["client", "day"],
        order_by=[ibis.desc("cny_1"), "event_id_1", "event_id_2", "event_id_3"],
    )
    told = members.mutate(nth=ibis.row_number().over(order)).filter(_.nth == 0)
    legs = ibis.union(
        *(
            told.select(
                "client",
                "day",
                event_id=f"event_id_{number}",
                time=f"time_{number}",
                sent="cny_1",
                returned="cny_3",
            )
            for number in (1, 2, 3)
        )
    )
    return shown(legs, "sent", "returned")


def _payments(facts: Facts, figures: Figures, own: Own) -> ir.Table:
    """(payer, payee, at, cny, event_id, time, business_date): payments between two parties, each by the
    id of the client where the bank knows it, else by its pseudonym. Who only pays or is only paid is in
    no ring, and is left out."""
    named = entries(facts, figures).filter(
        ~_.is_cash, _.partner.notnull(), _.cny >= money(own["amount_least"])
    )
    party = _parties(named, facts)
    paid = party.side == "DBIT"
    payments = party.select(
        "at",
        "cny",
        "event_id",
        "time",
        "business_date",
        payer=ibis.ifelse(paid, party.client, party.other),
        payee=ibis.ifelse(paid, party.other, party.client),
    ).filter(_.payer != _.payee)
    payers, payees = payments.select(party="payer"), payments.select(party="payee")
    between = payments.semi_join(payees, payments.payer == payees.party)
    return between.semi_join(payers, between.payee == payers.party)


def _parties(named: ir.Table, facts: Facts) -> ir.Table:
    """Entries with `other`: the client on the other side, by its account or by a name that no other
    client has, else its pseudonym."""
    owners = facts.table(OPENED).group_by(partner_account="account_id").agg(owner=_.client.min())
    people = registered(facts).filter(_.name_hash.notnull())
    people = people.group_by(partner="name_hash").agg(person=_.client_id.min(), n=_.count())
    known = named.left_join(owners, "partner_account").drop("partner_account_right")
    known = known.left_join(people.filter(_.n == 1), "partner").drop("partner_right")
    return known.mutate(other=ibis.coalesce(known.owner, known.person, known.partner))
