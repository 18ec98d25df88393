"""The unit of the page, beside that of the daemon: the same user, and fewer folders to write into."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from monitor.deploy.networks import Listens
from monitor.deploy.systemd import Folders, unit_text

if TYPE_CHECKING:
    from monitor.configuration.resolved import Configuration
    from monitor.deploy.systemd import Access

TEMPLATE: Final = Path(__file__).with_name("monitor-web.service")


def files(configuration: Configuration, access: Access) -> dict[str, str]:
    """The unit by its file name; raises `ConfigurationError` if no unit could work."""
    reads = {configuration.inbox, configuration.labelled, configuration.archive, configuration.quarantine}
    listens = Listens("web.host", configuration.settings.web.host)
    text = unit_text(TEMPLATE, "web", configuration, access, Folders(set(), reads), listens, {})
    return {f"{access.name}-web.service": text}


def warnings(configuration: Configuration) -> list[str]:
    """A sentence for each thing that would keep the page from working as a service."""
    users = configuration.web_users
    if users is None or users.is_relative_to(configuration.state):
        return []
    return [
        f"{users}: only its owner may read the users, and the service's user owns nothing but the state folder; set "
        f"web.users to a file below {configuration.state}"
    ]
