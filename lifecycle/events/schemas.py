"""JSON Schemas and the catalogue page, generated from the event structs.

`python -m lifecycle.events.schemas` writes them; `--check` only says whether they are current.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec

from lifecycle.events.catalogue import CATALOGUE, SOURCE_TOPICS, EventType
from lifecycle.settings import ROOT

SCHEMAS = ROOT / "docs" / "events"
PAGE = SCHEMAS / "README.md"


def documents() -> dict[Path, str]:
    """Path -> text of every generated file."""
    pages = {
        SCHEMAS / f"{row.name}.json": json.dumps(schema(row), indent=2, ensure_ascii=False) + "\n"
        for row in CATALOGUE.values()
    }
    return {**pages, PAGE: _page()}


def schema(row: EventType) -> dict[str, Any]:
    """JSON Schema (2020-12) of the `data` of one event type."""
    (body,), parts = msgspec.json.schema_components([row.data], ref_template="#/$defs/{name}")
    name = row.data.__name__
    own = parts.pop(name) if "$ref" in body else body
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": row.dataschema,
        **own,
        **({"$defs": parts} if parts else {}),
    }


_COLUMNS = ("type", "fields", "business key", "introduces", "refers to", "what happened")


def _page() -> str:
    lines = [
        "# Event catalogue",
        "",
        "Generated from the structs in `lifecycle/events/` by `make schemas`; do not edit.",
        "Every event is a CloudEvents 1.0 envelope in structured mode; the tables name the fields of",
        "its `data`. Money is decimal text, never a JSON number, with no more decimals than its currency",
        "has. Currencies are those of ISO 4217, countries those of ISO 3166-1. Fields in *italics* are",
        "optional. A fact that *refers to* something waits until the fact that *introduces* it came.",
        "",
    ]
    for topic in SOURCE_TOPICS:
        rows = [row for row in CATALOGUE.values() if row.topic == topic]
        if rows:
            lines += [f"## {topic}", "", f"| {' | '.join(_COLUMNS)} |"]
            lines += [f"|{' --- |' * len(_COLUMNS)}", *(_line(row) for row in rows), ""]
    return "\n".join(lines)


def _line(row: EventType) -> str:
    required = set(schema(row).get("required", ()))
    names = [field.name for field in msgspec.structs.fields(row.data)]
    fields = ", ".join(name if name in required else f"*{name}*" for name in names)
    what = (row.data.__doc__ or "").splitlines()[0]
    link = f"[{row.name}]({row.name}.json)"
    introduces, refers_to = (place[0] if place else "" for place in (row.introduces, row.refers_to))
    key = " + ".join(row.business_key)
    return f"| {link} | {fields} | {key} | {introduces} | {refers_to} | {what} |"


def main() -> None:
    """Write, or with --check compare; exit 1 when a file is not current."""
    wanted = documents()
    stale = [path for path, text in wanted.items() if not path.exists() or path.read_text() != text]
    if "--check" in sys.argv:
        if stale:
            sys.exit(f"{len(stale)} generated files are not current: run `make schemas`.")
        return
    SCHEMAS.mkdir(parents=True, exist_ok=True)
    for path in stale:
        path.write_text(wanted[path], encoding="utf-8")


if __name__ == "__main__":
    main()
