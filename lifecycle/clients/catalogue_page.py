"""docs/attributes.md: every attribute of the profile, from the functions that derive them."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator

from lifecycle.clients.attribute import Attribute
from lifecycle.clients.attributes import ATTRIBUTES
from lifecycle.clients.labels import ATTRIBUTES as LABELS
from lifecycle.clients.labels import SECTIONS
from lifecycle.settings import ROOT

PAGE = ROOT / "docs" / "attributes.md"
_HEAD = """# Attributes of the profile

Made by `make schemas` from `lifecycle/clients/attributes/`; [profile.md](profile.md) says how to read them.
A value without a source does not exist; where there is none, `null_reason` says why. *Purpose*: what the
client must allow (P1_SERVICE needs no consent). *Sure* is the confidence of the method, 0 to 1.
"""
_COLUMNS = ("attribute", "中文", "what it is", "unit", "purpose", "of", "sure")


def page() -> str:
    """The whole page."""
    return "\n".join([_HEAD, *(part for section in SECTIONS for part in _section(section))])


def _section(section: str) -> Iterator[str]:
    zh, en = SECTIONS[section]
    yield f"## {en} ({zh})\n"
    rows = [_row(a) for a in ATTRIBUTES.values() if a.section == section]
    yield "\n".join(
        f"| {' | '.join(cells)} |" for cells in (_COLUMNS, ("---",) * len(_COLUMNS), *rows)
    )
    yield ""


def _row(attribute: Attribute) -> tuple[str, ...]:
    told = " ".join((inspect.getdoc(attribute.derive) or "").split())
    of = "all" if len(attribute.clients) > 1 else attribute.clients[0].lower()
    return (
        f"`{attribute.name}`",
        LABELS[attribute.name][0],
        told,
        attribute.unit,
        attribute.purpose,
        of,
        f"{attribute.confidence:g}",
    )


def main() -> None:
    """Write the page, or with --check compare; exit 1 when it is not current."""
    text = page()
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return
    if "--check" in sys.argv:
        sys.exit(f"{PAGE.name} is not current: run `make schemas`.")
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
