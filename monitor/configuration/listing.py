"""Every key of a configuration with its value, and where that comes from."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from pydantic import BaseModel, SecretStr

from monitor.configuration.checks import own_settings
from monitor.configuration.environment import read_value, variables
from monitor.configuration.settings import SQLITE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from monitor.configuration.file import Reading
    from monitor.configuration.positions import Location
    from monitor.configuration.resolved import Configuration

HIDDEN: Final = "(hidden)"
SINKS: Final = ("alarms", "sinks")

Origin = Literal["file", "environment", "default"]


class Entry(NamedTuple):
    """A key: its value as JSON can hold it, and where that comes from.

    ``line``: in the file; ``variable``: of the environment. ``path``: of a path, the whole one. ``changed``: whether
    the value differs from the default.
    """

    key: str
    value: Any
    origin: Origin
    line: int | None
    variable: str | None
    path: Path | None
    changed: bool


def entries(reading: Reading, plugin_settings: Mapping[Location, BaseModel]) -> Iterator[Entry]:
    """The keys in the order of the sample; then those of the plug-ins' sections, as the plug-ins understand them."""
    assert reading.configuration is not None
    settings = reading.configuration.settings
    for name in type(settings).model_fields:
        section = getattr(settings, name)
        if isinstance(section, BaseModel):
            yield from _of_section(reading, (name,), section)
    for location, plugged in plugin_settings.items():
        yield from _of_section(reading, location, plugged)


def _of_section(reading: Reading, location: Location, section: BaseModel) -> Iterator[Entry]:
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        yield _entry(reading, (*location, key), value, changed=value != field.get_default(call_default_factory=True))


def _entry(reading: Reading, location: Location, value: object, *, changed: bool) -> Entry:
    assert reading.configuration is not None
    origins, name = reading.configuration.origins, ".".join(location)
    shown, path = _plain(value), _whole(reading.configuration, value)
    if location == SINKS:
        # What else is there may hold a secret, although none belongs there.
        shown = {
            name: {key: HIDDEN if key in own_settings(sink) else value for key, value in sink.items()}
            for name, sink in shown.items()
        }
    variable = origins.variable_of(location)
    if variable is not None and _gives(variable, location):
        return Entry(name, shown, "environment", None, variable, path, changed)
    if _is_in(reading.document.values, location):
        return Entry(name, shown, "file", origins.line_of(location), None, path, changed)
    return Entry(name, shown, "default", None, None, path, changed)


def _gives(variable: str, location: Location) -> bool:
    """Whether a variable gives a key itself; one of a whole section may leave it out."""
    given = next(one for one in variables() if one.name == variable)
    if given.location == location:
        return True
    return _is_in(read_value(os.environ[variable]), location[len(given.location) :])


def _is_in(values: object, location: Location) -> bool:
    for part in location:
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return True


def _whole(configuration: Configuration, value: object) -> Path | None:
    return configuration.resolve(value) if isinstance(value, Path) else None


def _plain(value: object) -> Any:
    """A value as JSON can hold it, without secrets."""
    if isinstance(value, SecretStr):
        text = value.get_secret_value()
        # The URL of a file holds no password.
        return HIDDEN if text and not text.startswith(SQLITE) else text
    if isinstance(value, BaseModel):
        return {key: _plain(getattr(value, key)) for key in type(value).model_fields}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
