"""How client and bank talk: contacts, mood, complaints, goals."""

from __future__ import annotations

import ibis
import ibis.expr.types as ir
from ibis import _

from lifecycle.clients.attribute import Figures, attribute, counted, evidence, rounded, words
from lifecycle.clients.attributes.identity import REGISTERED
from lifecycle.clients.facts import Facts

INTERACTION = "bank.interaction.logged.v1"
RAISED = "bank.complaint.raised.v1"
RESOLVED = "bank.complaint.resolved.v1"
NEED = "bank.need.declared.v1"


@attribute("share by channel", ages="interaction", decimals=None, purposes=("P2_PROFILE",))
def channel_mix(facts: Facts, figures: Figures) -> ir.Table:
    """The share of each channel in the contacts of the window."""
    contacts = _contacts(facts, figures)
    each = contacts.group_by(["client", "channel"]).agg(n=_.count())
    share = each.n / each.n.sum().over(ibis.window(group_by="client"))
    word = each.channel + ":" + rounded(share, 4).cast("string")
    texts = each.mutate(word=word)
    named = texts.group_by(client_id="client").agg(value=words(texts))
    return named.join(contacts.group_by(client_id="client").agg(**evidence(contacts)), "client_id")


@attribute("date", ages="interaction", decimals=None, purposes=("P2_PROFILE",))
def last_interaction_at(facts: Facts, figures: Figures) -> ir.Table:
    """The business date of the newest contact."""
    contacts = facts.table(INTERACTION)
    return contacts.group_by(client_id="client").agg(
        value=_.business_date.max().cast("string"), **evidence(contacts)
    )


@attribute("-1 to 1", ages="interaction", decimals=2, purposes=("P2_PROFILE",), confidence=0.6)
def sentiment_90d(facts: Facts, figures: Figures) -> ir.Table:
    """Mean mood of the contacts of the window."""
    felt = _contacts(facts, figures).filter(_.sentiment.notnull())
    return felt.group_by(client_id="client").agg(
        value=_.sentiment.cast("float64").mean(), **evidence(felt)
    )


@attribute("topics", ages="interaction", decimals=None, purposes=("P2_PROFILE",), confidence=0.7)
def topics_90d(facts: Facts, figures: Figures) -> ir.Table:
    """What the contacts of the window were about."""
    contacts = _contacts(facts, figures)
    contacts = contacts.filter(contacts.topics.length() > 0)
    each = contacts.mutate(word=contacts.topics.unnest())
    named = each.group_by(client_id="client").agg(value=words(each))
    return named.join(contacts.group_by(client_id="client").agg(**evidence(contacts)), "client_id")


@attribute("complaints", ages="interaction")
def open_complaints(facts: Facts, figures: Figures) -> ir.Table:
    """Complaints that were not answered yet."""
    waiting = facts.table(RAISED).anti_join(facts.table(RESOLVED), "complaint_id")
    return counted(
        facts.table(REGISTERED),
        waiting.group_by(client_id="client").agg(
            value=_.complaint_id.nunique().cast("float64"), **evidence(waiting)
        ),
    )


@attribute("goals", ages="interaction", decimals=None, purposes=("P2_PROFILE",), confidence=0.7)
def goals(facts: Facts, figures: Figures) -> ir.Table:
    """What the client said to want within the window, near or far: NEAR up to some months ahead,
    OPEN when no time was named."""
    near = int(figures["near_goal_months"].value)
    said = facts.table(NEED).filter(_.business_date >= facts.since(int(figures["goal_days"].value)))
    distance = ibis.cases(
        (said.horizon_months.isnull(), "OPEN:"),
        (said.horizon_months <= near, "NEAR:"),
        else_="FAR:",
    )
    named = said.mutate(word=distance + said.need_code)
    return named.group_by(client_id="client").agg(value=words(named), **evidence(named))


def _contacts(facts: Facts, figures: Figures) -> ir.Table:
    first = facts.since(int(figures["contact_days"].value))
    return facts.table(INTERACTION).filter(_.business_date >= first)
