"""A plant with a small model of contrast that people label crops of."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, select

from monitor.configuration.resolved import Configuration
from monitor.configuration.settings import Settings
from monitor.learning import comparison
from monitor.learning.outcome import Outcome, Request
from monitor.learning.retraining import Retraining
from monitor.registry import Registry
from monitor.store import models
from monitor.store.database import schema
from monitor.store.database.engine import Database
from tests.support.made_up import store_label
from tests.support.states import made_once, make_state

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from monitor.store.models import ModelRow

# Every bound that chance would decide about with so small a model, and none that a test is about.
LEARNING = {"made_up_tolerance": 1.0, "shadow_days": 2.0}
CALIBRATION = {"minimum_normal": 5, "minimum_proliv": 5}


@dataclass
class Plant:
    """A store with an active model, the folder that it was trained on, and crops that came since."""

    home: Path
    data: Path
    registry: Registry
    settings: dict[str, Any] = field(default_factory=lambda: {"learning": LEARNING, "calibration": CALIBRATION})
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    crops: int = 0

    def __post_init__(self) -> None:
        self.database = Database(f"sqlite:///{self.home / 'state' / 'monitor.db'}", busy_seconds=30)

    @property
    def configuration(self) -> Configuration:
        paths = {"state": str(self.home / "state"), "inbox": str(self.home / "inbox")}
        pipeline = {"device": "cpu", "workers": 1}
        return Configuration(settings=Settings(paths=paths, pipeline=pipeline, **self.settings), file=None)

    @property
    def active(self) -> ModelRow:
        with self.database.read() as connection:
            (row,) = models.active_models(connection)
        return row

    def model(self, name: str) -> ModelRow:
        with self.database.read() as connection:
            return models.find_model(connection, name)

    def come(self, path: Path, *, score: float = 2.0, hours: float = -1.0) -> int:
        """A crop that came in operation, by default an hour ago, and that the active model has scored."""
        self.crops += 1
        row, at = self.active, self.now + timedelta(hours=hours)
        verdict = "proliv" if row.threshold is not None and score >= row.threshold else "ne_proliv"
        with self.database.write() as connection:
            number = self.crops + 1000
            connection.execute(
                insert(schema.crops),
                {
                    "id": number, "path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                    "size_bytes": 1, "mtime_ns": 1, "hole": self.crops, "camera": "C", "captured_at": at,
                    "seen_at": at, "state": "scored", "verdict": verdict, "decision_score": score,
                    "decision_threshold": row.threshold, "decided_by": "primary", "source": "inbox",
                },
            )  # fmt: skip
        self.score(number, row, score)
        return number

    def score(self, crop: int, row: ModelRow, score: float) -> None:
        """A model's score of a crop."""
        assert row.threshold is not None
        verdict = "proliv" if score >= row.threshold else "ne_proliv"
        values: dict[str, Any] = {"crop_id": crop, "model_id": row.id, "calibration_id": row.calibration_id}
        values |= {"mse": 0.0, "score": score, "threshold": row.threshold, "verdict": verdict}
        values |= {"scored_at": self.now, "latency_seconds": 0.0}
        with self.database.write() as connection:
            connection.execute(insert(schema.scores), values)

    def label(self, crop: int, label: str, **options: Any) -> None:
        with self.database.write() as connection:
            store_label(connection, crop, label, options.pop("author", "ann"), options.pop("at", self.now), **options)

    def label_all(self, paths: Sequence[Path], label: str) -> list[int]:
        """Crops that came, were called proliv and then labelled."""
        numbers = [self.come(path) for path in paths]
        for number in numbers:
            self.label(number, label)
        return numbers

    def retrain(self, *, days: float = 0.0, **options: Any) -> Outcome:
        request = Request(self.now + timedelta(days=days), options.pop("data", self.data), **options)
        return Retraining(self.database, self.registry, self.configuration, request, lambda _: None).run()

    def rows(self) -> list[tuple[Any, ...]]:
        """State and refusal of every training, the oldest first."""
        table = schema.retrainings
        with self.database.read() as connection:
            query = select(table.c.state, table.c.refusal).order_by(table.c.id)
            return [tuple(row) for row in connection.execute(query)]

    def folders(self) -> list[str]:
        """What lies in the models' folder."""
        return sorted(path.name for path in (self.home / "state" / "models").iterdir())


@pytest.fixture(scope="session")
def contrast_state(tmp_path_factory: pytest.TempPathFactory, small_dataset: Path, starts_processes: None) -> Path:
    """A state folder with a small, active model of contrast; to be copied."""
    commands = [["train", "contrast", "--set", "pool=1024", "--set", "epochs=8"], ["calibrate"]]
    return made_once(tmp_path_factory, "contrast", lambda home: make_state(home, small_dataset, commands)) / "state"


@pytest.fixture
def plant(
    contrast_state: Path, small_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Plant]:
    monkeypatch.setattr(comparison, "PICTURES", 250)
    shutil.copytree(contrast_state, tmp_path / "state")
    plant = Plant(tmp_path, small_dataset, Registry.load())
    yield plant
    plant.database.close()


@pytest.fixture
def normal(small_dataset: Path) -> list[Path]:
    """Crops without proliv that are not in train/."""
    return sorted((small_dataset / "test" / "ne_proliv").iterdir())


@pytest.fixture
def proliv(small_dataset: Path) -> list[Path]:
    """Proliv that is not in proliv/."""
    return sorted((small_dataset / "test" / "proliv").iterdir())
