"""The committed JSON Schemas and the catalogue page are what the structs say."""

from __future__ import annotations

from lifecycle.events.catalogue import CATALOGUE
from lifecycle.events.schemas import documents, schema


def test_generated_files_are_current() -> None:
    stale = [path.name for path, text in documents().items() if path.read_text() != text]
    assert stale == [], "run `make schemas`"


def test_money_is_text_in_every_schema() -> None:
    text = str([schema(row) for row in CATALOGUE.values()])
    assert "'type': 'number'" not in text
