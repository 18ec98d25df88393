"""What every page needs: the configuration, the plug-ins and the database."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from monitor.web.live.live import Live

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from starlette.requests import HTTPConnection

    from monitor.configuration.resolved import Configuration
    from monitor.registry import Registry
    from monitor.store.database.engine import Database


@dataclass(frozen=True)
class Site:
    """One installation, as the page shows it. Requests are answered by several threads, which share all of it."""

    configuration: Configuration
    registry: Registry
    database: Database

    @property
    def zone(self) -> ZoneInfo:
        """The plant's time zone."""
        return self.configuration.time_zone

    @cached_property
    def live(self) -> Live:
        """What is kept in memory of it."""
        return Live(self.configuration, self.database)

    @classmethod
    def of(cls, request: HTTPConnection) -> Site:
        """The site that a request is for."""
        site = request.app.state.site
        assert isinstance(site, Site)
        return site
