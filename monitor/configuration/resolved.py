"""The settings together with the file they came from: absolute paths, the time zone, the database."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from monitor.configuration.settings import SQLITE, Settings
from monitor.errors import ConfigurationError


class Configuration(BaseModel):
    """Settings and the file that they came from, whose folder relative paths are relative to."""

    model_config = ConfigDict(frozen=True)

    settings: Settings
    file: Path | None

    @property
    def source(self) -> str:
        """What messages call the configuration."""
        return "built-in defaults" if self.file is None else str(self.file)

    def _resolved(self, path: Path) -> Path:
        base = Path.cwd() if self.file is None else self.file.parent
        # Links are followed here, once, so that a crop has the same path however it is reached.
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
        """The folder of the database and the models."""
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
        """The files (certificate, key) for HTTPS; None for plain HTTP."""
        metrics = self.settings.metrics
        if metrics.certificate is None or metrics.key is None:
            return None
        return self._resolved(metrics.certificate), self._resolved(metrics.key)

    @property
    def database_url(self) -> str:
        """The database's URL; it may contain a password, so it is never printed."""
        url = self.settings.database.url.get_secret_value() or f"{SQLITE}{self.state / 'monitor.db'}"
        return f"{SQLITE}{self._resolved(Path(url.removeprefix(SQLITE)))}" if url.startswith(SQLITE) else url

    @property
    def time_zone(self) -> ZoneInfo:
        """The plant's time zone."""
        return ZoneInfo(self.settings.plant.time_zone)
