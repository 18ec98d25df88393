"""Makes the sinks that the configuration names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from monitor.configuration.problems import plugin_settings
from monitor.errors import PluginError
from monitor.registry import SINK

if TYPE_CHECKING:
    from monitor.api import Sink
    from monitor.configuration.resolved import Configuration
    from monitor.registry import Registry


def new_sink(registry: Registry, name: str, configuration: Configuration) -> Sink:
    """Make the sink that `[alarms.sinks.NAME]` configures.

    Raises `PluginError` where its kind is unknown, broken or no sink, and `ConfigurationError` for every setting that
    is wrong.
    """
    values = dict(configuration.settings.alarms.sinks[name])
    kind = str(values.pop("kind"))
    section = f"alarms.sinks.{name}"
    try:
        found = registry.class_of(SINK, kind)
    except PluginError as error:
        place = configuration.origins.place(("alarms", "sinks", name))
        raise PluginError(f"{place}: {error}") from None
    settings = plugin_settings(found.Settings, values, section=section, origins=configuration.origins)
    paths = {
        key: configuration.resolve(value)
        for key in type(settings).model_fields
        if isinstance(value := getattr(settings, key), Path)
    }
    return cast("Sink", registry.made(SINK, kind, lambda made: made(settings.model_copy(update=paths))))
