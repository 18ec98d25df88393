"""The hooks that a plug-in may implement; built-ins use exactly these.

A plug-in is a module or object under the entry-point group ``monitor``. Each hook returns providers, which
name their target as text, so that listing plug-ins imports nothing heavy.
"""

import pluggy

from monitor.api.providers import PROJECT_NAME, Provider

hookspec = pluggy.HookspecMarker(PROJECT_NAME)


@hookspec
def monitor_register_detectors() -> list[Provider]:  # type: ignore[empty-body]
    """Return the providers of classes derived from `monitor.api.Detector`."""


@hookspec
def monitor_register_rules() -> list[Provider]:  # type: ignore[empty-body]
    """Return the providers of classes derived from `monitor.api.ThresholdRule`."""


@hookspec
def monitor_register_commands() -> list[Provider]:  # type: ignore[empty-body]
    """Return the providers of click commands or groups that are added to ``monitor``."""


@hookspec
def monitor_register_benchmarks() -> list[Provider]:  # type: ignore[empty-body]
    """Return the providers of functions that measure something for `monitor bench`.

    Each takes a seed, measures once, and returns its figures by their names, whose ends are their units.
    """


@hookspec
def monitor_register_sinks() -> list[Provider]:  # type: ignore[empty-body]
    """Return the providers of classes derived from `monitor.api.Sink`."""
