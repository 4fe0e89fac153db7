"""Take a backup, and put one back: database and lake of one moment, all of it or nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from lifecycle.adapters import backup_files as files
from lifecycle.adapters.backup_database import Moment, Program, Progress, Replacement, moment
from lifecycle.adapters.postgres import newest_revision
from lifecycle.backup import DATABASE, LAKE, MANIFEST, VERSION, Manifest, differences, read
from lifecycle.errors import UsageError


def take(
    database_url: str,
    lake: Path,
    into: Path,
    *,
    program: Program,
    code_version: str,
    progress: Progress,
) -> tuple[Path, Manifest]:
    """Make a backup in a new folder below `into`, named by its moment; return it."""
    with moment(database_url, progress) as seen:
        name = seen.taken_at().strftime("%Y-%m-%dT%H-%M-%SZ")
        with files.unfinished(into, name) as folder:
            manifest = _fill(folder, seen, lake, program, code_version, progress)
            text = msgspec.json.format(msgspec.json.encode(manifest), indent=1)
            files.write_synced(folder / MANIFEST, text)
    return into / name, manifest


def _fill(
    folder: Path,
    seen: Moment,
    lake: Path,
    program: Program,
    code_version: str,
    progress: Progress,
) -> Manifest:
    progress("database: counting")
    tables = seen.rows()
    seen.dump(folder / DATABASE, program, len(tables), progress)
    written = {
        DATABASE: files.sealed_files(folder / DATABASE, progress),
        LAKE: files.copy_folder(lake, folder / LAKE, progress),
    }
    return Manifest(
        version=VERSION,
        code_version=code_version,
        schema_revision=seen.revision(),
        taken_at=seen.taken_at(),
        # Asked last: had the session, and with it the night's lock, been lost, this would say so.
        finished_at=seen.now(),
        offsets=seen.offsets(),
        tables=tables,
        files={f"{part}/{name}": f for part, found in written.items() for name, f in found.items()},
    )


def check(folder: Path, progress: Progress) -> Manifest:
    """The manifest of a whole backup that this code can restore. Raises UsageError, else."""
    manifest = read(files.read_manifest(folder), str(folder), newest_revision())
    wrong = differences(manifest.files, files.facts_of(folder, manifest.files, progress))
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise UsageError(
            f"The backup {folder} is not whole ({', '.join(wrong[:3])}{more}): restore another "
            "one; nothing was changed."
        )
    return manifest


def put_back(
    database_url: str,
    lake: Path,
    folder: Path,
    manifest: Manifest,
    *,
    program: Program,
    progress: Progress,
    agreed: Callable[[], None],
) -> None:
    """Load both beside what is in use, then exchange both.

    `agreed` is called before anything is written; it raises when the person says no. Until the
    exchange nothing in use is touched; when it fails, both are as they were.
    """
    replacement, exchange = Replacement(database_url), files.LakeExchange(lake)
    replacement.check_unused()
    agreed()
    try:
        replacement.load(folder / DATABASE, program, manifest.tables, progress)
        prefix = f"{LAKE}/"
        copied = exchange.prepare(folder / LAKE, progress)
        wrong = differences(
            {n.removeprefix(prefix): f for n, f in manifest.files.items() if n.startswith(prefix)},
            copied,
        )
        if wrong:
            raise UsageError(f"{wrong[0]} while it was copied from {folder}; nothing was changed.")
        replacement.check_unused()
        progress("exchange")
        with exchange.exchanged():
            replacement.exchange()
    finally:
        exchange.discard()
        replacement.drop()
