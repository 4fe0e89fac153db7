"""How every command speaks: one JSON document on stdout, or text for people; the rest on stderr."""

from __future__ import annotations

import datetime as dt
import os
import pwd
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lifecycle.errors import UsageError

UNBROKEN = 10_000
"""Columns of a pipe or a file: a line there is for `grep`, and nothing has to fit a screen."""


def _console(*, stderr: bool) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or "COLUMNS" in os.environ else UNBROKEN
    # No emoji: `urn:bank:schema` is a name, not a picture.
    return Console(stderr=stderr, emoji=False, width=width)


out = _console(stderr=False)
err = _console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


encode = msgspec.json.Encoder(order="sorted", decimal_format="string").encode
"""A document as JSON bytes, the way every command prints it."""


def print_json(document: Any) -> None:
    """Print one JSON document: dates and decimals as text."""
    print(encode(document).decode())


def new_table(*columns: str, title: str | None = None) -> Table:
    """A table that folds what is too long: an id with its end cut off is of no use."""
    made = Table(title=title)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def plain(text: str) -> str:
    """What others wrote, for a terminal: neither markup nor control characters do anything."""
    return escape(printable(text))


def printable(value: str | bytes) -> str:
    """Text, or bytes as the text they most likely are, with what is not text as escapes."""
    text = value if isinstance(value, str) else value.decode(errors="backslashreplace")
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def day(text: str | None) -> dt.date | None:
    """A date option: YYYY-MM-DD."""
    if text is None:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is not a date: write it as YYYY-MM-DD.") from None


def one_of(option: str, text: str | None, words: Sequence[str]) -> str | None:
    """An option that takes one word of a closed list, in any case."""
    if text is None:
        return None
    for word in words:
        if text.casefold() == word.casefold():
            return word
    raise UsageError(f"{option} {text!r} is none of {', '.join(words)}.")


def log_in_name() -> str:
    """Who is at the keyboard, as the system knows it: what decides between two people must not be
    what one of them typed, or put into an environment variable."""
    number = os.getuid()
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        raise UsageError(
            f"The system has no name for user {number}, so nobody could say who decided: give that "
            "user a name, or decide in Airflow."
        ) from None
