"""The four dashboards; the bounds that colour them come from the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.deploy.dashboards import overview, quality, service, table

if TYPE_CHECKING:
    from monitor.configuration.settings import Settings
    from monitor.deploy.dashboard import Dashboard


def every(settings: Settings) -> dict[str, Dashboard]:
    """Dashboards by file name without its ending, in the order in which a person needs them."""
    return {
        "overview": overview.dashboard(settings),
        "quality": quality.dashboard(settings),
        "table": table.dashboard(settings),
        "service": service.dashboard(settings),
    }
