"""A simulated bank, seeded: the same seed gives the same bytes. Every event is marked synthetic.

Each client lives by its own random stream, so a client's life depends neither on how many others
there are nor on how many days are simulated. Client number modulo 50 decides which story is
planted, so the smallest bank has them all. The truth goes to a label file, never into an event.
`docs/sources.md` has the distributions.
"""

from lifecycle.sources.simulator.laundering import LAUNDERING
from lifecycle.sources.simulator.source import SimulatorSource
from lifecycle.sources.simulator.stories import (
    LEAVING,
    LENDING,
    STORIES,
    STRAINED,
    Label,
    Story,
)

__all__ = [
    "LAUNDERING",
    "LEAVING",
    "LENDING",
    "STORIES",
    "STRAINED",
    "Label",
    "SimulatorSource",
    "Story",
]
