"""bank.interaction.v1: complaints."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from lifecycle.events.fields import Code, Fact, Id


class ComplaintRaised(Fact, frozen=True):
    """A client complained."""

    client_id: Id
    complaint_id: Id
    category: Code
    severity: Literal["LOW", "MEDIUM", "HIGH"]
    due_at: dt.date
    product_id: Id | None = None


class ComplaintResolved(Fact, frozen=True):
    """A complaint was answered."""

    client_id: Id
    complaint_id: Id
    outcome: Code
