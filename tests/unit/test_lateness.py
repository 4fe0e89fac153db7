"""When instalments were paid, against every instalment held against every payment."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable, Iterator
from operator import attrgetter
from pathlib import Path
from typing import Any

import ibis
import pytest

from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.clients.attributes.credit import _lateness
from lifecycle.clients.facts import Facts
from lifecycle.events import Event, decoded
from lifecycle.events.credit import Allocation, RepaymentDue, RepaymentMade
from tests.lakes import ZONE, lake_of
from tests.support import outgoing

START, AS_OF = dt.date(2026, 1, 1), dt.date(2026, 6, 30)
BORROWERS = 300
WEEK = dt.timedelta(days=7)


def life(number: int, chance: random.Random) -> Iterator[Any]:
    """Instalments and payments of one loan: in parts, ahead, late, never, taken back, on one day."""
    loan = f"L{number}"
    for n in range(1, chance.randrange(2, 9)):
        on = START + 4 * n * WEEK
        total = chance.choice(("100.00", "100.01", "33.33"))
        yield RepaymentDue(
            business_date=on,
            facility_id=loan,
            instalment_no=n,
            due_date=on,
            principal=total,
            total=total,
            currency="CNY",
        )
    for n in range(chance.randrange(12)):
        on = START + chance.randrange(30) * WEEK
        amount = chance.choice(("100.00", "33.33", "33.34", "66.67", "250.00"))
        yield RepaymentMade(
            business_date=on,
            facility_id=loan,
            payment_id=f"{loan}-{n}",
            paid_at=dt.datetime.combine(on, dt.time(9), dt.UTC),
            amount=amount,
            currency="CNY",
            allocation=Allocation(principal=amount),
            reversal=chance.random() < 0.15,
        )


@pytest.fixture(scope="module")
def events() -> list[Event]:
    chance = random.Random(1)
    return [
        decoded(outgoing(data, f"C{number}", sequence=n))
        for number in range(BORROWERS)
        for n, data in enumerate(life(number, chance), start=1)
    ]


def expected(events: Iterable[Event]) -> dict[str, tuple[dt.date, int]]:
    """Event id of an instalment -> the day it was paid, and the days that took."""
    known = [e for e in events if e.business_date <= AS_OF]
    found = {}
    for facility in {e.data.facility_id for e in known}:
        own = [e for e in known if e.data.facility_id == facility]
        due = [e for e in own if isinstance(e.data, RepaymentDue)]
        made = [e for e in own if isinstance(e.data, RepaymentMade)]
        made.sort(key=attrgetter("business_date", "time", "id"))
        signed = [float(e.data.amount) * (-1 if e.data.reversal else 1) for e in made]
        owed = 0.0
        for one in due:
            owed += float(one.data.total)
            reaching = [
                e.business_date for n, e in enumerate(made) if sum(signed[: n + 1]) >= owed - 0.005
            ]
            paid_on = min(reaching, default=AS_OF)
            found[one.id] = paid_on, (paid_on - one.data.due_date).days
    return found


def test_it_is_what_every_pair_says(events: list[Event], tmp_path: Path) -> None:
    records = [outgoing(e.data, e.client_id, sequence=e.sequence) for e in events]
    with DuckDBEngine(lake_of(tmp_path / "lake", records)) as engine:
        rows = engine.run(_lateness(Facts(engine, AS_OF, ZONE, frozenset()))).to_pylist()
    found = {row["event_id"]: (row["paid_on"], row["days"]) for row in rows}
    wanted = expected(events)
    assert len(rows) == len(wanted) > BORROWERS
    assert found == wanted
    # Early, on the day, late and never are all there.
    days = [late for _, late in wanted.values()]
    assert min(days) < 0 < max(days)
    assert 0 in days


def test_it_holds_no_instalment_against_every_payment(tmp_path: Path) -> None:
    with DuckDBEngine(lake_of(tmp_path / "lake", [])) as engine:
        derived = _lateness(Facts(engine, AS_OF, ZONE, frozenset()))
        assert "JOIN" not in str(ibis.to_sql(derived, dialect="duckdb"))
