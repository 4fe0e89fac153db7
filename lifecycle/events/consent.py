"""bank.consent.v1: what the client allowed, and took back."""

from __future__ import annotations

from typing import Literal

from lifecycle.events.fields import Code, Codes, Fact, Id, Instant, Purpose


class ConsentGranted(Fact, frozen=True):
    """The client allowed one purpose."""

    client_id: Id
    consent_id: Id
    purpose: Purpose
    legal_basis: Literal["CONSENT", "CONTRACT", "LEGAL_OBLIGATION"]
    granted_at: Instant
    text_version: Code
    scope: Codes = ()
    expires_at: Instant | None = None
    evidence_ref: Id | None = None


class ConsentWithdrawn(Fact, frozen=True):
    """The client took a consent back."""

    client_id: Id
    consent_id: Id
    purpose: Purpose
    withdrawn_at: Instant
    reason: Code | None = None
