"""What the bank and a client say to each other: contacts, needs and complaints, as tags."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from lifecycle.events import interaction as it
from lifecycle.sources.simulator.diary import Diary

TOPICS = ("RATES", "FEES", "CARDS", "TRANSFERS", "INVESTMENT", "LOANS", "INSURANCE")
NEEDS = {
    "INDIVIDUAL": (
        "EDU_SAVING",
        "RETIREMENT",
        "DIVERSIFY",
        "LIQUIDITY",
        "CASH_MGMT",
        "FINANCING",
        "PROTECTION",
    ),
    "CORPORATE": ("WORKING_CAPITAL", "CASH_MGMT", "FX_HEDGE", "FINANCING"),
}
_TYPES: tuple[Literal["CALL", "MEETING", "VISIT", "CHAT", "BRANCH"], ...] = (
    "CALL",
    "MEETING",
    "VISIT",
    "CHAT",
    "BRANCH",
)
_QUESTIONS: tuple[Literal["OPEN", "CLOSED", "GUIDED"], ...] = ("OPEN", "CLOSED", "GUIDED")
NEED_MENTIONED, NEED_DECLARED = 0.4, 0.15
"""The share of contacts in which a need comes up, and in which the client asks for something."""
DUE_AFTER = dt.timedelta(days=15)
Severity = Literal["LOW", "MEDIUM", "HIGH"]


def talk(diary: Diary, day: dt.date, client_type: str) -> None:
    """A contact takes place: topics, a mood, perhaps a need."""
    random = diary.random
    need = random.choice(NEEDS[client_type])
    mentioned: tuple[it.NeedMentioned, ...] = ()
    contact = f"{diary.client_id}-I{day:%Y%m%d}"
    if diary.chance(NEED_MENTIONED):
        strength = random.randrange(1, 4)
        mentioned = (
            it.NeedMentioned(
                need_code=need,
                strength=strength,
                need_class="EXPLICIT" if strength == 3 else "IMPLICIT",
                verbatim_ref=f"CRM/{contact}",
            ),
        )
    second = random.randrange(9 * 3600, 17 * 3600)
    diary.add(
        second,
        it.InteractionLogged(
            business_date=day,
            client_id=diary.client_id,
            interaction_id=contact,
            type=random.choice(_TYPES),
            question_type=random.choice(_QUESTIONS),
            topics=tuple(random.sample(TOPICS, random.randrange(1, 3))),
            needs_mentioned=mentioned,
            sentiment=f"{min(max(random.gauss(0.2, 0.4), -1), 1):.2f}",
            channel="RM",
        ),
    )
    if diary.chance(NEED_DECLARED):
        diary.add(
            second + 60,
            it.NeedDeclared(
                business_date=day,
                client_id=diary.client_id,
                need_id=f"{diary.client_id}-N{day:%Y%m%d}",
                need_code=need,
                strength=random.randrange(1, 4),
                horizon_months=random.choice((6, 12, 36, 120)),
                verbatim_ref=f"CRM/{contact}",
                channel="RM",
            ),
        )


def attempt(diary: Diary, day: dt.date, *, reached: bool) -> None:
    """The bank calls; at most once a day."""
    diary.add(
        10 * 3600,
        it.ContactAttempted(
            business_date=day,
            client_id=diary.client_id,
            attempt_id=f"{diary.client_id}-Y{day:%Y%m%d}",
            type="CALL",
            reached=reached,
            channel="PHONE",
        ),
    )


def complain(diary: Diary, day: dt.date, severity: Severity) -> None:
    """The client's one complaint."""
    diary.add(
        13 * 3600,
        it.ComplaintRaised(
            business_date=day,
            client_id=diary.client_id,
            complaint_id=f"{diary.client_id}-C1",
            category="FEES",
            severity=severity,
            due_at=day + DUE_AFTER,
        ),
    )


def answer(diary: Diary, day: dt.date) -> None:
    """The complaint is answered."""
    diary.add(
        15 * 3600,
        it.ComplaintResolved(
            business_date=day,
            client_id=diary.client_id,
            complaint_id=f"{diary.client_id}-C1",
            outcome="EXPLAINED",
        ),
    )
