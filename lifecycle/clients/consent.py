"""The consent ledger: what may be done with a client's data, for which purpose, since when and why.

Pure. A purpose rests on the newest consent that was given for it. Who takes a purpose back takes back
every consent for it that was given before: a withdrawal is never read narrowly.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal

import ibis
import ibis.expr.types as ir
import msgspec
from ibis import _

from lifecycle.clients.facts import Facts
from lifecycle.events import Event
from lifecycle.events.consent import ConsentGranted, ConsentWithdrawn
from lifecycle.events.fields import PURPOSES, Purpose

GRANTED = "bank.consent.granted.v1"
WITHDRAWN = "bank.consent.withdrawn.v1"

Status = Literal["NOT_YET", "GRANTED", "SUPERSEDED", "WITHDRAWN", "EXPIRED"]
Ground = Literal["NOT_NEEDED", "NEVER_ASKED", "NOT_YET", "GRANTED", "WITHDRAWN", "EXPIRED"]


class ConsentFact(msgspec.Struct, frozen=True, kw_only=True):
    """A consent given (`withdrawn` false) or taken back, with its evidence."""

    client_id: str
    event_id: str
    consent_id: str
    purpose: Purpose
    withdrawn: bool
    at: dt.datetime
    """When the client gave it, or took it back."""
    channel: str
    expires_at: dt.datetime | None = None
    legal_basis: str | None = None
    text_version: str | None = None
    scope: tuple[str, ...] = ()
    evidence_ref: str | None = None


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """One consent and what became of it."""

    consent_id: str
    purpose: Purpose
    status: Status
    since: dt.datetime
    """Since when it has this status."""
    granted: ConsentFact
    ended: ConsentFact | None
    """The withdrawal that ended it, or the consent that superseded it."""


class Permission(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a client's data may be used for a purpose, since when and why."""

    purpose: Purpose
    allowed: bool
    ground: Ground
    since: dt.datetime | None = None
    consent_id: str | None = None
    event_ids: tuple[str, ...] = ()


def ledger(facts: Iterable[ConsentFact], at: dt.datetime) -> list[Consent]:
    """Every consent of one client with its status at an instant, oldest first."""
    known = sorted(facts, key=lambda fact: (fact.at, fact.event_id))
    grants = [fact for fact in known if not fact.withdrawn]
    return [_judged(grant, known, at) for grant in grants]


def permissions(consents: Sequence[Consent], free: Collection[str]) -> dict[Purpose, Permission]:
    """Each purpose, from a client's ledger; `free` are the purposes that need no consent."""
    return {purpose: _permission(purpose, consents, free) for purpose in PURPOSES}


def allowed(
    facts: Iterable[ConsentFact], at: dt.datetime, free: Collection[str]
) -> dict[str, frozenset[Purpose]]:
    """client id -> the purposes allowed at an instant, for every client with a fact of consent."""
    by_client: dict[str, list[ConsentFact]] = {}
    for fact in facts:
        by_client.setdefault(fact.client_id, []).append(fact)
    return {
        client: frozenset(p for p, x in permissions(ledger(own, at), free).items() if x.allowed)
        for client, own in by_client.items()
    }


def consent_facts(facts: Facts) -> ir.Table:
    """The consents known at `as_of`, as rows that `fact_of` reads."""
    granted, withdrawn = facts.table(GRANTED), facts.table(WITHDRAWN)
    columns = ("client_id", "event_id", "consent_id", "purpose", "channel")
    given = granted.select(
        *columns,
        at=_.granted_at,
        expires_at=_.expires_at,
        legal_basis=_.legal_basis,
        text_version=_.text_version,
        scope=_.scope,
        evidence_ref=_.evidence_ref,
        withdrawn=False,
    )
    taken = withdrawn.select(*columns, at=_.withdrawn_at, withdrawn=True)
    missing = {
        name: ibis.null(kind)
        for name, kind in given.schema().items()
        if name not in taken.schema().names
    }
    return given.union(taken.mutate(**missing).select(*given.columns))


def fact_of(row: Mapping[str, Any]) -> ConsentFact:
    """One row of `consent_facts`."""
    return ConsentFact(**{**row, "scope": tuple(row["scope"] or ())})


def fact_of_event(event: Event) -> ConsentFact:
    """An event of bank.consent.v1."""
    data = event.data
    if isinstance(data, ConsentWithdrawn):
        return ConsentFact(
            client_id=data.client_id,
            event_id=event.id,
            consent_id=data.consent_id,
            purpose=data.purpose,
            withdrawn=True,
            at=data.withdrawn_at,
            channel=data.channel,
        )
    assert isinstance(data, ConsentGranted), event.type
    return ConsentFact(
        client_id=data.client_id,
        event_id=event.id,
        consent_id=data.consent_id,
        purpose=data.purpose,
        withdrawn=False,
        at=data.granted_at,
        channel=data.channel,
        expires_at=data.expires_at,
        legal_basis=data.legal_basis,
        text_version=data.text_version,
        scope=data.scope,
        evidence_ref=data.evidence_ref,
    )


def _judged(grant: ConsentFact, known: Sequence[ConsentFact], at: dt.datetime) -> Consent:
    ends: list[tuple[dt.datetime, Status, ConsentFact | None]] = [
        (fact.at, "WITHDRAWN", fact)
        for fact in known
        if fact.withdrawn and fact.purpose == grant.purpose and fact.at >= grant.at
    ]
    if grant.expires_at:
        ends.append((grant.expires_at, "EXPIRED", None))
    ends += [
        (fact.at, "SUPERSEDED", fact)
        for fact in known
        if not fact.withdrawn
        and fact.purpose == grant.purpose
        and (fact.at, fact.event_id) > (grant.at, grant.event_id)
    ]
    # What came first ended it; of two at the same instant the graver one, as they are listed.
    reached = sorted((end for end in ends if end[0] <= at), key=lambda end: end[0])
    since, status, ended = reached[0] if reached else (grant.at, "GRANTED", None)
    if grant.at > at:
        since, status, ended = grant.at, "NOT_YET", None
    return Consent(
        consent_id=grant.consent_id,
        purpose=grant.purpose,
        status=status,
        since=since,
        granted=grant,
        ended=ended,
    )


def _permission(purpose: Purpose, consents: Sequence[Consent], free: Collection[str]) -> Permission:
    if purpose in free:
        return Permission(purpose=purpose, allowed=True, ground="NOT_NEEDED")
    # What was superseded says nothing any more: the newest one does.
    own = [c for c in consents if c.purpose == purpose and c.status != "SUPERSEDED"]
    begun = [c for c in own if c.status != "NOT_YET"]
    newest = next(reversed(begun or own), None)
    if newest is None:
        return Permission(purpose=purpose, allowed=False, ground="NEVER_ASKED")
    assert newest.status != "SUPERSEDED"
    ended = (newest.ended.event_id,) if newest.ended else ()
    return Permission(
        purpose=purpose,
        allowed=newest.status == "GRANTED",
        ground=newest.status,
        since=newest.since,
        consent_id=newest.consent_id,
        event_ids=(newest.granted.event_id, *ended),
    )
