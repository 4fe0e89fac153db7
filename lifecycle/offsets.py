"""Whether a stored offset can be served by the broker's log; exact ranges where it cannot. Pure."""

from __future__ import annotations


def problem(place: tuple[str, int], stored: int | None, log_start: int, log_end: int) -> str | None:
    """None when reading may go on, else one sentence with the range and the command that decides.

    `stored` is the next offset to read, None when there is no row; the log holds the offsets
    [log_start, log_end).
    """
    topic, partition = place
    where = f"{topic} partition {partition}"
    decide = f"`lifecycle offsets set {topic} {partition} OFFSET --reason ...`"
    if stored is None:
        return (
            f"{where} has no offset row, so nothing says what of {log_start:,}..{log_end - 1:,} was "
            "read: restore the database, or run `lifecycle bootstrap` to start it at the log's "
            "beginning."
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
