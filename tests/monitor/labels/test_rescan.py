"""A rescan of the labelled folder: real files, a real database, a trained model."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from monitor.configuration.file import load
from monitor.crops.loader import CropReader
from monitor.crops.reader import Reader
from monitor.errors import CropRefusedError
from monitor.labels import labels
from monitor.labels.folder import LabelledFolder
from monitor.labels.rescan import Rescanned
from monitor.scoring.pipeline import score
from monitor.scoring.record import record
from monitor.store.labelled_files import known_files
from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from tests.monitor.labels.conftest import Home


def test_a_rescan_takes_over_what_is_new_once(
    home: Home, pictures: Sequence[Path], caplog: pytest.LogCaptureFixture
) -> None:
    scored = home.folder / "other" / "scored.jpg"
    scored.parent.mkdir()
    shutil.copyfile(pictures[0], scored)
    home.score(scored)
    known = home.labelled / "proliv" / "known.jpg"
    new = home.labelled / "ne_proliv" / "sub" / "new.jpg"
    new.parent.mkdir()
    shutil.copyfile(pictures[0], known)
    for path in (new, new.with_name("twin.jpg")):
        shutil.copyfile(pictures[1], path)
    bad = home.labelled / "proliv" / "bad.jpg"
    bad.write_bytes(pictures[2].read_bytes()[:500])
    shutil.copyfile(pictures[3], home.labelled / "stray.jpg")
    assert home.rescan() == Rescanned(new=3, unreadable=1, gone=0)
    assert home.crops()[0] == (str(scored), "folder")
    assert [source for _, source in home.crops()] == ["folder", "labelled"]
    assert sorted(home.labels()) == [(1, "proliv"), (2, "ne_proliv")]
    assert len(home.files()) == 4
    assert caplog.text.count("bad.jpg: ") == 1
    assert caplog.text.count("stray.jpg: is neither in proliv/ nor in ne_proliv/ of") == 1
    caplog.clear()
    assert home.rescan() == Rescanned(0, 0, 0)
    assert "bad.jpg" not in caplog.text
    shutil.copyfile(pictures[2], bad)
    known.unlink()
    assert home.rescan() == Rescanned(new=1, unreadable=0, gone=1)
    assert len(home.labels()) == 3
    with home.database.read() as connection:
        assert known_files(connection, [str(bad)])[str(bad)].reason is None


def test_without_a_folder_nothing_is_done(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(home.labelled)
    assert home.rescan() == Rescanned(0, 0, 0)
    monkeypatch.setenv("MONITOR__PATHS__LABELLED", "")
    home.configuration = load()
    assert home.rescan() == Rescanned(0, 0, 0)


def test_the_newest_folder_counts_and_a_moved_file_is_no_contradiction(home: Home, pictures: Sequence[Path]) -> None:
    first = home.labelled / "ne_proliv" / "a.jpg"
    shutil.copyfile(pictures[0], first)
    home.rescan()
    first.rename(home.labelled / "proliv" / "a.jpg")
    assert home.rescan() == Rescanned(new=1, unreadable=0, gone=1)
    with home.database.read() as connection:
        found = labels.read(connection)
    assert [one.label for one in found.crops] == [Label.PROLIV]
    assert found.contradictions == []
    shutil.copyfile(pictures[0], first)
    home.rescan()
    with home.database.read() as connection:
        (contradiction,) = labels.read(connection).contradictions
    assert "lies in labelled/proliv and in labelled/ne_proliv" in contradiction.sentence


def test_a_file_in_both_folders_from_the_beginning_is_contradictory(home: Home, pictures: Sequence[Path]) -> None:
    for label in Label:
        shutil.copyfile(pictures[0], home.labelled / label.value / "a.jpg")
    assert home.rescan().new == 2
    with home.database.read() as connection:
        assert len(labels.read(connection).contradictions) == 1
    assert len(home.crops()) == 1


def test_a_wrong_copy_that_is_taken_away_leaves_the_right_label(home: Home, pictures: Sequence[Path]) -> None:
    right, wrong = (home.labelled / label / "a.jpg" for label in Label)
    shutil.copyfile(pictures[0], right)
    home.rescan()
    shutil.copyfile(pictures[0], wrong)
    home.rescan()
    wrong.unlink()
    home.rescan()
    with home.database.read() as connection:
        read = labels.read(connection)
    assert [(crop.label, crop.source) for crop in read.crops] == [(Label.PROLIV, "folder")]
    assert read.contradictions == []
    assert len(home.labels()) == 3
    home.rescan()
    assert len(home.labels()) == 3


def test_nothing_is_forgotten_of_a_sub_folder_that_may_not_be_read(
    home: Home, pictures: Sequence[Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sub = home.labelled / "proliv" / "sub"
    sub.mkdir()
    shutil.copyfile(pictures[0], sub / "a.jpg")
    home.rescan()
    scandir = os.scandir

    def refuse(path: str) -> object:
        # What the kernel says to everybody but root, who may run the tests.
        if path == str(sub):
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    assert home.rescan() == Rescanned(0, 0, 0)
    assert home.files() == [str(sub / "a.jpg")]
    assert f"{sub}: the folder cannot be read" in caplog.text


def test_a_refusal_that_may_lie_with_permissions_is_tried_again(
    home: Home, pictures: Sequence[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = home.labelled / "proliv" / "a.jpg"
    shutil.copyfile(pictures[0], path)
    load_file = CropReader.load

    def refuse(*_: object) -> object:
        raise CropRefusedError("unreadable", "it may not be read")

    monkeypatch.setattr(CropReader, "load", refuse)
    assert home.rescan() == Rescanned(0, 1, 0)
    monkeypatch.setattr(CropReader, "load", load_file)
    assert home.rescan() == Rescanned(1, 0, 0)


def test_a_content_that_was_scored_gets_its_label_even_where_it_cannot_be_decoded_today(
    home: Home, pictures: Sequence[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    home.score(pictures[0])
    monkeypatch.setenv("MONITOR__CROPS__MAX_PIXELS", "64")
    home.configuration = load()
    shutil.copyfile(pictures[0], home.labelled / "proliv" / "a.jpg")
    assert home.rescan() == Rescanned(1, 0, 0)
    assert home.labels() == [(1, "proliv")]


def test_in_one_batch_the_label_goes_to_the_crop_of_the_inbox(home: Home, pictures: Sequence[Path]) -> None:
    reader = Reader(home.configuration)
    labelled = home.labelled / "proliv" / "a.jpg"
    inbox = home.folder / "b.jpg"
    for path in (labelled, inbox):
        shutil.copyfile(pictures[0], path)
    batch = score(reader.read([labelled, inbox], labels=[Label.PROLIV, None]), home.ensemble)
    recorded = record(home.database, [batch])
    assert list(recorded.decided) == [batch.files.keys[1]]
    assert home.crops() == [(str(inbox), "inbox")]
    assert home.labels() == [(1, "proliv")]
    labelled.unlink()
    gone = score(reader.read([labelled], labels=[Label.PROLIV]), home.ensemble)
    assert record(home.database, [gone]).failed == set()
    assert home.files() == [str(labelled)]


def test_nothing_is_forgotten_of_a_folder_that_is_not_there(home: Home, pictures: Sequence[Path]) -> None:
    for label, picture in zip(Label, pictures, strict=False):
        shutil.copyfile(picture, home.labelled / label.value / "a.jpg")
    home.rescan()
    files = home.files()
    away = home.folder / "unmounted"
    home.labelled.rename(away)
    assert LabelledFolder(home.labelled).forget_gone(home.database) == 0
    home.labelled.mkdir()  # an empty mount point
    assert home.rescan() == Rescanned(0, 0, 0)
    assert home.files() == files
    home.labelled.rmdir()
    away.rename(home.labelled)
    assert home.rescan() == Rescanned(0, 0, 0)
    (home.labelled / "proliv" / "a.jpg").unlink()
    assert home.rescan() == Rescanned(0, 0, gone=1)
    assert len(home.labels()) == 2


def test_a_changed_file_is_another_content_and_a_known_one_is_not_read(home: Home, pictures: Sequence[Path]) -> None:
    path = home.labelled / "proliv" / "a.jpg"
    shutil.copyfile(pictures[0], path)
    home.rescan()
    folder = LabelledFolder(home.labelled)
    unseen = f"{home.labelled}/proliv/b.jpg"
    assert folder.unknown(home.database, [str(path), unseen]) == [unseen]
    shutil.copyfile(pictures[1], path)
    assert folder.unknown(home.database, [str(path)]) == [str(path)]
    assert home.rescan() == Rescanned(1, 0, 0)
    assert home.crops() == [(str(path), "labelled")] * 2
    assert home.labels() == [(1, "proliv"), (2, "proliv")]


def test_a_file_in_place_of_the_folder_is_no_folder(home: Home, pictures: Sequence[Path]) -> None:
    shutil.copyfile(pictures[0], home.labelled / "proliv" / "a.jpg")
    home.rescan()
    shutil.rmtree(home.labelled)
    home.labelled.touch()
    assert home.rescan() == Rescanned(0, 0, 0)
    assert LabelledFolder(home.labelled).forget_gone(home.database) == 0
    assert len(home.files()) == 1


def test_what_looks_like_a_labelled_folder_and_is_none_is_said(
    home: Home, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (home.labelled / "proliv").rmdir()
    (tmp_path / "elsewhere").mkdir()
    (home.labelled / "proliv").symlink_to(tmp_path / "elsewhere")
    (home.labelled / "ne_proliv").rmdir()
    (home.labelled / "ne_proliv").write_text("crops go here")
    assert home.rescan() == Rescanned(0, 0, 0)
    assert "labelled/proliv: is a link, which is not followed" in caplog.text
    assert "labelled/ne_proliv: is not a folder" in caplog.text
