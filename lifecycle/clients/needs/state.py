"""How far a need has come. The last thing the client said or did about it decides:

HYPOTHESIS -> CONFIRMED -> ADDRESSED
     ^            v
     +-------- REJECTED   (back to a hypothesis when the suppression ends)
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import NamedTuple

from lifecycle.clients.attribute import Figures
from lifecycle.clients.needs.need import Answer, Mention, NeedState

_STATE: dict[str, NeedState] = {
    "CONFIRMED": "CONFIRMED",
    "DECLINED": "REJECTED",
    "SOLD": "ADDRESSED",
}
_RANK = list(_STATE)
"""What counts as the later one of two answers of one instant."""


class Standing(NamedTuple):
    """The state of a need, since when, and until when it must rest."""

    state: NeedState
    since: dt.date
    until: dt.date | None = None


def standing(
    mentions: Iterable[Mention],
    answers: Iterable[Answer],
    first_seen: dt.date,
    business_date: dt.date,
    figures: Figures,
) -> Standing:
    """The state as of a date. What the client itself says firmly enough confirms a need, and after
    a refusal or a sale opens it again."""
    firm = int(figures["need_confirming_strength"].value)
    moves = [(answer.time, _RANK.index(answer.kind), answer.kind) for answer in answers]
    moves += [
        (mention.time, _RANK.index("CONFIRMED"), "CONFIRMED")
        for mention in mentions
        if mention.need_class == "EXPLICIT" and mention.strength >= firm
    ]
    if not moves:
        return Standing("HYPOTHESIS", first_seen)
    time, _, kind = max(moves)
    state, since = _STATE[kind], time.date()
    if state != "REJECTED":
        return Standing(state, since)
    until = since + dt.timedelta(days=int(figures["need_rejected_days"].value))
    if business_date < until:
        return Standing(state, since, until)
    return Standing("HYPOTHESIS", until)
