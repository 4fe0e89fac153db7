"""The tree of failures, named by what the caller must do.

    LifecycleError
    ├── UsageError          the person asked for something that cannot be; exit 2
    ├── NotRunning          a part of the platform is not there; exit 3
    │   └── OutcomeUnknown  it went away in a commit that may have come through
    ├── AnswerIsNo          the check ran and the answer is no; exit 1
    ├── GateFailed          a critical expectation failed; what follows is blocked; exit 1
    ├── Fenced              another owner holds the partitions; roll back, re-read, go on
    ├── Tripped             mostly refused records: stop these partitions where they stand
    └── OffsetImpossible    the stored offset cannot be served; stop, name the range; exit 3

Every message is one sentence that says what is wrong, where, and what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lifecycle.ports import Stop


class LifecycleError(Exception):
    """Base of every failure this package raises on purpose; `exit_code` is the command's status."""

    exit_code = 1


class UsageError(LifecycleError):
    """Bad usage or bad input. Never retry."""

    exit_code = 2


class NotRunning(LifecycleError):
    """A part of the platform does not answer. Start it, then retry."""

    exit_code = 3


class OutcomeUnknown(NotRunning):
    """The database went away in a commit: it may have come through. Undo nothing on a guess."""


class AnswerIsNo(LifecycleError):
    """The question was answered, and the answer is no."""


class GateFailed(LifecycleError):
    """A critical expectation failed: do not pass the data on."""


class Fenced(LifecycleError):
    """The offset row moved under us: roll back, re-read the rows and seek."""


class Tripped(LifecycleError):
    """A batch brings mostly records that the inbox refuses: stop its partitions, store nothing."""

    def __init__(self, stops: Sequence[Stop]) -> None:
        super().__init__("; ".join(f"{s.topic}/{s.partition}: {s.reason}" for s in stops))
        self.stops = stops


class OffsetImpossible(LifecycleError):
    """The stored offset is before the log start or past its end. Stop; a person decides."""

    exit_code = 3
