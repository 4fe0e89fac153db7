"""How client and bank talk."""

from __future__ import annotations

from typing import Any

from lifecycle.events import interaction
from tests.unit.attributes.bank import Bank, Client, day


def cases(bank: Bank) -> None:
    _contacts(bank)
    _complaints(bank)
    _goals(bank)


def met(client: Client, on: str, **fields: Any) -> str:
    return client.add(
        interaction.InteractionLogged,
        on,
        interaction_id=f"{client.name}-{len(client.bank.facts)}",
        type="CALL",
        **fields,
    )


def _contacts(bank: Bank) -> None:
    # Four contacts since 1 January: two by phone, one at a branch, one on the web.
    # Moods 0.5, -0.2 and 0.6: 0.9/3 = 0.30. The one of December counts for the last contact only.
    talker = bank.person("talker")
    met(talker, "2025-12-31", channel="RM", sentiment="-1", topics=("OLD",))
    felt = [
        met(talker, "2026-01-01", channel="PHONE", sentiment="0.5", topics=("LOAN", "CARD")),
        met(talker, "2026-02-01", channel="PHONE", sentiment="-0.2", topics=("LOAN",)),
        met(talker, "2026-02-10", channel="BRANCH", sentiment="0.6"),
    ]
    mute = met(talker, "2026-03-01", channel="WEB")
    talker.expect("channel_mix", "BRANCH:0.2500;PHONE:0.5000;WEB:0.2500", *felt, mute)
    talker.expect("sentiment_90d", "0.30", *felt)
    talker.expect("topics_90d", "CARD;LOAN")
    silent = bank.person("silent")
    last = met(silent, "2025-12-31", channel="RM", sentiment="0.1", topics=("OLD",))
    silent.expect("last_interaction_at", "2025-12-31", last)
    silent.lacks("channel_mix", "sentiment_90d", "topics_90d")
    topical = bank.person("topical")
    said = met(topical, "2026-03-01", topics=("FUND",))
    topical.expect("topics_90d", "FUND", said)


def _complaints(bank: Bank) -> None:
    angry = bank.person("angry")

    def complain(number: str, on: str) -> str:
        return angry.add(
            interaction.ComplaintRaised,
            on,
            complaint_id=number,
            category="FEES",
            severity="LOW",
            due_at=day("2026-04-30"),
        )

    complain("angry-1", "2026-01-01")
    waits = complain("angry-2", "2026-02-01")
    angry.add(
        interaction.ComplaintResolved, "2026-01-20", complaint_id="angry-1", outcome="SETTLED"
    )
    angry.expect("open_complaints", "1", waits)
    content = bank.person("content")
    content.expect("open_complaints", "0", content.registration)


def _goals(bank: Bank) -> None:
    # Up to 36 months are near; who named no time said neither near nor far.
    wishful = bank.person("wishful")

    def wish(code: str, on: str, months: int | None) -> str:
        return wishful.add(
            interaction.NeedDeclared,
            on,
            need_id=f"wishful-{code}",
            need_code=code,
            strength=2,
            horizon_months=months,
        )

    wish("CAR", "2024-03-31", 12)
    wishes = (
        wish("HOME", "2024-04-01", 36),
        wish("PENSION", "2026-03-01", 37),
        wish("TRAVEL", "2026-03-02", None),
    )
    wishful.expect("goals", "FAR:PENSION;NEAR:HOME;OPEN:TRAVEL", *wishes)
