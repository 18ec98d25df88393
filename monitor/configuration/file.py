"""Loads config.toml and the environment into frozen settings, and reports all problems at once.

The file is the one that is named, or that ``MONITOR_CONFIG`` names, or ``./config.toml``, or
``/etc/monitor/config.toml``; without a file the built-in defaults apply, which are those of the sample ``config.toml``.
``MONITOR__SECTION__KEY`` in the environment overrides a key of the file. The keys are in
`monitor.configuration.settings`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pydantic import ValidationError

from monitor.configuration.contradictions import contradictions
from monitor.configuration.document import Document, read_document
from monitor.configuration.environment import variables
from monitor.configuration.origins import Origins
from monitor.configuration.problems import describe_problem, unknown_section
from monitor.configuration.resolved import Configuration, working_folder
from monitor.configuration.settings import Settings
from monitor.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH_VARIABLE: Final = "MONITOR_CONFIG"
SYSTEM_PATH: Final = Path("/etc/monitor/config.toml")


class Found(NamedTuple):
    """The configuration file that applies, if any, and who named it."""

    file: Path | None
    named_by: str


class Reading(NamedTuple):
    """What was read: the file, its sections and keys, the configuration if it can be used, and every problem."""

    found: Found
    document: Document
    configuration: Configuration | None
    problems: list[str]


def find(explicit: Path | None) -> Found:
    """The configuration file that applies; raises `ConfigurationError` when one that was named is missing."""
    for path, named_by in _candidates(explicit):
        try:
            is_file = path.is_file()
            is_folder = path.is_dir()
        except OSError as error:
            raise ConfigurationError(
                f"{path}: cannot be read: {error.strerror}; give the user that runs this program read permission"
            ) from None
        if is_file:
            return Found(path if path.is_absolute() else working_folder() / path, named_by)
        if named_by in {"--config", PATH_VARIABLE}:
            what = "is a folder, not a configuration file" if is_folder else "no such configuration file"
            if not path.is_absolute():
                working_folder()
            raise ConfigurationError(f"{path}: {what} (named by {named_by})")
    return Found(None, "built-in defaults")


def _candidates(explicit: Path | None) -> Iterator[tuple[Path, str]]:
    if explicit is not None:
        yield explicit, "--config"
    if explicit is None and os.environ.get(PATH_VARIABLE):
        yield Path(os.environ[PATH_VARIABLE]), PATH_VARIABLE
    yield Path("config.toml"), "found in the working folder"
    yield SYSTEM_PATH, "found there by default"


def load(explicit: Path | None = None) -> Configuration:
    """Read the configuration; raises `ConfigurationError` with a line for each problem."""
    reading = read(explicit)
    if reading.configuration is None or reading.problems:
        raise ConfigurationError("\n".join(reading.problems))
    return reading.configuration


def read(explicit: Path | None = None) -> Reading:
    """Read the configuration with all its problems; raises `ConfigurationError` when the file cannot be read."""
    found = find(explicit)
    document = Document({}, {}, []) if found.file is None else read_document(found.file)
    origins = Origins(str(found.file or "built-in defaults"), document.lines)
    # Names that begin with an underscore would be taken for arguments of the library's constructor.
    foreign = [key for key in document.values if key.startswith("_")]
    problems = document.problems + _unknown_variables(origins)
    problems += [describe_problem({"type": "extra_forbidden", "loc": (key,)}, origins) for key in foreign]
    values: dict[str, Any] = {key: value for key, value in document.values.items() if key not in foreign}
    configuration = None
    try:
        configuration = Configuration(settings=Settings(**values), file=found.file, lines=document.lines)
    except ValidationError as error:
        problems += [describe_problem(problem, origins) for problem in error.errors(include_url=False)]
    else:
        # Without the lines that could not be read, keys may seem to contradict each other.
        problems += [] if document.problems else contradictions(configuration)
    return Reading(found, document, configuration, problems)


def _unknown_variables(origins: Origins) -> list[str]:
    """Variables of sections that do not exist, which pydantic-settings would ignore without a word."""
    return [
        unknown_section(location[0], origins, location)
        for _, location in variables()
        if location[0] not in Settings.model_fields
    ]
