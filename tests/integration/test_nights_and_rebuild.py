"""What a night made from what was sealed by then is what a rebuild of its date makes from the whole log:
every row of profiles, observations, standings, facilities and scores.

Three nights in a row; `LIFECYCLE_NIGHTS=30` for a month of them.
"""

from __future__ import annotations

import datetime as dt
import itertools
import os
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from msgspec.structs import replace

from lifecycle import profiling, score_candidates, scoring, standings
from lifecycle.adapters.engines import DuckDBEngine
from lifecycle.adapters.lake import Lake
from lifecycle.alerts.rules import RuleSet
from lifecycle.clients.facts import Facts, end_of
from lifecycle.clients.observation import observations
from lifecycle.clients.summary import document
from lifecycle.events import Event, decoded
from lifecycle.risk.classification import facilities
from lifecycle.sources.simulator import SimulatorSource
from tests.lakes import ZONE

NIGHTS = int(os.environ.get("LIFECYCLE_NIGHTS", "3"))
CLIENTS = 60
FIRST = dt.date(2026, 1, 1)
DAYS = 420
LATE_SHARE = 0.01
LATE_DAYS = 30


def arrivals() -> list[Event]:
    """A bank's facts in the order they are recorded: one in a hundred comes up to thirty days late."""
    bank = SimulatorSource(seed=9, clients=CLIENTS, first_day=FIRST, days=DAYS, timezone=ZONE)
    random, events = Random(9), []
    for event in map(decoded, bank.events(None, None)):
        delay = dt.timedelta(days=random.uniform(1, LATE_DAYS))
        late = delay if random.random() < LATE_SHARE else dt.timedelta()
        events.append(replace(event, recordedtime=event.recordedtime + late))
    return sorted(events, key=lambda event: event.recordedtime)


def night(
    lake: Lake, day: dt.date, earlier: pa.Table | None, rules: RuleSet
) -> tuple[dict[str, Any], pa.Table]:
    """Every table of a night, and the standings the next one starts from."""
    figures = rules.parameters
    with DuckDBEngine(lake) as engine:
        facts = Facts(engine, day, ZONE, frozenset())
        made = list(profiling.make(engine, facts, figures))
        stood = standings.stand(engine, facts, earlier, figures)
        tables = {
            "profile": [row for part in made for row in part.rows.to_pylist()],
            "summaries": [document(s) for part in made for s in part.summaries],
            "observations": engine
            .run(observations(facts, figures))
            .sort_by("client_id")
            .to_pylist(),
            "facilities": engine.run(facilities(facts, figures)).sort_by("facility_id").to_pylist(),
            "scores": scored(engine, facts, made, rules),
            "standings": {client: document(one.after) for client, one in stood.items()},
        }
    rows = {"client_id": list(stood), "standing": list(tables["standings"].values())}
    return tables, pa.table(rows)


def scored(
    engine: DuckDBEngine, facts: Facts, made: list[profiling.Made], rules: RuleSet
) -> list[dict[str, Any]]:
    """Every score of a night, with what it was made of."""
    figures, models = rules.parameters, scoring.Models()
    used = pa.array(score_candidates.attributes_used(figures))
    rows = pa.concat_tables([part.rows for part in made])
    profiles = rows.filter(pc.is_in(rows["name"], used))
    summaries = pa.concat_tables([score_candidates.summary_rows(part.summaries) for part in made])
    found = score_candidates.find(engine, facts, profiles, summaries, frozenset(), models, figures)
    frame = scoring.Frame(facts.business_date, models, figures, rules.hash, {})
    return [row for kind, own in found.candidates.items() for row in scoring.rows(kind, own, frame)]


@pytest.mark.timeout(1800)
def test_a_night_is_what_a_rebuild_of_its_date_gives(tmp_path: Path, rule_set: RuleSet) -> None:
    days = [FIRST + dt.timedelta(days=DAYS - NIGHTS + n) for n in range(NIGHTS)]
    lake, made, earlier = Lake(tmp_path / "lake"), {}, None
    position, numbered = itertools.count(1), iter(arrivals())
    pending = next(numbered, None)
    for seal, day in enumerate(days):
        sealed = []
        while pending is not None and pending.recordedtime < end_of(day, ZONE):
            sealed.append((next(position), pending))
            pending = next(numbered, None)
        assert sealed, "every day brings facts"
        lake.append(sealed, seal_id=seal, version=seal)
        made[day], earlier = night(lake, day, earlier, rule_set)
    rest = [(next(position), event) for event in itertools.chain([pending], numbered) if event]
    assert rest, "some facts of these days come later"
    lake.append(rest, seal_id=NIGHTS, version=NIGHTS)

    earlier, moved = None, 0
    for day in days:
        rebuilt, earlier = night(lake, day, earlier, rule_set)
        for name, rows in made[day].items():
            assert rebuilt[name] == rows, (day, name)
        moved += rebuilt["profile"] != made[days[0]]["profile"]
    assert moved == NIGHTS - 1, "a day changes profiles"
