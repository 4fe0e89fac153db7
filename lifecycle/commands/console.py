"""How every command speaks: one JSON document on stdout, or text for people; the rest on stderr."""

from __future__ import annotations

import datetime as dt
import os
import pwd
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console

from lifecycle.errors import UsageError

# No emoji: `urn:bank:schema` is a name, not a picture.
out = Console(emoji=False)
err = Console(stderr=True, emoji=False)

AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


encode = msgspec.json.Encoder(order="sorted", decimal_format="string").encode
"""A document as JSON bytes, the way every command prints it."""


def print_json(document: Any) -> None:
    """Print one JSON document: dates and decimals as text."""
    print(encode(document).decode())


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
