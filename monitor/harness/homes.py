"""A home for each detector that is measured: a configuration, a trained model with a threshold, a store and an inbox.

All of it is inside the benchmark's own folder, so that nothing of the user's is touched.
"""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from monitor.configuration.file import load
from monitor.crops import in_memory
from monitor.crops.reader import Reader
from monitor.harness.subjects import detector_of
from monitor.models import training
from monitor.scoring.ensemble import load_active
from monitor.store import calibrations, models
from monitor.store.database.engine import Database
from monitor.store.database.upgrade import upgrade

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from monitor.configuration.resolved import Configuration
    from monitor.configuration.settings import Pipeline
    from monitor.models.training import TrainingData
    from monitor.registry import Registry
    from monitor.scoring.ensemble import Ensemble

TRAINING_CROPS: Final = 240
# How well a detector has learned does not matter here: one pass, over few made-up pictures.
QUICK: Final = {"epochs": 1, "pool": 512}
# No crop is decided proliv: they are so rare on a line that its speed is that of all other crops.
UNREACHED_THRESHOLD: Final = 1e9


@dataclass
class Home:
    """One folder with everything that `monitor score` and `monitor run` need, for one subject or several together."""

    folder: Path
    subjects: Sequence[str]
    configuration: Configuration = field(init=False)

    def prepare(self, registry: Registry, pipeline: Pipeline, data: TrainingData, seed: int) -> None:
        """Write the configuration, train every model quickly, and let all of them decide."""
        self.folder.mkdir(parents=True)
        detectors = [detector_of(name)[0] for name in self.subjects]
        self.file.write_text(_toml(pipeline, detectors), encoding="utf-8")
        self.configuration = load(self.file)
        database = self.database()
        upgrade(database)
        for name in self.subjects:
            detector, settings = detector_of(name)
            untrained = _untrained(registry, self.configuration, detector, settings)
            saved = training.train(
                untrained,
                data,
                seed=seed,
                progress=lambda _report: None,
                database=database,
                models_folder=self.configuration.models,
            )
            _activate(database, saved.name)
        database.close()
        shutil.copyfile(self.store, self._pristine)
        self.configuration.inbox.mkdir()

    @property
    def file(self) -> Path:
        """The configuration file."""
        return self.folder / "config.toml"

    @property
    def messages(self) -> Path:
        """The file that programs which run here write their messages to."""
        return self.folder / "messages.log"

    def renew(self) -> None:
        """Put the store back as it was before any crop, and empty the inbox."""
        for suffix in ("", "-wal", "-shm"):
            self.store.with_name(self.store.name + suffix).unlink(missing_ok=True)
        shutil.copyfile(self._pristine, self.store)
        shutil.rmtree(self.configuration.inbox)
        self.configuration.inbox.mkdir()

    def database(self) -> Database:
        """The store; to be closed."""
        return Database(self.configuration.database_url, busy_seconds=30)

    def ensemble(self, registry: Registry, **pipeline: Any) -> Ensemble:
        """The models, loaded as every command loads them, with these values of ``[pipeline]`` changed."""
        settings = self.configuration.settings
        changed = settings.model_copy(update={"pipeline": settings.pipeline.model_copy(update=pipeline)})
        database = self.database()
        try:
            return load_active(database, registry, self.configuration.model_copy(update={"settings": changed}))
        finally:
            database.close()

    @property
    def store(self) -> Path:
        """The database's file."""
        return self.configuration.state / "monitor.db"

    @property
    def _pristine(self) -> Path:
        return self.folder / "pristine.db"


def training_data(configuration: Configuration, paths: Sequence[Path], seed: int) -> TrainingData:
    """Read crops to train on; how fast a detector is does not depend on how well it has learned."""
    crops = in_memory.read_all(Reader(configuration), paths)
    return training.split(crops, share=configuration.settings.training.validation_share, seed=seed)


@contextmanager
def own_environment() -> Iterator[None]:
    """Take the variables that configure monitor away; with them, commands would find the user's own state."""
    taken = {name: os.environ.pop(name) for name in list(os.environ) if name.upper().startswith("MONITOR")}
    try:
        yield
    finally:
        os.environ.update(taken)


def _untrained(registry: Registry, configuration: Configuration, detector: str, settings: Mapping[str, Any]) -> Any:
    fields = registry.detector_class(detector).Settings.model_fields
    quick = {name: value for name, value in QUICK.items() if name in fields}
    return registry.new_detector(detector, configuration, {**settings, **quick})


def _activate(database: Database, model: str) -> None:
    with database.write() as connection:
        row = models.find_model(connection, model)
        calibrations.add(
            connection,
            model_id=row.id,
            rule="fixed",
            settings={"threshold": UNREACHED_THRESHOLD},
            threshold=UNREACHED_THRESHOLD,
            evidence={},
            now=datetime.now(UTC),
        )
        models.activate_model(connection, models.find_model(connection, model))


def _toml(pipeline: Pipeline, detectors: Sequence[str]) -> str:
    """A configuration file: the user's ``[pipeline]``, metrics on any free port, and defaults otherwise."""
    lines = [f"{key} = {json.dumps(value)}" for key, value in pipeline.model_dump(mode="json").items()]
    named = json.dumps(list(detectors))
    return "\n".join(["[pipeline]", *lines, "[decision]", f"detectors = {named}", "[metrics]", "port = 0", ""])
