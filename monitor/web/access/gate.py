"""What decides who gets in: the users, their logins, failed attempts, and the names that the page answers to."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import BoundedSemaphore
from typing import TYPE_CHECKING

from monitor.configuration.web_settings import is_loopback
from monitor.errors import ConfigurationError
from monitor.files.text import printable
from monitor.web.access.attempts import Attempts
from monitor.web.access.sessions import Sessions, key_in
from monitor.web.access.users import Users

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

    from monitor.web.site import Site


@dataclass(frozen=True)
class Gate:
    """``users``, ``sessions``: None where nobody logs in, which is possible on loopback only.

    ``hosts``: the names in the header Host that are answered to; None: any.
    """

    users: Users | None
    sessions: Sessions | None
    hosts: frozenset[str] | None
    attempts: Attempts = field(default_factory=Attempts)
    # Checking a password takes 64 MiB: two at a time, whoever tries.
    checking: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(2))

    @classmethod
    def of(cls, request: HTTPConnection) -> Gate:
        """The gate of the site that a request is for."""
        gate = request.app.state.gate
        assert isinstance(gate, Gate)
        return gate

    @classmethod
    def for_site(cls, site: Site) -> Gate:
        """The gate as the configuration says; raises `ConfigurationError` where nobody could get in."""
        settings, path = site.configuration.settings.web, site.configuration.web_users
        hosts = frozenset({"localhost", "127.0.0.1", "[::1]", _as_host(settings.host), *settings.hosts})
        # Cookies belong to a name, so under another one nobody is logged in, whoever answers to it. Without logins,
        # the name tells whether a page of another site asks, whose name somebody has let lead to this machine.
        known = hosts if is_loopback(settings.host) or settings.hosts else None
        if path is None:
            return cls(None, None, hosts)
        users = Users(path)
        if not users.count():
            raise ConfigurationError(
                f"web.users {printable(path)}: nobody is in it, so nobody could log in; monitor web user add NAME"
            )
        return cls(users, Sessions(key_in(site.configuration.state)), known)


def _as_host(address: str) -> str:
    return f"[{address.lower()}]" if ":" in address else address.lower()
