"""bank.interaction.v1: contacts, what was said about needs, complaints. Free text stays in the CRM:
an event carries tags and a reference."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from lifecycle.events.fields import Code, Codes, Date, Fact, Id, Sentiment

NeedClass = Literal["EXPLICIT", "IMPLICIT"]
Strength = Annotated[int, Meta(ge=1, le=3)]


class NeedMentioned(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """A need that came up, and where its words are kept."""

    need_code: Code
    strength: Strength
    need_class: NeedClass
    verbatim_ref: Id | None = None


class InteractionLogged(Fact, frozen=True):
    """A contact with the client took place."""

    client_id: Id
    interaction_id: Id
    type: Literal["CALL", "MEETING", "VISIT", "CHAT", "BRANCH"]
    question_type: Literal["OPEN", "CLOSED", "GUIDED"] | None = None
    topics: Codes = ()
    needs_mentioned: Annotated[tuple[NeedMentioned, ...], Meta(max_length=50)] = ()
    sentiment: Sentiment | None = None
    next_action: Code | None = None
    next_action_due: Date | None = None


class ContactAttempted(Fact, frozen=True):
    """The bank tried to reach the client. A contact that took place is an interaction as well."""

    client_id: Id
    attempt_id: Id
    type: Literal["CALL", "MESSAGE", "VISIT", "LETTER"]
    reached: bool


class NeedDeclared(Fact, frozen=True):
    """The client said what it needs."""

    client_id: Id
    need_id: Id
    need_code: Code
    strength: Strength
    horizon_months: Annotated[int, Meta(ge=0, le=1_200)] | None = None
    verbatim_ref: Id | None = None


class ComplaintRaised(Fact, frozen=True):
    """A client complained."""

    client_id: Id
    complaint_id: Id
    category: Code
    severity: Literal["LOW", "MEDIUM", "HIGH"]
    due_at: Date
    product_id: Id | None = None


class ComplaintResolved(Fact, frozen=True):
    """A complaint was answered."""

    client_id: Id
    complaint_id: Id
    outcome: Code
