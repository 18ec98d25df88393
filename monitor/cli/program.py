"""What the commands share: configuration, plug-ins and database, each made when it is first needed."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from monitor import logs

if TYPE_CHECKING:
    from monitor.configuration.resolved import Configuration
    from monitor.files.ignoring import IgnoredNames
    from monitor.logs import Format
    from monitor.registry import Registry
    from monitor.store.database.engine import Database

# click would report an unreadable folder as a wrong command line; our own sentences say what to do.
FOLDER: Final = click.Path(path_type=Path, readable=False)


class Program:
    """One run of the program, with the options that stand before the command."""

    def __init__(self) -> None:
        self.config_path: Path | None = None
        self.log_level: str | None = None
        self.log_format: Format | None = None

    @cached_property
    def registry(self) -> Registry:
        """The plug-ins; registering them imports nothing heavy."""
        from monitor.registry import Registry

        return Registry.load()

    @cached_property
    def configuration(self) -> Configuration:
        """The configuration; once it is read, the log has its level and format."""
        from monitor.configuration.file import load

        configuration = load(self.config_path)
        settings = configuration.settings.logging
        logs.setup(self.log_level or settings.level, self.log_format or settings.format)
        self._check_sections(configuration)
        return configuration

    @property
    def ignored(self) -> IgnoredNames:
        """The names that are left alone wherever crops are looked for."""
        from monitor.files.ignoring import IgnoredNames

        return IgnoredNames(self.configuration.settings.crops.ignore)

    def _check_sections(self, configuration: Configuration) -> None:
        """Refuse sections of plug-ins that are not installed, unless a broken plug-in may have offered them."""
        from monitor.errors import ConfigurationError
        from monitor.registry import SINK

        settings = configuration.settings
        sections = [
            ("detectors", settings.detectors, self.registry.detectors),
            ("rules", settings.rules, self.registry.rules),
        ]
        problems = [
            f"{configuration.origins.place((kind, name))}: nothing of this name is installed; "
            f"installed are: {', '.join(sorted(installed))}"
            for kind, configured, installed in sections
            for name in sorted(configured.keys() - installed.keys())
        ]
        kinds = self.registry.offers[SINK]
        problems += [
            f"{configuration.origins.place(('alarms', 'sinks', name))}: there is no sink of the kind {sink['kind']!r}; "
            f"installed are: {', '.join(sorted(kinds))}"
            for name, sink in sorted(settings.alarms.sinks.items())
            if sink["kind"] not in kinds
        ]
        if problems and not self.registry.broken:
            raise ConfigurationError("\n".join(problems))

    @cached_property
    def _connections(self) -> Database:
        from monitor.store.database.engine import Database

        settings = self.configuration.settings.database
        return Database(self.configuration.database_url, busy_seconds=settings.busy_seconds)

    def database(self, *, create: bool) -> Database:
        """The database with the current schema; ``create``: make it if there is none.

        Raises `NoModelError` when there is no database and none is to be made: without it there is no model either.
        """
        from monitor.errors import NoModelError
        from monitor.store.database.upgrade import prepare, require_current

        database = self._connections
        if not create and not database.exists:
            raise NoModelError(
                f"{database.description}: there is no database yet, and so no model; "
                "train one: monitor train contrast --data DIR; if there should be one, check paths.state"
            )
        (prepare if create else require_current)(database)
        return database

    def close(self) -> None:
        """Close the database, if it was opened."""
        if "_connections" in self.__dict__:
            self._connections.close()

    def raw_database(self) -> Database:
        """The database, whatever its schema."""
        return self._connections


pass_program = click.make_pass_decorator(Program)


def parse_assignments(assignments: tuple[str, ...]) -> dict[str, Any]:
    """Read ``--set key=value`` options; a value that is not TOML is text."""
    import tomllib

    values: dict[str, Any] = {}
    for assignment in assignments:
        key, separator, text = assignment.partition("=")
        if not separator or not key.strip():
            raise click.BadParameter(f"{assignment!r} is not KEY=VALUE", param_hint="--set")
        try:
            values[key.strip()] = tomllib.loads(f"value = {text}")["value"]
        except (tomllib.TOMLDecodeError, RecursionError):
            values[key.strip()] = text
    return values
