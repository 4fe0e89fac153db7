"""Fit an attrition model. The only part of attrition that needs the extra `models`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lifecycle.errors import UsageError
from lifecycle.risk.attrition_score import Knot, Model, Term, Values

LEAVERS_MIN = 30
"""Fewer say nothing of twelve features."""
FOLDS = 5
STRENGTH = 1.0
"""Inverse of the penalty on weights; scikit-learn's own default."""
CUT = (0.01, 0.99)


def fit(
    rows: Sequence[Values],
    left: Sequence[bool],
    clients: Sequence[str],
    features: Sequence[str],
    fitted_on: dict[str, Any],
) -> Model:
    """A model of which rows left. Rows of one client stay in one fold, in which its calibration is told
    from models that never saw it.

    Raises UsageError when scikit-learn is not installed, or too few left.
    """
    try:
        from sklearn.isotonic import IsotonicRegression
        from sklearn.linear_model import LogisticRegression
        from sklearn.model_selection import GroupKFold, cross_val_predict
    except ImportError as error:
        raise UsageError(
            "Fitting a model needs scikit-learn: install the extra `lifecycle[models]`."
        ) from error
    leavers = sum(left)
    if not LEAVERS_MIN <= leavers <= len(left) - LEAVERS_MIN:
        raise UsageError(
            f"{leavers} of {len(left)} rows left; a model needs at least {LEAVERS_MIN} of either kind: "
            "take a larger bank or more dates."
        )
    terms = [_term(name, [row.get(name) for row in rows]) for name in features]
    matrix = np.array([[term.log_odds(row.get(term.feature)) for term in terms] for row in rows])
    outcome = np.array(left, dtype=int)
    regression = LogisticRegression(C=STRENGTH, max_iter=1_000)
    folds = cross_val_predict(
        regression,
        matrix,
        outcome,
        groups=np.array(clients),
        cv=GroupKFold(FOLDS),
        method="decision_function",
    )
    # No row is sure: half a leaver among as many as were seen.
    least = 0.5 / len(outcome)
    isotonic = IsotonicRegression(y_min=least, y_max=1 - least, out_of_bounds="clip")
    isotonic.fit(folds, outcome)
    regression.fit(matrix, outcome)
    weights = regression.coef_[0]
    return Model(
        intercept=float(regression.intercept_[0]),
        terms=tuple(
            Term(t.feature, float(w), t.low, t.high, t.mean, t.scale, t.missing)
            for t, w in zip(terms, weights, strict=True)
        ),
        knots=_knots(isotonic.X_thresholds_, isotonic.y_thresholds_),
        fitted_on=fitted_on | {"rows": len(left), "left": leavers, "clients": len(set(clients))},
    )


def _term(name: str, values: Sequence[float | None]) -> Term:
    """How a feature is cut off and standardised; of weight one, so that its log-odds are the result."""
    known = np.array([value for value in values if value is not None] or [0.0])
    low, high = np.quantile(known, CUT)
    missing = float(np.median(known))
    filled = np.array([missing if value is None else value for value in values])
    cut = np.clip(filled, low, high)
    spread = float(cut.std())
    return Term(name, 1.0, float(low), float(high), float(cut.mean()), spread or 1.0, missing)


def _knots(at: Sequence[float], probabilities: Sequence[float]) -> tuple[Knot, ...]:
    """The steps of the calibration; of equal log-odds the last one."""
    unique = dict(zip(map(float, at), map(float, probabilities), strict=True))
    return tuple(Knot(x, y) for x, y in sorted(unique.items()))
