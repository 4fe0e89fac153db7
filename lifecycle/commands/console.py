"""How every command speaks: one JSON document on stdout, or text for people; the rest on stderr."""

from __future__ import annotations

import datetime as dt
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
