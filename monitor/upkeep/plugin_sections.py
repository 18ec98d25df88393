"""Checks what a configuration says of plug-ins: the names of rules, detectors and sinks, and their settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from monitor.configuration.checks import own_settings
from monitor.configuration.environment import ENVIRONMENT_PREFIX
from monitor.configuration.origins import Origins
from monitor.configuration.problems import plugin_settings
from monitor.errors import MonitorError
from monitor.registry import DETECTOR, RULE, SINK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic import BaseModel

    from monitor.configuration.file import Reading
    from monitor.configuration.positions import Location
    from monitor.configuration.resolved import Configuration
    from monitor.registry import Kind, Registry

# The keys that name a rule.
RULE_KEYS: Final = ("rule", "fallback_rule")


def settings_of_all(registry: Registry, configuration: Configuration) -> dict[Location, BaseModel]:
    """The settings of every installed detector and rule as configured, by section.

    Raises `ConfigurationError` for a section that is wrong, and `PluginError` for a plug-in that cannot be imported.
    Settings without which a plug-in cannot work, and which have no default, may be missing: its section is left out.
    """
    found: dict[Location, BaseModel] = {}
    for kind in (RULE, DETECTOR):
        assert kind.section is not None
        for name in registry.offers[kind]:
            configured = getattr(configuration.settings, kind.section)
            if name in configured or _has_defaults(registry.class_of(kind, name).Settings):
                found[kind.section, name] = registry.settings_of(kind, name, configuration)
    return found


def _has_defaults(model: type[BaseModel]) -> bool:
    return not any(field.is_required() for field in model.model_fields.values())


def problems(registry: Registry, reading: Reading) -> Iterator[str]:
    """A line for each name that is not installed, and for each setting that is wrong; importing plug-ins takes time.

    Also where the rest of the file is wrong: then names and sections are taken as they are in it.
    """
    if reading.configuration is not None:
        values = reading.configuration.settings.model_dump(
            include={"alarms", "calibration", "decision", "rules", "detectors"}
        )
        origins = reading.configuration.origins
    else:
        values = reading.document.values
        origins = Origins(str(reading.found.file), reading.document.lines)
    named = [(RULE, ("calibration", key), _at(values, "calibration", key)) for key in RULE_KEYS]
    detectors = _at(values, "decision", "detectors")
    named += [
        (DETECTOR, ("decision", "detectors"), name) for name in detectors or () if isinstance(detectors, list | tuple)
    ]
    for kind, location, name in named:
        # A plug-in that does not load may be the one that offers the name; `monitor plugins` reports it.
        if isinstance(name, str) and name not in registry.offers[kind] and not registry.broken:
            yield _unknown(registry, kind, name, origins.place(location))
    for kind in (RULE, DETECTOR):
        assert kind.section is not None
        configured = values.get(kind.section)
        if isinstance(configured, dict):
            yield from _of_kind(registry, kind, configured, origins)
    sinks = _at(values, "alarms", "sinks")
    if isinstance(sinks, dict):
        yield from _of_sinks(registry, sinks, origins)


def _of_sinks(registry: Registry, sinks: Mapping[str, Any], origins: Origins) -> Iterator[str]:
    for name, given in sinks.items():
        if not isinstance(given, dict) or not isinstance(given.get("kind"), str):
            continue  # the settings say so
        kind, values = given["kind"], own_settings(given)
        if kind not in registry.offers[SINK]:
            if not registry.broken:
                yield _unknown(registry, SINK, kind, origins.place(("alarms", "sinks", name)))
            continue
        try:
            settings = registry.class_of(SINK, kind).Settings
            plugin_settings(settings, values, section=f"alarms.sinks.{name}", origins=origins)
        except MonitorError as error:
            yield from str(error).splitlines()


def _at(values: Mapping[str, Any], section: str, key: str) -> Any:
    found = values.get(section)
    return found.get(key) if isinstance(found, dict) else None


def _of_kind(registry: Registry, kind: Kind, configured: Mapping[str, Any], origins: Origins) -> Iterator[str]:
    for name, values in configured.items():
        if name not in registry.offers[kind]:
            if not registry.broken:
                yield _unknown(registry, kind, name, origins.place((str(kind.section), name)))
        elif isinstance(values, dict):
            section = f"{kind.section}.{name}"
            try:
                plugin_settings(registry.class_of(kind, name).Settings, values, section=section, origins=origins)
            except MonitorError as error:
                yield from str(error).splitlines()


def _unknown(registry: Registry, kind: Kind, name: str, place: str) -> str:
    installed = sorted(registry.offers[kind])
    sentence = f"{place}: there is no {kind.name} {name!r}; installed are: {', '.join(installed)}"
    dashed = name.replace("_", "-")
    if place.startswith("environment: ") and dashed in installed:
        section = f"{ENVIRONMENT_PREFIX}{kind.section}".upper()
        return f"{sentence}; a name with a dash can be given in a section only: {section}='{{{dashed} = {{KEY = 1}}}}'"
    return sentence
