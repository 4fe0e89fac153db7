"""A scorecard written by hand, and rows that hit its bins and their edges."""

from __future__ import annotations

from hypothesis import strategies as st

from lifecycle.models.calibration import Calibration
from lifecycle.models.figures import Figures, Text
from lifecycle.models.scorecard import Bin, Characteristic, Scorecard


def one(points: int, rows: int = 10, **own) -> Bin:
    return Bin(points=points, woe=points / 10, rows=rows, bads=1, **own)


def card(figures: Figures) -> Scorecard:
    number = Characteristic(
        name="load",
        kind="number",
        trend="descending",
        iv=0.4,
        coefficient=0.9,
        bins=(one(300, below=0.5), one(250, below=2), one(90)),
        missing=one(250),
        rest=None,
        text=Text("负担重", "heavy load"),
    )
    word = Characteristic(
        name="home",
        kind="category",
        trend="none",
        iv=0.2,
        coefficient=0.8,
        bins=(one(260, values=("own", "true")), one(220, values=("rent", "1"))),
        missing=one(225),
        rest=one(100),
        text=figures.text("home"),
    )
    second = Characteristic(
        name="age",
        kind="number",
        trend="ascending",
        iv=0.1,
        coefficient=0.5,
        bins=(one(30, below=0), one(80)),
        missing=one(50),
        rest=None,
        text=Text("年轻", "young"),
    )
    return Scorecard(
        figures.scale, figures.ratings, Calibration(0.1, 0.9), 2.0, (number, word, second)
    )


NUMBERS = st.one_of(
    st.none(),
    st.sampled_from([0.5, 2.0, 0.0, -0.0, float("nan"), float("inf"), float("-inf")]),
    st.floats(-5, 5),
)
WORDS = st.one_of(st.none(), st.sampled_from(["", "own", "rent", "boat", "OWN", "1", "家"]))
ROWS = st.fixed_dictionaries({"load": NUMBERS, "home": WORDS, "age": NUMBERS})
