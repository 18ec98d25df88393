"""Reads keys from environment variables: ``MONITOR__SECTION__KEY``, or a whole section as ``MONITOR__SECTION``.

The elements of a list are separated by commas (``a,b``), or the list is written as in TOML or JSON (``["a", "b"]``). A
table is written as in TOML or JSON (``{C = "1-40"}``). Upper and lower case are the same, except in names of cameras.
"""

from __future__ import annotations

import json
import os
import tomllib
from typing import TYPE_CHECKING, Any, Final, NamedTuple, get_origin

from pydantic_settings import EnvSettingsSource

from monitor.configuration.positions import DEEPEST

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from monitor.configuration.positions import Location

ENVIRONMENT_PREFIX: Final = "MONITOR__"
_SEPARATOR: Final = "__"
# The table whose keys are the cameras' own names, which keep their case.
_CAMERAS: Final = ("completeness", "cameras")


class Variable(NamedTuple):
    """An environment variable that gives a key, or a whole section."""

    name: str
    location: Location


def variables() -> list[Variable]:
    """The variables of this process that begin with `ENVIRONMENT_PREFIX`, in whatever case, by name."""
    return [Variable(name, _location(name)) for name in sorted(os.environ) if _begins(name)]


def _begins(name: str) -> bool:
    return name.upper().startswith(ENVIRONMENT_PREFIX)


def _location(name: str) -> Location:
    given = name[len(ENVIRONMENT_PREFIX) :].split(_SEPARATOR)
    parts = tuple(part.lower() for part in given)
    return (*_CAMERAS, *given[len(_CAMERAS) :]) if parts[: len(_CAMERAS)] == _CAMERAS else parts


class EnvironmentSource(EnvSettingsSource):
    """The library's own source, which knows only JSON and makes all names lower case."""

    def __call__(self) -> dict[str, Any]:
        """The sections and keys that the environment gives."""
        values = super().__call__()
        for name, location in variables():
            if len(location) > 1 and isinstance(section := values.get(location[0]), dict):
                if location[:-1] == _CAMERAS and isinstance(cameras := section.get(_CAMERAS[1]), dict):
                    cameras.pop(location[-1].lower(), None)
                    cameras[location[-1]] = os.environ[name]
                elif section.get(location[1]) == "" and self._is_list(location):
                    section[location[1]] = []
        return values

    def _is_list(self, location: Location) -> bool:
        section = self.settings_cls.model_fields[location[0]].annotation
        fields = getattr(section, "model_fields", {})
        return location[1] in fields and get_origin(fields[location[1]].annotation) is tuple

    def decode_complex_value(self, field_name: str, field: FieldInfo | None, value: Any) -> Any:  # noqa: ARG002
        """A list or table as it is written; what is neither stays text, and is refused with all other problems."""
        decoded = read_value(value)
        if isinstance(decoded, str) and field is not None and get_origin(field.annotation) is tuple:
            return [part.strip() for part in decoded.split(",") if part.strip()]
        return decoded


def read_value(text: Any) -> Any:
    """A list or table in JSON or TOML; any other text as it is."""
    if not isinstance(text, str) or text.strip()[:1] not in {"[", "{"} or _is_too_deep(text):
        return text
    for read in (json.loads, _from_toml):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def _is_too_deep(text: str) -> bool:
    """Whether brackets are nested deeper than any key needs, and than the libraries can read."""
    depth = deepest = 0
    for letter in text:
        depth += (letter in "[{") - (letter in "]}")
        deepest = max(deepest, depth)
    return deepest > DEEPEST


def _from_toml(text: str) -> Any:
    return tomllib.loads(f"value = {text.strip()}")["value"]
