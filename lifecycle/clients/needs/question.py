"""The few questions worth asking before a visit: what the records contradict themselves in, what is
only supposed, what is missing, and what was said long ago."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Set
from decimal import Decimal
from itertools import islice
from typing import Literal

import msgspec

from lifecycle.clients.attribute import Figures, Value
from lifecycle.clients.needs.inputs import is_withheld, purposes_of
from lifecycle.clients.needs.need import OPEN_STATES, Need, inference
from lifecycle.clients.needs.text import NEEDS, name_of
from lifecycle.events.fields import Purpose


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """A cross-validation check that did not pass, and what it found in plain words."""

    check_id: str
    result: Literal["WARN", "FAIL"]
    zh: str
    en: str
    purposes: frozenset[Purpose] = frozenset()
    """Those of the attributes it compares."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One question to the client. CLOSED ones take a yes, a no or a value; OPEN ones a story."""

    kind: Literal["OPEN", "CLOSED"]
    reason: Literal["CONFLICT", "HYPOTHESIS", "MISSING", "STALE"]
    about: str
    """A check, a need or an attribute."""
    needs_consent: tuple[Purpose, ...]
    text_zh: str
    text_en: str


def questions(
    profile: Mapping[str, Value],
    needs: Iterable[Need],
    conflicts: Iterable[Conflict],
    allowed: Set[Purpose],
    business_date: dt.date,
    figures: Figures,
) -> list[Question]:
    """The most useful questions, at most `questions_max` of them. Nothing that rests on a purpose
    outside `allowed` is asked, and no need that is served or was refused."""
    allowed = {*allowed, "P1_SERVICE"}
    needs = [need for need in needs if need.state in OPEN_STATES]
    told = figures["question_told_days"].value
    all_questions = (
        *_contradictions(conflicts, figures),
        *_suppositions(needs, figures),
        *_gaps(profile, needs, told),
        *_old_answers(profile, told, allowed, business_date),
    )
    askable = (q for q in all_questions if allowed.issuperset(q.needs_consent))
    return list(islice(askable, int(figures["questions_max"].value)))


def _contradictions(conflicts: Iterable[Conflict], figures: Figures) -> Iterator[Question]:
    # Asking about the other checks, as who shares a device, would tip the client off.
    open_checks = figures["question_checks"].value
    for conflict in sorted(conflicts, key=lambda c: (c.result != "FAIL", c.check_id)):
        if conflict.check_id in open_checks:
            yield Question(
                kind="CLOSED",
                reason="CONFLICT",
                about=conflict.check_id,
                needs_consent=_consent(conflict.purposes),
                text_zh=f"{conflict.zh}请问目前的实际情况是?",
                text_en=f"{conflict.en} What is right today?",
            )


def _suppositions(needs: list[Need], figures: Figures) -> Iterator[Question]:
    enough = Decimal(figures["question_score"].value)
    for need in needs:
        if need.state != "HYPOTHESIS" or need.score < enough:
            continue
        zh, en = NEEDS[need.need_code]
        # Who may not know of a need cannot say yes or no to it.
        latent = need.need_class == "LATENT"
        yield Question(
            kind="OPEN" if latent else "CLOSED",
            reason="HYPOTHESIS",
            about=need.need_code,
            needs_consent=need.needs_consent,
            text_zh=f"您对{zh}有什么打算?" if latent else f"{zh}是您目前关心的事吗?",
            text_en=f"What are your plans for {en}?"
            if latent
            else f"Is {en} a concern of yours at present?",
        )


def _gaps(
    profile: Mapping[str, Value],
    needs: list[Need],
    told: Mapping[str, int],
) -> Iterator[Question]:
    """What the size of a need lacks first, then what every client should have told."""
    wanted = {name: inference(need.need_code) for need in needs for name in need.quantity.lacks}
    unknown = {n: purposes_of(v) for n, v in profile.items() if v.null_reason == "UNKNOWN"}
    for name, purposes in {**wanted, **unknown}.items():
        if name not in told:
            continue
        zh, en = name_of(name)
        yield Question(
            kind="OPEN",
            reason="MISSING",
            about=name,
            needs_consent=_consent(purposes),
            text_zh=f"请介绍一下您的{zh}。",
            text_en=f"Please tell us about your {en}.",
        )


def _old_answers(
    profile: Mapping[str, Value],
    told: Mapping[str, int],
    allowed: Set[Purpose],
    business_date: dt.date,
) -> Iterator[Question]:
    for name, days in told.items():
        value = profile.get(name)
        if value is None or value.value is None or value.source_time is None:
            continue
        date = value.source_time.date()
        if is_withheld(value, allowed) or (business_date - date).days <= days:
            continue
        zh, en = name_of(name)
        yield Question(
            kind="CLOSED",
            reason="STALE",
            about=name,
            needs_consent=_consent(purposes_of(value)),
            text_zh=f"您在{date}告诉我们您的{zh}是{value.value},现在仍然如此吗?",
            text_en=f"On {date} you told us that your {en} was {value.value}. Is that still so?",
        )


def _consent(purposes: Iterable[Purpose]) -> tuple[Purpose, ...]:
    return tuple(sorted({*purposes} - {"P1_SERVICE"}))
