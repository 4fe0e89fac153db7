"""The files of a backup: copied with their digests, on disk before they count, checked before use.

A backup appears under its name only when it is complete; a lake is exchanged whole.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lifecycle.backup import MANIFEST, FileFacts
from lifecycle.errors import OutcomeUnknown, UsageError

Progress = Callable[[str], None]
"""Called with what is being done now."""

_BLOCK = 2**20


def files_of(folder: Path) -> list[str]:
    """Every file below a folder, as slash-separated paths, sorted; none when there is no folder."""
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file())


def digest(path: Path) -> FileFacts:
    """Size and sha256 of a file."""
    with path.open("rb") as file:
        sha = hashlib.file_digest(file, "sha256")
    return FileFacts(path.stat().st_size, sha.hexdigest())


def copy_folder(source: Path, target: Path, progress: Progress) -> dict[str, FileFacts]:
    """Copy all files, each on disk when this returns; path -> facts of what was written."""
    names = files_of(source)
    target.mkdir(parents=True, exist_ok=True)
    found = {}
    for number, name in enumerate(names, start=1):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        found[name] = _copy(source / name, target / name)
        progress(f"lake: {number:,} of {len(names):,} files")
    _sync_folders(target)
    return found


def _copy(source: Path, target: Path) -> FileFacts:
    sha, size = hashlib.sha256(), 0
    with source.open("rb") as read, target.open("wb") as write:
        while block := read.read(_BLOCK):
            sha.update(block)
            size += len(block)
            write.write(block)
        write.flush()
        os.fsync(write.fileno())
    return FileFacts(size, sha.hexdigest())


def sealed_files(folder: Path, progress: Progress) -> dict[str, FileFacts]:
    """Facts of all files of a folder, each brought to disk."""
    found = {}
    names = files_of(folder)
    for number, name in enumerate(names, start=1):
        with (folder / name).open("rb") as file:
            os.fsync(file.fileno())
        found[name] = digest(folder / name)
        progress(f"digests: {number:,} of {len(names):,} files")
    _sync_folders(folder)
    return found


def _sync_folders(folder: Path) -> None:
    for path in (folder, *(p for p in folder.rglob("*") if p.is_dir())):
        sync_folder(path)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def unfinished(into: Path, name: str) -> Iterator[Path]:
    """A folder of a temporary name that takes `name` when the block ends well, else goes away.

    Raises UsageError when a backup of that name is there already, or nothing can be put there.
    """
    target, temporary = into / name, into / f".unfinished-{name}"
    if target.exists():
        raise UsageError(f"{target} is there already: wait a second, or say another --to FOLDER.")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        into.mkdir(parents=True, exist_ok=True)
        temporary.mkdir(mode=0o700)  # it holds personal data
    except OSError as error:
        raise UsageError(
            f"No backup can be put into {into} ({error.strerror}): say another --to FOLDER."
        ) from error
    try:
        yield temporary
        sync_folder(temporary)
        temporary.rename(target)
        sync_folder(into)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def write_synced(path: Path, content: bytes) -> None:
    """Write a file that is on disk when this returns."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def read_manifest(folder: Path) -> bytes:
    """The manifest's bytes. Raises UsageError when the folder is no backup."""
    try:
        return (folder / MANIFEST).read_bytes()
    except OSError as error:
        raise UsageError(
            f"{folder} is not a backup: there is no {MANIFEST} in it; name a folder that "
            "`lifecycle backup` made; nothing was changed."
        ) from error


def facts_of(
    folder: Path, names: Mapping[str, FileFacts], progress: Progress
) -> dict[str, FileFacts]:
    """Facts of those of the named files that exist."""
    found = {}
    for number, name in enumerate(sorted(names), start=1):
        if (folder / name).is_file():
            found[name] = digest(folder / name)
        progress(f"check: {number:,} of {len(names):,} files")
    return found


class LakeExchange:
    """The lake and the one that takes its place. While the old one still stands beside the new,
    the exchange is not finished."""

    def __init__(self, lake: Path) -> None:
        self._lake = lake
        self._new = lake.with_name(f"{lake.name}.restored")
        self._old = lake.with_name(f"{lake.name}.before")

    def prepare(self, source: Path, progress: Progress) -> dict[str, FileFacts]:
        """Copy a backup's lake beside the one in use."""
        shutil.rmtree(self._new, ignore_errors=True)
        return copy_folder(source, self._new, progress)

    @contextmanager
    def exchanged(self) -> Iterator[None]:
        """The prepared lake in place; the old one is back when the block fails, and kept beside it
        when nobody knows whether it failed."""
        if self._old.exists():  # an exchange was interrupted: what stands in place is of no use
            shutil.rmtree(self._lake, ignore_errors=True)
        else:
            self._lake.mkdir(parents=True, exist_ok=True)
            self._lake.rename(self._old)
        self._new.rename(self._lake)
        sync_folder(self._lake.parent)
        try:
            yield
        except OutcomeUnknown:
            raise
        except BaseException:
            self._lake.rename(self._new)
            self._old.rename(self._lake)
            raise
        shutil.rmtree(self._old)
        sync_folder(self._lake.parent)

    def discard(self) -> None:
        """Forget what was prepared."""
        shutil.rmtree(self._new, ignore_errors=True)

    def check_finished(self) -> None:
        """Raises UsageError when lake and database may be of different moments."""
        if self._old.exists():
            raise UsageError(
                f"A restore was interrupted while it exchanged the lake ({self._old} is still "
                "there): run `lifecycle down`, then `lifecycle restore FOLDER` again."
            )
