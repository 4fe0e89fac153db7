"""The needs of a client, from what it said, what it does and what its profile shows.

    profile, mentions -> evidence -> score        answers -> state        profile -> quantity -> text

Pure: the same facts, figures and date give the same needs (product specification §2.7).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Set
from decimal import Context, localcontext

import msgspec

from lifecycle.clients.attribute import Figures, Value
from lifecycle.clients.needs.evidence import clues_found, mentions_found, score
from lifecycle.clients.needs.inputs import Inputs, Missing
from lifecycle.clients.needs.need import (
    NEEDS_OF,
    OPEN_STATES,
    Answer,
    Evidence,
    Mention,
    Need,
    NeedCode,
    Quantity,
    inference,
)
from lifecycle.clients.needs.quantity import quantity_of
from lifecycle.clients.needs.question import Conflict, Question, questions
from lifecycle.clients.needs.state import standing
from lifecycle.clients.needs.text import sentences
from lifecycle.events.fields import ClientType, Purpose

__all__ = ["Answer", "Conflict", "Mention", "Need", "Question", "needs_of", "questions"]

EVIDENCES_SHOWN = 3
_CLASSES = ("EXPLICIT", "IMPLICIT", "LATENT")


def needs_of(
    client_type: ClientType,
    currency: str,
    profile: Mapping[str, Value],
    mentions: Iterable[Mention],
    answers: Iterable[Answer],
    allowed: Set[Purpose],
    business_date: dt.date,
    figures: Figures,
) -> list[Need]:
    """The needs of one client as of a date, the strongest first.

    `allowed` are the purposes that hold on the date: without P2_PROFILE only what the client itself
    said is left, and no quantity. What is dated after the business date is not seen.
    """
    mentions = [m for m in mentions if m.time.date() <= business_date]
    answers = [a for a in answers if a.time.date() <= business_date]
    allowed = {*allowed, "P1_SERVICE"}

    def inputs() -> Inputs:
        return Inputs(profile, figures, allowed, currency)

    found = []
    # The caller's decimal context must not change a score.
    with localcontext(Context(prec=34)):
        for code in NEEDS_OF[client_type]:
            need = _need(
                code,
                inputs,
                _once([m for m in mentions if m.need_code == code]),
                [a for a in answers if a.need_code == code],
                allowed,
                business_date,
                figures,
            )
            if need is not None:
                found.append(need)
    return sorted(found, key=lambda need: (-need.score, need.need_code))


def _need(
    code: NeedCode,
    inputs: Callable[[], Inputs],
    mentions: list[Mention],
    answers: list[Answer],
    allowed: Set[Purpose],
    business_date: dt.date,
    figures: Figures,
) -> Need | None:
    inferable = inference(code) <= allowed
    evidences = list(mentions_found(code, mentions, allowed, figures, business_date))
    if inferable:
        evidences += clues_found(code, inputs, figures, business_date)
    evidences = sorted((e for e in evidences if e.weight), key=_strongest_first)
    first_seen = min((e.date for e in evidences), default=business_date)
    now = standing(mentions, answers, first_seen, business_date, figures)
    # What was answered to a need that was inferred would give the inference away.
    answered = inferable and now.state != "HYPOTHESIS"
    if not evidences and not answered:
        return None
    size = quantity_of(code, inputs()) if inferable else Quantity(null_reason="NOT_CONSENTED")
    need = Need(
        need_code=code,
        score=score(e.weight for e in evidences),
        need_class=evidences[0].need_class if evidences else None,
        state=now.state,
        since=now.since,
        suppressed_until=now.until,
        offer=now.state in OPEN_STATES and (code != "FINANCING" or _bearable(inputs())),
        evidences=tuple(evidences[:EVIDENCES_SHOWN]),
        quantity=size,
        needs_consent=_consent(code, evidences, size),
        text_zh="",
        text_en="",
    )
    zh, en = sentences(need)
    return msgspec.structs.replace(need, text_zh=zh, text_en=en)


def _once(mentions: list[Mention]) -> list[Mention]:
    """The strongest mention of each event: what was said twice in one talk was said once."""
    weakest_first = sorted(mentions, key=lambda m: (m.need_class == "EXPLICIT", m.strength))
    return list({mention.event_id: mention for mention in weakest_first}.values())


def _strongest_first(evidence: Evidence) -> tuple[object, ...]:
    place = _CLASSES.index(evidence.need_class)
    return -evidence.weight, place, evidence.code, evidence.date, evidence.source_event_ids


def _bearable(x: Inputs) -> bool:
    try:
        return x.number_or_none_held("dsti") < x.decimal("need_offer_dsti")
    except Missing:
        return False


def _consent(code: NeedCode, evidences: list[Evidence], size: Quantity) -> tuple[Purpose, ...]:
    purposes = size.purposes.union(*(evidence.purposes for evidence in evidences))
    if not evidences:
        purposes |= inference(code)
    return tuple(sorted(purposes - {"P1_SERVICE"}))
