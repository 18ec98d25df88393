"""When a file came: what a backlog is put in order by."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from monitor.crops.identity import IdentityPattern

if TYPE_CHECKING:
    from monitor.configuration.resolved import Configuration


class Arrival:
    """Tells when a crop was taken by its file's name, or else when the file was last changed."""

    def __init__(self, configuration: Configuration) -> None:
        crops = configuration.settings.crops
        self._pattern = IdentityPattern(crops.name_pattern, crops.time_format, configuration.time_zone)

    def __call__(self, path: str) -> float:
        """Unix time in seconds; 0 for a file that is gone."""
        captured_at = self._pattern.parse(path.rpartition("/")[2]).captured_at
        if captured_at is not None:
            return captured_at.timestamp()
        try:
            return os.lstat(path).st_mtime
        except OSError:
            return 0.0
