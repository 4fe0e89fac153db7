"""One client as people read it: what does not agree, how far to trust the profile, what is needed, and
what to ask. Pure: it follows from the profile, what the client said, and what it allows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence, Set
from typing import Any

import msgspec

from lifecycle.clients.attribute import Figures, Value
from lifecycle.clients.attributes import ATTRIBUTES
from lifecycle.clients.checks import Check, checks
from lifecycle.clients.needs import Answer, Conflict, Mention, Need, Question, needs_of, questions
from lifecycle.clients.quality import Quality, quality
from lifecycle.clients.tasks import Task, tasks
from lifecycle.events.fields import ClientType, Purpose


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """What follows from one client's profile as of a business date."""

    client_id: str
    client_type: ClientType
    checks: list[Check]
    quality: Quality
    needs: list[Need]
    questions: list[Question]
    tasks: list[Task]


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """What a summary is made of, besides the date."""

    client_id: str
    client_type: ClientType
    currency: str
    profile: Mapping[str, Value]
    mentions: Sequence[Mention]
    answers: Sequence[Answer]
    allowed: Set[Purpose]


def summary(
    client: Client, business_date: dt.date, as_of: dt.datetime, figures: Figures
) -> Summary:
    """Judge one client as of the end of a business date, which is the instant `as_of`."""
    found = checks(client.profile, client.client_type, business_date, figures)
    needs = needs_of(
        client.client_type,
        client.currency,
        client.profile,
        client.mentions,
        client.answers,
        client.allowed,
        business_date,
        figures,
    )
    asked = questions(
        client.profile,
        needs,
        _conflicts(found),
        client.allowed,
        business_date,
        figures,
    )
    return Summary(
        client_id=client.client_id,
        client_type=client.client_type,
        checks=found,
        quality=quality(client.profile, found, ATTRIBUTES, as_of, figures),
        needs=needs,
        questions=asked,
        tasks=tasks(found, business_date),
    )


def document(part: Any) -> str:
    """A part of a summary as JSON text: the same part is the same text."""
    return msgspec.json.encode(part, order="deterministic").decode()


def _conflicts(found: Sequence[Check]) -> list[Conflict]:
    return [
        Conflict(
            check_id=check.id,
            result=check.result,
            zh=check.reason_zh,
            en=check.reason_en,
            purposes=frozenset(
                purpose
                for side in (check.left, check.right)
                if side
                for purpose in ATTRIBUTES[side.name].purposes
            ),
        )
        for check in found
        if check.result in ("WARN", "FAIL")
    ]
