"""Proliv that a model learned from counts with the score that it would have had otherwise, and with no other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import pytest
from sqlalchemy import select

from monitor.api import Detector, FitReport, KnownProliv, Progress, Scores
from monitor.configuration.settings import Calibration
from monitor.crops.in_memory import ReadCrops
from monitor.errors import PluginError
from monitor.models import folders
from monitor.models.training import TrainingData, split, train
from monitor.store import calibrations, models
from monitor.store.database import schema
from monitor.thresholds.calibration import calibrate, recalibrate
from monitor.thresholds.change import ChangeRequest
from monitor.thresholds.gather import gather_evidence
from monitor.thresholds.references import references_of_crops
from monitor.words import Identity, Label
from tests.support.made_up import NOW, midpoint, store_crop, store_label
from tests.support.made_up_rules import DAY, LOW, NoSettings
from tests.support.stored_crops import opened
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic import BaseModel

    from monitor.api import Pixels
    from monitor.models.folders import TrainedOn
    from monitor.store.database.engine import Database
    from monitor.store.models import ModelRow
    from monitor.store.references import ReferenceRow
    from monitor.thresholds.rules import Rules

NORMAL, REMEMBERED, CROSS_FITTED, CROSS_FITTED_NORMAL = 1.0, 1e9, 4.0, 2.5


class Remembers(Detector):
    """Knows every proliv that it has seen by heart, and nearly nothing of others."""

    name = "remembers"
    Settings: ClassVar[type[BaseModel]] = NoSettings
    learns_from_proliv = True
    missing = 0
    says_nothing_of_false_alarms = False

    @property
    def input_size(self) -> tuple[int, int]:
        return 8, 8

    def fit(
        self, crops: Pixels, *, validation: Pixels, seed: int, progress: Progress, proliv: KnownProliv | None = None
    ) -> FitReport:
        assert proliv is not None
        assert len(proliv.groups) == len(proliv.crops)
        assert len(proliv.normal_groups) == len(crops)
        self.known = {crop.tobytes() for crop in proliv.crops}
        count = len(proliv.crops) - self.missing
        false_alarms = proliv.false_alarms
        if false_alarms is None or self.says_nothing_of_false_alarms:
            return FitReport(cross_fitted=self._all(count, CROSS_FITTED))
        normal = self._all(len(false_alarms.crops), CROSS_FITTED_NORMAL)
        return FitReport(cross_fitted=self._all(count, CROSS_FITTED), cross_fitted_normal=normal)

    def _all(self, count: int, score: float) -> Scores:
        scores = np.full(count, score, dtype=np.float32)
        return Scores(np.zeros(count, dtype=np.float32), {"likeness": scores}, "likeness")

    def score(self, crops: Pixels) -> Scores:
        likeness = [REMEMBERED if crop.tobytes() in self.known else NORMAL for crop in crops]
        return Scores(
            np.zeros(len(crops), dtype=np.float32), {"likeness": np.array(likeness, dtype=np.float32)}, "likeness"
        )

    def save(self, folder: Path) -> None: ...

    @classmethod
    def load(cls, folder: Path, settings: BaseModel, device: str) -> Self:
        raise NotImplementedError


def crops(count: int, first: int) -> ReadCrops:
    """Different crops, each of a hole of its own; their digests are their numbers from ``first``."""
    generator = np.random.default_rng(first)
    pixels = [generator.integers(0, 256, (24, 46, 3), dtype=np.uint8) for _ in range(count)]
    identities = [Identity(number, f"C{number}", NOW - 9 * DAY) for number in range(count)]
    return ReadCrops(pixels, identities, [f"{number:064}" for number in range(first, first + count)])


@dataclass
class Learned:
    """A store with a model of `Remembers`, and what it was trained on."""

    database: Database
    folder: Path
    data: TrainingData
    model: ModelRow
    given: list[ReferenceRow]

    @property
    def rules(self) -> Rules:
        return replace(midpoint(LOW), trained_on=lambda row: folders.trained_on(self.folder, row))

    @property
    def seen(self) -> TrainedOn:
        return self.rules.trained_on(self.model)


@pytest.fixture
def learned(tmp_path: Path) -> Iterator[Learned]:
    detector = Remembers(NoSettings())
    data = split(crops(40, first=1), share=0.25, seed=0).with_proliv(crops(6, first=1000))
    with opened(f"sqlite:///{tmp_path / 'monitor.db'}") as database:
        upgrade(database)
        train(
            detector,
            data,
            seed=0,
            progress=lambda _: None,
            database=database,
            models_folder=tmp_path / "models",
        )
        with database.read() as connection:
            (model,) = models.all_models(connection)
        scores = folders.cross_fitted(tmp_path / "models", model)
        rows = references_of_crops(detector, data.validation, Label.NE_PROLIV)
        rows |= references_of_crops(detector, data.proliv, Label.PROLIV, scores)
        yield Learned(database, tmp_path / "models", data, model, list(rows.values()))


def test_the_threshold_is_chosen_from_the_cross_fitted_scores(learned: Learned, tmp_path: Path) -> None:
    assert {row.score for row in learned.given if row.label == "proliv"} == {CROSS_FITTED}
    by = ChangeRequest(NOW, "calibrate")
    change = calibrate(learned.database, learned.model, learned.rules, learned.given, by, data=tmp_path)
    assert change.threshold == 2.0


def test_labels_of_what_was_learned_take_the_place_of_no_cross_fitted_score(learned: Learned, tmp_path: Path) -> None:
    by = ChangeRequest(NOW, "calibrate")
    calibrate(learned.database, learned.model, learned.rules, learned.given, by, data=tmp_path)
    with learned.database.write() as connection:
        active = calibrations.active(connection, learned.model.id)
        assert active is not None
        for number, (digest, label) in enumerate(
            zip(learned.data.proliv.digests[:3], ("proliv", "proliv", "ne_proliv"), strict=True), start=1
        ):
            store_crop(connection, active, number, REMEMBERED, 2.0, NOW, content=digest)
            store_label(connection, number, label, "ann", NOW)
    with learned.database.read() as connection:
        evidence = gather_evidence(connection, learned.model.id, Calibration(), now=NOW + DAY, trained_on=learned.seen)
    assert REMEMBERED not in [*evidence.scores.proliv, *evidence.scores.normal]
    # The one that a person calls ne_proliv is no proliv any more, and its score as ne_proliv is worth nothing.
    assert evidence.scores.proliv.tolist() == [CROSS_FITTED] * 5
    assert any(sentence.startswith("2 crops labelled proliv are among") for sentence in evidence.set_aside)
    assert any(sentence.startswith("1 crops labelled ne_proliv are among") for sentence in evidence.set_aside)
    (change,) = recalibrate(learned.database, learned.rules, ChangeRequest(NOW + DAY, "recalibrate"))
    assert change.threshold in (None, 2.0)


def test_a_proliv_that_is_also_in_train_is_not_learned(caplog: pytest.LogCaptureFixture) -> None:
    data = split(crops(40, first=1), share=0.25, seed=0)
    known = crops(3, first=1000)
    known.digests[1] = data.train.digests[0]
    assert data.with_proliv(known).proliv.digests == [known.digests[0], known.digests[2]]
    assert "1 crops lie in train/ and" in caplog.text


def test_a_missing_cross_fitted_score_is_refused_and_leaves_nothing(learned: Learned, tmp_path: Path) -> None:
    detector = Remembers(NoSettings())
    detector.missing = 1
    before = sorted(learned.folder.iterdir())
    with pytest.raises(PluginError, match="one cross-fitted score for each of 6 proliv"):
        train(
            detector,
            learned.data,
            seed=1,
            progress=lambda _: None,
            database=learned.database,
            models_folder=learned.folder,
        )
    assert sorted(learned.folder.iterdir()) == before
    with learned.database.read() as connection:
        assert len(connection.execute(select(schema.models.c.id)).all()) == 1


def test_what_was_learned_is_kept_with_the_model(learned: Learned) -> None:
    assert sorted(learned.seen.proliv) == learned.data.proliv.digests
    assert sorted(learned.seen.normal) == sorted(learned.data.train.digests)
    (learned.folder / learned.model.folder / folders.PROLIV_SCORES).unlink()
    assert folders.cross_fitted(learned.folder, learned.model) == {}


@pytest.fixture
def relearned(learned: Learned) -> Learned:
    """The same with a model that has also learned two labelled proliv and three labelled false alarms."""
    data = replace(learned.data, confirmed=crops(2, first=2000), false_alarms=crops(3, first=3000))
    saved = train(
        Remembers(NoSettings()),
        data,
        seed=0,
        progress=lambda _: None,
        database=learned.database,
        models_folder=learned.folder,
    )
    with learned.database.read() as connection:
        model = models.find_model(connection, saved.name)
    return replace(learned, data=data, model=model)


def test_what_was_learned_from_labels_counts_with_its_cross_fitted_scores(relearned: Learned, tmp_path: Path) -> None:
    assert len(folders.cross_fitted(relearned.folder, relearned.model)) == 6
    by = ChangeRequest(NOW, "calibrate")
    calibrate(relearned.database, relearned.model, relearned.rules, relearned.given, by, data=tmp_path)
    labels = {"p": ("proliv", "proliv", 2000), "f": ("ne_proliv", "ne_proliv", 3000), "x": ("changed", "proliv", 3001)}
    with relearned.database.write() as connection:
        active = calibrations.active(connection, relearned.model.id)
        assert active is not None
        for number, (_, label, content) in enumerate(labels.values(), start=1):
            store_crop(connection, active, number, REMEMBERED, 2.0, NOW, content=f"{content:064}")
            store_label(connection, number, label, "ann", NOW)
    with relearned.database.read() as connection:
        found = gather_evidence(connection, relearned.model.id, LOW, now=NOW, trained_on=relearned.seen)
    scores = {item.crop.id: item.score for item in found.items if item.crop}
    assert scores == {1: CROSS_FITTED, 2: CROSS_FITTED_NORMAL}
    assert "1 crops were learned by the model with another label than they have now" in found.set_aside


def test_a_detector_that_keeps_quiet_about_false_alarms_is_refused(learned: Learned, tmp_path: Path) -> None:
    detector = Remembers(NoSettings())
    detector.says_nothing_of_false_alarms = True
    data = replace(learned.data, false_alarms=crops(3, first=3000))
    folder = tmp_path / "models"
    sentence = r"a FitReport with cross_fitted_normal, the monitor\.api\.Scores of the labelled false alarms"
    with pytest.raises(PluginError, match=sentence):
        train(detector, data, seed=0, progress=lambda _: None, database=learned.database, models_folder=folder)
