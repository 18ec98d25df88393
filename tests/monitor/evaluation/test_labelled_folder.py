from __future__ import annotations

import logging
import shutil
from typing import TYPE_CHECKING

from monitor.configuration.resolved import Configuration
from monitor.configuration.settings import Settings
from monitor.crops.dataset import open_labelled
from monitor.crops.reader import Reader
from monitor.evaluation.labelled_folder import read_with_truth

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def reader() -> Reader:
    return Reader(Configuration(settings=Settings(), file=None))


def test_each_crop_comes_with_what_it_shows(small_dataset: Path) -> None:
    read: list[bool] = []
    found = read_with_truth(open_labelled(small_dataset), reader(), lambda: read.append(True))
    assert found.proliv.tolist() == [True] * 10 + [False] * 30
    assert len(found.crops.pixels) == len(found.labelled) == len(read) == 40


def test_labels_stay_with_their_crops_where_files_cannot_be_read(
    small_dataset: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(small_dataset / "test", tmp_path / "test")
    cut = sorted((tmp_path / "test" / "proliv").iterdir())[3]
    cut.write_bytes(b"\xff\xd8\xff")
    whole = read_with_truth(open_labelled(small_dataset), reader())
    with caplog.at_level(logging.WARNING):
        found = read_with_truth(open_labelled(tmp_path), reader())
    assert found.proliv.tolist() == [True] * 9 + [False] * 30
    assert [path for path, _ in found.crops.refused] == [cut]
    assert f"{cut}: " in caplog.text
    assert found.crops.digests == [*whole.crops.digests[:3], *whole.crops.digests[4:]]
    assert [one.path.name for one in found.labelled] == [
        one.path.name for one in whole.labelled if one.path.name != cut.name
    ]


def test_a_folder_of_which_nothing_can_be_read_is_empty(tmp_path: Path) -> None:
    for label in ("proliv", "ne_proliv"):
        (tmp_path / label).mkdir()
        (tmp_path / label / "a.jpg").touch()
    found = read_with_truth(open_labelled(tmp_path), reader())
    assert (found.proliv.tolist(), found.labelled) == ([], ())
