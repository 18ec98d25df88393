"""Makes the sinks that the configuration names, and says how often they get a heartbeat."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

from monitor.configuration.checks import HEARTBEAT_SECONDS, own_settings
from monitor.configuration.problems import plugin_settings
from monitor.errors import ConfigurationError, PluginError
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
    configured = configuration.settings.alarms.sinks[name]
    kind = str(configured["kind"])
    section = f"alarms.sinks.{name}"
    try:
        found = registry.class_of(SINK, kind)
    except PluginError as error:
        place = configuration.origins.place(("alarms", "sinks", name))
        raise PluginError(f"{place}: {error}") from None
    settings = plugin_settings(found.Settings, own_settings(configured), section=section, origins=configuration.origins)
    paths = {
        key: configuration.resolve(value)
        for key in type(settings).model_fields
        if isinstance(value := getattr(settings, key), Path)
    }
    try:
        return cast("Sink", registry.made(SINK, kind, lambda made: made(settings.model_copy(update=paths))))
    except ConfigurationError as error:
        raise ConfigurationError(f"{configuration.origins.place(('alarms', 'sinks', name))}: {error}") from None


def heartbeat_seconds(name: str, sink: Sink, configuration: Configuration) -> float | None:
    """How often the sink of `[alarms.sinks.NAME]` gets a heartbeat; None: never."""
    return configuration.settings.alarms.sinks[name].get(HEARTBEAT_SECONDS, sink.heartbeat_seconds) or None
