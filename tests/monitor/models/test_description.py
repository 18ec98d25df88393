"""What is said of a model: its row, its folder and its detector, in a real database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from monitor.api import FitReport
from monitor.configuration.resolved import Configuration
from monitor.configuration.settings import Settings
from monitor.errors import ModelDamagedError
from monitor.models import folders
from monitor.models.description import as_dict, describe
from monitor.registry import Registry
from monitor.store import calibrations, models
from tests.support.stored_crops import NOW, opened
from tests.support.stores import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy.engine import Connection

    from monitor.models.folders import SavedModel


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    return Configuration(settings=Settings.model_validate({"paths": {"state": tmp_path}}), file=None)


@pytest.fixture
def saved(configuration: Configuration) -> SavedModel:
    """A model in its folder that was not trained epoch by epoch."""
    detector_class = Registry.load().detector_class("patchstats")
    detector = detector_class(detector_class.Settings(), "cpu")
    crops = list(np.random.default_rng(5).integers(0, 256, (24, 30, 50, 3), dtype=np.uint8))
    batch = detector.prepare_batch(crops)
    report = detector.fit(batch[:18], validation=batch[18:], seed=0, progress=lambda _: None)
    assert isinstance(report, FitReport)
    return folders.save(configuration.models, detector, validation=["a" * 64], training=["b" * 64], report=report)


@pytest.fixture
def connection(tmp_path: Path, saved: SavedModel) -> Iterator[Connection]:
    """A transaction in a database that knows the model."""
    with opened(f"sqlite:///{tmp_path / 'monitor.db'}") as database:
        upgrade(database)
        with database.write() as connection:
            models.add_model(
                connection,
                name=saved.name,
                detector=saved.detector,
                fingerprint=saved.fingerprint,
                folder=saved.folder.name,
                settings=saved.settings,
            )
            yield connection


def test_of_a_model_without_a_threshold(
    connection: Connection, configuration: Configuration, saved: SavedModel
) -> None:
    row = models.find_model(connection, saved.name)
    report = json.loads(json.dumps(describe(connection, Registry.load(), configuration, row)))
    assert (report["model"], report["detector"], report["folder"]) == (saved.name, "patchstats", str(saved.folder))
    assert report["active"] is False
    assert [report[key] for key in ("activated_at", "threshold", "calibration")] == [None, None, None]
    assert report["training"] == {"epochs": 0, "best_epoch": 0, "train_loss": None, "validation_loss": None}
    assert report["settings"] == row.settings
    assert report["computed_by"] == "its own arithmetic"


def test_of_a_model_with_a_threshold(connection: Connection, configuration: Configuration, saved: SavedModel) -> None:
    row = models.find_model(connection, saved.name)
    evidence = {"normal_crops": 3, "tpr": 0.5, "normal_percentiles": [1.0], "data": "/srv/labelled"}
    calibrations.add(
        connection, model_id=row.id, rule="f1", settings={"beta": 1}, threshold=0.5, evidence=evidence, now=NOW
    )
    models.activate_model(connection, models.find_model(connection, saved.name))
    row = models.find_model(connection, saved.name)
    report = describe(connection, Registry.load(), configuration, row)
    assert (report["active"], report["threshold"]) == (True, 0.5)
    calibration = report["calibration"]
    assert (calibration["rule"], calibration["rule_settings"], calibration["created_at"]) == (
        *("f1", {"beta": 1}, NOW.isoformat()),
    )
    assert (calibration["normal_crops"], calibration["tpr"], calibration["tnr"], calibration["data"]) == (
        *(3, 0.5, None, "/srv/labelled"),
    )
    listed = json.loads(json.dumps(as_dict(row)))
    assert (listed["name"], listed["threshold"], listed["rule"]) == (saved.name, 0.5, "f1")
    assert "evidence" not in listed


def test_a_damaged_model_is_not_described(
    connection: Connection, configuration: Configuration, saved: SavedModel
) -> None:
    (saved.folder / "added").touch()
    with pytest.raises(ModelDamagedError, match="added"):
        describe(connection, Registry.load(), configuration, models.find_model(connection, saved.name))
