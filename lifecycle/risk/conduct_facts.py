"""Signs of operating and moral risk that no attribute of the profile and no check shows."""

from __future__ import annotations

import datetime as dt
from functools import reduce

import ibis
import ibis.expr.types as ir
from ibis import _

from lifecycle.clients.attribute import Figures, both_sources, closed_months, evidence, latest
from lifecycle.clients.attributes.company import statements
from lifecycle.clients.attributes.credit import REPORT
from lifecycle.clients.attributes.identity import KYC, REGISTERED
from lifecycle.clients.entries import flows
from lifecycle.clients.facts import Facts

ATTEMPTED = "bank.contact.attempted.v1"


def signs(facts: Facts, figures: Figures) -> ir.Table:
    """(client_id, reason, sources): one row for each sign that a client shows. Reasons are those of
    `operating_points` and `moral_points` in rules/conduct.yaml."""
    found = {
        "PAYMENTS_INTERRUPTED": [
            _interrupted(facts, figures, list(figures[purposes].value))
            for purposes in ("payroll_purposes", "tax_purposes")
        ],
        "FILING_IRREGULAR": [_filed_late(facts, figures), _auditor_changed(facts, figures)],
        "MULTI_LENDING": [_more_lenders(facts, figures)],
        "RISKY_SPENDING": [_risky_spending(facts, figures)],
        "EVASIVE": [_evasive(facts, figures)],
    }
    rows = [
        part.select("client_id", "sources", reason=ibis.literal(reason))
        for reason, parts in found.items()
        for part in parts
    ]
    return reduce(lambda one, other: one.union(other), rows)


def _interrupted(facts: Facts, figures: Figures, purposes: list[str]) -> ir.Table:
    """Companies that paid in every month of a habit, and in none of the closed months after it."""
    habit, silent = (
        int(figures[name].value) for name in ("interrupted_habit_months", "interrupted_months")
    )
    first, end = closed_months(facts.business_date, habit + silent)
    quiet_from, _end = closed_months(facts.business_date, silent)
    paid = flows(facts, figures, first, end).filter(
        _.credit_debit_indicator == "DBIT", _.purpose.isin(purposes)
    )
    companies = facts.table(REGISTERED).filter(_.client_type == "CORPORATE")
    paid = paid.semi_join(companies, paid.client == companies.client_id)
    lately = paid.business_date >= quiet_from
    months = paid.business_date.truncate("M").nunique(where=~lately)
    each = paid.group_by(client_id="client").agg(
        months=months, lately=lately.sum(), **evidence(paid)
    )
    return each.filter(_.months == habit, _.lately == 0)


def _filed_late(facts: Facts, figures: Figures) -> ir.Table:
    """Companies whose newest statement came late, or that let the next one be late by now."""
    grace = int(figures["statement_due_days"].value) + int(figures["statement_late_days"].value)
    late = ibis.interval(days=grace)
    newest = statements(facts).filter(_.nth == 0)
    next_due = newest.period_end + ibis.interval(years=1) + late
    overdue = next_due.cast("date") < ibis.literal(facts.business_date)
    was_late = newest.first_filed > (newest.period_end + late).cast("date")
    return newest.filter(was_late | overdue).select(
        client_id="client", sources=ibis.array([newest.event_id])
    )


def _auditor_changed(facts: Facts, figures: Figures) -> ir.Table:
    """Companies whose two newest statements were audited by different people."""
    first = facts.since(int(figures["auditor_days"].value))
    filed = statements(facts).filter(_.auditor_hash.notnull(), _.first_filed >= first)
    now, before = filed.filter(_.nth == 0), filed.filter(_.nth == 1).view()
    changed = now.join(
        before,
        [now.client == before.client, now.auditor_hash != before.auditor_hash],
        rname="{name}_before",
    )
    return changed.select(
        client_id=changed.client,
        sources=ibis.array([changed.event_id, changed.event_id_before]),
    )


