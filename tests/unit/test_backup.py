"""A backup describes itself; what is damaged, incomplete or of another schema is refused whole."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import msgspec
import pytest

from lifecycle.adapters import backup_files as files
from lifecycle.adapters.backup import check
from lifecycle.adapters.postgres import newest_revision
from lifecycle.backup import MANIFEST, VERSION, Manifest, Offset, Replay, replays
from lifecycle.errors import OutcomeUnknown, UsageError

WHEN = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
PLACE = ("bank.account.v1", 0)


def nothing(now: str) -> None:
    """Progress nobody looks at."""


@pytest.fixture
def backup(tmp_path: Path) -> Path:
    """A folder with two files and the manifest that names them."""
    folder = tmp_path / "backup"
    for name in ("database/toc.dat", "lake/account.opened/part-0.parquet"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(name.encode() * 1_000)
    found = {
        name: files.digest(folder / name) for name in files.files_of(folder) if name != MANIFEST
    }
    write(folder, Manifest(VERSION, "1", newest_revision(), WHEN, WHEN, [], {}, found))
    return folder


def write(folder: Path, manifest: Manifest) -> None:
    (folder / MANIFEST).write_bytes(msgspec.json.encode(manifest))


def manifest_of(folder: Path) -> Manifest:
    return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)


def test_a_whole_backup_is_taken(backup: Path) -> None:
    assert check(backup, nothing) == manifest_of(backup)


def test_a_folder_without_a_manifest_is_no_backup(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not a backup"):
        check(tmp_path, nothing)


def test_a_changed_byte_is_found(backup: Path) -> None:
    path = backup / "lake/account.opened/part-0.parquet"
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"lake/account\.opened/part-0\.parquet is damaged"):
        check(backup, nothing)


def test_a_missing_file_is_named(backup: Path) -> None:
    (backup / "database/toc.dat").unlink()
    with pytest.raises(UsageError, match=r"database/toc\.dat is missing"):
        check(backup, nothing)


def test_a_cut_manifest_is_damaged(backup: Path) -> None:
    text = (backup / MANIFEST).read_bytes()
    (backup / MANIFEST).write_bytes(text[: len(text) // 2])
    with pytest.raises(UsageError, match=r"manifest\.json is damaged"):
        check(backup, nothing)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema_revision": "0001"}, "schema revision 0001"),
        ({"version": VERSION + 1}, f"has format {VERSION + 1}"),
    ],
)
def test_another_schema_or_format_is_refused(
    backup: Path, change: dict[str, object], said: str
) -> None:
    write(backup, msgspec.structs.replace(manifest_of(backup), **change))
    with pytest.raises(UsageError, match=said):
        check(backup, nothing)


def test_a_backup_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), files.unfinished(tmp_path, "one") as folder:
        (folder / "half").write_text(str(1 / 0))
    assert list(tmp_path.iterdir()) == []
    with files.unfinished(tmp_path, "one") as folder:
        assert not (tmp_path / "one").exists()
    assert (tmp_path / "one").is_dir()
    assert (tmp_path / "one").stat().st_mode & 0o077 == 0
    with pytest.raises(UsageError, match="there already"), files.unfinished(tmp_path, "one"):
        raise AssertionError("it must not begin")


def test_a_folder_that_takes_no_backup_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(UsageError, match=r"No backup can be put into .*file"),
        files.unfinished(tmp_path / "file", "now"),
    ):
        pass


def lake_of(folder: Path, text: str) -> Path:
    (folder / "table").mkdir(parents=True)
    (folder / "table" / "file").write_text(text)
    return folder


def exchange(tmp_path: Path) -> files.LakeExchange:
    lake_of(tmp_path / "lake", "in use")
    made = files.LakeExchange(tmp_path / "lake")
    made.prepare(lake_of(tmp_path / "backup", "saved"), nothing)
    return made


def test_a_lake_is_exchanged_whole(tmp_path: Path) -> None:
    with exchange(tmp_path).exchanged(), pytest.raises(UsageError, match="interrupted"):
        files.LakeExchange(tmp_path / "lake").check_finished()
    assert (tmp_path / "lake/table/file").read_text() == "saved"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["backup", "lake"]
    files.LakeExchange(tmp_path / "lake").check_finished()


def test_a_lake_stays_when_the_database_does(tmp_path: Path) -> None:
    made = exchange(tmp_path)
    with pytest.raises(RuntimeError), made.exchanged():
        raise RuntimeError("the database did not change its name")
    made.discard()
    assert (tmp_path / "lake/table/file").read_text() == "in use"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["backup", "lake"]


def test_a_lake_is_marked_when_nobody_knows_what_became_of_the_database(tmp_path: Path) -> None:
    made = exchange(tmp_path)
    with pytest.raises(OutcomeUnknown), made.exchanged():
        raise OutcomeUnknown("the answer to COMMIT never came")
    made.discard()
    assert (tmp_path / "lake/table/file").read_text() == "saved"
    with pytest.raises(UsageError, match="interrupted"):
        files.LakeExchange(tmp_path / "lake").check_finished()


def test_an_interrupted_exchange_is_finished_by_the_next_restore(tmp_path: Path) -> None:
    (tmp_path / "lake.before").mkdir()
    made = exchange(tmp_path)
    with made.exchanged():
        pass
    assert (tmp_path / "lake/table/file").read_text() == "saved"
    assert not (tmp_path / "lake.before").exists()


def test_what_will_be_read_again() -> None:
    topics = {PLACE[0]: "one"}

    def stored(offset: int, topic_id: str | None = "one") -> list[Offset]:
        return [Offset("group", *PLACE, offset, topic_id)]

    for known in ("one", None):
        found = replays(stored(3, known), {PLACE: 0}, {PLACE: 10}, topics)
        assert found == [Replay(*PLACE, 3, 10, 7, None)]
    (late,) = replays(stored(3), {PLACE: 5}, {PLACE: 10}, topics)
    assert late.records == 5
    assert late.problem is not None
    assert "3..4 are lost" in late.problem
    (past_end,) = replays(stored(30), {PLACE: 0}, {PLACE: 10}, topics)
    assert past_end.records == 0
    assert past_end.problem is not None
    assert "past the log's end" in past_end.problem
    (made_anew,) = replays(stored(3, "two"), {PLACE: 0}, {PLACE: 10}, topics)
    assert made_anew.problem is not None
    assert "made anew" in made_anew.problem
    (new,) = replays([], {PLACE: 0}, {PLACE: 10}, topics)
    assert new == Replay(*PLACE, 0, 10, 10, None)
