"""Loads config.toml and the environment into frozen settings, and reports all problems at once.

The file is the one that is named, or that ``MONITOR_CONFIG`` names, or ``./config.toml``, or
``/etc/monitor/config.toml``; without a file the built-in defaults apply, which are those of the sample ``config.toml``.
``MONITOR__SECTION__KEY`` in the environment overrides a key of the file. The keys are in
`monitor.configuration.settings`.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_settings import SettingsError

from monitor.configuration.contradictions import contradictions
from monitor.configuration.problems import describe_problem
from monitor.configuration.resolved import Configuration
from monitor.configuration.settings import ENVIRONMENT_PREFIX, Settings
from monitor.errors import ConfigurationError

PATH_VARIABLE: Final = "MONITOR_CONFIG"
SYSTEM_PATH: Final = Path("/etc/monitor/config.toml")


def find_file(explicit: Path | None) -> Path | None:
    """The absolute path of the configuration file that applies, or None.

    Raises `ConfigurationError` when one that was named is missing.
    """
    named = explicit or (Path(os.environ[PATH_VARIABLE]) if os.environ.get(PATH_VARIABLE) else None)
    if named is not None:
        if not named.is_file():
            origin = "--config" if explicit else PATH_VARIABLE
            raise ConfigurationError(f"{named}: no such configuration file (named by {origin})")
        return named.absolute()
    return next((path.absolute() for path in (Path("config.toml"), SYSTEM_PATH) if path.is_file()), None)


def load(explicit: Path | None = None) -> Configuration:
    """Read the configuration; raises `ConfigurationError` with a line for each problem."""
    file = find_file(explicit)
    document = {} if file is None else _parse(file)
    # Names that begin with an underscore would be taken for arguments of the library's constructor.
    foreign = [key for key in document if key.startswith("_")]
    problems = _unknown_variables() + [
        describe_problem({"type": "extra_forbidden", "loc": (key,)}, str(file)) for key in foreign
    ]
    settings = None
    try:
        settings = Settings(**{key: value for key, value in document.items() if key not in foreign})
    except ValidationError as error:
        problems += [
            describe_problem(problem, str(file or "built-in defaults")) for problem in error.errors(include_url=False)
        ]
    except SettingsError:
        problems.append(
            f"environment: a variable {ENVIRONMENT_PREFIX}SECTION without a key needs a whole section as JSON; "
            f"set single keys as {ENVIRONMENT_PREFIX}SECTION__KEY"
        )
    configuration = Configuration(settings=settings, file=file) if settings else None
    problems += contradictions(configuration) if configuration else []
    if configuration is None or problems:
        raise ConfigurationError("\n".join(problems))
    return configuration


def _parse(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_bytes().decode())
    except OSError as error:
        raise ConfigurationError(
            f"{file}: cannot be read: {error.strerror}; give the user that runs this program read permission"
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file}: is not valid TOML: {error}") from None


def _unknown_variables() -> list[str]:
    """Variables of sections that do not exist, which pydantic-settings would ignore without a word."""
    sections = set(Settings.model_fields)
    return [
        f"environment: {name}: there is no section {name.upper().removeprefix(ENVIRONMENT_PREFIX).split('__')[0]}"
        for name in sorted(os.environ)
        if name.upper().startswith(ENVIRONMENT_PREFIX)
        and name.upper().removeprefix(ENVIRONMENT_PREFIX).split("__")[0].lower() not in sections
    ]
