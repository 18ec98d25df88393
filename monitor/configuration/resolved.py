"""The settings together with the file they came from: absolute paths, the time zone, the database."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from monitor.configuration.origins import Origins
from monitor.configuration.settings import SQLITE, Settings
from monitor.errors import ConfigurationError


def working_folder() -> Path:
    """The folder that relative paths start from; raises `ConfigurationError` where it was removed."""
    try:
        return Path.cwd()
    except OSError as error:
        raise ConfigurationError(
            f"the working folder, in which relative paths start, cannot be used: {error.strerror}; change to another "
            "one (cd /), or give whole paths"
        ) from None


class Configuration(BaseModel):
    """Settings and the file that they came from, whose folder relative paths are relative to."""

    model_config = ConfigDict(frozen=True)

    settings: Settings
    file: Path | None
    # The line in the file of each section and key; empty where that does not matter.
    lines: Mapping[tuple[str, ...], int] = Field(default_factory=dict, repr=False)

    _folder: Path = PrivateAttr()

    def model_post_init(self, _context: Any) -> None:
        """Keep the folder that relative paths start from: the working folder may change, or be removed."""
        self._folder = working_folder() if self.file is None else self.file.parent

    @property
    def source(self) -> str:
        """What messages call the configuration."""
        return "built-in defaults" if self.file is None else str(self.file)

    @property
    def origins(self) -> Origins:
        """Where each value comes from."""
        return Origins(self.source, self.lines)

    def resolve(self, path: Path) -> Path:
        """The whole path of one in the configuration; raises `ConfigurationError` where it cannot be followed."""
        # Links are followed here, once, so that a crop has the same path however it is reached.
        try:
            return (self._folder / path.expanduser()).resolve()
        except (OSError, RuntimeError, ValueError) as error:
            raise ConfigurationError(f"{self.source}: {path}: is not a path that can be followed: {error}") from None

    @property
    def inbox(self) -> Path:
        """The watched folder."""
        return self.resolve(self.settings.paths.inbox)

    @property
    def state(self) -> Path:
        """The folder of the database and the models."""
        return self.resolve(self.settings.paths.state)

    @property
    def models(self) -> Path:
        """The folder of the models."""
        return self.state / "models"

    @property
    def labelled(self) -> Path | None:
        """The folder whose proliv/ and ne_proliv/ hold labelled crops, if any."""
        path = self.settings.paths.labelled
        return None if path is None else self.resolve(path)

    @property
    def quarantine(self) -> Path | None:
        """The folder that failed files are moved to, if any."""
        path = self.settings.paths.quarantine
        return None if path is None else self.resolve(path)

    @property
    def archive(self) -> Path | None:
        """The folder that decided files are moved to, if any."""
        path = self.settings.paths.archive
        return None if path is None else self.resolve(path)

    @property
    def learning_data(self) -> Path | None:
        """The labelled folder that models are trained again on, if any."""
        path = self.settings.learning.data
        return None if path is None else self.resolve(path)

    @property
    def cast_file(self) -> Path | None:
        """The file that says which cast runs, if any; links are followed anew each time."""
        path = self.settings.alarms.cast.file
        return None if path is None else self.resolve(path)

    @property
    def certificate(self) -> tuple[Path, Path] | None:
        """The files (certificate, key) of the metrics for HTTPS; None for plain HTTP."""
        metrics = self.settings.metrics
        if metrics.certificate is None or metrics.key is None:
            return None
        return self.resolve(metrics.certificate), self.resolve(metrics.key)

    @property
    def web_certificate(self) -> tuple[Path, Path] | None:
        """The same for the page."""
        web = self.settings.web
        if web.certificate is None or web.key is None:
            return None
        return self.resolve(web.certificate), self.resolve(web.key)

    @property
    def web_users(self) -> Path | None:
        """The file of the page's users, if any."""
        path = self.settings.web.users
        return None if path is None else self.resolve(path)

    @property
    def database_url(self) -> str:
        """The database's URL; it may contain a password, so it is never printed."""
        url = self.settings.database.url.get_secret_value() or f"{SQLITE}{self.state / 'monitor.db'}"
        return f"{SQLITE}{self.resolve(Path(url.removeprefix(SQLITE)))}" if url.startswith(SQLITE) else url

    @property
    def time_zone(self) -> ZoneInfo:
        """The plant's time zone."""
        return ZoneInfo(self.settings.plant.time_zone)
