"""The labelled folder: real files, a real database, no model."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from monitor.files.looks import Looks
from monitor.files.text import to_text
from monitor.labels.folder import LabelledFolder
from monitor.store.labelled_files import all_files, take_labelled
from monitor.words import Label
from tests.monitor.labels.conftest import crop_row

if TYPE_CHECKING:
    from monitor.store.database.engine import Database


@pytest.fixture
def labelled(tmp_path: Path) -> LabelledFolder:
    """An empty labelled folder."""
    for label in Label:
        (tmp_path / "labelled" / label.value / "sub").mkdir(parents=True)
    return LabelledFolder(tmp_path / "labelled")


def put(folder: LabelledFolder, name: str, content: str = "a picture") -> str:
    path = folder.folder / name
    path.write_text(content, encoding="utf-8")
    return str(path)


def remember(database: Database, path: str, label: Label, *, reason: str | None = None) -> None:
    """Store what the file looks like now."""
    looks = Looks.of(os.lstat(path)).stored
    row = crop_row("", path[-30:], source="labelled", failed=reason is not None)._replace(
        path=to_text(path), reason=reason, **looks._asdict()
    )
    with database.write() as connection:
        take_labelled(connection, [(label.value, row)])


def remembered(database: Database) -> list[str]:
    with database.read() as connection:
        return sorted(row.path for row in all_files(connection))


def test_the_first_folder_below_is_the_label(labelled: LabelledFolder, caplog: pytest.LogCaptureFixture) -> None:
    assert labelled.label_of(f"{labelled.folder}/proliv/a.jpg") is Label.PROLIV
    assert labelled.label_of(f"{labelled.folder}/ne_proliv/sub/proliv/a.jpg") is Label.NE_PROLIV
    assert caplog.text == ""
    for name in ("a.jpg", "b.jpg", "proliv", "sub/proliv/a.jpg", "sub/proliv/b.jpg"):
        assert labelled.label_of(f"{labelled.folder}/{name}") is None
    assert caplog.text.count("is neither in proliv/ nor in ne_proliv/ of") == 2  # one warning for each folder


def test_only_what_is_new_or_changed_is_unknown(labelled: LabelledFolder, database: Database) -> None:
    known, changed, moved, unreadable, broken = (
        put(labelled, f"proliv/{name}.jpg") for name in ("known", "changed", "moved", "unreadable", "broken")
    )
    for path in (known, changed):
        remember(database, path, Label.PROLIV)
    remember(database, moved, Label.NE_PROLIV)
    remember(database, unreadable, Label.PROLIV, reason="unreadable")
    remember(database, broken, Label.PROLIV, reason="truncated")
    put(labelled, "proliv/changed.jpg", "another picture")
    new = put(labelled, "ne_proliv/sub/new.jpg")
    stray = put(labelled, "stray.jpg")
    paths = [known, changed, moved, unreadable, broken, new, stray]
    assert labelled.unknown(database, paths) == [changed, moved, unreadable, new]


def test_gone_files_are_forgotten(labelled: LabelledFolder, database: Database) -> None:
    stays, goes = put(labelled, "proliv/stays.jpg"), put(labelled, "ne_proliv/sub/goes.jpg")
    remember(database, stays, Label.PROLIV)
    remember(database, goes, Label.NE_PROLIV)
    Path(goes).unlink()
    counted: list[None] = []
    assert labelled.forget_gone(database, lambda: counted.append(None)) == 1
    assert (remembered(database), len(counted)) == ([stays], 1)
    assert labelled.forget_gone(database) == 0


def test_nothing_is_forgotten_of_a_folder_that_cannot_be_seen(
    labelled: LabelledFolder, database: Database, tmp_path: Path
) -> None:
    path = put(labelled, "proliv/a.jpg")
    remember(database, path, Label.PROLIV)
    away = tmp_path / "unmounted"
    labelled.folder.rename(away)
    assert labelled.forget_gone(database) == 0
    labelled.folder.mkdir()  # an empty mount point
    assert labelled.forget_gone(database) == 0
    labelled.folder.rmdir()
    labelled.folder.touch()  # a file in its place
    assert labelled.forget_gone(database) == 0
    assert remembered(database) == [path]


def test_what_looks_like_a_label_folder_and_is_none_is_warned_of(
    labelled: LabelledFolder, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    labelled.warn_of_links()
    assert caplog.text == ""
    for label in Label:
        (labelled.folder / label.value).rename(tmp_path / label.value)
    (labelled.folder / "proliv").symlink_to(tmp_path / "proliv")
    (labelled.folder / "ne_proliv").write_text("crops go here")
    labelled.warn_of_links()
    assert "labelled/proliv: is a link, which is not followed" in caplog.text
    assert "labelled/ne_proliv: is not a folder" in caplog.text
