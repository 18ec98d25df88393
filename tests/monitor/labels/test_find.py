"""Crops by id, file, pattern, hole, camera or time: real files, a real database, no model."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from monitor.crops.loader import CropReader
from monitor.errors import DataError, InputMissingError
from monitor.labels.find import LARGEST_ID, Found, Selection, find_selected
from monitor.store import decisions
from tests.monitor.labels.conftest import START, crop, crop_row

if TYPE_CHECKING:
    import os
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from monitor.crops.loader import FileContent
    from monitor.store.database.engine import Database

READER = CropReader(max_bytes=1000, max_pixels=1000)


def find(connection: Connection, *targets: object) -> list[int]:
    """The ids of the crops that targets mean."""
    return [one.id for one in find_all(connection, *targets).crops]


def find_all(connection: Connection, *targets: object) -> Found:
    return find_selected(connection, READER, Selection([str(target) for target in targets]))


def store(connection: Connection, path: Path, content: bytes = b"content", *, failed: bool = False) -> None:
    """Store a file as a crop, whether or not it is there."""
    row = crop_row("", hashlib.sha256(content).hexdigest(), failed=failed)
    decisions.record(connection, [row._replace(path=str(path))])


def test_an_id_is_a_crop_that_was_scored(connection: Connection) -> None:
    ids = [crop(connection, "a"), crop(connection, "b"), crop(connection, "c", failed=True)]
    assert find(connection, ids[1], ids[0]) == [ids[1], ids[0]]
    for unknown in (99, LARGEST_ID, LARGEST_ID + 1, 10**30):
        with pytest.raises(InputMissingError, match=f"there is no crop with the id {unknown}; check the number"):
            find(connection, ids[0], unknown)
    with pytest.raises(DataError, match=rf"crop {ids[2]} \(/inbox/c\) could not be scored \(truncated\)"):
        find(connection, ids[2])


def test_a_file_is_found_by_its_content_before_its_path(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second, copy = (tmp_path / name for name in ("first.jpg", "second.jpg", "copy.jpg"))
    store(connection, first, b"one")
    store(connection, second, b"two")
    first.write_bytes(b"two")
    copy.write_bytes(b"one")
    assert find(connection, first, "copy.jpg", second, "second.jpg") == [2, 1, 2, 2]
    second.write_bytes(b"three")
    with pytest.raises(InputMissingError, match=r"second.jpg: has changed since it was scored, and its present"):
        find(connection, second)
    copy.write_bytes(b"three")
    with pytest.raises(InputMissingError, match=r"copy.jpg: its content is not known; score it first"):
        find(connection, copy)


def test_files_are_read_before_the_database_is(database: Database, tmp_path: Path) -> None:
    """What a transaction has read stays in SQLite's log until it ends, and a share may take hours to answer."""
    paths = [tmp_path / "first.jpg", tmp_path / "second.jpg"]
    with database.write() as connection:
        for path in paths:
            path.write_bytes(path.name.encode())
            store(connection, path, path.name.encode())
    statements: list[str] = []
    before_reading: list[int] = []
    event.listen(database.engine, "before_cursor_execute", lambda *occasion: statements.append(occasion[2]))

    class Reader(CropReader):
        def load(self, path: str | os.PathLike[str]) -> FileContent:
            before_reading.append(sum(one.startswith("SELECT") for one in statements))
            return super().load(path)

    selection = Selection(["2", *map(str, paths), "*first*"])
    with database.read() as connection:
        found = find_selected(connection, Reader(max_bytes=1000, max_pixels=1000), selection)
    assert [one.id for one in found.crops] == [2, 1, 2, 1]
    assert before_reading == [0, 0]


def test_a_failed_crop_of_a_file_cannot_be_labelled(connection: Connection, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"broken")
    store(connection, path, b"broken", failed=True)
    with pytest.raises(DataError, match="could not be scored"):
        find(connection, path)
    path.unlink()
    with pytest.raises(DataError, match="could not be scored"):
        find(connection, path)


def test_a_path_that_several_crops_have_had_needs_an_id(connection: Connection, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    store(connection, path, b"one")
    store(connection, path, b"two", failed=True)
    assert find(connection, path) == [1]
    store(connection, path, b"three")
    with pytest.raises(DataError, match="2 crops have had this path one after another; name one by its id: 1, 3"):
        find(connection, path)


def test_what_is_not_there_or_cannot_be_read_is_said(connection: Connection, tmp_path: Path) -> None:
    with pytest.raises(InputMissingError, match="there is no such file, and no crop has this path"):
        find(connection, tmp_path / "missing.jpg")
    with pytest.raises(InputMissingError, match="cannot be read: it is not a regular file"):
        find(connection, tmp_path)


def test_patterns_match_stored_paths_and_names(
    connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here [1]").mkdir()
    monkeypatch.chdir(tmp_path / "here [1]")
    for name in ("1_CAM_A.jpg", "1_CAM_B.jpg", "2_CAM_A.jpg"):
        store(connection, tmp_path / "here [1]" / "sub" / name, name.encode())
    store(connection, tmp_path / "elsewhere.jpg", b"", failed=True)
    assert find(connection, "*_CAM_A.jpg") == [1, 3]
    assert find(connection, "[12]_CAM_?.jpg") == [1, 2, 3]
    assert find(connection, f"{tmp_path}/*") == [1, 2, 3]
    assert find(connection, "sub/2*") == find(connection, "./sub/2*") == [3]
    found = find_all(connection, 3, "1_*", "*_B.jpg")
    assert ([one.id for one in found.crops], found.unnamed) == ([3, 1, 2], 2)
    with pytest.raises(InputMissingError, match=r"\*_CAM_C\*: no scored crop has a path or file name that matches"):
        find(connection, "*_CAM_A*", "*_CAM_C*")


def test_a_file_whose_name_is_a_pattern_is_a_file(connection: Connection, tmp_path: Path) -> None:
    path = tmp_path / "odd[1].jpg"
    path.write_bytes(b"one")
    store(connection, path, b"one")
    found = find_all(connection, path)
    assert ([one.id for one in found.crops], found.unnamed) == ([1], 0)


def test_without_targets_the_conditions_choose(connection: Connection) -> None:
    for number, (hole, camera, hours) in enumerate([(1, "A", 0), (1, "B", 1), (2, "A", 2), (None, "B\n", None)]):
        at = None if hours is None else START + timedelta(hours=hours)
        row = crop_row(f"{number}", None)._replace(hole=hole, camera=camera and camera.replace("\n", "\\n"))
        decisions.record(connection, [row._replace(captured_at=at, seen_at=START + timedelta(days=1))])
    crop(connection, "failed", failed=True)

    def chosen(selection: Selection) -> list[int]:
        found = find_selected(connection, READER, selection)
        assert found.unnamed == len(found.crops)
        return [one.id for one in found.crops]

    assert chosen(Selection()) == [1, 2, 3, 4]
    assert chosen(Selection(hole=1)) == [1, 2]
    assert chosen(Selection(hole=1, camera="A")) == [1]
    assert chosen(Selection(camera="B\n")) == [4]
    assert chosen(Selection(since=START + timedelta(hours=1), until=START + timedelta(hours=2))) == [2]
    assert chosen(Selection(since=START + timedelta(hours=3))) == [4]  # its name has no time
    with pytest.raises(InputMissingError, match="no scored crop has this hole, camera and time"):
        chosen(Selection(hole=3))
