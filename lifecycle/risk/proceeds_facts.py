"""The facts that tell what loans were spent on, and what they tell."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import ibis
import ibis.expr.types as ir
from ibis import _

from lifecycle.clients.attribute import Figures, latest
from lifecycle.clients.entries import OPENED, SNAPSHOT, all_booked
from lifecycle.clients.facts import Facts
from lifecycle.risk.proceeds import Disbursement, Entry, Tracing, tracing

DISBURSED = "bank.credit.disbursed.v1"
REGISTERED = "bank.client.registered.v1"
LINKED = "bank.client.relation_linked.v1"
_LOAN = ("facility_id", "tranche_no")


def tracings(facts: Facts, figures: Figures) -> list[Tracing]:
    """What every disbursement was spent on, by facility and tranche; of a settled loan too, whose class of
    then it explains. Computed once."""
    return facts.computed("tracings", lambda: _tracings(facts, figures))


def _tracings(facts: Facts, figures: Figures) -> list[Tracing]:
    entries = by_loan(facts.run(spending(facts, figures)).to_pylist())
    before = opening_of(facts.run(openings(facts)).to_pylist())
    loans = map(to_disbursement, facts.run(disbursements(facts)).to_pylist())
    keyed = sorted((loan.facility_id, loan.tranche_no, loan) for loan in loans)
    return [
        tracing(
            loan,
            entries.get((facility, tranche), []),
            before.get((facility, tranche), {}),
            facts.business_date,
            figures,
        )
        for facility, tranche, loan in keyed
    ]


def disbursements(facts: Facts) -> ir.Table:
    """(the fields of `Disbursement`, declared_purpose_code, payee) of every loan."""
    paid = latest(facts.table(DISBURSED).filter(_.amount > 0), *_LOAN)
    kinds = latest(facts.table(REGISTERED), "client_id").select("client_id", "client_type")
    return paid.join(kinds, "client_id").select(
        "event_id",
        *_LOAN,
        "client_id",
        "client_type",
        "currency",
        "amount",
        "payment_mode",
        "declared_purpose_code",
        "payee",
        paid_on="business_date",
        account_id="to_account_id",
    )


def spending(facts: Facts, figures: Figures) -> ir.Table:
    """(facility_id, tranche_no and the fields of `Entry`) of every account of the borrower, from the day
    of a disbursement that the client spends itself on, for as long as it is watched, in the order things
    happened. `to_account` is the client's own account that the entry itself names."""
    days = ibis.interval(days=int(figures["proceeds_days"].value))
    paid = disbursements(facts).filter(_.payment_mode == "SELF")
    loans = paid.select(
        *_LOAN, "client_id", "paid_on", "currency", "payee", "declared_purpose_code"
    )
    entries = facts.once(
        "borrowers_entries",
        lambda: all_booked(facts).semi_join(loans.select(client="client_id"), "client"),
    )
    joined = entries.join(
        loans,
        [
            entries.client == loans.client_id,
            entries.currency == loans.currency,
            entries.business_date >= loans.paid_on,
            entries.business_date <= loans.paid_on + days,
        ],
        rname="{name}_loan",
    )
    marked = _marked(joined, facts)
    lent = list(figures["flow_excluded_credit_purposes"].value)
    came_in = marked.credit_debit_indicator == "CRDT"
    signed = ibis.ifelse(came_in, marked.amount, -marked.amount)
    return marked.select(
        *_LOAN,
        "event_id",
        "account_id",
        "to_account",
        on="business_date",
        amount=signed,
        use=_use(marked, lent, figures),
        payee="partner",
        loan=came_in & marked.purpose.isin(lent).fill_null(False),
        at="time",
        position="position",
    ).order_by(*_LOAN, "at", "position")


def openings(facts: Facts) -> ir.Table:
    """(facility_id, tranche_no, account_id, balance): the newest closing balance of each account of the
    borrower before the day of the disbursement, below zero when overdrawn."""
    loans = disbursements(facts).filter(_.payment_mode == "SELF")
    loans = loans.select(*_LOAN, "client_id", "paid_on")
    closing = facts.table(SNAPSHOT).filter(_.balance_type == "CLBD")
    before = closing.join(
        loans, [closing.client == loans.client_id, closing.business_date < loans.paid_on]
    )
    newest = ibis.window(
        group_by=[*_LOAN, "account_id"],
        order_by=[ibis.desc("business_date"), ibis.desc("time"), ibis.desc("position")],
    )
    signed = ibis.ifelse(before.credit_debit_indicator == "DBIT", -before.amount, before.amount)
    ranked = before.mutate(nth=ibis.row_number().over(newest), signed=signed)
    return ranked.filter(_.nth == 0).select(*_LOAN, "account_id", balance="signed")


