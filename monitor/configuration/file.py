"""config.toml and the environment -> frozen settings; every problem of a file is reported at once.

The file is found by an explicit path, then ``MONITOR_CONFIG``, then ``./config.toml``, then
``/etc/monitor/config.toml``; without any, the built-in defaults hold, which are those of the sample
``config.toml``. ``MONITOR__SECTION__KEY`` in the environment overrides a key of the file. The keys are in
`monitor.configuration.settings`.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_settings import SettingsError

from monitor.configuration.settings import ENVIRONMENT_PREFIX, SQLITE, Settings
from monitor.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

PATH_VARIABLE: Final = "MONITOR_CONFIG"
SYSTEM_PATH: Final = Path("/etc/monitor/config.toml")
OVERRIDE_SOURCE: Final = "--set"
UNKNOWN_KEY_REMEDY: Final = "see the sample config.toml for those that exist"


class Configuration(BaseModel):
    """Settings with the place that they came from, against which relative paths are resolved."""

    model_config = ConfigDict(frozen=True)

    settings: Settings
    file: Path | None

    @property
    def source(self) -> str:
        """How messages name the configuration."""
        return "built-in defaults" if self.file is None else str(self.file)

    def _resolved(self, path: Path) -> Path:
        base = Path.cwd() if self.file is None else self.file.parent
        # Links are followed here, once, so that a crop has the same path by whichever way it is reached.
        try:
            return (base / path.expanduser()).resolve()
        except (OSError, RuntimeError) as error:
            raise ConfigurationError(f"{self.source}: {path}: is not a path that can be followed: {error}") from None

    @property
    def inbox(self) -> Path:
        """The watched folder."""
        return self._resolved(self.settings.paths.inbox)

    @property
    def state(self) -> Path:
        """The folder of the database and of the models."""
        return self._resolved(self.settings.paths.state)

    @property
    def models(self) -> Path:
        """The folder of the models."""
        return self.state / "models"

    @property
    def labelled(self) -> Path | None:
        """The folder whose proliv/ and ne_proliv/ hold labelled crops, if any."""
        path = self.settings.paths.labelled
        return None if path is None else self._resolved(path)

    @property
    def quarantine(self) -> Path | None:
        """The folder that failed files are moved to, if any."""
        path = self.settings.paths.quarantine
        return None if path is None else self._resolved(path)

    @property
    def archive(self) -> Path | None:
        """The folder that decided files are moved to, if any."""
        path = self.settings.paths.archive
        return None if path is None else self._resolved(path)

    @property
    def certificate(self) -> tuple[Path, Path] | None:
        """The files (certificate, key) of the metrics' TLS; none for plain HTTP."""
        metrics = self.settings.metrics
        if metrics.certificate is None or metrics.key is None:
            return None
        return self._resolved(metrics.certificate), self._resolved(metrics.key)

    @property
    def database_url(self) -> str:
        """The database's URL; may hold a password, so it is never printed."""
        url = self.settings.database.url.get_secret_value() or f"{SQLITE}{self.state / 'monitor.db'}"
        return f"{SQLITE}{self._resolved(Path(url.removeprefix(SQLITE)))}" if url.startswith(SQLITE) else url

    @property
    def time_zone(self) -> ZoneInfo:
        """The plant's time zone."""
        return ZoneInfo(self.settings.plant.time_zone)


def find_file(explicit: Path | None) -> Path | None:
    """The configuration file that holds, absolute, or none; raises when one that was named is missing."""
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
    # The library's constructor has arguments of its own, whose names begin with an underscore.
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
    problems += [*_folder_problems(configuration), *_keeping_problems(configuration)] if configuration else []
    if configuration is None or problems:
        raise ConfigurationError("\n".join(problems))
    return configuration


def plugin_settings(
    model: type[BaseModel],
    values: Mapping[str, Any],
    *,
    section: str,
    source: str,
    overrides: Mapping[str, Any] | None = None,
) -> BaseModel:
    """Fill a plug-in's settings model from its section, with ``overrides`` (``--set``) over it.

    Raises `ConfigurationError` for every problem.
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


def _parse(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_bytes().decode())
    except OSError as error:
        raise ConfigurationError(
            f"{file}: cannot be read: {error.strerror}; give the user who runs this program read permission"
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{file}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{file}: is not valid TOML: {error}") from None


def _unknown_variables() -> list[str]:
    """pydantic-settings ignores a variable whose section does not exist; a person would want to know."""
    sections = set(Settings.model_fields)
    return [
        f"environment: {name}: there is no section {name.upper().removeprefix(ENVIRONMENT_PREFIX).split('__')[0]}"
        for name in sorted(os.environ)
        if name.upper().startswith(ENVIRONMENT_PREFIX)
        and name.upper().removeprefix(ENVIRONMENT_PREFIX).split("__")[0].lower() not in sections
    ]


def _keeping_problems(configuration: Configuration) -> list[str]:
    problem = configuration.settings.keeps_too_short(configuration.settings.store.keep_days)
    return [] if problem is None else [f"{configuration.source}: store.keep_days: {problem}"]


def _folder_problems(configuration: Configuration) -> list[str]:
    """Refuse folders in the inbox, which would score its own quarantine or models, and in the labelled one."""
    folders = {
        "state": configuration.state,
        "labelled": configuration.labelled,
        "quarantine": configuration.quarantine,
        "archive": configuration.archive,
    }
    # What is moved into the labelled folder would count as labelled by a person.
    apart: list[tuple[str, str, Path | None]] = [(key, "inbox", configuration.inbox) for key in folders]
    apart += [(key, "labelled folder", configuration.labelled) for key in ("quarantine", "archive")]
    problems = [
        {
            "type": "value_error",
            "loc": ("paths", key),
            "msg": f"must not lie inside the {name} {outer}",
            "input": str(getattr(configuration.settings.paths, key)),
        }
        for key, name, outer in apart
        if outer is not None and (folder := folders[key]) is not None and folder.is_relative_to(outer)
    ]
    missing = configuration.archive is None and configuration.settings.inbox.after == "archive"
    needs_archive = [f'{configuration.source}: inbox.after: "archive" needs a folder: set paths.archive']
    return (needs_archive if missing else []) + [
        describe_problem(problem, configuration.source) for problem in problems
    ]
