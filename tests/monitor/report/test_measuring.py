from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from monitor.configuration.resolved import Configuration
from monitor.configuration.settings import Settings
from monitor.crops.dataset import open_dataset
from monitor.crops.reader import Reader
from monitor.report.measuring import FolderPart, measure_folder, read_folder
from monitor.scoring.ensemble import Ensemble
from monitor.words import DECISION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from monitor.report.measuring import Judged, MeasuredFolder
    from monitor.scoring.ensemble import ActiveModel

    NewModel = Callable[..., ActiveModel]


def held_out(folder: Path, numbers: range) -> frozenset[str]:
    train = folder / "train"
    return frozenset(hashlib.sha256((train / f"{number:02}.png").read_bytes()).hexdigest() for number in numbers)


def measure(
    folder: Path, kept: Mapping[str, frozenset[str]], *models: ActiveModel, ensemble: Ensemble | None = None
) -> MeasuredFolder:
    seen: list[int] = []
    read = read_folder(open_dataset(folder), Reader(Configuration(settings=Settings(), file=None)), kept)
    measured = measure_folder(read, models, ensemble, kept, seen.append)
    assert sum(seen) == len(read.crops)
    return measured


def counts(measured: MeasuredFolder, name: str) -> dict[FolderPart, int]:
    return {part: int(measured.judged[name].of(part).sum()) for part in FolderPart}


def proliv(judged: Judged) -> set[str]:
    pairs = zip(judged.crops, judged.scores, strict=True)
    return {crop.name for crop, score in pairs if score >= judged.threshold}


def test_every_crop_that_concerns_a_model_is_judged_and_no_other(folder: Path, new_model: NewModel) -> None:
    measured = measure(folder, {"brightness-1": held_out(folder, range(5, 12))}, new_model())
    judged = measured.judged["brightness-1"]
    # The black one is refused.
    assert counts(measured, "brightness-1") == {FolderPart.HELD_OUT: 7, FolderPart.PROLIV: 10, FolderPart.TEST: 20}
    for crop, score, mse in zip(judged.crops, judged.scores, judged.mse, strict=True):
        assert score == pytest.approx(crop.pixels.mean() / 255, abs=1e-6)
        assert mse == pytest.approx(score**2, abs=1e-6)
        assert crop.proliv == ("proliv" in crop.name.split("/"))
        assert not crop.name.endswith("/black.png")
    figures = judged.evaluated(FolderPart.TEST)
    assert figures is not None
    assert (figures.tp, figures.fn, figures.fp, figures.tn) == (8, 0, 0, 12)


def test_each_model_has_its_own_held_out_crops(folder: Path, new_model: NewModel) -> None:
    first, second = new_model("a", number=1), new_model("b", number=2, threshold=0.7)
    kept = {"a": held_out(folder, range(10)), "b": held_out(folder, range(6, 20))}
    measured = measure(folder, kept, first, second, ensemble=Ensemble((first, second), "all"))
    assert [counts(measured, name)[FolderPart.HELD_OUT] for name in ("a", "b", DECISION)] == [10, 14, 4]
    final, a, b = (measured.judged[name] for name in (DECISION, "a", "b"))
    assert proliv(final) == proliv(a) & proliv(b)
    assert 0 < len(proliv(final)) < len(proliv(a))
    assert np.isnan(final.mse).all()


def test_parts_that_are_missing_are_empty(folder: Path, new_model: NewModel) -> None:
    for name in ("proliv", "test"):
        (folder / name).rename(folder.parent / name)
    measured = measure(folder, {"brightness-1": held_out(folder, range(3))}, new_model())
    assert counts(measured, "brightness-1") == {FolderPart.HELD_OUT: 3, FolderPart.PROLIV: 0, FolderPart.TEST: 0}
    assert measured.judged["brightness-1"].evaluated(FolderPart.TEST) is None


def test_files_that_cannot_be_read_are_named(folder: Path, new_model: NewModel) -> None:
    (folder / "test" / "proliv" / "cut.jpg").write_bytes(b"\xff\xd8\xff")
    measured = measure(folder, {"brightness-1": frozenset()}, new_model())
    ((path, reason),) = measured.folder.refused
    assert path.name == "cut.jpg"
    assert reason
    assert counts(measured, "brightness-1")[FolderPart.TEST] == 20


def test_no_crop_at_all_concerns_the_model(folder: Path, new_model: NewModel) -> None:
    for name in ("proliv", "test"):
        (folder / name).rename(folder.parent / name)
    model = new_model()
    measured = measure(folder, {"brightness-1": frozenset()}, model, ensemble=Ensemble((model,), "primary"))
    assert all(not one.crops for one in measured.judged.values())
