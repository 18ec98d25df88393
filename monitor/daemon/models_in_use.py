"""The models and thresholds that the daemon decides by, and how they are exchanged while it runs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from monitor.metrics.refresh import ranges_of_references
from monitor.scoring.ensemble import load_active

if TYPE_CHECKING:
    from monitor.configuration.resolved import Configuration
    from monitor.metrics import Metrics
    from monitor.registry import Registry
    from monitor.scoring.ensemble import Ensemble
    from monitor.store.database.engine import Database

log = logging.getLogger(__name__)


class ModelsInUse:
    """Holds the ensemble that decides.

    Another thread may exchange it at any moment, so a caller that needs it twice has to keep what it got.
    """

    def __init__(self, configuration: Configuration, database: Database, registry: Registry, metrics: Metrics) -> None:
        self._configuration = configuration
        self._database = database
        self._registry = registry
        self._metrics = metrics
        self._ensemble: Ensemble | None = None

    @property
    def ensemble(self) -> Ensemble:
        """What decides now; to be asked for once `load` has succeeded."""
        assert self._ensemble is not None
        return self._ensemble

    @property
    def calibrations(self) -> tuple[int, ...]:
        """The ids of the calibrations that decide, the primary's first, and behind them those of models in the shadow.

        None before the first `load`.
        """
        ensemble = self._ensemble
        return tuple(model.calibration_id for model in ensemble.asked) if ensemble else ()

    def load(self) -> Ensemble:
        """Load the active models, and decide by them from now on; what was in use stays when that fails."""
        ensemble = load_active(self._database, self._registry, self._configuration, shadows=True)
        self._metrics.show_models(ensemble.models, ranges_of_references(self._database, ensemble))
        self._ensemble = ensemble
        for model in ensemble.models:
            log.info("model %s decides with the threshold %.6g", model.name, model.threshold)
        for model in ensemble.shadows:
            log.info("model %s is in the shadow: it scores, and decides nothing", model.name)
        if len(ensemble.models) > 1:
            log.info("the final decision: %s", ensemble.rule)
        return ensemble
