"""Describes in sentences what is wrong with a configuration."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel, ValidationError

from monitor.configuration.environment import ENVIRONMENT_PREFIX
from monitor.configuration.numbers import with_fractions
from monitor.configuration.settings import Settings
from monitor.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from monitor.configuration.origins import Origins
    from monitor.configuration.positions import Location


OVERRIDE_SOURCE: Final = "--set"
UNKNOWN_KEY_REMEDY: Final = "see the sample config.toml for those that exist: monitor config init"

# What the library says in the words of Python, by its names of errors.
_SENTENCES: Final = {
    "tuple_type": 'should be a list, such as ["a", "b"]',
    "string_type": "should be text between quotation marks",
    "path_type": "should be a path between quotation marks",
    **dict.fromkeys(("bool_type", "bool_parsing"), "should be true or false"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "should be a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "should be a number"),
}
_SECTION_EXPECTED: Final = frozenset({"model_type", "dict_type"})


def plugin_settings(
    model: type[BaseModel],
    values: Mapping[str, Any],
    *,
    section: str,
    origins: Origins,
    overrides: Mapping[str, Any] | None = None,
) -> BaseModel:
    """Fill a plug-in's settings model from its section; ``overrides`` (``--set``) take precedence.

    Where a float is expected, a text such as ``12/4500`` is worked out. Raises `ConfigurationError` with a line for
    each problem.
    """
    overrides = overrides or {}
    try:
        return model.model_validate(with_fractions(model, {**values, **overrides}))
    except ValidationError as error:
        lines = [
            describe_problem(
                {**problem, "loc": (*section.split("."), *problem["loc"])},
                origins,
                known=[field.alias or name for name, field in model.model_fields.items()],
                overridden=bool(problem["loc"]) and problem["loc"][0] in overrides,
            )
            for problem in error.errors(include_url=False)
        ]
        raise ConfigurationError("\n".join(lines)) from None


def describe_problem(
    problem: Mapping[str, Any],
    origins: Origins,
    *,
    known: Collection[str] | None = None,
    overridden: bool = False,
) -> str:
    """``file:12: section.key: what is wrong (got …)`` for one of pydantic's errors.

    ``known``: the keys of a plug-in's section; those of other sections are known. ``overridden``: the value was given
    on the command line.
    """
    location = tuple(str(part) for part in problem["loc"])
    where = f"{OVERRIDE_SOURCE}: {'.'.join(location)}" if overridden else origins.place(location)
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown key; {_instead_of(location, known)}"
    if problem["type"] in _SECTION_EXPECTED:
        message = _section_expected(location, by_environment=where.startswith("environment: "))
    else:
        said = str(problem["msg"]).removeprefix("Value error, ").removeprefix("Input ")
        message = _SENTENCES.get(problem["type"], f"{said[:1].lower()}{said[1:]}")
    secret = "url" in location or location == ("database",) or location[:2] == ("alarms", "sinks")
    got = "a secret value" if secret else _shortened(problem.get("input"))
    return f"{where}: {message} (got {got})"


def unknown_section(name: str, origins: Origins, location: Location) -> str:
    """A line for a section that does not exist, as an environment variable names it."""
    return f"{origins.place(location)}: there is no section {name.upper()}; {_instead_of((name,), None)}"


def _section_expected(location: Location, *, by_environment: bool) -> str:
    if by_environment:
        variable = f"{ENVIRONMENT_PREFIX}{'__'.join(location)}".upper()
        return f"should be a table such as {{KEY = 1}}; or set single keys as {variable}__KEY"
    return f"should be a section: [{'.'.join(location)}], with its keys on the lines below it"


def _instead_of(location: Location, known: Collection[str] | None) -> str:
    """What a person may have meant by a key that does not exist."""
    *section, key = location
    if known is not None:
        return f"the keys of {'.'.join(section)}: {', '.join(known) or 'none'}"
    names = _keys_of(section[0]) if len(section) == 1 else list(Settings.model_fields) if not section else []
    if near := get_close_matches(key.lower(), names, n=1, cutoff=0.7):
        return f"did you mean {'.'.join([*section, near[0]])}?"
    homes = [f"[{name}]" for name in Settings.model_fields if key.lower() in _keys_of(name)]
    return f"it is a key of {' and of '.join(homes)}" if homes else UNKNOWN_KEY_REMEDY


def _keys_of(section: str) -> list[str]:
    """The keys of a section; none of one that does not exist, and of those of plug-ins."""
    field = Settings.model_fields.get(section)
    model = field.annotation if field is not None else None
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
