"""A model that was just saved, as the store knows it, and as a program with a configuration loads it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from monitor.configuration.resolved import Configuration
from monitor.configuration.settings import Settings
from monitor.models.loader import ModelLoader
from monitor.registry import Registry
from monitor.store.models import ModelRow

if TYPE_CHECKING:
    from monitor.models.folders import SavedModel


def row_of(saved: SavedModel) -> ModelRow:
    """The row of an active model with the threshold 1."""
    now = datetime(2023, 3, 1, tzinfo=UTC)
    return ModelRow(
        1, saved.name, saved.detector, saved.fingerprint, saved.folder.name, saved.settings, now, True, now, 1.0, 1, "r"
    )


def loader_of(saved: SavedModel, **pipeline: Any) -> ModelLoader:
    """What loads it out of the folder that it was saved into, with these values of ``[pipeline]``."""
    settings = Settings.model_validate({"paths": {"state": saved.folder.parent.parent}, "pipeline": pipeline})
    return ModelLoader(Registry.load(), Configuration(settings=settings, file=None))
