"""How far tonight's clients are from those a scorecard was made for.

The reference is the artefact itself: how the scores of development were spread, and how many of its rows
each bin had.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from lifecycle.models import metrics
from lifecycle.models.artefact import Stored
from lifecycle.models.binning import places
from lifecycle.models.metrics import Floats
from lifecycle.models.scorecard import Characteristic, Scorecard
from lifecycle.models.scoring import by_scorecard
from lifecycle.models.table import column_of, conform


class Drift(NamedTuple):
    """What was measured of the clients of a night."""

    scored: int
    psi: float
    """Population stability index of the score."""
    csi: dict[str, float]
    """Feature -> characteristic stability index: the same of its bins."""
    mean_pd: float


def drift(stored: Stored[Scorecard], table: pa.Table) -> Drift:
    """Measure a table with the card's columns, one row a client. Raises UsageError when a column is not
    there, or is of another kind."""
    card = stored.model
    scored = by_scorecard(card, table)
    now = stored.development.spread(np.asarray(scored["score"]).astype(float))
    return Drift(
        scored=table.num_rows,
        psi=metrics.psi(stored.development.shares, now),
        csi={c.name: _csi(c, table) for c in card.characteristics},
        mean_pd=float(np.asarray(scored["pd"]).mean()),
    )


def _csi(c: Characteristic, table: pa.Table) -> float:
    rows = np.array([own.rows for own in c.all_bins()], dtype=float)
    return metrics.psi(list(rows / rows.sum()), _spread(c, table))


def _spread(c: Characteristic, table: pa.Table) -> Floats:
    """Rows of each bin, then missing, then (categories only) the rest."""
    column = column_of(conform(table, {c.name: c.kind})[c.name])
    assert column is not None  # `conform` gives numbers or text
    cuts = np.array([own.below for own in c.bins if own.below is not None])
    groups = tuple(own.values for own in c.bins) if c.kind == "category" else ()
    place = places(column, cuts, groups)
    return np.bincount(place, minlength=len(c.all_bins())).astype(float)