def _more_lenders(facts: Facts, figures: Figures) -> ir.Table:
    """Clients of whom the credit bureau knows some lenders more than at the beginning of the window: by
    the last report before it, or else the first one in it."""
    first = facts.since(int(figures["lenders_days"].value))
    reports = facts.table(REPORT).filter(_.report_date <= facts.business_date)
    now = latest(reports.filter(_.report_date >= first), "client")
    before = latest(reports.filter(_.report_date < first), "client")
    began = _earliest(reports.filter(_.report_date >= first))
    both = _beside(
        _beside(now.select("client", "event_id", "n_lenders"), before, "before"), began, "began"
    )
    base = ibis.coalesce(both.n_lenders_before, both.n_lenders_began)
    source = ibis.coalesce(both.event_id_before, both.event_id_began)
    gained = both.n_lenders - base >= int(figures["lenders_gain"].value)
    return both.filter(gained).select(
        client_id="client", sources=ibis.array([both.event_id, source])
    )


def _earliest(reports: ir.Table) -> ir.Table:
    window = ibis.window(group_by="client", order_by=["time", "position"])
    return reports.mutate(nth=ibis.row_number().over(window)).filter(_.nth == 0)


def _beside(table: ir.Table, reports: ir.Table, name: str) -> ir.Table:
    own = reports.select(
        "client", **{f"event_id_{name}": "event_id", f"n_lenders_{name}": "n_lenders"}
    )
    return table.left_join(own, "client").drop("client_right")


def _risky_spending(facts: Facts, figures: Figures) -> ir.Table:
    """Clients of whose spending gambling and pawn shops take more than their share."""
    first = facts.since(int(figures["risky_spending_days"].value))
    end = facts.business_date + dt.timedelta(days=1)
    spent = flows(facts, figures, first, end).filter(_.credit_debit_indicator == "DBIT")
    categories = list(figures["risky_categories"].value)
    risky = spent.category.isin(categories).fill_null(False) | (
        spent.partner_type == "GAMBLING"
    ).fill_null(False)
    marked = spent.mutate(risky=risky, part=ibis.ifelse(risky, spent.number, 0.0))
    sums = marked.group_by(client_id="client").agg(part=_.part.sum(), whole=_.number.sum())
    share = float(figures["risky_spending_share"].value)
    beyond = sums.filter(_.part > _.whole * share).select("client_id")
    own = marked.filter(_.risky)
    sources = own.group_by(client_id="client").agg(**evidence(own))
    return sources.semi_join(beyond, "client_id")


def _evasive(facts: Facts, figures: Figures) -> ir.Table:
    """Clients that could not be reached several times, and changed their telephone number, within the
    window."""
    first = facts.since(int(figures["evasive_days"].value))
    failed = facts.table(ATTEMPTED).filter(~_.reached, _.business_date >= first)
    missed = failed.group_by(client_id="client").agg(
        attempts=_.attempt_id.nunique(), **evidence(failed)
    )
    missed = missed.filter(_.attempts >= int(figures["evasive_attempts"].value))
    changed = _phone_changes(facts).filter(_.business_date >= first)
    numbers = changed.group_by(client_id="client").agg(**evidence(changed))
    both = missed.join(numbers, "client_id", rname="{name}_phone")
    return both.select("client_id", sources=both_sources(both.sources, both.sources_phone))


def _phone_changes(facts: Facts) -> ir.Table:
    """Facts that say another telephone number than the one known before."""
    columns = ("client", "event_id", "time", "position", "business_date", "phone_hash")
    said = facts.table(REGISTERED).select(*columns).union(facts.table(KYC).select(*columns))
    known = said.filter(said.phone_hash.notnull())
    before = known.phone_hash.lag().over(
        ibis.window(group_by="client", order_by=["time", "position"])
    )
    return known.mutate(before=before).filter(_.before.notnull(), _.before != _.phone_hash)
