"""Stories of borrowers who stop paying: money grows short months before the first instalment is missed."""

from __future__ import annotations

import datetime as dt

from lifecycle.sources.simulator.individuals import Individual
from lifecycle.sources.simulator.leaving import send

SHORT_DAYS = 150
"""How long before the first missed instalment money grows short."""
GOES = (700, 950)
"""Parts of a thousand of the balance that go elsewhere each month from then on."""


def stops_paying(client: Individual) -> None:
    """Less stays in the account every month; the loan is paid until the story begins."""
    part = client.diary.random.randrange(*GOES)

    def go(day: dt.date) -> None:
        send(client.account, day, part)

    # Three days after the income, which comes on the fifteenth at the latest.
    client.on(-SHORT_DAYS, lambda day: client.monthly(day, client.pay_day + 3, go))
