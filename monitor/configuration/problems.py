"""Describes in sentences what is wrong with a configuration."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from pydantic import ValidationError

from monitor.configuration.settings import ENVIRONMENT_PREFIX
from monitor.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic import BaseModel


OVERRIDE_SOURCE: Final = "--set"
UNKNOWN_KEY_REMEDY: Final = "see the sample config.toml for those that exist"


def plugin_settings(
    model: type[BaseModel],
    values: Mapping[str, Any],
    *,
    section: str,
    source: str,
    overrides: Mapping[str, Any] | None = None,
) -> BaseModel:
    """Fill a plug-in's settings model from its section; ``overrides`` (``--set``) take precedence.

    Raises `ConfigurationError` with a line for each problem.
    """
    overrides = overrides or {}
    try:
        return model.model_validate({**values, **overrides})
    except ValidationError as error:
        lines = [
            describe_problem(
                {**problem, "loc": (*section.split("."), *problem["loc"])},
                OVERRIDE_SOURCE if problem["loc"] and problem["loc"][0] in overrides else source,
                remedy=f"the keys of {section}: {', '.join(model.model_fields) or 'none'}",
            )
            for problem in error.errors(include_url=False)
        ]
        raise ConfigurationError("\n".join(lines)) from None


def describe_problem(problem: Mapping[str, Any], source: str, *, remedy: str = UNKNOWN_KEY_REMEDY) -> str:
    """``file: section.key: what is wrong (got …)`` for one of pydantic's errors."""
    location = [str(part) for part in problem["loc"]]
    variable = ENVIRONMENT_PREFIX + "__".join(location).upper()
    given_by_environment = source != OVERRIDE_SOURCE and any(name.upper() == variable for name in os.environ)
    where = f"environment: {variable}" if given_by_environment else f"{source}: {'.'.join(location)}"
    if problem["type"] == "extra_forbidden":
        return f"{where}: unknown key; {remedy}"
    message = str(problem["msg"]).removeprefix("Value error, ").removeprefix("Input ")
    secret = "url" in location or location == ["database"]
    got = "a secret value" if secret else _shortened(problem.get("input"))
    return f"{where}: {message[:1].lower()}{message[1:]} (got {got})"


def _shortened(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
