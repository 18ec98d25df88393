"""The published experiments that the installed detectors repeat: `monitor train --recipe NAME`."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

from monitor.configuration.origins import Origins
from monitor.configuration.problems import plugin_settings
from monitor.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from monitor.api import Detector, Recipe
    from monitor.configuration.resolved import Configuration
    from monitor.registry import Registry

log = logging.getLogger(__name__)


class FoundRecipe(NamedTuple):
    """A recipe, and the name of the detector that repeats it."""

    detector: str
    recipe: Recipe


def find_recipe(registry: Registry, name: str) -> FoundRecipe:
    """The recipe ``name``; raises `PluginError` when there is none, or when two detectors have one of this name."""
    found = [FoundRecipe(detector, one) for detector in registry.detectors for one in _recipes_of(registry, detector)]
    named = [one for one in found if one.recipe.name == name]
    if len(named) == 1:
        return named[0]
    if named:
        owners = " and ".join(registry.detectors[one.detector].origin for one in named)
        raise PluginError(f"two detectors have a recipe {name!r}: {owners}; uninstall one of them")
    known = ", ".join(sorted(one.recipe.name for one in found)) or "none"
    raise PluginError(f"there is no recipe {name!r}; the recipes are: {known}")


def new_detector(
    registry: Registry, configuration: Configuration, found: FoundRecipe, overrides: Mapping[str, Any]
) -> Detector:
    """Make the untrained detector of a recipe, with ``overrides`` over the recipe's settings.

    The detector's section of the configuration is left aside. Raises `ConfigurationError` for every setting that is
    wrong.
    """
    detector_class = registry.detector_class(found.detector)
    settings = plugin_settings(
        detector_class.Settings,
        found.recipe.settings,
        section=f"detectors.{found.detector}",
        origins=Origins(f"the recipe {found.recipe.name}"),
        overrides=overrides,
    )
    return detector_class(settings, configuration.settings.pipeline.device)


def _recipes_of(registry: Registry, detector: str) -> Sequence[Recipe]:
    """A detector's recipes; those of one that cannot be imported are left out with a warning."""
    try:
        return registry.detector_class(detector).recipes
    except PluginError as error:
        log.warning("%s; its recipes are left out", error)
        return ()
