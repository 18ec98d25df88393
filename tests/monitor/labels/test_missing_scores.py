"""Labelled crops that a model has not scored yet: real files, a real database, trained models."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from sqlalchemy import select

from monitor.crops.loader import CropReader
from monitor.crops.refusals import out_of_memory
from monitor.labels import missing_scores
from monitor.labels.give import give
from monitor.labels.missing_scores import ScoredMissing
from monitor.scoring.ensemble import Ensemble
from monitor.store.database.schema import crops
from monitor.store.decisions import stored_scores
from monitor.store.labels import find_crops
from monitor.words import Label

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest

    from monitor.crops.loader import Decoded, FileContent
    from tests.monitor.labels.conftest import Home


def test_a_model_scores_labelled_crops_later(
    pair_home: Home, pictures: Sequence[Path], caplog: pytest.LogCaptureFixture
) -> None:
    home = pair_home
    both = home.ensemble
    home.ensemble = Ensemble((both.models[1],), "primary")
    inbox = home.folder / "inbox"
    inbox.mkdir()
    names = ["stays", "changed", "gone", "gone_with_a_copy", "not_labelled"]
    for name, picture in zip(names, pictures, strict=False):
        shutil.copyfile(picture, inbox / f"{name}.jpg")
    home.score(*(inbox / f"{name}.jpg" for name in names))
    copy = home.labelled / "ne_proliv" / "another name.jpg"
    shutil.copyfile(pictures[3], copy)
    home.rescan()
    with home.database.write() as connection:
        give(connection, find_crops(connection, ids=[1, 2, 3]), Label.NE_PROLIV, author="anna")
    shutil.copyfile(pictures[9], inbox / "changed.jpg")
    (inbox / "gone.jpg").unlink()
    (inbox / "gone_with_a_copy.jpg").unlink()
    assert home.score_missing() == ScoredMissing(0, 0)
    with home.database.read() as connection:
        before = connection.execute(select(crops).order_by(crops.c.id)).all()
    home.ensemble = both
    assert home.score_missing() == ScoredMissing(scored=2, lost=2)
    assert caplog.text.count("2 labelled crops have no score of every active model") == 1
    assert "changed.jpg" in caplog.text
    with home.database.read() as connection:
        decided = stored_scores(connection, [1, 2, 3, 4, 5], [model.id for model in both.models])
        # What was decided in operation stays what was decided.
        assert connection.execute(select(crops).order_by(crops.c.id)).all() == before
    assert {crop_id: len(found) for crop_id, found in decided.items()} == {1: 2, 2: 1, 3: 1, 4: 2, 5: 1}
    assert home.score_missing() == ScoredMissing(0, 2)
    assert len(home.crops()) == 5


def test_many_lost_crops_are_one_warning(
    pair_home: Home, pictures: Sequence[Path], caplog: pytest.LogCaptureFixture
) -> None:
    home = pair_home
    both = home.ensemble
    home.ensemble = Ensemble(both.models[1:], "primary")
    for number, picture in enumerate(pictures[:6]):
        shutil.copyfile(picture, home.labelled / "proliv" / f"{number}.jpg")
    home.rescan()
    shutil.rmtree(home.labelled)
    home.ensemble = both
    assert home.score_missing() == ScoredMissing(0, 6)
    (record,) = [one for one in caplog.records if one.name == missing_scores.__name__]
    assert record.getMessage().count(".jpg") == missing_scores.SHOWN
    assert home.scores() == 6


def test_what_is_not_read_is_not_said_to_be_deleted(
    pair_home: Home, pictures: Sequence[Path], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = pair_home
    both = home.ensemble
    home.ensemble = Ensemble(both.models[1:], "primary")
    for number, picture in enumerate(pictures[:2]):
        shutil.copyfile(picture, home.labelled / "proliv" / f"{number}.jpg")
    home.rescan()
    (home.labelled / "proliv" / "1.jpg").unlink()
    (home.labelled / "proliv" / "1.jpg").symlink_to(pictures[1])

    def decode(_reader: CropReader, _content: FileContent) -> Decoded:
        raise out_of_memory()

    home.ensemble = both
    with monkeypatch.context() as patch:
        patch.setattr(CropReader, "decode", decode)
        assert home.score_missing() == ScoredMissing(0, lost=1, refused=1)
    lost, refused = (one.getMessage() for one in caplog.records if one.name == missing_scores.__name__)
    assert "and their files are deleted or changed: " in lost
    assert lost.count(".jpg") == 1
    assert f"{home.labelled}/proliv/1.jpg" in lost
    assert f"and their files are not read: {home.labelled}/proliv/0.jpg: the machine has too little memory" in refused
    assert home.score_missing() == ScoredMissing(1, lost=1)
