"""Loads models onto the device and with the runtime that the configuration asks for."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from pydantic import ValidationError

from monitor.errors import ModelDamagedError, MonitorError
from monitor.models.folders import DETECTOR_FOLDER, folder_of, verify
from monitor.registry import whose

if TYPE_CHECKING:
    from monitor.api import Detector
    from monitor.configuration.resolved import Configuration
    from monitor.registry import Registry
    from monitor.store.models import ModelRow

log = logging.getLogger(__name__)


class ModelLoader:
    """Verifies and loads models by their rows in the store."""

    def __init__(self, registry: Registry, configuration: Configuration) -> None:
        """``configuration`` tells the models' folder and, under ``[pipeline]``, the device and the runtime."""
        self._registry = registry
        self._models_folder = configuration.models
        self._device = configuration.settings.pipeline.device
        self._runtime = configuration.settings.pipeline.runtime

    def load(self, row: ModelRow) -> Detector:
        """Verify and load a model; raises `ModelDamagedError` naming the file that is not what was trained."""
        return self.load_with_runtime(row)[0]

    def load_with_runtime(self, row: ModelRow) -> tuple[Detector, str]:
        """The same, and what computes the scores, in words."""
        folder = folder_of(self._models_folder, row)
        manifest = verify(folder, row.fingerprint)
        detector_class = self._registry.detector_class(row.detector)
        try:
            settings = detector_class.Settings.model_validate(manifest["settings"])
            detector = detector_class.load(folder / DETECTOR_FOLDER, settings, self._device)
            computed_by = detector.use_runtime(self._runtime)
        except MonitorError:
            raise
        except ValidationError as error:
            raise ModelDamagedError(
                f"{folder}: was trained with settings that the installed detector {row.detector!r} does not know: "
                f"{error.error_count()} problems; train it again: monitor train {row.detector}"
            ) from error
        except Exception as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            who = f"the detector {row.detector!r}{whose(detector_class)}"
            raise ModelDamagedError(f"{folder}: cannot be loaded by {who}: {reason}; train it again") from error
        log.debug("%s is computed by %s", row.name, computed_by)
        return detector, computed_by
