"""A file that took the place of a decided one is read, whatever its size and time; one that is the same is not."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, update

from monitor.configuration.file import load
from monitor.crops.reader import Reader
from monitor.files.looks import look
from monitor.files.text import to_text
from monitor.scoring.ensemble import Ensemble
from monitor.scoring.lookup import new, undecided, unknown
from monitor.scoring.pipeline import score
from monitor.scoring.record import record as record_batches
from monitor.store.database.engine import Database
from monitor.store.database.schema import crops
from monitor.store.decisions import record
from tests.support.batches import model
from tests.support.disks import as_nobody, replace_like, sha256
from tests.support.stored_crops import crop, decided, decision, failed, make_active
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from monitor.store.decisions import CropRow


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(f"sqlite:///{tmp_path / 'monitor.db'}", busy_seconds=30)
    upgrade(opened)
    with opened.write() as connection:
        make_active(connection, "1")
    yield opened
    opened.close()


@pytest.fixture
def path(tmp_path: Path, database: Database) -> Path:
    """A decided file."""
    (tmp_path / "inbox").mkdir()
    path = tmp_path / "inbox" / "1.jpg"
    path.write_bytes(b"one")
    store(database, path, decided("1.jpg", "0", decision(1, 1))._replace(sha256=sha256(path)))
    return path


def store(database: Database, path: Path, row: CropRow) -> None:
    looks = look(path)
    assert looks is not None
    with database.write() as connection:
        record(connection, [row._replace(path=to_text(path), **looks.stored._asdict())])


def rows(database: Database) -> list[tuple[str, str, bool]]:
    """State, content and whether the change time is known, of every crop."""
    with database.read() as connection:
        query = select(crops.c.state, crops.c.sha256, crops.c.inode.is_not(None)).order_by(crops.c.id)
        return [(state, content, bool(known)) for state, content, known in connection.execute(query)]


def as_an_older_program_left_it(database: Database) -> None:
    with database.write() as connection:
        connection.execute(update(crops).values(ctime_ns=None, inode=None))


def overwrite(path: Path, content: bytes) -> None:
    """In place, as a camera with a fixed name does, or `rsync --inplace -t`."""
    status = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("replace", [replace_like, overwrite])
@pytest.mark.parametrize("older", [False, True], ids=["this program", "an older program"])
def test_another_content_of_the_same_size_and_time_is_read(
    database: Database, path: Path, replace: Callable[[Path, bytes], None], older: bool
) -> None:
    if older:
        as_an_older_program_left_it(database)
    assert new(database, [str(path)]) == []
    replace(path, b"two")
    assert new(database, [str(path)]) == [str(path)]
    assert unknown(database, [str(path)], model_ids=[1])[0] == [str(path)]
    assert undecided(database, [str(path)]) == [str(path)]


def touch_permissions(path: Path) -> None:
    path.chmod(0o600)


def rename_and_back(path: Path) -> None:
    path.rename(path.with_name("2.jpg")).rename(path)


def copy_over(path: Path) -> None:
    replace_like(path, b"one")


@pytest.mark.parametrize("change", [touch_permissions, rename_and_back, copy_over])
@pytest.mark.parametrize("older", [False, True], ids=["this program", "an older program"])
def test_the_same_content_is_no_second_crop(
    database: Database, path: Path, change: Callable[[Path], None], older: bool
) -> None:
    before = sha256(path)
    if older:
        as_an_older_program_left_it(database)
    change(path)
    assert new(database, [str(path)]) == []
    assert rows(database) == [("scored", before, True)]
    # From then on it is known without being read.
    read: list[None] = []
    assert new(database, [str(path)], alive=lambda: read.append(None)) == []
    assert read == []
    assert list(unknown(database, [str(path)], model_ids=[1])[1]) == [str(path)]


def test_a_content_that_comes_back_is_the_crop_that_it_was(database: Database, path: Path) -> None:
    first = sha256(path)
    replace_like(path, b"two")
    store(database, path, decided("1.jpg", "0", decision(1, 1))._replace(sha256=sha256(path)))
    assert new(database, [str(path)]) == []
    replace_like(path, b"one")
    assert new(database, [str(path)]) == []
    (stored,) = unknown(database, [str(path)], model_ids=[1])[1].values()
    assert stored.crop.sha256 == first


def test_a_folder_that_was_closed_leaves_no_second_row(database: Database, path: Path, tmp_path: Path) -> None:
    with as_nobody(tmp_path):
        path.parent.chmod(0o600)  # it can be listed, but nothing in it can be looked at
        assert new(database, [str(path)]) == []
        # By hand, it is said that the file cannot be read; no row says so.
        assert unknown(database, [str(path)], model_ids=[1])[0] == [str(path)]
        with database.write() as connection:
            blind = failed(crop("1.jpg"), "unreadable")._replace(sha256="", size_bytes=0, mtime_ns=0)
            assert record(connection, [blind._replace(path=to_text(path))]).failed == set()
        path.parent.chmod(0o700)
    assert len(rows(database)) == 1


def test_a_file_that_may_not_be_read_for_a_while_leaves_none_either(
    database: Database, path: Path, tmp_path: Path
) -> None:
    with as_nobody(tmp_path):
        path.chmod(0)
        assert new(database, [str(path)]) == []
        store(database, path, failed(crop("1.jpg"), "unreadable")._replace(sha256=""))
        path.chmod(0o600)
    assert new(database, [str(path)]) == []
    assert len(rows(database)) == 1


def test_second_rows_of_older_programs_go(database: Database, path: Path) -> None:
    with database.write() as connection:
        row = {"path": to_text(path), "sha256": "", "size_bytes": 0, "mtime_ns": 0, "state": "failed"}
        connection.execute(crops.insert(), {**row, "reason": "unreadable", "seen_at": crop("").seen_at})
    assert len(rows(database)) == 2
    assert new(database, [str(path)]) == []
    assert len(rows(database)) == 1


def test_an_unreadable_file_that_is_another_is_recorded(database: Database, path: Path) -> None:
    replace_like(path, b"longer than before")
    store(database, path, failed(crop("1.jpg"), "unreadable")._replace(sha256=""))
    assert [state for state, *_ in rows(database)] == ["scored", "failed"]


@pytest.mark.parametrize("reason", ["unreadable", "detector_error"])
def test_a_failure_that_may_be_over_is_not_tried_at_every_scan(database: Database, tmp_path: Path, reason: str) -> None:
    path = tmp_path / "bad.jpg"
    path.write_bytes(b"bad")
    content = "" if reason == "unreadable" else sha256(path)
    store(database, path, failed(crop("bad.jpg"), reason)._replace(sha256=content))
    assert new(database, [str(path)], again=True) == [str(path)]
    assert new(database, [str(path)], again=False) == []
    if reason == "unreadable":
        path.chmod(0o640)
        assert new(database, [str(path)], again=False) == [str(path)]


@pytest.mark.parametrize("refused", ["empty", "symlink", "too_large", "not_a_file"])
def test_what_comes_in_the_place_of_a_refused_file_while_its_row_waits_is_read(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: str
) -> None:
    """A locked database may hold the row up for minutes."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "inbox" / "1.jpg"
    path.parent.mkdir()
    if refused == "symlink":
        path.symlink_to("elsewhere.jpg")
    elif refused == "not_a_file":
        os.mkfifo(path)
    else:
        path.write_bytes(b"" if refused == "empty" else bytes(100))
    monkeypatch.setenv("MONITOR__CROPS__MAX_BYTES", "99")
    batch = score(Reader(load()).read([path]), Ensemble((model(1),), "primary"))
    assert batch.refusals[0].reason == refused
    path.unlink()
    path.write_bytes(b"another one")
    record_batches(database, [batch])
    assert new(database, [str(path)], again=False) == [str(path)]


def test_a_refused_file_that_stays_is_not_read_again(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "empty.jpg"
    path.touch()
    record_batches(database, [score(Reader(load()).read([path]), Ensemble((model(1),), "primary"))])
    assert new(database, [str(path)], again=False) == []
