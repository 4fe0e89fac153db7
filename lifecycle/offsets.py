"""Whether a stored offset can be served by the broker's log; exact ranges where it cannot. Pure."""

from __future__ import annotations


def is_other_topic(stored: str | None, now: str | None) -> bool:
    """Whether a name stands for another topic than the one a stored offset counts in, by the
    broker's ids of both; what is not known is no other one."""
    return None not in (stored, now) and stored != now


def problem(
    place: tuple[str, int],
    stored: int | None,
    log_start: int,
    log_end: int,
    *,
    made_anew: bool = False,
) -> str | None:
    """None when reading may go on, else one sentence with the range and the command that decides.

    `stored` is the next offset to read, None when there is no row; the log holds the offsets
    [log_start, log_end); `made_anew` says that it is the log of another topic of the same name.
    """
    where, decide = _names(place)
    topic = place[0]
    if stored is None:
        return (
            f"{where} has no offset row, so nothing says what of {log_start:,}..{log_end - 1:,} was "
            "read: restore the database, or run `lifecycle bootstrap` to start it at the log's "
            "beginning."
        )
    if made_anew:
        return (
            f"{where}: the topic was deleted and made anew after its next offset {stored:,} was "
            f"stored, and nothing of the new one's {log_end - log_start:,} records was read: "
            f"`lifecycle offsets set {topic} all beginning --reason ...`; what was read before is "
            "recognised."
        )
    if stored < log_start:
        return (
            f"{where}: the {log_start - stored:,} records {stored:,}..{log_start - 1:,} are lost, "
            f"retention passed them before they were read: accept the loss with {decide} "
            f"({log_start:,}), or put them back into the topic's source."
        )
    if stored > log_end:
        return (
            f"{where}: the stored next offset {stored:,} is {stored - log_end:,} past the log's end "
            f"{log_end:,}, so the topic was made anew or lost its end: if its records have to be "
            f"read, {decide} (0); what was read before is recognised."
        )
    return None


def damaged(place: tuple[str, int], first: int, behind: int) -> str:
    """The sentence for records [first, behind) that the log holds and nobody can read."""
    where, decide = _names(place)
    return (
        f"{where}: the {behind - first:,} records {first:,}..{behind - 1:,} are damaged in the "
        f"broker's log, their checksum fails: put the log back from a copy and resume, or give "
        f"them up with {decide} ({behind:,})."
    )


def cut(place: tuple[str, int], stored: int, kept: int | None) -> str:
    """The sentence for a log that lost its end at `kept` (None: unknown) and has grown again."""
    where, decide = _names(place)
    since = f"from {kept:,} on" if kept is not None else "in part"
    return (
        f"{where}: the log lost its end after it was read up to {stored - 1:,}, and holds other "
        f"records now {since}: if they have to be read, {decide} ({kept or 0:,}); what was read "
        "before is recognised."
    )


def _names(place: tuple[str, int]) -> tuple[str, str]:
    """What a partition is called, and the command that decides about it."""
    topic, partition = place
    return (
        f"{topic} partition {partition}",
        f"`lifecycle offsets set {topic} {partition} OFFSET --reason ...`",
    )