def to_disbursement(row: Mapping[str, Any]) -> Disbursement:
    """A row of `disbursements`, as Arrow gives it."""
    return Disbursement(**{name: row[name] for name in Disbursement._fields})


def by_loan(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, int], list[Entry]]:
    """(facility, tranche) -> its entries in order, from rows of `spending`."""
    return {
        key: [Entry(**{name: row[name] for name in Entry._fields}) for row in own]
        for key, own in itertools.groupby(rows, lambda row: (row["facility_id"], row["tranche_no"]))
    }


def _marked(joined: ir.Table, facts: Facts) -> ir.Table:
    """Entries with `to_account`, the account of the client that they name, and `related`, whether the
    other side is related to the client and not the payee of the contract."""
    accounts = facts.table(OPENED).select("client", own_account="account_id").distinct()
    named = joined.left_join(
        accounts,
        [joined.client == accounts.client, joined.account_hash == accounts.own_account],
        rname="{name}_own",
    )
    parties = _related_hashes(facts)
    matched = named.semi_join(
        parties,
        [
            named.client == parties.client,
            (named.name_hash == parties.hash) | (named.account_hash == parties.hash),
            named.payee.isnull() | ((named.payee != parties.other) & (named.payee != parties.hash)),
        ],
    ).select(*_LOAN, "event_id", related=ibis.literal(True))
    both = named.left_join(matched, [*_LOAN, "event_id"], rname="{name}_related")
    return both.mutate(to_account=both.own_account, related=both.related.fill_null(False))


def _related_hashes(facts: Facts) -> ir.Table:
    """(client, other, hash): what names the clients that a client is related to, whoever said so: the
    hash of the name, and the accounts."""
    said = facts.table(LINKED)
    links = said.select(client="client_id", other="other_client_id").union(
        said.select(client="other_client_id", other="client_id"), distinct=True
    )
    names = facts.table(REGISTERED).filter(_.name_hash.notnull())
    hashes = names.select(owner="client_id", hash="name_hash").union(
        facts.table(OPENED).select(owner="client", hash="account_id"), distinct=True
    )
    return links.join(hashes, links.other == hashes.owner).select("client", "other", "hash")


def _use(marked: ir.Table, lent: list[str], figures: Figures) -> ir.StringValue:
    """What money that went out was for; the gravest first."""
    purposes = list(figures["proceeds_prohibited_purposes"].value)
    categories = list(figures["proceeds_prohibited_categories"].value)
    forbidden = [
        (marked.partner_type == kind) & ~marked.declared_purpose_code.isin(allowed).fill_null(False)
        if allowed
        else marked.partner_type == kind
        for kind, allowed in figures["cv13_prohibited_payees"].value.items()
    ]
    prohibited = ibis.or_(
        *(test.fill_null(False) for test in forbidden),
        marked.purpose.isin(purposes).fill_null(False),
        marked.category.isin(categories).fill_null(False),
    )
    return ibis.cases(
        (marked.credit_debit_indicator == "CRDT", "OTHER"),
        (prohibited, "PROHIBITED"),
        ((marked.partner_type == "OWN").fill_null(False), "OWN_ELSEWHERE"),
        (marked.is_cash, "CASH"),
        (marked.related, "RELATED"),
        (marked.purpose.isin(lent).fill_null(False), "REPAYMENT"),
        else_="OTHER",
    )


def opening_of(rows: Iterable[Mapping[str, Any]]) -> dict[tuple[str, int], dict[str, Decimal]]:
    """(facility, tranche) -> account -> balance, from rows of `openings`."""
    found: dict[tuple[str, int], dict[str, Decimal]] = {}
    for row in rows:
        key = (row["facility_id"], row["tranche_no"])
        found.setdefault(key, {})[row["account_id"]] = row["balance"]
    return found
