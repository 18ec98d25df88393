"""The rules that choose thresholds, as configured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from monitor.api import ScoreEvidence
from monitor.errors import ConfigurationError, EvidenceMissingError, PluginError
from monitor.models import folders
from monitor.models.folders import TrainedOn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from monitor.api import ThresholdRule
    from monitor.configuration.resolved import Configuration
    from monitor.configuration.settings import Calibration
    from monitor.registry import Registry
    from monitor.store.models import ModelRow


@dataclass(frozen=True)
class Rules:
    """The rule that chooses thresholds, the fallback for too little proliv, and the bounds of the guard.

    ``explicit``: whether the rule was asked for by name, so that the fallback never takes its place. ``trained_on``:
    the sha256 of the crops that a model was trained on. ``fallback_of``: the fallback that a model's detector
    brings, in place of the configured one.
    """

    rule: ThresholdRule
    fallback: ThresholdRule
    settings: Calibration
    explicit: bool = False
    trained_on: Callable[[ModelRow], TrainedOn] = lambda _: TrainedOn()
    fallback_of: Callable[[ModelRow], ThresholdRule | None] = lambda _: None

    @classmethod
    def of(
        cls,
        registry: Registry,
        configuration: Configuration,
        name: str | None = None,
        overrides: Mapping[str, Any] | None = None,
    ) -> Rules:
        """The configured ones, or with another rule where one is named, with ``overrides`` over its settings."""
        settings = configuration.settings.calibration
        fallback = registry.new_rule(settings.fallback_rule, configuration)
        _require_no_proliv(fallback, configuration)
        return cls(
            registry.new_rule(name or settings.rule, configuration, overrides),
            fallback,
            settings,
            explicit=name is not None,
            trained_on=lambda row: folders.trained_on(configuration.models, row),
            fallback_of=lambda row: _natural(registry, configuration, row),
        )


def _natural(registry: Registry, configuration: Configuration, model: ModelRow) -> ThresholdRule | None:
    """The threshold that a model's detector names for a time without proliv, as a rule; none where it names none."""
    try:
        threshold = registry.detector_class(model.detector).natural_threshold
    except PluginError:
        # A threshold can be chosen from stored scores when the detector is no longer installed.
        return None
    return None if threshold is None else registry.new_rule("fixed", configuration, {"threshold": threshold})


def _require_no_proliv(fallback: ThresholdRule, configuration: Configuration) -> None:
    """Try the fallback without proliv, so that it does not fail in the night in which it is needed."""
    try:
        fallback.choose(ScoreEvidence(np.linspace(1, 2, 10_000), np.empty(0), crops_per_week=10_000))
    except EvidenceMissingError as error:
        place = configuration.origins.place(("calibration", "fallback_rule"))
        raise ConfigurationError(
            f"{place}: {fallback.name!r} cannot choose without proliv ({error}); name one that can, such as "
            "normal-quantile"
        ) from None
